/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the load (load.h) share: its lanes, and a turn of its loop. Threads: one. */
#ifndef KT_BENCH_LOAD_IN_H
#define KT_BENCH_LOAD_IN_H

#include <openssl/types.h>

#include "backend.h"
#include "client.h"
#include "load.h"

/* A place for a connection of a client. */
struct kt_bench_lane {
	struct kt_bench_spot spot; /* first: what epoll tells of */
	struct kt_bench_client client;
	uint64_t due_ns; /* when a paced one was to begin; 0: it has its byte */
};

struct kt_bench_load {
	int epoll;
	struct kt_bench_backend backend;
	SSL_CTX *clients[KT_BENCH_CLIENTS]; /* without certificates only the first */
	unsigned int client_count;
	unsigned int next; /* of the clients */
	SSL_CTX *stranger;
	struct kt_bench_lane lanes[KT_BENCH_IN_FLIGHT];
	struct kt_bench_lane *held; /* NULL: none are */
	unsigned int held_count;
};

/* What a run is to do, and has done. */
struct kt_bench_load_run {
	uint16_t port;
	unsigned int count; /* 0: for a time */
	uint64_t until_ns;
	uint64_t begun, done;
	/* Of a paced run, whose connections begin when they are due, and not when others are done:
	 */
	double *latencies_us; /* NULL: it is not paced; room for count */
	uint64_t measured;
};

/* Connect; the lane is free. */
KT_WARN_UNUSED int kt_bench_lane_begin(struct kt_bench_load *load, struct kt_bench_lane *lane,
				       SSL_CTX *context, uint16_t port, struct kt_error *error);
/* Free again, whatever it was. */
void kt_bench_lane_end(struct kt_bench_lane *lane);

/* The context of the next client. */
SSL_CTX *kt_bench_load_next_client(struct kt_bench_load *load);

/* Wait for events, until then (CLOCK_MONOTONIC; 0: until nothing has happened for long, which is an
 * error), and handle them. */
KT_WARN_UNUSED int kt_bench_load_turn(struct kt_bench_load *load, struct kt_bench_load_run *run,
				      uint64_t until_ns, struct kt_error *error);

/* Before and behind a run: the backend must have seen what the clients did. */
void kt_bench_load_count_anew(struct kt_bench_load *load);
KT_WARN_UNUSED int kt_bench_load_compare(const struct kt_bench_load *load,
					 const struct kt_bench_load_run *run,
					 struct kt_error *error);

#endif
