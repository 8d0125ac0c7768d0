/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define CHAINS_DEFAULT	   4096
#define SIGNATURES_DEFAULT 65536
#define MOST		   (1u << 24)

_Static_assert(KT_WAYS * sizeof(struct kt_way) == KT_CACHE_LINE, "a set of ways is a line");
_Static_assert(sizeof(struct kt_memo_entry) == 48, "as verify.h says");

/* ---- Making and freeing --------------------------------------------------------------------- */

static size_t sets_for(size_t entries, size_t entries_default)
{
	return ((entries ? entries : entries_default) + KT_WAYS - 1) / KT_WAYS;
}

/* Room for so many bytes at the end of the map, for now an offset; whole pages. */
static size_t reserve(size_t *size, size_t bytes)
{
	const size_t align = sizeof(struct kt_verdict_page), offset = *size;

	*size += (bytes + align - 1) / align * align;
	return offset;
}

static int map_tables(size_t verdict_sets, size_t memo_sets, struct kt_verify_cache **ret_cache)
{
	const size_t verdicts = verdict_sets * KT_WAYS;
	struct kt_verify_cache *cache;
	size_t size = 0, ways, doors, memo, pages;
	uint8_t *map;

	reserve(&size, sizeof *cache);
	ways = reserve(&size, verdicts * sizeof *cache->ways);
	doors = reserve(&size, verdicts * KT_DOORS_PER_VERDICT * sizeof *cache->doors);
	memo = reserve(&size, memo_sets * KT_WAYS * sizeof *cache->memo);
	pages = reserve(&size, verdicts * sizeof(struct kt_verdict_page));
	/* Most of it is never touched: not to be held against what the machine has. */
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	/*
	 * Bytes here and there are touched, and a huge page for each, at once or seconds later
	 * (khugepaged), would be 2 MiB of memory; kernels without them refuse, and need not.
	 */
	(void)madvise(map, size, MADV_NOHUGEPAGE);
	cache = (struct kt_verify_cache *)map;
	cache->size = size;
	cache->verdict_sets = verdict_sets;
	cache->memo_sets = memo_sets;
	cache->ways = (struct kt_way *)(map + ways);
	cache->doors = (uint32_t *)(map + doors);
	cache->memo = (struct kt_memo_entry *)(map + memo);
	cache->pages = (struct kt_verdict_page *)(map + pages);
	*ret_cache = cache;
	return 0;
}

int kt_verify_cache_new(const struct kt_verify_cache_options *options,
			struct kt_verify_cache **ret_cache)
{
	static const struct kt_verify_cache_options usual;
	struct kt_verify_cache *cache;
	struct kt_siphash_key key;
	int err;

	if (!options)
		options = &usual;
	if (options->chains > MOST || options->signatures > MOST)
		return -EINVAL;
	/* So few bytes are never cut short, nor interrupted once there are any at all. */
	if (getrandom(&key, sizeof key, 0) != sizeof key)
		return -EIO;
	err = map_tables(sets_for(options->chains, CHAINS_DEFAULT),
			 sets_for(options->signatures, SIGNATURES_DEFAULT), &cache);
	if (err)
		return err;
	cache->key = key;
	*ret_cache = cache;
	return 0;
}

void kt_verify_cache_free(struct kt_verify_cache *cache)
{
	if (cache)
		munmap(cache, cache->size);
}

/* ---- Counters ------------------------------------------------------------------------------- */

/*
 * Which stripe this thread counts on, plus 1; 0: none yet. Within the space every thread has from
 * its start: elsewhere, the first look at it would allocate.
 */
static _Thread_local unsigned int stripe __attribute__((tls_model("initial-exec")));

static unsigned int next_stripe(void)
{
	static unsigned int threads;

	return __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED) % KT_CACHE_STRIPES + 1;
}

void kt_cache_count(struct kt_verify_cache *cache, enum kt_cache_counter counter)
{
	if (!stripe)
		stripe = next_stripe();
	__atomic_fetch_add(&cache->stripes[stripe - 1].counts[counter], 1, __ATOMIC_RELAXED);
}

static uint64_t total(const struct kt_verify_cache *cache, enum kt_cache_counter counter)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < KT_CACHE_STRIPES; i++)
		sum += __atomic_load_n(&cache->stripes[i].counts[counter], __ATOMIC_RELAXED);
	return sum;
}

void kt_verify_cache_get_stats(const struct kt_verify_cache *cache,
			       struct kt_verify_cache_stats *ret_stats)
{
	*ret_stats = (struct kt_verify_cache_stats){
		.chain_hits = total(cache, KT_CACHE_CHAIN_HITS),
		.chain_misses = total(cache, KT_CACHE_CHAIN_MISSES),
		.chain_inserts = total(cache, KT_CACHE_CHAIN_INSERTS),
		.chain_declined = total(cache, KT_CACHE_CHAIN_DECLINED),
		.signature_hits = total(cache, KT_CACHE_SIGNATURE_HITS),
		.signature_misses = total(cache, KT_CACHE_SIGNATURE_MISSES),
		.signature_inserts = total(cache, KT_CACHE_SIGNATURE_INSERTS),
	};
}
