/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The case of `ktrust bench swaps`: how long clients wait for a full handshake with their
 * certificates while their pool is replaced SWAPS_PER_S times a second (ours), and while it is not
 * (still).
 *
 * At half load: clients first make connections as fast as they and ktrustd can, and then half as
 * many in the same time, one each so many nanoseconds, whether those before are done or not. The
 * time of each begins when it was to begin, and ends when its byte is back from the backend: a
 * server that makes clients wait cannot make them fewer (coordinated omission). The pool goes to
 * and fro between our CA alone, and it beside another, through the control socket: each time the
 * file is read, checked and published.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/pem.h>

#include "../control/control.h"
#include "ask.h"
#include "clock.h"
#include "stage.h"
#include "stats.h"

#define SWAPS_PER_S 100u
#define PERIOD_NS   (1000000000u / SWAPS_PER_S)
#define TRIAL_S	    1.0	 /* of full load */
#define LEAST	    200u /* connections of a measurement: less have no 99th percentile */
#define ONE	    "one.pem"
#define BOTH	    "two.pem"

struct swaps {
	struct kt_bench_stage *stage;
	uint64_t interval_ns; /* of half load */
	char one[PATH_MAX], both[PATH_MAX];
};

/* ---- Who publishes --------------------------------------------------------------------------- */

struct publisher {
	const struct swaps *swaps;
	struct kt_control *control;
	atomic_bool ends;
	uint64_t published;
	int err;
	struct kt_error error;
};

