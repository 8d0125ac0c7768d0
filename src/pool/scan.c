/* SPDX-License-Identifier: BSD-2-Clause */
#include "scan_parts.h"

static const uint8_t oid_key_id[] = {0x55, 0x1d, 0x0e};	   /* 2.5.29.14, RFC 5280 §4.2.1.2 */
static const uint8_t oid_key_usage[] = {0x55, 0x1d, 0x0f}; /* §4.2.1.3 */
static const uint8_t oid_basic_constraints[] = {0x55, 0x1d, 0x13}; /* §4.2.1.9 */

/* AlgorithmIdentifier: an OID and at most one parameter of any type (RFC 5280 §4.1.1.2). */
static bool is_algorithm(struct kt_der_view content)
{
	struct kt_der_item oid, parameter;

	if (!kt_der_expect(&content, KT_DER_OID, &oid) || !kt_der_is_oid(oid.content))
		return false;
	return content.len == 0 || (kt_der_read(&content, &parameter) && content.len == 0);
}

bool kt_scan_algorithm(struct kt_der_view *in, struct kt_der_view *ret_tlv)
{
	struct kt_der_item item;

	if (!kt_der_expect(in, KT_DER_SEQUENCE, &item) || !is_algorithm(item.content))
		return false;
	*ret_tlv = item.tlv;
	return true;
}

/* AttributeTypeAndValue (RFC 5280 §4.1.2.4). */
static bool is_attribute(struct kt_der_view content)
{
	struct kt_der_item type, value;

	return kt_der_expect(&content, KT_DER_OID, &type) && kt_der_is_oid(type.content) &&
	       kt_der_read(&content, &value) && content.len == 0;
}

static bool is_relative_name(struct kt_der_view content)
{
	struct kt_der_item attribute;

	if (content.len == 0)
		return false;
	while (content.len > 0)
		if (!kt_der_expect(&content, KT_DER_SEQUENCE, &attribute) ||
		    !is_attribute(attribute.content))
			return false;
	return true;
}

bool kt_scan_name(struct kt_der_view *in, struct kt_der_view *ret_tlv)
{
	struct kt_der_item name, relative;
	struct kt_der_view rest;

	if (!kt_der_expect(in, KT_DER_SEQUENCE, &name))
		return false;
	rest = name.content;
	while (rest.len > 0)
		if (!kt_der_expect(&rest, KT_DER_SET, &relative) ||
		    !is_relative_name(relative.content))
			return false;
	*ret_tlv = name.tlv;
	return true;
}

bool kt_scan_is_name(const uint8_t *der, size_t len)
{
	struct kt_der_view in = {der, len};
	struct kt_der_view name;

	return kt_scan_name(&in, &name) && in.len == 0;
}

/* UTCTime "YYMMDDHHMMSSZ", GeneralizedTime "YYYYMMDDHHMMSSZ" (RFC 5280 §4.1.2.5). */
bool kt_scan_time(struct kt_der_view *in, struct kt_der_view *ret_tlv)
{
	struct kt_der_item item;
	size_t digits;

	if (!kt_der_read(in, &item))
		return false;
	if (item.tag == KT_DER_UTC_TIME)
		digits = 12;
	else if (item.tag == KT_DER_GENERALIZED_TIME)
		digits = 14;
	else
		return false;
	if (item.content.len != digits + 1 || item.content.data[digits] != 'Z')
		return false;
	for (size_t i = 0; i < digits; i++)
		if (item.content.data[i] < '0' || item.content.data[i] > '9')
			return false;
	*ret_tlv = item.tlv;
	return true;
}

static bool read_validity(struct kt_der_view *in, struct kt_scan *scan)
{
	struct kt_der_item item;

	return kt_der_expect(in, KT_DER_SEQUENCE, &item) &&
	       kt_scan_time(&item.content, &scan->not_before) &&
	       kt_scan_time(&item.content, &scan->not_after) && item.content.len == 0;
}

static bool read_spki(struct kt_der_view *in, struct kt_der_view *ret_tlv)
{
	struct kt_der_item item, key;
	struct kt_der_view algorithm;

	if (!kt_der_expect(in, KT_DER_SEQUENCE, &item) ||
	    !kt_scan_algorithm(&item.content, &algorithm) ||
	    !kt_der_expect(&item.content, KT_DER_BIT_STRING, &key) || item.content.len != 0)
		return false;
	*ret_tlv = item.tlv;
	return kt_der_is_bit_string(key.content);
}

/* [0] EXPLICIT INTEGER; v1 is the default and so is not written (X.690 §11.5). */
static bool read_version(struct kt_der_view *in, unsigned int *ret_version)
{
	struct kt_der_item outer, number;

	if (!kt_der_next_is(in, KT_DER_CONTEXT_CONS(0))) {
		*ret_version = 1;
		return true;
	}
	if (!kt_der_read(in, &outer) || !kt_der_expect(&outer.content, KT_DER_INTEGER, &number) ||
	    outer.content.len != 0 || number.content.len != 1)
		return false;
	*ret_version = number.content.data[0] + 1u;
	return *ret_version == 2 || *ret_version == 3;
}

