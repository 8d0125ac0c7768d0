/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Roots by the thousand: distinct names, serial numbers, P-256 keys and key identifiers, the same
 * at every call. Their signatures (Ed25519) are nobody's: loading checks none.
 *
 * The keys are true points of the curve, since decoding them is most of what the stock library
 * does when it loads a certificate.
 */
#ifndef KT_BENCH_ROOTS_H
#define KT_BENCH_ROOTS_H

#include <stdint.h>

#include "bench.h"

struct kt_bench_roots {
	uint8_t *der; /* count certificates of der_len bytes each, without gaps */
	size_t der_len;
	char *pem; /* the same as PEM, blocks of pem_len bytes each */
	size_t pem_len;
	size_t count;
};

/* -EINVAL: more than 8 digits count. -ENOMEM, -EIO (libcrypto). Freed by kt_bench_roots_fini. */
KT_WARN_UNUSED int kt_bench_roots_make(struct kt_bench_roots *ret_roots, size_t count,
				       struct kt_error *error);
void kt_bench_roots_fini(struct kt_bench_roots *roots); /* zeros are fine */

#endif
