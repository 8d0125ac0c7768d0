/* SPDX-License-Identifier: BSD-2-Clause */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN_MAX_FTW 8

static int refuse(const char *what, int err, struct kt_error *error)
{
	return kt_error_set(error, err, what, 0, "%s", strerror(err));
}

int kt_bench_scratch_make(struct kt_bench_scratch *ret_scratch, struct kt_error *error)
{
	const char *below = secure_getenv("TMPDIR");
	struct kt_bench_scratch made;

	if (!below || !*below)
		below = "/tmp";
	if ((size_t)snprintf(made.path, sizeof made.path, "%s/ktrust-bench-XXXXXX", below) >=
	    sizeof made.path)
		return refuse(below, ENAMETOOLONG, error);
	if (!mkdtemp(made.path))
		return refuse(below, errno, error);
	*ret_scratch = made;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	/* Nobody could do anything about one that stays. */
	(void)!remove(path);
	return 0;
}

void kt_bench_scratch_remove(struct kt_bench_scratch *scratch)
{
	if (scratch->path[0])
		nftw(scratch->path, remove_one, OPEN_MAX_FTW, FTW_DEPTH | FTW_PHYS);
	scratch->path[0] = '\0';
}

int kt_bench_scratch_write(const struct kt_bench_scratch *scratch, const char *name,
			   const char *text, struct kt_error *error)
{
	char path[PATH_MAX];
	bool failed;
	FILE *file;
	int fd;

	snprintf(path, sizeof path, "%s/%s", scratch->path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return refuse(path, errno, error);
	failed = fputs(text, file) < 0;
	failed |= fclose(file) != 0;
	return failed ? refuse(path, errno, error) : 0;
}

int kt_bench_read_text(const char *path, char **ret_text, size_t *ret_len, struct kt_error *error)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;
	ssize_t got;

	if (!file)
		return refuse(path, errno, error);
	got = getdelim(&text, &size, '\0', file);
	fclose(file);
	if (got < 0) {
		free(text);
		return kt_error_set(error, ENODATA, path, 0, "cannot be read, or is empty");
	}
	*ret_text = text;
	*ret_len = (size_t)got;
	return 0;
}
