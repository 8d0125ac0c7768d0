/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a snapshot. Everything here believes the image: it was built by this process, or
 * kt_image_check has been over it.
 */
#include <ktrust/pool.h>

#include <errno.h>
#include <string.h>

#include "find.h"
#include "image.h"
#include "memory.h"
#include "name.h"

void kt_snapshot_free(struct kt_snapshot *snapshot)
{
	if (snapshot)
		kt_memory_unmap(snapshot, snapshot->image_len);
}

void kt_snapshot_describe(const struct kt_snapshot *snapshot, struct kt_snapshot_info *ret_info)
{
	*ret_info = (struct kt_snapshot_info){
		.pool = snapshot->pool,
		.source = snapshot->source,
		.version = snapshot->version,
		.created_ns = snapshot->created_ns,
		.digest = snapshot->digest,
		.anchors = snapshot->anchors,
		.crls = snapshot->crls,
		.crl_policy = (enum kt_crl_policy)snapshot->crl_policy,
		.image_len = snapshot->image_len,
	};
}

static struct kt_anchor view_of(const struct kt_snapshot *snapshot,
				const struct kt_image_entry *entry)
{
	const uint8_t *der = (const uint8_t *)snapshot + entry->der_offset;

	return (struct kt_anchor){
		.der = der,
		.der_len = entry->der_len,
		.subject = der + entry->subject_offset,
		.subject_len = entry->subject_len,
		.spki = der + entry->spki_offset,
		.spki_len = entry->spki_len,
		.key_id = entry->key_id_len ? der + entry->key_id_offset : NULL,
		.key_id_len = entry->key_id_len,
		.fingerprint = entry->fingerprint,
		.identity = entry->identity,
		.constraints = {entry->purposes, entry->distrust_after,
				kt_image_names(snapshot, entry)},
	};
}

int kt_snapshot_anchor(const struct kt_snapshot *snapshot, size_t index,
		       struct kt_anchor *ret_anchor)
{
	if (index >= snapshot->anchors)
		return -ERANGE;
	*ret_anchor = view_of(snapshot, &kt_image_entries(snapshot)[index]);
	return 0;
}

