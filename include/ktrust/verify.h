/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decision: (chain as DER, role, name, time, snapshot) → verdict.
 *
 * A verdict is a code of its own, not an errno: "refused" is a result, not an error. Codes and
 * names are stable; new ones are added at the end.
 *
 * Threads: a verifier holds caches of decoded anchors without locks and belongs to one thread.
 * Snapshots are immutable and may be shared. Nothing here performs IO or reads a clock except the
 * monotonic clock for duration_ns.
 *
 * What it does not check: that the peer holds the private key (the handshake does); revocation by
 * anything but the CRLs in the snapshot.
 */
#ifndef KTRUST_VERIFY_H
#define KTRUST_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>
#include <ktrust/error.h>
#include <ktrust/pool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_CHAIN_MAX 16 /* certificates a peer may send, leaf included */

enum kt_verdict_code {
	KT_ACCEPTED = 0,
	KT_NO_CERTIFICATE,   /* the peer sent none, and one is required */
	KT_NO_ANCHORS,	     /* the pool has no snapshot */
	KT_MALFORMED,	     /* a certificate does not parse */
	KT_CHAIN_TOO_LONG,   /* more than KT_CHAIN_MAX certificates, or too deep a path */
	KT_UNKNOWN_ISSUER,   /* no path to an anchor */
	KT_SELF_SIGNED,	     /* the peer's own root is not an anchor */
	KT_EXPIRED,	     /* notAfter is past (RFC 5280 §6.1.3 a 2) */
	KT_NOT_YET_VALID,    /* notBefore is to come */
	KT_BAD_SIGNATURE,    /* a signature in the path does not verify */
	KT_NOT_A_CA,	     /* an issuer lacks basicConstraints cA or keyCertSign */
	KT_PATH_LENGTH,	     /* pathLenConstraint is exceeded */
	KT_WRONG_PURPOSE,    /* EKU or key usage does not allow the role */
	KT_CA_AS_LEAF,	     /* the end entity is a CA certificate */
	KT_UNKNOWN_CRITICAL, /* a critical extension that is not understood */
	KT_NAME_CONSTRAINT,  /* RFC 5280 §4.2.1.10 */
	KT_NAME_MISMATCH,    /* the SAN does not have the name asked for (RFC 6125/9525) */
	KT_WEAK_ALGORITHM,   /* key size or signature digest below the policy */
	KT_REVOKED,	     /* a CRL of the snapshot lists it */
	KT_INTERNAL,	     /* could not decide (memory, library); counts as refused */
	KT_DISTRUSTED,	     /* issued after the date that the anchor is distrusted from */
	KT_CRL_EXPIRED, /* the issuer's CRL is past its nextUpdate, and the policy refuses it */
	KT_CRL_INVALID, /* CRLs of the issuer's name, but none by its key and begun */
	KT_VERDICT_COUNT
};

/* Stable lower-case name ("unknown_issuer"), "?" for a value out of range. Static storage. */
const char *kt_verdict_name(enum kt_verdict_code code);

/* The TLS alert that tells the peer (RFC 8446 §6.2); 0 for KT_ACCEPTED. */
uint8_t kt_verdict_alert(enum kt_verdict_code code);

struct kt_der {
	const uint8_t *data;
	size_t len; /* bytes */
};

struct kt_chain {
	const struct kt_der *certs; /* leaf first, the rest in any order */
	size_t count;
};

enum kt_role {
	KT_ROLE_CLIENT, /* the peer is a client: EKU clientAuth */
	KT_ROLE_SERVER, /* the peer is a server: EKU serverAuth, and its name */
};

enum kt_name_type { KT_NAME_NONE, KT_NAME_DNS, KT_NAME_IP };

struct kt_query {
	enum kt_role role;
	int64_t time;		     /* seconds since the epoch, UTC */
	enum kt_name_type name_type; /* KT_NAME_NONE is refused for KT_ROLE_SERVER */
	const char *name; /* DNS name (A-label) or IP address as text; borrowed for the call */
};

struct kt_verdict {
	enum kt_verdict_code code;
	/* Of the certificate concerned: 0 leaf; -1: the chain as a whole. Accepted: of the anchor.
	 */
	int depth;
	uint64_t pool_version; /* of the snapshot the decision was taken against; 0: none */
	uint8_t pool_digest[KT_DIGEST_LEN];
	uint8_t anchor[KT_DIGEST_LEN]; /* fingerprint; zeros unless accepted */
	char anchor_name[64]; /* its common name, or what its subject has instead; UTF-8, printable
			       */
	uint64_t duration_ns;
};

struct kt_verifier;

/* NULL: out of memory. Freed by kt_verifier_free, which accepts NULL. */
struct kt_verifier *kt_verifier_new(void);
void kt_verifier_free(struct kt_verifier *verifier);

/*
 * Decide. snapshot may be NULL (verdict KT_NO_ANCHORS); the caller keeps it alive for the call,
 * that is, stays in the read section it got it in. Always fills ret_verdict and returns its code.
 */
enum kt_verdict_code kt_verify(struct kt_verifier *verifier, const struct kt_snapshot *snapshot,
			       const struct kt_chain *chain, const struct kt_query *query,
			       struct kt_verdict *ret_verdict);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
