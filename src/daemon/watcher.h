/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools that are staged or loaded when their sources change (watch = stage | commit), and listeners
 * whose certificates and keys are (credentials-watch = yes).
 *
 * A thread of its own, which looks (watch.h), waits for quiet, and calls kt_pools_load,
 * kt_pools_stage_watched or kt_identities_load. What fails is logged there and tried again at the
 * next change; what was left for the sake of somebody's candidate, when that is gone.
 */
#ifndef KTRUST_DAEMON_WATCHER_H
#define KTRUST_DAEMON_WATCHER_H

#include "identities.h"
#include "pools.h"

struct kt_watcher;

/*
 * *ret_watcher is NULL when nothing is to be watched. The others are borrowed. What is watched is
 * looked at once at the start, since it was read before it was watched. errno of inotify, of a
 * thread; -ENOMEM.
 */
KT_WARN_UNUSED int kt_watcher_new(const struct kt_config *config, struct kt_pools *pools,
				  struct kt_identities *identities, struct kt_watcher **ret_watcher,
				  struct kt_error *error);

/* Waits for what it is doing. NULL is fine. */
void kt_watcher_free(struct kt_watcher *watcher);

#endif
