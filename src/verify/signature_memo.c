/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"
#include "cache_parts.h"

/* Sums are hashed again, with the key: a peer who tries many certificates can choose a sum. */
static uint64_t hash_of(const struct kt_verify_cache *cache, const uint8_t *sum)
{
	return kt_siphash(&cache->key, sum, KT_DIGEST_LEN);
}

static struct kt_memo_entry *set_of(struct kt_verify_cache *cache, uint64_t hash)
{
	return cache->memo + kt_cache_place(hash, cache->memo_sets) * KT_WAYS;
}

static bool find(struct kt_verify_cache *cache, const uint8_t *sum)
{
	const uint64_t hash = hash_of(cache, sum);
	struct kt_memo_entry *set = set_of(cache, hash);

	for (size_t i = 0; i < KT_WAYS; i++) {
		struct kt_way *way = kt_way_at(set, sizeof *set, (uint32_t)hash, i);
		struct kt_memo_entry *entry = (struct kt_memo_entry *)way;
		uint64_t seq = kt_way_read(way, (uint32_t)hash);

		if (seq && kt_words_match(entry->sum, sum, KT_DIGEST_LEN) &&
		    kt_way_unchanged(way, seq)) {
			kt_way_used(way);
			return true;
		}
	}
	return false;
}

bool kt_signature_memo_find(struct kt_verify_cache *cache, const uint8_t sum[KT_DIGEST_LEN])
{
	bool found = find(cache, sum);

	kt_cache_count(cache, found ? KT_CACHE_SIGNATURE_HITS : KT_CACHE_SIGNATURE_MISSES);
	return found;
}

void kt_signature_memo_put(struct kt_verify_cache *cache, const uint8_t sum[KT_DIGEST_LEN],
			   bool of_a_ca)
{
	const uint64_t hash = hash_of(cache, sum);
	struct kt_memo_entry *set = set_of(cache, hash);
	uint64_t seq;
	struct kt_way *way = kt_way_choose(set, sizeof *set, (uint32_t)hash, &seq);

	if (!way || !kt_way_take(way, seq, (uint32_t)hash, of_a_ca ? KT_USE_MAX : 0))
		return;
	kt_words_store(((struct kt_memo_entry *)way)->sum, sum, KT_DIGEST_LEN);
	kt_way_give(way, seq);
	kt_cache_count(cache, KT_CACHE_SIGNATURE_INSERTS);
}
