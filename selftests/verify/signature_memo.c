/* SPDX-License-Identifier: BSD-2-Clause */
/* Signatures that were right are known again, and nothing else is. */
#include "../../src/verify/cache.h"

#include <pthread.h>
#include <string.h>

#include "../../src/verify/cache_parts.h"
#include "../harness.h"

static struct kt_verify_cache *cache_of(size_t signatures)
{
	const struct kt_verify_cache_options options = {.chains = 1, .signatures = signatures};
	struct kt_verify_cache *cache;

	ASSERT_EQ(0, kt_verify_cache_new(&options, &cache));
	return cache;
}

static struct kt_verify_cache_stats stats_of(const struct kt_verify_cache *cache)
{
	struct kt_verify_cache_stats stats;

	kt_verify_cache_get_stats(cache, &stats);
	return stats;
}

static void put(struct kt_verify_cache *cache, uint64_t n, bool of_a_ca)
{
	uint8_t sum[KT_DIGEST_LEN] = "of number";

	memcpy(sum + 13, &n, sizeof n);
	kt_signature_memo_put(cache, sum, of_a_ca);
}

static bool is_found(struct kt_verify_cache *cache, uint64_t n)
{
	uint8_t sum[KT_DIGEST_LEN] = "of number";

	memcpy(sum + 13, &n, sizeof n);
	return kt_signature_memo_find(cache, sum);
}

TEST(signature_is_found_once_it_was_put)
{
	struct kt_verify_cache *cache = cache_of(0);
	struct kt_verify_cache_stats stats;

	for (uint64_t n = 0; n < 1000; n++) {
		EXPECT_FALSE(is_found(cache, n));
		put(cache, n, n % 2);
		EXPECT_TRUE(is_found(cache, n));
	}
	stats = stats_of(cache);
	EXPECT_EQ(1000, stats.signature_hits);
	EXPECT_EQ(1000, stats.signature_misses);
	EXPECT_EQ(1000, stats.signature_inserts);
	EXPECT_EQ(0, stats.chain_hits + stats.chain_misses + stats.chain_declined);
	kt_verify_cache_free(cache);
}

static struct kt_memo_entry *only_entry(struct kt_verify_cache *cache)
{
	for (size_t i = 0; i < KT_WAYS; i++)
		if (cache->memo[i].way.seq)
			return &cache->memo[i];
	return NULL;
}

/* Two sums of one keyed hash are not to be had: so what was stored is changed instead. */
TEST(each_bit_of_a_sum_counts)
{
	struct kt_verify_cache *cache = cache_of(KT_WAYS);
	struct kt_memo_entry *entry;

	put(cache, 1, true);
	entry = only_entry(cache);
	ASSERT_NE(NULL, entry);
	for (unsigned int bit = 0; bit < 8 * KT_DIGEST_LEN; bit++) {
		entry->sum[bit / 64] ^= 1ull << bit % 64;
		EXPECT_FALSE(is_found(cache, 1));
		entry->sum[bit / 64] ^= 1ull << bit % 64;
	}
	EXPECT_TRUE(is_found(cache, 1));
	entry->way.seq++;
	EXPECT_FALSE(is_found(cache, 1));
	kt_verify_cache_free(cache);
}

#define CAS    64
#define LEAVES 300000

/* Without being asked for meanwhile. */
TEST(signatures_of_cas_outlive_those_of_leaves)
{
	struct kt_verify_cache *cache = cache_of(0);

	for (uint64_t n = 0; n < CAS; n++)
		put(cache, n, true);
	for (uint64_t n = CAS; n < CAS + LEAVES; n++)
		put(cache, n, false);
	for (uint64_t n = 0; n < CAS; n++)
		EXPECT_TRUE(is_found(cache, n));
	/* and there is room for newcomers beside them */
	EXPECT_TRUE(is_found(cache, CAS + LEAVES - 1));
	kt_verify_cache_free(cache);
}

/* ---- Counters ------------------------------------------------------------------------------- */

#define ROUNDS 100000

static struct kt_verify_cache *counting;
static pthread_barrier_t known, start; /* its counters are; go */

static void *count_once(void *arg)
{
	is_found(counting, 1);
	return arg;
}

static void *count_misses(void *arg)
{
	is_found(counting, 1);
	pthread_barrier_wait(&known);
	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++)
		is_found(counting, 1);
	return arg;
}

/* There are so many places to count at: as many threads later, one gets the same as the first. */
TEST_TIMEOUT(nothing_is_lost_when_two_threads_count_at_one_place, 120)
{
	pthread_t threads[2], between;
	int alone = 0;

	counting = cache_of(0);
	pthread_barrier_init(&known, NULL, 2);
	pthread_barrier_init(&start, NULL, 2);
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, count_misses, NULL));
	pthread_barrier_wait(&known);
	for (int i = 1; i < KT_CACHE_STRIPES; i++) {
		ASSERT_EQ(0, pthread_create(&between, NULL, count_once, NULL));
		ASSERT_EQ(0, pthread_join(between, NULL));
	}
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, count_misses, NULL));
	pthread_barrier_wait(&known);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(KT_CACHE_STRIPES + 1 + 2 * ROUNDS, stats_of(counting).signature_misses);
	/* and the others counted elsewhere */
	for (int i = 0; i < KT_CACHE_STRIPES; i++)
		alone += counting->stripes[i].counts[KT_CACHE_SIGNATURE_MISSES] == 1;
	EXPECT_EQ(KT_CACHE_STRIPES - 1, alone);
	pthread_barrier_destroy(&start);
	pthread_barrier_destroy(&known);
	kt_verify_cache_free(counting);
}

TEST_HARNESS_MAIN
