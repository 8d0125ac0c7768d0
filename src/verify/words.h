/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as 64-bit words, first byte lowest, the last word filled up with zeros. The bytes may stand
 * at any address. Where two inputs of different lengths must differ as words, the lengths have to
 * be among them.
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_WORDS_H
#define KTRUST_VERIFY_WORDS_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How many words hold len bytes. */
static inline size_t kt_word_count(size_t len)
{
	return len / 8 + (len % 8 != 0);
}

/* The 8 bytes there. */
static inline uint64_t kt_word(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return le64toh(word);
}

/* The len % 8 bytes at the end of data; 0 when that is none. */
static inline uint64_t kt_word_tail(const uint8_t *data, size_t len)
{
	unsigned int tail = len % 8;
	uint64_t word = 0;

	if (tail == 0)
		return 0;
	/* Two loads less than a copy of some length that only the run knows. */
	if (len > 8)
		return kt_word(data + len - 8) >> (64 - 8 * tail);
	memcpy(&word, data, tail);
	return le64toh(word);
}

#endif
