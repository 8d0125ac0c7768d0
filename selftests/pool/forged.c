/* SPDX-License-Identifier: BSD-2-Clause */
/* Images that were cut, changed or forged are refused. */
#include "image_bytes.h"

#include <errno.h>

#include "../../src/pool/digest.h"

static int map_bytes(const void *bytes, size_t len, struct kt_error *error)
{
	struct kt_snapshot *snapshot = NULL;
	int fd = memfd_of(bytes, len, SEALS);
	int ret = kt_snapshot_map(fd, &snapshot, error);

	close(fd);
	EXPECT_EQ(ret == 0, snapshot != NULL);
	kt_snapshot_free(snapshot);
	return ret;
}

/* What a forger does, who can compute every digest. */
static void sign(uint8_t *copy)
{
	struct kt_snapshot *image = (struct kt_snapshot *)copy;
	struct kt_digest digest;

	ASSERT_EQ(0, kt_digest_init(&digest));
	ASSERT_EQ(0, kt_image_digest(&digest, image, image->digest));
	ASSERT_EQ(0, kt_image_checksum(&digest, image, image->checksum));
	kt_digest_fini(&digest);
}

TEST_F_TIMEOUT(image, every_changed_byte_is_refused, 60)
{
	for (size_t at = 0; at < self->len; at++) {
		for (unsigned int bit = 0; bit < 8; bit += 7) {
			struct kt_error error = {0};

			self->copy[at] ^= (uint8_t)(1u << bit);
			EXPECT_EQ(-EBADMSG, map_bytes(self->copy, self->len, &error))
			{
				TH_LOG("bit %u of byte %zu", bit, at);
			}
			EXPECT_EQ(EBADMSG, error.err);
			self->copy[at] ^= (uint8_t)(1u << bit);
		}
	}
	EXPECT_EQ(0, map_bytes(self->copy, self->len, NULL));
}

/* Else there is nothing that a forger could digest. */
static bool names_are_within(const struct kt_snapshot *image)
{
	const struct kt_image_entry *entries = kt_image_entries(image);

	for (uint32_t i = 0; i < image->anchors; i++)
		if (entries[i].names_offset > image->image_len ||
		    entries[i].names_len > image->image_len - entries[i].names_offset)
			return false;
	return true;
}

/* Also by someone who can make all checksums good again. */
TEST_F_TIMEOUT(image, every_changed_byte_of_the_index_is_refused_though_signed, 60)
{
	struct kt_snapshot *image = (struct kt_snapshot *)self->copy;

	for (size_t at = sizeof *image; at < image->der_offset; at++) {
		for (unsigned int bit = 0; bit < 8; bit += 7) {
			self->copy[at] ^= (uint8_t)(1u << bit);
			if (names_are_within(image))
				sign(self->copy);
			EXPECT_EQ(-EBADMSG, map_bytes(self->copy, self->len, NULL))
			{
				TH_LOG("bit %u of byte %zu", bit, at);
			}
			self->copy[at] ^= (uint8_t)(1u << bit);
		}
	}
	sign(self->copy);
	EXPECT_EQ(0, map_bytes(self->copy, self->len, NULL));
}

TEST_F_TIMEOUT(image, every_cut_is_refused, 60)
{
	for (size_t len = 0; len < self->len; len++) {
		EXPECT_EQ(-EBADMSG, map_bytes(self->copy, len, NULL))
		{
			TH_LOG("cut at %zu", len);
		}
	}
}

TEST_F(image, bytes_behind_it_are_refused)
{
	uint8_t *longer = calloc(1, self->len + 1);

	ASSERT_NE(NULL, longer);
	memcpy(longer, self->copy, self->len);
	EXPECT_EQ(-EBADMSG, map_bytes(longer, self->len + 1, NULL));
	((struct kt_snapshot *)longer)->image_len++;
	sign(longer);
	EXPECT_EQ(-EBADMSG, map_bytes(longer, self->len + 1, NULL));
	free(longer);
}

static void expect_refusal(uint8_t *copy, size_t len, const char *says)
{
	struct kt_error error = {0};

	EXPECT_EQ(-EBADMSG, map_bytes(copy, len, &error));
	EXPECT_NE(NULL, strstr(error.text, says))
	{
		TH_LOG("\"%s\" does not say \"%s\"", error.text, says);
	}
}

