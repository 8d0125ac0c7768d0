/* SPDX-License-Identifier: BSD-2-Clause */
#include "web_names.h"

#include <arpa/inet.h>
#include <string.h>

#include "../pool/name.h"
#include "general_name.h"
#include "host.h"
#include "public_suffix.h"

static const uint8_t oid_common_name[] = {0x55, 0x04, 0x03}; /* 2.5.4.3 */

/* ---- subjectAltName -------------------------------------------------------------------------- */

/* Hyphens third and fourth are reserved (RFC 5890 §2.3.1): A-labels use them, nobody else may. */
static bool is_plain_or_a_label(struct kt_der_view label)
{
	if (label.len < 4 || label.data[2] != '-' || label.data[3] != '-')
		return true;
	return label.len > 4 && kt_host_equal((struct kt_der_view){label.data, 4},
					      (struct kt_der_view){(const uint8_t *)"xn--", 4});
}

static bool is_web_host(struct kt_der_view host)
{
	struct kt_der_view label;

	if (!kt_host_is_name(host) || kt_host_is_numeric(host))
		return false;
	while (kt_host_next_label(&host, &label))
		if (!is_plain_or_a_label(label))
			return false;
	return true;
}

static const char *check_dns(struct kt_der_view name)
{
	bool wildcard = kt_host_strip_wildcard(&name);

	if (!is_web_host(name))
		return "a dNSName is no host name";
	if (wildcard && kt_public_suffix_is(name))
		return "a wildcard covers a public suffix";
	return NULL;
}

static const char *check_alt_names(struct kt_der_view names)
{
	struct kt_general_name name;
	const char *why = NULL;

	while (!why && names.len > 0) {
		if (!kt_general_name_read(&names, &name))
			return "the subjectAltName is malformed";
		if (name.type == KT_GENERAL_DNS)
			why = check_dns(name.content);
		else if (name.type != KT_GENERAL_IP)
			why = "the subjectAltName has names besides dNSName and iPAddress";
	}
	return why;
}

/* ---- Common names ---------------------------------------------------------------------------- */

/* inet_ntop writes IPv6 as RFC 5952 has it. */
static bool is_address_text(struct kt_der_view text, struct kt_der_view address)
{
	char canonical[INET6_ADDRSTRLEN];
	int family = address.len == sizeof(struct in_addr) ? AF_INET : AF_INET6;

	if (!inet_ntop(family, address.data, canonical, sizeof canonical))
		return false;
	return kt_der_equal(text,
			    (struct kt_der_view){(const uint8_t *)canonical, strlen(canonical)});
}

static bool is_among(struct kt_der_view text, struct kt_der_view names)
{
	struct kt_general_name name;

	while (kt_general_name_read(&names, &name))
		if (name.type == KT_GENERAL_DNS ? kt_der_equal(text, name.content)
						: is_address_text(text, name.content))
			return true;
	return false;
}

static bool is_common_name(const struct kt_name_attribute *attribute)
{
	return kt_der_equal(attribute->type,
			    (struct kt_der_view){oid_common_name, sizeof oid_common_name});
}

/* The names are known to be dNSName and iPAddress. */
static const char *check_subject(struct kt_der_view subject, struct kt_der_view names)
{
	struct kt_name_walk walk = kt_name_walk(subject);
	struct kt_name_attribute attribute;
	bool seen = false;

	while (kt_name_walk_next(&walk, &attribute)) {
		if (!is_common_name(&attribute))
			continue;
		if (seen)
			return "there is more than one commonName";
		seen = true;
		if (attribute.value.tag != KT_DER_UTF8_STRING &&
		    attribute.value.tag != KT_DER_PRINTABLE_STRING)
			return "a commonName is neither UTF8String nor PrintableString";
		if (!is_among(attribute.value.content, names))
			return "a commonName is not in the subjectAltName";
	}
	return NULL;
}

/* ---- The leaf -------------------------------------------------------------------------------- */

static bool is_empty_name(struct kt_der_view name)
{
	struct kt_der_item item;

	return kt_der_expect(&name, KT_DER_SEQUENCE, &item) && item.content.len == 0;
}

const char *kt_web_names_check(const struct kt_cert *leaf)
{
	const char *why;

	if (!kt_cert_has(leaf, KT_EXT_SUBJECT_ALT_NAME) || leaf->names.len == 0)
		return "no subjectAltName";
	if (is_empty_name(leaf->subject) != !!(leaf->critical & KT_EXT_SUBJECT_ALT_NAME))
		return "the subjectAltName must be critical if the subject is empty, and only then";
	why = check_alt_names(leaf->names);
	return why ? why : check_subject(leaf->subject, leaf->names);
}
