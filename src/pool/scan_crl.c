/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Complete v2 CRLs of their own issuer (RFC 5280 §5). Others carry critical extensions that narrow
 * or redirect what they say (delta CRLs, distribution points, indirect CRLs): read without them
 * they would say something else, so they are refused under that name.
 */
#include "scan_parts.h"

#include <string.h>
#include <time.h>

static const char unsupported[] =
	"a critical extension narrows it in a way that is not supported here (use a complete CRL)";

/* ---- Time ---------------------------------------------------------------------------------- */

static int number_at(const uint8_t *digits, size_t count)
{
	int number = 0;

	while (count--)
		number = number * 10 + (*digits++ - '0');
	return number;
}

/* RFC 5280 §4.1.2.5.1: two digits from 50 are of the twentieth century. */
static int year_of(struct kt_der_item time)
{
	int year;

	if (time.tag == KT_DER_GENERALIZED_TIME)
		return number_at(time.content.data, 4);
	year = number_at(time.content.data, 2);
	return year < 50 ? 2000 + year : 1900 + year;
}

bool kt_scan_seconds(struct kt_der_view tlv, int64_t *ret_seconds)
{
	struct kt_der_item time;
	const uint8_t *rest;
	struct tm tm = {0}, asked;
	int64_t seconds;

	if (!kt_der_read(&tlv, &time))
		return false;
	rest = time.content.data + (time.tag == KT_DER_GENERALIZED_TIME ? 4 : 2);
	tm.tm_year = year_of(time) - 1900;
	tm.tm_mon = number_at(rest, 2) - 1;
	tm.tm_mday = number_at(rest + 2, 2);
	tm.tm_hour = number_at(rest + 4, 2);
	tm.tm_min = number_at(rest + 6, 2);
	tm.tm_sec = number_at(rest + 8, 2);
	asked = tm;
	seconds = timegm(&tm);
	/* timegm mends what is no date; a date stays as it was. */
	if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday ||
	    tm.tm_hour != asked.tm_hour || tm.tm_min != asked.tm_min || tm.tm_sec != asked.tm_sec)
		return false;
	*ret_seconds = seconds;
	return true;
}

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

static const char *read_entries(struct kt_der_view *in)
{
	struct kt_der_item list, entry;
	const char *why;

	if (!kt_der_next_is(in, KT_DER_SEQUENCE))
		return NULL;
	/* An empty list is not written (RFC 5280 §5.1.2.6). */
	if (!kt_der_read(in, &list) || list.content.len == 0)
		return "the list of revoked certificates is malformed";
	while (list.content.len > 0) {
		if (!kt_der_expect(&list.content, KT_DER_SEQUENCE, &entry))
			return "an entry is malformed";
		why = read_entry(entry.content);
		if (why)
			return why;
	}
	return NULL;
}

static const char *read_crl_extensions(struct kt_der_view *in)
{
	/* cRLNumber, authorityKeyIdentifier, issuerAltName: they narrow nothing. */
	static const uint8_t known[][3] = {
		{0x55, 0x1d, 0x14}, {0x55, 0x1d, 0x23}, {0x55, 0x1d, 0x12}};
	struct kt_der_item outer, list;

	if (!kt_der_next_is(in, KT_DER_CONTEXT_CONS(0)))
		return NULL;
	if (!kt_der_read(in, &outer) || !kt_der_expect(&outer.content, KT_DER_SEQUENCE, &list) ||
	    outer.content.len != 0 || list.content.len == 0)
		return "the list of extensions is malformed";
	return read_extensions(list.content, known, sizeof known / sizeof known[0]);
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

static const char *read_tbs(struct kt_der_view in, struct kt_scan_crl *scan,
			    struct kt_der_view *ret_algorithm)
{
	struct kt_der_item version;
	const char *why;

	if (!kt_der_expect(&in, KT_DER_INTEGER, &version) || version.content.len != 1 ||
	    version.content.data[0] != 1)
		return "it is not of version 2";
	if (!kt_scan_algorithm(&in, ret_algorithm))
		return "the inner signature algorithm is missing or malformed";
	if (!kt_scan_name(&in, &scan->issuer))
		return "the issuer is missing or malformed";
	why = read_times(&in, scan);
	if (!why)
		why = read_entries(&in);
	if (!why)
		why = read_crl_extensions(&in);
	if (why)
		return why;
	return in.len == 0 ? NULL : "there is something behind the last field";
}

const char *kt_scan_crl(const uint8_t *der, size_t len, struct kt_scan_crl *ret_scan)
{
	struct kt_der_view in = {der, len}, inner, outer;
	struct kt_der_item crl, tbs, signature;
	struct kt_scan_crl scan = {0};
	const char *why;

	if (!kt_der_expect(&in, KT_DER_SEQUENCE, &crl))
		return "it is not a DER sequence of its full length";
	if (in.len != 0)
		return "there are bytes behind the CRL";
	if (!kt_der_expect(&crl.content, KT_DER_SEQUENCE, &tbs))
		return "the part that is signed is missing or malformed";
	why = read_tbs(tbs.content, &scan, &inner);
	if (why)
		return why;
	if (!kt_scan_algorithm(&crl.content, &outer) || !kt_der_equal(inner, outer))
		return "the two signature algorithms differ, or one is missing";
	if (!kt_der_expect(&crl.content, KT_DER_BIT_STRING, &signature) ||
	    !kt_der_is_bit_string(signature.content) || crl.content.len != 0)
		return "the signature is missing or malformed";
	*ret_scan = scan;
	return NULL;
}

bool kt_scan_crl_is_unsupported(const char *why)
{
	return why == unsupported;
}
