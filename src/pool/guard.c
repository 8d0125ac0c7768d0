/* SPDX-License-Identifier: BSD-2-Clause */
/* What a candidate must be to be published. */
#include "inside.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image.h"

void kt_pool_set_guards(struct kt_pool *pool, const struct kt_guards *guards)
{
	pthread_mutex_lock(&pool->writer);
	pool->guards = *guards;
	pthread_mutex_unlock(&pool->writer);
}

static size_t count_identities(const struct kt_snapshot *snapshot)
{
	size_t added, removed;

	kt_snapshot_diff(NULL, snapshot, &added, &removed);
	return added;
}

static int check_size(const struct kt_pool *pool, const struct kt_snapshot *next,
		      struct kt_error *error)
{
	size_t least = pool->guards.anchors_min, count;

	/* No snapshot is without anchors. */
	if (least <= 1)
		return 0;
	count = count_identities(next);
	if (count >= least)
		return 0;
	return kt_error_set(error, EPERM, pool->name, 0,
			    "%zu anchors, and anchors-min is %zu (is the source cut? force it if "
			    "not)",
			    count, least);
}

static int check_shrinking(const struct kt_pool *pool, const struct kt_snapshot *next,
			   struct kt_error *error)
{
	const struct kt_snapshot *reference = kt_pool_reference(pool);
	unsigned int most = pool->guards.removed_max ? pool->guards.removed_max : 100;
	size_t added, removed, count;

	if (!reference || most >= 100)
		return 0;
	kt_snapshot_diff(reference, next, &added, &removed);
	count = count_identities(reference);
	/* At most 2^20 anchors: no product overflows. */
	if (removed * 100 <= count * most)
		return 0;
	return kt_error_set(error, EPERM, pool->name, 0,
			    "%zu of %zu anchors would vanish, and removed-max is %u percent (is "
			    "the source cut? force it if not)",
			    removed, count, most);
}

static int check_content(const struct kt_pool *pool, const struct kt_snapshot *next,
			 const struct kt_manifest *manifest, struct kt_error *error)
{
	if (manifest->anchors != next->anchors || manifest->crls != next->crls)
		return kt_error_set(error, EPERM, pool->name, 0,
				    "%u anchors and %u CRLs, but the manifest says %" PRIu64
				    " and %" PRIu64,
				    next->anchors, next->crls, manifest->anchors, manifest->crls);
	if (memcmp(manifest->digest, next->digest, KT_DIGEST_LEN))
		return kt_error_set(error, EPERM, pool->name, 0,
				    "its digest is not the one that the manifest says (one of the "
				    "two is of another time)");
	return 0;
}

/* ---- Revocations --------------------------------------------------------------------------- */

/* The latest thisUpdate among a snapshot's CRLs of this issuer; INT64_MIN: there is none. */
static int64_t newest_crl(const struct kt_snapshot *snapshot, const struct kt_crl *like)
{
	int64_t newest = INT64_MIN;
	size_t cursor = 0;
	struct kt_crl crl;

	while (kt_snapshot_find_crl(snapshot, like->issuer, like->issuer_len, &cursor, &crl) == 0)
		if (crl.this_update > newest)
			newest = crl.this_update;
	return newest;
}

static bool has_anchor(const struct kt_snapshot *snapshot, const struct kt_crl *crl)
{
	struct kt_anchor anchor;
	size_t cursor = 0;

	return kt_snapshot_find_subject(snapshot, crl->issuer, crl->issuer_len, &cursor, &anchor) ==
	       0;
}

/*
 * Whoever a CRL keeps out would be let in without it, so that one may go only with its issuer: an
 * anchor that goes too. Of an intermediate it cannot be known whether it still has a path.
 */
static int check_revocations(const struct kt_pool *pool, const struct kt_snapshot *next,
			     struct kt_error *error)
{
	const struct kt_snapshot *reference = kt_pool_reference(pool);
	struct kt_crl crl;

	for (size_t i = 0; reference && kt_snapshot_crl(reference, i, &crl) == 0; i++) {
		int64_t newest = newest_crl(next, &crl);

		if (newest >= crl.this_update ||
		    (has_anchor(reference, &crl) && !has_anchor(next, &crl)))
			continue;
		return kt_error_set(error, EPERM, pool->name, 0,
				    "revocations would be lost: %s of an issuer that has one now "
				    "(name its crl: source too, or force it)",
				    newest == INT64_MIN ? "there is no CRL"
							: "there is only an older CRL");
	}
	return 0;
}

/* ---- Manifests ----------------------------------------------------------------------------- */

uint64_t kt_guard_epoch(const struct kt_snapshot *next, const struct kt_manifest *manifest)
{
	bool speaks_of_it = manifest->anchors == next->anchors && manifest->crls == next->crls &&
			    memcmp(manifest->digest, next->digest, KT_DIGEST_LEN) == 0;

	return speaks_of_it ? manifest->epoch : 0;
}

static int check_epoch(const struct kt_pool *pool, uint64_t epoch, const uint8_t *digest,
		       struct kt_error *error)
{
	if (epoch < pool->epoch)
		return kt_error_set(error, ESTALE, pool->name, 0,
				    "epoch %" PRIu64 " is behind epoch %" PRIu64
				    ", which was published (an old copy? force it if not)",
				    epoch, pool->epoch);
	if (epoch && epoch == pool->epoch && memcmp(pool->epoch_digest, digest, KT_DIGEST_LEN))
		return kt_error_set(error, ESTALE, pool->name, 0,
				    "epoch %" PRIu64 " was published with other content (each "
				    "content needs an epoch of its own)",
				    epoch);
	return 0;
}

int kt_guard_check(const struct kt_pool *pool, const struct kt_snapshot *next,
		   const struct kt_manifest *manifest, struct kt_error *error)
{
	int ret = check_size(pool, next, error);

	if (!ret)
		ret = check_shrinking(pool, next, error);
	if (!ret)
		ret = check_revocations(pool, next, error);
	if (!ret && pool->guards.manifest && !manifest->epoch)
		ret = kt_error_set(error, ENOKEY, pool->name, 0, "it came without a manifest");
	if (!ret && manifest->epoch)
		ret = check_content(pool, next, manifest, error);
	if (!ret && manifest->epoch)
		ret = check_epoch(pool, manifest->epoch, next->digest, error);
	return ret;
}

int kt_guard_check_past(const struct kt_pool *pool, const struct kt_past *past,
			struct kt_error *error)
{
	int ret = check_size(pool, past->snapshot, error);

	if (!ret)
		ret = check_shrinking(pool, past->snapshot, error);
	if (!ret)
		ret = check_revocations(pool, past->snapshot, error);
	/* One without a manifest is of a time before epochs: epoch 0 is behind them all. */
	return ret ? ret : check_epoch(pool, past->epoch, past->snapshot->digest, error);
}
