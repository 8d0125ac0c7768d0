/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a pool's sources to a set: with the options that the pool's configuration asks for, and what
 * should be known of it logged and kept.
 *
 * Threads: pure but for the log; one set, one thread.
 */
#ifndef KTRUST_DAEMON_GATHER_H
#define KTRUST_DAEMON_GATHER_H

#include <ktrust/source.h>

#include "config.h"

#define KT_NOTES_KEPT 8

/* What sources noted, as kt_source_options.note tells it; the first of them. */
struct kt_notes {
	struct kt_error at[KT_NOTES_KEPT];
	size_t count;
};

/* Sources as written; borrowed. */
struct kt_sources {
	const char *const *at;
	size_t count;
};

/*
 * Add all of them to set, which is spent on failure. ret_names: all of them, as the snapshot says
 * what it was made of. ret_notes is filled on failure too. Errors: as kt_anchor_set_add_source and
 * kt_config_check_source, -EINVAL their names are too long in all.
 */
KT_WARN_UNUSED int kt_gather(const struct kt_config *config, const struct kt_config_pool *pool,
			     struct kt_sources sources, struct kt_anchor_set *set,
			     char ret_names[static KT_SOURCE_MAX + 1], struct kt_notes *ret_notes,
			     struct kt_error *error);

#endif