static bool read_serial(struct kt_der_view *in, struct kt_der_view *ret_content)
{
	struct kt_der_item item;

	/* Zero and negative numbers exist among trusted roots: only the form is checked. */
	if (!kt_der_expect(in, KT_DER_INTEGER, &item) || !kt_der_is_integer(item.content))
		return false;
	*ret_content = item.content;
	return true;
}

/* issuerUniqueID [1] and subjectUniqueID [2], v2 and v3 only (RFC 5280 §4.1.2.8). */
static bool skip_unique_ids(struct kt_der_view *in, unsigned int version)
{
	struct kt_der_item item;

	for (unsigned int number = 1; number <= 2; number++) {
		if (!kt_der_next_is(in, KT_DER_CONTEXT(number)))
			continue;
		if (version < 2 || !kt_der_read(in, &item) || !kt_der_is_bit_string(item.content))
			return false;
	}
	return true;
}

static const char *read_key_id(struct kt_der_view value, struct kt_scan *scan)
{
	struct kt_der_item id;

	if (scan->key_id.data)
		return "the subjectKeyIdentifier extension is there twice";
	if (!kt_der_expect(&value, KT_DER_OCTET_STRING, &id) || value.len != 0 ||
	    id.content.len == 0)
		return "the subjectKeyIdentifier extension is malformed";
	scan->key_id = id.content;
	return NULL;
}

const char *kt_scan_extension(struct kt_der_view *in, struct kt_scan_extension *ret_extension)
{
	struct kt_der_item item, oid, critical = {0}, value;

	if (!kt_der_expect(in, KT_DER_SEQUENCE, &item) ||
	    !kt_der_expect(&item.content, KT_DER_OID, &oid) || !kt_der_is_oid(oid.content))
		return "an extension is malformed";
	/* critical DEFAULT FALSE: if written, then as TRUE, 0xff (X.690 §11.1, §11.5). */
	if (kt_der_next_is(&item.content, KT_DER_BOOLEAN) &&
	    (!kt_der_read(&item.content, &critical) || critical.content.len != 1 ||
	     critical.content.data[0] != 0xff))
		return "an extension's critical flag is malformed";
	if (!kt_der_expect(&item.content, KT_DER_OCTET_STRING, &value) || item.content.len != 0)
		return "an extension is malformed";
	*ret_extension =
		(struct kt_scan_extension){oid.content, critical.content.len != 0, value.content};
	return NULL;
}

static const char *read_extension(struct kt_der_view *in, struct kt_scan *scan)
{
	static const struct kt_der_view wanted = {oid_key_id, sizeof oid_key_id};
	struct kt_scan_extension extension;
	const char *why = kt_scan_extension(in, &extension);

	if (why)
		return why;
	return kt_der_equal(extension.oid, wanted) ? read_key_id(extension.value, scan) : NULL;
}

static const char *read_extensions(struct kt_der_view *in, struct kt_scan *scan)
{
	struct kt_der_item outer, list;

	if (!kt_der_next_is(in, KT_DER_CONTEXT_CONS(3)))
		return NULL;
	if (scan->version != 3)
		return "there are extensions, but the version is not 3";
	if (!kt_der_read(in, &outer) || !kt_der_expect(&outer.content, KT_DER_SEQUENCE, &list) ||
	    outer.content.len != 0 || list.content.len == 0)
		return "the list of extensions is malformed";
	scan->extensions = list.content;
	return NULL;
}

static const char *check_extensions(struct kt_scan *scan)
{
	struct kt_der_view list = scan->extensions;
	const char *why = NULL;

	while (list.len > 0 && !why)
		why = read_extension(&list, scan);
	return why;
}

static const char *read_tbs(struct kt_der_view in, struct kt_scan *scan)
{
	const char *why;

	if (!read_version(&in, &scan->version))
		return "the version is malformed";
	if (!read_serial(&in, &scan->serial))
		return "the serial number is missing or malformed";
	if (!kt_scan_algorithm(&in, &scan->algorithm))
		return "the inner signature algorithm is missing or malformed";
	if (!kt_scan_name(&in, &scan->issuer))
		return "the issuer is missing or malformed";
	if (!read_validity(&in, scan))
		return "the validity is missing or malformed";
	if (!kt_scan_name(&in, &scan->subject))
		return "the subject is missing or malformed";
	if (!read_spki(&in, &scan->spki))
		return "the public key is missing or malformed";
	if (!skip_unique_ids(&in, scan->version))
		return "a unique identifier is malformed or out of place";
	why = read_extensions(&in, scan);
	if (why)
		return why;
	return in.len == 0 ? NULL : "there is something behind the last field";
}