static void wait_until(uint64_t when_ns)
{
	const struct timespec when = {.tv_sec = (time_t)(when_ns / 1000000000u),
				      .tv_nsec = (long)(when_ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

/* By the clock too: one that takes long makes none after it fewer. */
static void *publish(void *arg)
{
	struct publisher *publisher = arg;
	const struct swaps *swaps = publisher->swaps;
	uint64_t begin = kt_bench_now_ns();

	while (!publisher->err && !atomic_load(&publisher->ends)) {
		bool odd = publisher->published % 2;

		publisher->err = kt_bench_ask_publish(
			publisher->control, odd ? swaps->one : swaps->both, &publisher->error);
		publisher->published++;
		wait_until(begin + publisher->published * PERIOD_NS);
	}
	/* As it was. */
	if (!publisher->err && publisher->published % 2)
		publisher->err =
			kt_bench_ask_publish(publisher->control, swaps->one, &publisher->error);
	return NULL;
}

/* ---- Preparing ------------------------------------------------------------------------------- */

static bool write_anchors(const char *path, X509 *first, X509 *second)
{
	FILE *file = fopen(path, "we");
	bool good =
		file && PEM_write_X509(file, first) && (!second || PEM_write_X509(file, second));

	if (file && fclose(file))
		good = false;
	return good;
}

static int write_files(struct swaps *swaps, struct kt_error *error)
{
	const struct kt_bench_stage *stage = swaps->stage;
	const struct kt_bench_parties *parties = stage->parties;

	snprintf(swaps->one, sizeof swaps->one, "%s/" ONE, stage->scratch.path);
	snprintf(swaps->both, sizeof swaps->both, "%s/" BOTH, stage->scratch.path);
	if (write_anchors(swaps->one, parties->root.x509, NULL) &&
	    write_anchors(swaps->both, parties->root.x509, parties->other_root.x509))
		return 0;
	return kt_error_set(error, EIO, swaps->both, 0, "cannot be written");
}

static int find_half_load(struct swaps *swaps, struct kt_error *error)
{
	struct kt_bench_stage *stage = swaps->stage;
	const struct kt_bench_server *server = &stage->servers[KT_BENCH_OURS];
	uint64_t done, begun;
	/* Nobody is new any more then. */
	int ret =
		kt_bench_load_run(stage->load, server->port, 4 * KT_BENCH_CLIENTS, 0, &done, error);

	begun = kt_bench_now_ns();
	if (ret == 0)
		ret = kt_bench_load_run(stage->load, server->port, 0, TRIAL_S, &done, error);
	if (ret)
		return kt_bench_server_blame(server, error);
	swaps->interval_ns = 2 * (kt_bench_now_ns() - begun) / done;
	return 0;
}

static void finish(void *state)
{
	struct swaps *swaps = state;

	if (swaps->stage)
		kt_bench_stage_finish(swaps->stage);
	free(swaps);
}

static int prepare(size_t size, const struct kt_bench_options *options, void **ret_state,
		   struct kt_error *error)
{
	struct swaps *swaps = calloc(1, sizeof *swaps);
	void *stage;
	int ret;

	if (!swaps)
		return kt_error_set(error, ENOMEM, "servers", 0, "out of memory");
	ret = kt_bench_stage_prepare(size, options, &stage, error);
	if (ret == 0) {
		swaps->stage = stage;
		ret = write_files(swaps, error);
	}
	if (ret == 0)
		ret = find_half_load(swaps, error);
	if (ret) {
		finish(swaps);
		return ret;
	}
	*ret_state = swaps;
	return 0;
}

/* Both sides are the same server. */
static bool is_there(void *state, size_t side, char note[static KT_BENCH_NOTE_MAX])
{
	const struct swaps *swaps = state;

	(void)side;
	return kt_bench_stage_is_there(swaps->stage, KT_BENCH_OURS, note);
}

/* ---- Measuring ------------------------------------------------------------------------------- */

static int pace(struct swaps *swaps, double seconds, double *ret_us, struct kt_error *error)
{
	const struct kt_bench_server *server = &swaps->stage->servers[KT_BENCH_OURS];
	double wanted = seconds * 1e9 / (double)swaps->interval_ns, *latencies;
	unsigned int count = wanted > LEAST ? (unsigned int)wanted : LEAST;
	int ret;

	latencies = calloc(count, sizeof *latencies);
	if (!latencies)
		return kt_error_set(error, ENOMEM, "clients", 0, "out of memory");
	ret = kt_bench_load_pace(swaps->stage->load, server->port, count, swaps->interval_ns,
				 latencies, error);
	if (ret == 0)
		*ret_us = kt_bench_quantile(latencies, count, 0.99);
	else
		kt_bench_server_blame(server, error);
	free(latencies);
	return ret;
}

static int still(const struct kt_bench_case *of, void *state,
		 const struct kt_bench_options *options, double *ret_value, struct kt_error *error)
{
	(void)of;
	return pace(state, options->seconds, ret_value, error);
}

static int pace_with(struct swaps *swaps, struct publisher *publisher, double seconds,
		     double *ret_us, struct kt_error *error)
{
	pthread_t thread;
	int ret = pthread_create(&thread, NULL, publish, publisher);

	if (ret)
		return kt_error_set(error, ret, "publisher", 0, "no thread for it");
	ret = pace(swaps, seconds, ret_us, error);
	atomic_store(&publisher->ends, true);
	pthread_join(thread, NULL);
	if (ret == 0 && publisher->err) {
		*error = publisher->error;
		ret = publisher->err;
	}
	return ret;
}

static int swapping(const struct kt_bench_case *of, void *state,
		    const struct kt_bench_options *options, double *ret_value,
		    struct kt_error *error)
{
	struct swaps *swaps = state;
	struct publisher publisher = {.swaps = swaps};
	int ret = kt_bench_ask_begin(swaps->stage->scratch.path, &publisher.control, error);

	(void)of;
	if (ret)
		return ret;
	ret = pace_with(swaps, &publisher, options->seconds, ret_value, error);
	kt_control_free(publisher.control);
	return ret;
}

static const struct kt_bench_case cases[] = {
	{.name = "mtls-p256-latency-p99",
	 .unit = "us",
	 .threads = 1,
	 .prepare = prepare,
	 .finish = finish,
	 .is_there = is_there,
	 .size = KT_BENCH_MTLS_OURS,
	 .measure = {swapping, NULL, NULL, still},
	 .peers = {"still"}},
};

const struct kt_bench_suite kt_bench_swaps = {
	.name = "swaps",
	.title = "Latency of full handshakes at half load while the pool is replaced 100 times a "
		 "second",
	.cases = cases,
	.count = sizeof cases / sizeof cases[0],
	.seconds = 3,
};
