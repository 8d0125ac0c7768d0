/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void kt_log(int level, const char *fmt, ...)
{
	char line[1024];
	int len = 0;
	va_list args;

	if (getenv("JOURNAL_STREAM"))
		len = snprintf(line, sizeof line, "<%d>", level);
	len += snprintf(line + len, sizeof line - (size_t)len, "ktrustd: ");
	va_start(args, fmt);
	len += vsnprintf(line + len, sizeof line - (size_t)len, fmt, args);
	va_end(args);
	if (len > (int)sizeof line - 2)
		len = sizeof line - 2;
	line[len++] = '\n';
	/* One write, so that lines of several threads do not mix; nothing to do if stderr is gone.
	 */
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return;
}

void kt_log_error(const char *what, const struct kt_error *error)
{
	char text[640];

	kt_log(LOG_ERR, "%s: %s", what, kt_error_format(error, text, sizeof text));
}
