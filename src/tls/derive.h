/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key schedule's functions that more than one file of this room uses (traffic.c).
 *
 * Threads: any. Outputs are secrets, which the caller wipes; nothing stays here.
 */
#ifndef KT_TLS_DERIVE_H
#define KT_TLS_DERIVE_H

#include <openssl/evp.h>
#include <openssl/params.h>

#include <ktrust/traffic.h>

/* Parameters of a KDF; what they point to is borrowed. */
OSSL_PARAM kt_tls_text_param(const char *key, const char *text);
OSSL_PARAM kt_tls_bytes_param(const char *key, const void *data, size_t len);

/* -ENOMEM. */
KT_WARN_UNUSED int kt_tls_derive(EVP_KDF *kdf, const OSSL_PARAM *params, uint8_t *ret_out,
				 size_t len);

/*
 * The traffic key of TLS 1.3 that this traffic secret gives (RFC 8446 §7.3), into one that is all
 * zeros; seq stays. -ENOMEM, and the key is of no use then.
 */
KT_WARN_UNUSED int kt_tls_derive_key(EVP_KDF *hkdf, enum kt_cipher cipher,
				     const uint8_t secret[static KT_TRAFFIC_SECRET_MAX],
				     struct kt_traffic_key *ret_key);

#endif
