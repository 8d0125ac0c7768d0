/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cases of `ktrust bench handshake`: connections per CPU second of the server's processes.
 *
 * All sides serve at the same time, each in front of a port of the backend's own, and are measured
 * in turn: one that is not asked costs nothing. Where there are two CPUs, the servers have one for
 * themselves.
 */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "interrupt.h"
#include "load.h"
#include "parties.h"
#include "scratch.h"
#include "server.h"
#include "sides.h"

/* What clients show, by kt_bench_case.size. */
enum { SERVER_ONLY, MTLS };

struct handshakes {
	bool mtls;
	cpu_set_t cpus_before;
	int server_cpu; /* -1: nobody is pinned */
	struct kt_bench_scratch scratch;
	struct kt_bench_parties *parties;
	struct kt_bench_load *load;
	struct kt_bench_found found[KT_BENCH_SIDES];
	bool there[KT_BENCH_SIDES];
	struct kt_bench_values
		values[KT_BENCH_SIDES]; /* a child that is no other program reads it */
	struct kt_bench_server servers[KT_BENCH_SIDES];
};

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* We, with clients and backend, on the first that is allowed; the servers on the second. */
static void divide_cpus(struct handshakes *handshakes)
{
	cpu_set_t first;
	int found = 0;

	handshakes->server_cpu = -1;
	CPU_ZERO(&first);
	if (sched_getaffinity(0, sizeof handshakes->cpus_before, &handshakes->cpus_before))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (!CPU_ISSET(cpu, &handshakes->cpus_before))
			continue;
		if (found++ == 0)
			CPU_SET(cpu, &first);
		else
			handshakes->server_cpu = cpu;
	}
	if (handshakes->server_cpu >= 0)
		sched_setaffinity(0, sizeof first, &first);
}

static void share_cpus(const struct handshakes *handshakes)
{
	if (handshakes->server_cpu >= 0)
		sched_setaffinity(0, sizeof handshakes->cpus_before, &handshakes->cpus_before);
}

/* ---- Preparing ------------------------------------------------------------------------------- */

static int find_sides(struct handshakes *handshakes, const struct kt_bench_options *options,
		      struct kt_error *error)
{
	for (size_t side = 0; side < KT_BENCH_SIDES; side++) {
		int ret;

		if (side == KT_BENCH_LIMIT)
			continue;
		ret = kt_bench_side_find(side, options, &handshakes->found[side], error);
		if (ret && side == KT_BENCH_OURS)
			return ret;
		handshakes->there[side] = ret == 0;
	}
	return 0;
}

/* Whoever lets everybody in has less to do. */
static int check_refusal(struct handshakes *handshakes, size_t side, struct kt_error *error)
{
	const struct kt_bench_server *server = &handshakes->servers[side];

	if (!handshakes->mtls ||
	    kt_bench_load_is_refused(handshakes->load, server->port, error) == 0)
		return 0;
	return kt_bench_server_blame(server, error);
}

static int start(struct handshakes *handshakes, size_t side, struct kt_error *error)
{
	struct kt_bench_values *values = &handshakes->values[side];
	int ret;

	values->dir = handshakes->scratch.path;
	values->mtls = handshakes->mtls;
	values->root = geteuid() == 0;
	ret = kt_bench_load_listen(handshakes->load, &values->backend, error);
	if (ret == 0)
		ret = kt_bench_free_port(&values->port, error);
	if (ret == 0)
		ret = kt_bench_side_start(side, &handshakes->found[side], &handshakes->scratch,
					  values, handshakes->server_cpu,
					  &handshakes->servers[side], error);
	return ret ? ret : check_refusal(handshakes, side, error);
}

static int set_up(struct handshakes *handshakes, const struct kt_bench_options *options,
		  struct kt_error *error)
{
	int ret = find_sides(handshakes, options, error);

	if (ret == 0)
		ret = kt_bench_scratch_make(&handshakes->scratch, error);
	if (ret == 0)
		ret = kt_bench_parties_make(&handshakes->parties, error);
	if (ret == 0)
		ret = kt_bench_parties_write(handshakes->parties, &handshakes->scratch, error);
	if (ret == 0)
		ret = kt_bench_load_new(handshakes->parties, handshakes->mtls, &handshakes->load,
					error);
	for (size_t side = 0; ret == 0 && side < KT_BENCH_SIDES; side++)
		if (handshakes->there[side])
			ret = start(handshakes, side, error);
	return ret;
}

