/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a pool is inside, for the files that are its life: pool.c (publication), slot.c (readers),
 * life.c (candidates), guard.c, history.c, state.c.
 *
 * Locks: `writer` is taken first and held over grace periods and the disk; `looks` is held for a
 * few instructions, never over a call that waits.
 */
#ifndef KT_POOL_INSIDE_H
#define KT_POOL_INSIDE_H

#include <pthread.h>

#include <ktrust/life.h>

#include "slot.h"
#include "store.h"

/* A snapshot beside what its manifest said, and whether it is in the state directory. */
struct kt_past {
	struct kt_snapshot *snapshot;
	uint64_t epoch;
	bool kept;
};

struct kt_pool {
	char name[KT_POOL_NAME_MAX + 1]; /* immutable */
	const struct kt_allow *allow;	 /* borrowed; set before the pool is shared; NULL: all */
	pthread_mutex_t writer;		 /* serialises writers; readers never take it */
	pthread_mutex_t looks;		 /* what is said to be under it; see above */
	struct kt_slot slot;		 /* switched under writer, read in read sections */
	struct kt_slot staged;		 /* likewise: the candidate's snapshot */
	/* Under writer. */
	struct kt_guards guards;
	struct kt_manifest staged_manifest;  /* epoch 0: it came with none */
	struct kt_store *store;		     /* NULL: nothing is kept */
	uint64_t last;			     /* the highest version that was given to a snapshot */
	uint8_t epoch_digest[KT_DIGEST_LEN]; /* what `epoch` was published with */
	bool resumable; /* the newest of the past is what the last run ended with, under `last` */
	bool newest_missing; /* what the last run published last is not in the past: see state_error
			      */
	/* Written under both locks, read under either. */
	uint64_t epoch;		/* the highest that was published */
	uint64_t current_epoch; /* of the current snapshot; 0: it had no manifest */
	bool current_kept;
	struct kt_past past[KT_HISTORY_MAX]; /* newest first; no reader has these any more */
	size_t past_count;
	size_t past_most;
	struct kt_error state_error; /* until the first publication: what the past lacks */
	/* Atomic: written by anybody. */
	uint64_t published;
	uint64_t reclaimed;
	uint64_t refused;
};

/* ---- pool.c: all with writer held, but for the last ------------------------------------------ */

/*
 * Publish without asking guards, unless it is current already. next is spent in any case. epoch: of
 * its manifest; 0: it has none. -ENOMEM, -EIO, -EOPNOTSUPP: it needed another version than it has,
 * and could not get it.
 */
KT_WARN_UNUSED int kt_pool_publish(struct kt_pool *pool, struct kt_snapshot *next, uint64_t epoch,
				   struct kt_pool_change *ret_change, struct kt_error *error);

/* How `next` compares with what is current. */
struct kt_pool_change kt_pool_compare(const struct kt_pool *pool, const struct kt_snapshot *next);

/* -EDEADLK within a read section. No lock. */
KT_WARN_UNUSED int kt_pool_may_wait(const struct kt_pool *pool, struct kt_error *error);

/* Is this what is current? */
bool kt_pool_is_current(const struct kt_pool *pool, const struct kt_snapshot *next);

/* What guards compare with: the current snapshot, else the newest of the past, else NULL. */
const struct kt_snapshot *kt_pool_reference(const struct kt_pool *pool);

/* ---- guard.c --------------------------------------------------------------------------------- */

/* What the guards say; epoch as for kt_pool_publish. The errors are in ktrust/life.h. */
KT_WARN_UNUSED int kt_guard_check(const struct kt_pool *pool, const struct kt_snapshot *next,
				  const struct kt_manifest *manifest, struct kt_error *error);
/* The epoch of the manifest, if it is of this content; else 0: forced past it, it has none. */
uint64_t kt_guard_epoch(const struct kt_snapshot *next, const struct kt_manifest *manifest);
/* For a roll-back: an epoch that was published before, perhaps. */
KT_WARN_UNUSED int kt_guard_check_past(const struct kt_pool *pool, const struct kt_past *past,
				       struct kt_error *error);

/* ---- history.c: writer held ------------------------------------------------------------------ */

/* The newest of the past from now on; it is the history's then, or freed. */
void kt_history_push(struct kt_pool *pool, struct kt_past past);
/* Take it out again; it is the caller's then. */
struct kt_past kt_history_take_newest(struct kt_pool *pool);
/* Free what there is no room for. */
void kt_history_trim(struct kt_pool *pool);
void kt_history_drop_all(struct kt_pool *pool);

/* ---- state.c: writer held -------------------------------------------------------------------- */

/*
 * Have the state directory hold what it must once `next`, which may be NULL, is current: next with
 * its epoch, the past, the counter. Returns whether it does; what went wrong is in state_error.
 * Without a state directory: false.
 */
bool kt_state_keep(struct kt_pool *pool, const struct kt_snapshot *next, uint64_t epoch);

/* ---- renumber.c ------------------------------------------------------------------------------ */

/* A copy with another version, made now. Or -errno. */
KT_WARN_UNUSED int kt_snapshot_renumber(const struct kt_snapshot *snapshot, uint64_t version,
					struct kt_snapshot **ret_snapshot);

#endif
