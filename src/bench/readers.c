/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers of a pool that is replaced meanwhile, on both sides. On the stock side the store is
 * shared as programs of OpenSSL share it: a mutex guards the pointer, a reference keeps the store.
 *
 * Threads: those that measure here start, let run for a while, stop and join all others.
 */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509.h>

#include <ktrust/pool.h>

#include "clock.h"
#include "stats.h"

#define THREADS_MAX   64
#define SETS	      2 /* published by turns */
#define SWAP_EVERY_NS 10000000
#define BATCH	      256 /* sections between two looks at the flag */
#define SECTION_NS    300000
#define COMMITS_MIN   100
#define COMMITS_MAX   4096

struct readers {
	size_t threads;
	struct kt_bench_roots roots; /* one for each set */
	struct kt_anchor_set *sets[SETS];
	struct kt_pool *pool;
	pthread_mutex_t lock;
	X509_STORE *store; /* guarded by lock; the reference is held here */
	unsigned int turn; /* of the publisher */
	bool stop;	   /* atomic */
	uint64_t sections; /* atomic: sum over all readers that ended */
};

static bool stopped(struct readers *readers)
{
	return __atomic_load_n(&readers->stop, __ATOMIC_RELAXED);
}

static void ended(struct readers *readers, uint64_t sections)
{
	__atomic_fetch_add(&readers->sections, sections, __ATOMIC_RELAXED);
}

/* The compiler may not leave out what made this pointer. */
static void use(const void *pointer)
{
	__asm__ volatile("" : : "r"(pointer) : "memory");
}

/* Readers look at the flag behind a batch: one that runs late has measured something too. */

/* ---- Ours ---------------------------------------------------------------------------------- */

static void *read_ours(void *arg)
{
	struct readers *readers = arg;
	uint64_t sections = 0;

	do {
		for (unsigned int i = 0; i < BATCH; i++) {
			use(kt_pool_read_begin(readers->pool));
			kt_pool_read_end(readers->pool);
		}
		sections += BATCH;
	} while (!stopped(readers));
	ended(readers, sections);
	return NULL;
}

static int publish_ours(struct readers *readers, struct kt_error *error)
{
	struct kt_pool_change change;

	return kt_pool_commit(readers->pool, readers->sets[readers->turn++ % SETS], "benchmark",
			      &change, error);
}

/* ---- Stock --------------------------------------------------------------------------------- */

static void *read_stock(void *arg)
{
	struct readers *readers = arg;
	uint64_t sections = 0;

	do {
		for (unsigned int i = 0; i < BATCH; i++) {
			X509_STORE *store;

			pthread_mutex_lock(&readers->lock);
			store = readers->store;
			X509_STORE_up_ref(store);
			pthread_mutex_unlock(&readers->lock);
			use(store);
			X509_STORE_free(store);
		}
		sections += BATCH;
	} while (!stopped(readers));
	ended(readers, sections);
	return NULL;
}

static X509_STORE *make_store(const struct kt_bench_roots *roots, unsigned int number)
{
	const uint8_t *der = roots->der + number * roots->der_len;
	X509 *cert = d2i_X509(NULL, &der, (long)roots->der_len);
	X509_STORE *store = X509_STORE_new();

	if (!cert || !store || !X509_STORE_add_cert(store, cert)) {
		X509_STORE_free(store);
		store = NULL;
	}
	X509_free(cert);
	return store;
}

static int publish_stock(struct readers *readers, struct kt_error *error)
{
	X509_STORE *next = make_store(&readers->roots, readers->turn++ % SETS), *old;

	if (!next)
		return kt_error_set(error, EIO, "X509_STORE", 0, "a store could not be made");
	pthread_mutex_lock(&readers->lock);
	old = readers->store;
	readers->store = next;
	pthread_mutex_unlock(&readers->lock);
	X509_STORE_free(old);
	return 0;
}

/* ---- Making -------------------------------------------------------------------------------- */

static int make_sets(struct readers *readers, struct kt_error *error)
{
	int ret = kt_bench_roots_make(&readers->roots, SETS, error);

	for (unsigned int i = 0; i < SETS && ret == 0; i++) {
		readers->sets[i] = kt_anchor_set_new();
		if (!readers->sets[i])
			return kt_error_set(error, ENOMEM, "roots", 0, "out of memory");
		ret = kt_anchor_set_add_der(readers->sets[i],
					    readers->roots.der + i * readers->roots.der_len,
					    readers->roots.der_len, "roots", i + 1, error);
	}
	return ret;
}

void kt_bench_readers_free(void *state)
{
	struct readers *readers = state;

	X509_STORE_free(readers->store);
	pthread_mutex_destroy(&readers->lock);
	kt_pool_free(readers->pool);
	for (unsigned int i = 0; i < SETS; i++)
		kt_anchor_set_free(readers->sets[i]);
	kt_bench_roots_fini(&readers->roots);
	free(readers);
}

int kt_bench_readers_make(size_t size, const struct kt_bench_options *options, void **ret_state,
			  struct kt_error *error)
{
	struct readers *readers = calloc(1, sizeof *readers);
	int ret;

	(void)options;
	if (!readers)
		return kt_error_set(error, ENOMEM, "readers", 0, "out of memory");
	readers->threads = size;
	pthread_mutex_init(&readers->lock, NULL);
	ret = make_sets(readers, error);
	if (ret == 0)
		ret = kt_pool_new("benchmark", &readers->pool, error);
	if (ret == 0)
		ret = publish_ours(readers, error);
	if (ret == 0)
		ret = publish_stock(readers, error);
	if (ret) {
		kt_bench_readers_free(readers);
		return ret;
	}
	*ret_state = readers;
	return 0;
}

