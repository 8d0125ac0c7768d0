/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define ROOM_MIN 32

static int move_to_map(struct kt_run *run, size_t size, size_t room)
{
	size_t len = (room * size + KT_MEMORY_HUGE - 1) / KT_MEMORY_HUGE * KT_MEMORY_HUGE;
	struct kt_run moved = {.count = run->count, .room = len / size, .mapped = len};

	if (kt_memory_reserve(len, &moved.items))
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
	if (more > SIZE_MAX / 4 / size)
		return -ENOMEM;
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
		kt_memory_unmap(run->items, run->mapped);
	else
		free(run->items);
	*run = (struct kt_run){0};
}
