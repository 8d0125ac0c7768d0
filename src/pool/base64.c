/* SPDX-License-Identifier: BSD-2-Clause */
#include "base64.h"

#define NOT_BASE64 0x40 /* set in no value of the alphabet */

/* Value plus one, so that what is not named is 0 and becomes NOT_BASE64. */
static const uint8_t alphabet[256] = {
	['A'] = 1,  ['B'] = 2,	['C'] = 3,  ['D'] = 4,	['E'] = 5,  ['F'] = 6,	['G'] = 7,
	['H'] = 8,  ['I'] = 9,	['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};

static uint32_t value_of(char c)
{
	uint8_t value = alphabet[(unsigned char)c];

	return value ? value - 1u : NOT_BASE64;
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
	uint32_t value = value_of(c);

	if (c == '=') {
		if (state->pending < 2 || state->padding == 2)
			return KT_BASE64_PADDING;
		state->padding++;
		value = 0;
	} else if (value == NOT_BASE64) {
		return KT_BASE64_CHARACTER;
	} else if (state->padding) {
		return KT_BASE64_PADDING;
	}
	state->bits = state->bits << 6 | value;
	if (++state->pending < 4)
		return KT_BASE64_OK;
	state->pending = 0;
	state->bits &= 0xffffff;
	return state->padding ? finish_padded(state) : put(state, 3);
}

/* Whole groups of four without padding: nearly all of a certificate goes this way. */
static size_t add_groups(struct kt_base64 *state, const char *text, size_t len)
{
	size_t done = 0;

	for (; len - done >= 4 && state->size - state->len >= 3; done += 4) {
		uint32_t a = value_of(text[done]), b = value_of(text[done + 1]);
		uint32_t c = value_of(text[done + 2]), d = value_of(text[done + 3]);
		uint32_t bits = a << 18 | b << 12 | c << 6 | d;

		if ((a | b | c | d) & NOT_BASE64)
			break;
		state->out[state->len++] = (uint8_t)(bits >> 16);
		state->out[state->len++] = (uint8_t)(bits >> 8);
		state->out[state->len++] = (uint8_t)bits;
	}
	return done;
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
