/* SPDX-License-Identifier: BSD-2-Clause */
/* What was current before: snapshots that no reader has any more, the newest first. */
#include "inside.h"

#include <string.h>

/* Frees outside the lock: unmapping takes its time. */
static void trim(struct kt_pool *pool, size_t most)
{
	while (pool->past_count > most) {
		struct kt_snapshot *oldest = pool->past[pool->past_count - 1].snapshot;

		pthread_mutex_lock(&pool->looks);
		pool->past_count--;
		pthread_mutex_unlock(&pool->looks);
		kt_snapshot_free(oldest);
	}
}

/* Until something is published the newest stays in any case: guards compare with it, a start from
 * the state needs it. */
static size_t room(const struct kt_pool *pool)
{
	return pool->past_most || kt_slot_peek(&pool->slot) ? pool->past_most : 1;
}

void kt_history_trim(struct kt_pool *pool)
{
	trim(pool, room(pool));
}

void kt_history_push(struct kt_pool *pool, struct kt_past past)
{
	size_t most = room(pool);

	if (!most) {
		kt_snapshot_free(past.snapshot);
		return;
	}
	trim(pool, most - 1);
	pthread_mutex_lock(&pool->looks);
	memmove(&pool->past[1], &pool->past[0], pool->past_count * sizeof pool->past[0]);
	pool->past[0] = past;
	pool->past_count++;
	pthread_mutex_unlock(&pool->looks);
}

struct kt_past kt_history_take_newest(struct kt_pool *pool)
{
	struct kt_past newest = pool->past[0];

	pthread_mutex_lock(&pool->looks);
	pool->past_count--;
	memmove(&pool->past[0], &pool->past[1], pool->past_count * sizeof pool->past[0]);
	pthread_mutex_unlock(&pool->looks);
	return newest;
}

void kt_history_drop_all(struct kt_pool *pool)
{
	trim(pool, 0);
}

void kt_pool_set_history(struct kt_pool *pool, size_t count)
{
	pthread_mutex_lock(&pool->writer);
	pool->past_most = count < KT_HISTORY_MAX ? count : KT_HISTORY_MAX;
	kt_history_trim(pool);
	pthread_mutex_unlock(&pool->writer);
}

static struct kt_history_entry describe(const struct kt_snapshot *snapshot, uint64_t epoch,
					bool kept)
{
	struct kt_history_entry entry = {.epoch = epoch, .kept = kept};
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	entry.version = info.version;
	entry.created_ns = info.created_ns;
	entry.anchors = info.anchors;
	entry.crls = info.crls;
	memcpy(entry.digest, info.digest, sizeof entry.digest);
	strcpy(entry.source, info.source);
	return entry;
}

/*
 * Under `looks` nothing of this can go: a snapshot is taken out of the list under it before it is
 * freed, and the current one goes into the list under it.
 */
size_t kt_pool_history(const struct kt_pool *pool, struct kt_history_entry *ret_entries,
		       size_t most)
{
	pthread_mutex_t *looks = (pthread_mutex_t *)&pool->looks;
	const struct kt_snapshot *current;
	size_t count = 0;

	pthread_mutex_lock(looks);
	current = kt_pool_read_begin(pool);
	if (current && most)
		ret_entries[count++] = describe(current, pool->current_epoch, pool->current_kept);
	for (size_t i = 0; i < pool->past_count && count < most; i++) {
		const struct kt_past *past = &pool->past[i];

		ret_entries[count++] = describe(past->snapshot, past->epoch, past->kept);
	}
	kt_pool_read_end(pool);
	pthread_mutex_unlock(looks);
	return count;
}

uint64_t kt_pool_epoch(const struct kt_pool *pool)
{
	pthread_mutex_t *looks = (pthread_mutex_t *)&pool->looks;
	uint64_t epoch;

	pthread_mutex_lock(looks);
	epoch = pool->epoch;
	pthread_mutex_unlock(looks);
	return epoch;
}
