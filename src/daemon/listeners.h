/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the settings say of listeners, in the engine's words: names of hosts, users and pools are
 * resolved, and the logins of proxies read.
 *
 * Threads: the main thread, at start. Not here: what is wrong with settings by themselves
 * (kt_config_check).
 */
#ifndef KTRUST_DAEMON_LISTENERS_H
#define KTRUST_DAEMON_LISTENERS_H

#include "../engine/engine.h"
#include "config.h"
#include "identities.h"
#include "pools.h"

struct kt_listeners;

/*
 * The configuration is one that kt_config_check found right; it, the pools and the identities are
 * borrowed for the life of it. May block, in the resolver. The error names what cannot be resolved
 * or read; -ENOMEM.
 */
KT_WARN_UNUSED int kt_listeners_new(const struct kt_config *config, struct kt_pools *pools,
				    struct kt_identities *identities,
				    struct kt_listeners **ret_listeners, struct kt_error *error);

/* In the order of the configuration, as many; valid until the listeners are freed. */
const struct kt_listener_options *kt_listeners_options(const struct kt_listeners *listeners);

/* An engine that was made of them has copies. Logins are wiped. NULL is fine. */
void kt_listeners_free(struct kt_listeners *listeners);

#endif
