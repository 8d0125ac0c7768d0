/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dates of certificates and CRLs as seconds since the epoch.
 *
 * timegm is not used: it takes the C library's lock of the time zone, which every verification in
 * every thread would meet in.
 */
#include "scan.h"

struct civil {
	int year, month, day, hour, minute, second;
};

static int number_at(const uint8_t *digits, size_t count)
{
	int number = 0;

	while (count--)
		number = number * 10 + (*digits++ - '0');
	return number;
}

/* RFC 5280 §4.1.2.5.1: two digits from 50 are of the twentieth century. */
static int year_of(struct kt_der_item time)
{
	int year;

	if (time.tag == KT_DER_GENERALIZED_TIME)
		return number_at(time.content.data, 4);
	year = number_at(time.content.data, 2);
	return year < 50 ? 2000 + year : 1900 + year;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

static bool exists(const struct civil *time)
{
	return time->month >= 1 && time->month <= 12 && time->day >= 1 &&
	       time->day <= days_in_month(time->year, time->month) && time->hour < 24 &&
	       time->minute < 60 && time->second < 60;
}

/* Days before the first of January of this year, from the year 0 of the Gregorian calendar. */
static int64_t days_before_year(int64_t year)
{
	int64_t past = year - 1;

	return year ? year * 365 + past / 4 - past / 100 + past / 400 + 1 : 0;
}

static int64_t seconds_of(const struct civil *time)
{
	int64_t days = days_before_year(time->year) - days_before_year(1970) + time->day - 1;

	for (int month = 1; month < time->month; month++)
		days += days_in_month(time->year, month);
	return ((days * 24 + time->hour) * 60 + time->minute) * 60 + time->second;
}

bool kt_scan_seconds(struct kt_der_view tlv, int64_t *ret_seconds)
{
	struct kt_der_item item;
	struct civil time;
	const uint8_t *rest;

	if (!kt_der_read(&tlv, &item))
		return false;
	rest = item.content.data + (item.tag == KT_DER_GENERALIZED_TIME ? 4 : 2);
	time = (struct civil){year_of(item),	      number_at(rest, 2),
			      number_at(rest + 2, 2), number_at(rest + 4, 2),
			      number_at(rest + 6, 2), number_at(rest + 8, 2)};
	if (!exists(&time))
		return false;
	*ret_seconds = seconds_of(&time);
	return true;
}
