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

/*
 * MAP_POPULATE: all of the pages will be used soon, and asking for them one at a time took half of
 * the time of building a large snapshot.
 */
#define SEALS_NEEDED (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static int open_memfd(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("ktrust-snapshot", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("ktrust-snapshot", flags);
	return fd < 0 ? -errno : fd;
}

int kt_memory_new(struct kt_memory *memory, size_t len)
{
	int fd = open_memfd();
	void *bytes;
	int err;

	if (fd < 0)
		return fd;
	do
		err = fallocate(fd, 0, 0, (off_t)len) ? errno : 0;
	while (err == EINTR);
	if (err)
		goto close_fd;
	bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (bytes == MAP_FAILED) {
		err = errno;
		goto close_fd;
	}
	*memory = (struct kt_memory){.fd = fd, .bytes = bytes, .len = len};
	return 0;

close_fd:
	close(fd);
	return -err;
}

void kt_memory_drop(struct kt_memory *memory)
{
	munmap(memory->bytes, memory->len);
	close(memory->fd);
}

int kt_memory_seal(struct kt_memory *memory)
{
	int fd = memory->fd;
	int err;

	/* F_SEAL_WRITE is refused while a writable shared map exists. */
	munmap(memory->bytes, memory->len);
	if (fcntl(fd, F_ADD_SEALS, SEALS_NEEDED | F_SEAL_SEAL)) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

int kt_memory_map(int fd, size_t len, const void **ret_bytes)
{
	const void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	*ret_bytes = bytes;
	return 0;
}

void kt_memory_unmap(const void *bytes, size_t len)
{
	munmap((void *)(uintptr_t)bytes, len);
}

bool kt_memory_is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS_NEEDED) == SEALS_NEEDED;
}
