/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of an image that came from elsewhere. In this order, so that nothing is used before it
 * is known to be good: the header, the places, the checksum, each anchor, the orders.
 *
 * Functions return NULL or what is wrong; what kt_image_check_parts returns as errno is trouble of
 * this process (memory, libcrypto), not of the image.
 */
#include "image.h"

#include <errno.h>
#include <string.h>

#include "digest.h"

static const char *check_header(const struct kt_snapshot *image, size_t len)
{
	if (len < sizeof *image)
		return "it is shorter than a header (is it cut?)";
	if (memcmp(image->magic, KT_IMAGE_MAGIC, sizeof image->magic) != 0)
		return "it is not a snapshot";
	if (image->byte_order != KT_IMAGE_BYTE_ORDER)
		return "it was written on a host of the other byte order (build it on this one)";
	if (image->format != KT_IMAGE_FORMAT)
		return "its format is of another version of ktrust (build it anew)";
	if (image->image_len != len)
		return "its length is not what its header says (is it cut?)";
	if (image->anchors == 0 || image->anchors > KT_ANCHORS_MAX)
		return "the number of its anchors is out of range";
	if (image->version == 0)
		return "its version is 0";
	if (image->reserved != 0)
		return "a reserved field is not zero";
	return NULL;
}

static bool is_padded_text(const char *field, size_t size)
{
	size_t len = strnlen(field, size);

	for (size_t i = len; i < size; i++)
		if (field[i] != '\0')
			return false;
	return len < size;
}

static const char *check_texts(const struct kt_snapshot *image)
{
	if (!is_padded_text(image->pool, sizeof image->pool))
		return "the field of the pool's name is not a padded text";
	if (!is_padded_text(image->source, sizeof image->source))
		return "the field of the source is not a padded text";
	return kt_image_check_pool_name(image->pool);
}

static const char *check_places(const struct kt_snapshot *image)
{
	struct kt_snapshot expected;

	/* anchors is bounded by now, so that no sum can overflow. */
	kt_image_lay_out(&expected, image->anchors, 0);
	if (image->entries_offset != expected.entries_offset ||
	    image->by_name_offset != expected.by_name_offset ||
	    image->by_identity_offset != expected.by_identity_offset ||
	    image->der_offset != expected.der_offset)
		return "an offset in its header is wrong";
	if (image->der_offset >= image->image_len)
		return "its index does not fit (is it cut?)";
	return NULL;
}

static const char *check_digests(struct kt_digest *digest, const struct kt_snapshot *image,
				 int *ret_err)
{
	uint8_t sum[KT_DIGEST_LEN];

	*ret_err = kt_image_checksum(digest, image, sum);
	if (*ret_err)
		return NULL;
	if (memcmp(sum, image->checksum, sizeof sum) != 0)
		return "its checksum is wrong (it was changed)";
	*ret_err = kt_image_digest(digest, image, sum);
	if (*ret_err)
		return NULL;
	if (memcmp(sum, image->digest, sizeof sum) != 0)
		return "its digest is not that of its anchors";
	return NULL;
}

/* Does the index say what the certificate says? */
static const char *check_entry(struct kt_digest *digest, const struct kt_snapshot *image,
			       const struct kt_image_entry *entry, int *ret_err)
{
	const uint8_t *der = (const uint8_t *)image + entry->der_offset;
	struct kt_image_entry expected = {.der_offset = entry->der_offset};
	struct kt_der_view parts[2] = {{der, entry->der_len}};
	const char *why;

	*ret_err = kt_digest_of(digest, parts, 1, expected.fingerprint);
	if (*ret_err)
		return NULL;
	/* First, since it tells a damaged certificate from a wrong index. */
	if (memcmp(expected.fingerprint, entry->fingerprint, KT_DIGEST_LEN) != 0)
		return "a certificate in it was changed";
	why = kt_image_describe(der, entry->der_len, &expected);
	if (why)
		return why;
	kt_image_identity_parts(der, &expected, parts);
	*ret_err = kt_digest_of(digest, parts, 2, expected.identity);
	if (*ret_err)
		return NULL;
	/* Neither has padding. */
	if (memcmp(&expected, entry, sizeof expected) != 0)
		return "its index does not say what a certificate says";
	return NULL;
}

static const char *check_entries(struct kt_digest *digest, const struct kt_snapshot *image,
				 int *ret_err)
{
	const struct kt_image_entry *entries = kt_image_entries(image);
	uint64_t offset = image->der_offset;
	const char *why;

	for (uint32_t i = 0; i < image->anchors; i++) {
		if (entries[i].der_offset != offset || entries[i].der_len > KT_CERTIFICATE_MAX ||
		    entries[i].der_len > image->image_len - offset)
			return "a certificate is not in its place";
		if (i > 0 &&
		    memcmp(entries[i - 1].fingerprint, entries[i].fingerprint, KT_DIGEST_LEN) >= 0)
			return "its anchors are not in order";
		why = check_entry(digest, image, &entries[i], ret_err);
		if (why || *ret_err)
			return why;
		offset += entries[i].der_len;
	}
	return offset == image->image_len ? NULL : "there are bytes behind its last certificate";
}

/*
 * Strictly rising pairs of (key, number) with every number below the count: no number is there
 * twice, hence each is there once.
 */
static const char *check_by_name(const struct kt_snapshot *image)
{
	const struct kt_image_entry *entries = kt_image_entries(image);
	const uint32_t *order = kt_image_by_name(image);

	for (uint32_t i = 0; i < image->anchors; i++) {
		if (order[i] >= image->anchors)
			return "its index of names points outside";
		if (i == 0)
			continue;

		uint64_t before = entries[order[i - 1]].name_hash;
		uint64_t here = entries[order[i]].name_hash;

		if (before > here || (before == here && order[i - 1] >= order[i]))
			return "its index of names is not in order";
	}
	return NULL;
}

static const char *check_by_identity(const struct kt_snapshot *image)
{
	const struct kt_image_entry *entries = kt_image_entries(image);
	const uint32_t *order = kt_image_by_identity(image);

	for (uint32_t i = 0; i < image->anchors; i++) {
		if (order[i] >= image->anchors)
			return "its index of identities points outside";
		if (i == 0)
			continue;

		int way = memcmp(entries[order[i - 1]].identity, entries[order[i]].identity,
				 KT_DIGEST_LEN);

		if (way > 0 || (way == 0 && order[i - 1] >= order[i]))
			return "its index of identities is not in order";
	}
	return NULL;
}

static const char *check_image(struct kt_digest *digest, const struct kt_snapshot *image,
			       size_t len, int *ret_err)
{
	const char *why = check_header(image, len);

	if (!why)
		why = check_texts(image);
	if (!why)
		why = check_places(image);
	if (!why)
		why = check_digests(digest, image, ret_err);
	if (!why && !*ret_err)
		why = check_entries(digest, image, ret_err);
	if (!why && !*ret_err)
		why = check_by_name(image);
	if (!why && !*ret_err)
		why = check_by_identity(image);
	return why;
}

int kt_image_check(const void *bytes, size_t len, struct kt_error *error)
{
	struct kt_digest digest;
	const char *why;
	int ret = 0;

	ret = kt_digest_init(&digest);
	if (ret)
		return kt_error_set(error, -ret, "snapshot", 0, "SHA-256 is not to be had");
	why = check_image(&digest, bytes, len, &ret);
	kt_digest_fini(&digest);
	if (ret)
		return kt_error_set(error, -ret, "snapshot", 0, "SHA-256 failed");
	if (why)
		return kt_error_set(error, EBADMSG, "snapshot", 0, "%s", why);
	return 0;
}
