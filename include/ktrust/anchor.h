/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trust anchor: a root certificate and (in a later version) what limits it (RFC 5280 §6.1.1 d).
 *
 * struct kt_anchor is a view: every pointer is borrowed from the snapshot the view was taken from
 * and lives exactly as long as that snapshot. All lengths are in bytes.
 */
#ifndef KTRUST_ANCHOR_H
#define KTRUST_ANCHOR_H

#include <stddef.h>
#include <stdint.h>

#define KT_DIGEST_LEN 32 /* SHA-256 */

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
	 * KT_DIGEST_LEN: SHA-256 over subject and SPKI (and constraints, once there are any). Who
	 * the anchor is: a re-issued root keeps it, a re-keyed root does not.
	 */
	const uint8_t *identity;
};

/* An anchor as people read it. */
struct kt_anchor_text {
	char subject[256];  /* RFC 4514 style, printable ASCII, cut when longer */
	int64_t not_before; /* seconds since the epoch, UTC */
	int64_t not_after;
};

/* Never fails: what cannot be read is "?" or 0. */
void kt_anchor_describe(const struct kt_anchor *anchor, struct kt_anchor_text *ret_text)
	__attribute__((visibility("default")));

#endif
