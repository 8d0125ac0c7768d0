/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrypto's EVP_PKEY_digestsign_supports_digest and EVP_PKEY_derive_set_peer, as shortcuts.h has
 * it. libcrypto begins a signature to know the first, which libssl asks of the server's key in each
 * handshake; and what it examines for the second is nothing where the key is of X25519.
 */
#include <string.h>

#include <openssl/evp.h>

#include "provider.h"
#include "shortcuts.h"

/* Of the same kind of key, with the same digest, libcrypto's own provider says the same always. */
static const struct {
	int key;
	const char *digest;
} asked_for[] = {
	{EVP_PKEY_EC, "SHA256"},
	{EVP_PKEY_EC, "SHA384"},
	{EVP_PKEY_RSA, "SHA256"},
	{EVP_PKEY_RSA, "SHA384"},
};

#define ASKED_FOR (sizeof asked_for / sizeof asked_for[0])

static bool is_libcryptos(const EVP_PKEY *pkey)
{
	return kt_provider_is_default(EVP_PKEY_get0_provider(pkey));
}

/* ASKED_FOR: it is none of them. */
static size_t find(const EVP_PKEY *pkey, const OSSL_LIB_CTX *library, const char *digest,
		   const char *properties)
{
	size_t i = 0;

	if (!pkey || library || properties || !digest || !kt_shortcuts_are_on() ||
	    !is_libcryptos(pkey))
		return ASKED_FOR;
	while (i < ASKED_FOR && (asked_for[i].key != EVP_PKEY_get_id(pkey) ||
				 strcmp(asked_for[i].digest, digest) != 0))
		i++;
	return i;
}

__attribute__((visibility("default"))) int
EVP_PKEY_digestsign_supports_digest(EVP_PKEY *pkey, OSSL_LIB_CTX *library, const char *digest,
				    const char *properties)
{
	static bool supported[ASKED_FOR + 1]; /* atomic; libcrypto said so. Never of the last. */
	static void *found;
	int (*next)(EVP_PKEY *, OSSL_LIB_CTX *, const char *, const char *);
	size_t which = find(pkey, library, digest, properties);
	int ret;

	if (__atomic_load_n(&supported[which], __ATOMIC_RELAXED)) {
		kt_shortcut_took(KT_SHORTCUT_SUPPORTED);
		return 1;
	}
	*(void **)&next = kt_behind_us("EVP_PKEY_digestsign_supports_digest", &found);
	ret = next(pkey, library, digest, properties);
	if (ret == 1 && which < ASKED_FOR)
		__atomic_store_n(&supported[which], true, __ATOMIC_RELAXED);
	return ret;
}

/*
 * Any 32 bytes are a public key of X25519 (RFC 7748 §5), so that all there is to examine is whether
 * it is there; the shared secret of zeros that some lead to is refused when it is derived.
 */
__attribute__((visibility("default"))) int EVP_PKEY_derive_set_peer(EVP_PKEY_CTX *context,
								    EVP_PKEY *peer)
{
	static void *found;
	int (*next)(EVP_PKEY_CTX *, EVP_PKEY *);

	if (kt_shortcuts_are_on() && peer && EVP_PKEY_get_id(peer) == EVP_PKEY_X25519 &&
	    is_libcryptos(peer)) {
		kt_shortcut_took(KT_SHORTCUT_PEER);
		return EVP_PKEY_derive_set_peer_ex(context, peer, 0);
	}
	*(void **)&next = kt_behind_us("EVP_PKEY_derive_set_peer", &found);
	return next(context, peer);
}
