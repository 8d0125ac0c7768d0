/* SPDX-License-Identifier: BSD-2-Clause */
/* The cases of `ktrust bench handshake`: connections per CPU second of the server's processes. */
#include <errno.h>

#include "stage.h"

/* ---- Measuring ------------------------------------------------------------------------------- */

/* What a server keeps of clients that come again, it has by then. */
#define WARM_UP 12 /* times as long as it is measured: each client came 128 times, and more */

static int warm_up(struct kt_bench_stage *stage, size_t side, double seconds,
		   struct kt_error *error)
{
	uint16_t port = stage->servers[side].port;
	uint64_t done;
	int ret;

	if (stage->warm[side])
		return kt_bench_load_run(stage->load, port, KT_BENCH_CLIENTS, 0, &done, error);
	ret = kt_bench_load_run(stage->load, port, 0, WARM_UP * seconds, &done, error);
	stage->warm[side] = ret == 0;
	return ret;
}

static int rate(const struct kt_bench_case *of, struct kt_bench_stage *stage, size_t side,
		const struct kt_bench_options *options, double *ret_value, struct kt_error *error)
{
	const struct kt_bench_server *server = &stage->servers[side];
	uint64_t before, after, done;
	int ret = warm_up(stage, side, options->seconds, error);

	(void)of;
	if (ret == 0)
		ret = kt_bench_server_cpu_ns(server, &before, error);
	if (ret == 0)
		ret = kt_bench_load_run(stage->load, server->port, 0, options->seconds, &done,
					error);
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

KT_BENCH_STAGE_SIDES(rate)

/* ---- Cases ----------------------------------------------------------------------------------- */

#define CASE(text, what)                                                                           \
	{                                                                                          \
		.name = (text), .unit = "1/cpu-s", .threads = 1, .more_is_better = true,           \
		.prepare = kt_bench_stage_prepare, .finish = kt_bench_stage_finish,                \
		.is_there = kt_bench_stage_is_there, .size = (what),                               \
		.measure = KT_BENCH_STAGE_MEASURES, .peers = {                                     \
			KT_BENCH_PEER_NAMES                                                        \
		}                                                                                  \
	}

static const struct kt_bench_case cases[] = {
	CASE("mtls-p256-full", KT_BENCH_MTLS),
	CASE("mtls-p256-tickets", KT_BENCH_MTLS_TICKETS),
	CASE("server-p256-full", KT_BENCH_SERVER_ONLY),
};

const struct kt_bench_suite kt_bench_handshake = {
	.name = "handshake",
	.title = "Full TLS 1.3 handshakes through a relay, per CPU second of the server",
	.cases = cases,
	.count = sizeof cases / sizeof cases[0],
	.seconds = 1, /* seven sides of three cases: six minutes in all */
};
