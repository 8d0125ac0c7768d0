/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of an image that came from elsewhere. In this order, so that nothing is used before it
 * is known to be good: the header, the places, the names, the checksum, each anchor, each CRL, the
 * orders.
 *
 * Functions return NULL or what is wrong; what kt_image_check_parts returns as errno is trouble of
 * this process (memory, libcrypto), not of the image.
 */
#include "image.h"

#include <errno.h>
#include <string.h>

#include "constraints.h"
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
	if (image->crls > KT_CRLS_MAX)
		return "the number of its CRLs is out of range";
	if (image->crl_policy > KT_CRL_WARN)
		return "its policy for CRLs is unknown";
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
	struct kt_image_size size = {.anchors = image->anchors, .crls = image->crls};
	struct kt_snapshot expected;

	/* The counts are bounded by now, so that no sum can overflow. */
	kt_image_lay_out(&expected, &size);
	if (image->entries_offset != expected.entries_offset ||
	    image->crls_offset != expected.crls_offset ||
	    image->by_name_offset != expected.by_name_offset ||
	    image->by_identity_offset != expected.by_identity_offset ||
	    image->by_key_id_offset != expected.by_key_id_offset ||
	    image->names_offset != expected.names_offset)
		return "an offset in its header is wrong";
	if (image->der_offset < image->names_offset || image->der_offset >= image->image_len)
		return "its index does not fit (is it cut?)";
	return NULL;
}

/*
 * Each entry's names where the ones before end, each a list in its form, and the last of them where
 * the DER begins. What this finds good may be read through kt_image_names.
 */
static const char *check_names(const struct kt_snapshot *image)
{
	const struct kt_image_entry *entries = kt_image_entries(image);
	uint64_t at = image->names_offset;

	for (uint32_t i = 0; i < image->anchors; i++) {
		const char *names = (const char *)image + at;
		struct kt_constraints limits = {entries[i].purposes, entries[i].distrust_after,
						NULL};
		uint32_t len = entries[i].names_len;

		if (entries[i].names_offset != (len ? at : 0))
			return "a list of names is not in its place";
		if (len) {
			if (len >= image->der_offset - at || strnlen(names, len + 1) != len)
				return "a list of names is not in its place";
			limits.permitted_dns = names;
			at += len + 1;
		}
		if (kt_constraints_check(&limits))
			return "the constraints of an anchor are not in their form";
	}
	return at == image->der_offset ? NULL : "there are bytes behind its last names";
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
	const struct kt_der_view whole = {der, entry->der_len};
	struct kt_image_entry expected = {.der_offset = entry->der_offset,
					  .distrust_after = entry->distrust_after,
					  .purposes = entry->purposes,
					  .names_offset = entry->names_offset,
					  .names_len = entry->names_len};
	struct kt_image_identity identity;
	const char *why;

	*ret_err = kt_digest_of(digest, &whole, 1, expected.fingerprint);
	if (*ret_err)
		return NULL;
	/* First, since it tells a damaged certificate from a wrong index. */
	if (memcmp(expected.fingerprint, entry->fingerprint, KT_DIGEST_LEN) != 0)
		return "a certificate in it was changed";
	why = kt_image_describe(der, entry->der_len, &expected);
	if (why)
		return why;
	kt_image_identify(der, &expected, kt_image_names(image, &expected), &identity);
	*ret_err = kt_digest_of(digest, identity.parts, 4, expected.identity);
	if (*ret_err)
		return NULL;
	/* Neither has padding. */
	if (memcmp(&expected, entry, sizeof expected) != 0)
		return "its index does not say what a certificate says";
	return NULL;
}

static const char *check_entries(struct kt_digest *digest, const struct kt_snapshot *image,
				 uint64_t *ret_end, int *ret_err)
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
	*ret_end = offset;
	return NULL;
}

static const char *check_crl(struct kt_digest *digest, const struct kt_snapshot *image,
			     const struct kt_image_crl *crl, int *ret_err)
{
	const struct kt_der_view whole = {(const uint8_t *)image + crl->der_offset, crl->der_len};
	struct kt_image_crl expected = {.der_offset = crl->der_offset};
	const char *why;

	*ret_err = kt_digest_of(digest, &whole, 1, expected.fingerprint);
	if (*ret_err)
		return NULL;
	if (memcmp(expected.fingerprint, crl->fingerprint, KT_DIGEST_LEN) != 0)
		return "a CRL in it was changed";
	why = kt_image_describe_crl(whole.data, whole.len, &expected);
	if (why)
		return why;
	return memcmp(&expected, crl, sizeof expected) == 0
		       ? NULL
		       : "its index does not say what a CRL says";
}

static const char *check_crls(struct kt_digest *digest, const struct kt_snapshot *image,
			      uint64_t offset, int *ret_err)
{
	const struct kt_image_crl *crls = kt_image_crls(image);
	const char *why;

	for (uint32_t i = 0; i < image->crls; i++) {
		if (crls[i].der_offset != offset || crls[i].der_len > KT_CRL_LEN_MAX ||
		    crls[i].der_len > image->image_len - offset)
			return "a CRL is not in its place";
		if (i > 0 &&
		    memcmp(crls[i - 1].fingerprint, crls[i].fingerprint, KT_DIGEST_LEN) >= 0)
			return "its CRLs are not in order";
		why = check_crl(digest, image, &crls[i], ret_err);
		if (why || *ret_err)
			return why;
		offset += crls[i].der_len;
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

static const char *check_by_key_id(const struct kt_snapshot *image)
{
	const struct kt_image_entry *entries = kt_image_entries(image);
	const uint32_t *order = kt_image_by_key_id(image);

	for (uint32_t i = 0; i < image->anchors; i++) {
		if (order[i] >= image->anchors)
			return "its index of key identifiers points outside";
		if (i == 0)
			continue;

		int way = kt_image_compare_key_ids(kt_image_key_id(image, &entries[order[i - 1]]),
						   kt_image_key_id(image, &entries[order[i]]));

		if (way > 0 || (way == 0 && order[i - 1] >= order[i]))
			return "its index of key identifiers is not in order";
	}
	return NULL;
}

static const char *check_image(struct kt_digest *digest, const struct kt_snapshot *image,
			       size_t len, int *ret_err)
{
	const char *why = check_header(image, len);
	uint64_t end = 0;

	if (!why)
		why = check_texts(image);
	if (!why)
		why = check_places(image);
	if (!why)
		why = check_names(image);
	if (!why)
		why = check_digests(digest, image, ret_err);
	if (!why && !*ret_err)
		why = check_entries(digest, image, &end, ret_err);
	if (!why && !*ret_err)
		why = check_crls(digest, image, end, ret_err);
	if (!why && !*ret_err)
		why = check_by_name(image);
	if (!why && !*ret_err)
		why = check_by_identity(image);
	if (!why && !*ret_err)
		why = check_by_key_id(image);
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