/* ---- Running ------------------------------------------------------------------------------- */

static void stop_all(struct readers *readers, const pthread_t *threads, size_t count)
{
	__atomic_store_n(&readers->stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* threads has room for all readers. On failure none is left. */
static int start_all(struct readers *readers, void *(*body)(void *), pthread_t *threads,
		     struct kt_error *error)
{
	__atomic_store_n(&readers->stop, false, __ATOMIC_RELAXED);
	__atomic_store_n(&readers->sections, 0, __ATOMIC_RELAXED);
	for (size_t i = 0; i < readers->threads; i++) {
		int err = pthread_create(&threads[i], NULL, body, readers);

		if (err) {
			stop_all(readers, threads, i);
			return kt_error_set(error, err, "pthread_create", 0, "%s", strerror(err));
		}
	}
	return 0;
}

static void sleep_ns(uint64_t ns)
{
	const struct timespec pause = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* Let the readers run, and publish meanwhile if there is something to publish with. */
static int let_run(struct readers *readers,
		   int (*publish)(struct readers *readers, struct kt_error *error), double seconds,
		   struct kt_error *error)
{
	uint64_t end = kt_bench_now_ns() + (uint64_t)(seconds * 1e9);
	int ret = 0;

	if (!publish)
		sleep_ns((uint64_t)(seconds * 1e9));
	while (publish && ret == 0 && kt_bench_now_ns() < end) {
		ret = publish(readers, error);
		sleep_ns(SWAP_EVERY_NS);
	}
	return ret;
}

static int measure(struct readers *readers, void *(*body)(void *),
		   int (*publish)(struct readers *readers, struct kt_error *error), double seconds,
		   double *ret_ns, struct kt_error *error)
{
	pthread_t threads[THREADS_MAX];
	uint64_t begun = kt_bench_now_ns(), sections;
	int ret = start_all(readers, body, threads, error);

	if (ret)
		return ret;
	ret = let_run(readers, publish, seconds, error);
	stop_all(readers, threads, readers->threads);
	sections = __atomic_load_n(&readers->sections, __ATOMIC_RELAXED);
	*ret_ns = (double)((kt_bench_now_ns() - begun) * readers->threads) / (double)sections;
	return ret;
}

int kt_bench_quiet_ours(const struct kt_bench_case *of, void *state,
			const struct kt_bench_options *options, double *ret_value,
			struct kt_error *error)
{
	(void)of;
	return measure(state, read_ours, NULL, options->seconds, ret_value, error);
}

int kt_bench_quiet_stock(const struct kt_bench_case *of, void *state,
			 const struct kt_bench_options *options, double *ret_value,
			 struct kt_error *error)
{
	(void)of;
	return measure(state, read_stock, NULL, options->seconds, ret_value, error);
}

int kt_bench_busy_ours(const struct kt_bench_case *of, void *state,
		       const struct kt_bench_options *options, double *ret_value,
		       struct kt_error *error)
{
	(void)of;
	return measure(state, read_ours, publish_ours, options->seconds, ret_value, error);
}

int kt_bench_busy_stock(const struct kt_bench_case *of, void *state,
			const struct kt_bench_options *options, double *ret_value,
			struct kt_error *error)
{
	(void)of;
	return measure(state, read_stock, publish_stock, options->seconds, ret_value, error);
}

/* ---- Commits ------------------------------------------------------------------------------- */

static void compute_for(uint64_t ns)
{
	uint64_t end = kt_bench_now_ns() + ns;

	while (kt_bench_now_ns() < end)
		;
}

static void *handshake(void *arg)
{
	struct readers *readers = arg;

	while (!stopped(readers)) {
		use(kt_pool_read_begin(readers->pool));
		compute_for(SECTION_NS);
		kt_pool_read_end(readers->pool);
		compute_for(SECTION_NS);
	}
	return NULL;
}

static int commit_timed(struct readers *readers, double *ret_ms, struct kt_error *error)
{
	uint64_t begun = kt_bench_now_ns();
	int ret = publish_ours(readers, error);

	*ret_ms = (double)(kt_bench_now_ns() - begun) / 1e6;
	return ret;
}

static int commit_all(struct readers *readers, double seconds, double share, double *ret_value,
		      struct kt_error *error)
{
	uint64_t end = kt_bench_now_ns() + (uint64_t)(seconds * 1e9);
	double *values = calloc(COMMITS_MAX, sizeof *values);
	size_t count = 0;
	int ret = 0;

	if (!values)
		return kt_error_set(error, ENOMEM, "commits", 0, "out of memory");
	while (ret == 0 && count < COMMITS_MAX && (count < COMMITS_MIN || kt_bench_now_ns() < end))
		ret = commit_timed(readers, &values[count++], error);
	*ret_value = kt_bench_quantile(values, count, share);
	free(values);
	return ret;
}

static int measure_commits(struct readers *readers, double seconds, double share, double *ret_value,
			   struct kt_error *error)
{
	pthread_t threads[THREADS_MAX];
	int ret = start_all(readers, handshake, threads, error);

	if (ret)
		return ret;
	ret = commit_all(readers, seconds, share, ret_value, error);
	stop_all(readers, threads, readers->threads);
	return ret;
}

int kt_bench_commit_median(const struct kt_bench_case *of, void *state,
			   const struct kt_bench_options *options, double *ret_value,
			   struct kt_error *error)
{
	(void)of;
	return measure_commits(state, options->seconds, 0.5, ret_value, error);
}

int kt_bench_commit_p99(const struct kt_bench_case *of, void *state,
			const struct kt_bench_options *options, double *ret_value,
			struct kt_error *error)
{
	(void)of;
	return measure_commits(state, options->seconds, 0.99, ret_value, error);
}
