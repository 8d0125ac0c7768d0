/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plain backend behind the servers: a byte that comes is sent back, an order for bulk data
 * (bulk.h) is followed, and a connection that the other side ends is ended. It counts. Its
 * descriptors are in an epoll of the caller's, who hands on what that tells: data.ptr is a struct
 * kt_bench_spot.
 *
 * Threads: one.
 */
#ifndef KT_BENCH_BACKEND_H
#define KT_BENCH_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <ktrust/error.h>

#include "bulk.h"

#define KT_BENCH_SPOTS	 4096u /* connections at a time */
#define KT_BENCH_LISTENS 8u

/* What an event of the caller's epoll is about; the caller has spots of its own. */
struct kt_bench_spot {
	enum { KT_BENCH_FREE, KT_BENCH_LISTENS_AT, KT_BENCH_CONNECTION, KT_BENCH_CLIENT } is;
	int fd;
	/* Of a connection: */
	bool echoed; /* it has got its byte back */
	uint8_t order[KT_BENCH_ORDER_LEN];
	unsigned int order_len; /* bytes of it that have come; all: it is being followed */
	enum kt_bench_bulk what;
	uint64_t place, len; /* of the stretch */
};

struct kt_bench_backend {
	int epoll;
	struct kt_bench_spot listens[KT_BENCH_LISTENS];
	struct kt_bench_spot spots[KT_BENCH_SPOTS];
	unsigned int live;	      /* connections now */
	uint64_t connections, echoed; /* so far; the caller may set them back */
};

void kt_bench_backend_init(struct kt_bench_backend *backend, int epoll);
void kt_bench_backend_fini(struct kt_bench_backend *backend);

/* Listen on a free port of 127.0.0.1. -ENOSPC: on eight already. */
KT_WARN_UNUSED int kt_bench_backend_listen(struct kt_bench_backend *backend, uint16_t *ret_port,
					   struct kt_error *error);

/* An event at a spot of the backend's. */
KT_WARN_UNUSED int kt_bench_backend_event(struct kt_bench_backend *backend,
					  struct kt_bench_spot *spot, struct kt_error *error);

#endif
