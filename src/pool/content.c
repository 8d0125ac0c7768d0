/* SPDX-License-Identifier: BSD-2-Clause */
#include "content.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse_size(const char *path, struct kt_error *error)
{
	return kt_error_set(error, EFBIG, path, 0,
			    "the file has more than %lu bytes (is it the right one?)",
			    KT_SOURCE_FILE_MAX);
}

static int check(const struct stat *st, const char *path, struct kt_error *error)
{
	if (!S_ISREG(st->st_mode))
		return kt_error_set(error, EINVAL, path, 0,
				    "not a regular file (name a file of certificates)");
	if ((uint64_t)st->st_size > KT_SOURCE_FILE_MAX)
		return refuse_size(path, error);
	return 0;
}

/*
 * Looked at before it is opened, since opening some devices does something; and again after, since
 * it may have become another. O_NONBLOCK: if that is a FIFO, it must not hold us, nor must
 * O_NOCTTY's terminal become ours.
 */
static int open_regular(int dir_fd, const char *name, const char *path, size_t *ret_size,
			struct kt_error *error)
{
	struct stat st;
	int fd, err;

	if (fstatat(dir_fd, name, &st, 0))
		return kt_error_set(error, errno, path, 0, "cannot be opened: %s", strerror(errno));
	err = check(&st, path, error);
	if (err)
		return err;
	fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "cannot be opened: %s", strerror(errno));
	if (fstat(fd, &st))
		err = kt_error_set(error, errno, path, 0, "fstat: %s", strerror(errno));
	else
		err = check(&st, path, error);
	if (err) {
		close(fd);
		return err;
	}
	*ret_size = (size_t)st.st_size;
	return fd;
}

/* Not kt_run_reserve's way: what the old place held may be a private key, and has to be wiped. */
static int grow(struct kt_content *content)
{
	struct kt_content larger = {0};
	int ret = kt_run_reserve(&larger.bytes, 1, content->bytes.count * 2);

	if (ret)
		return ret;
	kt_run_push(&larger.bytes, 1, content->bytes.items, content->bytes.count);
	kt_content_free(content, true);
	*content = larger;
	return 0;
}

/* Up to the end, wherever it is by then: the file may grow while it is read. */
static int read_all(int fd, struct kt_content *content, const char *path, struct kt_error *error)
{
	struct kt_run *bytes = &content->bytes;
	ssize_t got;

	for (;;) {
		if (bytes->count == bytes->room && grow(content))
			return kt_error_set(error, ENOMEM, path, 0, "out of memory");
		got = read(fd, (char *)bytes->items + bytes->count, bytes->room - bytes->count);
		if (got == 0)
			return 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return kt_error_set(error, errno, path, 0, "cannot be read: %s",
					    strerror(errno));
		bytes->count += (size_t)got;
		if (bytes->count > KT_SOURCE_FILE_MAX)
			return refuse_size(path, error);
	}
}

int kt_content_read(int dir_fd, const char *name, const char *path, struct kt_content *ret_content,
		    struct kt_error *error)
{
	struct kt_content content = {0};
	size_t expected = 0;
	int fd = open_regular(dir_fd, name, path, &expected, error);
	int ret;

	if (fd < 0)
		return fd;
	/* One more byte than expected: so that the end shows without growing. */
	ret = kt_run_reserve(&content.bytes, 1, expected + 1);
	if (ret == 0)
		ret = read_all(fd, &content, path, error);
	else
		kt_error_set(error, -ret, path, 0, "%s", strerror(-ret));
	close(fd);
	if (ret)
		kt_content_free(&content, true);
	else
		*ret_content = content;
	return ret;
}

void kt_content_free(struct kt_content *content, bool doubtful)
{
	if (doubtful && content->bytes.items)
		explicit_bzero(content->bytes.items, content->bytes.count);
	kt_run_fini(&content->bytes);
}
