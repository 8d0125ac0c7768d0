/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A private directory for the time of a benchmark: below $TMPDIR, or /tmp, mode 0700. It goes with
 * all that is in it.
 */
#ifndef KT_BENCH_SCRATCH_H
#define KT_BENCH_SCRATCH_H

#include <stddef.h>

#include <ktrust/error.h>

#define KT_BENCH_SCRATCH_MAX 80 /* bytes, NUL included: a Unix socket in it has to have a name */

struct kt_bench_scratch {
	char path[KT_BENCH_SCRATCH_MAX]; /* empty: there is none */
};

/* -ENAMETOOLONG, and mkdtemp's. */
KT_WARN_UNUSED int kt_bench_scratch_make(struct kt_bench_scratch *ret_scratch,
					 struct kt_error *error);
void kt_bench_scratch_remove(struct kt_bench_scratch *scratch);

/* A file in it of these bytes, mode 0600. */
KT_WARN_UNUSED int kt_bench_scratch_write(const struct kt_bench_scratch *scratch, const char *name,
					  const char *text, struct kt_error *error);

/* A whole text file, which the caller frees. -ENODATA: it is empty, or no file. */
KT_WARN_UNUSED int kt_bench_read_text(const char *path, char **ret_text, size_t *ret_len,
				      struct kt_error *error);

#endif
