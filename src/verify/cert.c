/* SPDX-License-Identifier: BSD-2-Clause */
#include "cert.h"

#include <string.h>

#include "../pool/name.h"
#include "../pool/scan_parts.h"
#include "general_name.h"

/*
 * Finding one that is there twice costs a comparison a pair, so their number is bounded. RFC 5280
 * knows sixteen extensions; certificates name one or two policies.
 */
#define EXTENSIONS_MAX 128
#define POLICIES_MAX   128

/* ---- Pieces ---------------------------------------------------------------------------------- */

/* All of value is one element with this tag. */
static bool read_whole(struct kt_der_view value, uint8_t tag, struct kt_der_view *ret_content)
{
	struct kt_der_item item;

	if (!kt_der_expect(&value, tag, &item) || value.len)
		return false;
	*ret_content = item.content;
	return true;
}

/* A SEQUENCE that may not be empty (SIZE (1..MAX)). */
static bool read_list(struct kt_der_view value, struct kt_der_view *ret_content)
{
	struct kt_der_view content;

	if (!read_whole(value, KT_DER_SEQUENCE, &content) || !content.len)
		return false;
	*ret_content = content;
	return true;
}

/* INTEGER (0..MAX), whatever its tag; more than 32 bits are as good as their largest. */
static bool read_count(struct kt_der_view integer, uint32_t *ret_count)
{
	uint32_t count = 0;

	if (!kt_der_is_integer(integer) || (integer.data[0] & 0x80))
		return false;
	for (size_t i = 0; i < integer.len; i++) {
		if (count >> 24) {
			*ret_count = KT_SKIP_NEVER - 1;
			return true;
		}
		count = count << 8 | integer.data[i];
	}
	*ret_count = count < KT_SKIP_NEVER ? count : KT_SKIP_NEVER - 1;
	return true;
}

/* ---- Extensions (RFC 5280 §4.2.1) ------------------------------------------------------------ */

static bool read_key_id(struct kt_der_view value, struct kt_cert *cert)
{
	return read_whole(value, KT_DER_OCTET_STRING, &cert->key_id) && cert->key_id.len;
}

static bool read_key_usage(struct kt_der_view value, struct kt_cert *cert)
{
	return kt_scan_key_usage(value, &cert->key_usage);
}

static bool read_names(struct kt_der_view value, struct kt_cert *cert)
{
	return read_list(value, &cert->names) && kt_general_names_are_well_formed(cert->names);
}

static bool read_issuer_names(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view names;

	(void)cert;
	return read_list(value, &names) && kt_general_names_are_well_formed(names);
}

static bool read_basic_constraints(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view path_len;

	return kt_scan_basic_constraints(value, &cert->ca, &path_len) &&
	       (!path_len.data || read_count(path_len, &cert->path_len));
}

/* [0] or [1] GeneralSubtrees OPTIONAL, which is not empty where it is there */
static bool read_subtrees(struct kt_der_view *in, unsigned int number,
			  struct kt_der_view *ret_subtrees)
{
	struct kt_der_item item;

	if (!kt_der_next_is(in, KT_DER_CONTEXT_CONS(number)))
		return true;
	if (!kt_der_read(in, &item) || !item.content.len)
		return false;
	*ret_subtrees = item.content;
	return true;
}

static bool read_name_constraints(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view content;

	return read_list(value, &content) && read_subtrees(&content, 0, &cert->permitted) &&
	       read_subtrees(&content, 1, &cert->excluded) && !content.len;
}

/* DistributionPointName ::= CHOICE { fullName [0] GeneralNames, nameRelativeToCRLIssuer [1] RDN }
 */
static bool is_point_name(struct kt_der_view choice)
{
	struct kt_der_item name, attribute;

	if (!kt_der_read(&choice, &name) || choice.len || !name.content.len)
		return false;
	if (name.tag == KT_DER_CONTEXT_CONS(0))
		return kt_general_names_are_well_formed(name.content);
	while (name.content.len)
		if (!kt_der_expect(&name.content, KT_DER_SEQUENCE, &attribute))
			return false;
	return name.tag == KT_DER_CONTEXT_CONS(1);
}

/*
 * DistributionPoint ::= SEQUENCE { distributionPoint [0] EXPLICIT, reasons [1], cRLIssuer [2] }, of
 * which reasons do not stand alone.
 */
