/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client says to the backend for bulk data, and what that data is.
 *
 * An order is KT_BENCH_ORDER_LEN bytes: what is wanted, and a number of bytes (8 bytes, the most
 * significant first). KT_BENCH_GIVE: the backend sends so many; KT_BENCH_TAKE: the client does, and
 * the backend answers with KT_BENCH_TAKEN once it has them all. Each byte's value follows from its
 * place in the stretch, so that one that is lost, doubled or out of order is seen.
 *
 * Threads: kt_bench_bulk_at in one; the others are pure functions.
 */
#ifndef KT_BENCH_BULK_H
#define KT_BENCH_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kt_bench_bulk { KT_BENCH_GIVE = 'G', KT_BENCH_TAKE = 'T' };

#define KT_BENCH_TAKEN	   '!'
#define KT_BENCH_ORDER_LEN 9u
#define KT_BENCH_PIECE	   65536u /* bytes that are sent or looked at at a time */

void kt_bench_order_write(enum kt_bench_bulk what, uint64_t len,
			  uint8_t order[static KT_BENCH_ORDER_LEN]);

/* False: it is no order. */
bool kt_bench_order_read(const uint8_t order[static KT_BENCH_ORDER_LEN],
			 enum kt_bench_bulk *ret_what, uint64_t *ret_len);

/* The bytes of a stretch from this place on: KT_BENCH_PIECE of them, which nobody may change. */
const uint8_t *kt_bench_bulk_at(uint64_t place);

#endif
