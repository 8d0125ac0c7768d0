/* SPDX-License-Identifier: BSD-2-Clause */
#include "ways.h"

static void age(void *first, size_t stride)
{
	for (size_t i = 0; i < KT_WAYS; i++) {
		struct kt_way *way = kt_way_at(first, stride, 0, i);
		uint32_t use = __atomic_load_n(&way->use, __ATOMIC_RELAXED);

		if (use > 0)
			__atomic_store_n(&way->use, use - 1, __ATOMIC_RELAXED);
	}
}

/* Which to give up first. */
enum worth { NEVER_WRITTEN, NOT_USED, USED };

static enum worth worth_of(const struct kt_way *way, uint64_t seq)
{
	if (seq == 0)
		return NEVER_WRITTEN;
	return __atomic_load_n(&way->use, __ATOMIC_RELAXED) ? USED : NOT_USED;
}

struct kt_way *kt_way_choose(void *first, size_t stride, uint32_t tag, uint64_t *ret_seq)
{
	struct kt_way *least = NULL;
	enum worth least_worth = USED;

	for (size_t i = 0; i < KT_WAYS; i++) {
		struct kt_way *way = kt_way_at(first, stride, tag, i);
		uint64_t seq = __atomic_load_n(&way->seq, __ATOMIC_ACQUIRE);

		if (seq % 2)
			continue;
		if (seq && __atomic_load_n(&way->tag, __ATOMIC_RELAXED) == tag) {
			*ret_seq = seq;
			return way;
		}
		if (worth_of(way, seq) < least_worth) {
			least_worth = worth_of(way, seq);
			least = way;
			*ret_seq = seq;
		}
	}
	if (!least)
		age(first, stride);
	return least;
}

bool kt_way_take(struct kt_way *way, uint64_t seq, uint32_t tag, uint32_t use)
{
	const bool written = seq != 0;

	if (!__atomic_compare_exchange_n(&way->seq, &seq, seq + 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	if (written && __atomic_load_n(&way->tag, __ATOMIC_RELAXED) == tag)
		return true;
	__atomic_store_n(&way->tag, tag, __ATOMIC_RELEASE);
	__atomic_store_n(&way->use, use, __ATOMIC_RELAXED);
	return true;
}
