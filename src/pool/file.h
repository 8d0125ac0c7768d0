/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small files: read whole, or written so that a crash at any point leaves the old or the new.
 *
 * Any thread; they block. Errors name the file.
 */
#ifndef KT_POOL_FILE_H
#define KT_POOL_FILE_H

#include <stddef.h>

#include <ktrust/error.h>

/*
 * Read a regular file that is shorter than size. errno of open and read, -EINVAL not a regular
 * file, -EFBIG longer. On failure what was read is wiped.
 */
KT_WARN_UNUSED int kt_file_read(const char *path, void *to, size_t size, size_t *ret_len,
				struct kt_error *error);

#define KT_FILE_TEMPORARY ".tmp" /* behind the name of a file that is being written */

/*
 * Write dir/name: into a temporary file beside it, onto the disk, renamed, the directory onto the
 * disk. When it returns 0 the new content survives a loss of power; when it does not, the old or
 * the new does, and at most the temporary file is left over. -errno of the step that failed.
 */
KT_WARN_UNUSED int kt_file_replace(int dir_fd, const char *name, const void *bytes, size_t len);

#endif
