/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cases of `ktrust bench idle`: memory of the server's processes (PSS) for each connection that
 * has shaken hands, relayed a byte each way, and is silent.
 *
 * It is what grows from when every client has been there four times to when 2,000 connections are
 * open. Memory of the kernel (sockets, and the keys and records of kernel TLS) does not count.
 * Where the machine has no kernel TLS, ours keeps a connection of libssl for each, as the others
 * do.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "session.h"
#include "stage.h"

#define WARM_UP	    (4 * KT_BENCH_CLIENTS) /* what is remembered of clients, is */
#define HELD	    2000u
#define DESCRIPTORS (2 * HELD + 512) /* a server has two for each, and so have we */

/* Servers inherit it. */
static int allow_descriptors(struct kt_error *error)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
		limit.rlim_cur = DESCRIPTORS;
		if (limit.rlim_max < DESCRIPTORS)
			limit.rlim_max = DESCRIPTORS;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			return kt_error_set(error, errno, "open files", 0,
					    "%u are needed: %s (ulimit -Hn)", DESCRIPTORS,
					    strerror(errno));
	}
	return 0;
}

static int prepare(size_t size, const struct kt_bench_options *options, void **ret_state,
		   struct kt_error *error)
{
	int ret = allow_descriptors(error);

	return ret ? ret : kt_bench_stage_prepare(size, options, ret_state, error);
}

static int memory(const struct kt_bench_server *server, uint64_t *ret_bytes, struct kt_error *error)
{
	int err = kt_bench_session_memory(server->pid, ret_bytes);

	return err ? kt_error_set(error, -err, server->name, 0, "its memory: %s", strerror(-err))
		   : 0;
}

static int hold(struct kt_bench_stage *stage, const struct kt_bench_server *server,
		uint64_t *ret_bytes, struct kt_error *error)
{
	int ret = kt_bench_load_hold(stage->load, server->port, HELD, error), end;

	if (ret)
		return ret;
	ret = memory(server, ret_bytes, error);
	end = kt_bench_load_let_go(stage->load, error);
	return ret ? ret : end;
}

/* Of a fresh server: memory that was needed once may be kept. */
static int measure(const struct kt_bench_case *of, struct kt_bench_stage *stage, size_t side,
		   const struct kt_bench_options *options, double *ret_value,
		   struct kt_error *error)
{
	const struct kt_bench_server *server = &stage->servers[side];
	uint64_t before, after, done;
	int ret = kt_bench_stage_restart(stage, side, error);

	(void)of;
	(void)options;
	if (ret == 0)
		ret = kt_bench_load_run(stage->load, server->port, WARM_UP, 0, &done, error);
	if (ret == 0)
		ret = memory(server, &before, error);
	if (ret == 0)
		ret = hold(stage, server, &after, error);
	if (ret)
		return kt_bench_server_blame(server, error);
	*ret_value = ((double)after - (double)before) / HELD;
	return 0;
}

KT_BENCH_STAGE_SIDES(measure)

#define CASE(text, what)                                                                           \
	{                                                                                          \
		.name = (text), .unit = "B", .threads = 1, .prepare = prepare,                     \
		.finish = kt_bench_stage_finish, .is_there = kt_bench_stage_is_there,              \
		.size = (what), .measure = KT_BENCH_STAGE_MEASURES, .peers = {                     \
			KT_BENCH_PEER_NAMES                                                        \
		}                                                                                  \
	}

static const struct kt_bench_case cases[] = {
	CASE("mtls-bytes-per-connection", KT_BENCH_MTLS),
	CASE("bytes-per-connection", KT_BENCH_SERVER_ONLY),
};

const struct kt_bench_suite kt_bench_idle = {
	.name = "idle",
	.title = "Memory of a server for each idle connection, at 2,000",
	.cases = cases,
	.count = sizeof cases / sizeof cases[0],
	.seconds = 1,
};
