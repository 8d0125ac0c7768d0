/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places of a set-associative table that many threads read and write without locks. Nothing is ever
 * taken away from under a reader, so nobody waits, and nothing has to be freed.
 *
 * A place is a struct kt_way and its content, a row of words elsewhere. The way's sequence is 0
 * while nothing was ever written, odd while somebody writes, and grows by 2 with each writing:
 *
 *   reader  seq = kt_way_read; kt_words_match and kt_words_load; kt_way_unchanged, or it was
 * nothing writer  kt_way_choose; kt_way_take, or somebody else did; kt_words_store; kt_way_give
 *
 * Words are stored with release and loaded with acquire: who saw any word of a writing sees its odd
 * sequence, or a later one, when it looks again. Fences would do on fewer instructions where such
 * loads cost something (they do not on x86), but gcc's ThreadSanitizer does not know them.
 *
 * A writer that never came to its end (its process forked meanwhile: in the child) leaves a place
 * that is not used any more; that is all.
 *
 * Which place is given up: `use` grows with hits up to KT_USE_MAX, and falls when a newcomer finds
 * no place unused, so that what is asked for outlives what is not. It is a hint: updates may get
 * lost.
 */
#ifndef KTRUST_VERIFY_WAYS_H
#define KTRUST_VERIFY_WAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "words.h"

#define KT_WAYS	   4 /* places of a set */
#define KT_USE_MAX 7

struct kt_way {
	uint64_t seq;
	uint32_t tag; /* of the key's hash: saves looking at the content of most others */
	uint32_t use;
};

_Static_assert(__atomic_always_lock_free(sizeof(uint64_t), 0), "words are read without locks");

/*
 * The i-th place to look for a tag in a set of KT_WAYS, whose first place is given and each of the
 * others is stride bytes behind the one before. All go the same way round, so that of two places
 * for one key (written at the same time) the one found is the one replaced.
 */
static inline struct kt_way *kt_way_at(void *first, size_t stride, uint32_t tag, size_t i)
{
	return (struct kt_way *)((uint8_t *)first + stride * ((tag + i) % KT_WAYS));
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* The sequence to hold against kt_way_unchanged; 0: nothing to be had here for this tag. */
static inline uint64_t kt_way_read(const struct kt_way *way, uint32_t tag)
{
	uint64_t seq = __atomic_load_n(&way->seq, __ATOMIC_ACQUIRE);

	if (seq % 2 || __atomic_load_n(&way->tag, __ATOMIC_ACQUIRE) != tag)
		return 0;
	return seq;
}

/* Was all that was loaded since kt_way_read from one writing? */
static inline bool kt_way_unchanged(const struct kt_way *way, uint64_t seq)
{
	/* Stays behind the loads before it: they are acquiring. */
	return __atomic_load_n(&way->seq, __ATOMIC_RELAXED) == seq;
}

/* A hit. Full counters are only looked at, so that readers share their line. */
static inline void kt_way_used(struct kt_way *way)
{
	uint32_t use = __atomic_load_n(&way->use, __ATOMIC_RELAXED);

	if (use < KT_USE_MAX)
		__atomic_store_n(&way->use, use + 1, __ATOMIC_RELAXED);
}

/* Are the words those of the bytes, as kt_words_store would store them? */
static inline bool kt_words_match(const uint64_t *words, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t differ = 0;
	size_t i;

	for (i = 0; i < len / 8; i++)
		differ |= __atomic_load_n(&words[i], __ATOMIC_ACQUIRE) ^ kt_word(bytes + 8 * i);
	if (len % 8)
		differ |= __atomic_load_n(&words[i], __ATOMIC_ACQUIRE) ^ kt_word_tail(bytes, len);
	return differ == 0;
}

/* len: a multiple of 8. */
static inline void kt_words_load(void *ret_data, const uint64_t *words, size_t len)
{
	for (size_t i = 0; i < len / 8; i++) {
		uint64_t word = htole64(__atomic_load_n(&words[i], __ATOMIC_ACQUIRE));

		memcpy((uint8_t *)ret_data + 8 * i, &word, sizeof word);
	}
}

/* ---- Writing -------------------------------------------------------------------------------- */

/*
 * Of a set, as for kt_way_at: the place of this tag, else one never written to, else one not used,
 * with the sequence to take it by. NULL: all are in use, now a little less so.
 */
struct kt_way *kt_way_choose(void *first, size_t stride, uint32_t tag, uint64_t *ret_seq);

/* To write. Another tag than before begins with that use. False: another writer came first. */
bool kt_way_take(struct kt_way *way, uint64_t seq, uint32_t tag, uint32_t use);

static inline void kt_words_store(uint64_t *words, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i < len / 8; i++)
		__atomic_store_n(&words[i], kt_word(bytes + 8 * i), __ATOMIC_RELEASE);
	if (len % 8)
		__atomic_store_n(&words[i], kt_word_tail(bytes, len), __ATOMIC_RELEASE);
}

/* Written: seq as it was taken by. */
static inline void kt_way_give(struct kt_way *way, uint64_t seq)
{
	__atomic_store_n(&way->seq, seq + 2, __ATOMIC_RELEASE);
}

#endif
