/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `ktrust bench verify` measures is what it says: chains that differ where they are to, every
 * verdict looked at, and caches that know what the scenario allows.
 */
#include "../harness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "../../src/bench/verify.h"

#define SECONDS 0.02

FIXTURE(chains)
{
	struct kt_bench_chains *chains;
};

FIXTURE_VARIANT(chains)
{
	enum kt_bench_algorithm algorithm;
};

FIXTURE_VARIANT_ADD(chains, p256){.algorithm = KT_BENCH_P256};
FIXTURE_VARIANT_ADD(chains, rsa2048){.algorithm = KT_BENCH_RSA2048};
FIXTURE_VARIANT_ADD(chains, ed25519){.algorithm = KT_BENCH_ED25519};

/* Slow to make, so that the tests' processes have them from their parent. */
static struct kt_bench_chains *all_chains[KT_BENCH_ED25519 + 1];

__attribute__((constructor)) static void make_chains(void)
{
	struct kt_error error;

	for (int i = 0; i <= KT_BENCH_ED25519; i++)
		if (kt_bench_chains_make((enum kt_bench_algorithm)i, 3, &all_chains[i], &error))
			fprintf(stderr, "%s\n", error.text);
}

__attribute__((destructor)) static void free_chains(void)
{
	for (int i = 0; i <= KT_BENCH_ED25519; i++)
		kt_bench_chains_free(all_chains[i]);
}

FIXTURE_SETUP(chains)
{
	self->chains = all_chains[variant->algorithm];
	ASSERT_NE(NULL, self->chains);
}

FIXTURE_TEARDOWN(chains)
{
}

/* ---- Material -------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
	const struct kt_bench_cert *left = a, *right = b;
	size_t len = left->len < right->len ? left->len : right->len;
	int order = memcmp(left->der, right->der, len);

	return order ? order : (left->len > right->len) - (left->len < right->len);
}

static void expect_distinct(const struct kt_bench_cert *certs, size_t count)
{
	struct kt_bench_cert *sorted = malloc(count * sizeof *sorted);

	ASSERT_NE(NULL, sorted);
	memcpy(sorted, certs, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_bytes);
	for (size_t i = 1; i < count; i++)
		EXPECT_NE(0, by_bytes(&sorted[i - 1], &sorted[i]));
	free(sorted);
}

TEST_F(chains, no_certificate_comes_twice)
{
	expect_distinct(self->chains->strangers, KT_BENCH_STRANGERS);
	expect_distinct(self->chains->of_strangers, KT_BENCH_ROUNDS * KT_BENCH_STRANGERS);
	/* The primers stand behind them. */
	expect_distinct(self->chains->of_known, KT_BENCH_LEAVES);
	expect_distinct(self->chains->primers, KT_BENCH_PRIMERS);
	for (size_t i = 0; i < KT_BENCH_PRIMERS; i++)
		for (size_t j = 0; j < KT_BENCH_LEAVES; j++)
			EXPECT_NE(0,
				  by_bytes(&self->chains->primers[i], &self->chains->of_known[j]));
}

TEST_F(chains, each_intermediate_has_a_key_of_its_own)
{
	for (size_t i = 0; i < KT_BENCH_STRANGERS; i++) {
		const struct kt_bench_cert *one = &self->chains->strangers[i];

		EXPECT_NE(1, EVP_PKEY_eq(one->key, self->chains->known.key));
		for (size_t j = 0; j < i; j++)
			EXPECT_NE(1, EVP_PKEY_eq(one->key, self->chains->strangers[j].key));
	}
}

TEST_F(chains, of_a_round_each_has_another_intermediate)
{
	for (size_t i = 0; i < KT_BENCH_ROUNDS * KT_BENCH_STRANGERS; i++)
		EXPECT_EQ(&self->chains->strangers[i % KT_BENCH_STRANGERS],
			  self->chains->of_strangers[i].issuer);
}

/* ---- Measuring ------------------------------------------------------------------------------- */

