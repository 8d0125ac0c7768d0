/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For programs: standard input, output and error, which whoever starts one may have closed. The
 * next file or socket that it opens would have such a number then: what is printed, be it what a
 * peer said under TLS, would go out over a socket as it is, logs would go into whatever file.
 */
#ifndef KTRUST_ERROR_STANDARD_FILES_H
#define KTRUST_ERROR_STANDARD_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/*
 * First of all in main(): take the numbers that are free. Of what was closed nothing can be read,
 * and nothing written to it: EBADF, as before. False: it could not be done (errno).
 */
static inline bool kt_standard_files_take(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest that is free is this one. */
		if (errno != EBADF ||
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return false;
	}
	return true;
}

#endif
