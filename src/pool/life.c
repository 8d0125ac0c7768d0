/* SPDX-License-Identifier: BSD-2-Clause */
/* Candidates: made, checked, published, dropped; and what was current before, published again. */
#include "inside.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image.h"

static const struct kt_manifest no_manifest;

/* Refusals are said once, here, with the writer's lock still held: their order is that of events.
 */
static int say_refused(struct kt_pool *pool, const char *source, int ret, struct kt_error *why,
		       struct kt_error *error)
{
	if (!ret)
		return 0;
	kt_pool_refused(pool, source, why);
	if (error)
		*error = *why;
	return ret;
}

/* ---- Stage --------------------------------------------------------------------------------- */

/* In place of the candidate before, which readers of it may still have. */
static void replace_staged(struct kt_pool *pool, struct kt_snapshot *next)
{
	struct kt_snapshot *old = kt_slot_switch(&pool->staged, next);

	if (!old)
		return;
	kt_slot_wait_readers();
	kt_snapshot_free(old);
}

static int stage(struct kt_pool *pool, const struct kt_anchor_set *set, const char *source,
		 const struct kt_manifest *manifest, struct kt_pool_change *ret_change,
		 struct kt_error *error)
{
	struct kt_error why = {0};
	struct kt_snapshot *next;
	int ret = kt_snapshot_build(set, pool->name, source, pool->last + 1, &next, &why);

	if (ret)
		return say_refused(pool, source, ret, &why, error);
	*ret_change = kt_pool_compare(pool, next);
	pool->staged_manifest = manifest ? *manifest : no_manifest;
	/* Nothing to commit, unless the epoch is a new one. */
	if (kt_pool_is_current(pool, next) && pool->staged_manifest.epoch <= pool->epoch) {
		kt_snapshot_free(next);
		next = NULL;
	}
	replace_staged(pool, next);
	return 0;
}

int kt_pool_stage(struct kt_pool *pool, const struct kt_anchor_set *set, const char *source,
		  const struct kt_manifest *manifest, struct kt_pool_change *ret_change,
		  struct kt_error *error)
{
	int ret = kt_pool_may_wait(pool, error);

	if (ret)
		return ret;
	pthread_mutex_lock(&pool->writer);
	ret = stage(pool, set, source, manifest, ret_change, error);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}

const struct kt_snapshot *kt_pool_staged(const struct kt_pool *pool)
{
	const struct kt_snapshot *staged = kt_slot_read_begin(&pool->staged);

	/* The caller's own section goes on. */
	kt_slot_read_end();
	return staged;
}

static int nothing_staged(const struct kt_pool *pool, struct kt_error *error)
{
	return kt_error_set(error, ENOENT, pool->name, 0, "nothing is staged (ktrust pool stage)");
}

int kt_pool_unstage(struct kt_pool *pool, struct kt_error *error)
{
	int ret = kt_pool_may_wait(pool, error);

	if (ret)
		return ret;
	pthread_mutex_lock(&pool->writer);
	if (kt_slot_peek(&pool->staged))
		replace_staged(pool, NULL);
	else
		ret = nothing_staged(pool, error);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}

/* ---- Check, commit ------------------------------------------------------------------------- */

int kt_pool_check(struct kt_pool *pool, struct kt_pool_change *ret_change, struct kt_error *error)
{
	const struct kt_snapshot *staged;
	int ret = kt_pool_may_wait(pool, error);

	/* The lock is held over grace periods. */
	if (ret)
		return ret;
	pthread_mutex_lock(&pool->writer);
	staged = kt_slot_peek(&pool->staged);
	ret = staged ? kt_guard_check(pool, staged, &pool->staged_manifest, error)
		     : nothing_staged(pool, error);
	if (!ret)
		*ret_change = kt_pool_compare(pool, staged);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}

static int commit_staged(struct kt_pool *pool, unsigned int flags,
			 struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_snapshot *staged = kt_slot_peek(&pool->staged), *next;
	struct kt_error why = {0};
	int ret;

	if (!staged)
		return nothing_staged(pool, error);
	if (!(flags & KT_FORCE)) {
		ret = kt_guard_check(pool, staged, &pool->staged_manifest, &why);
		if (ret)
			return say_refused(pool, staged->source, ret, &why, error);
	}
	/* A copy: readers of the candidate may have it, and it stays if this fails. */
	ret = kt_snapshot_renumber(staged, pool->last + 1, &next);
	if (ret)
		return kt_error_set(error, -ret, pool->name, 0,
				    "the snapshot could not be built: %s", strerror(-ret));
	ret = kt_pool_publish(pool, next, kt_guard_epoch(next, &pool->staged_manifest), ret_change,
			      error);
	if (!ret)
		replace_staged(pool, NULL);
	return ret;
}

int kt_pool_commit_staged(struct kt_pool *pool, unsigned int flags,
			  struct kt_pool_change *ret_change, struct kt_error *error)
{
	int ret = kt_pool_may_wait(pool, error);

	if (ret)
		return ret;
	pthread_mutex_lock(&pool->writer);
	ret = commit_staged(pool, flags, ret_change, error);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}

static int load(struct kt_pool *pool, const struct kt_anchor_set *set, const char *source,
		const struct kt_manifest *manifest, unsigned int flags,
		struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_error why = {0};
	struct kt_snapshot *next;
	int ret = kt_snapshot_build(set, pool->name, source, pool->last + 1, &next, &why);

	if (ret)
		return say_refused(pool, source, ret, &why, error);
	if (!(flags & KT_FORCE))
		ret = kt_guard_check(pool, next, manifest, &why);
	if (ret) {
		kt_snapshot_free(next);
		return say_refused(pool, source, ret, &why, error);
	}
	return kt_pool_publish(pool, next, kt_guard_epoch(next, manifest), ret_change, error);
}

