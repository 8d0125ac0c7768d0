/* SPDX-License-Identifier: BSD-2-Clause */
#include "nss_date.h"

#include <time.h>

#define UTC_TIME_LEN 13

bool kt_nss_date_read(const uint8_t *bytes, size_t len, int64_t *ret_seconds)
{
	int numbers[6];
	struct tm tm, again;
	time_t seconds;

	if (len != UTC_TIME_LEN || bytes[UTC_TIME_LEN - 1] != 'Z')
		return false;
	for (size_t i = 0; i < UTC_TIME_LEN - 1; i++)
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
	for (size_t i = 0; i < 6; i++)
		numbers[i] = (bytes[2 * i] - '0') * 10 + bytes[2 * i + 1] - '0';
	tm = (struct tm){
		.tm_year = numbers[0] < 50 ? numbers[0] + 100 : numbers[0],
		.tm_mon = numbers[1] - 1,
		.tm_mday = numbers[2],
		.tm_hour = numbers[3],
		.tm_min = numbers[4],
		.tm_sec = numbers[5],
	};
	again = tm;
	seconds = timegm(&again);
	/* timegm carries over what does not exist, such as 30 February. */
	if (again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday ||
	    again.tm_hour != tm.tm_hour || again.tm_min != tm.tm_min || again.tm_sec != tm.tm_sec)
		return false;
	*ret_seconds = seconds;
	return true;
}
