/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From an anchor set to a snapshot: order the anchors, write the image, seal it.
 */
#include <ktrust/pool.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "digest.h"
#include "image.h"
#include "memory.h"
#include "set.h"

/* ---- Orders -------------------------------------------------------------------------------- */

/* Sorting by the first eight bytes of a digest settles nearly all; `whole` settles the rest. */
struct sort_key {
	uint64_t prefix;
	const uint8_t *whole; /* KT_DIGEST_LEN bytes; NULL: prefix is all there is */
	uint32_t number;
};

static uint64_t big_endian(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < sizeof word; i++)
		word = word << 8 | bytes[i];
	return word;
}

static int compare_keys(const void *left, const void *right)
{
	const struct sort_key *a = left, *b = right;
	int way;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	way = a->whole ? memcmp(a->whole, b->whole, KT_DIGEST_LEN) : 0;
	if (way)
		return way;
	return (a->number > b->number) - (a->number < b->number);
}

static struct sort_key digest_key(const uint8_t *digest, uint32_t number)
{
	return (struct sort_key){big_endian(digest), digest, number};
}

static void write_order(struct sort_key *keys, uint32_t count, uint32_t *order)
{
	qsort(keys, count, sizeof *keys, compare_keys);
	for (uint32_t i = 0; i < count; i++)
		order[i] = keys[i].number;
}

/* ---- The image ----------------------------------------------------------------------------- */

static void write_entries(const struct kt_anchor_set *set, struct sort_key *keys,
			  struct kt_snapshot *image, struct kt_image_entry *entries)
{
	uint8_t *to = (uint8_t *)image + image->der_offset;

	for (uint32_t i = 0; i < image->anchors; i++)
		keys[i] = digest_key(kt_set_entry(set, i)->fingerprint, i);
	qsort(keys, image->anchors, sizeof *keys, compare_keys);
	for (uint32_t i = 0; i < image->anchors; i++) {
		const struct kt_image_entry *from = kt_set_entry(set, keys[i].number);

		entries[i] = *from;
		entries[i].der_offset = (uint64_t)(to - (uint8_t *)image);
		memcpy(to, kt_set_der(set) + from->der_offset, from->der_len);
		to += from->der_len;
	}
}

static void write_indexes(struct kt_snapshot *image, const struct kt_image_entry *entries,
			  struct sort_key *keys)
{
	uint32_t *by_name = (uint32_t *)((uint8_t *)image + image->by_name_offset);
	uint32_t *by_identity = (uint32_t *)((uint8_t *)image + image->by_identity_offset);

	for (uint32_t i = 0; i < image->anchors; i++)
		keys[i] = (struct sort_key){entries[i].name_hash, NULL, i};
	write_order(keys, image->anchors, by_name);
	for (uint32_t i = 0; i < image->anchors; i++)
		keys[i] = digest_key(entries[i].identity, i);
	write_order(keys, image->anchors, by_identity);
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
	struct kt_image_entry *entries;
	struct sort_key *keys = malloc(header->anchors * sizeof *keys);

	if (!keys)
		return -ENOMEM;
	*image = *header;
	entries = (struct kt_image_entry *)((uint8_t *)image + image->entries_offset);
	write_entries(set, keys, image, entries);
	write_indexes(image, entries, keys);
	free(keys);
	return write_digests(image);
}

static int build_image(const struct kt_anchor_set *set, const struct kt_snapshot *header,
		       struct kt_snapshot **ret_snapshot)
{
	struct kt_memory memory;
	const void *bytes;
	int ret, fd;

	ret = kt_memory_new(&memory, header->image_len);
	if (ret)
		return ret;
	ret = write_image(set, header, memory.bytes);
	if (ret) {
		kt_memory_drop(&memory);
		return ret;
	}
	fd = kt_memory_seal(&memory);
	if (fd < 0)
		return fd;
	ret = kt_memory_map(fd, header->image_len, &bytes);
	/* The map keeps the memory: a snapshot costs no descriptor. */
	close(fd);
	if (ret)
		return ret;
	*ret_snapshot = (struct kt_snapshot *)(uintptr_t)bytes;
	return 0;
}

static uint64_t wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int fill_header(struct kt_snapshot *header, const struct kt_anchor_set *set,
		       const char *pool, const char *source, uint64_t version,
		       struct kt_error *error)
{
	const char *why = kt_image_check_pool_name(pool);

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
	kt_image_lay_out(header, (uint32_t)kt_anchor_set_count(set), kt_set_der_len(set));
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
