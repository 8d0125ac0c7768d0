/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the cases about servers work on: all sides serve at the same time, each in front of a port
 * of the backend's own, and are measured in turn: one that is not asked costs nothing. Where there
 * are two CPUs, the servers have one for themselves.
 *
 * Threads: one, as load.h and server.h.
 */
#ifndef KT_BENCH_STAGE_H
#define KT_BENCH_STAGE_H

#include <sched.h>

#include "bench.h"
#include "load.h"
#include "parties.h"
#include "scratch.h"
#include "server.h"
#include "sides.h"

/* What clients show, by kt_bench_case.size; the last is without other servers than ours. */
enum kt_bench_stage_kind {
	KT_BENCH_SERVER_ONLY,
	KT_BENCH_MTLS,
	KT_BENCH_MTLS_TICKETS, /* and servers send tickets as they like; nobody uses them */
	KT_BENCH_MTLS_OURS,
};

struct kt_bench_stage {
	bool mtls, tickets;
	bool warm[KT_BENCH_SIDES]; /* for those who measure */
	cpu_set_t cpus_before;
	int server_cpu; /* -1: nobody is pinned */
	struct kt_bench_scratch scratch;
	struct kt_bench_parties *parties;
	struct kt_bench_load *load;
	struct kt_bench_found found[KT_BENCH_SIDES];
	bool there[KT_BENCH_SIDES];
	/* A child that is no other program reads its own. */
	struct kt_bench_values values[KT_BENCH_SIDES];
	struct kt_bench_server servers[KT_BENCH_SIDES];
};

/* For kt_bench_case; the state is a struct kt_bench_stage. */
KT_WARN_UNUSED int kt_bench_stage_prepare(size_t size, const struct kt_bench_options *options,
					  void **ret_state, struct kt_error *error);
void kt_bench_stage_finish(void *state);
bool kt_bench_stage_is_there(void *state, size_t side, char note[static KT_BENCH_NOTE_MAX]);

/* End this side's server, and start it once more: nothing is known of it that was before. */
KT_WARN_UNUSED int kt_bench_stage_restart(struct kt_bench_stage *stage, size_t side,
					  struct kt_error *error);

/*
 * Of a suite's file: kt_bench_case.measure and .peers, each side by
 *   int measure(const struct kt_bench_case *of, struct kt_bench_stage *stage, size_t side,
 *               const struct kt_bench_options *options, double *ret_value, struct kt_error *error);
 */
#define KT_BENCH_STAGE_SIDE(name, measure, side)                                                   \
	static int name(const struct kt_bench_case *of, void *state,                               \
			const struct kt_bench_options *options, double *ret_value,                 \
			struct kt_error *error)                                                    \
	{                                                                                          \
		return measure(of, state, (side), options, ret_value, error);                      \
	}
#define KT_BENCH_STAGE_SIDES(measure)                                                              \
	KT_BENCH_STAGE_SIDE(ours, measure, KT_BENCH_OURS)                                          \
	KT_BENCH_STAGE_SIDE(stock, measure, KT_BENCH_STOCK)                                        \
	KT_BENCH_STAGE_SIDE(first, measure, KT_BENCH_FIRST_PEER)                                   \
	KT_BENCH_STAGE_SIDE(second, measure, KT_BENCH_FIRST_PEER + 1)                              \
	KT_BENCH_STAGE_SIDE(third, measure, KT_BENCH_FIRST_PEER + 2)                               \
	KT_BENCH_STAGE_SIDE(fourth, measure, KT_BENCH_FIRST_PEER + 3)                              \
	KT_BENCH_STAGE_SIDE(fifth, measure, KT_BENCH_FIRST_PEER + 4)
#define KT_BENCH_STAGE_MEASURES                                                                    \
	{                                                                                          \
		ours, stock, NULL, first, second, third, fourth, fifth                             \
	}

#endif
