/* SPDX-License-Identifier: BSD-2-Clause */
#include "listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Checking -------------------------------------------------------------------------------- */

static int check_pools(const struct kt_listener_options *options, struct kt_error *error)
{
	bool verifies = options->client_auth != KT_CLIENT_AUTH_NONE;

	if (verifies && !options->pool && !options->choose_pool)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "asking clients for certificates needs a pool");
	if (!verifies && (options->pool_count || options->choose_pool))
		return kt_error_set(error, EINVAL, options->name, 0,
				    "pools by name need client certificates to be asked for");
	if (options->pool_count && options->choose_pool)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "pools are chosen by patterns or by a callback, not by both");
	return 0;
}

static int check_handoff(const struct kt_listener_options *options, struct kt_error *error)
{
	if (options->backend_count)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "a listener has backends or a handoff, not both");
	if (options->proxy_protocol != KT_PROXY_OFF)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "PROXY headers are for backends: a handoff has a description");
	if (options->handoff.addr.ss_family != AF_UNIX)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "a handoff needs a Unix socket (unix:PATH)");
	return 0;
}

static int check_backends(const struct kt_listener_options *options, struct kt_error *error)
{
	if (options->handoff.len)
		return check_handoff(options, error);
	if (!options->backend_count)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "a listener needs a backend, or a handoff");
	if (options->backend_count > KT_BACKENDS_MAX)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "a listener has %d backends at most", KT_BACKENDS_MAX);
	for (size_t i = 0; i < options->backend_count; i++)
		if (!options->backends[i].len)
			return kt_error_set(error, EINVAL, options->name, 0,
					    "a backend needs an address");
	return 0;
}

static int check_target(const struct kt_listener_options *options, const struct kt_target *target,
			struct kt_error *error)
{
	if (!target->name || strlen(target->name) >= KT_HOST_SIZE ||
	    (target->name_type != KT_NAME_DNS && target->name_type != KT_NAME_IP))
		return kt_error_set(error, EINVAL, options->name, 0,
				    "a target needs a host name or an address to be verified by");
	if (options->upstream && (!target->host || !kt_upstream_is_host(target->host)))
		return kt_error_set(error, EINVAL, options->name, 0,
				    "a target needs a host name that a proxy can be asked for");
	if (!options->upstream && !target->address.len)
		return kt_error_set(error, EINVAL, options->name, 0, "a target needs an address");
	return 0;
}

static int check_upstream(const struct kt_listener_options *options, struct kt_error *error)
{
	const struct kt_upstream_options *upstream = options->upstream;

	if (!upstream)
		return 0;
	if (!upstream->address.len)
		return kt_error_set(error, EINVAL, options->name, 0, "a proxy needs an address");
	if (upstream->login.user[0] && !kt_upstream_is_login(upstream->kind, &upstream->login))
		return kt_error_set(error, EINVAL, options->name, 0,
				    "this login cannot be said to such a proxy");
	return 0;
}

/* What is for listeners that serve clients over TLS. */
static bool has_parts_of_a_server(const struct kt_listener_options *options)
{
	return options->backend_count || options->client_auth != KT_CLIENT_AUTH_NONE ||
	       options->pool_count || options->choose_pool || options->proxy_from_count ||
	       options->proxy_protocol != KT_PROXY_OFF;
}

static int check_origin(const struct kt_listener_options *options, struct kt_error *error)
{
	int err = 0;

	if (has_parts_of_a_server(options))
		return kt_error_set(error, EINVAL, options->name, 0,
				    "an origin has targets and a pool, and no other parts of a "
				    "server");
	if (!options->pool)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "verifying servers needs a pool");
	if (!options->target_count || options->target_count > KT_BACKENDS_MAX)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "an origin has 1 to %d targets", KT_BACKENDS_MAX);
	for (size_t i = 0; i < options->target_count && !err; i++)
		err = check_target(options, &options->targets[i], error);
	return err ? err : check_upstream(options, error);
}

static int check_networks(const struct kt_listener_options *options, struct kt_error *error)
{
	if (options->proxy_from_count > KT_PROXY_FROM_MAX)
		return kt_error_set(error, EINVAL, options->name, 0,
				    "a listener has %d networks of PROXY headers at most",
				    KT_PROXY_FROM_MAX);
	return 0;
}

