/* SPDX-License-Identifier: BSD-2-Clause */
#include "read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST (64u << 10) /* bytes */

static int read_stream(FILE *file, size_t max, char **ret_bytes, size_t *ret_len)
{
	size_t len = 0, room = ROOM_FIRST, got;
	char *bytes = malloc(room), *more;

	while (bytes) {
		got = fread(bytes + len, 1, room - len, file);
		len += got;
		if (got == 0 || len > max)
			break;
		if (len < room)
			continue;
		room *= 2;
		more = realloc(bytes, room);
		if (!more)
			free(bytes);
		bytes = more;
	}
	if (!bytes)
		return -ENOMEM;
	if (ferror(file)) {
		free(bytes);
		return errno ? -errno : -EIO;
	}
	*ret_bytes = bytes;
	*ret_len = len > max ? max + 1 : len;
	return 0;
}

int kt_cli_read(const char *path, bool takes_stdin, size_t max, char **ret_bytes, size_t *ret_len,
		struct kt_error *error)
{
	bool is_stdin = takes_stdin && !strcmp(path, "-");
	const char *where = is_stdin ? "standard input" : path;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	int err;

	if (!file)
		return kt_error_set(error, errno, where, 0, "cannot be opened: %s",
				    strerror(errno));
	err = read_stream(file, max, ret_bytes, ret_len);
	if (!is_stdin)
		fclose(file);
	if (err)
		return kt_error_set(error, -err, where, 0, "cannot be read: %s", strerror(-err));
	return 0;
}
