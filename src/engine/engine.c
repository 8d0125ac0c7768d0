/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine as its controlling thread sees it: made, started, drained, freed. */
#include "engine.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "listen.h"
#include "listener.h"
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
	int err = 0;

	if (!options->listener_count)
		return kt_error_set(error, EINVAL, "engine", 0, "no listener");
	shared->listeners = calloc(options->listener_count, sizeof *shared->listeners);
	if (!shared->listeners)
		return kt_error_set(error, ENOMEM, "engine", 0, "out of memory");
	for (size_t i = 0; i < options->listener_count && !err; i++)
		err = kt_listener_init(&shared->listeners[shared->listener_count++],
				       &options->listeners[i], error);
	return err;
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
	for (size_t i = 0; i < shared->listener_count; i++)
		kt_listener_fini(&shared->listeners[i]);
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
