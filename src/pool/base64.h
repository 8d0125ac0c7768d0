/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A strict base64 decoder (RFC 4648 §4) that is fed piece by piece.
 *
 * Strict: no character outside the alphabet, padding only and fully at the end, no bits left in
 * the last character (§3.5), so that no two texts decode to the same bytes.
 *
 * The caller owns the state and the output; one thread at a time. Not constant in time: for
 * certificates, never for keys.
 */
#ifndef KT_POOL_BASE64_H
#define KT_POOL_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kt_base64 {
	uint8_t *out; /* borrowed */
	size_t size;  /* bytes there is room for */
	size_t len;   /* bytes decoded */
	uint32_t bits;
	unsigned int pending; /* characters of an unfinished group, padding included: 0 … 3 */
	unsigned int padding; /* '=' seen: 0 … 2 */
};

enum kt_base64_result {
	KT_BASE64_OK,
	KT_BASE64_CHARACTER, /* outside the alphabet */
	KT_BASE64_PADDING,   /* misplaced, or something follows it */
	KT_BASE64_FULL,	     /* more than size bytes */
	KT_BASE64_CUT,	     /* a group is not finished */
};

void kt_base64_init(struct kt_base64 *state, uint8_t *out, size_t size);

/* After another result than KT_BASE64_OK the state is spent. */
enum kt_base64_result kt_base64_add(struct kt_base64 *state, const char *text, size_t len);

/* KT_BASE64_OK: out holds state->len bytes. */
enum kt_base64_result kt_base64_end(const struct kt_base64 *state);

#endif
