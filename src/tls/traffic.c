/* SPDX-License-Identifier: BSD-2-Clause */
/* Traffic keys of TLS 1.3 from their secrets, and each generation of secrets from the last. */
#include <ktrust/traffic.h>

#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

#include "derive.h"

/* RFC 8446 appendix B.4 */
static const struct {
	const char *digest;
	uint8_t secret_len; /* bytes, as are the next */
	uint8_t key_len;
} schedules[KT_CIPHER_COUNT] = {
	[KT_AES_128_GCM] = {"SHA256", 32, 16},
	[KT_AES_256_GCM] = {"SHA384", 48, 32},
	[KT_CHACHA20_POLY1305] = {"SHA256", 32, 32},
};

OSSL_PARAM kt_tls_text_param(const char *key, const char *text)
{
	return OSSL_PARAM_construct_utf8_string(key, (char *)text, 0);
}

OSSL_PARAM kt_tls_bytes_param(const char *key, const void *data, size_t len)
{
	return OSSL_PARAM_construct_octet_string(key, (void *)data, len);
}

int kt_tls_derive(EVP_KDF *kdf, const OSSL_PARAM *params, uint8_t *ret_out, size_t len)
{
	EVP_KDF_CTX *kdf_ctx = EVP_KDF_CTX_new(kdf);
	int err = 0;

	if (!kdf_ctx || EVP_KDF_derive(kdf_ctx, ret_out, len, params) <= 0)
		err = -ENOMEM;
	EVP_KDF_CTX_free(kdf_ctx);
	return err;
}

/* HKDF-Expand-Label with an empty context (RFC 8446 §7.1). */
static int expand_label(EVP_KDF *hkdf, enum kt_cipher cipher, const uint8_t *secret,
			const char *label, uint8_t *ret_out, size_t len)
{
	uint8_t info[32] = {0,	 (uint8_t)len, (uint8_t)(6 + strlen(label)), 't', 'l', 's', '1',
			    '3', ' '};
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		kt_tls_text_param(OSSL_KDF_PARAM_DIGEST, schedules[cipher].digest),
		kt_tls_bytes_param(OSSL_KDF_PARAM_KEY, secret, schedules[cipher].secret_len),
		/* length, label with its own length, length 0 of the context */
		kt_tls_bytes_param(OSSL_KDF_PARAM_INFO, info, 2 + 1 + 6 + strlen(label) + 1),
		OSSL_PARAM_END,
	};

	memcpy(info + 9, label, strlen(label));
	return kt_tls_derive(hkdf, params, ret_out, len);
}

int kt_tls_derive_key(EVP_KDF *hkdf, enum kt_cipher cipher,
		      const uint8_t secret[static KT_TRAFFIC_SECRET_MAX],
		      struct kt_traffic_key *ret_key)
{
	int err =
		expand_label(hkdf, cipher, secret, "key", ret_key->key, schedules[cipher].key_len);

	return err ? err : expand_label(hkdf, cipher, secret, "iv", ret_key->iv, 12);
}

int kt_traffic_update(enum kt_cipher cipher, uint8_t secret[KT_TRAFFIC_SECRET_MAX],
		      struct kt_traffic_key *ret_key)
{
	uint8_t next[KT_TRAFFIC_SECRET_MAX] = {0};
	struct kt_traffic_key key = {.seq = 0}; /* RFC 8446 §5.3: whenever the key is changed */
	EVP_KDF *hkdf;
	int err = -ENOMEM;

	if ((unsigned int)cipher >= KT_CIPHER_COUNT)
		return -EINVAL;
	hkdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	if (hkdf)
		err = expand_label(hkdf, cipher, secret, "traffic upd", next,
				   schedules[cipher].secret_len);
	if (!err)
		err = kt_tls_derive_key(hkdf, cipher, next, &key);
	if (!err) {
		memcpy(secret, next, sizeof next);
		*ret_key = key;
	}
	EVP_KDF_free(hkdf);
	ERR_clear_error();
	OPENSSL_cleanse(next, sizeof next);
	OPENSSL_cleanse(&key, sizeof key);
	return err;
}
