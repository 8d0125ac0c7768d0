/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doors: where a worker takes connections in, and when it does not.
 *
 * Threads: the worker's own, but for kt_door_init and kt_door_fini.
 */
#ifndef KTRUST_ENGINE_DOOR_H
#define KTRUST_ENGINE_DOOR_H

#include "worker.h"

KT_WARN_UNUSED int kt_door_init(struct kt_door *door, struct kt_worker *worker,
				const struct kt_listener *listener, struct kt_error *error);
void kt_door_fini(struct kt_door *door);

/* A multishot accept gave a socket or an error; more: it goes on. */
void kt_door_accepted(struct kt_door *door, int res, bool more);

/* Once a round: open, close, take in who waits, as orders, limits and errors allow. */
void kt_doors_tend(struct kt_worker *worker);

/* When kt_doors_tend must be called again even if nothing happens; UINT64_MAX: never. */
uint64_t kt_doors_retry_ns(const struct kt_worker *worker);

/* All closed for good, and nobody waits. */
bool kt_doors_closed(const struct kt_worker *worker);

#endif
