/* SPDX-License-Identifier: BSD-2-Clause */
/* Those who flood what is remembered of accepted chains displace nobody, and take no memory. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/verify/cache.h"
#include "../../src/verify/cache_parts.h"
#include "../harness.h"

static unsigned int maps;

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);

/* The same places in each run. */
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
	(void)flags;
	memset(buf, 42, len);
	return (ssize_t)len;
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	maps++;
	return __real_mmap(at, len, prot, flags, fd, offset);
}

static struct kt_verify_cache *cache_of(size_t chains)
{
	struct kt_verify_cache *cache;

	ASSERT_EQ(0, kt_verify_cache_new(&(struct kt_verify_cache_options){chains, 0}, &cache));
	return cache;
}

static struct kt_verify_cache_stats stats_of(const struct kt_verify_cache *cache)
{
	struct kt_verify_cache_stats stats;

	kt_verify_cache_get_stats(cache, &stats);
	return stats;
}

#define HOT   64
#define FLOOD 100000

/* Chain number n; the hot ones are the first. */
struct numbered {
	uint8_t der[48];
	struct kt_der cert;
	struct kt_chain chain;
	struct kt_verdict_key key;
	uint64_t hash;
};

static void number(struct numbered *numbered, const struct kt_verify_cache *cache, uint64_t n)
{
	memset(numbered, 0, sizeof *numbered);
	memcpy(numbered->der, &n, sizeof n);
	numbered->cert = (struct kt_der){numbered->der, sizeof numbered->der};
	numbered->chain = (struct kt_chain){&numbered->cert, 1};
	numbered->key.chain = &numbered->chain;
	numbered->hash = kt_verdict_cache_hash(cache, &numbered->key);
}

/* As a verifier would: what is not found is decided and put. */
static bool ask(struct kt_verify_cache *cache, uint64_t n)
{
	static const struct kt_cached_verdict put;
	struct kt_cached_verdict found;
	struct numbered numbered;

	number(&numbered, cache, n);
	if (kt_verdict_cache_find(cache, &numbered.key, numbered.hash, &found))
		return true;
	kt_verdict_cache_put(cache, &numbered.key, numbered.hash, &put);
	return false;
}

static size_t pages_in_use(const struct kt_verify_cache *cache, size_t chains)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), len = chains * sizeof *cache->pages;
	unsigned char *resident = malloc(len / page);
	size_t count = 0;

	ASSERT_EQ(0, mincore(cache->pages, len, resident));
	for (size_t i = 0; i < len / page; i++)
		count += resident[i] & 1;
	free(resident);
	return count;
}

/* Not even those that were not asked for since they came. */
TEST(chains_seen_once_displace_nobody_and_take_no_memory)
{
	struct kt_verify_cache *cache = cache_of(1024);
	struct kt_verify_cache_stats stats;
	size_t pages;

	for (uint64_t n = 0; n < 2 * HOT; n++)
		EXPECT_FALSE(ask(cache, n % HOT));
	pages = pages_in_use(cache, 1024);
	maps = 0;
	for (uint64_t n = HOT; n < HOT + FLOOD; n++)
		EXPECT_FALSE(ask(cache, n));
	EXPECT_EQ(0, maps);
	EXPECT_EQ(pages, pages_in_use(cache, 1024));
	for (uint64_t n = 0; n < HOT; n++)
		EXPECT_TRUE(ask(cache, n));
	stats = stats_of(cache);
	EXPECT_EQ(HOT, stats.chain_hits);
	EXPECT_EQ(HOT, stats.chain_inserts);
	EXPECT_EQ(HOT + FLOOD, stats.chain_declined);
	kt_verify_cache_free(cache);
}

TEST(chains_asked_for_stay_while_others_are_seen_twice)
{
	struct kt_verify_cache *cache = cache_of(1024);
	const uint64_t warm = 4 * HOT;
	uint64_t hits = 0;

	for (uint64_t n = 0; n < warm; n++)
		ask(cache, n % HOT);
	maps = 0;
	for (uint64_t n = 0; n < FLOOD; n++) {
		EXPECT_FALSE(ask(cache, HOT + n));
		ask(cache, HOT + n);
		hits += ask(cache, n % HOT);
	}
	EXPECT_EQ(0, maps);
	EXPECT_GE(hits, FLOOD * 99 / 100);
	EXPECT_GE(stats_of(cache).chain_inserts, FLOOD);
	EXPECT_LE(pages_in_use(cache, 1024), 1024);
	kt_verify_cache_free(cache);
}

TEST_HARNESS_MAIN
