/* SPDX-License-Identifier: BSD-2-Clause */
#include "siphash.h"

#include "words.h"

/* Rotation; by is neither 0 nor 64. */
static inline uint64_t turned(uint64_t word, unsigned int by)
{
	return word << by | word >> (64 - by);
}

static inline void mix(uint64_t v[static 4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = turned(v[1], 13) ^ v[0];
	v[3] = turned(v[3], 16) ^ v[2];
	v[0] = turned(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = turned(v[1], 17) ^ v[2];
	v[3] = turned(v[3], 21) ^ v[0];
	v[2] = turned(v[2], 32);
}

static inline void absorb(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	mix(v);
	v[0] ^= word;
}

void kt_siphash_begin(struct kt_siphash *hash, const struct kt_siphash_key *key)
{
	/* "somepseudorandomlygeneratedbytes" */
	hash->v[0] = key->half[0] ^ 0x736f6d6570736575;
	hash->v[1] = key->half[1] ^ 0x646f72616e646f6d;
	hash->v[2] = key->half[0] ^ 0x6c7967656e657261;
	hash->v[3] = key->half[1] ^ 0x7465646279746573;
	hash->words = 0;
}

void kt_siphash_add(struct kt_siphash *hash, const void *data, size_t len)
{
	/* In registers: through the pointer each step would be a store. */
	uint64_t v[4] = {hash->v[0], hash->v[1], hash->v[2], hash->v[3]};
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len / 8; i++)
		absorb(v, kt_word(bytes + 8 * i));
	if (len % 8)
		absorb(v, kt_word_tail(bytes, len));
	memcpy(hash->v, v, sizeof v);
	hash->words += kt_word_count(len);
}

uint64_t kt_siphash_end(struct kt_siphash *hash, const void *data, size_t len)
{
	uint64_t *v = hash->v;

	absorb(v, (hash->words * 8 + len) << 56 | kt_word_tail(data, len));
	v[2] ^= 0xff;
	mix(v);
	mix(v);
	mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t kt_siphash(const struct kt_siphash_key *key, const void *data, size_t len)
{
	const size_t whole = len & ~(size_t)7;
	struct kt_siphash hash;

	kt_siphash_begin(&hash, key);
	kt_siphash_add(&hash, data, whole);
	return kt_siphash_end(&hash, (const uint8_t *)data + whole, len - whole);
}
