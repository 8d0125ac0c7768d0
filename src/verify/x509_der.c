/* SPDX-License-Identifier: BSD-2-Clause */
#include "x509_der.h"

#include <pthread.h>
#include <string.h>

#include "../pool/scan.h"

#define NO_INDEX (-1)

static int index_of_der = NO_INDEX; /* atomic: some ask before there is one */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_der(void *x509, void *der, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)x509;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	OPENSSL_free(der);
}

static void get_index(void)
{
	int got = X509_get_ex_new_index(0, NULL, NULL, NULL, free_der);

	__atomic_store_n(&index_of_der, got, __ATOMIC_RELAXED);
}

static struct kt_der *find_der(const X509 *x509)
{
	int index = __atomic_load_n(&index_of_der, __ATOMIC_RELAXED);

	return index == NO_INDEX ? NULL : X509_get_ex_data(x509, index);
}

bool kt_x509_is_key_of(const X509 *x509, const struct kt_der *der)
{
	struct kt_scan scan;
	uint8_t *spki = NULL;
	int len;
	bool same;

	if (kt_scan_certificate(der->data, der->len, &scan))
		return true;
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &spki);
	same = len > 0 && (size_t)len == scan.spki.len &&
	       !memcmp(spki, scan.spki.data, (size_t)len);
	OPENSSL_free(spki);
	return same;
}

bool kt_x509_keep_der(X509 *x509)
{
	struct kt_der *kept;
	uint8_t *at;
	int len;

	(void)pthread_once(&once, get_index);
	if (find_der(x509))
		return true;
	len = i2d_X509(x509, NULL);
	kept = len > 0 ? OPENSSL_malloc(sizeof *kept + (size_t)len) : NULL;
	if (!kept)
		return false;
	at = (uint8_t *)(kept + 1);
	*kept = (struct kt_der){.data = at, .len = (size_t)len};
	if (i2d_X509(x509, &at) == len && kt_x509_is_key_of(x509, kept) &&
	    X509_set_ex_data(x509, __atomic_load_n(&index_of_der, __ATOMIC_RELAXED), kept))
		return true;
	OPENSSL_free(kept);
	return false;
}

struct kt_der kt_x509_kept_der(const X509 *x509)
{
	const struct kt_der *kept = find_der(x509);

	return kept ? *kept : (struct kt_der){.data = NULL};
}
