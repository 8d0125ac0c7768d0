/* SPDX-License-Identifier: BSD-2-Clause */
/* Values that JSON has no type for. */
#include "control.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

json_t *kt_json_text(const char *text)
{
	json_t *string;
	char ascii[KT_JSON_TEXT_MAX + 1];
	size_t i;

	if (!text)
		return json_null();
	string = json_string(text);
	if (string)
		return string;
	for (i = 0; text[i] && i < KT_JSON_TEXT_MAX; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

json_t *kt_json_digest(const uint8_t *digest, size_t len)
{
	char hex[2 * 64 + 1];
	uint8_t any = 0;

	if (len > 64)
		len = 64;
	for (size_t i = 0; i < len; i++) {
		any |= digest[i];
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	}
	return any ? json_string(hex) : json_null();
}

static json_t *instant(int64_t seconds, const char *fraction)
{
	time_t clock = (time_t)seconds;
	char text[64];
	struct tm tm;

	if (!gmtime_r(&clock, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
		return json_null();
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
	return json_string(text);
}

json_t *kt_json_time(uint64_t realtime_ns)
{
	char fraction[12];

	snprintf(fraction, sizeof fraction, ".%09u", (unsigned int)(realtime_ns % 1000000000u));
	return instant((int64_t)(realtime_ns / 1000000000u), fraction);
}

json_t *kt_json_date(int64_t seconds)
{
	return instant(seconds, "");
}
