/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool: its name, the slot its snapshot is published in, and the one way to publish. Its read
 * section is in slot.c.
 */
#include "inside.h"

#include <ktrust/probe.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

KT_PROBE_DEFINE(publish);
KT_PROBE_DEFINE(reclaim);
KT_PROBE_DEFINE(refuse);

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
	pthread_mutex_init(&pool->looks, NULL);
	pool->past_most = KT_HISTORY_DEFAULT;
	*ret_pool = pool;
	return 0;
}

void kt_pool_free(struct kt_pool *pool)
{
	if (!pool)
		return;
	/* By the header's word there are no readers, so there is none to wait for. */
	kt_snapshot_free(kt_slot_switch(&pool->slot, NULL));
	kt_snapshot_free(kt_slot_switch(&pool->staged, NULL));
	kt_history_drop_all(pool);
	kt_store_close(pool->store, pool->last, pool->epoch, pool->epoch_digest);
	pthread_mutex_destroy(&pool->looks);
	pthread_mutex_destroy(&pool->writer);
	free(pool);
}

const char *kt_pool_name(const struct kt_pool *pool)
{
	return pool->name;
}

void kt_pool_set_allow(struct kt_pool *pool, const struct kt_allow *allow)
{
	pool->allow = allow;
}

const struct kt_allow *kt_pool_allow(const struct kt_pool *pool)
{
	return pool->allow;
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

void kt_pool_refused(struct kt_pool *pool, const char *source, const struct kt_error *why)
{
	struct kt_probe_refuse event = {.err = (uint32_t)why->err};
	const struct kt_snapshot *current;
	char text[sizeof why->where + sizeof why->text + 16];

	__atomic_fetch_add(&pool->refused, 1, __ATOMIC_RELAXED);
	if (!KT_PROBE_ENABLED(refuse))
		return;
	current = kt_pool_read_begin(pool);
	event.version = current ? current->version : 0;
	kt_pool_read_end(pool);
	copy_text(event.pool, sizeof event.pool, pool->name);
	copy_text(event.source, sizeof event.source, source);
	copy_text(event.why, sizeof event.why, kt_error_format(why, text, sizeof text));
	KT_PROBE_REFUSE(&event);
}

int kt_pool_may_wait(const struct kt_pool *pool, struct kt_error *error)
{
	if (!kt_slot_in_section())
		return 0;
	return kt_error_set(error, EDEADLK, pool->name, 0,
			    "a commit within a read section would wait for itself");
}

bool kt_pool_is_current(const struct kt_pool *pool, const struct kt_snapshot *next)
{
	const struct kt_snapshot *current = kt_slot_peek(&pool->slot);

	return current && memcmp(current->digest, next->digest, KT_DIGEST_LEN) == 0;
}

const struct kt_snapshot *kt_pool_reference(const struct kt_pool *pool)
{
	const struct kt_snapshot *current = kt_slot_peek(&pool->slot);

	if (current)
		return current;
	return pool->past_count ? pool->past[0].snapshot : NULL;
}

struct kt_pool_change kt_pool_compare(const struct kt_pool *pool, const struct kt_snapshot *next)
{
	const struct kt_snapshot *current = kt_slot_peek(&pool->slot);
	struct kt_pool_change change = {
		.old_version = current ? current->version : 0,
		.anchors = next->anchors,
		.old_crls = current ? current->crls : 0,
		.crls = next->crls,
	};

	change.new_version = kt_pool_is_current(pool, next) ? change.old_version : pool->last + 1;
	kt_snapshot_diff(current, next, &change.added, &change.removed);
	return change;
}

/* An epoch stays the highest whatever is published later. */
static void raise_epoch(struct kt_pool *pool, uint64_t epoch, const uint8_t *digest)
{
	if (epoch <= pool->epoch)
		return;
	memcpy(pool->epoch_digest, digest, KT_DIGEST_LEN);
	pthread_mutex_lock(&pool->looks);
	pool->epoch = epoch;
	pthread_mutex_unlock(&pool->looks);
}

static void set_current(struct kt_pool *pool, uint64_t epoch, bool kept)
{
	pthread_mutex_lock(&pool->looks);
	pool->current_epoch = epoch;
	pool->current_kept = kept;
	pthread_mutex_unlock(&pool->looks);
}

/*
 * Nothing to publish; but what is current may have come with a later epoch, and the disk may have
 * room now for what it could not keep.
 */
static void stay(struct kt_pool *pool, uint64_t epoch, struct kt_pool_change *change)
{
	struct kt_snapshot *current = kt_slot_peek(&pool->slot);
	bool kept = pool->current_kept, newer = epoch > pool->epoch;

	if (newer) {
		raise_epoch(pool, epoch, current->digest);
		set_current(pool, epoch, kept);
	}
	if (pool->store && (newer || !kept)) {
		kept |= kt_state_keep(pool, kept ? NULL : current, pool->current_epoch);
		set_current(pool, pool->current_epoch, kept);
	}
	change->kept = kept;
}

/* The debt of a publication: whoever may still read the old snapshot leaves, then it is the past.
 */
static void retire(struct kt_pool *pool, struct kt_past old)
{
	if (!old.snapshot) {
		kt_history_trim(pool);
		return;
	}
	kt_slot_wait_readers();
	if (KT_PROBE_ENABLED(reclaim))
		announce_reclaim(old.snapshot);
	kt_history_push(pool, old);
	__atomic_fetch_add(&pool->reclaimed, 1, __ATOMIC_RELEASE);
}

/* The point of no return: nothing in it can fail. */
static void install(struct kt_pool *pool, struct kt_snapshot *next, uint64_t epoch, bool kept,
		    const struct kt_pool_change *change)
{
	struct kt_past old;

	pthread_mutex_lock(&pool->looks);
	old = (struct kt_past){kt_slot_switch(&pool->slot, next), pool->current_epoch,
			       pool->current_kept};
	pool->current_epoch = epoch;
	pool->current_kept = kept;
	pthread_mutex_unlock(&pool->looks);
	__atomic_fetch_add(&pool->published, 1, __ATOMIC_RELEASE);
	if (KT_PROBE_ENABLED(publish))
		announce_publish(next, change);
	retire(pool, old);
}

/*
 * After an orderly end the same content goes on under the version that it had. Takes the place of
 * next, which is freed.
 */
static struct kt_snapshot *resume(struct kt_pool *pool, struct kt_snapshot *next)
{
	bool same = pool->resumable && pool->past_count &&
		    !memcmp(pool->past[0].snapshot->digest, next->digest, KT_DIGEST_LEN);

	pool->resumable = false;
	if (!same)
		return NULL;
	kt_snapshot_free(next);
	return kt_history_take_newest(pool).snapshot;
}

static int number(struct kt_pool *pool, struct kt_snapshot **next)
{
	struct kt_snapshot *numbered;
	int ret;

	if ((*next)->version == pool->last + 1)
		return 0;
	ret = kt_snapshot_renumber(*next, pool->last + 1, &numbered);
	kt_snapshot_free(*next);
	*next = numbered;
	return ret;
}

int kt_pool_publish(struct kt_pool *pool, struct kt_snapshot *next, uint64_t epoch,
		    struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_pool_change change = kt_pool_compare(pool, next);
	struct kt_snapshot *resumed;
	int ret;

	if (kt_pool_is_current(pool, next)) {
		kt_snapshot_free(next);
		stay(pool, epoch, &change);
		*ret_change = change;
		return 0;
	}
	resumed = resume(pool, next);
	if (resumed)
		next = resumed;
	else if ((ret = number(pool, &next)))
		return kt_error_set(error, -ret, pool->name, 0,
				    "the snapshot could not be built: %s", strerror(-ret));
	change.new_version = next->version;
	if (!resumed)
		pool->last = next->version;
	raise_epoch(pool, epoch, next->digest);
	/* Before anybody sees it, so that a version which was seen is never given again. */
	change.kept = kt_state_keep(pool, next, epoch);
	install(pool, next, epoch, change.kept, &change);
	*ret_change = change;
	return 0;
}

void kt_pool_get_stats(const struct kt_pool *pool, struct kt_pool_stats *ret_stats)
{
	/* In this order: what is reported as reclaimed is reported as published. */
	ret_stats->reclaimed = __atomic_load_n(&pool->reclaimed, __ATOMIC_ACQUIRE);
	ret_stats->published = __atomic_load_n(&pool->published, __ATOMIC_ACQUIRE);
	ret_stats->refused = __atomic_load_n(&pool->refused, __ATOMIC_RELAXED);
}