const char *kt_scan_fields(const uint8_t *der, size_t len, struct kt_scan *ret_scan)
{
	struct kt_der_view in = {der, len};
	struct kt_der_item certificate, tbs, signature;
	struct kt_der_view outer;
	struct kt_scan scan = {0};
	const char *why;

	if (!kt_der_expect(&in, KT_DER_SEQUENCE, &certificate))
		return "it is not a DER sequence of its full length";
	if (in.len != 0)
		return "there are bytes behind the certificate";
	if (!kt_der_expect(&certificate.content, KT_DER_SEQUENCE, &tbs))
		return "the part that is signed is missing or malformed";
	why = read_tbs(tbs.content, &scan);
	if (why)
		return why;
	if (!kt_scan_algorithm(&certificate.content, &outer))
		return "the signature algorithm is missing or malformed";
	if (!kt_der_equal(scan.algorithm, outer))
		return "the two signature algorithms differ";
	if (!kt_der_expect(&certificate.content, KT_DER_BIT_STRING, &signature) ||
	    !kt_der_is_bit_string(signature.content))
		return "the signature is missing or malformed";
	if (certificate.content.len != 0)
		return "there is something behind the signature";
	scan.tbs = tbs.tlv;
	scan.signature = signature.content;
	*ret_scan = scan;
	return NULL;
}

const char *kt_scan_certificate(const uint8_t *der, size_t len, struct kt_scan *ret_scan)
{
	struct kt_scan scan;
	const char *why = kt_scan_fields(der, len, &scan);

	if (!why)
		why = check_extensions(&scan);
	if (!why)
		*ret_scan = scan;
	return why;
}

/* ---- Issuers -------------------------------------------------------------------------------- */

/* cA DEFAULT FALSE: if written, then as TRUE; pathLenConstraint is for CAs alone. */
bool kt_scan_basic_constraints(struct kt_der_view value, bool *ret_ca,
			       struct kt_der_view *ret_path_len)
{
	struct kt_der_view path_len = {0};
	struct kt_der_item constraints, item;
	bool ca = false;

	if (!kt_der_expect(&value, KT_DER_SEQUENCE, &constraints) || value.len)
		return false;
	if (kt_der_next_is(&constraints.content, KT_DER_BOOLEAN)) {
		if (!kt_der_read(&constraints.content, &item) || item.content.len != 1 ||
		    item.content.data[0] != 0xff)
			return false;
		ca = true;
	}
	if (constraints.content.len) {
		if (!ca || !kt_der_expect(&constraints.content, KT_DER_INTEGER, &item) ||
		    constraints.content.len || !kt_der_is_integer(item.content) ||
		    (item.content.data[0] & 0x80))
			return false;
		path_len = item.content;
	}
	*ret_ca = ca;
	*ret_path_len = path_len;
	return true;
}

/*
 * Zeros at the end, which DER leaves out of a named BIT STRING (X.690 §11.2.2), are let through:
 * two roots that Mozilla trusts have them, and they change nothing.
 */
bool kt_scan_key_usage(struct kt_der_view value, uint32_t *ret_usage)
{
	struct kt_der_view bits;
	struct kt_der_item item;
	uint32_t usage = 0;

	if (!kt_der_expect(&value, KT_DER_BIT_STRING, &item) || value.len)
		return false;
	bits = item.content;
	if (!kt_der_is_bit_string(bits) || bits.len < 2 || bits.len > 3 ||
	    (bits.data[bits.len - 1] & ((1u << bits.data[0]) - 1)))
		return false;
	for (size_t bit = 0; bit < (bits.len - 1) * 8; bit++)
		if (bits.data[1 + bit / 8] & (0x80 >> bit % 8))
			usage |= 1u << bit;
	if (!usage)
		return false;
	*ret_usage = usage;
	return true;
}

bool kt_scan_is_ca(const struct kt_scan *scan)
{
	static const struct kt_der_view basic_constraints = {oid_basic_constraints,
							     sizeof oid_basic_constraints},
					key_usage = {oid_key_usage, sizeof oid_key_usage};
	const uint32_t key_cert_sign = 1u << 5;
	struct kt_der_view list = scan->extensions, path_len;
	struct kt_scan_extension extension;
	size_t constraints = 0, usages = 0;
	uint32_t usage = key_cert_sign;
	bool ca = false;

	while (list.len > 0) {
		if (kt_scan_extension(&list, &extension))
			return false;
		if (kt_der_equal(extension.oid, basic_constraints) &&
		    (constraints++ || !kt_scan_basic_constraints(extension.value, &ca, &path_len)))
			return false;
		if (kt_der_equal(extension.oid, key_usage) &&
		    (usages++ || !kt_scan_key_usage(extension.value, &usage)))
			return false;
	}
	return ca && (usage & key_cert_sign);
}
