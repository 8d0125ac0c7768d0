/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding paths from a leaf to anchors of a snapshot.
 *
 * Chains come in any order, with cross-signed, re-keyed, expired and foreign certificates among
 * them. Every path is tried until one is accepted:
 *
 *   leaf ── issuer among the anchors?              → a path: attempt it
 *     ├──── issuer among the peer's others?        → go on from there
 *     └──── issuer among the known intermediates?  → go on from there
 *
 * Anchors come before other certificates, certificates valid at the time before others. A link
 * follows names, key identifiers and algorithm; after the first attempt that failed also the
 * signature, so that a wrong key costs one check, not an attempt. No path holds two certificates of
 * the same subject and key.
 *
 * The peer chooses the certificates, so their numbers are bounded: links looked at, signatures
 * checked, and bytes of names gone through, over the whole search. A name of the chain is hashed
 * once; two are compared only where their hashes agree. Such names are counted, not trusted to be
 * short: white space and case make equal ones of any length. Of each pair of certificate and key
 * the signature is checked once.
 *
 * An anchor is whatever is in the snapshot, self-signed or not (RFC 5280 §6.1.1 d asks for no
 * more than a name and a key): an intermediate in the pool ends a path, and stays an anchor when
 * the root above it leaves the pool.
 *
 * This finds candidates; it decides nothing.
 */
#ifndef KTRUST_VERIFY_PATH_H
#define KTRUST_VERIFY_PATH_H

#include <ktrust/verify.h>

#include "cert.h"
#include "rule.h"
#include "signer.h"

/* Each is far above what an honest chain needs. */
#define KT_LINKS_MAX	  1000 /* pairs of certificate and possible issuer looked at */
#define KT_SIGNATURES_MAX 64   /* pairs of certificate and key */
#define KT_ATTEMPTS_MAX	  8    /* whole paths */
/* Bytes of names hashed, looked up, compared: 2 ms. One is seldom longer than 200. */
#define KT_NAME_BYTES_MAX (256 * 1024)

struct kt_path {
	const struct kt_cert *certs[KT_PATH_MAX]; /* leaf first */
	int count;
	const struct kt_cert *anchor;	/* NULL: the search came to no anchor */
	const struct kt_anchor *origin; /* of the anchor: what the snapshot has of it */
};

struct kt_path_search;

/*
 * What becomes of a path. Returns whether the search is over. The path is valid for the call only.
 */
typedef bool kt_path_attempt(struct kt_path_search *search, const struct kt_path *path,
			     void *context);

struct kt_path_input {
	const struct kt_snapshot *snapshot;
	const struct kt_snapshot *intermediates; /* NULL: none */
	const struct kt_cert *leaf;
	const struct kt_cert *others; /* what the peer sent besides, in any order */
	size_t other_count;	      /* less than KT_CHAIN_MAX */
	int64_t time;		      /* seconds since the epoch */
	unsigned int path_max;	      /* 1 … KT_PATH_MAX */
	struct kt_signer *signer;
	bool use_cache; /* for signatures */
	kt_path_attempt *attempt;
	/* Told of each line of issuers that led nowhere: the path has no anchor then. NULL: nobody
	 */
	void (*dead_end)(const struct kt_path *path, struct kt_finding why, void *context);
	void *context;
};

/* A signature that was checked in this search. */
struct kt_link {
	const uint8_t *cert;	 /* where the certificate's DER is */
	struct kt_der_view spki; /* of the issuer */
	struct kt_signer_answer signature;
};

/* A name's hash, from when it is first asked for. */
struct kt_path_hash {
	bool known;
	uint64_t hash;
};

struct kt_path_search {
	const struct kt_path_input *input;
	struct kt_path path;
	int attempts;
	int ends; /* attempts, and lines of issuers that led nowhere */
	int links;
	size_t name_bytes; /* hashed, looked up, compared */
	struct kt_path_hash leaf_issuer;
	struct kt_path_hash subjects[KT_CHAIN_MAX - 1]; /* of input->others */
	struct kt_path_hash issuers[KT_CHAIN_MAX - 1];
	struct kt_link checked[KT_SIGNATURES_MAX]; /* as many as signatures says */
	int signatures;
	enum kt_rule_id cut; /* KT_RULE_NONE: no limit was met */
	/* Of the longest line of issuers that led nowhere */
	int depth; /* of the certificate whose issuer was not found */
	bool self_signed;
};

/* When no attempt was made: why not. */
struct kt_finding kt_path_search(struct kt_path_search *search, const struct kt_path_input *input);

/*
 * Did this key sign this certificate? KT_FINE, or what a path that needs it is refused for at
 * `depth`, which is the certificate's.
 */
struct kt_finding kt_path_check_signature(struct kt_path_search *search, const struct kt_cert *cert,
					  const struct kt_cert *issuer, int depth);

/* A path was accepted: keep its issuers' keys, remember its signatures. */
void kt_path_remember(struct kt_path_search *search, const struct kt_path *path);

#endif
