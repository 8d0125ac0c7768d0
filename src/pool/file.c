/* SPDX-License-Identifier: BSD-2-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fill(int fd, char *to, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t got = read(fd, to + len, size - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0) {
			*ret_len = len;
			return 0;
		}
		len += (size_t)got;
	}
	return -EFBIG;
}

/* O_NONBLOCK: a FIFO must not hold us. */
int kt_file_read(const char *path, void *to, size_t size, size_t *ret_len, struct kt_error *error)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int ret;

	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "cannot be opened: %s", strerror(errno));
	if (fstat(fd, &st))
		ret = -errno;
	else
		ret = S_ISREG(st.st_mode) ? fill(fd, to, size, ret_len) : -EINVAL;
	close(fd);
	if (!ret)
		return 0;
	explicit_bzero(to, size);
	if (ret == -EINVAL)
		return kt_error_set(error, EINVAL, path, 0, "not a regular file");
	if (ret == -EFBIG)
		return kt_error_set(error, EFBIG, path, 0,
				    "more than %zu bytes (is it the right file?)", size - 1);
	return kt_error_set(error, -ret, path, 0, "cannot be read: %s", strerror(-ret));
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t put = write(fd, bytes, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		bytes += put;
		len -= (size_t)put;
	}
	return 0;
}

static int write_temporary(int dir_fd, const char *name, const void *bytes, size_t len)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write_all(fd, bytes, len);
	/* Before the rename: else its name may outlive a loss of power that its bytes do not. */
	if (!ret && fsync(fd))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	return ret;
}

int kt_file_replace(int dir_fd, const char *name, const void *bytes, size_t len)
{
	char temporary[64];
	int ret;

	if ((size_t)snprintf(temporary, sizeof temporary, "%s" KT_FILE_TEMPORARY, name) >=
	    sizeof temporary)
		return -ENAMETOOLONG;
	ret = write_temporary(dir_fd, temporary, bytes, len);
	if (!ret && renameat(dir_fd, temporary, dir_fd, name))
		ret = -errno;
	if (ret) {
		unlinkat(dir_fd, temporary, 0);
		return ret;
	}
	return fsync(dir_fd) ? -errno : 0;
}
