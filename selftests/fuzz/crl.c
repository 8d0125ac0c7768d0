/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the scan of CRLs, down to the set.
 *
 * Beside not reading astray: what is found lies inside the input; where libcrypto parses the same
 * bytes, it finds the same issuer and dates; a set takes exactly what the scan takes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "../../src/pool/scan.h"

#include <ktrust/source.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static bool is_time(const ASN1_TIME *time, int64_t seconds)
{
	struct tm tm;

	return !ASN1_TIME_to_tm(time, &tm) || timegm(&tm) == seconds;
}

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
	X509_CRL_free(crl);
	ERR_clear_error();
	return 0;
}
