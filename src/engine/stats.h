/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker counts.
 *
 * Threads: the worker alone writes. The counters are atomics that anybody may read; the tables are
 * guarded by the worker's lock.
 */
#ifndef KTRUST_ENGINE_STATS_H
#define KTRUST_ENGINE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include <ktrust/pool.h>

struct kt_worker;
struct kt_shared;
struct kt_conn;

#define KT_NAMES_MAX	96  /* distinct outcomes or ends; they are words of the source text */
#define KT_VERSIONS_MAX 256 /* of one pool */

struct kt_name_count {
	const char *name; /* static storage */
	uint64_t count;
};

struct kt_name_table {
	struct kt_name_count rows[KT_NAMES_MAX];
	unsigned int used;
};

/* One pool's: the newest versions, in order; what falls out is added to `older`. */
struct kt_version_table {
	const struct kt_pool *pool;
	struct kt_version_table *next; /* of the worker; NULL: the last */
	uint64_t older;
	unsigned int used;
	struct {
		uint64_t version;
		uint64_t count;
	} rows[KT_VERSIONS_MAX];
};

/* Why accepting rested. */
enum kt_pause {
	KT_PAUSE_FULL,
	KT_PAUSE_NO_DESCRIPTORS,
	KT_PAUSE_NO_MEMORY,
	KT_PAUSE_OTHER,
	KT_PAUSE_COUNT
};

struct kt_stats {
	_Atomic uint64_t accepted;
	_Atomic uint64_t pauses[KT_PAUSE_COUNT];
	_Atomic uint64_t handshakes_ok;
	_Atomic uint64_t handshakes_failed;
	_Atomic uint64_t ended;
	_Atomic uint64_t ktls_tx;
	_Atomic uint64_t ktls_rx;
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t bytes_out;
	_Atomic uint64_t bytes_copied;
	_Atomic uint64_t block_waits;
	_Atomic uint64_t handed_off;
	_Atomic uint64_t handoff_refused;
	/* Under the worker's lock: */
	struct kt_name_table outcomes;
	struct kt_name_table ends;
	struct kt_version_table *versions; /* a list, one a pool that let somebody in here */
};

/* One writer: no read-modify-write needed. */
static inline void kt_count(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
			      memory_order_relaxed);
}

static inline uint64_t kt_counted(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit((_Atomic uint64_t *)counter, memory_order_relaxed);
}

/*
 * Have a place to count whom a pool lets in, before it does: counting itself cannot fail then.
 * -ENOMEM.
 */
KT_WARN_UNUSED int kt_stats_know_pool(struct kt_worker *worker, const struct kt_pool *pool);

/* Frees what kt_stats_know_pool made: of the worker, and of all. */
void kt_stats_fini(struct kt_stats *stats);
void kt_stats_forget_pools(struct kt_shared *shared);

/* A handshake's outcome; when it was accepted, the connection also enters the live list. */
void kt_stats_outcome(struct kt_conn *conn, const char *outcome);

/* An accepted connection's end; it leaves the live list. */
void kt_stats_end(struct kt_conn *conn);

#endif
