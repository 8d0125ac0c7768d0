/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is remembered of accepted chains: found for exactly what it was put for, and kept as long as
 * it is asked for.
 */
#include "../../src/verify/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/verify/cache_parts.h"
#include "../harness.h"

/* ---- What the system answers ---------------------------------------------------------------- */

static bool refuse_random, refuse_map, really_random;
static size_t mapped_len;

ssize_t __real_getrandom(void *buf, size_t len, unsigned int flags);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);

/* The same places in each run. */
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
	if (refuse_random) {
		errno = ENOSYS;
		return -1;
	}
	if (really_random)
		return __real_getrandom(buf, len, flags);
	memset(buf, 42, len);
	return (ssize_t)len;
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	mapped_len = len;
	if (refuse_map) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap(at, len, prot, flags, fd, offset);
}

/* ---- A chain -------------------------------------------------------------------------------- */

#define CERTS 3

static const size_t lens[CERTS] = {573, 8, 522};

FIXTURE(cache)
{
	struct kt_verify_cache *cache;
	uint8_t *bytes[CERTS];
	struct kt_der certs[CERTS];
	struct kt_chain chain;
	struct kt_verdict_key key;
	struct kt_cached_verdict put;
};

FIXTURE_SETUP(cache)
{
	ASSERT_EQ(0, kt_verify_cache_new(NULL, &self->cache));
	for (size_t i = 0; i < CERTS; i++) {
		self->bytes[i] = malloc(lens[i]);
		for (size_t at = 0; at < lens[i]; at++)
			self->bytes[i][at] = (uint8_t)(at * 7 + i);
		self->certs[i] = (struct kt_der){self->bytes[i], lens[i]};
	}
	self->chain = (struct kt_chain){self->certs, CERTS};
	self->key = (struct kt_verdict_key){
		.chain = &self->chain, .role = 1, .profile = 2, .path_max = 8, .mode = 1};
	memset(self->key.digest, 0xd1, KT_DIGEST_LEN);
	memset(self->key.intermediates, 0x1e, KT_DIGEST_LEN);
	memset(&self->put, 0, sizeof self->put);
	self->put = (struct kt_cached_verdict){.not_before = -5,
					       .not_after = INT64_MAX - 1,
					       .depth = 2,
					       .names_offset = 100,
					       .names_len = 20,
					       .subject_offset = 50,
					       .subject_len = 30,
					       .anchor_name = "Root of what is named"};
	memset(self->put.anchor, 0xaa, KT_DIGEST_LEN);
}

FIXTURE_TEARDOWN(cache)
{
	for (size_t i = 0; i < CERTS; i++)
		free(self->bytes[i]);
	kt_verify_cache_free(self->cache);
}

static void put_twice(struct kt_verify_cache *cache, const struct kt_verdict_key *key,
		      uint64_t hash, const struct kt_cached_verdict *put)
{
	kt_verdict_cache_put(cache, key, hash, put);
	kt_verdict_cache_put(cache, key, hash, put);
}

static uint64_t keep(FIXTURE_DATA(cache) * self)
{
	uint64_t hash = kt_verdict_cache_hash(self->cache, &self->key);

	put_twice(self->cache, &self->key, hash, &self->put);
	return hash;
}

static bool is_found(struct kt_verify_cache *cache, const struct kt_verdict_key *key)
{
	struct kt_cached_verdict found;

	return kt_verdict_cache_find(cache, key, kt_verdict_cache_hash(cache, key), &found);
}

/* Neither under its own hash nor, should the two be the same, under that of what was put. */
static void expect_another(FIXTURE_DATA(cache) * self, uint64_t hash)
{
	struct kt_cached_verdict found = {.depth = 77};

	EXPECT_NE(hash, kt_verdict_cache_hash(self->cache, &self->key));
	EXPECT_FALSE(is_found(self->cache, &self->key));
	EXPECT_FALSE(kt_verdict_cache_find(self->cache, &self->key, hash, &found));
	EXPECT_EQ(77, found.depth);
}

static struct kt_verify_cache_stats stats_of(const struct kt_verify_cache *cache)
{
	struct kt_verify_cache_stats stats;

	kt_verify_cache_get_stats(cache, &stats);
	return stats;
}

static struct kt_verify_cache *cache_of(size_t chains, size_t signatures)
{
	struct kt_verify_cache *cache;

	ASSERT_EQ(0, kt_verify_cache_new(&(struct kt_verify_cache_options){chains, signatures},
					 &cache));
	return cache;
}

/* ---- Making --------------------------------------------------------------------------------- */

