/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's link to the program that takes over a listener's connections (src/handoff).
 *
 * It is made when the first connection needs it, and kept. A link that breaks is made again at once
 * if it ever carried something, else after a while (RETRY_NS in handoff.c), and only when a
 * connection needs it.
 *
 * Threads: the worker's own; `queued` is read by anybody.
 */
#ifndef KTRUST_ENGINE_LINK_H
#define KTRUST_ENGINE_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "list.h"

struct kt_door;

struct kt_link {
	int fd;		      /* -1: none */
	bool broken;	      /* closed as soon as no operation uses it */
	bool proven;	      /* it took something */
	unsigned int pending; /* operations on fd */
	/* Connections that wait: for a receiver (these are in `waiting`), or for room in its queue.
	 */
	_Atomic unsigned int queued;
	struct kt_list waiting;
	const char *why;   /* static storage: there was no receiver the last time */
	uint64_t retry_ns; /* not connected before, CLOCK_MONOTONIC; 0: now */
};

void kt_link_init(struct kt_link *link);
void kt_link_fini(struct kt_link *link);

/* Try again for those that wait, if it is time. Each round, with room on the ring or without. */
void kt_link_tend(struct kt_door *door);

/* When kt_link_tend has something to do; UINT64_MAX: never by itself. */
uint64_t kt_link_due_ns(const struct kt_link *link);

#endif
