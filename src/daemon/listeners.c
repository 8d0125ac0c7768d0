/* SPDX-License-Identifier: BSD-2-Clause */
#include "listeners.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What options of an origin point to. */
struct origin {
	struct kt_target targets[KT_BACKENDS_MAX];
	char hosts[KT_BACKENDS_MAX][KT_HOST_SIZE];
	struct kt_upstream_options upstream;
};

struct kt_listeners {
	const struct kt_config *config;
	struct kt_pools *pools;
	struct kt_identities *identities;
	struct kt_listener_options options[KT_LISTENERS_MAX];
	struct kt_address backends[KT_LISTENERS_MAX][KT_BACKENDS_MAX]; /* that these name */
	struct origin origins[KT_LISTENERS_MAX];		       /* likewise */
};

/* The pools are there: kt_config_check saw to it. */
static int describe_names(struct kt_listeners *listeners, const struct kt_config_listener *listener,
			  struct kt_listener_options *options, struct kt_error *error)
{
	struct kt_pool_for *pools = calloc(listener->names.count + 1, sizeof *pools);

	if (!pools)
		return kt_error_set(error, ENOMEM, listener->name, 0, "out of memory");
	for (size_t i = 0; i < listener->names.count; i++) {
		const struct kt_config_name *name = &listener->names.at[i];

		pools[i].pattern = name->pattern;
		pools[i].pool = kt_pools_named(listeners->pools, name->pool);
	}
	options->pools = pools;
	options->pool_count = listener->names.count;
	return 0;
}

/* The place of the k-th is there whatever those before it resolve to. */
static size_t room_for(const struct kt_config_texts *texts, size_t k, size_t taken)
{
	return KT_BACKENDS_MAX - taken - (texts->count - 1 - k);
}

/* Each address of a name is a backend of its own: it is not known where somebody listens. */
static int describe_backends(struct kt_listeners *listeners, size_t i, struct kt_error *error)
{
	const struct kt_config_texts *texts = &listeners->config->listeners[i].backends;
	struct kt_listener_options *options = &listeners->options[i];
	struct kt_address *backends = listeners->backends[i];
	size_t taken = 0;

	for (size_t k = 0; k < texts->count; k++) {
		size_t count;
		int err = kt_addresses_parse(texts->at[k], room_for(texts, k, taken),
					     backends + taken, &count, error);

		if (err)
			return err;
		taken += count;
	}
	options->backends = backends;
	options->backend_count = taken;
	return 0;
}

static int find_user(const char *name, uid_t *ret_uid, struct kt_error *error)
{
	const struct passwd *user = getpwnam(name);
	unsigned long number;
	char *end;

	if (user) {
		*ret_uid = user->pw_uid;
		return 0;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	/* The last is no user's: (uid_t)-1 */
	if (errno || *end || !isdigit((unsigned char)name[0]) || number >= UINT32_MAX)
		return kt_error_set(error, EINVAL, name, 0,
				    "handoff-user: there is no such user (a name, or a number)");
	*ret_uid = (uid_t)number;
	return 0;
}

static int describe_handoff(struct kt_listeners *listeners, size_t i, struct kt_error *error)
{
	const struct kt_config_listener *listener = &listeners->config->listeners[i];
	struct kt_listener_options *options = &listeners->options[i];
	int err;

	if (!listener->handoff)
		return 0;
	options->handoff_queue = listener->handoff_queue;
	options->handoff_user = geteuid();
	err = kt_address_parse(listener->handoff, &options->handoff, error);
	if (!err && listener->handoff_user)
		err = find_user(listener->handoff_user, &options->handoff_user, error);
	return err;
}

static int describe_proxy(const struct kt_config_listener *listener,
			  struct kt_listener_options *options, struct origin *origin,
			  struct kt_error *error)
{
	struct kt_upstream_url url;
	int err = 0;

	if (!listener->proxy)
		return 0;
	err = kt_upstream_url_parse(listener->proxy, &url, error);
	if (!err)
		err = kt_address_parse(url.address, &origin->upstream.address, error);
	if (!err && listener->proxy_credentials)
		err = kt_upstream_login_read(listener->proxy_credentials, &origin->upstream.login,
					     error);
	if (err)
		return err;
	origin->upstream.kind = url.kind;
	options->upstream = &origin->upstream;
	return 0;
}

static bool is_ip(const char *text)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* Where it is: each address of a name is a target. What a proxy is asked for it resolves itself. */
static int reach_target(const struct kt_config_listener *listener, size_t k, size_t room,
			struct kt_target target, struct kt_target *ret_targets, size_t *ret_count,
			struct kt_error *error)
{
	struct kt_address addresses[KT_BACKENDS_MAX] = {{.len = 0}};
	size_t count = 1;
	int err = listener->proxy ? 0
				  : kt_addresses_parse(listener->targets.at[k], room, addresses,
						       &count, error);

	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		target.address = addresses[i];
		ret_targets[i] = target;
	}
	*ret_count = count;
	return 0;
}

