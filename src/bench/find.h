/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs: where they are, and what they say of their version. */
#ifndef KT_BENCH_FIND_H
#define KT_BENCH_FIND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The path of what lies beside the file of this program. False: it cannot be told. */
bool kt_bench_beside(const char *name, char ret_path[static PATH_MAX]);

/* An executable in PATH, or where administrators' programs are. False: there is none. */
bool kt_bench_find_program(const char *name, char ret_path[static PATH_MAX]);

/*
 * What `program argument` says of its version: of the words in its output the first number with a
 * dot in it ("1.22.1" of "nginx version: nginx/1.22.1"); empty: it says none.
 */
void kt_bench_ask_version(const char *program, const char *argument, char *ret_version,
			  size_t size);

#endif
