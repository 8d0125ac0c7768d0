/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources of anchors: PEM text, PEM files, and the words of the command line that name them.
 */
#include <ktrust/source.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pem.h"
#include "set.h"

/* ---- PEM text ------------------------------------------------------------------------------ */

static int add_blocks(struct kt_anchor_set *set, struct kt_pem *pem, const char *where,
		      struct kt_error *error)
{
	struct kt_pem_block block;
	size_t found = 0;
	int ret;

	while ((ret = kt_pem_next(pem, &block, error)) > 0) {
		ret = kt_anchor_set_add_der(set, block.der, block.der_len, where, block.line,
					    error);
		if (ret)
			return ret;
		found++;
	}
	if (ret == 0 && found == 0)
		return kt_error_set(error, ENODATA, where, 0,
				    "no certificate in it (expected: PEM, -----BEGIN "
				    "CERTIFICATE-----)");
	return ret;
}

int kt_anchor_set_add_pem(struct kt_anchor_set *set, const char *text, size_t len,
			  const char *where, struct kt_error *error)
{
	struct kt_set_mark mark = kt_set_mark(set);
	struct kt_pem *pem = kt_pem_new(text, len, where);
	int ret;

	if (!pem)
		return kt_error_set(error, ENOMEM, where, 0, "out of memory");
	ret = add_blocks(set, pem, where, error);
	kt_pem_free(pem);
	if (ret)
		kt_set_go_back(set, &mark);
	return ret;
}

/* ---- PEM files ----------------------------------------------------------------------------- */

struct content {
	char *bytes;
	size_t len;
	size_t size; /* bytes there is room for */
};

static int refuse_size(const char *path, struct kt_error *error)
{
	return kt_error_set(error, EFBIG, path, 0,
			    "the file has more than %lu bytes (is it the right one?)",
			    KT_SOURCE_FILE_MAX);
}

/*
 * O_NONBLOCK: a FIFO must not hold us, nor must O_NOCTTY's terminal become ours, before fstat tells
 * that it is no regular file.
 */
static int open_regular(const char *path, size_t *ret_size, struct kt_error *error)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int err;

	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "cannot be opened: %s", strerror(errno));
	if (fstat(fd, &st)) {
		err = kt_error_set(error, errno, path, 0, "fstat: %s", strerror(errno));
		goto close_fd;
	}
	if (!S_ISREG(st.st_mode)) {
		err = kt_error_set(error, EINVAL, path, 0,
				   "not a regular file (name a file of PEM certificates)");
		goto close_fd;
	}
	if ((uint64_t)st.st_size > KT_SOURCE_FILE_MAX) {
		err = refuse_size(path, error);
		goto close_fd;
	}
	*ret_size = (size_t)st.st_size;
	return fd;

close_fd:
	close(fd);
	return err;
}

/* Not realloc: what the old place held may be a private key, and has to be wiped. */
static int grow(struct content *content)
{
	size_t size = content->size * 2;
	char *bytes = malloc(size);

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, content->bytes, content->len);
	explicit_bzero(content->bytes, content->len);
	free(content->bytes);
	content->bytes = bytes;
	content->size = size;
	return 0;
}

/* Up to the end, wherever it is by then: the file may grow while it is read. */
static int read_all(int fd, struct content *content, const char *path, struct kt_error *error)
{
	ssize_t got;

	for (;;) {
		if (content->len == content->size && grow(content))
			return kt_error_set(error, ENOMEM, path, 0, "out of memory");
		got = read(fd, content->bytes + content->len, content->size - content->len);
		if (got == 0)
			return 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return kt_error_set(error, errno, path, 0, "cannot be read: %s",
					    strerror(errno));
		content->len += (size_t)got;
		if (content->len > KT_SOURCE_FILE_MAX)
			return refuse_size(path, error);
	}
}

int kt_anchor_set_add_pem_file(struct kt_anchor_set *set, const char *path, struct kt_error *error)
{
	struct content content = {0};
	size_t expected = 0;
	int fd, ret;

	fd = open_regular(path, &expected, error);
	if (fd < 0)
		return fd;
	/* One more byte than expected: so that the end shows without growing. */
	content.size = expected + 1;
	content.bytes = malloc(content.size);
	if (!content.bytes) {
		ret = kt_error_set(error, ENOMEM, path, 0, "out of memory");
		goto close_fd;
	}
	ret = read_all(fd, &content, path, error);
	if (ret == 0)
		ret = kt_anchor_set_add_pem(set, content.bytes, content.len, path, error);
	/* A file that was refused may hold anything, a private key too. */
	if (ret)
		explicit_bzero(content.bytes, content.len);
	free(content.bytes);
close_fd:
	close(fd);
	return ret;
}

/* ---- Words of the command line ------------------------------------------------------------- */

static const struct source_kind {
	const char *prefix;
	int (*add)(struct kt_anchor_set *set, const char *rest, struct kt_error *error);
} source_kinds[] = {
	{"file:", kt_anchor_set_add_pem_file},
};

int kt_anchor_set_add_source(struct kt_anchor_set *set, const char *source,
			     const struct kt_source_options *options, struct kt_error *error)
{
	(void)options;
	for (size_t i = 0; i < sizeof source_kinds / sizeof source_kinds[0]; i++) {
		const struct source_kind *kind = &source_kinds[i];
		size_t len = strlen(kind->prefix);

		if (strncmp(source, kind->prefix, len) == 0 && source[len])
			return kind->add(set, source + len, error);
	}
	return kt_error_set(error, EINVAL, source, 0, "not a source (expected: file:PATH)");
}
