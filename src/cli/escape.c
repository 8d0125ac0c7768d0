/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <string.h>

/* The length of the UTF-8 sequence at s (RFC 3629: shortest form, no surrogates), or 0. */
static size_t sequence(const unsigned char *s, uint32_t *ret_point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80       ? 1
		     : s[0] >> 5 == 6  ? 2
		     : s[0] >> 4 == 14 ? 3
		     : s[0] >> 3 == 30 ? 4
				       : 0;
	uint32_t point;

	if (len <= 1) {
		*ret_point = s[0];
		return len;
	}
	point = s[0] & (0x7fu >> len);
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

/* Controls; and what is not seen but changes how the rest is seen. */
static bool is_printable(uint32_t point)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} not_shown[] = {
		{0x00, 0x1f},	  {0x7f, 0x9f},	    {0xad, 0xad},	{0x61c, 0x61c},
		{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},	{0x2060, 0x206f},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < sizeof not_shown / sizeof not_shown[0]; i++)
		if (point >= not_shown[i].first && point <= not_shown[i].last)
			return false;
	return true;
}

static const char *escape(const char *text, char *buf, size_t size, bool terminal)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t at = 0;

	while (*s) {
		uint32_t point = 0;
		size_t len = sequence(s, &point);
		bool plain = len &&
			     (!terminal || (is_printable(point) && point != '"' && point != '\\'));
		size_t taken = len ? len : 1;

		if (at + (plain ? taken : 4 * taken) >= size)
			break;
		if (plain)
			memcpy(buf + at, s, taken);
		for (size_t i = 0; !plain && i < taken; i++)
			snprintf(buf + at + 4 * i, 5, "\\x%02x", s[i]);
		at += plain ? taken : 4 * taken;
		s += taken;
	}
	buf[at] = '\0';
	return buf;
}

const char *kt_cli_escape(const char *text, char *buf, size_t size)
{
	return escape(text, buf, size, true);
}

const char *kt_cli_escape_utf8(const char *text, char *buf, size_t size)
{
	return escape(text, buf, size, false);
}
