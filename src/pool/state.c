/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool's state directory: what it held comes back, what is published goes there. */
#include "inside.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image.h"

static void add_image(struct kt_store_state *state, const struct kt_snapshot *snapshot,
		      uint64_t epoch)
{
	struct kt_store_image *image = &state->images[state->count++];

	image->version = snapshot->version;
	image->epoch = epoch;
	memcpy(image->digest, snapshot->digest, KT_DIGEST_LEN);
}

static void describe(const struct kt_pool *pool, const struct kt_snapshot *next, uint64_t epoch,
		     struct kt_store_state *state)
{
	const struct kt_snapshot *current = kt_slot_peek(&pool->slot);
	/* The current one, and the past behind it. */
	size_t most = pool->past_most + 1;

	if (next)
		add_image(state, next, epoch);
	if (current && current != next && pool->current_kept && state->count < most)
		add_image(state, current, pool->current_epoch);
	for (size_t i = 0; i < pool->past_count && state->count < most; i++)
		if (pool->past[i].kept && pool->past[i].snapshot != next)
			add_image(state, pool->past[i].snapshot, pool->past[i].epoch);
	state->last = pool->last;
	state->epoch = pool->epoch;
	memcpy(state->epoch_digest, pool->epoch_digest, KT_DIGEST_LEN);
}

bool kt_state_keep(struct kt_pool *pool, const struct kt_snapshot *next, uint64_t epoch)
{
	struct kt_store_state state = {0};
	struct kt_error error = {0};
	int ret;

	if (!pool->store)
		return false;
	describe(pool, next, epoch, &state);
	ret = kt_store_keep(pool->store, &state, next, &error);
	pthread_mutex_lock(&pool->looks);
	pool->state_error = error;
	pthread_mutex_unlock(&pool->looks);
	return ret == 0;
}

void kt_pool_state_error(const struct kt_pool *pool, struct kt_error *ret_error)
{
	pthread_mutex_t *looks = (pthread_mutex_t *)&pool->looks;

	pthread_mutex_lock(looks);
	*ret_error = pool->state_error;
	pthread_mutex_unlock(looks);
}

/* Until the first publication, which is kept or says itself why not. */
static void say_missing(struct kt_pool *pool, const struct kt_error *what)
{
	pthread_mutex_lock(&pool->looks);
	pool->state_error = *what;
	pthread_mutex_unlock(&pool->looks);
}

static void miss_damaged(struct kt_pool *pool, uint64_t version, const struct kt_error *why)
{
	struct kt_error what;
	char text[600];

	kt_error_set(
		&what, EBADMSG, pool->name, 0,
		"%" PRIu64 ".snapshot, the newest in the state directory, cannot be read: %s "
		"(older ones may have anchors that were removed since: mend the source, or put "
		"the file back)",
		version, kt_error_format(why, text, sizeof text));
	say_missing(pool, &what);
	pool->newest_missing = true;
}

/*
 * Those that cannot be read are left out: the history is a help, the counter is what must hold. But
 * the one behind the newest must not be taken for the newest.
 */
static void take_history(struct kt_pool *pool, const struct kt_store_state *state)
{
	for (uint32_t i = state->count; i-- > 0;) {
		struct kt_past past = {.epoch = state->images[i].epoch, .kept = true};
		struct kt_error why = {0};

		if (!kt_store_map(pool->store, &state->images[i], &past.snapshot, &why))
			kt_history_push(pool, past);
		else if (!i)
			miss_damaged(pool, state->images[0].version, &why);
	}
}

/* What was published in memory alone: known after an orderly end, possible after any other. */
static void look_for_unkept(struct kt_pool *pool, const struct kt_store_state *state)
{
	uint64_t newest = state->count ? state->images[0].version : 0;
	bool clean = kt_store_was_clean(pool->store);
	struct kt_error what;

	if (clean && state->last > newest) {
		kt_error_set(&what, EBADMSG, pool->name, 0,
			     "version %" PRIu64 " was published last and could not be kept: the "
			     "state directory ends with version %" PRIu64 " (older ones may have "
			     "anchors that were removed since: mend the source)",
			     state->last, newest);
		say_missing(pool, &what);
		pool->newest_missing = true;
	} else if (!clean && !pool->newest_missing) {
		kt_error_set(&what, ENODATA, pool->name, 0,
			     "the last run did not end in order: if it said that a version will "
			     "not survive a restart, that version is lost, and what it removed is "
			     "back (look into its log)");
		say_missing(pool, &what);
	}
}

static int use_state(struct kt_pool *pool, const char *dir, struct kt_error *error)
{
	const struct kt_store_state *state;
	int ret;

	if (kt_slot_peek(&pool->slot) || pool->store)
		return kt_error_set(error, EALREADY, pool->name, 0,
				    "too late for a state directory");
	ret = kt_store_open(dir, pool->name, &pool->store, error);
	if (ret)
		return ret;
	state = kt_store_state(pool->store);
	pool->last = state->last;
	memcpy(pool->epoch_digest, state->epoch_digest, KT_DIGEST_LEN);
	pthread_mutex_lock(&pool->looks);
	pool->epoch = state->epoch;
	pthread_mutex_unlock(&pool->looks);
	take_history(pool, state);
	look_for_unkept(pool, state);
	pool->resumable = kt_store_was_clean(pool->store) && pool->past_count &&
			  pool->past[0].snapshot->version == state->last;
	return 0;
}

int kt_pool_use_state(struct kt_pool *pool, const char *dir, struct kt_error *error)
{
	int ret;

	pthread_mutex_lock(&pool->writer);
	ret = use_state(pool, dir, error);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}
