/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a struct kt_verify_cache remembers: accepted verdicts, signatures that were right.
 *
 * It is a store, not a judge. A verdict found is one that was put for exactly the same key, byte by
 * byte; whether it still holds at the query's time, and whether the leaf has the name asked for, is
 * the caller's to check. There is no way to put a refusal.
 *
 * Threads: any number read and write at once. Nothing here locks, waits, allocates or makes a
 * system call, so all of it may be called within read sections. Two who write to the same place at
 * the same time: one of them gives up, as it may for other reasons (see kt_verify_cache_stats);
 * nobody learns of it, since to remember is never owed.
 *
 * Room: chains of up to KT_CHAIN_MAX certificates and some 15 kB together.
 */
#ifndef KTRUST_VERIFY_CACHE_H
#define KTRUST_VERIFY_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/verify.h>

/* ---- Verdicts ------------------------------------------------------------------------------- */

/* What a verdict is bound to. Borrowed for the call. */
struct kt_verdict_key {
	const struct kt_chain *chain;	      /* every DER in its order */
	uint8_t digest[KT_DIGEST_LEN];	      /* of the snapshot's content */
	uint8_t intermediates[KT_DIGEST_LEN]; /* of query.intermediates; zeros: none */
	uint32_t role, profile, path_max, mode;
};

/* What was accepted. */
struct kt_cached_verdict {
	/* Seconds since the epoch, both included: of the whole path, its anchor and CRLs. */
	int64_t not_before, not_after;
	int32_t depth;
	uint32_t names_offset, names_len; /* the leaf's GeneralNames, within its DER */
	uint32_t subject_offset, subject_len;
	uint8_t anchor[KT_DIGEST_LEN];
	char anchor_name[64];
};

/*
 * Where a key belongs: keyed by secret random numbers, so that no peer can aim at a place. Made
 * once for finding and putting. 0 for a chain that is too long to keep.
 */
uint64_t kt_verdict_cache_hash(const struct kt_verify_cache *cache,
			       const struct kt_verdict_key *key);

/* hash: of this key. True: an entry of this very key; ret_cached is untouched otherwise. */
bool kt_verdict_cache_find(struct kt_verify_cache *cache, const struct kt_verdict_key *key,
			   uint64_t hash, struct kt_cached_verdict *ret_cached);

/*
 * Keep what was accepted, from the second time on that this is asked; the first time only the
 * hash's traces are kept, so that chains seen once displace nobody. An entry of the same key is
 * replaced.
 */
void kt_verdict_cache_put(struct kt_verify_cache *cache, const struct kt_verdict_key *key,
			  uint64_t hash, const struct kt_cached_verdict *cached);

/* ---- Signatures ----------------------------------------------------------------------------- */

/*
 * sum: SHA-256 over all that the check was about (algorithm, the issuer's SubjectPublicKeyInfo,
 * what was signed, the signature), put together without ambiguity: whoever finds two of one sum has
 * broken more than this cache. Compared in full.
 */
bool kt_signature_memo_find(struct kt_verify_cache *cache, const uint8_t sum[KT_DIGEST_LEN]);

/*
 * Only for a signature that was checked and is right. of_a_ca: on a CA's certificate or a CRL; many
 * chains share it, so it is kept before others. For such as are part of an accepted path only:
 * everybody can make self-signed CAs, and each would have room here.
 */
void kt_signature_memo_put(struct kt_verify_cache *cache, const uint8_t sum[KT_DIGEST_LEN],
			   bool of_a_ca);

#endif
