/* SPDX-License-Identifier: BSD-2-Clause */
/* The words that options and cases of `ktrust verify` are made of. */
#include "verify.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int kt_cli_role(const char *text, enum kt_role *ret_role)
{
	if (!strcmp(text, "server"))
		*ret_role = KT_ROLE_SERVER;
	else if (!strcmp(text, "client"))
		*ret_role = KT_ROLE_CLIENT;
	else
		return -EINVAL;
	return 0;
}

int kt_cli_profile(const char *text, enum kt_profile *ret_profile)
{
	if (!strcmp(text, "web"))
		*ret_profile = KT_PROFILE_WEB;
	else if (!strcmp(text, "rfc5280"))
		*ret_profile = KT_PROFILE_RFC5280;
	else
		return -EINVAL;
	return 0;
}

int kt_cli_verifier(const char *text, enum kt_verifier_mode *ret_mode)
{
	if (!strcmp(text, "both"))
		*ret_mode = KT_VERIFIER_BOTH;
	else if (!strcmp(text, "own"))
		*ret_mode = KT_VERIFIER_OWN;
	else
		return -EINVAL;
	return 0;
}

int kt_cli_name(const char *text, enum kt_name_type *ret_type, const char **ret_name)
{
	static const struct {
		const char *prefix;
		enum kt_name_type type;
	} types[] = {
		{"dns:", KT_NAME_DNS},
		{"ip:", KT_NAME_IP},
		{"email:", KT_NAME_EMAIL},
		{"uri:", KT_NAME_URI},
	};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		size_t len = strlen(types[i].prefix);

		if (strncmp(text, types[i].prefix, len) || !text[len])
			continue;
		*ret_type = types[i].type;
		*ret_name = text + len;
		return 0;
	}
	return -EINVAL;
}

unsigned int kt_cli_path_max(unsigned long long intermediates)
{
	return intermediates < KT_PATH_MAX ? (unsigned int)intermediates + 1 : KT_PATH_MAX;
}

/* ---- Time ---------------------------------------------------------------------------------- */

static bool take_digits(const char **at, int count, int *ret_number)
{
	int number = 0;

	for (int i = 0; i < count; i++, (*at)++) {
		if (!isdigit((unsigned char)**at))
			return false;
		number = number * 10 + (**at - '0');
	}
	*ret_number = number;
	return true;
}

static bool take_one_of(const char **at, const char *letters)
{
	if (!**at || !strchr(letters, **at))
		return false;
	(*at)++;
	return true;
}

static bool take_date(const char **at, struct tm *tm)
{
	return take_digits(at, 4, &tm->tm_year) && take_one_of(at, "-") &&
	       take_digits(at, 2, &tm->tm_mon) && take_one_of(at, "-") &&
	       take_digits(at, 2, &tm->tm_mday);
}

static bool take_clock(const char **at, struct tm *tm)
{
	bool taken = take_digits(at, 2, &tm->tm_hour) && take_one_of(at, ":") &&
		     take_digits(at, 2, &tm->tm_min) && take_one_of(at, ":") &&
		     take_digits(at, 2, &tm->tm_sec);

	if (!taken || !take_one_of(at, "."))
		return taken;
	if (!isdigit((unsigned char)**at))
		return false;
	while (isdigit((unsigned char)**at))
		(*at)++;
	return true;
}

/* Seconds that local time is ahead of UTC. */
static bool take_offset(const char **at, int *ret_seconds)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	if (take_one_of(at, "Zz")) {
		*ret_seconds = 0;
		return true;
	}
	if (!take_one_of(at, "+-") || !take_digits(at, 2, &hours) || !take_one_of(at, ":") ||
	    !take_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* Is there such a day? ret_seconds: its beginning. */
static bool day_exists(const struct tm *tm, int64_t *ret_seconds)
{
	struct tm asked = {
		.tm_year = tm->tm_year - 1900, .tm_mon = tm->tm_mon - 1, .tm_mday = tm->tm_mday};
	time_t seconds = timegm(&asked);

	/* A 30th of February has become another day. */
	*ret_seconds = seconds;
	return asked.tm_mday == tm->tm_mday && asked.tm_mon == tm->tm_mon - 1;
}

/* RFC 3339 §5.6; a leap second is the first of the next minute. */
static bool date_time(const char *text, int64_t *ret_seconds)
{
	struct tm tm = {0};
	int64_t day;
	int ahead;

	if (!take_date(&text, &tm) || !take_one_of(&text, "Tt ") || !take_clock(&text, &tm) ||
	    !take_offset(&text, &ahead) || *text)
		return false;
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 || !day_exists(&tm, &day))
		return false;
	*ret_seconds = day + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec - ahead;
	return true;
}

static bool number(const char *text, int64_t *ret_seconds)
{
	const char *digits = text + (*text == '-');
	long long seconds;
	char *end;

	errno = 0;
	seconds = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)*digits) || *end || errno)
		return false;
	*ret_seconds = seconds;
	return true;
}

int kt_cli_time(const char *text, int64_t *ret_seconds)
{
	int64_t seconds;

	if (!number(text, &seconds) && !date_time(text, &seconds))
		return -EINVAL;
	*ret_seconds = seconds;
	return 0;
}
