/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading what a command line names, as a whole. Blocks; no shared state.
 */
#ifndef KT_CLI_READ_H
#define KT_CLI_READ_H

#include <stdbool.h>
#include <stddef.h>

#include <ktrust/error.h>

/*
 * The bytes of a file, of a pipe too; "-" is standard input where takes_stdin is set. No more than
 * max + 1 bytes are read, so that who parses them can tell that there were too many. The caller
 * frees. Errors: the errno of opening and reading, -ENOMEM.
 */
KT_WARN_UNUSED int kt_cli_read(const char *path, bool takes_stdin, size_t max, char **ret_bytes,
			       size_t *ret_len, struct kt_error *error);

#endif
