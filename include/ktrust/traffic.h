/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traffic keys: what crosses from the handshake to whoever protects the records.
 *
 * Plain data that holds secrets. Whoever holds one wipes it with kt_traffic_wipe on every path.
 * Never log, copy into an error, or hand it to a probe.
 */
#ifndef KTRUST_TRAFFIC_H
#define KTRUST_TRAFFIC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KT_TLS_1_2 0x0303 /* as on the wire (RFC 8446 §4.1.2) */
#define KT_TLS_1_3 0x0304

/* Record content types (RFC 8446 §5.1) */
#define KT_RECORD_CHANGE_CIPHER_SPEC 20
#define KT_RECORD_ALERT		     21
#define KT_RECORD_HANDSHAKE	     22
#define KT_RECORD_DATA		     23

#define KT_RECORD_HEADER_LEN 5		    /* bytes */
#define KT_RECORD_BODY_MAX   (16384 + 2048) /* bytes, TLS 1.2 ciphertext (RFC 5246 §6.2.3) */

enum kt_cipher { KT_AES_128_GCM, KT_AES_256_GCM, KT_CHACHA20_POLY1305, KT_CIPHER_COUNT };

struct kt_traffic_key {
	uint8_t key[32]; /* 16 bytes used for KT_AES_128_GCM, else 32 */
	/*
	 * TLS 1.3 and ChaCha20-Poly1305: the write IV, 12 bytes (RFC 8446 §5.3, RFC 7905).
	 * AES-GCM in TLS 1.2: 4 bytes of salt, then the explicit nonce of the next record, 8 bytes
	 * big endian (RFC 5288 §3).
	 */
	uint8_t iv[12];
	uint64_t seq; /* sequence number of the next record */
};

struct kt_traffic {
	uint16_t version; /* KT_TLS_1_2 or KT_TLS_1_3 */
	enum kt_cipher cipher;
	struct kt_traffic_key tx;
	struct kt_traffic_key rx;
};

static inline void kt_traffic_wipe(struct kt_traffic *traffic)
{
	explicit_bzero(traffic, sizeof *traffic);
}

#endif
