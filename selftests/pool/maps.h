/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many maps the pool has in this process: snapshots, and sets while they are large. Counted at
 * the functions of src/pool/memory.h, to which the linker leads the room's calls by way of these
 * (see the Makefile); /proc/self/maps does not tell one anonymous map from another.
 */
#ifndef SELFTESTS_POOL_MAPS_H
#define SELFTESTS_POOL_MAPS_H

#include <errno.h>
#include <sys/mman.h>

#include "../../src/pool/memory.h"

static int maps;

static int count_maps(void)
{
	return __atomic_load_n(&maps, __ATOMIC_SEQ_CST);
}

static int changed(int ret, int by)
{
	if (ret == 0)
		__atomic_fetch_add(&maps, by, __ATOMIC_SEQ_CST);
	return ret;
}

int __real_kt_memory_reserve(size_t len, void **ret_bytes);
int __wrap_kt_memory_reserve(size_t len, void **ret_bytes);
int __wrap_kt_memory_reserve(size_t len, void **ret_bytes)
{
	return changed(__real_kt_memory_reserve(len, ret_bytes), 1);
}

int __real_kt_memory_new(size_t len, void **ret_bytes);
int __wrap_kt_memory_new(size_t len, void **ret_bytes);
int __wrap_kt_memory_new(size_t len, void **ret_bytes)
{
	return changed(__real_kt_memory_new(len, ret_bytes), 1);
}

int __real_kt_memory_map(int fd, size_t len, const void **ret_bytes);
int __wrap_kt_memory_map(int fd, size_t len, const void **ret_bytes);
int __wrap_kt_memory_map(int fd, size_t len, const void **ret_bytes)
{
	return changed(__real_kt_memory_map(fd, len, ret_bytes), 1);
}

/* The memory of what could not be made is to be gone; if it is not, the count shows it. */
int __real_kt_memory_freeze(void *bytes, size_t len, int written);
int __wrap_kt_memory_freeze(void *bytes, size_t len, int written);
int __wrap_kt_memory_freeze(void *bytes, size_t len, int written)
{
	int ret = __real_kt_memory_freeze(bytes, len, written);
	unsigned char is_there;

	if (ret && mincore(bytes, 1, &is_there) && errno == ENOMEM)
		changed(0, -1);
	return ret;
}

void __real_kt_memory_unmap(const void *bytes, size_t len);
void __wrap_kt_memory_unmap(const void *bytes, size_t len);
void __wrap_kt_memory_unmap(const void *bytes, size_t len)
{
	__real_kt_memory_unmap(bytes, len);
	changed(0, -1);
}

#endif
