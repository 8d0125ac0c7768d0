/* SPDX-License-Identifier: BSD-2-Clause */
#include "nss_label.h"

#include <stdint.h>

static int digit_of(char c, unsigned int base)
{
	int digit = c >= '0' && c <= '9'   ? c - '0'
		    : c >= 'a' && c <= 'f' ? c - 'a' + 10
		    : c >= 'A' && c <= 'F' ? c - 'A' + 10
					   : -1;

	return digit < (int)base ? digit : -1;
}

/* A number of so many digits. -1: it is none, or no byte. */
static int read_number(const char *text, size_t avail, size_t digits, unsigned int base)
{
	int number = 0;

	if (avail < digits)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		int digit = digit_of(text[i], base);

		if (digit < 0)
			return -1;
		number = number * (int)base + digit;
	}
	return number <= 0xff ? number : -1;
}

/* What stands behind a backslash: its byte and length. 0: no escape. */
static size_t read_escape(const char *text, size_t avail, char *ret_byte)
{
	size_t taken = 3;
	int number;

	if (avail > 0 && (text[0] == '"' || text[0] == '\\')) {
		*ret_byte = text[0];
		return 1;
	}
	if (avail > 0 && text[0] == 'x')
		number = read_number(text + 1, avail - 1, 2, 16);
	else
		number = read_number(text, avail, 3, 8);
	if (number < 0)
		return 0;
	*ret_byte = (char)number;
	return taken;
}

/* The length of the UTF-8 sequence at s (shortest form, no surrogates), or 0. */
static size_t sequence_at(const uint8_t *s, size_t avail, uint32_t *ret_point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80       ? 1
		     : s[0] >> 5 == 6  ? 2
		     : s[0] >> 4 == 14 ? 3
		     : s[0] >> 3 == 30 ? 4
				       : 0;
	uint32_t point;

	if (len == 0 || len > avail)
		return 0;
	point = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return len;
}

static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

/* In place, since '?' is never longer. Returns the new length. */
static size_t make_printable(uint8_t *s, size_t len)
{
	size_t out = 0, taken;

	for (size_t in = 0; in < len; in += taken) {
		uint32_t point = 0;

		taken = sequence_at(s + in, len - in, &point);
		if (taken && !is_control(point)) {
			for (size_t i = 0; i < taken; i++)
				s[out++] = s[in + i];
			continue;
		}
		s[out++] = '?';
		taken = taken ? taken : 1;
	}
	return out;
}

bool kt_nss_label_decode(const char *text, size_t len, char *label, size_t *ret_len)
{
	size_t out = 0;

	for (size_t in = 0; in < len; in++) {
		size_t taken;

		if (text[in] != '\\') {
			label[out++] = text[in];
			continue;
		}
		taken = read_escape(text + in + 1, len - in - 1, &label[out]);
		if (!taken)
			return false;
		out++;
		in += taken;
	}
	out = make_printable((uint8_t *)label, out);
	label[out] = '\0';
	*ret_len = out;
	return true;
}
