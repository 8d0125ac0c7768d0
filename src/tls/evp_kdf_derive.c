/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrypto's EVP_KDF_derive, asked by libssl for every step of TLS 1.3's key schedule, with a look
 * first at whether it is one that is computed here (tls13_kdf.h). For executables only, ahead of
 * libcrypto in the dynamic linker's order (ld.so(8)), as d2i_x509.c.
 *
 * Where another provider than libcrypto's own does the key schedule (FIPS), it keeps doing it. A
 * context whose parameters were set before, not here, is libcrypto's too; libssl has none.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include "shortcuts.h"
#include "tls13_kdf.h"

typedef int derive(EVP_KDF_CTX *context, unsigned char *key, size_t len, const OSSL_PARAM *params);

static int libcrypto_kdf_derive(EVP_KDF_CTX *context, unsigned char *key, size_t len,
				const OSSL_PARAM *params)
{
	static derive *next; /* the same whoever finds it */
	derive *found = __atomic_load_n(&next, __ATOMIC_RELAXED);

	if (!found) {
		*(void **)&found = dlsym(RTLD_NEXT, "EVP_KDF_derive");
		/* This program is linked with it, or would not have been started. */
		if (!found)
			abort();
		__atomic_store_n(&next, found, __ATOMIC_RELAXED);
	}
	return found(context, key, len, params);
}

/*
 * Is it TLS13-KDF, libcrypto's own? The first that is found to be is kept for good, with a
 * reference, so that no other can ever have its address.
 */
static bool is_tls13_kdf(EVP_KDF_CTX *context)
{
	static const EVP_KDF *known;
	const EVP_KDF *kdf = EVP_KDF_CTX_kdf(context), *none = NULL;
	const char *provider;

	if (kdf == __atomic_load_n(&known, __ATOMIC_ACQUIRE))
		return kdf;
	provider = EVP_KDF_is_a(kdf, OSSL_KDF_NAME_TLS1_3_KDF)
			   ? OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf))
			   : NULL;
	if (!provider || strcmp(provider, "default") != 0)
		return false;
	if (EVP_KDF_up_ref((EVP_KDF *)kdf) &&
	    !__atomic_compare_exchange_n(&known, &none, kdf, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		EVP_KDF_free((EVP_KDF *)kdf);
	return true;
}

__attribute__((visibility("default"))) int EVP_KDF_derive(EVP_KDF_CTX *context, unsigned char *key,
							  size_t len, const OSSL_PARAM params[])
{
	if (context && kt_shortcuts_are_on() && is_tls13_kdf(context) &&
	    kt_tls13_kdf(params, key, len))
		return 1;
	return libcrypto_kdf_derive(context, key, len, params);
}
