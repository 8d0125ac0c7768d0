/* SPDX-License-Identifier: BSD-2-Clause */
#include "nss_object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nss_date.h"
#include "scan.h"

#define ATTRIBUTES_MAX 64 /* of one object; real ones have up to 13 */
#define NAME_SHOWN     64 /* bytes of an attribute's name in an error */

/* The object that is being read. */
struct reading {
	struct kt_nss_text *text;
	struct kt_nss_objects *objects;
	struct kt_nss_object object;
	struct kt_nss_span names[ATTRIBUTES_MAX]; /* attributes seen in it */
	size_t names_count;			  /* 0: no object is being read */
	struct kt_nss_span class;
	bool x509; /* no other type of certificate was named */
};

static int refuse_at(const struct reading *reading, unsigned int line, const char *why,
		     struct kt_error *error)
{
	return kt_error_set(error, EBADMSG, reading->text->where, line, "%s", why);
}

static int refuse_object(const struct reading *reading, const char *why, struct kt_error *error)
{
	return refuse_at(reading, reading->object.line, why, error);
}

/* ---- Attributes ---------------------------------------------------------------------------- */

static const struct known {
	const char *name;
	enum kt_nss_value value;
	size_t offset; /* of the view in struct kt_nss_object */
} known_views[] = {
	{"CKA_VALUE", KT_NSS_OCTAL, offsetof(struct kt_nss_object, value)},
	{"CKA_ISSUER", KT_NSS_OCTAL, offsetof(struct kt_nss_object, issuer)},
	{"CKA_SERIAL_NUMBER", KT_NSS_OCTAL, offsetof(struct kt_nss_object, serial)},
	{"CKA_SUBJECT", KT_NSS_OCTAL, offsetof(struct kt_nss_object, subject)},
};

static const struct known *find_known(struct kt_nss_span name)
{
	for (size_t i = 0; i < sizeof known_views / sizeof known_views[0]; i++)
		if (kt_nss_span_is(name, known_views[i].name))
			return &known_views[i];
	return NULL;
}

static bool is_limit(struct kt_nss_span name)
{
	return memmem(name.text, name.len, "DISTRUST", strlen("DISTRUST")) ||
	       memmem(name.text, name.len, "CONSTRAINT", strlen("CONSTRAINT"));
}

/* "None" is written as CK_BBOOL CK_FALSE. */
static bool read_date(const struct kt_nss_attribute *attribute, int64_t *ret_seconds)
{
	if (attribute->value == KT_NSS_OCTAL)
		return kt_nss_date_read(attribute->data.data, attribute->data.len, ret_seconds);
	if (attribute->value != KT_NSS_WORD || !kt_nss_span_is(attribute->type, "CK_BBOOL") ||
	    !kt_nss_span_is(attribute->word, "CK_FALSE"))
		return false;
	*ret_seconds = KT_DISTRUST_NEVER;
	return true;
}

static void take_limit(struct kt_nss_object *object, const struct kt_nss_attribute *attribute)
{
	bool is_date = kt_nss_span_is(attribute->name, "CKA_NSS_SERVER_DISTRUST_AFTER");

	if (kt_nss_span_is(attribute->name, "CKA_NSS_EMAIL_DISTRUST_AFTER"))
		return;
	if (is_date && read_date(attribute, &object->distrust_after))
		return;
	object->unknown = attribute->name;
	object->unknown_value = is_date;
}

static int take_view(struct reading *reading, const struct known *known,
		     const struct kt_nss_attribute *attribute, struct kt_error *error)
{
	struct kt_der_view *view = (void *)((char *)&reading->object + known->offset);

	if (attribute->value != known->value || attribute->data.len == 0)
		return refuse_at(reading, attribute->line,
				 "the attribute's value is empty or of another type", error);
	*view = attribute->data;
	kt_nss_text_keep(reading->text);
	return 0;
}