static int describe_target(const struct kt_config_listener *listener, size_t k,
			   struct origin *origin, size_t *taken, struct kt_error *error)
{
	struct kt_target target = {.host = origin->hosts[k]};
	size_t count = 0;
	int err = kt_address_split(listener->targets.at[k], origin->hosts[k], &target.port, error);

	if (err)
		return err;
	target.name = listener->target_name ? listener->target_name : target.host;
	target.name_type = is_ip(target.name) ? KT_NAME_IP : KT_NAME_DNS;
	err = reach_target(listener, k, room_for(&listener->targets, k, *taken), target,
			   origin->targets + *taken, &count, error);
	*taken += count;
	return err;
}

static int describe_origin(struct kt_listeners *listeners, size_t i, struct kt_error *error)
{
	const struct kt_config_listener *listener = &listeners->config->listeners[i];
	struct kt_listener_options *options = &listeners->options[i];
	struct origin *origin = &listeners->origins[i];
	int err = 0;

	if (listener->mode != KT_MODE_ORIGIN)
		return 0;
	options->client_auth = KT_CLIENT_AUTH_NONE;
	options->pool = kt_pools_named(listeners->pools, listener->server_pool);
	options->policy.profile = listener->server_profile;
	options->targets = origin->targets;
	for (size_t k = 0; k < listener->targets.count && !err; k++)
		err = describe_target(listener, k, origin, &options->target_count, error);
	return err ? err : describe_proxy(listener, options, origin, error);
}

/* What the engine is to be told; the addresses are resolved here. */
static int describe_listener(struct kt_listeners *listeners, size_t i, struct kt_error *error)
{
	const struct kt_config_listener *listener = &listeners->config->listeners[i];
	struct kt_listener_options *options = &listeners->options[i];
	int err;

	*options = (struct kt_listener_options){
		.name = listener->name,
		.mode = listener->mode,
		.credentials_slot = kt_identities_slot(listeners->identities, i),
		.alpn = listener->alpn.list,
		.alpn_len = listener->alpn.len,
		.client_auth = listener->client_auth,
		.ca_names = listener->ca_names,
		.policy.profile = listener->profile,
		.proxy_from = listener->proxy_from.at,
		.proxy_from_count = listener->proxy_from.count,
		.proxy_protocol = listener->proxy_protocol,
	};
	if (listener->pool)
		options->pool = kt_pools_named(listeners->pools, listener->pool);
	err = describe_names(listeners, listener, options, error);
	if (!err)
		err = kt_address_parse(listener->listen, &options->listen, error);
	if (!err)
		err = describe_handoff(listeners, i, error);
	if (!err)
		err = describe_backends(listeners, i, error);
	return err ? err : describe_origin(listeners, i, error);
}

int kt_listeners_new(const struct kt_config *config, struct kt_pools *pools,
		     struct kt_identities *identities, struct kt_listeners **ret_listeners,
		     struct kt_error *error)
{
	struct kt_listeners *listeners = calloc(1, sizeof *listeners);
	int err = 0;

	if (!listeners)
		return kt_error_set(error, ENOMEM, "listeners", 0, "out of memory");
	listeners->config = config;
	listeners->pools = pools;
	listeners->identities = identities;
	for (size_t i = 0; i < config->listener_count && !err; i++)
		err = describe_listener(listeners, i, error);
	if (err) {
		kt_listeners_free(listeners);
		return err;
	}
	*ret_listeners = listeners;
	return 0;
}

const struct kt_listener_options *kt_listeners_options(const struct kt_listeners *listeners)
{
	return listeners->options;
}

void kt_listeners_free(struct kt_listeners *listeners)
{
	if (!listeners)
		return;
	for (size_t i = 0; i < listeners->config->listener_count; i++)
		free((void *)listeners->options[i].pools);
	explicit_bzero(listeners, sizeof *listeners); /* with the logins of proxies */
	free(listeners);
}
