/* SPDX-License-Identifier: BSD-2-Clause */
#include "anchor_cache.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "decode.h"

/*
 * Direct-mapped: twice the public web's roots (some 120 for servers), so that few share a slot;
 * sharing costs a decode, never a verdict. A decoded anchor is 5 to 10 kB: at most 2.5 MB.
 */
#define SLOTS 256

struct slot {
	uint8_t fingerprint[KT_DIGEST_LEN];
	X509 *x509; /* NULL: empty */
};

struct kt_anchor_cache {
	struct slot slots[SLOTS];
};

struct kt_anchor_cache *kt_anchor_cache_new(void)
{
	return calloc(1, sizeof(struct kt_anchor_cache));
}

void kt_anchor_cache_free(struct kt_anchor_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		X509_free(cache->slots[i].x509);
	free(cache);
}

/* Is what OpenSSL would encode the very certificate the snapshot's fingerprint stands for? */
static bool has_fingerprint(const X509 *x509, const uint8_t *fingerprint)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len;

	if (X509_digest(x509, EVP_sha256(), digest, &len) != 1) {
		ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
		return false;
	}
	return len == KT_DIGEST_LEN && !memcmp(digest, fingerprint, KT_DIGEST_LEN);
}

static X509 *decode(const struct kt_anchor *anchor)
{
	X509 *x509 = kt_decode_certificate(anchor->der, anchor->der_len);

	if (!x509)
		return NULL;
	if (has_fingerprint(x509, anchor->fingerprint) && X509_check_purpose(x509, -1, 0) == 1)
		return x509;
	X509_free(x509);
	return NULL;
}

X509 *kt_anchor_cache_get(struct kt_anchor_cache *cache, const struct kt_anchor *anchor)
{
	/* A fingerprint is uniform: any of its bytes is a hash. */
	struct slot *slot = &cache->slots[anchor->fingerprint[0] % SLOTS];

	if (!slot->x509 || memcmp(slot->fingerprint, anchor->fingerprint, KT_DIGEST_LEN)) {
		X509 *x509 = decode(anchor);

		if (!x509)
			return NULL;
		X509_free(slot->x509);
		slot->x509 = x509;
		memcpy(slot->fingerprint, anchor->fingerprint, KT_DIGEST_LEN);
	}
	X509_up_ref(slot->x509);
	return slot->x509;
}
