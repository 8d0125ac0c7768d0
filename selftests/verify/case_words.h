/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines of a file of cases, cut into words.
 *
 * A statement is a line and the indented ones behind it. Words are separated by white space; within
 * double quotes it is a part of them. A line that begins with '#' is a comment, wherever it stands.
 *
 * What cannot be read ends the program: a test cannot go on without its cases. One thread.
 */
#ifndef KTRUST_SELFTESTS_CASE_WORDS_H
#define KTRUST_SELFTESTS_CASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define CASE_WORDS_MAX 64

struct case_statement {
	const char *path; /* of the file */
	unsigned int line;
	char *words[CASE_WORDS_MAX]; /* in the file's text, which stays to the end */
	size_t count;
};

typedef void case_statement_fn(const struct case_statement *statement, void *arg);

/* Hands over each statement of a file, in order. */
void case_read_statements(const char *path, case_statement_fn *take, void *arg);

/* "PATH:LINE: what: word", and exit. */
_Noreturn void case_fail(const struct case_statement *statement, const char *what,
			 const char *word);

/* "KEY=VALUE": the value, where word has that key. Else NULL. */
const char *case_value(const char *word, const char *key);

/* A whole number; "-3d", "+2h", "5": seconds. */
long long case_number(const struct case_statement *statement, const char *word);
long long case_seconds(const struct case_statement *statement, const char *word);

#endif
