/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine as its controlling thread sees it: made, started, drained, freed. */
#include "engine.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "listen.h"
#include "watchdog.h"
#include "worker.h"

#define HANDSHAKE_TIMEOUT_MS   10000
#define CONNECT_TIMEOUT_MS     5000
#define IDLE_TIMEOUT_MS	       3600000
#define LINGER_TIMEOUT_MS      2000
#define HOLD_TIMEOUT_MS	       10000
#define CONNECTIONS_MAX	       65536
#define WORKERS_MAX	       1024
#define HANDSHAKES_MAX	       8192
#define HANDSHAKES_ADDRESS_MAX 1024

struct kt_engine {
	struct kt_shared shared;
	unsigned int initialised;     /* workers that kt_worker_fini must see */
	struct kt_watchdog *watchdog; /* NULL: no records are the kernel's, or nothing runs */
};

struct kt_shared *kt_engine_shared(const struct kt_engine *engine)
{
	return (struct kt_shared *)&engine->shared;
}

/* ---- Making ---------------------------------------------------------------------------------- */

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

static int copy_budgets(struct kt_shared *shared, const struct kt_engine_options *options,
			struct kt_error *error)
{
	shared->connections_max =
		options->connections_max ? options->connections_max : CONNECTIONS_MAX;
	shared->handshakes_max = options->handshakes_max ? options->handshakes_max : HANDSHAKES_MAX;
	shared->handshakes_address_max = options->handshakes_address_max
						 ? options->handshakes_address_max
						 : HANDSHAKES_ADDRESS_MAX;
	if (shared->handshakes_max > KT_BUDGET_MAX)
		return kt_error_set(error, EINVAL, "engine", 0,
				    "a worker has %u handshakes in flight at most", KT_BUDGET_MAX);
	return 0;
}

static int copy_listeners(struct kt_shared *shared, const struct kt_engine_options *options,
			  struct kt_error *error)
{
	if (!options->listener_count)
		return kt_error_set(error, EINVAL, "engine", 0, "no listener");
	shared->listeners = calloc(options->listener_count, sizeof *shared->listeners);
	if (!shared->listeners)
		return kt_error_set(error, ENOMEM, "engine", 0, "out of memory");
	for (size_t i = 0; i < options->listener_count; i++) {
		const struct kt_listener_options *from = &options->listeners[i];
		struct kt_listener *to = &shared->listeners[i];
		int err = check_listener(from, error);

		if (!err)
			err = kt_names_init(&to->names, from->pools, from->pool_count, error);
		if (err)
			return err;
		shared->listener_count++;
		err = copy_credentials(to, from, error);
		if (!err)
			err = copy_networks(to, from, error);
		if (!err)
			err = copy_targets(to, from, error);
		if (err)
			return err;
		snprintf(to->name, sizeof to->name, "%s", from->name);
		to->mode = from->mode;
		to->address = from->listen;
		for (size_t k = 0; k < from->backend_count; k++)
			to->backends[to->backend_count++] = from->backends[k];
		to->client_auth = from->client_auth;
		if (from->client_auth != KT_CLIENT_AUTH_NONE)
			to->pool = from->pool;
		to->choose_pool = from->choose_pool;
		to->choose_arg = from->choose_arg;
		to->ca_names = from->ca_names;
		to->policy = from->policy;
		to->proxy_protocol = from->proxy_protocol;
		to->handoff = from->handoff;
		to->handoff_user = from->handoff_user;
		to->handoff_queue = from->handoff_queue;
	}
	return 0;
}

static int make_caches(struct kt_shared *shared, const struct kt_engine_options *options,
		       struct kt_error *error)
{
	int err = 0;

	shared->verifier.mode = options->verifier;
	if (!options->forget_verdicts)
		err = kt_verify_cache_new(&options->cache, &shared->verifier.cache);
	if (err)
		return kt_error_set(error, -err, "engine", 0, "cannot make a cache of verdicts: %s",
				    strerror(-err));
	if (options->certificates_max)
		err = kt_tls_certificates_new(options->certificates_max, &shared->certificates);
	if (err)
		return kt_error_set(error, -err, "engine", 0,
				    "cannot make room for decoded certificates: %s",
				    strerror(-err));
	return 0;
}

static unsigned int count_workers(unsigned int wanted)
{
	cpu_set_t cpus;

	if (!wanted && !sched_getaffinity(0, sizeof cpus, &cpus))
		wanted = (unsigned int)CPU_COUNT(&cpus);
	if (!wanted)
		wanted = 1;
	return wanted < WORKERS_MAX ? wanted : WORKERS_MAX;
}

static uint64_t milliseconds(unsigned int wanted, unsigned int otherwise)
{
	return (wanted ? wanted : otherwise) * UINT64_C(1000000);
}

/* Every version, cipher and direction: whoever requires kTLS must not meet its lack in a handshake.
 */
static bool kernel_has_all(const struct kt_ktls_support *support)
{
	for (int cipher = 0; cipher < KT_CIPHER_COUNT; cipher++)
		if (!kt_ktls_supports(support, KT_TLS_1_2, (enum kt_cipher)cipher) ||
		    !kt_ktls_supports(support, KT_TLS_1_3, (enum kt_cipher)cipher))
			return false;
	return true;
}

