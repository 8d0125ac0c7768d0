/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's pools: each with the sources its configuration names, loaded at start, on SIGHUP and
 * on request.
 *
 * Threads: after kt_pools_new the set of pools is fixed; kt_pools_load may be called from any
 * thread, one load of a pool at a time (it waits). Looking never waits for a load.
 */
#ifndef KTRUST_DAEMON_POOLS_H
#define KTRUST_DAEMON_POOLS_H

#include <stddef.h>

#include <ktrust/life.h>

#include "config.h"
#include "gather.h"

struct kt_pools;

/* Make an empty pool for each of the configuration, which is borrowed for the life of it. */
KT_WARN_UNUSED int kt_pools_new(const struct kt_config *config, struct kt_pools **ret_pools,
				struct kt_error *error);
/* Nobody may use the pools any more. NULL is fine. */
void kt_pools_free(struct kt_pools *pools);

size_t kt_pools_count(const struct kt_pools *pools);
struct kt_pool *kt_pools_at(const struct kt_pools *pools, size_t index);
struct kt_pool *kt_pools_named(const struct kt_pools *pools, const char *name); /* NULL: none */

/*
 * Load one pool (flags: KT_FORCE): from `sources` when there are any (for this once; the next
 * reload goes back to the configuration), else from its configured sources. Says what happened in
 * the log. On failure the snapshot that was published stays, and the error is kept for
 * kt_pools_last_error.
 */
#define KT_CONFIGURED_SOURCES ((struct kt_sources){NULL, 0})
KT_WARN_UNUSED int kt_pools_load(struct kt_pools *pools, size_t index, struct kt_sources sources,
				 unsigned int flags, struct kt_pool_change *ret_change,
				 struct kt_error *error);

/* A candidate: what it would change, and which one it is. */
struct kt_pools_candidate {
	struct kt_pool_change change;
	uint8_t digest[KT_DIGEST_LEN]; /* all zeros: nothing is staged, there is nothing new */
};

/* The same, as far as a candidate, in place of any other. */
KT_WARN_UNUSED int kt_pools_stage(struct kt_pools *pools, size_t index, struct kt_sources sources,
				  struct kt_pools_candidate *ret_candidate, struct kt_error *error);

/*
 * The same for the watcher, from the configured sources: a candidate that somebody else staged is
 * neither replaced nor dropped, since he may be about to commit what he has read of it. -EBUSY then
 * (said in the log); when that candidate is gone, kt_pools_freed_fd is readable (an eventfd, one
 * for all pools), and kt_pools_take_left says once which pools are to be staged now.
 */
KT_WARN_UNUSED int kt_pools_stage_watched(struct kt_pools *pools, size_t index);
int kt_pools_freed_fd(const struct kt_pools *pools);
bool kt_pools_take_left(struct kt_pools *pools, size_t index);

/* kt_pool_check and kt_pool_unstage, with no other candidate coming in between. */
KT_WARN_UNUSED int kt_pools_check(struct kt_pools *pools, size_t index,
				  struct kt_pools_candidate *ret_candidate, struct kt_error *error);
KT_WARN_UNUSED int kt_pools_unstage(struct kt_pools *pools, size_t index, struct kt_error *error);

/*
 * kt_pool_commit_staged and kt_pool_roll_back, said in the log and remembered likewise. digest:
 * NULL, or hex digits that the candidate's digest must begin with; -ESTALE: it does not, so it is
 * not the one that the asker knows.
 */
KT_WARN_UNUSED int kt_pools_commit(struct kt_pools *pools, size_t index, const char *digest,
				   unsigned int flags, struct kt_pool_change *ret_change,
				   struct kt_error *error);
KT_WARN_UNUSED int kt_pools_roll_back(struct kt_pools *pools, size_t index, uint64_t version,
				      unsigned int flags, struct kt_pool_change *ret_change,
				      struct kt_error *error);

/* Take up the state directory for all. Before the first load. */
KT_WARN_UNUSED int kt_pools_use_state(struct kt_pools *pools, const char *dir,
				      struct kt_error *error);

/* Publish the last good snapshot of the state directory, since a load failed. Said loudly. */
KT_WARN_UNUSED int kt_pools_restore(struct kt_pools *pools, size_t index);

/* Why the last load, stage, commit or roll-back of this pool failed; ret_error->err is 0 when it
 * did not. */
void kt_pools_last_error(struct kt_pools *pools, size_t index, struct kt_error *ret_error);

/* What its sources noted at the last load or stage. */
void kt_pools_notes(struct kt_pools *pools, size_t index, struct kt_notes *ret_notes);

#endif
