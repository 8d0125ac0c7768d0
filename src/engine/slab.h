/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for objects of one size that live long among much that does not: apart from the heap, so
 * that a connection which stays for days keeps no hole open around it.
 *
 * Chunks are made as they are needed, and kept: what was needed once may be needed again. In builds
 * with AddressSanitizer each object is the heap's own, so that it can tell what is used too late.
 *
 * Threads: one.
 */
#ifndef KTRUST_ENGINE_SLAB_H
#define KTRUST_ENGINE_SLAB_H

#include <stddef.h>

#define KT_SLAB_ALIGN 16 /* bytes; objects' sizes are rounded up to it */

struct kt_slab {
	size_t size;  /* of an object, in bytes, rounded up */
	void *free;   /* the first of the unused, each of which holds the next one's address */
	void *chunks; /* likewise */
};

/* size: at most some KiB. */
void kt_slab_init(struct kt_slab *slab, size_t size);
/* All its objects are unused. Fine with zeros. */
void kt_slab_fini(struct kt_slab *slab);

/* Zeroed. NULL: out of memory. */
void *kt_slab_take(struct kt_slab *slab);
void kt_slab_give(struct kt_slab *slab, void *object); /* NULL is fine */

#endif
