/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engines for a fuzzer: real workers, rings and sockets, but in step with it, with a clock that it
 * sets, and with a kernel whose answers it may change (engine_answers.h).
 *
 * In step. Where a worker would sleep (kt_ring_wait), it stops until stage_run; so either the
 * fuzzer's thread runs or the worker's, and everything that one does is done when the other goes
 * on. A worker that finds ever more to do by itself is an error.
 *
 * Linked with --wrap (Makefile). Threads: one, beside the workers.
 */
#ifndef KTRUST_FUZZ_ENGINE_STAGE_H
#define KTRUST_FUZZ_ENGINE_STAGE_H

#include <semaphore.h>

#include "../../src/engine/worker.h"
#include "../engine/rig.h"
#include "engine_answers.h"

enum stage_kind {
	STAGE_MUTUAL, /* clients show certificates, to a pool that is chosen by name */
	STAGE_OPEN,   /* they show none; few are taken in */
	STAGE_MUTUAL_OFFLOADED,
	STAGE_OPEN_OFFLOADED, /* by a kernel that knows no next key, and must take the first */
	STAGE_PROXY,	      /* PROXY headers in and out */
	STAGE_TIGHT,	      /* two backends, of which one is not there; low limits */
	STAGE_CHOSEN,	      /* pools are chosen by a function */
	STAGE_ORIGIN,
	STAGE_ORIGIN_OFFLOADED,
	STAGE_ORIGIN_HTTP,
	STAGE_ORIGIN_SOCKS,
	STAGE_HANDOFF,
	STAGE_HANDOFF_ALONE, /* nobody listens there */
	STAGE_KINDS
};

struct stage {
	enum stage_kind kind;
	struct kt_engine *engine; /* NULL: not made yet */
	struct kt_worker *worker;
	struct kt_address address;
	bool offloads;
	bool rekeys; /* its kernel takes next keys */
	sem_t go, idle;
	bool is_free; /* from all steps: at the fuzzer's end */
};

/* Beside: what all stages share. The listening sockets do not block. */
struct world {
	struct rig rig;		     /* its pool is that of clients */
	struct kt_pool *origin_pool; /* of the targets' roots */
	int backend;		     /* listening, for backends, targets and proxies */
	int receiver;		     /* of connections that are handed over */
};

struct world *stage_world(void);

/* Make it when it is asked for the first time. */
struct stage *stage_get(enum stage_kind kind);

static inline bool stage_is_origin(const struct stage *stage)
{
	return stage->kind >= STAGE_ORIGIN && stage->kind <= STAGE_ORIGIN_SOCKS;
}

/* The one whose worker this thread is; NULL: none. */
struct stage *stage_mine(void);

/* Let the worker do all that there is to do. */
void stage_run(struct stage *stage);

/* CLOCK_MONOTONIC goes on. */
void stage_pass(uint64_t ns);

#endif
