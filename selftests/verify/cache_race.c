/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that write to few places of a cache and read them: a reader gets what was put for its
 * key, and whole, or nothing. Meant to be run under ThreadSanitizer too.
 */
#include "../../src/verify/cache.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/verify/cache_parts.h"
#include "../harness.h"

#define WRITERS 2
#define READERS 2
#define KEYS	8
#define ROUNDS	400000 /* at least, of each reader */
#define PUTS	100000 /* at least, meanwhile */

struct entry {
	struct kt_der cert;
	struct kt_chain chain;
	struct kt_verdict_key key;
};

static void init_entry(struct entry *entry, const uint8_t *der, size_t len)
{
	*entry = (struct entry){.cert = {der, len}};
	entry->chain = (struct kt_chain){&entry->cert, 1};
	entry->key.chain = &entry->chain;
}

struct shared {
	struct kt_verify_cache *cache;
	struct entry entries[KEYS];
	uint8_t ders[KEYS][400];
	pthread_barrier_t start;
	/* atomic: */
	bool readers_done;
	uint64_t puts, finds, hits;
};

static void init(struct shared *shared)
{
	const struct kt_verify_cache_options small = {KT_WAYS, KT_WAYS};

	memset(shared, 0, sizeof *shared);
	ASSERT_EQ(0, kt_verify_cache_new(&small, &shared->cache));
	for (int n = 0; n < KEYS; n++) {
		memset(shared->ders[n], 'a' + n, sizeof shared->ders[n]);
		init_entry(&shared->entries[n], shared->ders[n], sizeof shared->ders[n]);
	}
	pthread_barrier_init(&shared->start, NULL, WRITERS + READERS);
}

static void fini(struct shared *shared)
{
	pthread_barrier_destroy(&shared->start);
	kt_verify_cache_free(shared->cache);
}

/* All keys share two hashes, hence two places, where only the comparison tells them apart. */
static uint64_t hash_of(int n)
{
	return (uint64_t)(n % 2) + 1;
}

/* A verdict that says of which key it is, and whose every part says the same. */
static struct kt_cached_verdict verdict_of(int n, unsigned int turn)
{
	const uint32_t mark = (uint32_t)n << 24 | (turn & 0xffffff);
	struct kt_cached_verdict verdict = {.not_before = mark,
					    .not_after = mark,
					    .depth = (int32_t)mark,
					    .names_offset = mark,
					    .names_len = mark,
					    .subject_offset = mark,
					    .subject_len = mark};

	memset(verdict.anchor, (int)(mark % 251), sizeof verdict.anchor);
	memset(verdict.anchor_name, (int)(mark % 241), sizeof verdict.anchor_name);
	return verdict;
}

static void expect_whole(const struct kt_cached_verdict *seen, int n)
{
	const struct kt_cached_verdict whole = verdict_of(n, (unsigned int)seen->not_before);

	ASSERT_EQ(whole.not_before, seen->not_before);
	ASSERT_EQ(whole.not_after, seen->not_after);
	ASSERT_EQ(whole.depth, seen->depth);
	ASSERT_EQ(whole.names_offset, seen->names_offset);
	ASSERT_EQ(whole.names_len, seen->names_len);
	ASSERT_EQ(whole.subject_offset, seen->subject_offset);
	ASSERT_EQ(whole.subject_len, seen->subject_len);
	ASSERT_EQ(0, memcmp(whole.anchor, seen->anchor, sizeof seen->anchor));
	ASSERT_EQ(0, memcmp(whole.anchor_name, seen->anchor_name, sizeof seen->anchor_name));
}

static bool done(struct shared *shared, unsigned int turn)
{
	if (turn % 1024 == 0)
		__atomic_fetch_add(&shared->puts, 1024, __ATOMIC_RELAXED);
	return __atomic_load_n(&shared->readers_done, __ATOMIC_RELAXED);
}

/* A machine with much to do lets some run while others wait. */
static bool seen_enough(struct shared *shared, unsigned int finds, uint64_t hits)
{
	return finds >= ROUNDS && hits > 0 &&
	       __atomic_load_n(&shared->puts, __ATOMIC_RELAXED) >= PUTS;
}

static void add_up(struct shared *shared, unsigned int finds, uint64_t hits)
{
	__atomic_fetch_add(&shared->finds, finds, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->hits, hits, __ATOMIC_RELAXED);
}

static void *write_verdicts(void *arg)
{
	struct shared *shared = arg;

	pthread_barrier_wait(&shared->start);
	for (unsigned int turn = 0; !done(shared, turn); turn++) {
		/* for a while the same, lest no reader comes to the end of its own */
		int n = (int)(turn / 4 % KEYS);
		const struct kt_cached_verdict verdict = verdict_of(n, turn);

		kt_verdict_cache_put(shared->cache, &shared->entries[n].key, hash_of(n), &verdict);
	}
	return NULL;
}

static void *read_verdicts(void *arg)
{
	struct shared *shared = arg;
	struct kt_cached_verdict seen;
	unsigned int turn;
	uint64_t hits = 0;

	pthread_barrier_wait(&shared->start);
	for (turn = 0; !seen_enough(shared, turn, hits); turn++) {
		int n = (int)(turn % KEYS);

		if (!kt_verdict_cache_find(shared->cache, &shared->entries[n].key, hash_of(n),
					   &seen))
			continue;
		expect_whole(&seen, n);
		hits++;
	}
	add_up(shared, turn, hits);
	return NULL;
}