static bool is_crl_point(struct kt_der_view point)
{
	struct kt_der_item item;
	bool is_named = false;

	if (kt_der_next_is(&point, KT_DER_CONTEXT_CONS(0))) {
		if (!kt_der_read(&point, &item) || !is_point_name(item.content))
			return false;
		is_named = true;
	}
	if (kt_der_next_is(&point, KT_DER_CONTEXT(1)) &&
	    (!kt_der_read(&point, &item) || !kt_der_is_bit_string(item.content)))
		return false;
	if (!point.len)
		return is_named;
	return kt_der_expect(&point, KT_DER_CONTEXT_CONS(2), &item) && !point.len &&
	       kt_general_names_are_well_formed(item.content);
}

static bool read_crl_points(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view rest;
	struct kt_der_item item;

	if (!read_list(value, &cert->crl_points))
		return false;
	for (rest = cert->crl_points; rest.len;)
		if (!kt_der_expect(&rest, KT_DER_SEQUENCE, &item) || !is_crl_point(item.content))
			return false;
	return true;
}

static bool is_oid(struct kt_der_view oid, const uint8_t *bytes, size_t len)
{
	return oid.len == len && !memcmp(oid.data, bytes, len);
}

/* id-qt-cps or id-qt-unotice, which say something to people alone */
static bool is_known_qualifier(struct kt_der_view oid)
{
	static const uint8_t id_qt[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x02};

	return oid.len == sizeof id_qt + 1 && !memcmp(oid.data, id_qt, sizeof id_qt) &&
	       (oid.data[sizeof id_qt] == 1 || oid.data[sizeof id_qt] == 2);
}

/*
 * SEQUENCE OF PolicyQualifierInfo ::= SEQUENCE { policyQualifierId, qualifier ANY }. Whoever cannot
 * interpret one in a critical extension has to refuse it (§4.2.1.4).
 */
static bool read_qualifiers(struct kt_der_view qualifiers, struct kt_cert *cert)
{
	struct kt_der_item information, oid, any;

	while (qualifiers.len) {
		if (!kt_der_expect(&qualifiers, KT_DER_SEQUENCE, &information) ||
		    !kt_der_expect(&information.content, KT_DER_OID, &oid) ||
		    !kt_der_is_oid(oid.content) || !kt_der_read(&information.content, &any) ||
		    information.content.len)
			return false;
		if ((cert->critical & KT_EXT_POLICIES) && !is_known_qualifier(oid.content))
			cert->critical |= KT_EXT_UNKNOWN;
	}
	return true;
}

/* PolicyInformation ::= SEQUENCE { policyIdentifier, policyQualifiers OPTIONAL } */
static bool read_policy(struct kt_der_view policy, struct kt_cert *cert,
			struct kt_der_view *ret_oid)
{
	struct kt_der_item item;

	if (!kt_der_expect(&policy, KT_DER_OID, &item) || !kt_der_is_oid(item.content))
		return false;
	*ret_oid = item.content;
	if (!policy.len)
		return true;
	return kt_der_expect(&policy, KT_DER_SEQUENCE, &item) && item.content.len && !policy.len &&
	       read_qualifiers(item.content, cert);
}

/* No policy is there twice (§4.2.1.4). */
static bool read_policies(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view oids[POLICIES_MAX], rest;
	struct kt_der_item item;
	size_t count = 0;

	if (!read_list(value, &cert->policies))
		return false;
	for (rest = cert->policies; rest.len; count++) {
		if (count == POLICIES_MAX || !kt_der_expect(&rest, KT_DER_SEQUENCE, &item) ||
		    !read_policy(item.content, cert, &oids[count]))
			return false;
		for (size_t i = 0; i < count; i++)
			if (kt_der_equal(oids[i], oids[count]))
				return false;
	}
	return true;
}

/* An OID, but not anyPolicy: that is mapped neither from nor to (§4.2.1.5, §6.1.4 (a)). */
static bool read_mapped(struct kt_der_view *in)
{
	static const uint8_t any_policy[] = {0x55, 0x1d, 0x20, 0x00};
	struct kt_der_item oid;

	return kt_der_expect(in, KT_DER_OID, &oid) && kt_der_is_oid(oid.content) &&
	       !is_oid(oid.content, any_policy, sizeof any_policy);
}

static bool read_policy_mappings(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view list;
	struct kt_der_item pair;

	if (!read_list(value, &list))
		return false;
	cert->policy_mappings = list;
	while (list.len)
		if (!kt_der_expect(&list, KT_DER_SEQUENCE, &pair) || !read_mapped(&pair.content) ||
		    !read_mapped(&pair.content) || pair.content.len)
			return false;
	return true;
}

