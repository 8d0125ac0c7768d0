/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL's word on a path that ours accepts (KT_VERIFIER_BOTH): what it needs decoded.
 *
 * Threads: belongs to the one thread of its verifier.
 */
#ifndef KTRUST_VERIFY_BOTH_H
#define KTRUST_VERIFY_BOTH_H

#include <openssl/types.h>

#include "path.h"

struct kt_both;

/* NULL: out of memory. Freed by kt_both_free, which accepts NULL. */
struct kt_both *kt_both_new(void);
void kt_both_free(struct kt_both *both);

/*
 * certs[i] decoded by somebody else, or NULL, in which case it is decoded here when it is needed
 * and stays in x509s, for the caller to free by kt_both_release.
 */
struct kt_both_input {
	const struct kt_cert *certs;
	X509 **x509s;
	size_t count;
	const struct kt_snapshot *snapshot;
	const struct kt_query *query;
};

/* KT_FINE, KT_RULE_OPENSSL, or KT_RULE_INTERNAL: no memory. */
struct kt_finding kt_both_check(struct kt_both *both, const struct kt_both_input *input,
				const struct kt_path *path);

void kt_both_release(X509 **x509s, size_t count);

#endif
