/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux 6.3. Without it such kernels warn in their log, and refuse where vm.memfd_noexec is 2. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Linux 5.14. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define SEALS_NEEDED (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

/* ---- Within this process ------------------------------------------------------------------- */

static void *map_zeros(size_t len)
{
	void *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return bytes == MAP_FAILED ? NULL : bytes;
}

/* Both lengths and places given back are multiples of a page, as munmap demands. */
static void *map_aligned(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t all_len = (len + page - 1) / page * page + KT_MEMORY_HUGE;
	uint8_t *all = map_zeros(all_len), *bytes, *end;

	if (!all)
		return NULL;
	bytes = all + (KT_MEMORY_HUGE - (uintptr_t)all % KT_MEMORY_HUGE) % KT_MEMORY_HUGE;
	end = bytes + all_len - KT_MEMORY_HUGE;
	if (bytes > all)
		munmap(all, (size_t)(bytes - all));
	if (end < all + all_len)
		munmap(end, (size_t)(all + all_len - end));
	(void)madvise(bytes, len, MADV_HUGEPAGE);
	return bytes;
}

int kt_memory_reserve(size_t len, void **ret_bytes)
{
	void *bytes = len < KT_MEMORY_HUGE ? map_zeros(len) : map_aligned(len);

	if (!bytes)
		return -errno;
	*ret_bytes = bytes;
	return 0;
}

int kt_memory_new(size_t len, void **ret_bytes)
{
	int ret = kt_memory_reserve(len, ret_bytes);

	if (ret)
		return ret;
	/* One request instead of a fault a page; a kernel that does not know it has the faults. */
	if (madvise(*ret_bytes, len, MADV_POPULATE_WRITE) == 0 || errno != ENOMEM)
		return 0;
	munmap(*ret_bytes, len);
	return -ENOMEM;
}

int kt_memory_freeze(void *bytes, size_t len, int written)
{
	int ret = written;

	if (ret == 0 && mprotect(bytes, len, PROT_READ))
		ret = -errno;
	if (ret)
		munmap(bytes, len);
	return ret;
}

void kt_memory_unmap(const void *bytes, size_t len)
{
	munmap((void *)(uintptr_t)bytes, len);
}

/* ---- Between processes --------------------------------------------------------------------- */

static int open_memfd(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("ktrust-snapshot", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("ktrust-snapshot", flags);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		/* Its reader begins at the start, where the offset stays. */
		ssize_t put = pwrite(fd, bytes + done, len - done, (off_t)done);

		if (put == 0)
			return -EIO;
		if (put > 0)
			done += (size_t)put;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int kt_memory_to_memfd(const void *bytes, size_t len)
{
	int fd = open_memfd();
	int ret;

	if (fd < 0)
		return fd;
	ret = write_all(fd, bytes, len);
	if (ret == 0 && fcntl(fd, F_ADD_SEALS, SEALS_NEEDED | F_SEAL_SEAL))
		ret = -errno;
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

int kt_memory_map(int fd, size_t len, const void **ret_bytes)
{
	/* All of the pages will be looked at soon. */
	const void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	*ret_bytes = bytes;
	return 0;
}

bool kt_memory_is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS_NEEDED) == SEALS_NEEDED;
}
