/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v2 CRLs of their own issuer (RFC 5280 §5), complete ones and those of an issuing distribution
 * point. Others carry critical extensions that narrow or redirect what they say (delta CRLs, those
 * for some reasons, indirect ones): read without them they would say something else, so they are
 * refused under that name.
 */
#include "scan_parts.h"

#include <string.h>

static const char unsupported[] =
	"a critical extension narrows it in a way that is not supported here (use a complete CRL)";

/* ---- CRL ----------------------------------------------------------------------------------- */

static bool is_oid(struct kt_der_view oid, const uint8_t (*known)[3], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (oid.len == 3 && memcmp(oid.data, known[i], 3) == 0)
			return true;
	return false;
}

/* Critical ones that are known, and ask for nothing more than is done. */
static const char *read_extensions(struct kt_der_view list, const uint8_t (*known)[3], size_t count)
{
	struct kt_scan_extension extension;
	const char *why;

	while (list.len > 0) {
		why = kt_scan_extension(&list, &extension);
		if (why)
			return why;
		if (extension.critical && !is_oid(extension.oid, known, count))
			return unsupported;
	}
	return NULL;
}

/* revokedCertificates: SEQUENCE OF { serial, date, extensions } (RFC 5280 §5.1.2.6) */
static const char *read_entry(struct kt_der_view entry)
{
	static const uint8_t known[][3] = {{0x55, 0x1d, 0x15}}; /* cRLReason */
	struct kt_der_item serial, list;
	struct kt_der_view date;

	if (!kt_der_expect(&entry, KT_DER_INTEGER, &serial) || !kt_der_is_integer(serial.content) ||
	    !kt_scan_time(&entry, &date))
		return "an entry is malformed";
	if (entry.len == 0)
		return NULL;
	if (!kt_der_expect(&entry, KT_DER_SEQUENCE, &list) || entry.len != 0 ||
	    list.content.len == 0)
		return "an entry is malformed";
	return read_extensions(list.content, known, sizeof known / sizeof known[0]);
}

static const char *read_entries(struct kt_der_view *in, struct kt_scan_crl *scan)
{
	struct kt_der_item list, entry;
	const char *why;

	if (!kt_der_next_is(in, KT_DER_SEQUENCE))
		return NULL;
	/* An empty list is not written (RFC 5280 §5.1.2.6). */
	if (!kt_der_read(in, &list) || list.content.len == 0)
		return "the list of revoked certificates is malformed";
	scan->entries = list.content;
	while (list.content.len > 0) {
		if (!kt_der_expect(&list.content, KT_DER_SEQUENCE, &entry))
			return "an entry is malformed";
		why = read_entry(entry.content);
		if (why)
			return why;
	}
	return NULL;
}

/* DEFAULT FALSE: if it is there, it is TRUE. */
static bool read_flag(struct kt_der_view *in, unsigned int number, bool *ret_flag)
{
	struct kt_der_item flag;

	if (!kt_der_next_is(in, KT_DER_CONTEXT(number)))
		return true;
	if (!kt_der_read(in, &flag) || flag.content.len != 1 || flag.content.data[0] != 0xff)
		return false;
	*ret_flag = true;
	return true;
}

/* distributionPoint [0] { fullName [0] GeneralNames }; nameRelativeToCRLIssuer [1] is not read. */
static bool read_point_names(struct kt_der_view *in, struct kt_scan_crl *scan)
{
	struct kt_der_item point, names, name;

	if (!kt_der_next_is(in, KT_DER_CONTEXT_CONS(0)))
		return true;
	if (!kt_der_read(in, &point) ||
	    !kt_der_expect(&point.content, KT_DER_CONTEXT_CONS(0), &names) || point.content.len ||
	    !names.content.len)
		return false;
	scan->point_names = names.content;
	while (names.content.len)
		if (!kt_der_read(&names.content, &name))
			return false;
	return true;
}

/* Of what it may say, reasons [3], indirect [4] and attribute certificates [5] are unsupported. */
static const char *read_distribution_point(struct kt_der_view value, struct kt_scan_crl *scan)
{
	struct kt_der_item list;

	if (!kt_der_expect(&value, KT_DER_SEQUENCE, &list) || value.len || !list.content.len)
		return "issuingDistributionPoint is malformed";
	if (!read_point_names(&list.content, scan) ||
	    !read_flag(&list.content, 1, &scan->only_leaves) ||
	    !read_flag(&list.content, 2, &scan->only_cas) || list.content.len ||
	    (scan->only_leaves && scan->only_cas))
		return unsupported;
	return NULL;
}

