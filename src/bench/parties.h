/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who takes part in handshakes, with P-256 keys and certificates that hold today: a CA and its
 * intermediate, a server and clients below that, and a stranger, whose CA has the same name as ours
 * and another key. Immutable once made: any thread.
 */
#ifndef KT_BENCH_PARTIES_H
#define KT_BENCH_PARTIES_H

#include <openssl/types.h>

#include <ktrust/error.h>

#include "scratch.h"

#define KT_BENCH_CLIENTS 64u

struct kt_bench_party {
	X509 *x509;
	EVP_PKEY *key;
};

struct kt_bench_parties {
	struct kt_bench_party root, intermediate, server;
	struct kt_bench_party clients[KT_BENCH_CLIENTS];
	struct kt_bench_party other_root, stranger;
};

/* -ENOMEM, -EIO (libcrypto). Freed by kt_bench_parties_free, which accepts NULL. */
KT_WARN_UNUSED int kt_bench_parties_make(struct kt_bench_parties **ret_parties,
					 struct kt_error *error);
void kt_bench_parties_free(struct kt_bench_parties *parties);

/*
 * What servers read, as PEM: ca.pem (the root that vouches for clients), server.pem (leaf and
 * intermediate), server.key, and both.pem (all three).
 */
KT_WARN_UNUSED int kt_bench_parties_write(const struct kt_bench_parties *parties,
					  const struct kt_bench_scratch *scratch,
					  struct kt_error *error);

#endif
