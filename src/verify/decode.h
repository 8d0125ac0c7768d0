/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DER to X509, strictly. No state, any thread.
 */
#ifndef KTRUST_VERIFY_DECODE_H
#define KTRUST_VERIFY_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

/*
 * NULL unless the bytes are one certificate of at most KT_CERTIFICATE_MAX bytes, nothing behind it,
 * that OpenSSL would write as the same bytes. When it is for want of memory, OpenSSL's error queue
 * says so (ERR_R_MALLOC_FAILURE); a public key of a kind OpenSSL does not know is no failure, nor
 * are malformed extensions: X509_check_purpose(x, -1, 0) has been called and tells.
 */
X509 *kt_decode_certificate(const uint8_t *der, size_t len);

#endif