TEST(cache_is_made_of_any_size_up_to_the_limit)
{
	static const struct kt_verify_cache_options sizes[] = {{0, 0}, {1, 1}, {5, 1001}};
	const size_t most = 1u << 24;
	const struct kt_verify_cache_options too_many[] = {
		{most + 1, 1}, {1, most + 1}, {SIZE_MAX, SIZE_MAX}};
	struct kt_verify_cache *cache = NULL;

	for (size_t i = 0; i < sizeof too_many / sizeof too_many[0]; i++)
		EXPECT_EQ(-EINVAL, kt_verify_cache_new(&too_many[i], &cache));
	EXPECT_NULL(cache);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		ASSERT_EQ(0, kt_verify_cache_new(&sizes[i], &cache));
		kt_verify_cache_free(cache);
	}
	kt_verify_cache_free(NULL);
}

TEST(cache_is_not_made_without_memory_or_random_numbers)
{
	const struct kt_verify_cache_options most = {1u << 24, 1u << 24};
	struct kt_verify_cache *cache = NULL;

	refuse_map = true;
	EXPECT_EQ(-ENOMEM, kt_verify_cache_new(NULL, &cache));
	EXPECT_EQ(-ENOMEM, kt_verify_cache_new(&most, &cache));
	EXPECT_GT(mapped_len, (size_t)16384 << 24);
	refuse_map = false;
	refuse_random = true;
	EXPECT_EQ(-EIO, kt_verify_cache_new(NULL, &cache));
	EXPECT_NULL(cache);
}

TEST_F(cache, each_cache_has_a_hash_of_its_own)
{
	struct kt_verify_cache *other;

	really_random = true;
	other = cache_of(0, 0);
	EXPECT_NE(kt_verdict_cache_hash(self->cache, &self->key),
		  kt_verdict_cache_hash(other, &self->key));
	kt_verify_cache_free(other);
}

/* ---- Found for the same, and for nothing else ------------------------------------------------ */

TEST_F(cache, verdict_is_found_once_it_was_put_twice)
{
	const uint64_t hash = kt_verdict_cache_hash(self->cache, &self->key);
	struct kt_cached_verdict found;
	struct kt_verify_cache_stats stats;

	for (int i = 0; i < 2; i++) {
		EXPECT_FALSE(kt_verdict_cache_find(self->cache, &self->key, hash, &found));
		kt_verdict_cache_put(self->cache, &self->key, hash, &self->put);
	}
	for (int i = 0; i < 3; i++) {
		memset(&found, 0, sizeof found);
		EXPECT_TRUE(kt_verdict_cache_find(self->cache, &self->key, hash, &found));
		EXPECT_EQ(0, memcmp(&self->put, &found, sizeof found));
	}
	stats = stats_of(self->cache);
	EXPECT_EQ(3, stats.chain_hits);
	EXPECT_EQ(2, stats.chain_misses);
	EXPECT_EQ(1, stats.chain_inserts);
	EXPECT_EQ(1, stats.chain_declined);
}

TEST_F(cache, each_byte_of_the_chain_counts)
{
	uint64_t hash = keep(self);

	for (size_t i = 0; i < CERTS; i++) {
		for (size_t at = 0; at < lens[i]; at++) {
			self->bytes[i][at] ^= (uint8_t)(1 << at % 8);
			expect_another(self, hash);
			self->bytes[i][at] ^= (uint8_t)(1 << at % 8);
		}
	}
	EXPECT_TRUE(is_found(self->cache, &self->key));
}

TEST_F(cache, each_part_of_the_key_counts)
{
	uint32_t *const numbers[] = {&self->key.role, &self->key.profile, &self->key.path_max,
				     &self->key.mode};
	uint8_t *const digests[] = {self->key.digest, self->key.intermediates};
	uint64_t hash = keep(self);

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			*numbers[i] ^= 1u << bit;
			expect_another(self, hash);
			*numbers[i] ^= 1u << bit;
		}
	}
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
		for (size_t at = 0; at < KT_DIGEST_LEN; at++) {
			digests[i][at] ^= 0x10;
			expect_another(self, hash);
			digests[i][at] ^= 0x10;
		}
	}
	EXPECT_TRUE(is_found(self->cache, &self->key));
}

