/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifying chains, from DER to a verdict, on several sides: how much of what came before each
 * verification is known again is the scenario. Every verdict has to be an acceptance, or the run
 * ends with an error.
 *
 * A measurement is made of rounds. In each, every thread gets what it verifies with anew, warms up,
 * and then takes its share of the round's chains. Only the last is timed.
 */
#ifndef KT_BENCH_VERIFY_H
#define KT_BENCH_VERIFY_H

#include <stdbool.h>

#include <ktrust/verify.h>

#include "chains.h"

/* Verifications before the timed ones, of a thread in a round: a cache may want to see twice. */
#define KT_BENCH_WARM_UP (2 * KT_BENCH_PRIMERS)

/*
 * What is known of a chain, in kt_bench_case.variant. The pool's own keys are in each: a server
 * meets a new CA of its pool once.
 */
enum kt_bench_scenario {
	/*
	 * Nothing. A round takes one leaf of each of the strangers, so that no intermediate comes
	 * again; the verifiers are new in each round, have no cache, and are warmed up with a chain
	 * whose intermediate is not among those.
	 */
	KT_BENCH_COLD,
	/*
	 * The intermediate: its key is decoded, its signature remembered. A round takes leaves of
	 * the known one, each once, with a new cache that all threads share; it is warmed up with
	 * the primers, which are not among those leaves. So no leaf was seen before.
	 */
	KT_BENCH_KNOWN,
	/* All: one chain again and again, with a cache, warmed up with that chain. */
	KT_BENCH_REPEAT,
};

struct kt_bench_round {
	const struct kt_bench_chains *chains;
	enum kt_bench_scenario scenario;
	struct kt_verify_cache *cache; /* NULL: none is to be used */
};

/* A side's way to verify. */
struct kt_bench_way {
	/* What one thread works with; warming up is told apart (kt_bench_warm_up). */
	int (*begin)(const struct kt_bench_round *round, void **ret_own, struct kt_error *error);
	/* NULL: accepted; else why not, in static storage. */
	const char *(*verify)(void *own, const struct kt_bench_cert *leaf);
	void (*end)(void *own); /* NULL is fine */
};

extern const struct kt_bench_way kt_bench_way_own, kt_bench_way_both; /* verify_ours.c */
extern const struct kt_bench_way kt_bench_way_stock;		      /* verify_stock.c */
extern const struct kt_bench_way kt_bench_way_limit;		      /* verify_limit.c */

/*
 * Verifications a second, all threads together, each going on for `seconds` or, where a round's
 * chains are used up, in as many rounds as that takes (verify_rounds.c). -EBADMSG: one was refused.
 */
KT_WARN_UNUSED int kt_bench_verify_rate(const struct kt_bench_way *way,
					const struct kt_bench_chains *chains,
					enum kt_bench_scenario scenario, unsigned int threads,
					double seconds, double *ret_rate, struct kt_error *error);

#endif
