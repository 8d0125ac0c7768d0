/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool: its name, the slot its snapshot is published in, and the one way to publish.
 */
#include <ktrust/pool.h>
#include <ktrust/probe.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "slot.h"

KT_PROBE_DEFINE(publish);
KT_PROBE_DEFINE(reclaim);

struct kt_pool {
	char name[KT_POOL_NAME_MAX + 1]; /* immutable */
	pthread_mutex_t writer;		 /* serialises commits; readers never take it */
	struct kt_slot slot;		 /* switched under writer, read in read sections */
	/* Atomic: written under writer, read by anybody. */
	uint64_t published;
	uint64_t reclaimed;
};

int kt_pool_new(const char *name, struct kt_pool **ret_pool, struct kt_error *error)
{
	const char *why = kt_image_check_pool_name(name);
	struct kt_pool *pool;

	if (why)
		return kt_error_set(error, EINVAL, name, 0, "%s", why);
	pool = calloc(1, sizeof *pool);
	if (!pool)
		return kt_error_set(error, ENOMEM, name, 0, "out of memory");
	memcpy(pool->name, name, strlen(name));
	pthread_mutex_init(&pool->writer, NULL);
	*ret_pool = pool;
	return 0;
}

void kt_pool_free(struct kt_pool *pool)
{
	if (!pool)
		return;
	/* By the header's word there are no readers, so there is none to wait for. */
	kt_snapshot_free(kt_slot_switch(&pool->slot, NULL));
	pthread_mutex_destroy(&pool->writer);
	free(pool);
}

const char *kt_pool_name(const struct kt_pool *pool)
{
	return pool->name;
}

const struct kt_snapshot *kt_pool_read_begin(const struct kt_pool *pool)
{
	return kt_slot_read_begin(&pool->slot);
}

void kt_pool_read_end(const struct kt_pool *pool)
{
	(void)pool;
	kt_slot_read_end();
}

/* Texts of a probe are cut to what it has room for; the rest of the field stays zero. */
static void copy_text(char *to, size_t size, const char *from)
{
	memcpy(to, from, strnlen(from, size - 1));
}

static void announce_publish(const struct kt_snapshot *snapshot,
			     const struct kt_pool_change *change)
{
	struct kt_probe_publish event = {
		.old_version = change->old_version,
		.new_version = change->new_version,
		.anchors = snapshot->anchors,
		.added = (uint32_t)change->added,
		.removed = (uint32_t)change->removed,
	};

	memcpy(event.digest, snapshot->digest, sizeof event.digest);
	copy_text(event.pool, sizeof event.pool, snapshot->pool);
	copy_text(event.source, sizeof event.source, snapshot->source);
	KT_PROBE_PUBLISH(&event);
}

static void announce_reclaim(const struct kt_snapshot *snapshot)
{
	struct kt_probe_reclaim event = {.version = snapshot->version};

	copy_text(event.pool, sizeof event.pool, snapshot->pool);
	KT_PROBE_RECLAIM(&event);
}

/* The debt of a publication: whoever may still read the old snapshot leaves, then it is freed. */
static void reclaim(struct kt_pool *pool, struct kt_snapshot *old)
{
	if (!old)
		return;
	kt_slot_wait_readers();
	if (KT_PROBE_ENABLED(reclaim))
		announce_reclaim(old);
	kt_snapshot_free(old);
	__atomic_fetch_add(&pool->reclaimed, 1, __ATOMIC_RELEASE);
}

static void describe_change(const struct kt_snapshot *old, const struct kt_snapshot *next,
			    struct kt_pool_change *ret_change)
{
	*ret_change = (struct kt_pool_change){
		.old_version = old ? old->version : 0,
		.new_version = next->version,
		.anchors = next->anchors,
	};
	kt_snapshot_diff(old, next, &ret_change->added, &ret_change->removed);
}

static int commit(struct kt_pool *pool, const struct kt_anchor_set *set, const char *source,
		  struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_snapshot *old = kt_slot_peek(&pool->slot);
	struct kt_snapshot *next;
	struct kt_pool_change change;
	int ret;

	ret = kt_snapshot_build(set, pool->name, source, old ? old->version + 1 : 1, &next, error);
	if (ret)
		return ret;
	if (old && memcmp(old->digest, next->digest, KT_DIGEST_LEN) == 0) {
		describe_change(old, old, ret_change);
		kt_snapshot_free(next);
		return 0;
	}
	describe_change(old, next, &change);

	/* The point of no return: nothing behind it can fail. */
	old = kt_slot_switch(&pool->slot, next);
	__atomic_fetch_add(&pool->published, 1, __ATOMIC_RELEASE);
	if (KT_PROBE_ENABLED(publish))
		announce_publish(next, &change);
	reclaim(pool, old);
	*ret_change = change;
	return 0;
}

int kt_pool_commit(struct kt_pool *pool, const struct kt_anchor_set *set, const char *source,
		   struct kt_pool_change *ret_change, struct kt_error *error)
{
	int ret;

	if (kt_slot_in_section())
		return kt_error_set(error, EDEADLK, pool->name, 0,
				    "a commit within a read section would wait for itself");
	pthread_mutex_lock(&pool->writer);
	ret = commit(pool, set, source, ret_change, error);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}

void kt_pool_get_stats(const struct kt_pool *pool, struct kt_pool_stats *ret_stats)
{
	/* In this order: what is reported as reclaimed is reported as published. */
	ret_stats->reclaimed = __atomic_load_n(&pool->reclaimed, __ATOMIC_ACQUIRE);
	ret_stats->published = __atomic_load_n(&pool->published, __ATOMIC_ACQUIRE);
}
