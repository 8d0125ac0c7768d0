/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the scan of CRLs, down to the set.
 *
 * Beside not reading astray: what is found lies inside the input; where libcrypto parses the same
 * bytes, it finds the same issuer, dates, distribution point and serial numbers; a set takes
 * exactly what the scan takes; a serial number is found exactly where going through all of them
 * finds it; a CRL is about certificates that name its distribution point, and no others.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "../../src/pool/scan.h"
#include "../../src/verify/crl_scope.h"
#include "../../src/verify/crl_serials.h"
#include "../lib/der_writer.h"
#include "mutate_der.h"
#include "require.h"

#include <ktrust/source.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static bool is_time(const ASN1_TIME *time, int64_t seconds)
{
	struct tm tm;

	return !ASN1_TIME_to_tm(time, &tm) || timegm(&tm) == seconds;
}

/* ---- Serial numbers ---------------------------------------------------------------------------
 */

static bool is_listed(struct kt_der_view entries, struct kt_der_view serial)
{
	struct kt_der_item entry, number;

	while (kt_der_expect(&entries, KT_DER_SEQUENCE, &entry))
		if (kt_der_expect(&entry.content, KT_DER_INTEGER, &number) &&
		    kt_der_equal(number.content, serial))
			return true;
	return false;
}

static void ask(const struct kt_crl_serials *serials, struct kt_der_view entries, X509_CRL *crl,
		struct kt_der_view serial)
{
	bool found = kt_crl_serials_have(serials, entries, serial);
	static struct der der;
	const uint8_t *at = der.bytes;
	ASN1_INTEGER *integer;
	X509_REVOKED *entry;

	require(found == is_listed(entries, serial));
	der.len = 0;
	der_put(&der, 0x02, serial.data, serial.len);
	integer = crl ? d2i_ASN1_INTEGER(NULL, &at, (long)der.len) : NULL;
	if (integer)
		require(found == (X509_CRL_get0_by_serial(crl, &entry, integer) != 0));
	ASN1_INTEGER_free(integer);
}

/* Each that is there, and each with its ends changed. */
static void check_serials(struct kt_der_view entries, X509_CRL *crl)
{
	struct kt_crl_serials *serials = kt_crl_serials_new(entries);
	struct kt_der_view rest = entries;
	struct kt_der_item entry, number;
	uint8_t other[64];

	require(serials != NULL);
	while (kt_der_expect(&rest, KT_DER_SEQUENCE, &entry)) {
		require(kt_der_expect(&entry.content, KT_DER_INTEGER, &number));
		require(kt_crl_serials_have(serials, entries, number.content));
		ask(serials, entries, crl, number.content);
		if (number.content.len > sizeof other)
			continue;
		memcpy(other, number.content.data, number.content.len);
		other[number.content.len - 1]++;
		ask(serials, entries, crl, (struct kt_der_view){other, number.content.len});
		ask(serials, entries, crl, (struct kt_der_view){other, number.content.len - 1});
	}
	kt_crl_serials_free(serials);
}

/* ---- Scope ------------------------------------------------------------------------------------
 */

static struct kt_cert with_point(struct der *points, struct kt_der_view names, bool has_reasons)
{
	size_t point, name;

	points->len = 0;
	point = der_open(points, 0x30);
	name = der_open(points, 0xa0);
	der_put(points, 0xa0, names.data, names.len);
	der_close(points, name);
	if (has_reasons)
		der_put(points, 0x81, "\x01\x06", 2);
	der_close(points, point);
	return (struct kt_cert){.crl_points = {points->bytes, points->len}};
}

static void check_scope(const struct kt_scan_crl *scan)
{
	static const uint8_t foreign[] = {0x82, 6, 'n', 'o', 'n', 'a', 'm', 'e'};
	struct kt_cert ca = {.ca = true}, leaf = {.ca = false}, named;
	static struct der points;

	require(kt_crl_scope_has_kind(scan, &ca) == !scan->only_leaves);
	require(kt_crl_scope_has_kind(scan, &leaf) == !scan->only_cas);
	require(kt_crl_scope_has_point(scan, &leaf) == !scan->point_names.len);
	if (!scan->point_names.len)
		return;
	named = with_point(&points, scan->point_names, false);
	require(kt_crl_scope_has_point(scan, &named));
	named = with_point(&points, scan->point_names, true);
	require(!kt_crl_scope_has_point(scan, &named));
	named = with_point(&points, (struct kt_der_view){foreign, sizeof foreign}, false);
	require(!kt_crl_scope_has_point(scan, &named) ||
		memmem(scan->point_names.data, scan->point_names.len, foreign, sizeof foreign));
}

static void compare_scope(const struct kt_scan_crl *scan, const X509_CRL *crl)
{
	int critical = 0;
	ISSUING_DIST_POINT *theirs =
		X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);

	/* -1: it has none. libcrypto may not read what is in a GeneralName of no use here. */
	if (critical == -1)
		require(!scan->point_names.len && !scan->only_leaves && !scan->only_cas);
	if (theirs) {
		require(!theirs->indirectCRL && !theirs->onlyattr && !theirs->onlysomereasons);
		require(scan->only_leaves == (theirs->onlyuser > 0));
		require(scan->only_cas == (theirs->onlyCA > 0));
		require(!scan->point_names.len == !theirs->distpoint);
	}
	ISSUING_DIST_POINT_free(theirs);
}

/* ---- The CRL ----------------------------------------------------------------------------------
 */

static void compare(const struct kt_scan_crl *scan, X509_CRL *crl)
{
	const uint8_t *name;
	size_t len;

	require(X509_CRL_get_version(crl) == X509_CRL_VERSION_2);
	require(X509_NAME_get0_der(X509_CRL_get_issuer(crl), &name, &len) == 1);
	require(kt_der_equal(scan->issuer, (struct kt_der_view){name, len}));
	require(is_time(X509_CRL_get0_lastUpdate(crl), scan->this_update));
	if (X509_CRL_get0_nextUpdate(crl))
		require(is_time(X509_CRL_get0_nextUpdate(crl), scan->next_update));
	else
		require(scan->next_update == INT64_MAX);
	compare_scope(scan, crl);
}

static void add(const uint8_t *data, size_t size, const char *why)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	int ret;

	require(set != NULL);
	ret = kt_anchor_set_add_crl(set, data, size, "fuzz", 1, NULL);
	require((ret == 0) == !why);
	require(ret == 0 || ret == -EBADMSG || ret == -EOPNOTSUPP);
	require(kt_anchor_set_crls(set) == (ret == 0));
	kt_anchor_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_scan_crl scan;
	const char *why = kt_scan_crl(data, size, &scan);
	const uint8_t *p = data;
	X509_CRL *crl;

	add(data, size, why);
	if (why)
		return 0;
	require(scan.issuer.data >= data && scan.issuer.data <= data + size &&
		scan.issuer.len <= (size_t)(data + size - scan.issuer.data));
	crl = d2i_X509_CRL(NULL, &p, (long)size);
	if (crl)
		compare(&scan, crl);
	check_scope(&scan);
	check_serials(scan.entries, crl);
	X509_CRL_free(crl);
	ERR_clear_error();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	return mutate_der(data, size, max_size, seed);
}
