/* SPDX-License-Identifier: BSD-2-Clause */
/* Tickets in handshake records, however they are cut. */
#include <errno.h>
#include <string.h>

#include "../../src/engine/tickets.h"
#include "../harness.h"

/* A ticket of 5 bytes, one of none, one of 300. */
#define STREAM_LEN (4 + 5 + 4 + 4 + 300)

static void make_stream(uint8_t stream[static STREAM_LEN])
{
	memset(stream, 0xaa, STREAM_LEN);
	memcpy(stream, "\4\0\0\5", 4);
	memcpy(stream + 9, "\4\0\0\0", 4);
	memcpy(stream + 13, "\4\0\1\54", 4);
}

TEST(tickets_are_dropped_in_records_of_any_length)
{
	uint8_t stream[STREAM_LEN];

	make_stream(stream);
	for (size_t record = 1; record <= STREAM_LEN; record++) {
		struct kt_tickets tickets = {0};

		for (size_t at = 0; at < STREAM_LEN; at += record) {
			size_t len = record < STREAM_LEN - at ? record : STREAM_LEN - at;

			EXPECT_EQ(len, kt_tickets_drop(&tickets, stream + at, len));
		}
		EXPECT_TRUE(kt_tickets_data(&tickets, 1));
	}
}

TEST(other_messages_are_left)
{
	uint8_t stream[STREAM_LEN + 5];
	struct kt_tickets tickets = {0};

	EXPECT_EQ(0, kt_tickets_drop(&tickets, (const uint8_t *)"\30\0\0\1\0", 5));
	make_stream(stream);
	memcpy(stream + STREAM_LEN, "\30\0\0\1\0", 5);
	EXPECT_EQ(STREAM_LEN, kt_tickets_drop(&tickets, stream, sizeof stream));
	EXPECT_TRUE(kt_tickets_data(&tickets, 1));
}

TEST(data_amid_a_ticket_is_a_breach)
{
	uint8_t stream[STREAM_LEN];

	make_stream(stream);
	for (size_t len = 1; len < STREAM_LEN; len++) {
		struct kt_tickets tickets = {0};

		ASSERT_EQ(len, kt_tickets_drop(&tickets, stream, len));
		EXPECT_EQ(len == 9 || len == 13, kt_tickets_data(&tickets, 1));
	}
}

TEST(tickets_have_a_longest_length)
{
	struct kt_tickets tickets = {0};

	EXPECT_EQ(4, kt_tickets_drop(&tickets, (const uint8_t *)"\4\2\1\11", 4)); /* 131,337 */
	tickets = (struct kt_tickets){0};
	EXPECT_EQ(-EPROTO, kt_tickets_drop(&tickets, (const uint8_t *)"\4\2\1\12", 4));
}

TEST(tickets_without_end_are_a_breach)
{
	static const uint8_t empty[4096] = {0};
	struct kt_tickets tickets = {0};
	uint8_t many[4096];
	size_t dropped = 0;

	for (size_t i = 0; i < sizeof many; i += 4)
		memcpy(many + i, "\4\0\0\0", 4);
	for (; dropped < KT_TICKETS_MAX; dropped += sizeof many)
		ASSERT_EQ(sizeof many, kt_tickets_drop(&tickets, many, sizeof many));
	EXPECT_EQ(-EPROTO, kt_tickets_drop(&tickets, many, 4));
	/* Data between them begins anew, and an empty record (RFC 8446 §5.4) is none. */
	EXPECT_TRUE(kt_tickets_data(&tickets, 0));
	EXPECT_EQ(-EPROTO, kt_tickets_drop(&tickets, many, 4));
	EXPECT_TRUE(kt_tickets_data(&tickets, 1));
	EXPECT_EQ(4, kt_tickets_drop(&tickets, many, 4));
	EXPECT_EQ(0, kt_tickets_drop(&tickets, empty, sizeof empty));
}

TEST_HARNESS_MAIN
