/* SPDX-License-Identifier: BSD-2-Clause */
#include "utf8.h"

#include <stdbool.h>

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* By the first byte: how many, and between what the second lies (RFC 3629 §4). */
static const struct {
	unsigned char first, last, low, high;
	size_t len;
} forms[] = {
	{0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t kt_utf8_len(const unsigned char *at, size_t len)
{
	for (size_t i = 0; len && i < sizeof forms / sizeof forms[0]; i++) {
		size_t wanted = forms[i].len;

		if (at[0] < forms[i].first || at[0] > forms[i].last)
			continue;
		if (wanted > len || (wanted > 1 && (at[1] < forms[i].low || at[1] > forms[i].high)))
			return 0;
		for (size_t k = 2; k < wanted; k++)
			if (!is_continuation(at[k]))
				return 0;
		return wanted;
	}
	return 0;
}

size_t kt_utf8_put(uint32_t character, char out[static 4])
{
	static const uint32_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t len = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

	for (size_t i = len; --i; character >>= 6)
		out[i] = (char)(0x80 | (character & 0x3f));
	out[0] = (char)(first[len] | character);
	return len;
}
