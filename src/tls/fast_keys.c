/* SPDX-License-Identifier: BSD-2-Clause */
#include "fast_keys.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>

#define SET_BITS 7
#define WAYS	 8 /* places of a set: more keys that come together than that hardly meet in one */
#define PLACES	 ((1 << SET_BITS) * WAYS) /* keys that are counted */

/* A key that was asked for. It is referred to by `pkey` alone until there are tables: then it
 * stays. */
struct place {
	EVP_PKEY *pkey;		 /* NULL: the place is empty */
	uint32_t count;		 /* of signatures; falls when another key finds no place */
	bool used;		 /* since somebody last was waiting for tables */
	struct kt_fast_key *key; /* NULL: no tables */
};

/*
 * The one that is being made. FREE and MADE: it belongs to whoever has the lock; WANTED: to the
 * thread. That thread never takes the lock: it may wait for a processor at any moment and for long,
 * and every handshake would wait for the lock with it.
 */
struct job {
	enum job_state { FREE, WANTED, MADE } state; /* atomic */
	EVP_PKEY *pkey;				     /* a reference */
	struct kt_fast_key *key;		     /* NULL: it could not be made */
};

static struct {
	pthread_mutex_t lock; /* guards all but the job, the counters and what start writes */
	pthread_t thread;
	sem_t wake; /* a job is wanted, or stop is set */
	bool stop;  /* atomic, as is the next */
	unsigned int most;
	unsigned int keys;
	struct job job;
	struct place places[PLACES];
	uint64_t made, checks; /* atomic */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The first of the WAYS places that a key may have. */
static struct place *set_of(const EVP_PKEY *pkey)
{
	/* Fibonacci hashing: what allocations have in common are their low bits. */
	uint64_t hash = (uint64_t)(uintptr_t)pkey * 0x9e3779b97f4a7c15u;

	return &all.places[(hash >> (64 - SET_BITS)) * WAYS];
}

/* NULL: it has none. */
static struct place *place_of(const EVP_PKEY *pkey)
{
	struct place *set = set_of(pkey);

	for (size_t way = 0; way < WAYS; way++)
		if (set[way].pkey == pkey)
			return &set[way];
	return NULL;
}

/* For a key that has none: the emptiest. NULL: all have tables. */
static struct place *weakest_of(const EVP_PKEY *pkey)
{
	struct place *set = set_of(pkey), *weakest = NULL;

