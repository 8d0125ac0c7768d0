/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include <stddef.h>
#include <string.h>

#include "digest.h"
#include "name.h"
#include "scan.h"

void kt_image_lay_out(struct kt_snapshot *header, const struct kt_image_size *size)
{
	const uint64_t anchors = size->anchors;

	header->anchors = size->anchors;
	header->crls = size->crls;
	header->entries_offset = sizeof *header;
	header->crls_offset = header->entries_offset + anchors * sizeof(struct kt_image_entry);
	header->by_name_offset = header->crls_offset + size->crls * sizeof(struct kt_image_crl);
	header->by_identity_offset = header->by_name_offset + anchors * sizeof(uint32_t);
	header->by_key_id_offset = header->by_identity_offset + anchors * sizeof(uint32_t);
	header->names_offset = header->by_key_id_offset + anchors * sizeof(uint32_t);
	header->der_offset = header->names_offset + size->names_len;
	header->image_len = header->der_offset + size->der_len;
}

static const void *at(const struct kt_snapshot *image, uint64_t offset)
{
	return (const uint8_t *)image + offset;
}

const struct kt_image_entry *kt_image_entries(const struct kt_snapshot *image)
{
	return at(image, image->entries_offset);
}

const struct kt_image_crl *kt_image_crls(const struct kt_snapshot *image)
{
	return at(image, image->crls_offset);
}

const uint32_t *kt_image_by_name(const struct kt_snapshot *image)
{
	return at(image, image->by_name_offset);
}

const uint32_t *kt_image_by_identity(const struct kt_snapshot *image)
{
	return at(image, image->by_identity_offset);
}

const uint32_t *kt_image_by_key_id(const struct kt_snapshot *image)
{
	return at(image, image->by_key_id_offset);
}

struct kt_der_view kt_image_key_id(const struct kt_snapshot *image,
				   const struct kt_image_entry *entry)
{
	return (struct kt_der_view){at(image, entry->der_offset + entry->key_id_offset),
				    entry->key_id_len};
}

const char *kt_image_names(const struct kt_snapshot *image, const struct kt_image_entry *entry)
{
	return entry->names_len ? at(image, entry->names_offset) : "";
}

int kt_image_compare_key_ids(struct kt_der_view a, struct kt_der_view b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int way = len ? memcmp(a.data, b.data, len) : 0;

	return way ? way : (a.len > b.len) - (a.len < b.len);
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

const char *kt_image_describe_crl(const uint8_t *der, size_t len, struct kt_image_crl *ret_crl)
{
	struct kt_scan_crl scan;
	const char *why = kt_scan_crl(der, len, &scan);

	if (why)
		return why;
	ret_crl->issuer_hash = kt_name_hash(scan.issuer);
	ret_crl->this_update = scan.this_update;
	ret_crl->next_update = scan.next_update;
	ret_crl->der_len = (uint32_t)len;
	ret_crl->issuer_offset = (uint32_t)(scan.issuer.data - der);
	ret_crl->issuer_len = (uint32_t)scan.issuer.len;
	ret_crl->reserved = 0;
	return NULL;
}

/* ---- Digests ------------------------------------------------------------------------------- */

static void put_be(uint8_t *to, uint64_t value, size_t len)
{
	while (len--) {
		to[len] = (uint8_t)value;
		value >>= 8;
	}
}

static void put_limits(const struct kt_image_entry *entry, uint8_t to[KT_IMAGE_LIMITS_LEN])
{
	put_be(to, (uint64_t)entry->distrust_after, 8);
	put_be(to + 8, entry->purposes, 4);
}

void kt_image_identify(const uint8_t *der, const struct kt_image_entry *entry, const char *names,
		       struct kt_image_identity *ret_identity)
{
	put_limits(entry, ret_identity->limits);
	ret_identity->parts[0] =
		(struct kt_der_view){der + entry->subject_offset, entry->subject_len};
	ret_identity->parts[1] = (struct kt_der_view){der + entry->spki_offset, entry->spki_len};
	ret_identity->parts[2] = (struct kt_der_view){ret_identity->limits, KT_IMAGE_LIMITS_LEN};
	ret_identity->parts[3] = (struct kt_der_view){(const uint8_t *)names, entry->names_len};
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

static int add_anchor(struct kt_digest *digest, const struct kt_snapshot *image,
		      const struct kt_image_entry *entry)
{
	uint8_t fixed[KT_DIGEST_LEN + KT_IMAGE_LIMITS_LEN + 4];
	int ret;

	memcpy(fixed, entry->fingerprint, KT_DIGEST_LEN);
	put_limits(entry, fixed + KT_DIGEST_LEN);
	put_be(fixed + KT_DIGEST_LEN + KT_IMAGE_LIMITS_LEN, entry->names_len, 4);
	ret = kt_digest_add(digest, fixed, sizeof fixed);
	if (ret || !entry->names_len)
		return ret;
	return kt_digest_add(digest, kt_image_names(image, entry), entry->names_len);
}

static int add_crls(struct kt_digest *digest, const struct kt_snapshot *image)
{
	const struct kt_image_crl *crls = kt_image_crls(image);
	uint8_t policy[4];
	int ret;

	put_be(policy, image->crl_policy, sizeof policy);
	ret = kt_digest_add(digest, policy, sizeof policy);
	for (uint32_t i = 0; i < image->crls && ret == 0; i++)
		ret = kt_digest_add(digest, crls[i].fingerprint, KT_DIGEST_LEN);
	return ret;
}

int kt_image_digest(struct kt_digest *digest, const struct kt_snapshot *image,
		    uint8_t ret_sum[KT_DIGEST_LEN])
{
	const struct kt_image_entry *entries = kt_image_entries(image);
	uint8_t counts[8];
	int ret = kt_digest_begin(digest);

	put_be(counts, (uint64_t)image->anchors << 32 | image->crls, sizeof counts);
	if (ret == 0)
		ret = kt_digest_add(digest, counts, sizeof counts);
	for (uint32_t i = 0; i < image->anchors && ret == 0; i++)
		ret = add_anchor(digest, image, &entries[i]);
	if (ret == 0 && image->crls)
		ret = add_crls(digest, image);
	return ret ? ret : kt_digest_end(digest, ret_sum);
}

/* ---- Pool names ---------------------------------------------------------------------------- */

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
