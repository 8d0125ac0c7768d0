/* SPDX-License-Identifier: BSD-2-Clause */
#include "case_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR 3600
#define DAY  86400

void case_fail(const struct case_statement *statement, const char *what, const char *word)
{
	fprintf(stderr, "%s:%u: %s: %s\n", statement->path, statement->line, what, word);
	exit(EXIT_FAILURE);
}

/* NUL-terminated. It is never freed: words point into it. */
static char *read_text(const struct case_statement *statement)
{
	FILE *file = fopen(statement->path, "re");
	char *text = NULL;
	size_t room = 0;

	if (!file || getdelim(&text, &room, '\0', file) < 0 || fclose(file))
		case_fail(statement, "cannot be read", strerror(errno));
	return text;
}

/* ---- Words ----------------------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The quotes are taken out in place. Returns where the rest of the line begins. */
static char *take_word(const struct case_statement *statement, char *from)
{
	bool quoted = false;
	char *to = from, *start = from;

	for (; *from && (quoted || !is_space(*from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	if (quoted)
		case_fail(statement, "a quote without end", start);
	if (*from)
		from++;
	*to = '\0';
	return from;
}

static void take_words(struct case_statement *statement, char *line)
{
	while (is_space(*line))
		line++;
	while (*line) {
		if (statement->count == CASE_WORDS_MAX)
			case_fail(statement, "too many words", line);
		statement->words[statement->count++] = line;
		line = take_word(statement, line);
		while (is_space(*line))
			line++;
	}
}

static bool is_comment(const char *line)
{
	return line[strspn(line, " \t")] == '#';
}

void case_read_statements(const char *path, case_statement_fn *take, void *arg)
{
	struct case_statement statement = {.path = path};
	char *rest = read_text(&statement), *line;
	unsigned int number = 0;

	while ((line = strsep(&rest, "\n"))) {
		number++;
		if (is_comment(line))
			continue;
		if (!is_space(*line)) {
			if (statement.count)
				take(&statement, arg);
			statement.line = number;
			statement.count = 0;
		}
		take_words(&statement, line);
	}
	if (statement.count)
		take(&statement, arg);
}

/* ---- What a word says ------------------------------------------------------------------------ */

const char *case_value(const char *word, const char *key)
{
	size_t len = strlen(key);

	return strncmp(word, key, len) || word[len] != '=' ? NULL : word + len + 1;
}

long long case_number(const struct case_statement *statement, const char *word)
{
	char *end;
	long long number = strtoll(word, &end, 10);

	if (end == word || *end)
		case_fail(statement, "no number", word);
	return number;
}

long long case_seconds(const struct case_statement *statement, const char *word)
{
	char *end;
	long long number = strtoll(word, &end, 10);

	if (end != word && !strcmp(end, "d"))
		return number * DAY;
	if (end != word && !strcmp(end, "h"))
		return number * HOUR;
	return case_number(statement, word);
}