TEST_F(image, forged_headers_are_refused)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *says;
	} forgeries[] = {
		{0, 'k', "not a snapshot"},
		{offsetof(struct kt_snapshot, byte_order), 1, "byte order"},
		{offsetof(struct kt_snapshot, format), 1, "format"},
		{offsetof(struct kt_snapshot, image_len), 0, "length"},
		{offsetof(struct kt_snapshot, version), 0, "version is 0"},
		{offsetof(struct kt_snapshot, anchors), 0, "number of its anchors"},
		{offsetof(struct kt_snapshot, anchors) + 2, 0x11, "number of its anchors"},
		{offsetof(struct kt_snapshot, anchors), 4, "offset"},
		{offsetof(struct kt_snapshot, entries_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, by_name_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, crls_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, by_identity_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, by_key_id_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, names_offset), 1, "offset"},
		{offsetof(struct kt_snapshot, crls), 1, "offset"},
		{offsetof(struct kt_snapshot, crls) + 2, 1, "number of its CRLs"},
		{offsetof(struct kt_snapshot, crl_policy), 2, "policy"},
		{offsetof(struct kt_snapshot, der_offset) + 3, 1, "does not fit"},
		{offsetof(struct kt_snapshot, reserved), 1, "reserved"},
		{offsetof(struct kt_snapshot, pool), '/', "name"},
		{offsetof(struct kt_snapshot, pool), 0, "padded"},
		{offsetof(struct kt_snapshot, source) - 1, 'x', "padded"},
		{offsetof(struct kt_snapshot, source) + KT_SOURCE_MAX, 'x', "padded"},
		{offsetof(struct kt_snapshot, checksum), 0xff, "checksum"},
		{offsetof(struct kt_snapshot, created_ns), 0xff, "checksum"},
	};
	uint8_t *good = malloc(self->len);

	ASSERT_NE(NULL, good);
	memcpy(good, self->copy, self->len);
	for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
		if (self->copy[forgeries[i].at] == forgeries[i].value)
			self->copy[forgeries[i].at] ^= 1;
		else
			self->copy[forgeries[i].at] = forgeries[i].value;
		expect_refusal(self->copy, self->len, forgeries[i].says);
		memcpy(self->copy, good, self->len);
	}
	free(good);
}

static struct kt_image_entry *entries_of(uint8_t *copy)
{
	return (struct kt_image_entry *)(copy + ((struct kt_snapshot *)copy)->entries_offset);
}

static uint32_t *numbers_at(uint8_t *copy, uint64_t offset)
{
	return (uint32_t *)(copy + offset);
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t was = *a;

	*a = *b;
	*b = was;
}

TEST_F(image, forged_digest_is_refused)
{
	struct kt_snapshot *image = (struct kt_snapshot *)self->copy;
	struct kt_digest digest;

	image->digest[0] ^= 1;
	ASSERT_EQ(0, kt_digest_init(&digest));
	ASSERT_EQ(0, kt_image_checksum(&digest, image, image->checksum));
	kt_digest_fini(&digest);
	expect_refusal(self->copy, self->len, "digest");
}

TEST_F(image, forged_entries_are_refused)
{
	struct kt_image_entry *entries = entries_of(self->copy), was = entries[1];

	entries[1].der_len = UINT32_MAX;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "place");
	entries[1] = was;
	entries[1].der_offset = UINT64_MAX;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "place");
	entries[1] = was;
	entries[1].subject_len++;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
	entries[1] = was;
	entries[1].identity[0] ^= 1;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
	entries[1] = was;
	entries[1].reserved = 1;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
	entries[1] = was;
	entries[1].distrust_after ^= 1;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
	entries[1] = was;
	entries[1].purposes = 0;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "constraints");
	entries[1] = was;
	entries[2].fingerprint[0] = 0;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "order");
}

/* The same anchor twice is out of order. */
TEST_F(image, doubled_anchor_is_refused)
{
	struct kt_image_entry *entries = entries_of(self->copy);
	struct kt_image_entry was = entries[1];

	ASSERT_EQ(entries[0].der_len, was.der_len);
	memcpy(self->copy + was.der_offset, self->copy + entries[0].der_offset, was.der_len);
	entries[1] = entries[0];
	entries[1].der_offset = was.der_offset;
	entries[1].names_offset = was.names_offset;
	entries[1].names_len = was.names_len;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "order");
}