/* Where in the index of names the first entry with this hash, or a higher one, is. */
static size_t first_with_hash(const struct kt_snapshot *snapshot, uint64_t hash)
{
	const struct kt_image_entry *entries = kt_image_entries(snapshot);
	const uint32_t *order = kt_image_by_name(snapshot);
	size_t low = 0, high = snapshot->anchors;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entries[order[middle]].name_hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The cursor is how many entries with the name's hash were looked at before. */
int kt_snapshot_find_hashed(const struct kt_snapshot *snapshot, struct kt_der_view name,
			    uint64_t hash, size_t *cursor, struct kt_anchor *ret_anchor)
{
	const struct kt_image_entry *entries = kt_image_entries(snapshot);
	const uint32_t *order = kt_image_by_name(snapshot);
	size_t first = first_with_hash(snapshot, hash);

	for (size_t seen = *cursor; seen < snapshot->anchors - first; seen++) {
		const struct kt_image_entry *entry = &entries[order[first + seen]];
		struct kt_anchor anchor;

		if (entry->name_hash != hash)
			break;
		anchor = view_of(snapshot, entry);
		if (!kt_name_equal((struct kt_der_view){anchor.subject, anchor.subject_len}, name))
			continue;
		*ret_anchor = anchor;
		*cursor = seen + 1;
		return 0;
	}
	return -ENOENT;
}

int kt_snapshot_find_subject(const struct kt_snapshot *snapshot, const uint8_t *name,
			     size_t name_len, size_t *cursor, struct kt_anchor *ret_anchor)
{
	const struct kt_der_view wanted = {name, name_len};

	return kt_snapshot_find_hashed(snapshot, wanted, kt_name_hash(wanted), cursor, ret_anchor);
}

/* The first entry in the index of key identifiers that is not below this one. */
static size_t first_with_key_id(const struct kt_snapshot *snapshot, struct kt_der_view key_id)
{
	const struct kt_image_entry *entries = kt_image_entries(snapshot);
	const uint32_t *order = kt_image_by_key_id(snapshot);
	size_t low = 0, high = snapshot->anchors;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct kt_der_view here = kt_image_key_id(snapshot, &entries[order[middle]]);

		if (kt_image_compare_key_ids(here, key_id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int kt_snapshot_find_key_id(const struct kt_snapshot *snapshot, const uint8_t *key_id, size_t len,
			    size_t *cursor, struct kt_anchor *ret_anchor)
{
	const struct kt_der_view wanted = {key_id, len};
	const struct kt_image_entry *entries = kt_image_entries(snapshot);
	size_t at = first_with_key_id(snapshot, wanted) + *cursor;
	const struct kt_image_entry *entry;

	if (!len || at >= snapshot->anchors)
		return -ENOENT;
	entry = &entries[kt_image_by_key_id(snapshot)[at]];
	if (kt_image_compare_key_ids(kt_image_key_id(snapshot, entry), wanted))
		return -ENOENT;
	*ret_anchor = view_of(snapshot, entry);
	++*cursor;
	return 0;
}

int kt_snapshot_find_fingerprint(const struct kt_snapshot *snapshot, const uint8_t *fingerprint,
				 struct kt_anchor *ret_anchor)
{
	const struct kt_image_entry *entries = kt_image_entries(snapshot);
	size_t low = 0, high = snapshot->anchors;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int way = memcmp(entries[middle].fingerprint, fingerprint, KT_DIGEST_LEN);

		if (way == 0) {
			*ret_anchor = view_of(snapshot, &entries[middle]);
			return 0;
		}
		if (way < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

/* ---- CRLs ---------------------------------------------------------------------------------- */

static struct kt_crl view_of_crl(const struct kt_snapshot *snapshot, const struct kt_image_crl *crl)
{
	const uint8_t *der = (const uint8_t *)snapshot + crl->der_offset;

	return (struct kt_crl){
		.der = der,
		.der_len = crl->der_len,
		.issuer = der + crl->issuer_offset,
		.issuer_len = crl->issuer_len,
		.fingerprint = crl->fingerprint,
		.this_update = crl->this_update,
		.next_update = crl->next_update,
	};
}

int kt_snapshot_crl(const struct kt_snapshot *snapshot, size_t index, struct kt_crl *ret_crl)
{
	if (index >= snapshot->crls)
		return -ERANGE;
	*ret_crl = view_of_crl(snapshot, &kt_image_crls(snapshot)[index]);
	return 0;
}

/* They are few: no index, the cursor counts those that were looked at. */
int kt_snapshot_find_crl(const struct kt_snapshot *snapshot, const uint8_t *issuer,
			 size_t issuer_len, size_t *cursor, struct kt_crl *ret_crl)
{
	const struct kt_der_view wanted = {issuer, issuer_len};
	uint64_t hash;

	if (!snapshot->crls)
		return -ENOENT;
	hash = kt_name_hash(wanted);
	for (size_t i = *cursor; i < snapshot->crls; i++) {
		struct kt_crl crl = view_of_crl(snapshot, &kt_image_crls(snapshot)[i]);

		if (kt_image_crls(snapshot)[i].issuer_hash != hash ||
		    !kt_name_equal((struct kt_der_view){crl.issuer, crl.issuer_len}, wanted))
			continue;
		*ret_crl = crl;
		*cursor = i + 1;
		return 0;
	}
	return -ENOENT;
}

/* ---- Difference ---------------------------------------------------------------------------- */

/* Goes over the identities of a snapshot in order, each once. */
struct walk {
	const struct kt_snapshot *snapshot; /* NULL: one without anchors */
	size_t place;
};

static const uint8_t *identity_at(const struct walk *walk, size_t place)
{
	return kt_image_entries(walk->snapshot)[kt_image_by_identity(walk->snapshot)[place]]
		.identity;
}

static const uint8_t *current(const struct walk *walk)
{
	if (!walk->snapshot || walk->place == walk->snapshot->anchors)
		return NULL;
	return identity_at(walk, walk->place);
}

static void advance(struct walk *walk)
{
	const uint8_t *before = current(walk);

	do
		walk->place++;
	while (current(walk) && memcmp(current(walk), before, KT_DIGEST_LEN) == 0);
}

void kt_snapshot_diff(const struct kt_snapshot *from, const struct kt_snapshot *to,
		      size_t *ret_added, size_t *ret_removed)
{
	struct walk left = {.snapshot = from}, right = {.snapshot = to};
	size_t added = 0, removed = 0;

	while (current(&left) || current(&right)) {
		int way;

		if (!current(&left))
			way = 1;
		else if (!current(&right))
			way = -1;
		else
			way = memcmp(current(&left), current(&right), KT_DIGEST_LEN);
		removed += way < 0;
		added += way > 0;
		if (way <= 0)
			advance(&left);
		if (way >= 0)
			advance(&right);
	}
	*ret_added = added;
	*ret_removed = removed;
}
