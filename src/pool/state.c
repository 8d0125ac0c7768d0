/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool's state directory: what it held comes back, what is published goes there. */
#include "inside.h"

#include <errno.h>
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

/* Those that cannot be read are left out: the history is a help, the counter is what must hold. */
static void take_history(struct kt_pool *pool, const struct kt_store_state *state)
{
	for (uint32_t i = state->count; i-- > 0;) {
		struct kt_past past = {.epoch = state->images[i].epoch, .kept = true};

		if (!kt_store_map(pool->store, &state->images[i], &past.snapshot,
				  &pool->state_error))
			kt_history_push(pool, past);
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