static void finish(void *state)
{
	struct handshakes *handshakes = state;

	for (size_t side = 0; side < KT_BENCH_SIDES; side++)
		kt_bench_server_stop(&handshakes->servers[side]);
	kt_bench_load_free(handshakes->load);
	kt_bench_parties_free(handshakes->parties);
	kt_bench_scratch_remove(&handshakes->scratch);
	share_cpus(handshakes);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	kt_bench_interrupt_end();
	free(handshakes);
}

static int prepare(size_t size, const struct kt_bench_options *options, void **ret_state,
		   struct kt_error *error)
{
	struct handshakes *handshakes = calloc(1, sizeof *handshakes);
	int ret;

	if (!handshakes)
		return kt_error_set(error, ENOMEM, "handshakes", 0, "out of memory");
	handshakes->mtls = size == MTLS;
	kt_bench_interrupt_begin();
	/* What the servers leave behind comes to us, who end it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	divide_cpus(handshakes);
	ret = set_up(handshakes, options, error);
	if (ret) {
		finish(handshakes);
		return ret;
	}
	*ret_state = handshakes;
	return 0;
}

static bool is_there(void *state, size_t side, char note[static KT_BENCH_NOTE_MAX])
{
	const struct handshakes *handshakes = state;

	memcpy(note, handshakes->found[side].note, KT_BENCH_NOTE_MAX);
	return handshakes->there[side];
}

/* ---- Measuring ------------------------------------------------------------------------------- */

static int rate(struct handshakes *handshakes, const struct kt_bench_server *server, double seconds,
		double *ret_value, struct kt_error *error)
{
	uint64_t before, after, done;
	/* Every client once, so that none is new. */
	int ret = kt_bench_load_run(handshakes->load, server->port, KT_BENCH_CLIENTS, 0, &done,
				    error);

	if (ret == 0)
		ret = kt_bench_server_cpu_ns(server, &before, error);
	if (ret == 0)
		ret = kt_bench_load_run(handshakes->load, server->port, 0, seconds, &done, error);
	if (ret == 0)
		ret = kt_bench_server_cpu_ns(server, &after, error);
	if (ret)
		return kt_bench_server_blame(server, error);
	if (after <= before)
		return kt_error_set(error, ENODATA, server->name, 0,
				    "the kernel counts no CPU time for it");
	*ret_value = (double)done * 1e9 / (double)(after - before);
	return 0;
}

#define SIDE(name, side)                                                                           \
	static int name(const struct kt_bench_case *of, void *state,                               \
			const struct kt_bench_options *options, double *ret_value,                 \
			struct kt_error *error)                                                    \
	{                                                                                          \
		struct handshakes *handshakes = state;                                             \
                                                                                                   \
		(void)of;                                                                          \
		return rate(handshakes, &handshakes->servers[side], options->seconds, ret_value,   \
			    error);                                                                \
	}
SIDE(ours, KT_BENCH_OURS)
SIDE(stock, KT_BENCH_STOCK)
SIDE(first, KT_BENCH_FIRST_PEER)
SIDE(second, KT_BENCH_FIRST_PEER + 1)
SIDE(third, KT_BENCH_FIRST_PEER + 2)
SIDE(fourth, KT_BENCH_FIRST_PEER + 3)
SIDE(fifth, KT_BENCH_FIRST_PEER + 4)

/* ---- Cases ----------------------------------------------------------------------------------- */

#define CASE(text, what)                                                                           \
	{                                                                                          \
		.name = (text), .unit = "1/cpu-s", .threads = 1, .more_is_better = true,           \
		.prepare = prepare, .finish = finish, .is_there = is_there, .size = (what),        \
		.measure = {ours, stock, NULL, first, second, third, fourth, fifth}, .peers = {    \
			KT_BENCH_PEER_NAMES                                                        \
		}                                                                                  \
	}

static const struct kt_bench_case cases[] = {
	CASE("mtls-p256-full", MTLS),
	CASE("server-p256-full", SERVER_ONLY),
};

const struct kt_bench_suite kt_bench_handshake = {
	.name = "handshake",
	.title = "Full TLS 1.3 handshakes through a relay, per CPU second of the server",
	.cases = cases,
	.count = sizeof cases / sizeof cases[0],
	.seconds = 1, /* seven sides of two cases: a minute and a half in all */
};
