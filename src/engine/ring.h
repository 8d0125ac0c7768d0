/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One worker's io_uring: made in one thread, used by the worker only.
 *
 * The queue of submissions cannot run over: whoever handles an event first reserves room for all
 * that the event may cause (KT_RING_STEP), and kt_ring_sqe then always has an entry. When the
 * kernel takes no submissions for the moment, events wait, not entries. The queue of completions
 * may run over; the kernel keeps the rest (IORING_FEAT_NODROP) until there is room.
 */
#ifndef KTRUST_ENGINE_RING_H
#define KTRUST_ENGINE_RING_H

#include <liburing.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ktrust/error.h>

#define KT_RING_STEP 8 /* most submissions that handling one event makes */

/*
 * Threads of the kernel (io-wq) that may wait in calls of one worker, which there should be none
 * of: what poll cannot tell when to do, io_uring gives to one after 128 times, and further calls
 * wait until one is free. So no client's read is such a call (conn_io.c, listen.c), nor is the
 * connection to a Unix socket (backend.c). What is left are sends: for which the kernel has no
 * memory, or of which many wait for one receiver (handoff.c). The kernel's own limit is the user's
 * number of processes. Before Linux 6.4 it is so many for each NUMA node.
 */
#define KT_RING_THREADS 64

struct kt_ring {
	struct io_uring uring;
	/* Counts up when the kernel is entered and when it is left: odd in between. For any thread.
	 */
	_Atomic unsigned int turn;
};

/* The ring is disabled until kt_ring_enable, which its only user calls. -EPERM, -ENOSYS, … */
KT_WARN_UNUSED int kt_ring_init(struct kt_ring *ring, struct kt_error *error);
void kt_ring_fini(struct kt_ring *ring);
KT_WARN_UNUSED int kt_ring_enable(struct kt_ring *ring);

/* What mends this error of io_uring's calls (-errno), in parentheses behind a blank; "": nothing
 * known. */
const char *kt_ring_advice(int err);

/* Submits what is queued if there is less room than `count` entries. False: none for now. */
KT_WARN_UNUSED bool kt_ring_reserve(struct kt_ring *ring, unsigned int count);

/* An entry out of those reserved. */
struct io_uring_sqe *kt_ring_sqe(struct kt_ring *ring, uint64_t user_data);

/* Submit, and wait for a completion until timeout_ns have passed (UINT64_MAX: for ever). */
void kt_ring_wait(struct kt_ring *ring, uint64_t timeout_ns);

#endif
