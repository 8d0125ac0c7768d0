/* SPDX-License-Identifier: BSD-2-Clause */
/* The cases of `ktrust bench verify`. */
#include "verify.h"

#define POOL_DEFAULT 146 /* about as many roots as the public web has */

/* What cases work on, by kt_bench_case.size. Neighbours share it. */
enum setup { P256, P256_POOL_1, P256_POOL_10K, RSA2048, ED25519 };

static const struct {
	enum kt_bench_algorithm algorithm;
	size_t roots;
} setups[] = {
	[P256] = {KT_BENCH_P256, POOL_DEFAULT},	      [P256_POOL_1] = {KT_BENCH_P256, 1},
	[P256_POOL_10K] = {KT_BENCH_P256, 10000},     [RSA2048] = {KT_BENCH_RSA2048, POOL_DEFAULT},
	[ED25519] = {KT_BENCH_ED25519, POOL_DEFAULT},
};

static int make(size_t size, const struct kt_bench_options *options, void **ret_state,
		struct kt_error *error)
{
	struct kt_bench_chains *chains;
	int ret = kt_bench_chains_make(setups[size].algorithm, setups[size].roots, &chains, error);

	(void)options;
	if (ret == 0)
		*ret_state = chains;
	return ret;
}

static void finish(void *state)
{
	kt_bench_chains_free(state);
}

/* ---- Sides ----------------------------------------------------------------------------------- */

static int measure(const struct kt_bench_way *way, const struct kt_bench_case *of, void *state,
		   const struct kt_bench_options *options, double *ret_value,
		   struct kt_error *error)
{
	return kt_bench_verify_rate(way, state, (enum kt_bench_scenario)of->variant, of->threads,
				    options->seconds, ret_value, error);
}

static int ours(const struct kt_bench_case *of, void *state, const struct kt_bench_options *options,
		double *ret_value, struct kt_error *error)
{
	return measure(&kt_bench_way_own, of, state, options, ret_value, error);
}

static int both(const struct kt_bench_case *of, void *state, const struct kt_bench_options *options,
		double *ret_value, struct kt_error *error)
{
	return measure(&kt_bench_way_both, of, state, options, ret_value, error);
}

static int stock(const struct kt_bench_case *of, void *state,
		 const struct kt_bench_options *options, double *ret_value, struct kt_error *error)
{
	return measure(&kt_bench_way_stock, of, state, options, ret_value, error);
}

static int limit(const struct kt_bench_case *of, void *state,
		 const struct kt_bench_options *options, double *ret_value, struct kt_error *error)
{
	return measure(&kt_bench_way_limit, of, state, options, ret_value, error);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

#define CASE(text, setup, scenario, count)                                                         \
	{                                                                                          \
		.name = (text), .unit = "1/s", .threads = (count), .more_is_better = true,         \
		.prepare = make, .finish = finish, .size = (setup), .variant = (scenario),         \
		.measure = {ours, stock, limit, both}, .peers = {                                  \
			"both"                                                                     \
		}                                                                                  \
	}
#define CASES(text, setup)                                                                         \
	CASE(text "-cold", setup, KT_BENCH_COLD, 1), CASE(text "-cold", setup, KT_BENCH_COLD, 2),  \
		CASE(text "-known-intermediate", setup, KT_BENCH_KNOWN, 1),                        \
		CASE(text "-known-intermediate", setup, KT_BENCH_KNOWN, 2),                        \
		CASE(text "-repeat", setup, KT_BENCH_REPEAT, 1),                                   \
		CASE(text "-repeat", setup, KT_BENCH_REPEAT, 2)

static const struct kt_bench_case cases[] = {
	CASES("p256", P256),
	CASE("p256-cold-pool-1", P256_POOL_1, KT_BENCH_COLD, 1),
	CASE("p256-cold-pool-10k", P256_POOL_10K, KT_BENCH_COLD, 1),
	CASES("rsa2048", RSA2048),
	CASES("ed25519", ED25519),
};

const struct kt_bench_suite kt_bench_verify = {
	.name = "verify",
	.title = "Verifying chains of leaf, intermediate and root, from DER",
	.cases = cases,
	.count = sizeof cases / sizeof cases[0],
	.seconds = 0.2, /* four sides of twenty cases: a minute and a half in all */
};
