/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool's place in the state directory: its counter and the images of its history.
 *
 *   DIR/POOL/state              the counter, and which images there are: struct kt_store_state
 *   DIR/POOL/<version>.snapshot an image as in image.h
 *   DIR/POOL/….tmp              left over by a crash; removed when it is opened
 *
 * `state` is what counts: an image is there when it names it, so that the step from old to new is
 * its rename alone. To keep an image: the image (temporary file, fsync, rename, fsync of the
 * directory), then `state` likewise, then the images go that it no longer names. A crash in between
 * leaves images that nobody names; they are removed when it is opened.
 *
 * The counter. What is published while nothing can be written must not be given again after a
 * crash, so `state` always says how far versions may have come: `floor`, some KT_STORE_AHEAD beyond
 * the last. After an end without kt_store_close the next version is beyond the floor, else it is
 * the one behind the last. After an orderly end `last` is exact: when it is beyond the newest
 * image, what was published last could not be kept.
 *
 * Threads: one at a time. It blocks for the disk.
 */
#ifndef KT_POOL_STORE_H
#define KT_POOL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/life.h>

#define KT_STORE_MAGIC	"KTSTATE\n"
#define KT_STORE_FORMAT 1u
#define KT_STORE_AHEAD	1000u /* publications that may go by while nothing can be written */

struct kt_store_image {
	uint64_t version;
	uint64_t epoch;
	uint8_t digest[KT_DIGEST_LEN];
};

/* The file, without holes; integers in the byte order of the host. */
struct kt_store_state {
	char magic[8];	     /* KT_STORE_MAGIC without its NUL */
	uint32_t byte_order; /* KT_IMAGE_BYTE_ORDER */
	uint32_t format;
	char pool[KT_POOL_NAME_MAX + 1];     /* zeros behind the text */
	uint64_t last;			     /* the highest version that was published; 0: none */
	uint64_t floor;			     /* >= last; equal to it when clean */
	uint64_t epoch;			     /* the highest that was published; 0: none */
	uint8_t epoch_digest[KT_DIGEST_LEN]; /* what it was published with */
	uint32_t clean;			     /* 1: closed in order */
	uint32_t count;			     /* of images, newest first */
	struct kt_store_image images[KT_HISTORY_MAX + 1]; /* zeros behind the last */
	uint8_t checksum[KT_DIGEST_LEN];		  /* SHA-256 of all before it */
};

_Static_assert(sizeof(struct kt_store_state) ==
		       8 + 2 * 4 + KT_POOL_NAME_MAX + 1 + 3 * 8 + KT_DIGEST_LEN + 2 * 4 +
			       (KT_HISTORY_MAX + 1) * (16 + KT_DIGEST_LEN) + KT_DIGEST_LEN,
	       "state has holes");

/* Is this the state of a pool, in every detail? NULL, or what is wrong. No checksum is looked at.
 */
const char *kt_store_state_check(const struct kt_store_state *state, const char *pool);

/* Its checksum. As kt_digest_of. */
KT_WARN_UNUSED int kt_store_state_sum(const struct kt_store_state *state,
				      uint8_t ret_sum[KT_DIGEST_LEN]);

struct kt_store;

/*
 * Open, or make, the place of a pool below dir, and mark it as in use: until kt_store_close it is
 * not clean. Errors as kt_pool_use_state.
 */
KT_WARN_UNUSED int kt_store_open(const char *dir, const char *pool, struct kt_store **ret_store,
				 struct kt_error *error);

/* What is known to be on the disk. was_clean: how it was found; true too when it is new. */
const struct kt_store_state *kt_store_state(const struct kt_store *store);
bool kt_store_was_clean(const struct kt_store *store);

/* Map one of the images. As kt_snapshot_map, and -EBADMSG it is not the one that state names. */
KT_WARN_UNUSED int kt_store_map(const struct kt_store *store, const struct kt_store_image *image,
				struct kt_snapshot **ret_snapshot, struct kt_error *error);

/*
 * Make `next` what is on the disk; magic, pool, floor, clean and checksum are filled in. Images
 * that it names and the disk has not: exactly `snapshot`, or none when that is NULL.
 */
KT_WARN_UNUSED int kt_store_keep(struct kt_store *store, struct kt_store_state *next,
				 const struct kt_snapshot *snapshot, struct kt_error *error);

/*
 * `last` and `epoch` may be further than on the disk: the last and the highest that were published,
 * kept or not. What was not clean, and had nothing published since, stays as it is: a clean counter
 * beyond the newest image says that something was published and could not be kept. NULL is fine.
 */
void kt_store_close(struct kt_store *store, uint64_t last, uint64_t epoch,
		    const uint8_t epoch_digest[KT_DIGEST_LEN]);

#endif