static const struct kt_bench_way *const ways[] = {&kt_bench_way_own, &kt_bench_way_both,
						  &kt_bench_way_stock, &kt_bench_way_limit};

TEST_F_TIMEOUT(chains, all_sides_accept_them, 60)
{
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		for (int scenario = KT_BENCH_COLD; scenario <= KT_BENCH_REPEAT; scenario++) {
			struct kt_error error = {0};
			double rate = 0;

			EXPECT_EQ(0, kt_bench_verify_rate(ways[i], self->chains,
							  (enum kt_bench_scenario)scenario,
							  1 + (unsigned int)scenario % 2, SECONDS,
							  &rate, &error))
			{
				TH_LOG("way %zu, scenario %d: %s", i, scenario, error.text);
			}
			EXPECT_TRUE(rate > 0);
		}
	}
}

/* A chain that is none is found behind the warming up, by every side. */
TEST_F(chains, refusal_ends_the_measurement)
{
	self->chains->of_strangers[3].issuer = &self->chains->strangers[4];
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct kt_error error = {0};
		double rate = -1;

		EXPECT_EQ(-EBADMSG, kt_bench_verify_rate(ways[i], self->chains, KT_BENCH_COLD,
							 1 + i % 2, SECONDS, &rate, &error));
		EXPECT_TRUE(rate == -1);
		EXPECT_NE(NULL, strstr(error.text, "was refused: "));
	}
}

/* ---- What caches know -------------------------------------------------------------------------
 */

/* Looks on while the own verifier works. One thread. */
static struct {
	struct kt_verify_cache *cache;
	uint64_t verified; /* warming up included */
	uint64_t rounds;
	struct kt_verify_cache_stats stats; /* summed over the rounds */
} seen;

static int begin(const struct kt_bench_round *round, void **ret_own, struct kt_error *error)
{
	seen.cache = round->cache;
	return kt_bench_way_own.begin(round, ret_own, error);
}

static const char *verify(void *own, const struct kt_bench_cert *leaf)
{
	seen.verified++;
	return kt_bench_way_own.verify(own, leaf);
}

static void end(void *own)
{
	struct kt_verify_cache_stats stats = {0};

	kt_bench_way_own.end(own);
	if (seen.cache)
		kt_verify_cache_get_stats(seen.cache, &stats);
	seen.rounds++;
	seen.stats.chain_hits += stats.chain_hits;
	seen.stats.signature_hits += stats.signature_hits;
	seen.stats.signature_misses += stats.signature_misses;
}

static void look_on(const struct kt_bench_chains *chains, enum kt_bench_scenario scenario)
{
	static const struct kt_bench_way way = {begin, verify, end};
	double rate;

	memset(&seen, 0, sizeof seen);
	ASSERT_EQ(0, kt_bench_verify_rate(&way, chains, scenario, 1, SECONDS, &rate, NULL));
	ASSERT_GT(seen.verified, seen.rounds * KT_BENCH_WARM_UP);
}

TEST_F(chains, cold_has_no_cache)
{
	look_on(self->chains, KT_BENCH_COLD);
	EXPECT_NULL(seen.cache);
}

TEST_F(chains, known_intermediate_is_remembered_and_no_leaf)
{
	uint64_t warm_up;

	look_on(self->chains, KT_BENCH_KNOWN);
	warm_up = seen.rounds * KT_BENCH_WARM_UP;
	EXPECT_LE(seen.stats.chain_hits, warm_up);
	EXPECT_GE(seen.stats.signature_hits + warm_up, seen.verified);
	EXPECT_GE(seen.stats.signature_misses + warm_up, seen.verified);
}

TEST_F(chains, repeated_chain_is_remembered_whole)
{
	look_on(self->chains, KT_BENCH_REPEAT);
	EXPECT_GE(seen.stats.chain_hits + seen.rounds * KT_BENCH_WARM_UP, seen.verified);
}

TEST_HARNESS_MAIN
