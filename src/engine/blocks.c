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

struct use {
	struct kt_list link; /* in blocks->held; in no list: it is the kernel's */
	void *holder;
	uint64_t since_ns;
};

struct kt_block_chunk {
	uint8_t *memory;
	struct use uses[PER_CHUNK];
};

static uint8_t *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static uint8_t *memory_of(const struct kt_blocks *blocks, uint16_t number)
{
	return blocks->chunks[number / PER_CHUNK]->memory + number % PER_CHUNK * KT_BLOCK_LEN;
}

static struct use *use_of(const struct kt_blocks *blocks, uint16_t number)
{
	return &blocks->chunks[number / PER_CHUNK]->uses[number % PER_CHUNK];
}

static void add(struct kt_blocks *blocks, uint16_t number)
{
	io_uring_buf_ring_add(blocks->ring, memory_of(blocks, number), KT_BLOCK_LEN, number,
			      io_uring_buf_ring_mask(KT_BLOCKS_MAX), 0);
	io_uring_buf_ring_advance(blocks->ring, 1);
}

static struct kt_block_chunk *make_chunk(void)
{
	struct kt_block_chunk *chunk = calloc(1, sizeof *chunk);

	if (!chunk)
		return NULL;
	chunk->memory = map(CHUNK_SIZE);
	if (!chunk->memory) {
		free(chunk);
		return NULL;
	}
	for (unsigned int i = 0; i < PER_CHUNK; i++)
		kt_list_init(&chunk->uses[i].link);
	return chunk;
}

bool kt_blocks_grow(struct kt_blocks *blocks)
{
	unsigned int first = blocks->chunk_count * PER_CHUNK;
	struct kt_block_chunk *chunk = blocks->chunk_count < CHUNKS_MAX ? make_chunk() : NULL;

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
	kt_list_init(&blocks->held);
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
	for (unsigned int i = 0; i < blocks->chunk_count; i++) {
		munmap(blocks->chunks[i]->memory, CHUNK_SIZE);
		free(blocks->chunks[i]);
	}
	free(blocks->chunks);
	if (blocks->ring)
		munmap(blocks->ring, RING_SIZE);
	*blocks = (struct kt_blocks){0};
}

uint8_t *kt_blocks_take(struct kt_blocks *blocks, uint16_t number, void *holder, uint64_t now_ns)
{
	struct use *use = use_of(blocks, number);

	use->holder = holder;
	use->since_ns = now_ns;
	kt_list_append(&blocks->held, &use->link);
	blocks->taken++;
	return memory_of(blocks, number);
}

void kt_blocks_give(struct kt_blocks *blocks, uint16_t number)
{
	kt_list_remove(&use_of(blocks, number)->link);
	blocks->taken--;
	add(blocks, number);
}

void *kt_blocks_longest(const struct kt_blocks *blocks, uint64_t *ret_since_ns)
{
	const struct use *use;

	if (kt_list_empty(&blocks->held))
		return NULL;
	use = kt_list_entry(blocks->held.next, struct use, link);
	*ret_since_ns = use->since_ns;
	return use->holder;
}

unsigned int kt_blocks_free(const struct kt_blocks *blocks)
{
	return blocks->chunk_count * PER_CHUNK - blocks->taken;
}
