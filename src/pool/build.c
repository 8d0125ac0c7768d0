/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From an anchor set to a snapshot: order the anchors, write the image, make it read-only.
 */
#include <ktrust/pool.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "digest.h"
#include "image.h"
#include "memory.h"
#include "run.h"
#include "set.h"

/* ---- Orders -------------------------------------------------------------------------------- */

/*
 * Sorting by the first eight bytes settles nearly all; `whole` settles the rest, and the number
 * what is alike.
 */
struct sort_key {
	uint64_t prefix;
	struct kt_der_view whole; /* len 0: prefix is all there is */
	uint32_t number;
};

/* Of less than eight bytes, zeros behind them: the order is that of bytes, then of length. */
static uint64_t prefix_of(struct kt_der_view bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < sizeof word; i++)
		word = word << 8 | (i < bytes.len ? bytes.data[i] : 0);
	return word;
}

static int compare_keys(const void *left, const void *right)
{
	const struct sort_key *a = left, *b = right;
	int way;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	way = kt_image_compare_key_ids(a->whole, b->whole);
	if (way)
		return way;
	return (a->number > b->number) - (a->number < b->number);
}

static struct sort_key bytes_key(struct kt_der_view bytes, uint32_t number)
{
	return (struct sort_key){prefix_of(bytes), bytes, number};
}

static struct sort_key digest_key(const uint8_t *digest, uint32_t number)
{
	return bytes_key((struct kt_der_view){digest, KT_DIGEST_LEN}, number);
}

#define DIGITS 256

/* One pass of a radix sort, stable: by the byte of prefix that shift brings down. */
static void pass(const struct sort_key *from, struct sort_key *to, uint32_t count,
		 unsigned int shift)
{
	uint32_t at[DIGITS] = {0}, sum = 0;

	for (uint32_t i = 0; i < count; i++)
		at[from[i].prefix >> shift & (DIGITS - 1)]++;
	for (size_t digit = 0; digit < DIGITS; digit++) {
		uint32_t here = at[digit];

		at[digit] = sum;
		sum += here;
	}
	for (uint32_t i = 0; i < count; i++)
		to[at[from[i].prefix >> shift & (DIGITS - 1)]++] = from[i];
}

/*
 * By prefix in linear time; what is alike there, which only chance or ill will brings about, by
 * comparison. scratch has room for as many.
 */
static void sort(struct sort_key *keys, struct sort_key *scratch, uint32_t count)
{
	for (unsigned int shift = 0; shift < 64; shift += 16) {
		pass(keys, scratch, count, shift);
		pass(scratch, keys, count, shift + 8);
	}
	for (uint32_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && keys[end].prefix == keys[i].prefix;)
			end++;
		if (end - i > 1)
			qsort(keys + i, end - i, sizeof *keys, compare_keys);
	}
}

/* Keys of everything that is sorted, one order after another. */
struct sorter {
	struct sort_key *keys;
	struct sort_key *scratch; /* behind the keys */
};

static void write_order(const struct sorter *sorter, uint32_t count, uint32_t *order)
{
	sort(sorter->keys, sorter->scratch, count);
	for (uint32_t i = 0; i < count; i++)
		order[i] = sorter->keys[i].number;
}

/* ---- The image ----------------------------------------------------------------------------- */

/* Where the next bytes of an image go. */
struct pen {
	struct kt_snapshot *image;
	uint64_t at;
};

static uint64_t write_bytes(struct pen *pen, const void *bytes, size_t len)
{
	uint64_t at = pen->at;

	memcpy((uint8_t *)pen->image + at, bytes, len);
	pen->at += len;
	return at;
}

static void write_entries(const struct kt_anchor_set *set, const struct sorter *sorter,
			  struct pen *names, struct pen *der)
{
	struct sort_key *keys = sorter->keys;
	struct kt_snapshot *image = der->image;
	struct kt_image_entry *entries =
		(struct kt_image_entry *)((uint8_t *)image + image->entries_offset);

	for (uint32_t i = 0; i < image->anchors; i++)
		keys[i] = digest_key(kt_set_entry(set, i)->fingerprint, i);
	sort(keys, sorter->scratch, image->anchors);
	for (uint32_t i = 0; i < image->anchors; i++) {
		const struct kt_image_entry *from = kt_set_entry(set, keys[i].number);

		entries[i] = *from;
		entries[i].names_offset = 0;
		if (from->names_len)
			entries[i].names_offset =
				write_bytes(names, kt_set_names(set, from), from->names_len + 1);
		entries[i].der_offset =
			write_bytes(der, kt_set_bytes(set).der + from->der_offset, from->der_len);
	}
}

static void write_crls(const struct kt_anchor_set *set, const struct sorter *sorter,
		       struct pen *der)
{
	struct sort_key *keys = sorter->keys;
	struct kt_snapshot *image = der->image;
	struct kt_image_crl *crls = (struct kt_image_crl *)((uint8_t *)image + image->crls_offset);

	for (uint32_t i = 0; i < image->crls; i++)
		keys[i] = digest_key(kt_set_crl(set, i)->fingerprint, i);
	sort(keys, sorter->scratch, image->crls);
	for (uint32_t i = 0; i < image->crls; i++) {
		crls[i] = *kt_set_crl(set, keys[i].number);
		crls[i].der_offset = write_bytes(
			der, kt_set_bytes(set).crl_der + crls[i].der_offset, crls[i].der_len);
	}
}

