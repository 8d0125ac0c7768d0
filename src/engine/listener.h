/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listener as the engine keeps it: its options, checked and copied.
 *
 * Threads: immutable once made, but for `address`, which the controlling thread sets before workers
 * start. Pools and the slot are the caller's, and outlive it. Not here: listening (listen.h), and
 * what a worker has of a listener (struct kt_door).
 */
#ifndef KTRUST_ENGINE_LISTENER_H
#define KTRUST_ENGINE_LISTENER_H

#include "engine.h"
#include "names.h"

struct kt_listener_target {
	char host[KT_HOST_SIZE];
	uint16_t port;
	char name[KT_HOST_SIZE];
	enum kt_name_type name_type;
};

struct kt_listener {
	char name[32];
	enum kt_listener_mode mode;
	struct kt_address address; /* as bound */
	/* The best first; of an origin, where to connect for each of its targets. */
	struct kt_address backends[KT_BACKENDS_MAX];
	unsigned int backend_count;
	struct kt_listener_target *targets;	      /* backend_count; NULL: no origin */
	struct kt_upstream_options *upstream;	      /* NULL: none; wiped with the engine */
	struct kt_credentials *credentials;	      /* NULL: those of … */
	struct kt_credentials_slot *credentials_slot; /* … this; borrowed */
	uint8_t *alpn;				      /* NULL: none */
	size_t alpn_len;
	enum kt_client_auth client_auth;
	struct kt_pool *pool; /* the default of `names`; NULL with KT_CLIENT_AUTH_NONE */
	struct kt_names names;
	int (*choose_pool)(const struct kt_hello *hello, void *choose_arg,
			   struct kt_pool **ret_pool, struct kt_error *error);
	void *choose_arg;
	enum kt_ca_names ca_names;
	struct kt_policy policy;
	struct kt_network *proxy_from; /* NULL: none */
	size_t proxy_from_count;
	enum kt_proxy_protocol proxy_protocol;
	struct kt_address handoff; /* length 0: connections go to backends */
	uid_t handoff_user;
	unsigned int handoff_queue;
};

/*
 * Into zeroed memory. -EINVAL: options that struct kt_listener_options does not allow, which the
 * error names; -ENOMEM.
 */
KT_WARN_UNUSED int kt_listener_init(struct kt_listener *listener,
				    const struct kt_listener_options *options,
				    struct kt_error *error);
/* Fine with what kt_listener_init left on failure. */
void kt_listener_fini(struct kt_listener *listener);

#endif
