/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flat image that a struct kt_snapshot is: one run of bytes without pointers.
 *
 *   struct kt_snapshot       the header
 *   struct kt_image_entry[]  one an anchor, ordered by fingerprint, no two alike
 *   struct kt_image_crl[]    one a CRL, likewise
 *   uint32_t[]               entry numbers ordered by hash of the subject, then by number
 *   uint32_t[]               entry numbers ordered by identity, then by number
 *   uint32_t[]               entry numbers ordered by key identifier (none first), then by number
 *   names                    permitted names in the order of the entries that have some, each
 *                            NUL-terminated, without gaps
 *   DER                      the certificates in the order of the entries, then the CRLs, without
 *                            gaps
 *
 * Every offset counts from the first byte of the image. The layout has no freedom: from the
 * number of anchors and CRLs and the lengths of names and DER follows where everything is, so that
 * a check compares and never has to interpret. Integers are in the byte order of the host that
 * built the image; the header tells it, and an image of the other order is refused.
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
#define KT_IMAGE_FORMAT	    2u

struct kt_snapshot {
	char magic[8]; /* KT_IMAGE_MAGIC without its NUL */
	uint32_t byte_order;
	uint32_t format;
	uint64_t image_len; /* bytes, from the magic to the last DER */
	uint64_t version;
	uint64_t created_ns; /* CLOCK_REALTIME */
	uint64_t entries_offset;
	uint64_t crls_offset;
	uint64_t by_name_offset;
	uint64_t by_identity_offset;
	uint64_t by_key_id_offset;
	uint64_t names_offset;
	uint64_t der_offset;
	uint32_t anchors;
	uint32_t crls;
	uint32_t crl_policy;		 /* enum kt_crl_policy */
	uint32_t reserved;		 /* 0 */
	uint8_t digest[KT_DIGEST_LEN];	 /* see kt_image_digest */
	uint8_t checksum[KT_DIGEST_LEN]; /* SHA-256 up to der_offset, itself taken as zeros */
	char pool[KT_POOL_NAME_MAX + 1]; /* zeros behind the text */
	char source[KT_SOURCE_MAX + 1];	 /* zeros behind the text */
};

struct kt_image_entry {
	uint8_t fingerprint[KT_DIGEST_LEN];
	uint8_t identity[KT_DIGEST_LEN];
	uint64_t name_hash; /* kt_name_hash of the subject */
	uint64_t der_offset;
	int64_t distrust_after; /* as in struct kt_constraints */
	uint64_t names_offset;	/* of the permitted names; 0: no limit, and names_len is 0 too */
	uint32_t names_len;	/* bytes, without the NUL */
	uint32_t purposes;
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

struct kt_image_crl {
	uint8_t fingerprint[KT_DIGEST_LEN];
	uint64_t issuer_hash; /* kt_name_hash of the issuer */
	int64_t this_update;  /* as in struct kt_crl */
	int64_t next_update;
	uint64_t der_offset;
	uint32_t der_len;
	uint32_t issuer_offset; /* within the DER */
	uint32_t issuer_len;
	uint32_t reserved; /* 0 */
};

/* No padding anywhere: it would be bytes nobody checks. */
_Static_assert(sizeof(struct kt_snapshot) ==
		       8 + 2 * 4 + 10 * 8 + 4 * 4 + 2 * KT_DIGEST_LEN + 32 + KT_SOURCE_MAX + 1,
	       "header has holes");
_Static_assert(sizeof(struct kt_image_entry) == 136, "entry has holes");
_Static_assert(sizeof(struct kt_image_crl) == 80, "CRL has holes");

/* How much of everything an image holds: all that its layout depends on. */
struct kt_image_size {
	uint32_t anchors;
	uint32_t crls;
	uint64_t names_len; /* bytes, with the NULs */
	uint64_t der_len;   /* bytes of certificates and CRLs */
};

/* Fill the header's counts, offsets and length. */
void kt_image_lay_out(struct kt_snapshot *header, const struct kt_image_size *size);

const struct kt_image_entry *kt_image_entries(const struct kt_snapshot *image);
const struct kt_image_crl *kt_image_crls(const struct kt_snapshot *image);
const uint32_t *kt_image_by_name(const struct kt_snapshot *image);
const uint32_t *kt_image_by_identity(const struct kt_snapshot *image);
const uint32_t *kt_image_by_key_id(const struct kt_snapshot *image);

/* Of an entry whose offsets count from the image: its key identifier, its permitted names. */
struct kt_der_view kt_image_key_id(const struct kt_snapshot *image,
				   const struct kt_image_entry *entry);
const char *kt_image_names(const struct kt_snapshot *image, const struct kt_image_entry *entry);

/* The order of by_key_id: bytes, then length. */
int kt_image_compare_key_ids(struct kt_der_view a, struct kt_der_view b);

/*
 * What an anchor's DER says, as it stands in an entry; der_offset, digests and constraints are left
 * alone. NULL, or why it is no certificate (see kt_scan_certificate).
 */
const char *kt_image_describe(const uint8_t *der, size_t len, struct kt_image_entry *ret_entry);

/* The same for a CRL (see kt_scan_crl). */
const char *kt_image_describe_crl(const uint8_t *der, size_t len, struct kt_image_crl *ret_crl);

/*
 * What an anchor's identity is the SHA-256 of: subject, SPKI, and the constraints as
 * distrust_after and purposes, big-endian, and the permitted names.
 */
#define KT_IMAGE_LIMITS_LEN (8 + 4)

struct kt_image_identity {
	uint8_t limits[KT_IMAGE_LIMITS_LEN];
	struct kt_der_view parts[4]; /* into limits, der and names */
};

void kt_image_identify(const uint8_t *der, const struct kt_image_entry *entry, const char *names,
		       struct kt_image_identity *ret_identity);

/* SHA-256 of all that lies before the DER, with zeros for the checksum. See kt_digest_of. */
struct kt_digest;
KT_WARN_UNUSED int kt_image_checksum(struct kt_digest *digest, const struct kt_snapshot *image,
				     uint8_t ret_sum[KT_DIGEST_LEN]);

/*
 * The digest of the content: SHA-256 over the numbers of anchors and CRLs (32 bits, big-endian);
 * for each entry, its fingerprint, limits (as above),
 * length of its names (32 bits, big-endian) and names; then, where there are CRLs, the policy (32
 * bits, big-endian) and the CRLs' fingerprints. See kt_digest_of.
 */
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