TEST_F(image, forged_certificate_is_refused)
{
	struct kt_image_entry *entry = entries_of(self->copy);
	struct kt_der_view der = {self->copy + entry->der_offset, entry->der_len};
	struct kt_digest digest;
	uint8_t sum[KT_DIGEST_LEN];

	self->copy[entry->der_offset + 1] ^= 1;
	expect_refusal(self->copy, self->len, "certificate in it was changed");
	/* One that is none, with the right fingerprint for it. */
	ASSERT_EQ(0, kt_digest_init(&digest));
	do {
		self->copy[entry->der_offset + entry->der_len - 1]++;
		ASSERT_EQ(0, kt_digest_of(&digest, &der, 1, sum));
	} while (memcmp(sum, entry[1].fingerprint, sizeof sum) >= 0);
	memcpy(entry->fingerprint, sum, sizeof sum);
	kt_digest_fini(&digest);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "DER sequence");
}

TEST_F(image, forged_index_of_names_is_refused)
{
	uint32_t *order = numbers_at(self->copy, self->snapshot->by_name_offset);
	uint32_t was[3];

	memcpy(was, order, sizeof was);
	order[2] = 3;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "names points outside");
	memcpy(order, was, sizeof was);
	order[0] = order[1];
	sign(self->copy);
	expect_refusal(self->copy, self->len, "names is not in order");
	/* Each of the two swaps of neighbours: one is of equal names, one of different ones. */
	for (size_t i = 0; i < 2; i++) {
		memcpy(order, was, sizeof was);
		swap(&order[i], &order[i + 1]);
		sign(self->copy);
		expect_refusal(self->copy, self->len, "names is not in order");
	}
}

TEST_F(image, forged_index_of_identities_is_refused)
{
	uint32_t *order = numbers_at(self->copy, self->snapshot->by_identity_offset);
	uint32_t was[3];

	memcpy(was, order, sizeof was);
	order[0] = UINT32_MAX;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "identities points outside");
	memcpy(order, was, sizeof was);
	order[0] = order[1];
	sign(self->copy);
	expect_refusal(self->copy, self->len, "identities is not in order");
	memcpy(order, was, sizeof was);
	swap(&order[0], &order[1]);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "identities is not in order");
}

TEST_F(image, forged_index_of_key_ids_is_refused)
{
	uint32_t *order = numbers_at(self->copy, self->snapshot->by_key_id_offset);
	uint32_t was[3];

	memcpy(was, order, sizeof was);
	order[0] = UINT32_MAX;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "key identifiers points outside");
	memcpy(order, was, sizeof was);
	order[0] = order[1];
	sign(self->copy);
	expect_refusal(self->copy, self->len, "key identifiers is not in order");
	memcpy(order, was, sizeof was);
	swap(&order[0], &order[2]);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "key identifiers is not in order");
}

/* The first entry that has names. */
static struct kt_image_entry *limited_entry(uint8_t *copy)
{
	struct kt_image_entry *entry = entries_of(copy);

	while (!entry->names_len)
		entry++;
	return entry;
}

TEST_F(image, forged_names_are_refused)
{
	struct kt_image_entry *entry = limited_entry(self->copy), was = *entry;
	char *names = (char *)self->copy + entry->names_offset, first = names[0];

	entry->names_offset++;
	expect_refusal(self->copy, self->len, "names is not in its place");
	*entry = was;
	entry->names_len = UINT32_MAX;
	expect_refusal(self->copy, self->len, "names is not in its place");
	entry->names_len = was.names_len - 1;
	expect_refusal(self->copy, self->len, "names is not in its place");
	*entry = was;
	names[0] = 'A';
	sign(self->copy);
	expect_refusal(self->copy, self->len, "constraints of an anchor");
	names[0] = first;
	names[2] = 'f'; /* in its form, but not what the identity covers */
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say");
}

TEST_F(image, forged_crls_are_refused)
{
	struct kt_image_crl *crls =
		(struct kt_image_crl *)(self->copy + self->snapshot->crls_offset);
	struct kt_image_crl was = crls[0];

	ASSERT_EQ(2, self->snapshot->crls);
	crls[0].der_offset++;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "CRL is not in its place");
	crls[0] = was;
	crls[0].next_update--;
	sign(self->copy);
	expect_refusal(self->copy, self->len, "index does not say what a CRL says");
	crls[0] = was;
	/* Still the lower one of the two, then the higher one. */
	memset(crls[0].fingerprint, 0, KT_DIGEST_LEN);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "CRL in it was changed");
	crls[0] = was;
	memset(crls[1].fingerprint, 0, KT_DIGEST_LEN);
	sign(self->copy);
	expect_refusal(self->copy, self->len, "CRLs are not in order");
}

TEST_HARNESS_MAIN
