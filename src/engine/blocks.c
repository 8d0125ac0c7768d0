/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ring.h"

#define PER_CHUNK  16u /* blocks: 256 KiB */
#define CHUNKS_MAX (KT_BLOCKS_MAX / PER_CHUNK)
#define RING_SIZE  (KT_BLOCKS_MAX * sizeof(struct io_uring_buf))
#define CHUNK_SIZE ((size_t)PER_CHUNK * KT_BLOCK_LEN)

static uint8_t *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void add(struct kt_blocks *blocks, uint16_t number)
{
	io_uring_buf_ring_add(blocks->ring,
			      blocks->chunks[number / PER_CHUNK] +
				      number % PER_CHUNK * KT_BLOCK_LEN,
			      KT_BLOCK_LEN, number, io_uring_buf_ring_mask(KT_BLOCKS_MAX), 0);
	io_uring_buf_ring_advance(blocks->ring, 1);
}

bool kt_blocks_grow(struct kt_blocks *blocks)
{
	unsigned int first = blocks->chunk_count * PER_CHUNK;
	uint8_t *chunk = blocks->chunk_count < CHUNKS_MAX ? map(CHUNK_SIZE) : NULL;

	if (!chunk)
		return false;
	blocks->chunks[blocks->chunk_count++] = chunk;
	for (unsigned int i = 0; i < PER_CHUNK; i++)
		add(blocks, (uint16_t)(first + i));
	return true;
}

static int make(struct kt_blocks *blocks, struct io_uring *ring)
{
	struct io_uring_buf_reg reg = {.ring_entries = KT_BLOCKS_MAX, .bgid = KT_BLOCK_GROUP};

	blocks->ring = (struct io_uring_buf_ring *)map(RING_SIZE);
	blocks->chunks = calloc(CHUNKS_MAX, sizeof *blocks->chunks);
	if (!blocks->ring || !blocks->chunks)
		return -ENOMEM;
	reg.ring_addr = (uintptr_t)blocks->ring;
	io_uring_buf_ring_init(blocks->ring);
	if (!kt_blocks_grow(blocks))
		return -ENOMEM;
	return io_uring_register_buf_ring(ring, &reg, 0);
}

int kt_blocks_init(struct kt_blocks *blocks, struct io_uring *ring, struct kt_error *error)
{
	int err;

	*blocks = (struct kt_blocks){0};
	err = make(blocks, ring);
	if (!err)
		return 0;
	kt_blocks_fini(blocks);
	return kt_error_set(
		error, -err, "io_uring", 0, "cannot make a ring of buffers: %s%s", strerror(-err),
		err == -EINVAL ? " (Linux 5.19 or newer is needed)" : kt_ring_advice(err));
}

void kt_blocks_fini(struct kt_blocks *blocks)
{
	for (unsigned int i = 0; i < blocks->chunk_count; i++)
		munmap(blocks->chunks[i], CHUNK_SIZE);
	free(blocks->chunks);
	if (blocks->ring)
		munmap(blocks->ring, RING_SIZE);
	*blocks = (struct kt_blocks){0};
}

uint8_t *kt_blocks_take(struct kt_blocks *blocks, uint16_t number)
{
	blocks->taken++;
	return blocks->chunks[number / PER_CHUNK] + number % PER_CHUNK * KT_BLOCK_LEN;
}

void kt_blocks_give(struct kt_blocks *blocks, uint16_t number)
{
	blocks->taken--;
	add(blocks, number);
}

unsigned int kt_blocks_free(const struct kt_blocks *blocks)
{
	return blocks->chunk_count * PER_CHUNK - blocks->taken;
}