static const char *find_distribution_point(struct kt_der_view list, struct kt_scan_crl *scan)
{
	static const uint8_t wanted[][3] = {{0x55, 0x1d, 0x1c}};
	struct kt_scan_extension extension;
	const char *why = NULL;
	bool seen = false;

	while (list.len > 0 && !why) {
		why = kt_scan_extension(&list, &extension);
		if (why || !is_oid(extension.oid, wanted, 1))
			continue;
		why = seen ? "an extension is there twice"
			   : read_distribution_point(extension.value, scan);
		seen = true;
	}
	return why;
}

static const char *read_crl_extensions(struct kt_der_view *in, struct kt_scan_crl *scan)
{
	/* cRLNumber, authorityKeyIdentifier, issuerAltName narrow nothing; the last is read. */
	static const uint8_t known[][3] = {
		{0x55, 0x1d, 0x14}, {0x55, 0x1d, 0x23}, {0x55, 0x1d, 0x12}, {0x55, 0x1d, 0x1c}};
	struct kt_der_item outer, list;
	const char *why;

	if (!kt_der_next_is(in, KT_DER_CONTEXT_CONS(0)))
		return NULL;
	if (!kt_der_read(in, &outer) || !kt_der_expect(&outer.content, KT_DER_SEQUENCE, &list) ||
	    outer.content.len != 0 || list.content.len == 0)
		return "the list of extensions is malformed";
	why = read_extensions(list.content, known, sizeof known / sizeof known[0]);
	return why ? why : find_distribution_point(list.content, scan);
}

static const char *read_times(struct kt_der_view *in, struct kt_scan_crl *scan)
{
	struct kt_der_view time;

	if (!kt_scan_time(in, &time) || !kt_scan_seconds(time, &scan->this_update))
		return "thisUpdate is missing or malformed";
	scan->next_update = INT64_MAX;
	if (!kt_der_next_is(in, KT_DER_UTC_TIME) && !kt_der_next_is(in, KT_DER_GENERALIZED_TIME))
		return NULL;
	if (!kt_scan_time(in, &time) || !kt_scan_seconds(time, &scan->next_update))
		return "nextUpdate is malformed";
	return NULL;
}

static const char *read_tbs(struct kt_der_view in, struct kt_scan_crl *scan)
{
	struct kt_der_item version;
	const char *why;

	if (!kt_der_expect(&in, KT_DER_INTEGER, &version) || version.content.len != 1 ||
	    version.content.data[0] != 1)
		return "it is not of version 2";
	if (!kt_scan_algorithm(&in, &scan->algorithm))
		return "the inner signature algorithm is missing or malformed";
	if (!kt_scan_name(&in, &scan->issuer))
		return "the issuer is missing or malformed";
	why = read_times(&in, scan);
	if (!why)
		why = read_entries(&in, scan);
	if (!why)
		why = read_crl_extensions(&in, scan);
	if (why)
		return why;
	return in.len == 0 ? NULL : "there is something behind the last field";
}

const char *kt_scan_crl(const uint8_t *der, size_t len, struct kt_scan_crl *ret_scan)
{
	struct kt_der_view in = {der, len}, outer;
	struct kt_der_item crl, tbs, signature;
	struct kt_scan_crl scan = {0};
	const char *why;

	if (!kt_der_expect(&in, KT_DER_SEQUENCE, &crl))
		return "it is not a DER sequence of its full length";
	if (in.len != 0)
		return "there are bytes behind the CRL";
	if (!kt_der_expect(&crl.content, KT_DER_SEQUENCE, &tbs))
		return "the part that is signed is missing or malformed";
	why = read_tbs(tbs.content, &scan);
	if (why)
		return why;
	if (!kt_scan_algorithm(&crl.content, &outer) || !kt_der_equal(scan.algorithm, outer))
		return "the two signature algorithms differ, or one is missing";
	if (!kt_der_expect(&crl.content, KT_DER_BIT_STRING, &signature) ||
	    !kt_der_is_bit_string(signature.content) || crl.content.len != 0)
		return "the signature is missing or malformed";
	scan.tbs = tbs.tlv;
	scan.signature = signature.content;
	*ret_scan = scan;
	return NULL;
}

bool kt_scan_crl_is_unsupported(const char *why)
{
	return why == unsupported;
}
