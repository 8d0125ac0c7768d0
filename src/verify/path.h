/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding paths from a leaf to anchors of a snapshot.
 *
 * OpenSSL builds one chain and never turns back in what the peer sent, so a cross-signed
 * intermediate, a re-keyed CA of the same name, or an expired copy can make it refuse a peer that
 * another path would let in. Here every path is tried until one is accepted:
 *
 *   leaf ── issuer among the anchors?           → a path: attempt it
 *     └──── issuer among the peer's others?     → go on from there
 *
 * Anchors come before the peer's certificates, certificates valid at the time before others. A link
 * follows names, key identifiers and algorithm (X509_check_issued); after the first attempt that
 * failed also the signature, so that a wrong key costs one check, not an attempt. Everything is
 * bounded, since the peer chooses the certificates.
 *
 * An anchor is whatever is in the snapshot, self-signed or not (RFC 5280 §6.1.1 d asks for no
 * more than a name and a key): an intermediate in the pool ends a path, and stays an anchor when
 * the root above it leaves the pool. The leaf itself is never its own anchor.
 *
 * This finds candidates; it decides nothing.
 */
#ifndef KTRUST_VERIFY_PATH_H
#define KTRUST_VERIFY_PATH_H

#include <ktrust/verify.h>
#include <openssl/types.h>

#include "anchor_cache.h"

/* Certificates of a path without the anchor. Public and private PKIs have at most four or five. */
#define KT_PATH_MAX 8

struct kt_path {
	X509 *certs[KT_PATH_MAX]; /* leaf first; borrowed */
	int count;
	X509 *anchor;			     /* borrowed */
	uint8_t fingerprint[KT_DIGEST_LEN];  /* of the anchor, as the snapshot has it */
	const struct kt_constraints *limits; /* of the anchor; borrowed */
};

/* Returns true to end the search. The path is valid for the call only. */
typedef bool kt_path_attempt(const struct kt_path *path, void *context);

struct kt_path_input {
	const struct kt_snapshot *snapshot;
	struct kt_anchor_cache *cache;
	X509 *leaf;
	X509 *const *others; /* what the peer sent besides, in any order, without NULLs */
	size_t other_count;  /* less than KT_CHAIN_MAX + 1 */
	int64_t time;	     /* seconds since the epoch */
};

/* Why there was no path, when no attempt was made. */
struct kt_path_end {
	int attempts;
	bool cut;	  /* a limit was met before the search was over */
	bool self_signed; /* the longest line of issuers ends in a self-signed certificate */
	int depth;	  /* of the certificate whose issuer was not found */
};

void kt_path_search(const struct kt_path_input *input, kt_path_attempt *attempt, void *context,
		    struct kt_path_end *ret_end);

#endif
