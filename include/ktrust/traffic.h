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

#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

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

/* ---- The keys after these (TLS 1.3) ---------------------------------------------------------- */

#define KT_TRAFFIC_SECRET_MAX 48 /* bytes: SHA-384, with KT_AES_256_GCM; with the others 32 */

/*
 * The application traffic secrets that the present keys were made of (RFC 8446 §7.2): all that is
 * needed to go on to the next generation, and as secret as the keys.
 */
struct kt_traffic_secrets {
	enum kt_cipher cipher;
	uint8_t tx[KT_TRAFFIC_SECRET_MAX];
	uint8_t rx[KT_TRAFFIC_SECRET_MAX];
};

static inline void kt_traffic_secrets_wipe(struct kt_traffic_secrets *secrets)
{
	explicit_bzero(secrets, sizeof *secrets);
}

/*
 * One direction's next generation (RFC 8446 §7.2): `secret` (tx or rx above) becomes the next one,
 * the old one is gone, and its key is written, whose first record has the number 0. Both are as
 * they were after an error: -EINVAL no such cipher, -ENOMEM. Any thread; allocates for the call.
 */
KT_WARN_UNUSED int kt_traffic_update(enum kt_cipher cipher, uint8_t secret[KT_TRAFFIC_SECRET_MAX],
				     struct kt_traffic_key *ret_key);

/* ---- How long a key may be used -------------------------------------------------------------- */

/*
 * What one key has protected, in bytes: those of the contents, and KT_KEY_RECORD_COST for each
 * record. RFC 8446 §5.5 allows 2^24.5 full records for AES-GCM; shorter ones take as much of the
 * allowance as they have blocks. ChaCha20-Poly1305 has no limit that could be reached.
 */
#define KT_KEY_RECORD_COST 32	    /* bytes: the tag's block, and one that is not full */
#define KT_RECORD_DATA_MAX 16384    /* bytes of content (RFC 8446 §5.1) */
#define KT_KEY_RECORDS_MAX 23726566 /* full records: 2^24.5 */

static inline uint64_t kt_key_cost(uint64_t len)
{
	uint64_t records = (len + KT_RECORD_DATA_MAX - 1) / KT_RECORD_DATA_MAX;

	return len + KT_KEY_RECORD_COST * (records ? records : 1);
}

enum kt_key_age {
	KT_KEY_FRESH,
	KT_KEY_DUE,  /* three quarters are used: take the next, if that can be */
	KT_KEY_SPENT /* protect nothing more with it */
};

/* records_max: full records; 0 stands for KT_KEY_RECORDS_MAX. */
static inline enum kt_key_age kt_key_age(enum kt_cipher cipher, uint64_t used, uint64_t records_max)
{
	uint64_t most = (records_max ? records_max : KT_KEY_RECORDS_MAX) * KT_RECORD_DATA_MAX;

	if (cipher == KT_CHACHA20_POLY1305 || used < most / 4 * 3)
		return KT_KEY_FRESH;
	return used < most ? KT_KEY_DUE : KT_KEY_SPENT;
}

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