/* The lowest byte is in each of the words, so that words of two sums never make up a third. */
static void make_sum(unsigned int n, uint8_t ret_sum[KT_DIGEST_LEN])
{
	memset(ret_sum, (int)n, KT_DIGEST_LEN);
}

static void *write_signatures(void *arg)
{
	struct shared *shared = arg;
	uint8_t sum[KT_DIGEST_LEN];

	pthread_barrier_wait(&shared->start);
	for (unsigned int turn = 0; !done(shared, turn); turn++) {
		make_sum(turn % KEYS, sum);
		kt_signature_memo_put(shared->cache, sum, turn % 5 == 0);
	}
	return NULL;
}

static void *read_signatures(void *arg)
{
	struct shared *shared = arg;
	uint8_t sum[KT_DIGEST_LEN];
	unsigned int turn;
	uint64_t hits = 0;

	pthread_barrier_wait(&shared->start);
	for (turn = 0; !seen_enough(shared, turn, hits); turn++) {
		bool found;

		make_sum(turn % (2 * KEYS), sum);
		found = kt_signature_memo_find(shared->cache, sum);
		if (turn % (2 * KEYS) >= KEYS)
			ASSERT_FALSE(found);
		hits += found;
	}
	add_up(shared, turn, hits);
	return NULL;
}

static void race(struct shared *shared, void *(*write)(void *), void *(*read)(void *))
{
	pthread_t writers[WRITERS], readers[READERS];

	for (int i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_create(&writers[i], NULL, write, shared));
	for (int i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&readers[i], NULL, read, shared));
	for (int i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_join(readers[i], NULL));
	__atomic_store_n(&shared->readers_done, true, __ATOMIC_RELAXED);
	for (int i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, pthread_join(writers[i], NULL));
}

TEST_TIMEOUT(reader_gets_a_whole_verdict_of_its_key_or_nothing, 120)
{
	struct kt_verify_cache_stats stats;
	struct shared shared;

	init(&shared);
	race(&shared, write_verdicts, read_verdicts);
	kt_verify_cache_get_stats(shared.cache, &stats);
	EXPECT_GT(stats.chain_inserts, 0);
	EXPECT_EQ(shared.hits, stats.chain_hits);
	EXPECT_EQ(shared.finds, stats.chain_hits + stats.chain_misses);
	fini(&shared);
}

TEST_TIMEOUT(reader_finds_no_signature_that_nobody_put, 120)
{
	struct kt_verify_cache_stats stats;
	struct shared shared;

	init(&shared);
	race(&shared, write_signatures, read_signatures);
	kt_verify_cache_get_stats(shared.cache, &stats);
	EXPECT_EQ(shared.hits, stats.signature_hits);
	EXPECT_EQ(shared.finds, stats.signature_hits + stats.signature_misses);
	fini(&shared);
}

/* ---- The same at a chosen moment ------------------------------------------------------------- */

/* One place, and two keys whose long certificates differ in the first byte only. */
static struct {
	struct kt_verify_cache *cache;
	struct entry entries[2];
	uint8_t der[2][12000];
	uint8_t *late; /* a page of the place, in the midst of the certificate */
	size_t page;
} still;

/* The reader of entry 0 got so far, and has found the same bytes: now they become entry 1's. */
static void put_the_other(int signal)
{
	const struct kt_cached_verdict verdict = verdict_of(1, 0);

	ASSERT_EQ(0, mprotect(still.late, still.page, PROT_READ | PROT_WRITE));
	kt_verdict_cache_put(still.cache, &still.entries[1].key, hash_of(1), &verdict);
	(void)signal;
}

static uint8_t *place_of(struct kt_verify_cache *cache, uint64_t hash)
{
	struct kt_way *way = kt_way_at(cache->ways, sizeof *cache->ways, (uint32_t)hash, 0);

	return (uint8_t *)&cache->pages[way - cache->ways];
}

TEST(what_changes_while_it_is_read_is_not_found)
{
	const struct kt_verify_cache_options small = {KT_WAYS, KT_WAYS};
	const struct kt_cached_verdict verdict = verdict_of(0, 0);
	struct kt_cached_verdict seen;

	still.page = (size_t)sysconf(_SC_PAGESIZE);
	if (still.page >= sizeof *still.cache->pages)
		SKIP(return, "a place is within one page");
	ASSERT_EQ(0, kt_verify_cache_new(&small, &still.cache));
	for (int n = 0; n < 2; n++) {
		still.der[n][0] = (uint8_t)n;
		init_entry(&still.entries[n], still.der[n], sizeof still.der[n]);
	}
	for (int i = 0; i < 2; i++)
		kt_verdict_cache_put(still.cache, &still.entries[0].key, hash_of(1), &verdict);
	ASSERT_TRUE(kt_verdict_cache_find(still.cache, &still.entries[0].key, hash_of(1), &seen));
	still.late = place_of(still.cache, hash_of(1)) + still.page;
	signal(SIGSEGV, put_the_other);
	ASSERT_EQ(0, mprotect(still.late, still.page, PROT_NONE));
	EXPECT_FALSE(kt_verdict_cache_find(still.cache, &still.entries[0].key, hash_of(1), &seen));
	signal(SIGSEGV, SIG_DFL);
	/* it did change */
	EXPECT_TRUE(kt_verdict_cache_find(still.cache, &still.entries[1].key, hash_of(1), &seen));
	expect_whole(&seen, 1);
	kt_verify_cache_free(still.cache);
}

TEST_HARNESS_MAIN
