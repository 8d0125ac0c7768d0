/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is written once and then cannot change.
 *
 * Within a process it is anonymous and made read-only when it is done:
 *
 *   kt_memory_new      a writable run of zeros that nobody else sees
 *   kt_memory_freeze   its point of no return
 *   kt_memory_unmap    gives it back, frozen or not
 *
 * Between processes it is a sealed memfd:
 *
 *   kt_memory_to_memfd a copy that can be passed on
 *   kt_memory_map      such a file, read-only
 *
 * A memfd for both would do with one kind, but its pages are small ones, handed out one at a time
 * and mapped a second time for reading: half of the time of building ten thousand roots.
 *
 * Maps of sealed memory are MAP_PRIVATE: Linux before 6.7 refuses MAP_SHARED of a write-sealed
 * file even for reading. Nobody can write to the pages, so the two show the same bytes; they are
 * those of the page cache, shared by all who map the file.
 *
 * Threads: memory belongs to one thread until it is frozen; then it may be read by all.
 */
#ifndef KT_POOL_MEMORY_H
#define KT_POOL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include <ktrust/error.h>

/*
 * len bytes of address space, aligned to a page, from KT_MEMORY_HUGE bytes on to a huge page, and
 * asking for those. Pages come when they are written to. Or -errno.
 */
#define KT_MEMORY_HUGE (2u << 20) /* elsewhere they are larger: then they are not used */
KT_WARN_UNUSED int kt_memory_reserve(size_t len, void **ret_bytes);

/*
 * The same for memory that will be written to all over, and soon: its pages are there already, or
 * -ENOMEM. (Before Linux 5.14 they come as they are written to.)
 */
KT_WARN_UNUSED int kt_memory_new(size_t len, void **ret_bytes);

/*
 * The end of writing. written: 0 or -errno. Read-only from here on, or, where that or the writing
 * failed, gone: then it returns -errno, the writing's first.
 */
KT_WARN_UNUSED int kt_memory_freeze(void *bytes, size_t len, int written);

void kt_memory_unmap(const void *bytes, size_t len);

/*
 * A memfd with a copy, sealed against writing, growing, shrinking and further seals, its offset at
 * the start; the caller closes it. Or -errno.
 */
KT_WARN_UNUSED int kt_memory_to_memfd(const void *bytes, size_t len);

/* Map len bytes of a sealed file for reading. Or -errno. */
KT_WARN_UNUSED int kt_memory_map(int fd, size_t len, const void **ret_bytes);

/* Seals enough that bytes which were checked stay as they are: write, grow, shrink. */
bool kt_memory_is_sealed(int fd);

#endif
