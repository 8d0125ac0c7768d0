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

#include <ktrust/pool.h>

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
 * Load one pool: from `sources` when there are any (for this once; the next reload goes back to the
 * configuration), else from its configured ones. Says what happened in the log. On failure the
 * snapshot that was published stays, and the error is kept for kt_pools_last_error.
 */
KT_WARN_UNUSED int kt_pools_load(struct kt_pools *pools, size_t index, struct kt_sources sources,
				 struct kt_pool_change *ret_change, struct kt_error *error);

/* Why the last load of this pool failed; ret_error->err is 0 when it did not. */
void kt_pools_last_error(struct kt_pools *pools, size_t index, struct kt_error *ret_error);

/* What its sources noted at the last load. */
void kt_pools_notes(struct kt_pools *pools, size_t index, struct kt_notes *ret_notes);

#endif
