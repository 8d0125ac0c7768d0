/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ed25519 signatures (RFC 8032) with keys from PEM files, through libcrypto.
 *
 * Any thread. Errors of OpenSSL are translated and its error queue is left empty; what was read of
 * a private key is wiped.
 */
#ifndef KT_POOL_SIGNATURE_H
#define KT_POOL_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include <ktrust/manifest.h>

/*
 * Is this the signature of the key in key_path ("PUBLIC KEY")? where names the signed text in
 * errors. -ENOKEY no such key, errno of the file, -EKEYREJECTED it is not.
 */
KT_WARN_UNUSED int kt_signature_check(const char *key_path, const void *text, size_t len,
				      const uint8_t signature[KT_MANIFEST_SIGNATURE_LEN],
				      const char *where, struct kt_error *error);

/* Sign with the key in key_path ("PRIVATE KEY"). -ENOKEY, errno of the file, -ENOMEM. */
KT_WARN_UNUSED int kt_signature_make(const char *key_path, const void *text, size_t len,
				     uint8_t ret_signature[KT_MANIFEST_SIGNATURE_LEN],
				     struct kt_error *error);

#endif
