/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the check of an image, and reading what passed it.
 *
 * Digests would stop nearly every input at the door. So each input is tried as it is, and then once
 * more as a forger would send it: with all digests made good as far as its places allow.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/pool/digest.h"
#include "../../src/pool/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

/* Everything that can be read of a snapshot; what passed the check may not lead astray. */
static void read_all(const struct kt_snapshot *snapshot)
{
	struct kt_snapshot_info info;
	size_t added, removed;

	kt_snapshot_describe(snapshot, &info);
	for (size_t i = 0; i < info.anchors; i++) {
		struct kt_anchor anchor, found;
		size_t cursor = 0, same = 0;

		require(kt_snapshot_anchor(snapshot, i, &anchor) == 0);
		require(kt_snapshot_find_fingerprint(snapshot, anchor.fingerprint, &found) == 0);
		require(found.der == anchor.der);
		while (kt_snapshot_find_subject(snapshot, anchor.subject, anchor.subject_len,
						&cursor, &found) == 0)
			same += found.der == anchor.der;
		require(same == 1);
	}
	kt_snapshot_diff(snapshot, snapshot, &added, &removed);
	require(added == 0 && removed == 0);
}

static void sign_entries(struct kt_digest *digest, struct kt_snapshot *image)
{
	struct kt_image_entry *entries =
		(struct kt_image_entry *)((uint8_t *)image + image->entries_offset);

	for (uint32_t i = 0; i < image->anchors; i++) {
		struct kt_image_entry *entry = &entries[i];
		struct kt_der_view parts[2];
		const uint8_t *der;

		if (entry->der_offset > image->image_len ||
		    entry->der_len > image->image_len - entry->der_offset)
			continue;
		der = (const uint8_t *)image + entry->der_offset;
		parts[0] = (struct kt_der_view){der, entry->der_len};
		require(kt_digest_of(digest, parts, 1, entry->fingerprint) == 0);
		if (kt_image_describe(der, entry->der_len, entry))
			continue;
		kt_image_identity_parts(der, entry, parts);
		require(kt_digest_of(digest, parts, 2, entry->identity) == 0);
	}
}

/* False: its places are such that there is nothing to sign. */
static bool sign(struct kt_snapshot *image, size_t size)
{
	struct kt_digest digest;

	if (size < sizeof *image || image->anchors > KT_ANCHORS_MAX)
		return false;
	kt_image_lay_out(image, image->anchors, 0);
	if (image->der_offset > size)
		return false;
	image->image_len = size;
	require(kt_digest_init(&digest) == 0);
	sign_entries(&digest, image);
	require(kt_image_digest(&digest, image, image->digest) == 0);
	require(kt_image_checksum(&digest, image, image->checksum) == 0);
	kt_digest_fini(&digest);
	return true;
}

static void check(const uint8_t *bytes, size_t size)
{
	struct kt_error error = {0};

	if (kt_image_check(bytes, size, &error) == 0)
		read_all((const struct kt_snapshot *)bytes);
	else
		require(error.err != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	require(copy != NULL);
	memcpy(copy, data, size);
	check(copy, size);
	if (sign((struct kt_snapshot *)copy, size))
		check(copy, size);
	free(copy);
	return 0;
}
