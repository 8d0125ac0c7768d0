/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The anchor set: entries, their DER in one growing run, and a hash table over fingerprints.
 *
 * The table is open addressing with linear probing, filled at most half, keyed by the first bytes
 * of the fingerprint, which is evenly spread by itself. It always is what inserting the entries in
 * order gives, so that taking back the latest entry is emptying its place.
 */
#include "set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

#define TABLE_LEN_MIN	64
#define ENTRIES_LEN_MIN 32
#define DER_LEN_MIN	(64u << 10)

struct kt_anchor_set {
	struct kt_image_entry *entries;
	size_t count;
	size_t entries_len; /* entries there is room for */
	uint8_t *der;
	size_t der_used;  /* bytes */
	size_t der_len;	  /* bytes there is room for */
	uint32_t *table;  /* number of the entry plus one; 0: empty */
	size_t table_len; /* a power of two */
	struct kt_digest digest;
};

struct kt_anchor_set *kt_anchor_set_new(void)
{
	struct kt_anchor_set *set = calloc(1, sizeof *set);

	if (!set)
		return NULL;
	if (kt_digest_init(&set->digest)) {
		free(set);
		return NULL;
	}
	return set;
}

void kt_anchor_set_free(struct kt_anchor_set *set)
{
	if (!set)
		return;
	kt_digest_fini(&set->digest);
	free(set->table);
	free(set->der);
	free(set->entries);
	free(set);
}

size_t kt_anchor_set_count(const struct kt_anchor_set *set)
{
	return set->count;
}

const struct kt_image_entry *kt_set_entry(const struct kt_anchor_set *set, size_t index)
{
	return &set->entries[index];
}

const uint8_t *kt_set_der(const struct kt_anchor_set *set)
{
	return set->der;
}

size_t kt_set_der_len(const struct kt_anchor_set *set)
{
	return set->der_used;
}

/* The place of this fingerprint, or the empty one it would take. */
static size_t find_place(const uint32_t *table, size_t table_len,
			 const struct kt_image_entry *entries, const uint8_t *fingerprint)
{
	uint64_t key;
	size_t place;

	memcpy(&key, fingerprint, sizeof key);
	for (place = key & (table_len - 1); table[place]; place = (place + 1) & (table_len - 1))
		if (memcmp(entries[table[place] - 1].fingerprint, fingerprint, KT_DIGEST_LEN) == 0)
			break;
	return place;
}

static int grow_table(struct kt_anchor_set *set)
{
	size_t len = set->table_len ? set->table_len * 2 : TABLE_LEN_MIN;
	uint32_t *table = calloc(len, sizeof *table);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < set->count; i++)
		table[find_place(table, len, set->entries, set->entries[i].fingerprint)] =
			(uint32_t)i + 1;
	free(set->table);
	set->table = table;
	set->table_len = len;
	return 0;
}

static int grow_entries(struct kt_anchor_set *set)
{
	size_t len = set->entries_len ? set->entries_len * 2 : ENTRIES_LEN_MIN;
	struct kt_image_entry *entries = realloc(set->entries, len * sizeof *entries);

	if (!entries)
		return -ENOMEM;
	set->entries = entries;
	set->entries_len = len;
	return 0;
}

static int grow_der(struct kt_anchor_set *set, size_t more)
{
	size_t len = set->der_len ? set->der_len : DER_LEN_MIN;
	uint8_t *der;

	/* more is at most KT_CERTIFICATE_MAX: one doubling always does. */
	if (len - set->der_used < more)
		len *= 2;
	der = realloc(set->der, len);
	if (!der)
		return -ENOMEM;
	set->der = der;
	set->der_len = len;
	return 0;
}

/* Room for one more certificate, so that entering it cannot fail. */
static int make_room(struct kt_anchor_set *set, size_t der_len)
{
	int ret = 0;

	if (set->count == set->entries_len)
		ret = grow_entries(set);
	if (ret == 0 && (set->count + 1) * 2 > set->table_len)
		ret = grow_table(set);
	if (ret == 0 && set->der_len - set->der_used < der_len)
		ret = grow_der(set, der_len);
	return ret;
}

/* Digest what identifies the anchor; the rest of the entry is filled. */
static int identify(struct kt_anchor_set *set, const uint8_t *der, struct kt_image_entry *entry)
{
	struct kt_der_view parts[2] = {{der, entry->der_len}};
	int ret = kt_digest_of(&set->digest, parts, 1, entry->fingerprint);

	if (ret)
		return ret;
	kt_image_identity_parts(der, entry, parts);
	return kt_digest_of(&set->digest, parts, 2, entry->identity);
}

static int enter(struct kt_anchor_set *set, const uint8_t *der, struct kt_image_entry *entry)
{
	int ret = make_room(set, entry->der_len);
	size_t place;

	if (ret)
		return ret;
	place = find_place(set->table, set->table_len, set->entries, entry->fingerprint);
	if (set->table[place])
		return 0;
	if (set->count == KT_ANCHORS_MAX)
		return -E2BIG;
	entry->der_offset = set->der_used;
	memcpy(set->der + set->der_used, der, entry->der_len);
	set->der_used += entry->der_len;
	set->entries[set->count++] = *entry;
	set->table[place] = (uint32_t)set->count;
	return 0;
}

void kt_set_take_back(struct kt_anchor_set *set, size_t count)
{
	while (set->count > count) {
		const struct kt_image_entry *last = &set->entries[set->count - 1];

		set->table[find_place(set->table, set->table_len, set->entries,
				      last->fingerprint)] = 0;
		set->der_used = last->der_offset;
		set->count--;
	}
}

int kt_anchor_set_add_der(struct kt_anchor_set *set, const uint8_t *der, size_t len,
			  const char *where, unsigned int line, struct kt_error *error)
{
	struct kt_image_entry entry = {0};
	const char *why;
	int ret;

	if (len > KT_CERTIFICATE_MAX)
		return kt_error_set(error, EFBIG, where, line,
				    "the certificate has %zu bytes, more than %u", len,
				    KT_CERTIFICATE_MAX);
	why = kt_image_describe(der, len, &entry);
	if (why)
		return kt_error_set(
			error, EBADMSG, where, line,
			"not a well-formed certificate: %s (replace it, or take it out)", why);
	ret = identify(set, der, &entry);
	if (ret)
		return kt_error_set(error, -ret, where, line, "SHA-256 failed");
	ret = enter(set, der, &entry);
	if (ret == -E2BIG)
		return kt_error_set(error, E2BIG, where, line, "more than %u anchors",
				    KT_ANCHORS_MAX);
	if (ret)
		return kt_error_set(error, -ret, where, line, "out of memory");
	return 0;
}