static int take_label(struct reading *reading, const struct kt_nss_attribute *attribute,
		      struct kt_error *error)
{
	if (attribute->value != KT_NSS_QUOTED)
		return refuse_at(reading, attribute->line, "the label is not in quotes", error);
	reading->object.label = (const char *)attribute->data.data;
	kt_nss_text_keep(reading->text);
	return 0;
}

static int take_word(const struct reading *reading, const struct kt_nss_attribute *attribute,
		     const char *type, struct kt_nss_span *ret_word, struct kt_error *error)
{
	if (attribute->value != KT_NSS_WORD || !kt_nss_span_is(attribute->type, type))
		return refuse_at(reading, attribute->line,
				 "the attribute's value is of another type", error);
	*ret_word = attribute->word;
	return 0;
}

/* The number of attributes is limited, so that this is linear. */
static int note_name(struct reading *reading, const struct kt_nss_attribute *attribute,
		     struct kt_error *error)
{
	struct kt_nss_span name = attribute->name;

	for (size_t i = 0; i < reading->names_count; i++)
		if (reading->names[i].len == name.len &&
		    memcmp(reading->names[i].text, name.text, name.len) == 0)
			return kt_error_set(error, EBADMSG, reading->text->where, attribute->line,
					    "%.*s is there twice in the object that begins in line "
					    "%u",
					    name.len < NAME_SHOWN ? (int)name.len : NAME_SHOWN,
					    name.text, reading->object.line);
	if (reading->names_count == ATTRIBUTES_MAX)
		return refuse_at(reading, attribute->line, "the object has too many attributes",
				 error);
	reading->names[reading->names_count++] = name;
	return 0;
}

static int take_attribute(struct reading *reading, const struct kt_nss_attribute *attribute,
			  struct kt_error *error)
{
	const struct known *known = find_known(attribute->name);
	struct kt_nss_span type;
	int ret = note_name(reading, attribute, error);

	if (ret)
		return ret;
	if (known)
		return take_view(reading, known, attribute, error);
	if (kt_nss_span_is(attribute->name, "CKA_LABEL"))
		return take_label(reading, attribute, error);
	if (kt_nss_span_is(attribute->name, "CKA_TRUST_SERVER_AUTH"))
		return take_word(reading, attribute, "CK_TRUST", &reading->object.trust, error);
	if (kt_nss_span_is(attribute->name, "CKA_CERTIFICATE_TYPE")) {
		ret = take_word(reading, attribute, "CK_CERTIFICATE_TYPE", &type, error);
		reading->x509 = ret == 0 && kt_nss_span_is(type, "CKC_X_509");
		return ret;
	}
	if (is_limit(attribute->name))
		take_limit(&reading->object, attribute);
	return 0;
}

/* ---- Objects ------------------------------------------------------------------------------- */

static bool is_serial(struct kt_der_view der, struct kt_der_view content)
{
	struct kt_der_item item;

	return kt_der_expect(&der, KT_DER_INTEGER, &item) && der.len == 0 &&
	       kt_der_equal(item.content, content);
}

static int check_certificate(struct reading *reading, struct kt_error *error)
{
	const struct kt_nss_object *object = &reading->object;
	struct kt_scan scan;
	const char *why;

	if (!reading->x509)
		return refuse_object(reading, "a certificate that is not of type CKC_X_509", error);
	if (!object->value.data || !object->issuer.data || !object->serial.data ||
	    !object->subject.data || !object->label)
		return refuse_object(reading,
				     "a certificate without CKA_VALUE, CKA_ISSUER, "
				     "CKA_SERIAL_NUMBER, CKA_SUBJECT or CKA_LABEL (is the file "
				     "cut?)",
				     error);
	why = kt_scan_certificate(object->value.data, object->value.len, &scan);
	if (why)
		return kt_error_set(error, EBADMSG, reading->text->where, object->line,
				    "not a well-formed certificate: %s", why);
	if (!kt_der_equal(object->issuer, scan.issuer) || !is_serial(object->serial, scan.serial) ||
	    !kt_der_equal(object->subject, scan.subject))
		return refuse_object(reading,
				     "CKA_ISSUER, CKA_SERIAL_NUMBER or CKA_SUBJECT is not the one "
				     "in the certificate",
				     error);
	return 0;
}

