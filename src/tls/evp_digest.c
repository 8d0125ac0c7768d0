/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libssl asks libcrypto for the two CertificateVerify of a handshake, as shortcuts.h has it.
 *
 * EVP_DigestSignInit_ex begins our own, with a look first at whether one was begun with that key
 * before (signing.h). EVP_DigestVerifyInit_ex and EVP_DigestVerify say whether a peer's is right,
 * with a look first at whether there are tables for the peer's key (fast_keys.h).
 *
 * With tables a context is not made ready for libcrypto before it has to be: what they find right
 * is right, and everything else is libcrypto's to refuse.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init and its like: nothing is fetched */

#include <strings.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "decoded.h"
#include "fast_keys.h"
#include "shortcuts.h"
#include "signing.h"

/* Between the two calls. */
static _Thread_local struct {
	const EVP_MD_CTX *context; /* NULL: libcrypto was asked */
	EVP_PKEY *pkey;		   /* borrowed from whoever gave it */
	struct kt_fast_key *key;
} pending;

static int libcrypto_begin(EVP_MD_CTX *context, EVP_PKEY_CTX **pkey_context, const char *digest,
			   OSSL_LIB_CTX *library, const char *properties, EVP_PKEY *pkey,
			   const OSSL_PARAM *params)
{
	static void *found;
	int (*next)(EVP_MD_CTX *, EVP_PKEY_CTX **, const char *, OSSL_LIB_CTX *, const char *,
		    EVP_PKEY *, const OSSL_PARAM *);

	*(void **)&next = kt_behind_us("EVP_DigestVerifyInit_ex", &found);
	return next(context, pkey_context, digest, library, properties, pkey, params);
}

static int libcrypto_verify(EVP_MD_CTX *context, const unsigned char *signature,
			    size_t signature_len, const unsigned char *data, size_t len)
{
	static void *found;
	int (*next)(EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);

	*(void **)&next = kt_behind_us("EVP_DigestVerify", &found);
	return next(context, signature, signature_len, data, len);
}

static void forget_pending(bool right)
{
	if (pending.key)
		kt_fast_keys_put(pending.key, right);
	pending.context = NULL;
	pending.key = NULL;
}

static bool is_sha256(const char *digest)
{
	return digest && (!strcasecmp(digest, "SHA2-256") || !strcasecmp(digest, "SHA256"));
}

__attribute__((visibility("default"))) int
EVP_DigestVerifyInit_ex(EVP_MD_CTX *context, EVP_PKEY_CTX **pkey_context, const char *digest,
			OSSL_LIB_CTX *library, const char *properties, EVP_PKEY *pkey,
			const OSSL_PARAM *params)
{
	forget_pending(false);
	if (kt_decoded_has_key(pkey) && is_sha256(digest) && !library && !properties && !params &&
	    kt_shortcuts_are_on())
		pending.key = kt_fast_keys_get(pkey);
	if (!pending.key)
		return libcrypto_begin(context, pkey_context, digest, library, properties, pkey,
				       params);
	pending.context = context;
	pending.pkey = pkey;
	if (pkey_context)
		*pkey_context = NULL;
	return 1;
}

static bool tables_say_right(const unsigned char *signature, size_t signature_len,
			     const unsigned char *data, size_t len)
{
	uint8_t sum[KT_FAST_KEY_SUM_LEN];
	SHA256_CTX state;

	SHA256_Init(&state);
	SHA256_Update(&state, data, len);
	SHA256_Final(sum, &state);
	return kt_fast_key_verify(pending.key, signature, signature_len, sum);
}

__attribute__((visibility("default"))) int EVP_DigestVerify(EVP_MD_CTX *context,
							    const unsigned char *signature,
							    size_t signature_len,
							    const unsigned char *data, size_t len)
{
	bool right;

	if (!context || pending.context != context || !kt_decoded_has_key(pending.pkey))
		return libcrypto_verify(context, signature, signature_len, data, len);
	right = tables_say_right(signature, signature_len, data, len);
	forget_pending(right);
	if (right)
		return 1;
	if (libcrypto_begin(context, NULL, "SHA256", NULL, NULL, pending.pkey, NULL) != 1)
		return -1;
	return libcrypto_verify(context, signature, signature_len, data, len);
}

__attribute__((visibility("default"))) int
EVP_DigestSignInit_ex(EVP_MD_CTX *context, EVP_PKEY_CTX **pkey_context, const char *digest,
		      OSSL_LIB_CTX *library, const char *properties, EVP_PKEY *pkey,
		      const OSSL_PARAM *params)
{
	static void *found;
	int (*next)(EVP_MD_CTX *, EVP_PKEY_CTX **, const char *, OSSL_LIB_CTX *, const char *,
		    EVP_PKEY *, const OSSL_PARAM *);
	/* libssl wants the key's context; libcrypto, when it only tries a key out, does not. */
	bool may = context && pkey_context && digest && !library && !properties && !params &&
		   !EVP_MD_CTX_get_pkey_ctx(context) && kt_shortcuts_are_on();
	int ret;

	if (may && kt_signing_copy(context, pkey, digest)) {
		kt_shortcut_took(KT_SHORTCUT_SIGNATURE);
		*pkey_context = EVP_MD_CTX_get_pkey_ctx(context);
		return 1;
	}
	*(void **)&next = kt_behind_us("EVP_DigestSignInit_ex", &found);
	ret = next(context, pkey_context, digest, library, properties, pkey, params);
	if (may && ret == 1)
		kt_signing_keep(context, pkey, digest);
	return ret;
}
