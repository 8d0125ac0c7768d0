/* SPDX-License-Identifier: BSD-2-Clause */
#include "fill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* The length of the @WORD@ that text begins with; 0: it begins with none. */
static size_t place_len(const char *text)
{
	size_t len = *text == '@' ? strspn(text + 1, CAPITALS) : 0;

	return len && text[1 + len] == '@' ? len + 2 : 0;
}

static bool is(const char *text, const char *place)
{
	return strncmp(text, place, strlen(place)) == 0;
}

/* Behind the condition that a line begins with; NULL: the line does not count. */
static const char *look_at_condition(const char *line, const struct kt_bench_values *values)
{
	const struct {
		const char *place;
		bool holds;
	} conditions[] = {
		{"@MTLS@", values->mtls},	{"@PLAIN@", !values->mtls},
		{"@TICKETS@", values->tickets}, {"@NONE@", !values->tickets},
		{"@ROOT@", values->root},
	};

	for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
		if (!is(line, conditions[i].place))
			continue;
		line += place_len(line);
		return conditions[i].holds ? line + strspn(line, " ") : NULL;
	}
	return line;
}

/* Of one place; false: there is no such. */
static bool put(const char *place, const struct kt_bench_values *values, FILE *to)
{
	if (is(place, "@DIR@"))
		fputs(values->dir, to);
	else if (is(place, "@PORT@"))
		fprintf(to, "%u", values->port);
	else if (is(place, "@BACKEND@"))
		fprintf(to, "%u", values->backend);
	else
		return false;
	return true;
}

/* A line of len bytes; NULL, or the place that there is not. */
static const char *put_line(const char *line, size_t len, const struct kt_bench_values *values,
			    FILE *to)
{
	const char *end = line + len;

	line = look_at_condition(line, values);
	while (line && line < end) {
		size_t place = place_len(line);

		if (!place)
			fputc(*line++, to);
		else if (!put(line, values, to))
			return line;
		line += place;
	}
	return NULL;
}

int kt_bench_fill(const char *text, const struct kt_bench_values *values, const char *where,
		  char **ret_text, struct kt_error *error)
{
	char *filled = NULL;
	const char *unknown = NULL;
	unsigned int number = 0;
	size_t size;
	FILE *to = open_memstream(&filled, &size);

	if (!to)
		return kt_error_set(error, ENOMEM, where, 0, "out of memory");
	while (*text && !unknown) {
		size_t len = strcspn(text, "\n");

		len += text[len] == '\n';
		number++;
		unknown = put_line(text, len, values, to);
		text += len;
	}
	if (fclose(to) || unknown) {
		free(filled);
		return unknown ? kt_error_set(error, EINVAL, where, number,
					      "%.*s is no place to fill in",
					      (int)place_len(unknown), unknown)
			       : kt_error_set(error, ENOMEM, where, 0, "out of memory");
	}
	*ret_text = filled;
	return 0;
}
