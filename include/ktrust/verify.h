/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decision: (chain as DER, role, name, time, policy, snapshot) → verdict.
 *
 * A verdict is a code of its own, not an errno: "refused" is a result, not an error. Codes and
 * names are stable; new ones are added at the end.
 *
 * It is our own path validation (RFC 5280 §6) over the DER; by default OpenSSL's has to accept the
 * same path as well (KT_VERIFIER_BOTH). Rules, and where they come from: src/verify/rules.h, web.h.
 *
 * Threads: a verifier holds decoded keys without locks and belongs to one thread. Snapshots are
 * immutable, and a kt_verify_cache is made to be shared. Nothing here performs IO or reads a clock
 * except the monotonic clock for duration_ns.
 *
 * What it does not check: that the peer holds the private key (the handshake does); revocation by
 * anything but the CRLs in the snapshot.
 */
#ifndef KTRUST_VERIFY_H
#define KTRUST_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/allow.h>
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
	KT_CRL_EXPIRED,	  /* the issuer's CRL is past its nextUpdate, and the policy refuses it */
	KT_CRL_INVALID,	  /* CRLs of the issuer's name, but none by its key and begun */
	KT_TOO_COMPLEX,	  /* a budget of the search (signatures, names compared) was used up */
	KT_NONCONFORMING, /* against the CA/Browser Baseline Requirements: KT_PROFILE_WEB */
	KT_NOT_ALLOWED,	  /* valid, but none of the allow rules names it */
	KT_VERDICT_COUNT
};

/* Stable lower-case name ("unknown_issuer"), "?" for a value out of range. Static storage. */
const char *kt_verdict_name(enum kt_verdict_code code);

/* The TLS alert that tells the peer (RFC 8446 §6.2); 0 for KT_ACCEPTED. */
uint8_t kt_verdict_alert(enum kt_verdict_code code);

/* A code stands for a kind of reason; a rule is the very reason. Static storage. */
struct kt_rule {
	const char *name; /* stable, lower case: "leaf_key_usage" */
	enum kt_verdict_code code;
	const char *text;   /* "its key usage lacks digitalSignature" */
	const char *source; /* where it is from: "RFC 8446 §4.4.2.2"; "": it is ours */
};

/* Rule number `index`, from 0, in the order of src/verify/rules.def; NULL: there are no more. */
const struct kt_rule *kt_rule_at(size_t index);

struct kt_der {
	const uint8_t *data;
	size_t len; /* bytes */
};

struct kt_chain {
	/*
	 * Leaf first, the rest in any order; what no path goes through does no harm (RFC 8446
	 * §4.4.2), be its extensions malformed, but each has to be a certificate by its form: bytes
	 * that are none refuse the chain.
	 */
	const struct kt_der *certs;
	size_t count;
};

enum kt_role {
	KT_ROLE_CLIENT, /* the peer is a client: EKU clientAuth */
	KT_ROLE_SERVER, /* the peer is a server: EKU serverAuth, and its name */
};

enum kt_name_type { KT_NAME_NONE, KT_NAME_DNS, KT_NAME_IP, KT_NAME_EMAIL, KT_NAME_URI };

/*
 * How strict: RFC 5280's path validation always holds. What the CA/Browser Baseline Requirements
 * ask of server certificates, and RFC 5280 of those who issue, comes with KT_PROFILE_WEB. A CA of
 * one's own often falls short of these in form (easy-rsa's roots do): KT_PROFILE_RFC5280 takes it.
 */
enum kt_profile {
	KT_PROFILE_BY_ROLE, /* KT_ROLE_SERVER: web; KT_ROLE_CLIENT: rfc5280 */
	KT_PROFILE_WEB,
	KT_PROFILE_RFC5280,
};

#define KT_PATH_MAX 8 /* certificates of a path, leaf included, the anchor not */

/* All zeros: as it should be. */
struct kt_policy {
	enum kt_profile profile;
	unsigned int path_max; /* 1 … KT_PATH_MAX; 0: KT_PATH_MAX */
};

struct kt_query {
	enum kt_role role;
	int64_t time;		     /* seconds since the epoch, UTC */
	enum kt_name_type name_type; /* KT_NAME_NONE is refused for KT_ROLE_SERVER */
	/*
	 * DNS name (A-label), IP address as text, email address, URI; borrowed for the call. The
	 * subjectAltName must have it; of DNS names, wildcards count (RFC 9525 §6.3).
	 */
	const char *name;
	struct kt_policy policy;
	/*
	 * Certificates a path may go through besides those of the chain; no trust comes from them,
	 * nor from their constraints. NULL: none. Borrowed for the call.
	 */
	const struct kt_snapshot *intermediates;
	/* One of these must name the peer's certificate. NULL: whoever it is. Borrowed for the
	 * call. */
	const struct kt_allow *allow;
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
	const struct kt_rule *rule; /* NULL: accepted */
};

