/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of ktrust dial's records in the kernel: when they are replaced, and what ends where they
 * cannot be, with a stand-in for the kernel (linked with --wrap).
 */
#include "../../src/cli/dial_keys.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../harness.h"

#define UNEXPECTED_MESSAGE 10
#define INTERNAL_ERROR	   80
#define RECORDS		   4 /* full records that a key may protect here */

static const uint8_t update[] = {24, 0, 0, 1, 0}, update_that_asks[] = {24, 0, 0, 1, 1};

static struct {
	int err;
	unsigned int installs[2]; /* by enum kt_direction */
} kernel;

int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key);

int __wrap_kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
			   enum kt_cipher cipher, const struct kt_traffic_key *key)
{
	(void)fd;
	(void)version;
	(void)cipher;
	(void)key;
	kernel.installs[direction]++;
	return kernel.err;
}

FIXTURE(keys)
{
	struct kt_dial_keys keys;
	int fds[2];
	bool end;
	uint8_t alert;
};

FIXTURE_SETUP(keys)
{
	memset(&kernel, 0, sizeof kernel);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, self->fds));
	ASSERT_EQ(0, kt_dial_keys_keep(&self->keys, NULL, &(struct kt_ktls_support){0}, KT_TLS_1_3,
				       KT_AES_128_GCM));
	self->keys.records_max = RECORDS;
	self->keys.replaceable = true;
	memset(self->keys.rekey.secrets.tx, 1, KT_TRAFFIC_SECRET_MAX);
	memset(self->keys.rekey.secrets.rx, 2, KT_TRAFFIC_SECRET_MAX);
}

FIXTURE_TEARDOWN(keys)
{
	close(self->fds[0]);
	close(self->fds[1]);
}

static const char *record(FIXTURE_DATA(keys) * self, const uint8_t *content, size_t len)
{
	return kt_dial_keys_record(&self->keys, self->fds[0], content, len, &self->end,
				   &self->alert);
}

/* What was sent; ends with -1. */
static int sent(FIXTURE_DATA(keys) * self)
{
	uint8_t message[KT_KEY_UPDATE_LEN + 1];
	ssize_t len = recv(self->fds[1], message, sizeof message, 0);

	if (len < 0)
		return -1;
	EXPECT_EQ(KT_KEY_UPDATE_LEN, len);
	EXPECT_EQ(24, message[0]);
	return message[4];
}

static bool begins(const char *text, const char *with)
{
	return text && !strncmp(text, with, strlen(with));
}

TEST_F(keys, update_is_followed_and_not_answered)
{
	EXPECT_TRUE(!record(self, update, sizeof update));
	EXPECT_EQ(1, kernel.installs[KT_RX]);
	EXPECT_FALSE(kt_dial_keys_due(&self->keys));
}

TEST_F(keys, update_that_asks_is_followed_and_answered)
{
	EXPECT_TRUE(!record(self, update_that_asks, sizeof update_that_asks));
	EXPECT_EQ(1, kernel.installs[KT_RX]);
	EXPECT_EQ(0, kernel.installs[KT_TX]);
	EXPECT_TRUE(kt_dial_keys_due(&self->keys));
	EXPECT_EQ(0, kt_dial_keys_send(&self->keys, self->fds[0]));
	EXPECT_EQ(0, sent(self));
	EXPECT_EQ(1, kernel.installs[KT_TX]);
	EXPECT_FALSE(kt_dial_keys_due(&self->keys));
}

TEST_F(keys, update_ends_where_they_cannot_be_replaced)
{
	self->keys.replaceable = false;
	EXPECT_TRUE(begins(record(self, update, sizeof update), "key_update: "));
	EXPECT_TRUE(self->end);
	EXPECT_EQ(INTERNAL_ERROR, self->alert);
	EXPECT_EQ(0, kernel.installs[KT_RX]);
}

TEST_F(keys, update_in_pieces_ends)
{
	EXPECT_TRUE(begins(record(self, update, 3), "key_update: "));
	EXPECT_TRUE(self->end);
	EXPECT_EQ(INTERNAL_ERROR, self->alert);
}

TEST_F(keys, other_messages_are_refused)
{
	static const uint8_t request[] = {13, 0, 0, 3, 0, 0, 0};

	EXPECT_STREQ("protocol_error", record(self, request, sizeof request));
	EXPECT_FALSE(self->end);
	EXPECT_EQ(UNEXPECTED_MESSAGE, self->alert);
}

TEST_F(keys, kernel_that_takes_none_is_told)
{
	kernel.err = -EBUSY;
	EXPECT_TRUE(begins(record(self, update, sizeof update), "rekey_failed: "));
	EXPECT_FALSE(self->end);
	EXPECT_EQ(-EBUSY, kt_dial_keys_send(&self->keys, self->fds[0]));
}

TEST_F(keys, flood_of_updates_ends)
{
	const char *why = NULL;

	/* While they come, time gives back a few. */
	for (int i = 0; i < 2 * KT_DIAL_UPDATES_MAX && !why; i++)
		why = record(self, update, sizeof update);
	EXPECT_TRUE(begins(why, "key_update_flood: "));
	EXPECT_FALSE(self->end);
	EXPECT_EQ(UNEXPECTED_MESSAGE, self->alert);
	EXPECT_LE(KT_DIAL_UPDATES_MAX, kernel.installs[KT_RX]);
}

