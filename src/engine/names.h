/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pool belongs to a name: whole names, and "*." for one label.
 *
 * Threads: immutable once made.
 */
#ifndef KT_ENGINE_NAMES_H
#define KT_ENGINE_NAMES_H

#include "engine.h"

struct kt_named_pool {
	/* Lower case; of "*.example.org" the part ".example.org", which is no host name. */
	char *key;
	struct kt_pool *pool;
};

struct kt_names {
	struct kt_named_pool *rows; /* ordered by key */
	size_t count;
};

/* -EINVAL: a pattern that is none, or twice there, or without a pool; -ENOMEM. */
KT_WARN_UNUSED int kt_names_init(struct kt_names *names, const struct kt_pool_for *pools,
				 size_t count, struct kt_error *error);
void kt_names_fini(struct kt_names *names);

/* The pool of a name as a client sent it; NULL: no pattern matches. */
struct kt_pool *kt_names_find(const struct kt_names *names, const char *name);

#endif
