/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths of certificates from words (words.h), of which no more is made than name constraints look
 * at, and what kt_name_constraints_check says of them.
 *
 * Words that are none end the test (ASSERT). No state.
 */
#ifndef KTRUST_SELFTESTS_VERIFY_CONSTRAINED_H
#define KTRUST_SELFTESTS_VERIFY_CONSTRAINED_H

#include <stdlib.h>

#include "../../src/verify/name_constraints.h"
#include "../harness.h"
#include "words.h"

#define BUDGET 65536

/* A certificate as far as name constraints look at it. NULL: none. */
struct cert {
	const char *subject, *names, *permitted, *excluded;
	bool self_issued;
};

struct made {
	struct kt_cert cert;
	struct words_der subject, names, permitted, excluded;
};

static inline struct kt_der_view view(const struct words_der *der)
{
	return (struct kt_der_view){der->bytes, der->len};
}

static inline void make(const struct cert *cert, struct made *made)
{
	ASSERT_TRUE(words_name(cert->subject ? cert->subject : "", &made->subject));
	ASSERT_TRUE(words_names(cert->names ? cert->names : "", &made->names));
	ASSERT_TRUE(words_subtrees(cert->permitted ? cert->permitted : "", &made->permitted));
	ASSERT_TRUE(words_subtrees(cert->excluded ? cert->excluded : "", &made->excluded));
	made->cert = (struct kt_cert){
		.self_issued = cert->self_issued,
		.subject = view(&made->subject),
		.names = view(&made->names),
		.permitted = view(&made->permitted),
		.excluded = view(&made->excluded),
	};
}

struct result {
	enum kt_verdict_code code;
	int depth;
	const char *why;
	unsigned int budget;
};

/*
 * What the check leaves alone stays as it is here: depth -7, why "untouched".
 * path: leaf first; the last of the count is the anchor.
 */
static inline struct result check(const struct cert *path, size_t count, unsigned int budget)
{
	struct result result = {.depth = -7, .why = "untouched", .budget = budget};
	struct made *made = calloc(count, sizeof *made);
	const struct kt_cert *certs[8];

	ASSERT_NE(NULL, made);
	for (size_t i = 0; i < count; i++) {
		make(&path[i], &made[i]);
		certs[i] = &made[i].cert;
	}
	result.code = kt_name_constraints_check(certs, count - 1, certs[count - 1], &result.budget,
						&result.depth, &result.why);
	free(made);
	return result;
}

#endif
