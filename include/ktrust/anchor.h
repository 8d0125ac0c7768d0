/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trust anchor: a root certificate and what limits it (RFC 5280 §6.1.1 d).
 *
 * struct kt_anchor is a view: every pointer is borrowed from the snapshot the view was taken from
 * and lives exactly as long as that snapshot. All lengths are in bytes.
 */
#ifndef KTRUST_ANCHOR_H
#define KTRUST_ANCHOR_H

#include <stddef.h>
#include <stdint.h>

#define KT_DIGEST_LEN 32 /* SHA-256 */

/*
 * What an anchor may vouch for. A purpose is granted by a source, so that of one certificate from
 * several sources the purposes add up.
 */
#define KT_PURPOSE_SERVER 1u /* peers that are servers: EKU serverAuth */
#define KT_PURPOSE_CLIENT 2u /* peers that are clients: EKU clientAuth */
#define KT_PURPOSE_ANY	  (KT_PURPOSE_SERVER | KT_PURPOSE_CLIENT)

#define KT_DISTRUST_NEVER    INT64_MAX
#define KT_PERMITTED_DNS_MAX 1023 /* bytes of the list, without the terminating NUL */

/*
 * The limits of an anchor. They are set by those who list the anchor, not by the certificate; of
 * one certificate listed several times the tighter limit stays.
 */
struct kt_constraints {
	unsigned int purposes; /* KT_PURPOSE_…; 0 vouches for nobody */
	/*
	 * Seconds since the epoch, UTC. An end entity certificate whose notBefore is later is
	 * refused (Mozilla's CKA_NSS_SERVER_DISTRUST_AFTER). KT_DISTRUST_NEVER: no limit.
	 */
	int64_t distrust_after;
	/*
	 * DNS names below which end entities may lie, as in a name constraint's permittedSubtrees
	 * (RFC 5280 §4.2.1.10): "gov.tr edu.tr". Lower-case A-labels without a leading dot, in
	 * alphabetical order, separated by one space, no name below another. "" or NULL: no limit.
	 * Borrowed, NUL-terminated.
	 */
	const char *permitted_dns;
};

#define KT_CONSTRAINTS_NONE ((struct kt_constraints){KT_PURPOSE_ANY, KT_DISTRUST_NEVER, NULL})

struct kt_anchor {
	const uint8_t *der; /* the certificate */
	size_t der_len;
	const uint8_t *subject; /* DER Name within der */
	size_t subject_len;
	const uint8_t *spki; /* DER SubjectPublicKeyInfo within der */
	size_t spki_len;
	const uint8_t *key_id; /* content of the subjectKeyIdentifier extension; NULL: none */
	size_t key_id_len;
	const uint8_t *fingerprint; /* KT_DIGEST_LEN: SHA-256 of der */
	/*
	 * KT_DIGEST_LEN: SHA-256 over subject, SPKI and constraints. Who the anchor is: a re-issued
	 * root keeps it, a re-keyed root or one with other limits does not.
	 */
	const uint8_t *identity;
	struct kt_constraints constraints; /* permitted_dns is never NULL here */
};

/* An anchor as people read it. */
struct kt_anchor_text {
	char subject[256];  /* RFC 4514 style, printable ASCII, cut when longer */
	int64_t not_before; /* seconds since the epoch, UTC */
	int64_t not_after;
};

/*
 * Never fails: what cannot be read is "?" or 0. It looks at der and subject, and where subject is
 * NULL at der alone, so that any certificate can be described.
 */
void kt_anchor_describe(const struct kt_anchor *anchor, struct kt_anchor_text *ret_text)
	__attribute__((visibility("default")));

#endif