/* The same bytes, cut into certificates or put in order in another way. */
TEST_F(cache, where_certificates_begin_and_end_counts)
{
	static const uint8_t bytes[32] = "zeros follow";
	static const struct kt_der cut[][2] = {
		{{bytes, 12}, {bytes + 16, 8}}, {{bytes, 13}, {bytes + 16, 8}},
		{{bytes, 16}, {bytes + 16, 8}}, {{bytes, 12}, {bytes + 16, 7}},
		{{bytes, 24}, {bytes + 24, 0}}, {{bytes + 16, 8}, {bytes, 12}},
		{{bytes, 8}, {bytes + 8, 16}},	{{bytes + 31, 0}, {bytes, 24}},
	};
	const size_t count = sizeof cut / sizeof cut[0];

	for (size_t i = 0; i < count; i++) {
		struct kt_verify_cache *cache = cache_of(0, 0);
		uint64_t hash;

		self->chain = (struct kt_chain){cut[i], 2};
		hash = kt_verdict_cache_hash(cache, &self->key);
		put_twice(cache, &self->key, hash, &self->put);
		for (size_t other = 0; other < count; other++) {
			struct kt_cached_verdict found;

			self->chain.certs = cut[other];
			EXPECT_EQ(i == other, kt_verdict_cache_hash(cache, &self->key) == hash);
			EXPECT_EQ(i == other,
				  kt_verdict_cache_find(cache, &self->key, hash, &found));
		}
		kt_verify_cache_free(cache);
	}
}

TEST_F(cache, more_or_fewer_certificates_count)
{
	uint64_t hash = keep(self);

	while (--self->chain.count)
		expect_another(self, hash);
	expect_another(self, hash);
	self->chain.count = CERTS;
	self->certs[1].len = 0;
	expect_another(self, hash);
}

TEST_F(cache, where_certificates_lie_does_not_count)
{
	keep(self);
	for (size_t offset = 0; offset < 8; offset++) {
		uint8_t *moved = malloc(lens[0] + offset);

		memcpy(moved + offset, self->bytes[0], lens[0]);
		self->certs[0].data = moved + offset;
		EXPECT_TRUE(is_found(self->cache, &self->key));
		free(moved);
	}
}

/* Just as long as said, so that AddressSanitizer sees a byte too many read. */
TEST_F(cache, certificates_of_any_length_are_kept)
{
	self->chain.count = 1;
	for (size_t len = 0; len <= 40; len++) {
		uint8_t *bytes = malloc(len ? len : 1);

		memset(bytes, 0xff, len ? len : 1);
		self->certs[0] = (struct kt_der){len ? bytes : NULL, len};
		keep(self);
		EXPECT_TRUE(is_found(self->cache, &self->key));
		free(bytes);
	}
	EXPECT_EQ(41, stats_of(self->cache).chain_inserts);
}

/* An empty place is all zeros, and so is this key. */
TEST(empty_cache_has_nothing)
{
	struct kt_verify_cache *cache = cache_of(0, 0);
	const struct kt_chain chain = {NULL, 0};
	const struct kt_verdict_key key = {.chain = &chain};
	struct kt_cached_verdict found;

	EXPECT_FALSE(kt_verdict_cache_find(cache, &key, 0, &found));
	EXPECT_FALSE(is_found(cache, &key));
	kt_verify_cache_free(cache);
}

TEST_F(cache, newer_verdict_takes_the_place_of_the_older)
{
	uint64_t hash = keep(self);
	struct kt_cached_verdict found;

	for (int i = 0; i < 10; i++) {
		self->put.not_after = i;
		kt_verdict_cache_put(self->cache, &self->key, hash, &self->put);
		ASSERT_TRUE(kt_verdict_cache_find(self->cache, &self->key, hash, &found));
		EXPECT_EQ(i, found.not_after);
	}
	EXPECT_EQ(11, stats_of(self->cache).chain_inserts);
}

