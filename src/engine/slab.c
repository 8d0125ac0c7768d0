/* SPDX-License-Identifier: BSD-2-Clause */
#include "slab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_SIZE (64u << 10)

#if defined __SANITIZE_ADDRESS__
#define FROM_HEAP 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define FROM_HEAP 1
#endif
#endif
#ifndef FROM_HEAP
#define FROM_HEAP 0
#endif

void kt_slab_init(struct kt_slab *slab, size_t size)
{
	*slab = (struct kt_slab){.size = (size + KT_SLAB_ALIGN - 1) / KT_SLAB_ALIGN *
					 KT_SLAB_ALIGN};
}

void kt_slab_fini(struct kt_slab *slab)
{
	while (slab->chunks) {
		void *chunk = slab->chunks;

		memcpy(&slab->chunks, chunk, sizeof slab->chunks);
		munmap(chunk, CHUNK_SIZE);
	}
	slab->free = NULL;
}

static void push(void **list, void *item)
{
	memcpy(item, list, sizeof *list);
	*list = item;
}

static void *pop(void **list)
{
	void *item = *list;

	memcpy(list, item, sizeof *list);
	return item;
}

/* The chunk's own link takes the place of its first object. */
static void grow(struct kt_slab *slab)
{
	char *chunk =
		mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (chunk == MAP_FAILED)
		return;
	push(&slab->chunks, chunk);
	for (size_t at = CHUNK_SIZE / slab->size * slab->size; at > slab->size;) {
		at -= slab->size;
		push(&slab->free, chunk + at);
	}
}

void *kt_slab_take(struct kt_slab *slab)
{
	void *object;

	if (FROM_HEAP)
		return calloc(1, slab->size);
	if (!slab->free)
		grow(slab);
	if (!slab->free)
		return NULL;
	object = pop(&slab->free);
	memset(object, 0, slab->size);
	return object;
}

void kt_slab_give(struct kt_slab *slab, void *object)
{
	if (FROM_HEAP)
		free(object);
	else if (object)
		push(&slab->free, object);
}
