/* SPDX-License-Identifier: BSD-2-Clause */
/* Files with credentials: read whole, bounded, wiped. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "credentials.h"

void kt_secret_file_wipe(struct kt_secret_file *file)
{
	OPENSSL_clear_free(file->data, file->len);
	*file = (struct kt_secret_file){0};
}

static int read_all(int fd, struct kt_secret_file *file, const char *path, struct kt_error *error)
{
	size_t have = 0;

	while (have < file->len) {
		ssize_t n = read(fd, file->data + have, file->len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kt_error_set(error, errno, path, 0, "cannot read it: %m");
		if (!n)
			return kt_error_set(error, EBADMSG, path, 0,
					    "it shrank while it was read (try again)");
		have += n;
	}
	return 0;
}

int kt_secret_file_read(const char *path, const char *give, struct kt_secret_file *ret_file,
			struct kt_error *error)
{
	struct kt_secret_file file = {0};
	struct stat st;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "cannot open it: %m");
	err = -EBADMSG;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > KT_CREDENTIALS_FILE_MAX) {
		kt_error_set(error, EBADMSG, path, 0,
			     "not a regular file of 1 byte to %ld KiB (%s)",
			     KT_CREDENTIALS_FILE_MAX >> 10, give);
		goto close;
	}
	file.mode = st.st_mode;
	file.len = st.st_size;
	file.data = OPENSSL_malloc(file.len);
	if (!file.data) {
		err = kt_error_set(error, ENOMEM, path, 0, "out of memory");
		goto close;
	}
	err = read_all(fd, &file, path, error);
	if (err)
		kt_secret_file_wipe(&file);
	else
		*ret_file = file;
close:
	close(fd);
	return err;
}
