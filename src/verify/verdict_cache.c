/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"
#include "cache_parts.h"

#define CERTS_LEN sizeof(((struct kt_verdict_page *)0)->certs) /* a multiple of 8 */

_Static_assert(sizeof(struct kt_cached_verdict) == 8 * KT_VERDICT_WORDS, "whole words");
_Static_assert(sizeof(struct kt_verdict_head) <= 8 * KT_VERDICT_HEAD_WORDS, "there is room");
_Static_assert(sizeof(struct kt_verdict_page) == 16384, "as verify.h says");

/* ---- Keys ----------------------------------------------------------------------------------- */

/* The length of the head in bytes; 0: more certificates, or longer ones, than there is room for. */
static size_t make_head(const struct kt_verdict_key *key, struct kt_verdict_head *ret_head)
{
	const struct kt_chain *chain = key->chain;
	size_t room = CERTS_LEN;

	if (chain->count > KT_CHAIN_MAX)
		return 0;
	for (size_t i = 0; i < chain->count; i++) {
		if (chain->certs[i].len > room)
			return 0;
		room -= kt_word_count(chain->certs[i].len) * 8;
		ret_head->lens[i] = (uint32_t)chain->certs[i].len;
	}
	memcpy(ret_head->digest, key->digest, KT_DIGEST_LEN);
	memcpy(ret_head->intermediates, key->intermediates, KT_DIGEST_LEN);
	ret_head->role = key->role;
	ret_head->profile = key->profile;
	ret_head->path_max = key->path_max;
	ret_head->mode = key->mode;
	ret_head->count = (uint32_t)chain->count;
	return offsetof(struct kt_verdict_head, lens) + chain->count * sizeof ret_head->lens[0];
}

uint64_t kt_verdict_cache_hash(const struct kt_verify_cache *cache,
			       const struct kt_verdict_key *key)
{
	struct kt_verdict_head head;
	struct kt_siphash hash;
	size_t head_len = make_head(key, &head);

	if (head_len == 0)
		return 0;
	kt_siphash_begin(&hash, &cache->key);
	kt_siphash_add(&hash, &head, head_len);
	for (size_t i = 0; i < key->chain->count; i++)
		kt_siphash_add(&hash, key->chain->certs[i].data, key->chain->certs[i].len);
	return kt_siphash_end(&hash, NULL, 0);
}

/* ---- Finding -------------------------------------------------------------------------------- */

static bool matches(const struct kt_verdict_page *page, const struct kt_verdict_head *head,
		    size_t head_len, const struct kt_chain *chain)
{
	const uint64_t *words = page->certs;

	if (!kt_words_match(page->head, head, head_len))
		return false;
	for (size_t i = 0; i < chain->count; i++) {
		if (!kt_words_match(words, chain->certs[i].data, chain->certs[i].len))
			return false;
		words += kt_word_count(chain->certs[i].len);
	}
	return true;
}

static bool find(struct kt_verify_cache *cache, const struct kt_verdict_key *key, uint64_t hash,
		 struct kt_cached_verdict *ret_cached)
{
	struct kt_way *set = cache->ways + kt_cache_place(hash, cache->verdict_sets) * KT_WAYS;
	struct kt_cached_verdict cached;
	struct kt_verdict_head head;
	size_t head_len = make_head(key, &head);

	for (size_t i = 0; head_len && i < KT_WAYS; i++) {
		struct kt_way *way = kt_way_at(set, sizeof *set, (uint32_t)hash, i);
		const struct kt_verdict_page *page = &cache->pages[way - cache->ways];
		uint64_t seq = kt_way_read(way, (uint32_t)hash);

		if (seq == 0 || !matches(page, &head, head_len, key->chain))
			continue;
		kt_words_load(&cached, page->cached, sizeof cached);
		if (!kt_way_unchanged(way, seq))
			continue;
		kt_way_used(way);
		*ret_cached = cached;
		return true;
	}
	return false;
}

bool kt_verdict_cache_find(struct kt_verify_cache *cache, const struct kt_verdict_key *key,
			   uint64_t hash, struct kt_cached_verdict *ret_cached)
{
	bool found = find(cache, key, hash, ret_cached);

	kt_cache_count(cache, found ? KT_CACHE_CHAIN_HITS : KT_CACHE_CHAIN_MISSES);
	return found;
}

/* ---- Putting -------------------------------------------------------------------------------- */

/*
 * Was this hash here before? Each door knows the last that came by. The hash's upper half leads to
 * it, as to the set; what goes by the lower half would let one in 1 << 32 in that was not.
 */
static bool is_known(struct kt_verify_cache *cache, uint64_t hash)
{
	const size_t doors = cache->verdict_sets * KT_WAYS * KT_DOORS_PER_VERDICT;
	uint32_t *door = &cache->doors[kt_cache_place(hash, doors)];

	if (__atomic_load_n(door, __ATOMIC_RELAXED) == (uint32_t)hash)
		return true;
	__atomic_store_n(door, (uint32_t)hash, __ATOMIC_RELAXED);
	return false;
}

static void write_page(struct kt_verdict_page *page, const struct kt_verdict_head *head,
		       size_t head_len, const struct kt_chain *chain,
		       const struct kt_cached_verdict *cached)
{
	uint64_t *words = page->certs;

	kt_words_store(page->cached, cached, sizeof *cached);
	kt_words_store(page->head, head, head_len);
	for (size_t i = 0; i < chain->count; i++) {
		kt_words_store(words, chain->certs[i].data, chain->certs[i].len);
		words += kt_word_count(chain->certs[i].len);
	}
}

static bool put(struct kt_verify_cache *cache, const struct kt_verdict_key *key, uint64_t hash,
		const struct kt_cached_verdict *cached)
{
	struct kt_way *set = cache->ways + kt_cache_place(hash, cache->verdict_sets) * KT_WAYS;
	struct kt_verdict_head head;
	size_t head_len = make_head(key, &head);
	struct kt_way *way;
	uint64_t seq;

	if (head_len == 0 || !is_known(cache, hash))
		return false;
	way = kt_way_choose(set, sizeof *set, (uint32_t)hash, &seq);
	if (!way || !kt_way_take(way, seq, (uint32_t)hash, 0))
		return false;
	write_page(&cache->pages[way - cache->ways], &head, head_len, key->chain, cached);
	kt_way_give(way, seq);
	return true;
}

void kt_verdict_cache_put(struct kt_verify_cache *cache, const struct kt_verdict_key *key,
			  uint64_t hash, const struct kt_cached_verdict *cached)
{
	bool kept = put(cache, key, hash, cached);

	kt_cache_count(cache, kept ? KT_CACHE_CHAIN_INSERTS : KT_CACHE_CHAIN_DECLINED);
}