int kt_pool_load(struct kt_pool *pool, const struct kt_anchor_set *set, const char *source,
		 const struct kt_manifest *manifest, unsigned int flags,
		 struct kt_pool_change *ret_change, struct kt_error *error)
{
	int ret = kt_pool_may_wait(pool, error);

	if (ret)
		return ret;
	pthread_mutex_lock(&pool->writer);
	ret = load(pool, set, source, manifest ? manifest : &no_manifest, flags, ret_change, error);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}

int kt_pool_commit(struct kt_pool *pool, const struct kt_anchor_set *set, const char *source,
		   struct kt_pool_change *ret_change, struct kt_error *error)
{
	return kt_pool_load(pool, set, source, NULL, 0, ret_change, error);
}

/* ---- Back ---------------------------------------------------------------------------------- */

static bool is_wanted(const struct kt_pool *pool, const struct kt_snapshot *snapshot,
		      uint64_t version)
{
	return version ? snapshot->version == version : !kt_pool_is_current(pool, snapshot);
}

static const struct kt_past *find_past(const struct kt_pool *pool, uint64_t version)
{
	for (size_t i = 0; i < pool->past_count; i++)
		if (is_wanted(pool, pool->past[i].snapshot, version))
			return &pool->past[i];
	return NULL;
}

static int no_such_version(const struct kt_pool *pool, uint64_t version, struct kt_error *error)
{
	if (!version)
		return kt_error_set(error, ENOENT, pool->name, 0, "there is nothing to go back to");
	return kt_error_set(error, ENOENT, pool->name, 0,
			    "version %" PRIu64 " is not in the history", version);
}

static int publish_past(struct kt_pool *pool, const struct kt_past *past,
			struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_snapshot *next;
	int ret = kt_snapshot_renumber(past->snapshot, pool->last + 1, &next);

	if (ret)
		return kt_error_set(error, -ret, pool->name, 0,
				    "the snapshot could not be built: %s", strerror(-ret));
	return kt_pool_publish(pool, next, past->epoch, ret_change, error);
}

static int roll_back(struct kt_pool *pool, uint64_t version, unsigned int flags,
		     struct kt_pool_change *ret_change, struct kt_error *error)
{
	const struct kt_snapshot *current = kt_slot_peek(&pool->slot);
	const struct kt_past *past = find_past(pool, version);
	struct kt_error why = {0};
	int ret;

	if (current && current->version == version) {
		*ret_change = kt_pool_compare(pool, current);
		ret_change->kept = pool->current_kept;
		return 0;
	}
	if (!past)
		return no_such_version(pool, version, error);
	if (!(flags & KT_FORCE)) {
		ret = kt_guard_check_past(pool, past, &why);
		if (ret)
			return say_refused(pool, past->snapshot->source, ret, &why, error);
	}
	return publish_past(pool, past, ret_change, error);
}

int kt_pool_roll_back(struct kt_pool *pool, uint64_t version, unsigned int flags,
		      struct kt_pool_change *ret_change, struct kt_error *error)
{
	int ret = kt_pool_may_wait(pool, error);

	if (ret)
		return ret;
	pthread_mutex_lock(&pool->writer);
	ret = roll_back(pool, version, flags, ret_change, error);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}

/* ---- A start without sources --------------------------------------------------------------- */

/* What the guards ask of any content today; no epoch is asked for twice, and nothing vanishes. */
static int check_restored(const struct kt_pool *pool, const struct kt_past *past,
			  struct kt_error *error)
{
	size_t count, removed;

	kt_snapshot_diff(NULL, past->snapshot, &count, &removed);
	if (count < pool->guards.anchors_min)
		return kt_error_set(error, EPERM, pool->name, 0,
				    "%zu anchors in the last snapshot, and anchors-min is %zu "
				    "(mend the source)",
				    count, pool->guards.anchors_min);
	if (pool->guards.manifest && !past->epoch)
		return kt_error_set(error, ENOKEY, pool->name, 0,
				    "the last snapshot came without a manifest, and must have one "
				    "(mend the source)");
	return 0;
}

static int restore(struct kt_pool *pool, struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_error why = {0};
	int ret;

	if (kt_slot_peek(&pool->slot))
		return kt_error_set(error, EALREADY, pool->name, 0, "something is published");
	if (pool->newest_missing) {
		if (error)
			*error = pool->state_error;
		return -EBADMSG;
	}
	if (!pool->past_count)
		return kt_error_set(error, ENOENT, pool->name, 0,
				    "the state directory has no snapshot of it");
	ret = check_restored(pool, &pool->past[0], &why);
	if (ret)
		return say_refused(pool, pool->past[0].snapshot->source, ret, &why, error);
	return publish_past(pool, &pool->past[0], ret_change, error);
}

int kt_pool_restore(struct kt_pool *pool, struct kt_pool_change *ret_change, struct kt_error *error)
{
	int ret = kt_pool_may_wait(pool, error);

	if (ret)
		return ret;
	pthread_mutex_lock(&pool->writer);
	ret = restore(pool, ret_change, error);
	pthread_mutex_unlock(&pool->writer);
	return ret;
}
