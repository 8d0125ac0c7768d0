/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is written once and then cannot change: sealed memfds and read-only maps of them.
 *
 *   kt_memory_new   a writable run of zeros that nobody else sees
 *   kt_memory_seal  its point of no return: read-only from here on, for this process and others
 *
 * Maps of sealed memory are MAP_PRIVATE: Linux before 6.7 refuses MAP_SHARED of a write-sealed
 * file even for reading. Nobody can write to the pages, so the two show the same bytes; they are
 * those of the page cache, shared by all who map the file.
 *
 * Threads: a struct kt_memory belongs to one thread until it is sealed; a map may be read by all.
 */
#ifndef KT_POOL_MEMORY_H
#define KT_POOL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include <ktrust/error.h>

struct kt_memory {
	int fd;
	void *bytes; /* writable, aligned to a page */
	size_t len;
};

/* All of it is allocated now: a later write cannot run out of memory. Or -errno. */
KT_WARN_UNUSED int kt_memory_new(struct kt_memory *memory, size_t len);

/* Instead of kt_memory_seal. */
void kt_memory_drop(struct kt_memory *memory);

/*
 * Unmap, seal against writing, growing, shrinking and further seals, and give the file away: the
 * caller closes it. On failure (-errno) the memory is dropped. memory is spent either way.
 */
KT_WARN_UNUSED int kt_memory_seal(struct kt_memory *memory);

/* Map len bytes of a sealed file for reading. Unmapped by kt_memory_unmap. */
KT_WARN_UNUSED int kt_memory_map(int fd, size_t len, const void **ret_bytes);
void kt_memory_unmap(const void *bytes, size_t len);

/* Seals enough that bytes which were checked stay as they are: write, grow, shrink. */
bool kt_memory_is_sealed(int fd);

#endif
