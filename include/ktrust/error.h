/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What went wrong, where, and what to do about it.
 *
 * The library never logs. A function that can fail returns 0 or a negative errno value and, when
 * it takes a struct kt_error, writes one line a person can act on. The struct is plain data owned
 * by the caller; no function keeps a pointer to it. NULL is accepted wherever a kt_error is taken.
 *
 * Threads: a struct kt_error belongs to one thread at a time; the functions have no shared state.
 */
#ifndef KTRUST_ERROR_H
#define KTRUST_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_WARN_UNUSED	     __attribute__((warn_unused_result))
#define KT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

struct kt_error {
	int err;	   /* positive errno value; 0: no error was written */
	unsigned int line; /* line of the file named in `where`, from 1; 0: does not apply */
	char where[192];   /* file or object concerned; may be empty */
	char text[320];	   /* what is wrong and, in parentheses, what to do: "… (what to do)" */
};

/*
 * Write an error and return -err, so that a caller can say `return kt_error_set(...)`.
 * Texts that do not fit are cut. Control characters are replaced by '?', since file names and
 * certificate names come from outside.
 */
int kt_error_set(struct kt_error *error, int err, const char *where, unsigned int line,
		 const char *fmt, ...) KT_PRINTF(5, 6);

/*
 * Format as "where:line: text" (parts that are absent are left out) into buf of size bytes,
 * NUL-terminated. Returns buf.
 */
char *kt_error_format(const struct kt_error *error, char *buf, size_t size);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
