/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory through which a worker's connections read: blocks that belong to nobody while nothing
 * moves.
 *
 * A read is begun without memory (IOSQE_BUFFER_SELECT); the kernel takes a block out of a ring of
 * them (IORING_REGISTER_PBUF_RING, Linux 5.19) when bytes have come, and says which. Whoever
 * handles the completion gives the block back once all of it has been delivered. So a connection
 * that is silent costs no block, and one whose other side takes nothing keeps one for each
 * direction.
 *
 * There are a few blocks at first; when a read finds none, more are made, up to KT_BLOCKS_MAX. Then
 * reads wait until some come back (conn_io.c). Memory that was made is kept: it is what the worker
 * once needed. So that those who take nothing cannot keep all of them, it is known who has had one
 * for the longest time (worker.c ends him when others wait).
 *
 * Threads: the worker's own.
 */
#ifndef KTRUST_ENGINE_BLOCKS_H
#define KTRUST_ENGINE_BLOCKS_H

#include <liburing.h>
#include <stdint.h>

#include <ktrust/error.h>

#include "list.h"

#define KT_BLOCK_LEN   16384 /* bytes: one record's content (RFC 8446 §5.1) */
#define KT_BLOCKS_MAX  16384 /* 256 MiB; a ring has at most 32,768, and a power of two */
#define KT_BLOCK_GROUP 0     /* of the ring, in each read's buf_group */

struct kt_block_chunk; /* several blocks */

struct kt_blocks {
	struct io_uring_buf_ring *ring; /* shared with the kernel; NULL: not made */
	struct kt_block_chunk **chunks;
	unsigned int chunk_count;
	unsigned int taken;  /* by completions, and not given back yet */
	struct kt_list held; /* the same blocks, in the order in which they were taken */
};

/*
 * In the thread that makes the io_uring. -EINVAL: the kernel is older than 5.19; -ENOMEM. On
 * failure there is nothing to undo.
 */
KT_WARN_UNUSED int kt_blocks_init(struct kt_blocks *blocks, struct io_uring *ring,
				  struct kt_error *error);
/* After the io_uring is gone: the kernel may write until then. Fine with zeros. */
void kt_blocks_fini(struct kt_blocks *blocks);

/* The block that a completion names; it is the holder's, since now_ns, until kt_blocks_give. */
uint8_t *kt_blocks_take(struct kt_blocks *blocks, uint16_t number, void *holder, uint64_t now_ns);
void kt_blocks_give(struct kt_blocks *blocks, uint16_t number);

/* Who has had a block for the longest time, and since when; NULL: nobody has one. */
void *kt_blocks_longest(const struct kt_blocks *blocks, uint64_t *ret_since_ns);

/* Make more. False: there are KT_BLOCKS_MAX, or there is no memory. */
bool kt_blocks_grow(struct kt_blocks *blocks);

/* How many a read may find now. */
unsigned int kt_blocks_free(const struct kt_blocks *blocks);

#endif
