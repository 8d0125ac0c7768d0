/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: a thread with a ring, a door for each listener, and its connections.
 *
 * Threads. Everything belongs to the worker's thread while it runs, except: `lock` guards what
 * other threads look at (marked below); the orders are atomics that the controlling thread sets
 * before it wakes the worker, and so is what the watchdog has to say.
 */
#ifndef KTRUST_ENGINE_WORKER_H
#define KTRUST_ENGINE_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend.h"
#include "blocks.h"
#include "budget.h"
#include "conn.h"
#include "engine.h"
#include "link.h"
#include "list.h"
#include "listener.h"
#include "ring.h"
#include "slab.h"
#include "stats.h"

/*
 * A pool that has let somebody in, in the order of its first. Appended under shared->lock, read
 * without it: what is linked is immutable until the engine is freed.
 */
struct kt_known_pool {
	const struct kt_pool *pool;
	struct kt_known_pool *_Atomic next;
};

/* What workers share; immutable while they run, but for the atomics. */
struct kt_shared {
	struct kt_listener *listeners;
	size_t listener_count;
	struct kt_ktls_support support;
	enum kt_ktls_mode ktls;
	uint64_t key_records_max; /* 0: KT_KEY_RECORDS_MAX */
	uint64_t timeout_ns[KT_TIMER_COUNT];
	uint64_t hold_ns; /* how long a block may be held while other reads wait for one */
	unsigned int connections_max;
	unsigned int handshakes_max;		  /* of each worker */
	unsigned int handshakes_address_max;	  /* of these, from one address */
	struct kt_verifier_options verifier;	  /* its cache is the engine's; NULL: none */
	struct kt_tls_certificates *certificates; /* NULL: none */
	struct kt_worker *workers;
	unsigned int worker_count;
	_Atomic uint64_t next_conn;
	_Atomic unsigned int open;    /* connections of all workers; at most connections_max */
	_Atomic unsigned int waiting; /* workers that wait for one of these to end */
	pthread_mutex_t lock;	      /* for appending to pools */
	struct kt_known_pool *_Atomic pools;
};

/* One listener as one worker sees it. */
struct kt_door {
	_Alignas(KT_OP_MASK + 1) struct kt_worker *worker; /* for kt_op_data: there are several */
	const struct kt_listener *listener;
	struct kt_tls_context *context;
	struct kt_backend_rest rests[KT_BACKENDS_MAX];
	struct kt_backend_queue queues[KT_BACKENDS_MAX];
	struct kt_link link; /* to who takes connections over */
	int fd;		     /* -1: closed */
	bool armed;	     /* an accept is pending */
	bool stopping;	     /* … and asked to end */
	/*
	 * Sockets that a multishot accept brought although the engine was full: they wait here as
	 * they would have in the kernel's queue, which bounds their number.
	 */
	int *parked;
	size_t parked_count;
	size_t parked_size;
};

struct kt_worker {
	struct kt_shared *shared;
	unsigned int index;
	struct kt_ring ring;
	bool has_ring;
	pthread_t thread;
	bool started;  /* there is a thread to join */
	sem_t running; /* posted when start_err is known */
	sem_t stopped; /* posted when the thread is about to return */
	int start_err;
	struct kt_door *doors;	  /* shared->listener_count */
	int wake_fd;		  /* eventfd */
	uint64_t wake_value;	  /* where the ring reads it to */
	bool waits;		  /* counted in shared->waiting */
	uint64_t accept_after_ns; /* no accept before, CLOCK_MONOTONIC; 0: now */
	struct kt_blocks blocks;
	struct kt_slab conn_memory;
	struct kt_budget budget;
	struct kt_list starved; /* connections whose reads wait for a block */
	struct kt_list conns;
	struct kt_list timers[KT_TIMER_COUNT]; /* each ordered by deadline: all its periods equal */
	uint64_t now_ns;		       /* CLOCK_MONOTONIC, read once a round */
	size_t cut_count;

	_Atomic bool has_suspects; /* says the watchdog: there are connections to be judged */

	/* Orders of the controlling thread. */
	_Atomic bool draining; /* take nobody new; return when nobody is left */
	_Atomic bool cutting;  /* end everybody */

	pthread_mutex_t lock; /* guards live and stats.tables; never held while calling out */
	struct kt_list live;
	struct kt_stats stats;
};

/* Make everything but the thread and the listening sockets, which are put into doors[].fd. */
KT_WARN_UNUSED int kt_worker_init(struct kt_worker *worker, struct kt_shared *shared,
				  unsigned int index, struct kt_error *error);
/* The thread must be gone. Fine with what kt_worker_init left on failure. */
void kt_worker_fini(struct kt_worker *worker);

KT_WARN_UNUSED int kt_worker_start(struct kt_worker *worker);

/* Any thread: make it look at its orders. */
void kt_worker_wake(struct kt_worker *worker);

/* For connections: a timer of this kind from now on, instead of any other. */
void kt_worker_arm(struct kt_worker *worker, struct kt_conn *conn, enum kt_timer timer);
void kt_worker_disarm(struct kt_conn *conn);

/* A connection has been freed: somebody may accept again. */
void kt_worker_released(struct kt_worker *worker);

uint64_t kt_monotonic_ns(void);

struct kt_shared *kt_engine_shared(const struct kt_engine *engine);

#endif
