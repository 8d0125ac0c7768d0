/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names come from files and peers: nothing that could drive a terminal gets through. */
static void make_printable(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
}

int kt_error_set(struct kt_error *error, int err, const char *where, unsigned int line,
		 const char *fmt, ...)
{
	va_list args;

	if (!error)
		return -err;

	/* Built aside: an argument may point into the very error that is being written. */
	struct kt_error made = {.err = err, .line = line};

	snprintf(made.where, sizeof made.where, "%s", where ? where : "");
	va_start(args, fmt);
	vsnprintf(made.text, sizeof made.text, fmt, args);
	va_end(args);
	make_printable(made.where);
	make_printable(made.text);
	*error = made;
	return -err;
}

char *kt_error_format(const struct kt_error *error, char *buf, size_t size)
{
	if (!error->where[0])
		snprintf(buf, size, "%s", error->text);
	else if (error->line)
		snprintf(buf, size, "%s:%u: %s", error->where, error->line, error->text);
	else
		snprintf(buf, size, "%s: %s", error->where, error->text);
	return buf;
}
