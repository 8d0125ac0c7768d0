/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a struct kt_verify_cache is made of, for those who implement it.
 *
 * It is one anonymous map, made whole and given back whole: this struct, then its tables. Zeros are
 * an empty table, and pages nobody wrote to cost nothing. The struct does not change once made, but
 * for the counters; the tables are shared and written to as ways.h says.
 */
#ifndef KTRUST_VERIFY_CACHE_PARTS_H
#define KTRUST_VERIFY_CACHE_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include <ktrust/verify.h>

#include "siphash.h"
#include "ways.h"

#define KT_CACHE_LINE 64

/* ---- Verdicts ------------------------------------------------------------------------------- */

/* All that tells one key from another but for the certificates; filled without holes. */
struct kt_verdict_head {
	uint8_t digest[KT_DIGEST_LEN];
	uint8_t intermediates[KT_DIGEST_LEN];
	uint32_t role, profile, path_max, mode;
	uint32_t count;
	uint32_t lens[KT_CHAIN_MAX]; /* count of them */
};

#define KT_VERDICT_WORDS      17 /* of a struct kt_cached_verdict */
#define KT_VERDICT_HEAD_WORDS 19
#define KT_VERDICT_PAGE	      2048 /* words of address space for an entry: 16 KiB */

/* The content of a place for a verdict. A chain of usual size stays within the first page. */
struct kt_verdict_page {
	uint64_t cached[KT_VERDICT_WORDS];
	uint64_t head[KT_VERDICT_HEAD_WORDS];
	uint64_t certs[KT_VERDICT_PAGE - KT_VERDICT_WORDS - KT_VERDICT_HEAD_WORDS];
};

/* Tags of chains seen lately, where a set's have their own; the more, the longer it remembers. */
#define KT_DOORS_PER_VERDICT 8

/* ---- Signatures ----------------------------------------------------------------------------- */

struct kt_memo_entry {
	struct kt_way way;
	uint64_t sum[KT_DIGEST_LEN / 8];
};

/* ---- Counters ------------------------------------------------------------------------------- */

enum kt_cache_counter {
	KT_CACHE_CHAIN_HITS,
	KT_CACHE_CHAIN_MISSES,
	KT_CACHE_CHAIN_INSERTS,
	KT_CACHE_CHAIN_DECLINED,
	KT_CACHE_SIGNATURE_HITS,
	KT_CACHE_SIGNATURE_MISSES,
	KT_CACHE_SIGNATURE_INSERTS,
	KT_CACHE_COUNTERS
};

/* Threads count on lines of their own, up to this many; beyond, they share. */
#define KT_CACHE_STRIPES 16

struct kt_cache_stripe {
	uint64_t counts[KT_CACHE_COUNTERS];
} __attribute__((aligned(KT_CACHE_LINE)));

/* ---- Whole ---------------------------------------------------------------------------------- */

struct kt_verify_cache {
	size_t size;		   /* of the map, in bytes */
	struct kt_siphash_key key; /* never shown */
	size_t verdict_sets;
	size_t memo_sets;
	struct kt_way *ways;	       /* KT_WAYS of each set of verdicts, side by side: one line */
	struct kt_verdict_page *pages; /* the content of each of ways */
	uint32_t *doors;	       /* KT_DOORS_PER_VERDICT for each of ways */
	struct kt_memo_entry *memo;    /* KT_WAYS of each set */
	struct kt_cache_stripe stripes[KT_CACHE_STRIPES];
};

void kt_cache_count(struct kt_verify_cache *cache, enum kt_cache_counter counter);

/* Which of n (up to 1 << 32) a hash belongs to, by its upper half; the lower is for tags. */
static inline size_t kt_cache_place(uint64_t hash, size_t n)
{
	return (size_t)((hash >> 32) * (uint64_t)n >> 32);
}

#endif
