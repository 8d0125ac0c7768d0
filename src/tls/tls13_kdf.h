/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of TLS 1.3's key schedule (RFC 8446 §7.1), as libssl asks libcrypto for them.
 *
 * A handshake takes some twenty steps of four or so blocks of SHA-2 each. libcrypto looks up the
 * digest by name, allocates, and copies key, label and hash for each anew, which takes four times
 * as long as the hashing. A program that defines EVP_KDF_derive itself is asked in its place
 * (evp_kdf.c, which ktrustd links; nothing else does), and asks here.
 *
 * A pure function: what it answers is what EVP_KDF-TLS13_KDF(7ossl) answers.
 *
 * Threads: any.
 */
#ifndef KT_TLS_TLS13_KDF_H
#define KT_TLS_TLS13_KDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/core.h>

/*
 * A step, by parameters in the words of EVP_KDF-TLS13_KDF(7ossl), into the len bytes at ret_out.
 * False: it is none that libssl asks for (another digest, a parameter that is not known here,
 * lengths that RFC 8446 does not have); ret_out is as it was.
 */
bool kt_tls13_kdf(const OSSL_PARAM *params, uint8_t *ret_out, size_t len);

/*
 * The MAC of a Finished (RFC 8446 §4.4.4): HMAC by the digest of this name, with a key as long as
 * its output, into the size bytes at ret_out. False: not a digest known here, or lengths that a
 * Finished does not have.
 */
bool kt_tls13_finished(const char *digest, const uint8_t *key, size_t key_len, const uint8_t *data,
		       size_t len, uint8_t *ret_out, size_t size, size_t *ret_len);

#endif