TEST_F(cache, chain_longer_than_the_room_is_not_kept)
{
	const size_t room = sizeof self->cache->pages->certs;
	struct kt_der certs[KT_CHAIN_MAX + 1];
	uint8_t *bytes = calloc(1, room + 1);
	const struct {
		size_t count;
		size_t len; /* of the first; the others are empty */
		bool kept;
	} cases[] = {
		{1, room, true},     {1, room + 1, false},     {KT_CHAIN_MAX, 10, true},
		{1, room - 1, true}, {2, room - 7, true},      {KT_CHAIN_MAX + 1, 10, false},
		{2, room, true},     {1, SIZE_MAX - 7, false}, {1, SIZE_MAX, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint64_t declined;

		for (size_t cert = 0; cert < cases[i].count; cert++)
			certs[cert] = (struct kt_der){bytes, cert ? 0 : cases[i].len};
		self->chain = (struct kt_chain){certs, cases[i].count};
		declined = stats_of(self->cache).chain_declined;
		EXPECT_EQ(cases[i].kept, keep(self) != 0);
		EXPECT_EQ(cases[i].kept, is_found(self->cache, &self->key));
		EXPECT_EQ(cases[i].kept ? 1 : 2, stats_of(self->cache).chain_declined - declined);
	}
	certs[1] = (struct kt_der){bytes, 8};
	certs[0].len = room - 7;
	self->chain.count = 2;
	EXPECT_EQ(0, keep(self));
	free(bytes);
}

TEST_F(cache, child_process_has_a_copy)
{
	int status;
	pid_t child;

	keep(self);
	child = fork();
	if (child == 0) {
		bool found = is_found(self->cache, &self->key);

		self->key.role ^= 1;
		keep(self);
		_exit(found && is_found(self->cache, &self->key) ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(is_found(self->cache, &self->key));
	self->key.role ^= 1;
	EXPECT_FALSE(is_found(self->cache, &self->key));
}

/* ---- Who is kept ---------------------------------------------------------------------------- */

/* As a writer that is at work leaves it. */
static void write_on(struct kt_verify_cache *cache)
{
	for (size_t i = 0; i < KT_WAYS; i++)
		cache->ways[i].seq++;
}

TEST_F(cache, place_being_written_is_neither_read_nor_written)
{
	struct kt_verify_cache *cache = cache_of(KT_WAYS, 0);
	uint64_t hash = kt_verdict_cache_hash(cache, &self->key);
	struct kt_verify_cache_stats stats;

	put_twice(cache, &self->key, hash, &self->put);
	write_on(cache);
	EXPECT_FALSE(is_found(cache, &self->key));
	put_twice(cache, &self->key, hash, &self->put);
	stats = stats_of(cache);
	EXPECT_EQ(1, stats.chain_inserts);
	EXPECT_EQ(3, stats.chain_declined);
	write_on(cache);
	EXPECT_TRUE(is_found(cache, &self->key));
	kt_verify_cache_free(cache);
}

/* One set. The hashes are made up: one half names the place, the other the chain. */
TEST_F(cache, newcomer_waits_until_the_others_are_no_longer_asked_for)
{
	struct kt_verify_cache *cache = cache_of(KT_WAYS, 0);
	struct kt_cached_verdict found;
	uint64_t hash;

	for (hash = 1; hash <= KT_WAYS; hash++) {
		self->key.mode = (uint32_t)hash;
		put_twice(cache, &self->key, hash, &self->put);
		for (int i = 0; i < 10 * KT_USE_MAX; i++)
			EXPECT_TRUE(kt_verdict_cache_find(cache, &self->key, hash, &found));
	}
	self->key.mode = (uint32_t)hash;
	put_twice(cache, &self->key, hash, &self->put);
	for (int i = 1; i < KT_USE_MAX; i++)
		kt_verdict_cache_put(cache, &self->key, hash, &self->put);
	EXPECT_FALSE(kt_verdict_cache_find(cache, &self->key, hash, &found));
	EXPECT_EQ(KT_WAYS, stats_of(cache).chain_inserts);
	kt_verdict_cache_put(cache, &self->key, hash, &self->put);
	EXPECT_TRUE(kt_verdict_cache_find(cache, &self->key, hash, &found));
	kt_verify_cache_free(cache);
}

/* Of a set with room, a newcomer takes the room first. */
TEST_F(cache, room_is_used_before_anything_is_given_up)
{
	struct kt_verify_cache *cache = cache_of(KT_WAYS, 0);
	struct kt_cached_verdict found;

	for (uint64_t hash = 1; hash <= KT_WAYS; hash++) {
		self->key.mode = (uint32_t)hash;
		put_twice(cache, &self->key, hash * KT_WAYS, &self->put);
	}
	for (uint64_t hash = 1; hash <= KT_WAYS; hash++) {
		self->key.mode = (uint32_t)hash;
		EXPECT_TRUE(kt_verdict_cache_find(cache, &self->key, hash * KT_WAYS, &found));
	}
	kt_verify_cache_free(cache);
}

/* Whether the kernel makes no huge pages there. */
static bool keeps_pages_small(void *map)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool inside = false, small = false;
	void *start, *end;
	char line[512];

	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "%p-%p ", &start, &end) == 2)
			inside = start <= map && map < end;
		small |= inside && strstr(line, " nh ");
	}
	fclose(file);
	return small;
}

TEST_F(cache, one_signature_is_not_worth_a_huge_page)
{
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "this kernel has no huge pages of its own accord");
	EXPECT_TRUE(keeps_pages_small(self->cache));
}

TEST_HARNESS_MAIN