/* Who needs kTLS: NULL: nobody. */
static const char *who_requires(const struct kt_shared *shared)
{
	for (size_t i = 0; i < shared->listener_count; i++)
		if (shared->listeners[i].handoff.len)
			return shared->listeners[i].name;
	return shared->ktls == KT_KTLS_REQUIRE ? "ktls = require" : NULL;
}

/* A kernel that cannot be asked is one without kTLS: unless it is required, service goes on. */
static int probe_kernel(struct kt_shared *shared, struct kt_error *error)
{
	struct kt_ktls_support *support = &shared->support;
	const char *who = who_requires(shared);
	int err;

	if (shared->ktls == KT_KTLS_OFF && who)
		return kt_error_set(error, EINVAL, who, 0,
				    "a handoff needs kTLS, which is off (ktls = auto)");
	if (shared->ktls == KT_KTLS_OFF)
		return 0;
	err = kt_ktls_probe(support);
	if (err)
		*support = (struct kt_ktls_support){.attach_err = -err};
	if (!who)
		return 0;
	if (!support->attach)
		return kt_error_set(error, EOPNOTSUPP, who, 0,
				    "kTLS is needed, and missing: %s (modprobe tls; CONFIG_TLS)",
				    strerror(support->attach_err));
	if (!kernel_has_all(support))
		return kt_error_set(
			error, EOPNOTSUPP, who, 0,
			"kTLS is needed, and the kernel lacks a cipher (ktrust doctor names it; "
			"modprobe -a gcm chacha20poly1305)");
	return 0;
}

static int make_workers(struct kt_engine *engine, unsigned int count, struct kt_error *error)
{
	struct kt_shared *shared = &engine->shared;
	int err = 0;

	shared->workers = calloc(count, sizeof *shared->workers);
	if (!shared->workers)
		return kt_error_set(error, ENOMEM, "engine", 0, "out of memory");
	shared->worker_count = count;
	while (engine->initialised < count && !err) {
		unsigned int index = engine->initialised++;

		err = kt_worker_init(&shared->workers[index], shared, index, error);
	}
	return err;
}

static int open_doors(struct kt_shared *shared, size_t listener, int *fds, struct kt_error *error)
{
	struct kt_address *address = &shared->listeners[listener].address;
	int err = kt_listen(address, shared->worker_count, fds, address, error);

	if (err)
		return err;
	for (unsigned int i = 0; i < shared->worker_count; i++)
		shared->workers[i].doors[listener].fd = fds[i];
	return 0;
}

static int open_all_doors(struct kt_shared *shared, struct kt_error *error)
{
	int *fds = calloc(shared->worker_count, sizeof *fds);
	int err = 0;

	if (!fds)
		return kt_error_set(error, ENOMEM, "engine", 0, "out of memory");
	for (size_t i = 0; i < shared->listener_count && !err; i++)
		err = open_doors(shared, i, fds, error);
	free(fds);
	return err;
}

int kt_engine_new(const struct kt_engine_options *options, struct kt_engine **ret_engine,
		  struct kt_error *error)
{
	struct kt_engine *engine = calloc(1, sizeof *engine);
	struct kt_shared *shared;
	int err;

	if (!engine)
		return kt_error_set(error, ENOMEM, "engine", 0, "out of memory");
	shared = &engine->shared;
	pthread_mutex_init(&shared->lock, NULL);
	shared->ktls = options->ktls;
	shared->key_records_max = options->key_records_max;
	shared->timeout_ns[KT_TIMER_HANDSHAKE] =
		milliseconds(options->handshake_timeout_ms, HANDSHAKE_TIMEOUT_MS);
	for (unsigned int i = 1; i <= KT_BACKENDS_MAX; i++)
		shared->timeout_ns[kt_timer_connect(i)] =
			milliseconds(options->connect_timeout_ms, CONNECT_TIMEOUT_MS) / i;
	shared->timeout_ns[KT_TIMER_IDLE] = milliseconds(options->idle_timeout_ms, IDLE_TIMEOUT_MS);
	shared->timeout_ns[KT_TIMER_LINGER] = milliseconds(LINGER_TIMEOUT_MS, 0);
	shared->hold_ns = milliseconds(options->hold_timeout_ms, HOLD_TIMEOUT_MS);
	err = copy_budgets(shared, options, error);
	if (!err)
		err = copy_listeners(shared, options, error);
	if (!err)
		err = make_caches(shared, options, error);
	if (!err)
		err = probe_kernel(shared, error);
	if (!err)
		err = make_workers(engine, count_workers(options->workers), error);
	if (!err)
		err = open_all_doors(shared, error);
	if (err) {
		kt_engine_free(engine);
		return err;
	}
	*ret_engine = engine;
	return 0;
}