static bool read_authority_key_id(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view content;
	struct kt_der_item item;

	if (!read_whole(value, KT_DER_SEQUENCE, &content))
		return false;
	if (kt_der_next_is(&content, KT_DER_CONTEXT(0))) {
		if (!kt_der_read(&content, &item) || !item.content.len)
			return false;
		cert->authority_key_id = item.content;
	}
	if (!content.len)
		return true;
	/* The two come together (RFC 5280 §4.2.1.1, §A.2). */
	cert->authority_names_issuer = true;
	return kt_der_expect(&content, KT_DER_CONTEXT_CONS(1), &item) &&
	       kt_general_names_are_well_formed(item.content) &&
	       kt_der_expect(&content, KT_DER_CONTEXT(2), &item) &&
	       kt_der_is_integer(item.content) && !content.len;
}

/* [number] INTEGER (0..MAX) OPTIONAL */
static bool read_skip(struct kt_der_view *in, unsigned int number, uint32_t *ret_count)
{
	struct kt_der_item item;

	if (!kt_der_next_is(in, KT_DER_CONTEXT(number)))
		return true;
	return kt_der_read(in, &item) && read_count(item.content, ret_count);
}

static bool read_policy_constraints(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view content;
	uint32_t inhibit_mapping;

	return read_list(value, &content) &&
	       read_skip(&content, 0, &cert->require_explicit_policy) &&
	       read_skip(&content, 1, &inhibit_mapping) && !content.len;
}

static uint32_t usage_of(struct kt_der_view oid)
{
	static const uint8_t key_purpose[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03};
	static const uint8_t any[] = {0x55, 0x1d, 0x25, 0x00};

	if (is_oid(oid, any, sizeof any))
		return KT_EKU_ANY;
	if (oid.len != sizeof key_purpose + 1 || memcmp(oid.data, key_purpose, sizeof key_purpose))
		return KT_EKU_OTHER;
	switch (oid.data[sizeof key_purpose]) {
	case 1:
		return KT_EKU_SERVER;
	case 2:
		return KT_EKU_CLIENT;
	default:
		return KT_EKU_OTHER;
	}
}

/* An empty list is left to the rules: it allows nothing. */
static bool read_extended_key_usage(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view list;
	struct kt_der_item item;

	if (!read_whole(value, KT_DER_SEQUENCE, &list))
		return false;
	while (list.len) {
		if (!kt_der_expect(&list, KT_DER_OID, &item) || !kt_der_is_oid(item.content))
			return false;
		cert->extended_key_usage |= usage_of(item.content);
	}
	return true;
}

static bool read_inhibit_any_policy(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view integer;

	return read_whole(value, KT_DER_INTEGER, &integer) &&
	       read_count(integer, &cert->inhibit_any_policy);
}

/* AccessDescription ::= SEQUENCE { accessMethod, accessLocation GeneralName } */
static bool read_authority_info(struct kt_der_view value, struct kt_cert *cert)
{
	struct kt_der_view list;
	struct kt_der_item item, method;

	(void)cert;
	if (!read_list(value, &list))
		return false;
	while (list.len)
		if (!kt_der_expect(&list, KT_DER_SEQUENCE, &item) ||
		    !kt_der_expect(&item.content, KT_DER_OID, &method) ||
		    !kt_der_is_oid(method.content) ||
		    !kt_general_names_are_well_formed(item.content))
			return false;
	return true;
}

/* Those of the arc id-ce (2.5.29), by its last number, but for the last. */
static const struct extension {
	uint8_t number;
	enum kt_extension bit;
	bool (*read)(struct kt_der_view value, struct kt_cert *cert);
	const char *why;
} extensions[] = {
	{14, KT_EXT_SUBJECT_KEY_ID, read_key_id, "subjectKeyIdentifier is malformed"},
	{15, KT_EXT_KEY_USAGE, read_key_usage, "keyUsage is malformed"},
	{17, KT_EXT_SUBJECT_ALT_NAME, read_names, "subjectAltName is malformed"},
	{18, KT_EXT_ISSUER_ALT_NAME, read_issuer_names, "issuerAltName is malformed"},
	{19, KT_EXT_BASIC_CONSTRAINTS, read_basic_constraints, "basicConstraints is malformed"},
	{30, KT_EXT_NAME_CONSTRAINTS, read_name_constraints, "nameConstraints is malformed"},
	{31, KT_EXT_CRL_POINTS, read_crl_points, "cRLDistributionPoints is malformed"},
	{32, KT_EXT_POLICIES, read_policies, "certificatePolicies is malformed"},
	{33, KT_EXT_POLICY_MAPPINGS, read_policy_mappings, "policyMappings is malformed"},
	{35, KT_EXT_AUTHORITY_KEY_ID, read_authority_key_id, "authorityKeyIdentifier is malformed"},
	{36, KT_EXT_POLICY_CONSTRAINTS, read_policy_constraints, "policyConstraints is malformed"},
	{37, KT_EXT_EXTENDED_KEY_USAGE, read_extended_key_usage, "extKeyUsage is malformed"},
	{54, KT_EXT_INHIBIT_ANY_POLICY, read_inhibit_any_policy, "inhibitAnyPolicy is malformed"},
	{0, KT_EXT_AUTHORITY_INFO, read_authority_info, "authorityInfoAccess is malformed"},
};

