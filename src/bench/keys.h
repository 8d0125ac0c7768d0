/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys by the hundred, for chains. None is worth anything: RSA keys share their primes, since
 * looking for two new ones takes a tenth of a second.
 */
#ifndef KT_BENCH_KEYS_H
#define KT_BENCH_KEYS_H

#include "chains.h"

#define KT_BENCH_PRIMES 24u
#define KT_BENCH_KEYS	(KT_BENCH_PRIMES * (KT_BENCH_PRIMES - 1) / 2) /* each another */

struct kt_bench_keys {
	enum kt_bench_algorithm algorithm;
	BIGNUM *primes[KT_BENCH_PRIMES]; /* of RSA */
	unsigned int made;
};

/* False: libcrypto failed; the keys are to be given back all the same. */
KT_WARN_UNUSED bool kt_bench_keys_init(struct kt_bench_keys *keys,
				       enum kt_bench_algorithm algorithm);
void kt_bench_keys_fini(struct kt_bench_keys *keys);

/* A key pair unlike all before; at most KT_BENCH_KEYS. The caller's; NULL: libcrypto failed. */
EVP_PKEY *kt_bench_keys_next(struct kt_bench_keys *keys);

#endif
