/* SPDX-License-Identifier: BSD-2-Clause */
/* Places that are read and written without locks: who may write, and what is stored. */
#include "../../src/verify/ways.h"

#include <stdlib.h>

#include "../harness.h"

#define STRIDE sizeof(struct kt_way)

TEST(place_is_taken_by_one_writer)
{
	struct kt_way set[KT_WAYS] = {0};
	uint64_t seq, other_seq;
	struct kt_way *way = kt_way_choose(set, STRIDE, 5, &seq);
	struct kt_way *other = kt_way_choose(set, STRIDE, 5, &other_seq);

	ASSERT_NE(NULL, way);
	EXPECT_EQ(way, other);
	EXPECT_TRUE(kt_way_take(way, seq, 5, 0));
	EXPECT_FALSE(kt_way_take(other, other_seq, 5, 0));
	/* nor is it chosen meanwhile */
	EXPECT_NE(way, kt_way_choose(set, STRIDE, 5, &other_seq));
	EXPECT_EQ(0, kt_way_read(way, 5));
	kt_way_give(way, seq);
	EXPECT_EQ(seq + 2, kt_way_read(way, 5));
	/* who chose it before may not take it now */
	EXPECT_FALSE(kt_way_take(way, seq, 5, 0));
}

TEST(reader_notices_any_writing)
{
	struct kt_way set[KT_WAYS] = {0};
	struct kt_way *way;
	uint64_t seq, seen;

	way = kt_way_choose(set, STRIDE, 5, &seq);
	ASSERT_TRUE(kt_way_take(way, seq, 5, 0));
	kt_way_give(way, seq);
	EXPECT_EQ(0, kt_way_read(way, 6));
	seen = kt_way_read(way, 5);
	EXPECT_TRUE(kt_way_unchanged(way, seen));
	ASSERT_EQ(way, kt_way_choose(set, STRIDE, 5, &seq));
	EXPECT_TRUE(kt_way_take(way, seq, 5, 0));
	EXPECT_FALSE(kt_way_unchanged(way, seen));
	kt_way_give(way, seq);
	EXPECT_FALSE(kt_way_unchanged(way, seen));
}

TEST(hits_outlive_a_writing_of_the_same_tag_only)
{
	struct kt_way way = {.seq = 2, .tag = 5, .use = 3};

	ASSERT_TRUE(kt_way_take(&way, 2, 5, 0));
	kt_way_give(&way, 2);
	EXPECT_EQ(3, way.use);
	ASSERT_TRUE(kt_way_take(&way, 4, 6, 1));
	kt_way_give(&way, 4);
	EXPECT_EQ(6, way.tag);
	EXPECT_EQ(1, way.use);
}

/* Just as long as said, so that AddressSanitizer sees a byte too many. */
TEST(words_hold_bytes_of_any_length)
{
	uint64_t words[4];

	for (size_t len = 1; len <= 24; len++) {
		uint8_t *bytes = malloc(len), back[24] = {0};

		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)(0xf0 + i);
		memset(words, 0x77, sizeof words);
		kt_words_store(words, bytes, len);
		EXPECT_EQ(0x7777777777777777, words[kt_word_count(len)]);
		kt_words_load(back, words, 8 * kt_word_count(len));
		EXPECT_EQ(0, memcmp(back, bytes, len));
		for (size_t i = len; i < sizeof back; i++)
			EXPECT_EQ(0, back[i]);
		EXPECT_TRUE(kt_words_match(words, bytes, len));
		for (size_t i = 0; i < len; i++) {
			bytes[i] ^= 0x80;
			EXPECT_FALSE(kt_words_match(words, bytes, len));
			bytes[i] ^= 0x80;
		}
		free(bytes);
	}
}

TEST_HARNESS_MAIN
