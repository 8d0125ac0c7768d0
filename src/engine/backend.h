/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of several backends a connection tries next, and who waits for one.
 *
 * Threads: a worker's own, for each of its listeners; workers do not tell each other.
 */
#ifndef KTRUST_ENGINE_BACKEND_H
#define KTRUST_ENGINE_BACKEND_H

#include <stdint.h>

#include "list.h"

struct kt_door;

/* All zeros: nothing is known against it. */
struct kt_backend_rest {
	uint64_t until_ns; /* CLOCK_MONOTONIC; 0: it does not rest */
};

/*
 * The first backend in order of preference that was not tried (bits of `tried`) and does not rest;
 * else the first that was not tried; -1: all were. One whose rest is over is taken once, and rests
 * for share_ns more unless kt_backend_answered says that it is back.
 */
int kt_backend_choose(struct kt_backend_rest *rests, unsigned int count, unsigned int tried,
		      uint64_t now_ns, uint64_t share_ns);

/* It did not connect: it rests for a second. */
void kt_backend_failed(struct kt_backend_rest *rest, uint64_t now_ns);
/* It did. */
void kt_backend_answered(struct kt_backend_rest *rest);

/* Connections that wait for room in the queue of a Unix socket, first come, first served. */
struct kt_backend_queue {
	struct kt_list waiting;
	uint64_t retry_ns; /* CLOCK_MONOTONIC */
};

/* Ask for those that wait, if it is time. Each round, with room on the ring or without. */
void kt_backends_tend(struct kt_door *door);

/* When kt_backends_tend has something to do; UINT64_MAX: never by itself. */
uint64_t kt_backends_due_ns(const struct kt_door *door);

#endif
