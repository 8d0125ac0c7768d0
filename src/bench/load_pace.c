/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that begin by the clock: an open loop, in which a server that is slow is not spared.
 */
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "load_in.h"

#define LANES 256u /* under way at a time; who finds none free waits, and that counts */

struct pace {
	struct kt_bench_load_run run;
	struct kt_bench_lane *lanes; /* LANES */
	uint64_t begin_ns, interval_ns;
};

static struct kt_bench_lane *find_free(struct pace *pace)
{
	for (unsigned int i = 0; i < LANES; i++)
		if (pace->lanes[i].spot.is == KT_BENCH_FREE)
			return &pace->lanes[i];
	return NULL;
}

static uint64_t due_ns(const struct pace *pace)
{
	return pace->begin_ns + pace->run.begun * pace->interval_ns;
}

/* All that are due. *ret_next_ns: when the next one is; 0: there is none, or no lane for it. */
static int begin_due(struct kt_bench_load *load, struct pace *pace, uint64_t *ret_next_ns,
		     struct kt_error *error)
{
	struct kt_bench_load_run *run = &pace->run;

	*ret_next_ns = 0;
	while (run->begun < run->count) {
		struct kt_bench_lane *lane = find_free(pace);
		uint64_t due = due_ns(pace);
		int ret;

		if (!lane)
			return 0;
		if (due > kt_bench_now_ns()) {
			*ret_next_ns = due;
			return 0;
		}
		ret = kt_bench_lane_begin(load, lane, kt_bench_load_next_client(load), run->port,
					  error);
		if (ret)
			return ret;
		lane->due_ns = due;
		run->begun++;
	}
	return 0;
}

static int go_through(struct kt_bench_load *load, struct pace *pace, struct kt_error *error)
{
	uint64_t next_ns;
	int ret = 0;

	while (ret == 0 && (pace->run.done < pace->run.count || load->backend.live)) {
		ret = begin_due(load, pace, &next_ns, error);
		if (ret == 0)
			ret = kt_bench_load_turn(load, &pace->run, next_ns, error);
	}
	return ret;
}

int kt_bench_load_pace(struct kt_bench_load *load, uint16_t port, unsigned int count,
		       uint64_t interval_ns, double *latencies_us, struct kt_error *error)
{
	struct pace pace = {
		.run = {.port = port, .count = count, .latencies_us = latencies_us},
		.lanes = calloc(LANES, sizeof *pace.lanes),
		.interval_ns = interval_ns,
	};
	int ret;

	if (!pace.lanes)
		return kt_error_set(error, ENOMEM, "clients", 0, "out of memory");
	kt_bench_load_count_anew(load);
	pace.begin_ns = kt_bench_now_ns();
	ret = go_through(load, &pace, error);
	for (unsigned int i = 0; i < LANES; i++)
		kt_bench_lane_end(&pace.lanes[i]);
	free(pace.lanes);
	return ret ? ret : kt_bench_load_compare(load, &pace.run, error);
}
