/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains to verify: leaf, intermediate, root, all of one algorithm, in a pool with other roots.
 *
 * Leaves name KT_BENCH_HOST and are valid at KT_BENCH_TIME. They differ in their serial numbers,
 * and share one key; intermediates have a key each. Of each algorithm there are
 *
 *   strangers   KT_BENCH_STRANGERS intermediates with KT_BENCH_ROUNDS leaves each: of a round,
 * which takes one of each, no two chains have anything but the root in common known       one more
 * intermediate, with KT_BENCH_LEAVES leaves to measure and a few others, so that the intermediate
 * can be made known before
 *
 * Immutable once made: any thread.
 */
#ifndef KT_BENCH_CHAINS_H
#define KT_BENCH_CHAINS_H

#include <stdint.h>

#include <ktrust/pool.h>
#include <openssl/types.h>

#include "bench.h"
#include "kind.h"

#define KT_BENCH_TIME	   1780272000 /* 2026-06-01 */
#define KT_BENCH_STRANGERS 256u
#define KT_BENCH_ROUNDS	   4u
#define KT_BENCH_LEAVES	   4096u
#define KT_BENCH_PRIMERS   8u

enum kt_bench_algorithm { KT_BENCH_P256, KT_BENCH_RSA2048, KT_BENCH_ED25519 };

/* A certificate, and what checking its signature takes besides its issuer's key. */
struct kt_bench_cert {
	uint8_t *der;
	size_t len;
	const uint8_t *tbs; /* within der */
	size_t tbs_len;
	const uint8_t *signature; /* within der */
	size_t signature_len;
	const struct kt_bench_cert *issuer; /* NULL: itself */
	EVP_PKEY *key;			    /* of a CA, decoded; NULL: of a leaf */
};

struct kt_bench_chains {
	enum kt_bench_algorithm algorithm;
	EVP_PKEY *leaf_key;
	struct kt_bench_cert root;
	struct kt_bench_cert strangers[KT_BENCH_STRANGERS];
	struct kt_bench_cert known;
	/* Of a round one behind another. */
	struct kt_bench_cert of_strangers[KT_BENCH_ROUNDS * KT_BENCH_STRANGERS];
	struct kt_bench_cert of_known[KT_BENCH_LEAVES];
	struct kt_bench_cert primers[KT_BENCH_PRIMERS]; /* of the known too */
	struct kt_snapshot *snapshot;			/* the root and others, for any purpose */
	X509_STORE *store;				/* the same */
};

/*
 * roots: in the pool, the chains' own included; at least 1. -ENOMEM, -EIO (libcrypto). Takes a
 * second, most of it for RSA, and half a millisecond for each ten roots. Freed by
 * kt_bench_chains_free, which accepts NULL.
 */
KT_WARN_UNUSED int kt_bench_chains_make(enum kt_bench_algorithm algorithm, size_t roots,
					struct kt_bench_chains **ret_chains,
					struct kt_error *error);
void kt_bench_chains_free(struct kt_bench_chains *chains);

#endif
