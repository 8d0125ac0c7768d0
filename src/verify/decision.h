/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One decision without a cache of verdicts: reading the chain, searching, checking each path.
 *
 * What a path has to pass, the cheapest first; the first that accepts it ends the search:
 *
 *   rules that look once (rules.h, limits.h) → signatures, from the anchor down → names, policies,
 *   web (rules.h, name_constraints.h, web.h) → OpenSSL (both.h) → revocation
 *
 * Threads: the parts a decision uses belong to one thread.
 */
#ifndef KTRUST_VERIFY_DECISION_H
#define KTRUST_VERIFY_DECISION_H

#include <openssl/types.h>

#include "both.h"
#include "revocation.h"

/* The parts of a verifier. */
struct kt_judges {
	struct kt_signer *signer;
	struct kt_revocation *revocation;
	struct kt_both *both; /* NULL: ours alone decides */
};

struct kt_case {
	const struct kt_snapshot *snapshot;
	/* 1 … KT_CHAIN_MAX certificates of 1 … KT_CERTIFICATE_MAX bytes */
	const struct kt_chain *chain;
	X509 *const *x509s; /* the same decoded, each may be NULL; NULL: none. Borrowed */
	const struct kt_query *query;
	kt_attempt_fn *tell; /* NULL: nobody. Else no cache is asked or filled */
	void *tell_arg;
};

/* What was accepted, or why it was not. */
struct kt_decision {
	struct kt_finding finding;
	/* Accepted: */
	int depth; /* of the anchor */
	uint8_t anchor[KT_DIGEST_LEN];
	char anchor_name[64];
	struct kt_window window; /* when the same is accepted */
	struct kt_der_view leaf; /* and in it, as in struct kt_cert: */
	struct kt_der_view names;
	struct kt_der_view subject;
};

/* Always fills ret_decision. The name asked for is not looked at. */
void kt_decide(const struct kt_judges *judges, const struct kt_case *asked,
	       struct kt_decision *ret_decision);

#endif
