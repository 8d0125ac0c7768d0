/* SPDX-License-Identifier: BSD-2-Clause */
/* Verifying with the library, by its own verifier alone and by both. */
#include "verify.h"

#include <errno.h>
#include <stdlib.h>

struct own {
	struct kt_verifier *verifier;
	const struct kt_snapshot *snapshot;
};

static int begin(const struct kt_bench_round *round, enum kt_verifier_mode mode, void **ret_own,
		 struct kt_error *error)
{
	const struct kt_verifier_options options = {.mode = mode, .cache = round->cache};
	struct own *own = calloc(1, sizeof *own);

	if (own)
		own->verifier = kt_verifier_new(&options);
	if (!own || !own->verifier) {
		free(own);
		return kt_error_set(error, ENOMEM, "verifier", 0, "out of memory");
	}
	own->snapshot = round->chains->snapshot;
	*ret_own = own;
	return 0;
}

static int begin_own(const struct kt_bench_round *round, void **ret_own, struct kt_error *error)
{
	return begin(round, KT_VERIFIER_OWN, ret_own, error);
}

static int begin_both(const struct kt_bench_round *round, void **ret_own, struct kt_error *error)
{
	return begin(round, KT_VERIFIER_BOTH, ret_own, error);
}

static const char *verify(void *arg, const struct kt_bench_cert *leaf)
{
	static const struct kt_query query = {.role = KT_ROLE_SERVER,
					      .time = KT_BENCH_TIME,
					      .name_type = KT_NAME_DNS,
					      .name = KT_BENCH_HOST};
	const struct kt_der certs[] = {{leaf->der, leaf->len},
				       {leaf->issuer->der, leaf->issuer->len}};
	const struct kt_chain chain = {certs, sizeof certs / sizeof certs[0]};
	struct own *own = arg;
	struct kt_verdict verdict;

	if (kt_verify(own->verifier, own->snapshot, &chain, &query, &verdict) == KT_ACCEPTED)
		return NULL;
	return kt_verdict_name(verdict.code);
}

static void end(void *arg)
{
	struct own *own = arg;

	if (own)
		kt_verifier_free(own->verifier);
	free(own);
}

const struct kt_bench_way kt_bench_way_own = {begin_own, verify, end};
const struct kt_bench_way kt_bench_way_both = {begin_both, verify, end};
