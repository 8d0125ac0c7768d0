/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Items of one size in one growing place.
 *
 * Small runs come from malloc. From KT_RUN_LARGE bytes on a run lies in memory of its own, aligned
 * for huge pages and asking for them: most of what gathering ten thousand roots costs is the kernel
 * handing out small pages. Where there are no huge pages, nothing is lost but address space.
 *
 * Threads: a run belongs to one thread at a time. A run of zeros is empty and good.
 */
#ifndef KT_POOL_RUN_H
#define KT_POOL_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include <ktrust/error.h>

#define KT_RUN_LARGE (64u << 10) /* bytes */

struct kt_run {
	void *items;
	size_t count;
	size_t room;   /* items there is room for */
	size_t mapped; /* bytes, where it is memory of its own; 0: malloc's */
};

/* Room for `more` items of `size` bytes, so that pushing them cannot fail; items move. -ENOMEM. */
KT_WARN_UNUSED int kt_run_reserve(struct kt_run *run, size_t size, size_t more);

/* Into room that was reserved; returns the number of the first. */
size_t kt_run_push(struct kt_run *run, size_t size, const void *items, size_t count);

void kt_run_fini(struct kt_run *run);

#endif
