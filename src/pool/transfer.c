/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots between processes: out into a sealed memfd, in from a memfd or a file.
 */
#include <ktrust/pool.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "memory.h"

/* More than any image within the limits of ktrust/pool.h: the rest of the header and index. */
#define IMAGE_MAX                                                                                  \
	((uint64_t)KT_ANCHORS_MAX * (KT_CERTIFICATE_MAX + KT_PERMITTED_DNS_MAX + 256) +            \
	 (uint64_t)KT_CRLS_MAX * (KT_CRL_LEN_MAX + 256) + 4096)

int kt_snapshot_to_memfd(const struct kt_snapshot *snapshot)
{
	return kt_memory_to_memfd(snapshot, snapshot->image_len);
}

static int read_exactly(int fd, uint8_t *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(fd, to + done, len - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EBADMSG;
		done += (size_t)got;
	}
	return 0;
}

/* What was checked must stay as it was; a file's owner can promise that for no file. */
static int copy(int fd, size_t len, const void **ret_bytes)
{
	void *bytes;
	int ret = kt_memory_new(len, &bytes);

	if (ret)
		return ret;
	ret = kt_memory_freeze(bytes, len, read_exactly(fd, bytes, len));
	if (ret == 0)
		*ret_bytes = bytes;
	return ret;
}

static int map_unchecked(int fd, const struct stat *st, const void **ret_bytes)
{
	size_t len = (size_t)st->st_size;

	if (kt_memory_is_sealed(fd))
		return kt_memory_map(fd, len, ret_bytes);
	/* No name in any directory: a memfd, whose maker could have sealed it. */
	if (st->st_nlink == 0)
		return -EPERM;
	return copy(fd, len, ret_bytes);
}

static int refuse_map(int err, struct kt_error *error)
{
	if (err == -EPERM)
		return kt_error_set(error, EPERM, "snapshot", 0,
				    "the memfd is not sealed against changes (F_SEAL_WRITE, "
				    "F_SEAL_GROW, F_SEAL_SHRINK)");
	if (err == -EBADMSG)
		return kt_error_set(error, EBADMSG, "snapshot", 0,
				    "the file became shorter while it was read");
	return kt_error_set(error, -err, "snapshot", 0, "cannot be mapped: %s", strerror(-err));
}

int kt_snapshot_map(int fd, struct kt_snapshot **ret_snapshot, struct kt_error *error)
{
	const void *bytes;
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return kt_error_set(error, errno, "snapshot", 0, "fstat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return kt_error_set(error, EINVAL, "snapshot", 0, "neither a file nor a memfd");
	if ((uint64_t)st.st_size < sizeof(struct kt_snapshot) || (uint64_t)st.st_size > IMAGE_MAX)
		return kt_error_set(error, EBADMSG, "snapshot", 0,
				    "%llu bytes cannot be a snapshot (is it cut?)",
				    (unsigned long long)st.st_size);
	ret = map_unchecked(fd, &st, &bytes);
	if (ret)
		return refuse_map(ret, error);
	ret = kt_image_check(bytes, (size_t)st.st_size, error);
	if (ret) {
		kt_memory_unmap(bytes, (size_t)st.st_size);
		return ret;
	}
	*ret_snapshot = (struct kt_snapshot *)(uintptr_t)bytes;
	return 0;
}
