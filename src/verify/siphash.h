/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012): a keyed hash for
 * tables that a peer fills. Who does not know the key cannot choose what falls into one place. It
 * is no proof that two inputs are the same, and its output is not to be shown to anyone: one round
 * a word and three at the end are what Linux and Rust take for tables, not for authentication.
 *
 * An input is given in pieces, each filled up with zeros to whole words. The hash is that of the
 * pieces so filled, one behind the other: where pieces vary in length, add the lengths first.
 *
 * Threads: a struct kt_siphash belongs to one; keys may be shared.
 */
#ifndef KTRUST_VERIFY_SIPHASH_H
#define KTRUST_VERIFY_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct kt_siphash_key {
	uint64_t half[2];
};

struct kt_siphash {
	uint64_t v[4];
	uint64_t words; /* added so far */
};

void kt_siphash_begin(struct kt_siphash *hash, const struct kt_siphash_key *key);
void kt_siphash_add(struct kt_siphash *hash, const void *data, size_t len);
/* The last piece, of 0 to 7 bytes, which is not filled up: as SipHash is defined for it. */
uint64_t kt_siphash_end(struct kt_siphash *hash, const void *data, size_t len);

/* All at once: SipHash-1-3 of len bytes as published. */
uint64_t kt_siphash(const struct kt_siphash_key *key, const void *data, size_t len);

#endif
