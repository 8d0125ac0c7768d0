/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the scan of certificates and the comparison of names.
 *
 * Beside not reading astray: what is found lies inside the input, in order; where libcrypto parses
 * the same bytes, it finds the same subject; equal names have equal hashes, and are those that
 * libcrypto calls equal.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "../../src/pool/name.h"
#include "../../src/pool/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static void require_inside(struct kt_der_view view, const uint8_t *from, const uint8_t *end)
{
	require(view.data >= from && view.data <= end && view.len <= (size_t)(end - view.data));
}

static void compare_names(const struct kt_scan *scan, const X509 *x509)
{
	bool equal = kt_name_equal(scan->issuer, scan->subject);

	require(kt_name_equal(scan->subject, scan->issuer) == equal);
	require(kt_name_equal(scan->subject, scan->subject));
	if (equal)
		require(kt_name_hash(scan->subject) == kt_name_hash(scan->issuer));
	/* Sets too large for us are the one place where libcrypto may find equality, not we. */
	if (x509 && equal)
		require(X509_NAME_cmp(X509_get_issuer_name(x509), X509_get_subject_name(x509)) ==
			0);
}

static void compare_fields(const struct kt_scan *scan, const X509 *x509)
{
	const uint8_t *name;
	size_t len;

	if (!x509)
		return;
	require(X509_NAME_get0_der(X509_get_subject_name(x509), &name, &len) == 1);
	require(kt_der_equal(scan->subject, (struct kt_der_view){name, len}));
	require(X509_get_version(x509) + 1 == (long)scan->version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data;
	struct kt_scan scan;
	X509 *x509;

	kt_name_hash((struct kt_der_view){data, size});
	if (kt_scan_certificate(data, size, &scan))
		return 0;
	require_inside(scan.serial, data, data + size);
	require_inside(scan.issuer, scan.serial.data, data + size);
	require_inside(scan.not_before, scan.issuer.data + scan.issuer.len, data + size);
	require_inside(scan.not_after, scan.not_before.data, data + size);
	require_inside(scan.subject, scan.not_after.data, data + size);
	require_inside(scan.spki, scan.subject.data + scan.subject.len, data + size);
	if (scan.key_id.data)
		require_inside(scan.key_id, scan.spki.data + scan.spki.len, data + size);
	x509 = d2i_X509(NULL, &p, (long)size);
	compare_fields(&scan, x509);
	compare_names(&scan, x509);
	X509_free(x509);
	ERR_clear_error();
	return 0;
}
