/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A P-256 public key with tables of its multiples, as libcrypto has them of the curve's generator,
 * so that a signature is checked in half the time, while they are in the processor's cache: a check
 * reads all of them. The tables are libcrypto's own (EC_GROUP_precompute_mult(3), of a group whose
 * generator is the key), and so is all arithmetic.
 *
 * Making one takes as long as some six hundred of its checks, and 150 KiB.
 *
 * Threads: any, together; nothing in it changes.
 */
#ifndef KT_TLS_FAST_KEY_H
#define KT_TLS_FAST_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define KT_FAST_KEY_SUM_LEN 32 /* SHA-256 */

struct kt_fast_key;

/* Is there a point in asking kt_fast_key_new? A P-256 key of libcrypto's own provider. */
bool kt_fast_key_may_be(const EVP_PKEY *pkey);

/* Of a key for which kt_fast_key_may_be. NULL: no memory, or this libcrypto has no such tables. */
struct kt_fast_key *kt_fast_key_new(const EVP_PKEY *pkey);
/* The same key, for one more to free. */
struct kt_fast_key *kt_fast_key_ref(struct kt_fast_key *key);
void kt_fast_key_free(struct kt_fast_key *key);

/*
 * Did the key sign what has this SHA-256 sum? Signature: Ecdsa-Sig-Value in DER. False is no last
 * word: there may be no memory.
 */
bool kt_fast_key_verify(const struct kt_fast_key *key, const uint8_t *signature, size_t len,
			const uint8_t sum[KT_FAST_KEY_SUM_LEN]);

#endif
