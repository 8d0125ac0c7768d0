/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrypto's EVP_KDF_fetch, EVP_KDF_CTX_new and _free, EVP_KDF_derive and EVP_Q_mac, as
 * shortcuts.h has it. libssl asks for TLS13-KDF by name, for a context, and for a step of it, some
 * twenty times a handshake, and for the MAC of each Finished: these are computed here
 * (tls13_kdf.h).
 *
 * Where another provider than libcrypto's own does the key schedule (FIPS), it keeps doing all of
 * it. A context whose parameters were set before, not here, is libcrypto's too; libssl has none.
 */
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "provider.h"
#include "shortcuts.h"
#include "tls13_kdf.h"

/*
 * TLS13-KDF, libcrypto's own. The first that is found to be is kept for good, with a reference, so
 * that no other can ever have its address. NULL: not asked for so far, or another provider's.
 */
static EVP_KDF *known;

static EVP_KDF *known_kdf(void)
{
	return __atomic_load_n(&known, __ATOMIC_ACQUIRE);
}

/* Is it libcrypto's TLS13-KDF? Then it is known from now on. */
static bool is_tls13_kdf(EVP_KDF *kdf)
{
	EVP_KDF *none = NULL;

	if (kdf == known_kdf())
		return kdf;
	if (!EVP_KDF_is_a(kdf, OSSL_KDF_NAME_TLS1_3_KDF) ||
	    !kt_provider_is_default(EVP_KDF_get0_provider(kdf)))
		return false;
	if (EVP_KDF_up_ref(kdf) && !__atomic_compare_exchange_n(&known, &none, kdf, false,
								__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		EVP_KDF_free(kdf);
	return true;
}

/* What is asked of libcrypto's own library context, and whichever provider it takes by default. */
static bool is_by_default(const OSSL_LIB_CTX *library, const char *properties)
{
	return !library && !properties && kt_shortcuts_are_on();
}

__attribute__((visibility("default"))) EVP_KDF *
EVP_KDF_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties)
{
	static void *found;
	EVP_KDF *(*next)(OSSL_LIB_CTX * library, const char *name, const char *properties);
	EVP_KDF *kdf = known_kdf();

	if (kdf && is_by_default(library, properties) && name &&
	    !strcmp(name, OSSL_KDF_NAME_TLS1_3_KDF) && EVP_KDF_up_ref(kdf)) {
		kt_shortcut_took(KT_SHORTCUT_KDF);
		return kdf;
	}
	*(void **)&next = kt_behind_us("EVP_KDF_fetch", &found);
	return next(library, name, properties);
}

/* A context of TLS13-KDF with nothing in it, for the next step; NULL: none. Atomic. */
static EVP_KDF_CTX *spare;

__attribute__((visibility("default"))) EVP_KDF_CTX *EVP_KDF_CTX_new(EVP_KDF *kdf)
{
	static void *found;
	EVP_KDF_CTX *(*next)(EVP_KDF *), *context = NULL;

	if (kdf && kdf == known_kdf() && kt_shortcuts_are_on())
		context = __atomic_exchange_n(&spare, NULL, __ATOMIC_ACQ_REL);
	if (context) {
		kt_shortcut_took(KT_SHORTCUT_STEP);
		return context;
	}
	*(void **)&next = kt_behind_us("EVP_KDF_CTX_new", &found);
	return next(kdf);
}

/* What was set in it, keys among that, is wiped by libcrypto in either case. */
__attribute__((visibility("default"))) void EVP_KDF_CTX_free(EVP_KDF_CTX *context)
{
	static void *found;
	void (*next)(EVP_KDF_CTX *);
	EVP_KDF_CTX *none = NULL;

	if (context && known_kdf() && EVP_KDF_CTX_kdf(context) == known_kdf() &&
	    kt_shortcuts_are_on()) {
		EVP_KDF_CTX_reset(context);
		if (__atomic_compare_exchange_n(&spare, &none, context, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return;
	}
	*(void **)&next = kt_behind_us("EVP_KDF_CTX_free", &found);
	next(context);
}

__attribute__((visibility("default"))) int EVP_KDF_derive(EVP_KDF_CTX *context, unsigned char *key,
							  size_t len, const OSSL_PARAM params[])
{
	static void *found;
	int (*next)(EVP_KDF_CTX * context, unsigned char *key, size_t len,
		    const OSSL_PARAM *params);

	if (context && kt_shortcuts_are_on() && is_tls13_kdf((EVP_KDF *)EVP_KDF_CTX_kdf(context)) &&
	    kt_tls13_kdf(params, key, len)) {
		kt_shortcut_took(KT_SHORTCUT_KEY_SCHEDULE);
		return 1;
	}
	*(void **)&next = kt_behind_us("EVP_KDF_derive", &found);
	return next(context, key, len, params);
}

__attribute__((visibility("default"))) unsigned char *
EVP_Q_mac(OSSL_LIB_CTX *library, const char *name, const char *properties, const char *digest,
	  const OSSL_PARAM *params, const void *key, size_t key_len, const unsigned char *data,
	  size_t len, unsigned char *out, size_t out_size, size_t *out_len)
{
	static void *found;
	unsigned char *(*next)(OSSL_LIB_CTX *, const char *, const char *, const char *,
			       const OSSL_PARAM *, const void *, size_t, const unsigned char *,
			       size_t, unsigned char *, size_t, size_t *);

	if (known_kdf() && is_by_default(library, properties) && name &&
	    !strcasecmp(name, OSSL_MAC_NAME_HMAC) && (!params || !params->key) &&
	    kt_tls13_finished(digest, key, key_len, data, len, out, out_size, out_len)) {
		kt_shortcut_took(KT_SHORTCUT_MAC);
		return out;
	}
	*(void **)&next = kt_behind_us("EVP_Q_mac", &found);
	return next(library, name, properties, digest, params, key, key_len, data, len, out,
		    out_size, out_len);
}
