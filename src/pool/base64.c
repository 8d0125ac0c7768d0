/* SPDX-License-Identifier: BSD-2-Clause */
#include "base64.h"

#include <endian.h>
#include <string.h>

#define IS_BASE64 0x40 /* set in every entry of the alphabet, so that what is not named has 0 */

static const uint8_t alphabet[256] = {
	['A'] = 0x40, ['B'] = 0x41, ['C'] = 0x42, ['D'] = 0x43, ['E'] = 0x44, ['F'] = 0x45,
	['G'] = 0x46, ['H'] = 0x47, ['I'] = 0x48, ['J'] = 0x49, ['K'] = 0x4a, ['L'] = 0x4b,
	['M'] = 0x4c, ['N'] = 0x4d, ['O'] = 0x4e, ['P'] = 0x4f, ['Q'] = 0x50, ['R'] = 0x51,
	['S'] = 0x52, ['T'] = 0x53, ['U'] = 0x54, ['V'] = 0x55, ['W'] = 0x56, ['X'] = 0x57,
	['Y'] = 0x58, ['Z'] = 0x59, ['a'] = 0x5a, ['b'] = 0x5b, ['c'] = 0x5c, ['d'] = 0x5d,
	['e'] = 0x5e, ['f'] = 0x5f, ['g'] = 0x60, ['h'] = 0x61, ['i'] = 0x62, ['j'] = 0x63,
	['k'] = 0x64, ['l'] = 0x65, ['m'] = 0x66, ['n'] = 0x67, ['o'] = 0x68, ['p'] = 0x69,
	['q'] = 0x6a, ['r'] = 0x6b, ['s'] = 0x6c, ['t'] = 0x6d, ['u'] = 0x6e, ['v'] = 0x6f,
	['w'] = 0x70, ['x'] = 0x71, ['y'] = 0x72, ['z'] = 0x73, ['0'] = 0x74, ['1'] = 0x75,
	['2'] = 0x76, ['3'] = 0x77, ['4'] = 0x78, ['5'] = 0x79, ['6'] = 0x7a, ['7'] = 0x7b,
	['8'] = 0x7c, ['9'] = 0x7d, ['+'] = 0x7e, ['/'] = 0x7f,
};

static uint32_t entry_of(char c)
{
	return alphabet[(unsigned char)c];
}

void kt_base64_init(struct kt_base64 *state, uint8_t *out, size_t size)
{
	*state = (struct kt_base64){.out = out, .size = size};
}

static enum kt_base64_result put(struct kt_base64 *state, unsigned int count)
{
	if (state->size - state->len < count)
		return KT_BASE64_FULL;
	for (unsigned int i = 0; i < count; i++)
		state->out[state->len++] = (uint8_t)(state->bits >> (16 - 8 * i));
	return KT_BASE64_OK;
}

/* A group with one or two '=' at its end stands for two or one bytes; the other bits are zero. */
static enum kt_base64_result finish_padded(struct kt_base64 *state)
{
	unsigned int bytes = 3 - state->padding;

	if (state->bits & (0xffffffu >> (8 * bytes)))
		return KT_BASE64_PADDING;
	return put(state, bytes);
}

static enum kt_base64_result add_one(struct kt_base64 *state, char c)
{
	uint32_t entry = entry_of(c);

	if (c == '=') {
		if (state->pending < 2 || state->padding == 2)
			return KT_BASE64_PADDING;
		state->padding++;
		entry = IS_BASE64;
	} else if (!entry) {
		return KT_BASE64_CHARACTER;
	} else if (state->padding) {
		return KT_BASE64_PADDING;
	}
	state->bits = state->bits << 6 | (entry - IS_BASE64);
	if (++state->pending < 4)
		return KT_BASE64_OK;
	state->pending = 0;
	state->bits &= 0xffffff;
	return state->padding ? finish_padded(state) : put(state, 3);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* What the marks of four entries add up to in a group. */
#define GROUP_MARKS ((uint32_t)IS_BASE64 << 18 | IS_BASE64 << 12 | IS_BASE64 << 6 | IS_BASE64)

/*
 * Whole groups of four without padding: nearly all of a certificate goes this way. A group is
 * written with a byte of zero behind it, which the next one overwrites, so there is to be room for
 * that too. Returns how many characters were taken.
 */
static size_t add_groups(struct kt_base64 *state, const char *text, size_t len)
{
	uint8_t *out = state->out + state->len;
	size_t room = state->size - state->len;
	size_t groups = room ? min_size(len / 4, (room - 1) / 3) : 0;
	size_t done;

	for (done = 0; done < groups; done++, text += 4, out += 3) {
		uint32_t a = entry_of(text[0]), b = entry_of(text[1]);
		uint32_t c = entry_of(text[2]), d = entry_of(text[3]);
		uint32_t bits = (a << 18) + (b << 12) + (c << 6) + d - GROUP_MARKS;

		if (!(a & b & c & d))
			break;
		bits = htobe32(bits << 8);
		memcpy(out, &bits, sizeof bits);
	}
	state->len += done * 3;
	return done * 4;
}

enum kt_base64_result kt_base64_add(struct kt_base64 *state, const char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		enum kt_base64_result result;

		if (state->pending == 0 && !state->padding) {
			i += add_groups(state, text + i, len - i);
			if (i == len)
				break;
		}
		result = add_one(state, text[i++]);
		if (result != KT_BASE64_OK)
			return result;
	}
	return KT_BASE64_OK;
}

enum kt_base64_result kt_base64_end(const struct kt_base64 *state)
{
	return state->pending ? KT_BASE64_CUT : KT_BASE64_OK;
}