	for (size_t way = 0; way < WAYS; way++)
		if (!set[way].key && (!weakest || set[way].count < weakest->count))
			weakest = &set[way];
	return weakest;
}

static void empty(struct place *place)
{
	if (place->key) {
		kt_fast_key_free(place->key);
		EVP_PKEY_free(place->pkey);
		all.keys--;
	}
	*place = (struct place){0};
}

/* ---- Making tables --------------------------------------------------------------------------- */

/* Room for one more? If none is, whoever was not used since this was last asked gives way. */
static bool make_room(void)
{
	struct place *idle = NULL;

	if (all.keys < all.most)
		return true;
	for (size_t i = 0; i < PLACES; i++) {
		if (all.places[i].key && !all.places[i].used)
			idle = &all.places[i];
		all.places[i].used = false;
	}
	if (idle)
		empty(idle);
	return idle;
}

static enum job_state job_state(void)
{
	return __atomic_load_n(&all.job.state, __ATOMIC_ACQUIRE);
}

static void set_job_state(enum job_state state)
{
	__atomic_store_n(&all.job.state, state, __ATOMIC_RELEASE);
}

/* What it referred to is somebody else's now. The thread looks at the state at any time. */
static void clear_job(void)
{
	all.job.pkey = NULL;
	all.job.key = NULL;
	set_job_state(FREE);
}

static void drop_job(void)
{
	kt_fast_key_free(all.job.key);
	EVP_PKEY_free(all.job.pkey);
	clear_job();
}

/* With the lock held. What was made gets its place, if that is still its own. */
static void settle(void)
{
	struct place *place = place_of(all.job.pkey);

	if (!place || !all.job.key) {
		if (place)
			place->count = 0; /* counted anew before it is tried again */
		drop_job();
		return;
	}
	place->key = all.job.key;
	place->used = true;
	clear_job();
	all.keys++;
	__atomic_fetch_add(&all.made, 1, __ATOMIC_RELAXED);
}

static void *make_tables(void *arg)
{
	const struct sched_param none = {0};

	(void)arg;
	/* If it is refused, tables are made as everything else is. */
	(void)sched_setscheduler(0, SCHED_IDLE, &none);
	while (!__atomic_load_n(&all.stop, __ATOMIC_ACQUIRE)) {
		if (job_state() == WANTED) {
			all.job.key = kt_fast_key_new(all.job.pkey);
			set_job_state(MADE);
		} else {
			(void)sem_wait(&all.wake);
		}
	}
	return NULL;
}

int kt_fast_keys_start(unsigned int most)
{
	sigset_t every, before;
	int err;

	if (!most)
		return 0;
	all.stop = false;
	sem_init(&all.wake, 0, 0);
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	err = pthread_create(&all.thread, NULL, make_tables, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		sem_destroy(&all.wake);
	else
		__atomic_store_n(&all.most, most, __ATOMIC_RELAXED);
	return -err;
}

void kt_fast_keys_stop(void)
{
	if (!all.most)
		return;
	__atomic_store_n(&all.stop, true, __ATOMIC_RELEASE);
	sem_post(&all.wake);
	pthread_join(all.thread, NULL);
	sem_destroy(&all.wake);
	__atomic_store_n(&all.most, 0, __ATOMIC_RELAXED);
	for (size_t i = 0; i < PLACES; i++)
		empty(&all.places[i]);
	drop_job();
}

/* ---- Looking for them ------------------------------------------------------------------------ */

/* With the lock held, for a key without tables that has come often enough. */
static void want(struct place *place)
{
	if (job_state() != FREE || !kt_fast_key_may_be(place->pkey))
		return;
	if (!make_room() || !EVP_PKEY_up_ref(place->pkey)) {
		place->count = 0; /* counted anew before it is tried again */
		return;
	}
	all.job.pkey = place->pkey;
	set_job_state(WANTED);
	sem_post(&all.wake);
}

/* With the lock held. */
static void count(struct place *place, EVP_PKEY *pkey)
{
	if (!place) {
		place = weakest_of(pkey);
		if (!place || (place->count && --place->count))
			return;
		*place = (struct place){.pkey = pkey};
	}
	if (place->count < KT_FAST_KEYS_AFTER)
		place->count++;
	if (place->count == KT_FAST_KEYS_AFTER)
		want(place);
}

struct kt_fast_key *kt_fast_keys_get(EVP_PKEY *pkey)
{
	struct kt_fast_key *key = NULL;
	struct place *place;

	if (!__atomic_load_n(&all.most, __ATOMIC_RELAXED))
		return NULL;
	pthread_mutex_lock(&all.lock);
	if (job_state() == MADE)
		settle();
	place = place_of(pkey);
	if (place && place->key) {
		place->used = true;
		key = kt_fast_key_ref(place->key);
	} else {
		count(place, pkey);
	}
	pthread_mutex_unlock(&all.lock);
	return key;
}

void kt_fast_keys_put(struct kt_fast_key *key, bool right)
{
	if (right)
		__atomic_fetch_add(&all.checks, 1, __ATOMIC_RELAXED);
	kt_fast_key_free(key);
}

void kt_fast_keys_get_stats(struct kt_fast_keys_stats *ret_stats)
{
	pthread_mutex_lock(&all.lock);
	ret_stats->keys = all.keys;
	pthread_mutex_unlock(&all.lock);
	ret_stats->made = __atomic_load_n(&all.made, __ATOMIC_RELAXED);
	ret_stats->checks = __atomic_load_n(&all.checks, __ATOMIC_RELAXED);
}
