/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include <stddef.h>
#include <string.h>

#include "digest.h"
#include "name.h"
#include "scan.h"

void kt_image_lay_out(struct kt_snapshot *header, uint32_t anchors, uint64_t der_len)
{
	header->anchors = anchors;
	header->entries_offset = sizeof *header;
	header->by_name_offset =
		header->entries_offset + anchors * (uint64_t)sizeof(struct kt_image_entry);
	header->by_identity_offset = header->by_name_offset + anchors * (uint64_t)sizeof(uint32_t);
	header->der_offset = header->by_identity_offset + anchors * (uint64_t)sizeof(uint32_t);
	header->image_len = header->der_offset + der_len;
}

static const void *at(const struct kt_snapshot *image, uint64_t offset)
{
	return (const uint8_t *)image + offset;
}

const struct kt_image_entry *kt_image_entries(const struct kt_snapshot *image)
{
	return at(image, image->entries_offset);
}

const uint32_t *kt_image_by_name(const struct kt_snapshot *image)
{
	return at(image, image->by_name_offset);
}

const uint32_t *kt_image_by_identity(const struct kt_snapshot *image)
{
	return at(image, image->by_identity_offset);
}

const char *kt_image_describe(const uint8_t *der, size_t len, struct kt_image_entry *ret_entry)
{
	struct kt_scan scan;
	const char *why = kt_scan_certificate(der, len, &scan);

	if (why)
		return why;
	ret_entry->der_len = (uint32_t)len;
	ret_entry->subject_offset = (uint32_t)(scan.subject.data - der);
	ret_entry->subject_len = (uint32_t)scan.subject.len;
	ret_entry->spki_offset = (uint32_t)(scan.spki.data - der);
	ret_entry->spki_len = (uint32_t)scan.spki.len;
	ret_entry->key_id_offset = scan.key_id.data ? (uint32_t)(scan.key_id.data - der) : 0;
	ret_entry->key_id_len = (uint32_t)scan.key_id.len;
	ret_entry->reserved = 0;
	ret_entry->name_hash = kt_name_hash(scan.subject);
	return NULL;
}

void kt_image_identity_parts(const uint8_t *der, const struct kt_image_entry *entry,
			     struct kt_der_view ret_parts[2])
{
	ret_parts[0] = (struct kt_der_view){der + entry->subject_offset, entry->subject_len};
	ret_parts[1] = (struct kt_der_view){der + entry->spki_offset, entry->spki_len};
}

int kt_image_checksum(struct kt_digest *digest, const struct kt_snapshot *image,
		      uint8_t ret_sum[KT_DIGEST_LEN])
{
	struct kt_snapshot header = *image;
	const struct kt_der_view parts[] = {
		{(const uint8_t *)&header, sizeof header},
		{at(image, image->entries_offset), image->der_offset - image->entries_offset},
	};

	memset(header.checksum, 0, sizeof header.checksum);
	return kt_digest_of(digest, parts, 2, ret_sum);
}

int kt_image_digest(struct kt_digest *digest, const struct kt_snapshot *image,
		    uint8_t ret_sum[KT_DIGEST_LEN])
{
	const struct kt_image_entry *entries = kt_image_entries(image);
	int ret = kt_digest_begin(digest);

	for (uint32_t i = 0; i < image->anchors && ret == 0; i++)
		ret = kt_digest_add(digest, entries[i].fingerprint, KT_DIGEST_LEN);
	return ret ? ret : kt_digest_end(digest, ret_sum);
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

const char *kt_image_check_pool_name(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	if (len == 0)
		return "the pool's name is empty";
	if (len > KT_POOL_NAME_MAX)
		return "the pool's name is too long (31 characters at most)";
	if (name[0] == '.' || name[0] == '-')
		return "the pool's name starts with '.' or '-'";
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return "the pool's name has other characters than letters, digits, '.', "
			       "'_', '-'";
	return NULL;
}
