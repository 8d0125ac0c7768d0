/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the cases of the pool share: material to load, and both sides' ways to load it.
 *
 * Loading is all that is needed before a chain can be verified: on our side from the bytes to a
 * published snapshot, on the stock side from the bytes to an X509_STORE with every certificate in
 * it. Giving it back afterwards is not measured.
 */
#ifndef KT_BENCH_POOL_H
#define KT_BENCH_POOL_H

#include "roots.h"

struct kt_bench_material {
	struct kt_bench_roots roots; /* zeros for Mozilla's */
	int fd;			     /* memfd of the PEM text */
	char path[32];		     /* of the same */
	size_t count;		     /* certificates in it; 0: not known */
};

/* prepare and finish of a case; size is the number of roots. */
KT_WARN_UNUSED int kt_bench_material_make(size_t size, const struct kt_bench_options *options,
					  void **ret_state, struct kt_error *error);
KT_WARN_UNUSED int kt_bench_material_mozilla(size_t size, const struct kt_bench_options *options,
					     void **ret_state, struct kt_error *error);
void kt_bench_material_free(void *state);

/* Both sides, from the PEM file and from DER in memory. In milliseconds. */
kt_bench_measure kt_bench_pem_ours, kt_bench_pem_stock, kt_bench_der_ours, kt_bench_der_stock;

/* How much longer ten times as many roots take than ten times the time; all and a tenth of them. */
kt_bench_measure kt_bench_linearity_ours;

/* Bytes of memory a root. The limit is the one we set ourselves: its DER and 256. */
kt_bench_measure kt_bench_bytes_ours, kt_bench_bytes_stock, kt_bench_bytes_limit;

/*
 * Readers, in nanoseconds a section: taking the current pool and giving it back. size is the number
 * of threads. Quiet: nobody publishes; busy: somebody publishes a hundred times a second.
 */
KT_WARN_UNUSED int kt_bench_readers_make(size_t size, const struct kt_bench_options *options,
					 void **ret_state, struct kt_error *error);
void kt_bench_readers_free(void *state);
kt_bench_measure kt_bench_quiet_ours, kt_bench_quiet_stock, kt_bench_busy_ours, kt_bench_busy_stock;

/*
 * How long a commit takes while as many threads are in sections of 0.3 ms half of their time, as
 * handshakes are. In milliseconds.
 */
kt_bench_measure kt_bench_commit_median, kt_bench_commit_p99;

#endif