static int start_workers(struct kt_shared *shared, struct kt_error *error)
{
	for (unsigned int i = 0; i < shared->worker_count; i++) {
		int err = kt_worker_start(&shared->workers[i]);

		if (err)
			return kt_error_set(error, -err, "engine", 0, "cannot start worker %u: %s",
					    i, strerror(-err));
	}
	return 0;
}

static int start_watchdog(struct kt_engine *engine, struct kt_error *error)
{
	int err = kt_watchdog_start(&engine->shared, &engine->watchdog);

	if (err)
		return kt_error_set(error, -err, "engine", 0, "cannot start the watchdog: %s",
				    strerror(-err));
	return 0;
}

int kt_engine_start(struct kt_engine *engine, struct kt_error *error)
{
	int err = start_workers(&engine->shared, error);

	if (!err && engine->shared.support.attach)
		err = start_watchdog(engine, error);
	if (err)
		kt_engine_drain(engine, 0);
	return err;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void order_all(struct kt_shared *shared, bool cut)
{
	for (unsigned int i = 0; i < shared->worker_count; i++) {
		struct kt_worker *worker = &shared->workers[i];

		atomic_store(&worker->draining, true);
		if (cut)
			atomic_store(&worker->cutting, true);
		kt_worker_wake(worker);
	}
}

static struct timespec deadline_after(unsigned int timeout_ms)
{
	uint64_t at = kt_monotonic_ns() + timeout_ms * UINT64_C(1000000);

	return (struct timespec){.tv_sec = (time_t)(at / 1000000000),
				 .tv_nsec = (long)(at % 1000000000)};
}

static bool stops_in_time(struct kt_worker *worker, const struct timespec *deadline)
{
	int rc;

	do {
		rc = sem_clockwait(&worker->stopped, CLOCK_MONOTONIC, deadline);
	} while (rc && errno == EINTR);
	return !rc;
}

static bool all_stop_in_time(struct kt_shared *shared, const struct timespec *deadline)
{
	for (unsigned int i = 0; i < shared->worker_count; i++)
		if (shared->workers[i].started && !stops_in_time(&shared->workers[i], deadline))
			return false;
	return true;
}

static void join_all(struct kt_shared *shared)
{
	for (unsigned int i = 0; i < shared->worker_count; i++) {
		if (shared->workers[i].started)
			pthread_join(shared->workers[i].thread, NULL);
		shared->workers[i].started = false;
	}
}

size_t kt_engine_drain(struct kt_engine *engine, unsigned int timeout_ms)
{
	struct kt_shared *shared = &engine->shared;
	struct timespec deadline = deadline_after(timeout_ms);
	size_t cut = 0;

	order_all(shared, false);
	if (!all_stop_in_time(shared, &deadline))
		order_all(shared, true);
	join_all(shared);
	kt_watchdog_stop(engine->watchdog);
	engine->watchdog = NULL;
	for (unsigned int i = 0; i < shared->worker_count; i++)
		cut += shared->workers[i].cut_count;
	return cut;
}

static void free_upstream(struct kt_upstream_options *upstream)
{
	if (upstream)
		explicit_bzero(upstream, sizeof *upstream);
	free(upstream);
}

void kt_engine_free(struct kt_engine *engine)
{
	struct kt_shared *shared;

	if (!engine)
		return;
	shared = &engine->shared;
	for (unsigned int i = 0; i < engine->initialised; i++)
		kt_worker_fini(&shared->workers[i]);
	free(shared->workers);
	kt_verify_cache_free(shared->verifier.cache);
	kt_tls_certificates_free(shared->certificates);
	kt_stats_forget_pools(shared);
	for (size_t i = 0; i < shared->listener_count; i++) {
		kt_credentials_put(shared->listeners[i].credentials);
		free(shared->listeners[i].alpn);
		free(shared->listeners[i].proxy_from);
		free(shared->listeners[i].targets);
		free_upstream(shared->listeners[i].upstream);
		kt_names_fini(&shared->listeners[i].names);
	}
	free(shared->listeners);
	pthread_mutex_destroy(&shared->lock);
	free(engine);
}

/* ---- Looking --------------------------------------------------------------------------------- */

const struct kt_ktls_support *kt_engine_ktls(const struct kt_engine *engine)
{
	return &engine->shared.support;
}

void kt_engine_get_cache_stats(const struct kt_engine *engine,
			       struct kt_verify_cache_stats *ret_stats)
{
	*ret_stats = (struct kt_verify_cache_stats){0};
	if (engine->shared.verifier.cache)
		kt_verify_cache_get_stats(engine->shared.verifier.cache, ret_stats);
}

void kt_engine_get_certificates_stats(const struct kt_engine *engine,
				      struct kt_tls_certificates_stats *ret_stats)
{
	*ret_stats = (struct kt_tls_certificates_stats){0};
	if (engine->shared.certificates)
		kt_tls_certificates_get_stats(engine->shared.certificates, ret_stats);
}

int kt_engine_address(const struct kt_engine *engine, size_t listener,
		      struct kt_address *ret_address)
{
	if (listener >= engine->shared.listener_count)
		return -ERANGE;
	*ret_address = engine->shared.listeners[listener].address;
	return 0;
}
