/* SPDX-License-Identifier: BSD-2-Clause */
#include "bulk.h"

#define PERIOD 251u /* a prime: no record, segment or page is as long as a multiple of it */

void kt_bench_order_write(enum kt_bench_bulk what, uint64_t len,
			  uint8_t order[static KT_BENCH_ORDER_LEN])
{
	order[0] = (uint8_t)what;
	for (unsigned int i = 1; i < KT_BENCH_ORDER_LEN; i++)
		order[i] = (uint8_t)(len >> 8 * (KT_BENCH_ORDER_LEN - 1 - i));
}

bool kt_bench_order_read(const uint8_t order[static KT_BENCH_ORDER_LEN],
			 enum kt_bench_bulk *ret_what, uint64_t *ret_len)
{
	uint64_t len = 0;

	if (order[0] != KT_BENCH_GIVE && order[0] != KT_BENCH_TAKE)
		return false;
	for (unsigned int i = 1; i < KT_BENCH_ORDER_LEN; i++)
		len = len << 8 | order[i];
	*ret_what = (enum kt_bench_bulk)order[0];
	*ret_len = len;
	return true;
}

const uint8_t *kt_bench_bulk_at(uint64_t place)
{
	static uint8_t bytes[KT_BENCH_PIECE + PERIOD];

	/* Of one thread, as all who ask; the first value is not 0. */
	if (!bytes[0])
		for (unsigned int i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)(i % PERIOD + 1);
	return bytes + place % PERIOD;
}
