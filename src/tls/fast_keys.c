/* SPDX-License-Identifier: BSD-2-Clause */
#include "fast_keys.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>

#define PLACES	   1024 /* keys that are counted; a power of two */
#define PLACE_BITS 10

/* A key that was asked for. It is referred to by `pkey` alone until there are tables: then it
 * stays. */
struct place {
	EVP_PKEY *pkey;		 /* NULL: the place is empty */
	uint32_t count;		 /* of signatures; falls when another key comes to this place */
	bool used;		 /* since somebody last was waiting for tables */
	struct kt_fast_key *key; /* NULL: no tables */
};

static struct {
	pthread_mutex_t lock; /* guards all but the counters */
	pthread_cond_t changed;
	pthread_t thread;
	bool stop;
	unsigned int most, keys;
	EVP_PKEY *wanted; /* tables are to be made, or being made, for this one; a reference */
	struct place places[PLACES];
	uint64_t made, checks; /* atomic */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct place *place_of(const EVP_PKEY *pkey)
{
	/* Fibonacci hashing: what allocations have in common are their low bits. */
	return &all.places[((uint64_t)(uintptr_t)pkey * 0x9e3779b97f4a7c15u) >> (64 - PLACE_BITS)];
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

/* With the lock held. Takes the reference to pkey over. */
static void settle(EVP_PKEY *pkey, struct kt_fast_key *key)
{
	struct place *place = place_of(pkey);

	if (place->pkey == pkey && key) {
		place->key = key;
		place->used = true;
		all.keys++;
		__atomic_fetch_add(&all.made, 1, __ATOMIC_RELAXED);
		return;
	}
	if (place->pkey == pkey)
		place->count = 0; /* counted anew before it is tried again */
	kt_fast_key_free(key);
	EVP_PKEY_free(pkey);
}

/* With the lock held, which is given away meanwhile. */
static void make_wanted(void)
{
	bool room = make_room();
	struct kt_fast_key *key = NULL;

	pthread_mutex_unlock(&all.lock);
	if (room)
		key = kt_fast_key_new(all.wanted); /* nobody else changes it while it is set */
	pthread_mutex_lock(&all.lock);
	settle(all.wanted, key);
	all.wanted = NULL;
}

static void *make_tables(void *arg)
{
	const struct sched_param none = {0};

	(void)arg;
	/* If it is refused, tables are made as everything else is. */
	(void)sched_setscheduler(0, SCHED_IDLE, &none);
	pthread_mutex_lock(&all.lock);
	while (!all.stop) {
		if (all.wanted)
			make_wanted();
		else
			pthread_cond_wait(&all.changed, &all.lock);
	}
	pthread_mutex_unlock(&all.lock);
	return NULL;
}

int kt_fast_keys_start(unsigned int most)
{
	sigset_t every, before;
	int err;

	if (!most)
		return 0;
	all.stop = false;
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	err = pthread_create(&all.thread, NULL, make_tables, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		__atomic_store_n(&all.most, most, __ATOMIC_RELAXED);
	return -err;
}

void kt_fast_keys_stop(void)
{
	if (!all.most)
		return;
	pthread_mutex_lock(&all.lock);
	all.stop = true;
	pthread_cond_signal(&all.changed);
	pthread_mutex_unlock(&all.lock);
	pthread_join(all.thread, NULL);
	__atomic_store_n(&all.most, 0, __ATOMIC_RELAXED);
	for (size_t i = 0; i < PLACES; i++)
		empty(&all.places[i]);
	EVP_PKEY_free(all.wanted);
	all.wanted = NULL;
}

/* ---- Looking for them ------------------------------------------------------------------------ */

/* With the lock held. */
static void count(struct place *place, EVP_PKEY *pkey)
{
	if (place->pkey != pkey) {
		if (place->key || (place->count && --place->count))
			return;
		*place = (struct place){.pkey = pkey};
	}
	if (place->count < KT_FAST_KEYS_AFTER)
		place->count++;
	if (place->count < KT_FAST_KEYS_AFTER || all.wanted || !kt_fast_key_may_be(pkey) ||
	    !EVP_PKEY_up_ref(pkey))
		return;
	all.wanted = pkey;
	pthread_cond_signal(&all.changed);
}

struct kt_fast_key *kt_fast_keys_get(EVP_PKEY *pkey)
{
	struct kt_fast_key *key = NULL;
	struct place *place = place_of(pkey);

	if (!__atomic_load_n(&all.most, __ATOMIC_RELAXED))
		return NULL;
	pthread_mutex_lock(&all.lock);
	if (place->pkey == pkey && place->key) {
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
