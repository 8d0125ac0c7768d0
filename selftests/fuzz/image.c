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

static bool finds_key_id(const struct kt_snapshot *snapshot, const struct kt_anchor *anchor)
{
	struct kt_anchor found;
	size_t cursor = 0;

	while (kt_snapshot_find_key_id(snapshot, anchor->key_id, anchor->key_id_len, &cursor,
				       &found) == 0)
		if (found.der == anchor->der)
			return true;
	return false;
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
		require(!anchor.key_id || finds_key_id(snapshot, &anchor));
		require(strlen(anchor.constraints.permitted_dns) <= KT_PERMITTED_DNS_MAX);
	}
	for (size_t i = 0; i < info.crls; i++) {
		struct kt_crl crl, found;
		size_t cursor = 0;

		require(kt_snapshot_crl(snapshot, i, &crl) == 0);
		require(kt_snapshot_find_crl(snapshot, crl.issuer, crl.issuer_len, &cursor,
					     &found) == 0);
	}
	kt_snapshot_diff(snapshot, snapshot, &added, &removed);
	require(added == 0 && removed == 0);
}

/* Do the names that an entry claims lie within the image? */
static bool has_names(const struct kt_snapshot *image, const struct kt_image_entry *entry)
{
	return entry->names_offset <= image->image_len &&
	       entry->names_len < image->image_len - entry->names_offset;
}

static void sign_crls(struct kt_digest *digest, struct kt_snapshot *image)
{
	struct kt_image_crl *crls = (struct kt_image_crl *)((uint8_t *)image + image->crls_offset);

	for (uint32_t i = 0; i < image->crls; i++) {
		struct kt_der_view whole = {(const uint8_t *)image + crls[i].der_offset,
					    crls[i].der_len};

		if (crls[i].der_offset > image->image_len ||
		    crls[i].der_len > image->image_len - crls[i].der_offset)
			continue;
		require(kt_digest_of(digest, &whole, 1, crls[i].fingerprint) == 0);
		(void)!kt_image_describe_crl(whole.data, whole.len, &crls[i]);
	}
}

static void sign_entries(struct kt_digest *digest, struct kt_snapshot *image)
{
	struct kt_image_entry *entries =
		(struct kt_image_entry *)((uint8_t *)image + image->entries_offset);

	for (uint32_t i = 0; i < image->anchors; i++) {
		struct kt_image_entry *entry = &entries[i];
		struct kt_image_identity identity;
		struct kt_der_view whole;
		const uint8_t *der;

		if (entry->der_offset > image->image_len ||
		    entry->der_len > image->image_len - entry->der_offset)
			continue;
		der = (const uint8_t *)image + entry->der_offset;
		whole = (struct kt_der_view){der, entry->der_len};
		require(kt_digest_of(digest, &whole, 1, entry->fingerprint) == 0);
		if (kt_image_describe(der, entry->der_len, entry) || !has_names(image, entry))
			continue;
		kt_image_identify(der, entry, kt_image_names(image, entry), &identity);
		require(kt_digest_of(digest, identity.parts, 4, entry->identity) == 0);
	}
}

/* False: its places are such that there is nothing to sign. */
static bool sign(struct kt_snapshot *image, size_t size)
{
	struct kt_image_size parts;
	struct kt_digest digest;

	if (size < sizeof *image || image->anchors > KT_ANCHORS_MAX || image->crls > KT_CRLS_MAX)
		return false;
	parts = (struct kt_image_size){.anchors = image->anchors, .crls = image->crls};
	if (image->names_offset < image->der_offset)
		parts.names_len = image->der_offset - image->names_offset;
	kt_image_lay_out(image, &parts);
	if (image->der_offset > size || image->der_offset < image->names_offset)
		return false;
	image->image_len = size;
	require(kt_digest_init(&digest) == 0);
	sign_entries(&digest, image);
	sign_crls(&digest, image);
	for (uint32_t i = 0; i < image->anchors; i++)
		if (!has_names(image, &kt_image_entries(image)[i])) {
			kt_digest_fini(&digest);
			return false;
		}
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
