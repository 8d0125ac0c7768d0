/* SPDX-License-Identifier: BSD-2-Clause */
/* Characters of ASCII, whatever the locale: what names in certificates are made of. */
#ifndef KTRUST_VERIFY_ASCII_H
#define KTRUST_VERIFY_ASCII_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool kt_ascii_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline uint8_t kt_ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static inline bool kt_ascii_is_letter(uint8_t c)
{
	return kt_ascii_lower(c) >= 'a' && kt_ascii_lower(c) <= 'z';
}

static inline bool kt_ascii_is_one_of(uint8_t c, const char *chars)
{
	return c && strchr(chars, c);
}

#endif
