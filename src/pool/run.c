/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM_MIN 32
#define HUGE	 (2u << 20) /* bytes of a huge page; elsewhere larger, which costs alignment only */

/* len is a multiple of HUGE. NULL: no memory. */
static void *map_aligned(size_t len)
{
	uint8_t *all =
		mmap(NULL, len + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (all == MAP_FAILED)
		return NULL;
	before = (HUGE - (uintptr_t)all % HUGE) % HUGE;
	if (before)
		munmap(all, before);
	if (before < HUGE)
		munmap(all + before + len, HUGE - before);
	(void)madvise(all + before, len, MADV_HUGEPAGE);
	return all + before;
}

static int move_to_map(struct kt_run *run, size_t size, size_t room)
{
	size_t len = (room * size + HUGE - 1) / HUGE * HUGE;
	struct kt_run moved = {.count = run->count, .room = len / size, .mapped = len};

	moved.items = map_aligned(len);
	if (!moved.items)
		return -ENOMEM;
	if (run->count)
		memcpy(moved.items, run->items, run->count * size);
	kt_run_fini(run);
	*run = moved;
	return 0;
}

int kt_run_reserve(struct kt_run *run, size_t size, size_t more)
{
	size_t room = run->room ? run->room : ROOM_MIN;
	void *items;

	if (run->room - run->count >= more)
		return 0;
	while (room - run->count < more)
		room *= 2;
	if (room * size >= KT_RUN_LARGE)
		return move_to_map(run, size, room);
	items = reallocarray(run->items, room, size);
	if (!items)
		return -ENOMEM;
	run->items = items;
	run->room = room;
	return 0;
}

size_t kt_run_push(struct kt_run *run, size_t size, const void *items, size_t count)
{
	size_t at = run->count;

	memcpy((uint8_t *)run->items + at * size, items, count * size);
	run->count += count;
	return at;
}

void kt_run_fini(struct kt_run *run)
{
	if (run->mapped)
		munmap(run->items, run->mapped);
	else
		free(run->items);
	*run = (struct kt_run){0};
}