static uint32_t *order_at(struct kt_snapshot *image, uint64_t offset)
{
	return (uint32_t *)((uint8_t *)image + offset);
}

static void write_indexes(struct kt_snapshot *image, const struct sorter *sorter)
{
	struct sort_key *keys = sorter->keys;
	const struct kt_image_entry *entries = kt_image_entries(image);

	for (uint32_t i = 0; i < image->anchors; i++)
		keys[i] = (struct sort_key){entries[i].name_hash, {entries[i].fingerprint, 0}, i};
	write_order(sorter, image->anchors, order_at(image, image->by_name_offset));
	for (uint32_t i = 0; i < image->anchors; i++)
		keys[i] = digest_key(entries[i].identity, i);
	write_order(sorter, image->anchors, order_at(image, image->by_identity_offset));
	for (uint32_t i = 0; i < image->anchors; i++)
		keys[i] = bytes_key(kt_image_key_id(image, &entries[i]), i);
	write_order(sorter, image->anchors, order_at(image, image->by_key_id_offset));
}

static int write_digests(struct kt_snapshot *image)
{
	struct kt_digest digest;
	int ret = kt_digest_init(&digest);

	if (ret)
		return ret;
	ret = kt_image_digest(&digest, image, image->digest);
	if (ret == 0)
		ret = kt_image_checksum(&digest, image, image->checksum);
	kt_digest_fini(&digest);
	return ret;
}

static int write_image(const struct kt_anchor_set *set, const struct kt_snapshot *header,
		       struct kt_snapshot *image)
{
	size_t most = header->anchors > header->crls ? header->anchors : header->crls;
	struct pen names = {image, header->names_offset}, der = {image, header->der_offset};
	struct kt_run keys = {0};
	struct sorter sorter;
	int ret = kt_run_reserve(&keys, sizeof *sorter.keys, 2 * most);

	if (ret)
		return ret;
	sorter = (struct sorter){keys.items, (struct sort_key *)keys.items + most};
	*image = *header;
	write_entries(set, &sorter, &names, &der);
	write_crls(set, &sorter, &der);
	write_indexes(image, &sorter);
	kt_run_fini(&keys);
	return write_digests(image);
}

static int build_image(const struct kt_anchor_set *set, const struct kt_snapshot *header,
		       struct kt_snapshot **ret_snapshot)
{
	void *bytes;
	int ret = kt_memory_new(header->image_len, &bytes);

	if (ret)
		return ret;
	ret = kt_memory_freeze(bytes, header->image_len, write_image(set, header, bytes));
	if (ret == 0)
		*ret_snapshot = bytes;
	return ret;
}

static uint64_t wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Names that a merge replaced do not go into the image. */
static struct kt_image_size size_of(const struct kt_anchor_set *set)
{
	struct kt_set_bytes bytes = kt_set_bytes(set);
	struct kt_image_size size = {.anchors = (uint32_t)kt_anchor_set_count(set),
				     .crls = (uint32_t)kt_anchor_set_crls(set),
				     .der_len = bytes.der_len + bytes.crl_der_len};

	for (uint32_t i = 0; i < size.anchors; i++)
		if (kt_set_entry(set, i)->names_len)
			size.names_len += kt_set_entry(set, i)->names_len + 1;
	return size;
}

static int fill_header(struct kt_snapshot *header, const struct kt_anchor_set *set,
		       const char *pool, const char *source, uint64_t version,
		       struct kt_error *error)
{
	const char *why = kt_image_check_pool_name(pool);
	struct kt_image_size size;

	if (why)
		return kt_error_set(error, EINVAL, pool, 0, "%s", why);
	if (version == 0)
		return kt_error_set(error, EINVAL, pool, 0, "versions count from 1");
	if (strlen(source) > KT_SOURCE_MAX)
		return kt_error_set(error, EINVAL, pool, 0,
				    "the source has more than %u characters (use shorter paths)",
				    KT_SOURCE_MAX);
	if (kt_anchor_set_count(set) == 0)
		return kt_error_set(error, ENODATA, pool, 0,
				    "no anchors (name a source with some)");
	memcpy(header->magic, KT_IMAGE_MAGIC, sizeof header->magic);
	header->byte_order = KT_IMAGE_BYTE_ORDER;
	header->format = KT_IMAGE_FORMAT;
	header->version = version;
	header->created_ns = wall_clock_ns();
	memcpy(header->pool, pool, strlen(pool));
	memcpy(header->source, source, strlen(source));
	header->crl_policy = kt_set_crl_policy(set);
	size = size_of(set);
	kt_image_lay_out(header, &size);
	return 0;
}

int kt_snapshot_build(const struct kt_anchor_set *set, const char *pool, const char *source,
		      uint64_t version, struct kt_snapshot **ret_snapshot, struct kt_error *error)
{
	struct kt_snapshot header = {0};
	int ret = fill_header(&header, set, pool, source, version, error);

	if (ret)
		return ret;
	ret = build_image(set, &header, ret_snapshot);
	if (ret)
		return kt_error_set(error, -ret, pool, 0, "the snapshot could not be built: %s",
				    strerror(-ret));
	return 0;
}
