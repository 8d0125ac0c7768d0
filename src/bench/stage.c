/* SPDX-License-Identifier: BSD-2-Clause */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "interrupt.h"

/* ---- CPUs ------------------------------------------------------------------------------------ */

/* We, with clients and backend, on the first that is allowed; the servers on the second. */
static void divide_cpus(struct kt_bench_stage *stage)
{
	cpu_set_t first;
	int found = 0;

	stage->server_cpu = -1;
	CPU_ZERO(&first);
	if (sched_getaffinity(0, sizeof stage->cpus_before, &stage->cpus_before))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (!CPU_ISSET(cpu, &stage->cpus_before))
			continue;
		if (found++ == 0)
			CPU_SET(cpu, &first);
		else
			stage->server_cpu = cpu;
	}
	if (stage->server_cpu >= 0)
		sched_setaffinity(0, sizeof first, &first);
}

static void share_cpus(const struct kt_bench_stage *stage)
{
	if (stage->server_cpu >= 0)
		sched_setaffinity(0, sizeof stage->cpus_before, &stage->cpus_before);
}

/* ---- Preparing ------------------------------------------------------------------------------- */

static int find_sides(struct kt_bench_stage *stage, const struct kt_bench_options *options,
		      size_t sides, struct kt_error *error)
{
	for (size_t side = 0; side < sides; side++) {
		int ret;

		if (side == KT_BENCH_LIMIT)
			continue;
		ret = kt_bench_side_find(side, options, &stage->found[side], error);
		if (ret && side == KT_BENCH_OURS)
			return ret;
		stage->there[side] = ret == 0;
	}
	return 0;
}

/* Whoever lets everybody in has less to do. */
static int check_refusal(struct kt_bench_stage *stage, size_t side, struct kt_error *error)
{
	const struct kt_bench_server *server = &stage->servers[side];

	if (!stage->mtls || kt_bench_load_is_refused(stage->load, server->port, error) == 0)
		return 0;
	return kt_bench_server_blame(server, error);
}

static int start(struct kt_bench_stage *stage, size_t side, struct kt_error *error)
{
	return kt_bench_side_start(side, &stage->found[side], &stage->scratch, &stage->values[side],
				   stage->server_cpu, &stage->servers[side], error);
}

/* On the same port: its settings are written once. */
int kt_bench_stage_restart(struct kt_bench_stage *stage, size_t side, struct kt_error *error)
{
	kt_bench_server_stop(&stage->servers[side]);
	return start(stage, side, error);
}

static int start_first(struct kt_bench_stage *stage, size_t side, struct kt_error *error)
{
	struct kt_bench_values *values = &stage->values[side];
	int ret;

	values->dir = stage->scratch.path;
	values->mtls = stage->mtls;
	values->tickets = stage->tickets;
	values->root = geteuid() == 0;
	ret = kt_bench_load_listen(stage->load, &values->backend, error);
	if (ret == 0)
		ret = kt_bench_free_port(&values->port, error);
	if (ret == 0)
		ret = start(stage, side, error);
	if (ret == -ENOTSUP) {
		stage->there[side] = false;
		return 0;
	}
	return ret ? ret : check_refusal(stage, side, error);
}

static int set_up(struct kt_bench_stage *stage, const struct kt_bench_options *options,
		  size_t sides, struct kt_error *error)
{
	int ret = find_sides(stage, options, sides, error);

	if (ret == 0)
		ret = kt_bench_scratch_make(&stage->scratch, error);
	if (ret == 0)
		ret = kt_bench_parties_make(&stage->parties, error);
	if (ret == 0)
		ret = kt_bench_parties_write(stage->parties, &stage->scratch, error);
	if (ret == 0)
		ret = kt_bench_load_new(stage->parties, stage->mtls, &stage->load, error);
	if (ret == 0 && stage->tickets)
		kt_bench_load_take_tickets(stage->load);
	for (size_t side = 0; ret == 0 && side < KT_BENCH_SIDES; side++)
		if (stage->there[side])
			ret = start_first(stage, side, error);
	return ret;
}

void kt_bench_stage_finish(void *state)
{
	struct kt_bench_stage *stage = state;

	for (size_t side = 0; side < KT_BENCH_SIDES; side++)
		kt_bench_server_stop(&stage->servers[side]);
	kt_bench_load_free(stage->load);
	kt_bench_parties_free(stage->parties);
	kt_bench_scratch_remove(&stage->scratch);
	share_cpus(stage);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	kt_bench_interrupt_end();
	free(stage);
}

int kt_bench_stage_prepare(size_t size, const struct kt_bench_options *options, void **ret_state,
			   struct kt_error *error)
{
	struct kt_bench_stage *stage = calloc(1, sizeof *stage);
	int ret;

	if (!stage)
		return kt_error_set(error, ENOMEM, "servers", 0, "out of memory");
	stage->mtls = size != KT_BENCH_SERVER_ONLY;
	stage->tickets = size == KT_BENCH_MTLS_TICKETS;
	kt_bench_interrupt_begin();
	/* What the servers leave behind comes to us, who end it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	divide_cpus(stage);
	ret = set_up(stage, options,
		     size == KT_BENCH_MTLS_OURS ? KT_BENCH_OURS + 1 : KT_BENCH_SIDES, error);
	if (ret) {
		kt_bench_stage_finish(stage);
		return ret;
	}
	*ret_state = stage;
	return 0;
}

bool kt_bench_stage_is_there(void *state, size_t side, char note[static KT_BENCH_NOTE_MAX])
{
	const struct kt_bench_stage *stage = state;

	memcpy(note, stage->found[side].note, KT_BENCH_NOTE_MAX);
	return stage->there[side];
}
