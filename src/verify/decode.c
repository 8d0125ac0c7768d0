/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include <stdbool.h>
#include <string.h>

#include <ktrust/pool.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static bool is_same_again(const X509 *x509, const uint8_t *der, size_t len)
{
	uint8_t *again = NULL;
	int again_len = i2d_X509(x509, &again);
	bool same = again_len > 0 && (size_t)again_len == len && !memcmp(again, der, len);

	OPENSSL_free(again);
	return same;
}

static bool memory_is_short(void)
{
	void *probe = OPENSSL_malloc(4096);

	OPENSSL_free(probe);
	return !probe;
}

static X509 *decode_once(const uint8_t *der, size_t len)
{
	const uint8_t *end = der;
	X509 *x509 = d2i_X509(NULL, &end, (long)len);

	if (x509 && is_same_again(x509, der, len))
		return x509;
	X509_free(x509);
	return NULL;
}

/* Parses the extensions; OpenSSL remembers the result, and also that there was none. */
static bool is_whole(X509 *x509)
{
	const EVP_PKEY *key = X509_get0_pubkey(x509);

	return key && EVP_PKEY_get_security_bits(key) > 0 && X509_check_purpose(x509, -1, 0) == 1;
}

/*
 * OpenSSL hides why it could not decode a key or an extension, and goes on without. What it does
 * not know it will not know the second time either; what does decode then was lost to a failed
 * allocation, and must not make an anchor unusable for as long as it is cached.
 */
static bool parts_were_lost(X509 *x509, const uint8_t *der, size_t len)
{
	X509 *again;
	bool lost;

	if (is_whole(x509))
		return false;
	again = decode_once(der, len);
	lost = !again || is_whole(again) || memory_is_short();
	X509_free(again);
	return lost;
}

X509 *kt_decode_certificate(const uint8_t *der, size_t len)
{
	X509 *x509;

	if (!len || len > KT_CERTIFICATE_MAX)
		return NULL;
	x509 = decode_once(der, len);
	if (x509 && parts_were_lost(x509, der, len)) {
		X509_free(x509);
		x509 = NULL;
		ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
	}
	return x509;
}
