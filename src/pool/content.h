/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole content of a regular file, in memory that can be wiped.
 *
 * Only regular files are opened: nothing here waits for a writer, or starts what opening a device
 * starts. Links are followed.
 *
 * One thread at a time; reading blocks for as long as the file system does.
 */
#ifndef KT_POOL_CONTENT_H
#define KT_POOL_CONTENT_H

#include <ktrust/source.h>

#include "run.h"

struct kt_content {
	struct kt_run bytes;
};

/*
 * Read name, which counts from the directory dir_fd (or AT_FDCWD); path names it in errors. The
 * errno of stat, open and read; -EINVAL not a regular file; -EFBIG larger than KT_SOURCE_FILE_MAX
 * (by what the file says of itself before it is read, and while it is read); -ENOMEM.
 */
KT_WARN_UNUSED int kt_content_read(int dir_fd, const char *name, const char *path,
				   struct kt_content *ret_content, struct kt_error *error);

/* doubtful: not all of it was taken, so that it may be anything, a private key too; it is wiped. */
void kt_content_free(struct kt_content *content, bool doubtful);

#endif