static const struct extension *find_extension(struct kt_der_view oid)
{
	static const uint8_t authority_info[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01};
	size_t last = sizeof extensions / sizeof extensions[0] - 1;

	if (oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x1d) {
		for (size_t i = 0; i < last; i++)
			if (extensions[i].number == oid.data[2])
				return &extensions[i];
		return NULL;
	}
	return is_oid(oid, authority_info, sizeof authority_info) ? &extensions[last] : NULL;
}

/* Those that are not known, to find one that is there twice. */
struct unknowns {
	struct kt_der_view oids[EXTENSIONS_MAX];
	size_t count;
};

static const char *note_unknown(struct unknowns *unknowns,
				const struct kt_scan_extension *extension, struct kt_cert *cert)
{
	for (size_t i = 0; i < unknowns->count; i++)
		if (kt_der_equal(unknowns->oids[i], extension->oid))
			return "an extension is there twice";
	if (unknowns->count == EXTENSIONS_MAX)
		return "there are too many extensions";
	unknowns->oids[unknowns->count++] = extension->oid;
	if (extension->critical)
		cert->critical |= KT_EXT_UNKNOWN;
	return NULL;
}

static const char *read_known(const struct extension *known,
			      const struct kt_scan_extension *extension, struct kt_cert *cert)
{
	if (cert->present & known->bit)
		return "an extension is there twice";
	cert->present |= known->bit;
	if (extension->critical)
		cert->critical |= known->bit;
	return known->read(extension->value, cert) ? NULL : known->why;
}

static const char *read_extensions(struct kt_der_view list, struct kt_cert *cert)
{
	struct unknowns unknowns;
	const char *why = NULL;

	unknowns.count = 0;
	while (list.len && !why) {
		struct kt_scan_extension extension;
		const struct extension *known;

		why = kt_scan_extension(&list, &extension);
		if (why)
			return why;
		known = find_extension(extension.oid);
		why = known ? read_known(known, &extension, cert)
			    : note_unknown(&unknowns, &extension, cert);
	}
	return why;
}

/* ---- Certificate ----------------------------------------------------------------------------- */

const char *kt_cert_read(const uint8_t *der, size_t len, struct kt_cert *ret_cert)
{
	struct kt_scan scan;
	const char *why = kt_scan_fields(der, len, &scan);

	if (why)
		return why;
	*ret_cert = (struct kt_cert){
		.der = {der, len},
		.tbs = scan.tbs,
		.algorithm = kt_algorithm_of_signature(scan.algorithm),
		.version = scan.version,
		.serial = scan.serial,
		.issuer = scan.issuer,
		.subject = scan.subject,
		.self_issued = kt_name_equal(scan.issuer, scan.subject),
		.key = kt_algorithm_of_key(scan.spki),
		.path_len = KT_SKIP_NEVER,
		.key_usage = UINT32_MAX,
		.require_explicit_policy = KT_SKIP_NEVER,
		.inhibit_any_policy = KT_SKIP_NEVER,
	};
	/* Every signature that is accepted is whole bytes. */
	if (scan.signature.data[0] != 0)
		return "the signature has unused bits";
	ret_cert->signature = (struct kt_der_view){scan.signature.data + 1, scan.signature.len - 1};
	if (!kt_scan_seconds(scan.not_before, &ret_cert->not_before) ||
	    !kt_scan_seconds(scan.not_after, &ret_cert->not_after))
		return "a date of the validity does not exist";
	return read_extensions(scan.extensions, ret_cert);
}