static int check_listener(const struct kt_listener_options *options, struct kt_error *error)
{
	const char *name = options->name;
	int err;

	if (!name || !name[0] || strlen(name) >= sizeof((struct kt_listener *)0)->name)
		return kt_error_set(error, EINVAL, name, 0,
				    "a listener's name has 1 to %zu characters",
				    sizeof((struct kt_listener *)0)->name - 1);
	if (options->mode == KT_MODE_ORIGIN)
		return check_origin(options, error);
	if (options->target_count || options->upstream)
		return kt_error_set(error, EINVAL, name, 0,
				    "targets and a proxy are for an origin");
	if (!options->credentials == !options->credentials_slot)
		return kt_error_set(error, EINVAL, name, 0,
				    "a listener needs a certificate, or a slot of them");
	err = check_backends(options, error);
	if (!err)
		err = check_networks(options, error);
	return err ? err : check_pools(options, error);
}

/* ---- Copying --------------------------------------------------------------------------------- */

static int copy_credentials(struct kt_listener *to, const struct kt_listener_options *from,
			    struct kt_error *error)
{
	if (from->credentials)
		to->credentials = kt_credentials_get(from->credentials);
	to->credentials_slot = from->credentials_slot;
	if (!from->alpn)
		return 0;
	to->alpn = malloc(from->alpn_len);
	if (!to->alpn)
		return kt_error_set(error, ENOMEM, from->name, 0, "out of memory");
	memcpy(to->alpn, from->alpn, from->alpn_len);
	to->alpn_len = from->alpn_len;
	return 0;
}

static int copy_networks(struct kt_listener *to, const struct kt_listener_options *from,
			 struct kt_error *error)
{
	size_t size = from->proxy_from_count * sizeof *to->proxy_from;

	if (!size)
		return 0;
	to->proxy_from = malloc(size);
	if (!to->proxy_from)
		return kt_error_set(error, ENOMEM, from->name, 0, "out of memory");
	memcpy(to->proxy_from, from->proxy_from, size);
	to->proxy_from_count = from->proxy_from_count;
	return 0;
}

static void copy_target(struct kt_listener_target *to, const struct kt_target *from)
{
	snprintf(to->host, sizeof to->host, "%s", from->host ? from->host : "");
	snprintf(to->name, sizeof to->name, "%s", from->name);
	to->port = from->port;
	to->name_type = from->name_type;
}

static int copy_targets(struct kt_listener *to, const struct kt_listener_options *from,
			struct kt_error *error)
{
	if (from->mode != KT_MODE_ORIGIN)
		return 0;
	to->targets = calloc(from->target_count, sizeof *to->targets);
	if (from->upstream)
		to->upstream = malloc(sizeof *to->upstream);
	if (!to->targets || !to->upstream != !from->upstream)
		return kt_error_set(error, ENOMEM, from->name, 0, "out of memory");
	if (from->upstream)
		*to->upstream = *from->upstream;
	for (size_t i = 0; i < from->target_count; i++) {
		copy_target(&to->targets[i], &from->targets[i]);
		to->backends[i] =
			from->upstream ? from->upstream->address : from->targets[i].address;
	}
	to->backend_count = (unsigned int)from->target_count;
	to->pool = from->pool;
	return 0;
}

int kt_listener_init(struct kt_listener *listener, const struct kt_listener_options *options,
		     struct kt_error *error)
{
	int err = check_listener(options, error);

	if (!err)
		err = kt_names_init(&listener->names, options->pools, options->pool_count, error);
	if (!err)
		err = copy_credentials(listener, options, error);
	if (!err)
		err = copy_networks(listener, options, error);
	if (!err)
		err = copy_targets(listener, options, error);
	if (err)
		return err;
	snprintf(listener->name, sizeof listener->name, "%s", options->name);
	listener->mode = options->mode;
	listener->address = options->listen;
	for (size_t k = 0; k < options->backend_count; k++)
		listener->backends[listener->backend_count++] = options->backends[k];
	listener->client_auth = options->client_auth;
	if (options->client_auth != KT_CLIENT_AUTH_NONE)
		listener->pool = options->pool;
	listener->choose_pool = options->choose_pool;
	listener->choose_arg = options->choose_arg;
	listener->ca_names = options->ca_names;
	listener->policy = options->policy;
	listener->proxy_protocol = options->proxy_protocol;
	listener->handoff = options->handoff;
	listener->handoff_user = options->handoff_user;
	listener->handoff_queue = options->handoff_queue;
	return 0;
}

static void free_upstream(struct kt_upstream_options *upstream)
{
	if (upstream)
		explicit_bzero(upstream, sizeof *upstream);
	free(upstream);
}

void kt_listener_fini(struct kt_listener *listener)
{
	kt_credentials_put(listener->credentials);
	free(listener->alpn);
	free(listener->proxy_from);
	free(listener->targets);
	free_upstream(listener->upstream);
	kt_names_fini(&listener->names);
}
