/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What differs between two snapshots, anchor by anchor.
 *
 * Two passes over indexes that are there already. By identity: what is on both sides may have been
 * re-issued, what is on one side only is kept aside. Those are then ordered by name and key, so
 * that an anchor whose limits changed meets itself.
 */
#include "inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "image.h"

/* The anchors of one side, in the order of their identities. */
struct side {
	const struct kt_snapshot *snapshot; /* NULL: none */
	size_t at;
	struct kt_anchor *alone; /* those that the other side has not */
	size_t alone_count;
};

struct showing {
	bool (*fn)(const struct kt_difference *difference, void *arg);
	void *arg;
	struct kt_digest digest;
	bool enough;
};

static bool at_end(const struct side *side)
{
	return !side->snapshot || side->at == side->snapshot->anchors;
}

static struct kt_anchor anchor_at(const struct side *side, size_t at)
{
	struct kt_anchor anchor = {0};

	(void)!kt_snapshot_anchor(side->snapshot, kt_image_by_identity(side->snapshot)[at],
				  &anchor);
	return anchor;
}

/* One behind the last with the identity of the one at `at`. */
static size_t end_of_run(const struct side *side)
{
	const uint8_t *identity = anchor_at(side, side->at).identity;
	size_t end = side->at + 1;

	while (end < side->snapshot->anchors &&
	       !memcmp(anchor_at(side, end).identity, identity, KT_DIGEST_LEN))
		end++;
	return end;
}

static int show(struct showing *showing, enum kt_difference_kind kind,
		const struct kt_anchor *before, const struct kt_anchor *after)
{
	struct kt_difference difference = {.kind = kind};
	const struct kt_anchor *any = before ? before : after;
	const struct kt_der_view spki = {any->spki, any->spki_len};
	int ret;

	if (showing->enough)
		return 0;
	if (before)
		difference.before = *before;
	if (after)
		difference.after = *after;
	ret = kt_digest_of(&showing->digest, &spki, 1, difference.key);
	if (!ret)
		showing->enough = !showing->fn(&difference, showing->arg);
	return ret;
}

/* ---- Both sides have it -------------------------------------------------------------------- */

static bool has_certificate(const struct side *side, size_t end, const uint8_t *fingerprint)
{
	for (size_t i = side->at; i < end; i++)
		if (!memcmp(anchor_at(side, i).fingerprint, fingerprint, KT_DIGEST_LEN))
			return true;
	return false;
}

/* The first certificate of the run on one side that the other has not; end: none. */
static size_t first_new(const struct side *side, size_t end, const struct side *other,
			size_t other_end)
{
	size_t at = side->at;

	while (at < end && has_certificate(other, other_end, anchor_at(side, at).fingerprint))
		at++;
	return at;
}

static int show_reissued(struct showing *showing, const struct side *left, const struct side *right)
{
	size_t left_end = end_of_run(left), right_end = end_of_run(right);
	size_t gone = first_new(left, left_end, right, right_end);
	size_t come = first_new(right, right_end, left, left_end);
	struct kt_anchor before, after;

	if (gone == left_end && come == right_end)
		return 0;
	/* One certificate more or less under the same identity: beside one that stays. */
	before = anchor_at(left, gone == left_end ? left->at : gone);
	after = anchor_at(right, come == right_end ? right->at : come);
	return show(showing, KT_ANCHOR_REISSUED, &before, &after);
}

/* ---- One side has it ----------------------------------------------------------------------- */

static int compare_views(const uint8_t *left, size_t left_len, const uint8_t *right,
			 size_t right_len)
{
	if (left_len != right_len)
		return left_len < right_len ? -1 : 1;
	return memcmp(left, right, left_len);
}

static int compare_keys(const struct kt_anchor *left, const struct kt_anchor *right)
{
	int way =
		compare_views(left->subject, left->subject_len, right->subject, right->subject_len);

	return way ? way : compare_views(left->spki, left->spki_len, right->spki, right->spki_len);
}

static int order(const void *left, const void *right)
{
	int way = compare_keys(left, right);

	return way ? way
		   : memcmp(((const struct kt_anchor *)left)->identity,
			    ((const struct kt_anchor *)right)->identity, KT_DIGEST_LEN);
}

static int show_alone(struct showing *showing, const struct side *left, const struct side *right)
{
	size_t i = 0, k = 0;
	int ret = 0;

	if (left->alone_count)
		qsort(left->alone, left->alone_count, sizeof *left->alone, order);
	if (right->alone_count)
		qsort(right->alone, right->alone_count, sizeof *right->alone, order);
	while (!ret && (i < left->alone_count || k < right->alone_count)) {
		const struct kt_anchor *before = i < left->alone_count ? &left->alone[i] : NULL;
		const struct kt_anchor *after = k < right->alone_count ? &right->alone[k] : NULL;
		int way = !before ? 1 : !after ? -1 : compare_keys(before, after);

		if (way < 0)
			ret = show(showing, KT_ANCHOR_REMOVED, before, NULL);
		else if (way > 0)
			ret = show(showing, KT_ANCHOR_ADDED, NULL, after);
		else
			ret = show(showing, KT_ANCHOR_CONSTRAINED, before, after);
		i += way <= 0;
		k += way >= 0;
	}
	return ret;
}

/* ---- Over both ----------------------------------------------------------------------------- */

static int walk(struct showing *showing, struct side *left, struct side *right)
{
	int ret = 0;

	while (!ret && (!at_end(left) || !at_end(right))) {
		struct kt_anchor before = {0}, after = {0};
		int way = at_end(left) ? 1 : at_end(right) ? -1 : 0;

		if (!at_end(left))
			before = anchor_at(left, left->at);
		if (!at_end(right))
			after = anchor_at(right, right->at);
		if (!way)
			way = memcmp(before.identity, after.identity, KT_DIGEST_LEN);
		if (way < 0)
			left->alone[left->alone_count++] = before;
		else if (way > 0)
			right->alone[right->alone_count++] = after;
		else
			ret = show_reissued(showing, left, right);
		if (way <= 0)
			left->at = end_of_run(left);
		if (way >= 0)
			right->at = end_of_run(right);
	}
	return ret ? ret : show_alone(showing, left, right);
}

int kt_snapshot_compare(const struct kt_snapshot *from, const struct kt_snapshot *to,
			bool (*fn)(const struct kt_difference *difference, void *arg), void *arg)
{
	struct side left = {.snapshot = from}, right = {.snapshot = to};
	struct showing showing = {.fn = fn, .arg = arg};
	int ret = kt_digest_init(&showing.digest);

	if (ret)
		return ret;
	left.alone = calloc(from ? from->anchors : 1, sizeof *left.alone);
	right.alone = calloc(to ? to->anchors : 1, sizeof *right.alone);
	ret = left.alone && right.alone ? walk(&showing, &left, &right) : -ENOMEM;
	free(left.alone);
	free(right.alone);
	kt_digest_fini(&showing.digest);
	return ret;
}