TEST_F(keys, flood_of_updates_with_empty_records_between_them_ends)
{
	const char *why = NULL;

	for (int i = 0; i < 2 * KT_DIAL_UPDATES_MAX && !why; i++) {
		why = record(self, update, sizeof update);
		ASSERT_TRUE(!kt_dial_keys_used(&self->keys, KT_RX, 0));
	}
	EXPECT_TRUE(begins(why, "key_update_flood: "));
}

TEST_F(keys, updates_between_data_are_no_flood)
{
	for (int i = 0; i < 3 * KT_DIAL_UPDATES_MAX; i++) {
		ASSERT_TRUE(!record(self, update, sizeof update));
		ASSERT_TRUE(!kt_dial_keys_used(&self->keys, KT_RX, 1));
	}
}

TEST_F(keys, time_makes_up_for_updates)
{
	for (int i = 0; i < KT_DIAL_UPDATES_MAX; i++)
		ASSERT_TRUE(!record(self, update, sizeof update));
	self->keys.earned_s--;
	EXPECT_TRUE(!record(self, update, sizeof update));
}

static const char *use(FIXTURE_DATA(keys) * self, enum kt_direction direction, int records)
{
	const char *ended = NULL;

	for (int i = 0; i < records && !ended; i++)
		ended = kt_dial_keys_used(&self->keys, direction, KT_RECORD_DATA_MAX);
	return ended;
}

TEST_F(keys, ours_is_replaced_in_time)
{
	EXPECT_TRUE(!use(self, KT_TX, 2));
	EXPECT_FALSE(kt_dial_keys_due(&self->keys));
	EXPECT_TRUE(!use(self, KT_TX, 1));
	EXPECT_TRUE(kt_dial_keys_due(&self->keys));
	EXPECT_EQ(0, kt_dial_keys_send(&self->keys, self->fds[0]));
	EXPECT_EQ(0, sent(self));
	EXPECT_FALSE(kt_dial_keys_due(&self->keys));
	EXPECT_EQ(0, self->keys.used[KT_TX]);
}

TEST_F(keys, servers_is_asked_for_once)
{
	EXPECT_TRUE(!use(self, KT_RX, 3));
	EXPECT_TRUE(kt_dial_keys_due(&self->keys));
	EXPECT_EQ(0, kt_dial_keys_send(&self->keys, self->fds[0]));
	EXPECT_EQ(1, sent(self));
	EXPECT_FALSE(kt_dial_keys_due(&self->keys));
	EXPECT_TRUE(begins(use(self, KT_RX, 1), "key_limit: "));
}

TEST_F(keys, server_that_answers_goes_on)
{
	for (int i = 0; i < 5; i++) {
		ASSERT_TRUE(!use(self, KT_RX, 3));
		ASSERT_EQ(0, kt_dial_keys_send(&self->keys, self->fds[0]));
		ASSERT_EQ(1, sent(self));
		ASSERT_TRUE(!record(self, update, sizeof update));
	}
}

TEST_F(keys, spent_ones_end_where_they_cannot_be_replaced)
{
	self->keys.replaceable = false;
	EXPECT_TRUE(!use(self, KT_TX, 3));
	EXPECT_TRUE(!use(self, KT_RX, 3));
	EXPECT_FALSE(kt_dial_keys_due(&self->keys));
	EXPECT_TRUE(begins(use(self, KT_TX, 1), "key_limit: "));
	EXPECT_TRUE(begins(use(self, KT_RX, 1), "key_limit: "));
}

TEST_F(keys, nothing_is_due_behind_our_end)
{
	EXPECT_TRUE(!use(self, KT_RX, 3));
	self->keys.last = true;
	EXPECT_FALSE(kt_dial_keys_due(&self->keys));
	EXPECT_TRUE(begins(use(self, KT_RX, 1), "key_limit: "));
}

TEST_F(keys, chacha20_has_no_limit)
{
	self->keys.cipher = KT_CHACHA20_POLY1305;
	EXPECT_TRUE(!use(self, KT_RX, 10 * RECORDS));
	EXPECT_FALSE(kt_dial_keys_due(&self->keys));
}

TEST_F(keys, are_kept_for_tls13_on_kernels_that_replace_them)
{
	struct kt_dial_keys keys = {.records_max = RECORDS};
	struct kt_ktls_support support = {.rekey = true};

	EXPECT_EQ(0, kt_dial_keys_keep(&keys, NULL, &support, KT_TLS_1_2, KT_AES_128_GCM));
	EXPECT_FALSE(keys.replaceable);
	support.rekey = false;
	EXPECT_EQ(0, kt_dial_keys_keep(&keys, NULL, &support, KT_TLS_1_3, KT_AES_256_GCM));
	EXPECT_FALSE(keys.replaceable);
	EXPECT_EQ(KT_AES_256_GCM, keys.cipher);
	EXPECT_EQ(RECORDS, keys.records_max);
}

TEST_F(keys, are_wiped)
{
	static const struct kt_traffic_secrets none;

	kt_dial_keys_wipe(&self->keys);
	EXPECT_EQ(0, memcmp(&none, &self->keys.rekey.secrets, sizeof none));
	EXPECT_FALSE(self->keys.replaceable);
}

TEST_HARNESS_MAIN
