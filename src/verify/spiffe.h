/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SPIFFE IDs of workloads, and patterns of them (SPIFFE-ID §2, X509-SVID §3.1).
 *
 * spiffe://TRUST-DOMAIN/SEGMENT… with a path, which a workload's always has. Only in the form that
 * §2.1 and §2.2 demand of those who make them: scheme and trust domain in lower case, no user,
 * port, query, fragment or percent sign, no segment that is empty, "." or "..". So two are the same
 * when their bytes are. §2.4 would read capitals as well: what no CA may make is not taken here.
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_SPIFFE_H
#define KTRUST_VERIFY_SPIFFE_H

#include "../pool/der.h"

#define KT_SPIFFE_MAX 2048 /* bytes (§2.3) */

struct kt_spiffe {
	struct kt_der_view trust_domain;
	struct kt_der_view path; /* behind its first slash; never empty */
};

/* Is "spiffe" its scheme, but for case? */
bool kt_spiffe_is_meant(struct kt_der_view text);

bool kt_spiffe_read(struct kt_der_view text, struct kt_spiffe *ret_id);

/*
 * An ID in whose path a segment may be "*", for any one, and the last "**", for any one or more.
 * NULL, or what is wrong and what would be right; static storage.
 */
const char *kt_spiffe_read_pattern(struct kt_der_view text, struct kt_spiffe *ret_pattern);

bool kt_spiffe_matches(const struct kt_spiffe *id, const struct kt_spiffe *pattern);

#endif