static int check_trust(struct reading *reading, struct kt_error *error)
{
	const struct kt_nss_object *object = &reading->object;

	if (!object->issuer.data || !object->serial.data || object->trust.len == 0)
		return refuse_object(reading,
				     "a trust object without CKA_ISSUER, CKA_SERIAL_NUMBER or "
				     "CKA_TRUST_SERVER_AUTH (is the file cut?)",
				     error);
	return 0;
}

/* 1: it is to be kept; 0: it is not. */
static int check_other(struct reading *reading, struct kt_error *error)
{
	const struct kt_nss_object *object = &reading->object;

	if (object->distrust_after == KT_DISTRUST_NEVER && object->unknown.len == 0)
		return 0;
	if (!object->issuer.data || !object->serial.data)
		return refuse_object(
			reading, "a limit of trust in an object that names no certificate", error);
	return 1;
}

static int append(struct kt_nss_objects *objects, const struct kt_nss_object *object)
{
	if (objects->count == objects->room) {
		size_t room = objects->room ? objects->room * 2 : 64;
		struct kt_nss_object *list = realloc(objects->list, room * sizeof *list);

		if (!list)
			return -ENOMEM;
		objects->list = list;
		objects->room = room;
	}
	objects->list[objects->count++] = *object;
	return 0;
}

/* The object that is being read is complete. */
static int finish(struct reading *reading, struct kt_error *error)
{
	int ret = 0;

	if (reading->names_count == 0)
		return 0;
	if (kt_nss_span_is(reading->class, "CKO_CERTIFICATE")) {
		reading->object.class = KT_NSS_CERTIFICATE;
		ret = check_certificate(reading, error);
	} else if (kt_nss_span_is(reading->class, "CKO_NSS_TRUST")) {
		reading->object.class = KT_NSS_TRUST;
		ret = check_trust(reading, error);
	} else {
		reading->object.class = KT_NSS_OTHER;
		ret = check_other(reading, error);
		if (ret == 0)
			return 0;
	}
	if (ret < 0)
		return ret;
	if (append(reading->objects, &reading->object))
		return kt_error_set(error, ENOMEM, reading->text->where, 0, "out of memory");
	return 0;
}

static int begin(struct reading *reading, const struct kt_nss_attribute *attribute,
		 struct kt_error *error)
{
	reading->object = (struct kt_nss_object){.line = attribute->line,
						 .distrust_after = KT_DISTRUST_NEVER};
	reading->names[0] = attribute->name;
	reading->names_count = 1;
	reading->x509 = true;
	return take_word(reading, attribute, "CK_OBJECT_CLASS", &reading->class, error);
}

static int take(struct reading *reading, const struct kt_nss_attribute *attribute,
		struct kt_error *error)
{
	int ret;

	if (kt_nss_span_is(attribute->name, "CKA_CLASS")) {
		ret = finish(reading, error);
		return ret ? ret : begin(reading, attribute, error);
	}
	if (reading->names_count == 0)
		return refuse_at(reading, attribute->line,
				 "an attribute outside of any object (is the CKA_CLASS before it "
				 "lost?)",
				 error);
	return take_attribute(reading, attribute, error);
}

int kt_nss_objects_read(struct kt_nss_objects *objects, struct kt_nss_text *text,
			struct kt_error *error)
{
	struct reading reading = {.text = text, .objects = objects};
	struct kt_nss_attribute attribute;
	int ret;

	while ((ret = kt_nss_text_next(text, &attribute, error)) > 0) {
		ret = take(&reading, &attribute, error);
		if (ret)
			return ret;
	}
	return ret ? ret : finish(&reading, error);
}

void kt_nss_objects_free(struct kt_nss_objects *objects)
{
	free(objects->list);
}