/* ---- Verifier ------------------------------------------------------------------------------- */

struct kt_verifier;
struct kt_verify_cache;

enum kt_verifier_mode {
	KT_VERIFIER_BOTH, /* what ours accepts OpenSSL's has to accept as well */
	KT_VERIFIER_OWN,
};

/* All zeros: both, without a cache of verdicts. */
struct kt_verifier_options {
	enum kt_verifier_mode mode;
	/* Borrowed: outlives the verifier. NULL: none. */
	struct kt_verify_cache *cache;
};

/* options NULL: all zeros. NULL: out of memory. Freed by kt_verifier_free, which accepts NULL. */
struct kt_verifier *kt_verifier_new(const struct kt_verifier_options *options);
void kt_verifier_free(struct kt_verifier *verifier);

/*
 * Decide. snapshot may be NULL (verdict KT_NO_ANCHORS); the caller keeps it alive for the call,
 * that is, stays in the read section it got it in. Always fills ret_verdict and returns its code.
 */
enum kt_verdict_code kt_verify(struct kt_verifier *verifier, const struct kt_snapshot *snapshot,
			       const struct kt_chain *chain, const struct kt_query *query,
			       struct kt_verdict *ret_verdict);

/* ---- Why ------------------------------------------------------------------------------------ */

/* One path that was looked at, and what became of it. Everything is borrowed for the call. */
struct kt_attempt {
	struct kt_der certs[KT_PATH_MAX]; /* leaf first */
	size_t count;
	const struct kt_anchor *anchor; /* NULL: no anchor issued the last one */
	enum kt_verdict_code code;
	int depth;		    /* as in kt_verdict */
	const struct kt_rule *rule; /* NULL: accepted */
	const char *why; /* the rule in a few words, or what is malformed; static storage */
};

typedef void kt_attempt_fn(const struct kt_attempt *attempt, void *arg);

/*
 * As kt_verify, but tells of every path tried, in order, the last one accepted or none. It asks no
 * cache and fills none.
 */
enum kt_verdict_code kt_verify_explain(struct kt_verifier *verifier,
				       const struct kt_snapshot *snapshot,
				       const struct kt_chain *chain, const struct kt_query *query,
				       kt_attempt_fn *tell, void *arg,
				       struct kt_verdict *ret_verdict);

/* ---- Cache ---------------------------------------------------------------------------------- */

/*
 * What was accepted before, for any number of verifiers in any threads: verdicts by the bytes of
 * the chain, within one content of a pool (its digest), role and policy; and signatures that were
 * right, for good. It holds acceptances alone. Names, times and allow rules are asked each time, so
 * that a hit lets in nobody whom a decision would not; where several paths hold it tells of the one
 * that was found then, so that its anchor may be another than a decision's at another time, but
 * never one that is no longer trusted or valid. Readers take no locks. Memory is bounded and given
 * when made; who floods it with chains seen once displaces nobody.
 */
struct kt_verify_cache_options {
	size_t chains;	   /* verdicts kept, at most; 0: 4096. 16 KiB of address space each */
	size_t signatures; /* 0: 65536. 48 bytes each */
};

/*
 * options NULL: all zeros. Both numbers are rounded up to a multiple of 4. Pages of what was never
 * kept take no memory. -EINVAL: more than 1 << 24 of either; -ENOMEM; -EIO: no random numbers.
 */
KT_WARN_UNUSED int kt_verify_cache_new(const struct kt_verify_cache_options *options,
				       struct kt_verify_cache **ret_cache);
/* No verifier uses it any more. NULL is fine. */
void kt_verify_cache_free(struct kt_verify_cache *cache);

struct kt_verify_cache_stats {
	uint64_t chain_hits;
	uint64_t chain_misses;
	uint64_t chain_inserts;
	uint64_t chain_declined; /* not kept: too long, seen for the first time, no room */
	uint64_t signature_hits;
	uint64_t signature_misses;
	uint64_t signature_inserts;
};

void kt_verify_cache_get_stats(const struct kt_verify_cache *cache,
			       struct kt_verify_cache_stats *ret_stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
