/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flat image that a struct kt_snapshot is: one run of bytes without pointers.
 *
 *   struct kt_snapshot       the header
 *   struct kt_image_entry[]  one an anchor, ordered by fingerprint, no two alike
 *   uint32_t[]               entry numbers ordered by hash of the subject, then by number
 *   uint32_t[]               entry numbers ordered by identity, then by number
 *   DER                      the certificates in the order of the entries, without gaps
 *
 * Every offset counts from the first byte of the image. The layout has no freedom: from the
 * number of anchors and the lengths of their DER follows where everything is, so that a check
 * compares and never has to interpret. Integers are in the byte order of the host that built the
 * image; the header tells it, and an image of the other order is refused.
 *
 * What is trusted without a look inside: nothing. `checksum` covers the header and everything up
 * to the DER, the fingerprints cover the DER.
 *
 * Threads and lifetime: an image is written once, before anybody else sees it, and is read-only
 * memory from then on.
 */
#ifndef KT_POOL_IMAGE_H
#define KT_POOL_IMAGE_H

#include <ktrust/pool.h>

#include "der.h"

#define KT_IMAGE_MAGIC	    "KTSNAP\r\n" /* CR LF: a transfer as text shows */
#define KT_IMAGE_BYTE_ORDER 0x01020304u
#define KT_IMAGE_FORMAT	    1u

struct kt_snapshot {
	char magic[8]; /* KT_IMAGE_MAGIC without its NUL */
	uint32_t byte_order;
	uint32_t format;
	uint64_t image_len; /* bytes, from the magic to the last DER */
	uint64_t version;
	uint64_t created_ns; /* CLOCK_REALTIME */
	uint64_t entries_offset;
	uint64_t by_name_offset;
	uint64_t by_identity_offset;
	uint64_t der_offset;
	uint32_t anchors;
	uint32_t reserved;		 /* 0 */
	uint8_t digest[KT_DIGEST_LEN];	 /* SHA-256 over the fingerprints in order */
	uint8_t checksum[KT_DIGEST_LEN]; /* SHA-256 up to der_offset, itself taken as zeros */
	char pool[KT_POOL_NAME_MAX + 1]; /* zeros behind the text */
	char source[KT_SOURCE_MAX + 1];	 /* zeros behind the text */
};

struct kt_image_entry {
	uint8_t fingerprint[KT_DIGEST_LEN];
	uint8_t identity[KT_DIGEST_LEN];
	uint64_t name_hash; /* kt_name_hash of the subject */
	uint64_t der_offset;
	uint32_t der_len;
	/* Within the DER; key_id_len 0: there is none, and key_id_offset is 0 too. */
	uint32_t subject_offset;
	uint32_t subject_len;
	uint32_t spki_offset;
	uint32_t spki_len;
	uint32_t key_id_offset;
	uint32_t key_id_len;
	uint32_t reserved; /* 0 */
};

/* No padding anywhere: it would be bytes nobody checks. */
_Static_assert(sizeof(struct kt_snapshot) == 80 + 2 * KT_DIGEST_LEN + 32 + KT_SOURCE_MAX + 1,
	       "header has holes");
_Static_assert(sizeof(struct kt_image_entry) == 112, "entry has holes");

/* Fill the offsets for this many anchors with der_len bytes of DER altogether. */
void kt_image_lay_out(struct kt_snapshot *header, uint32_t anchors, uint64_t der_len);

const struct kt_image_entry *kt_image_entries(const struct kt_snapshot *image);
const uint32_t *kt_image_by_name(const struct kt_snapshot *image);
const uint32_t *kt_image_by_identity(const struct kt_snapshot *image);

/*
 * What an anchor's DER says, as it stands in an entry; entry->der_offset and the digests are left
 * alone. NULL, or why it is no certificate (see kt_scan_certificate).
 */
const char *kt_image_describe(const uint8_t *der, size_t len, struct kt_image_entry *ret_entry);

/* The spans an anchor's identity is the SHA-256 of: subject and SPKI. */
void kt_image_identity_parts(const uint8_t *der, const struct kt_image_entry *entry,
			     struct kt_der_view ret_parts[2]);

/* SHA-256 of all that lies before the DER, with zeros for the checksum. See kt_digest_of. */
struct kt_digest;
KT_WARN_UNUSED int kt_image_checksum(struct kt_digest *digest, const struct kt_snapshot *image,
				     uint8_t ret_sum[KT_DIGEST_LEN]);

/* The digest of the content: SHA-256 over the entries' fingerprints. See kt_digest_of. */
KT_WARN_UNUSED int kt_image_digest(struct kt_digest *digest, const struct kt_snapshot *image,
				   uint8_t ret_sum[KT_DIGEST_LEN]);

/* NULL, or what is wrong with a pool's name (the rules are in ktrust/pool.h). */
const char *kt_image_check_pool_name(const char *name);

/*
 * Is this run of len bytes an image in every detail? For hostile bytes that nobody can change
 * meanwhile. -EBADMSG says what is wrong; -ENOMEM, -EIO, -EOPNOTSUPP as kt_digest_of.
 */
KT_WARN_UNUSED int kt_image_check(const void *bytes, size_t len, struct kt_error *error);

#endif
