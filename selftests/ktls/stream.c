/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading, writing and ending an offloaded connection as if it were a plain one. */
#include <ktrust/stream.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

FIXTURE(stream)
{
	int fd;	  /* under test */
	int peer; /* the other end, record by record */
	uint8_t buf[64];
};
FIXTURE_VARIANT(stream)
{
	uint16_t version;
};
FIXTURE_VARIANT_ADD(stream, tls13){KT_TLS_1_3};
FIXTURE_VARIANT_ADD(stream, tls12){KT_TLS_1_2};

FIXTURE_SETUP(stream)
{
	struct kt_traffic_key key = test_key(5);
	int fds[2];

	if (!test_have_ktls())
		SKIP(return, "no kTLS in this kernel");
	test_pair(TEST_INET, fds);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, kt_ktls_attach(fds[i]));
		ASSERT_EQ(0,
			  kt_ktls_install(fds[i], KT_TX, variant->version, KT_AES_128_GCM, &key));
		ASSERT_EQ(0,
			  kt_ktls_install(fds[i], KT_RX, variant->version, KT_AES_128_GCM, &key));
	}
	self->fd = fds[0];
	self->peer = fds[1];
}

FIXTURE_TEARDOWN(stream)
{
	if (self->fd >= 0)
		close(self->fd);
	close(self->peer);
}

static ssize_t receive(FIXTURE_DATA(stream) * self)
{
	return kt_recv(self->fd, self->buf, sizeof self->buf, NULL);
}

static void say(FIXTURE_DATA(stream) * self, uint8_t type, const void *body, size_t len)
{
	ASSERT_EQ((ssize_t)len, test_send(self->peer, body, len, type));
}

static void say_alert(FIXTURE_DATA(stream) * self, uint8_t description)
{
	say(self, KT_RECORD_ALERT, (uint8_t[]){1, description}, 2);
}

TEST_F(stream, bytes_then_close_notify)
{
	say(self, KT_RECORD_DATA, "hello", 5);
	say_alert(self, 0);
	ASSERT_EQ(5, receive(self));
	EXPECT_EQ(0, memcmp("hello", self->buf, 5));
	EXPECT_EQ(0, receive(self));
}

TEST_F(stream, small_reads_take_a_record_in_pieces)
{
	say(self, KT_RECORD_DATA, "hello", 5);
	say_alert(self, 0);
	EXPECT_EQ(-EINVAL, kt_recv(self->fd, self->buf, 1, NULL));
	EXPECT_EQ(2, kt_recv(self->fd, self->buf, 2, NULL));
	EXPECT_EQ(2, kt_recv(self->fd, self->buf, 2, NULL));
	EXPECT_EQ(1, kt_recv(self->fd, self->buf, 2, NULL));
	EXPECT_EQ(0, kt_recv(self->fd, self->buf, 2, NULL));
}

TEST_F(stream, nothing_there_is_told)
{
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, receive(self));
}

TEST_F(stream, end_without_close_notify_is_truncation)
{
	say(self, KT_RECORD_DATA, "hello", 5);
	shutdown(self->peer, SHUT_WR);
	ASSERT_EQ(5, receive(self));
	EXPECT_EQ(-KT_ERR_TRUNCATED, receive(self));
	EXPECT_EQ(-KT_ERR_TRUNCATED, receive(self));
}

TEST_F(stream, alerts_have_a_number_and_a_name)
{
	int alert = -1;

	say_alert(self, 45);
	EXPECT_EQ(-KT_ERR_PEER_ALERT, kt_recv(self->fd, self->buf, sizeof self->buf, &alert));
	EXPECT_EQ(45, alert);
	EXPECT_STREQ("certificate_expired", kt_alert_name(alert));
	say_alert(self, 40);
	EXPECT_EQ(-KT_ERR_PEER_ALERT, receive(self));
}

TEST_F(stream, cancellation_is_no_end)
{
	say_alert(self, 90);
	say_alert(self, 0);
	EXPECT_EQ(0, receive(self));
}

TEST_F(stream, cancellations_without_end_are_refused)
{
	for (int i = 0; i < 30; i++)
		say_alert(self, 90);
	EXPECT_EQ(-KT_ERR_UNEXPECTED, receive(self));
}

TEST_F(stream, malformed_alerts_are_refused)
{
	say(self, KT_RECORD_ALERT, "\x01", 1);
	EXPECT_EQ(-KT_ERR_UNEXPECTED, receive(self));
	say(self, KT_RECORD_ALERT, "\x01\x00\x01", 3);
	EXPECT_EQ(-KT_ERR_UNEXPECTED, receive(self));
}

TEST_F(stream, new_keys_are_told)
{
	say(self, KT_RECORD_HANDSHAKE, "\x18\x00\x00\x01\x00", 5);
	EXPECT_EQ(-KT_ERR_KEY_UPDATE, receive(self));
}

TEST_F(stream, other_messages_and_records_are_refused)
{
	say(self, KT_RECORD_HANDSHAKE, "\x04\x00\x00\x01\x00", 5);
	EXPECT_EQ(-KT_ERR_UNEXPECTED, receive(self));
	say(self, 99, "?", 1);
	EXPECT_EQ(-KT_ERR_UNEXPECTED, receive(self));
}

/* The error is told once, and does not stand in the way of what we say. */
TEST_F(stream, forged_records_are_told)
{
	static const uint8_t record[5 + 32] = {23, 3, 3, 0, 32};
	int raw_fds[2];
	struct kt_traffic_key key = test_key(5);

	test_pair(TEST_INET, raw_fds);
	ASSERT_EQ(0, kt_ktls_attach(raw_fds[0]));
	ASSERT_EQ(0, kt_ktls_install(raw_fds[0], KT_TX, variant->version, KT_AES_128_GCM, &key));
	ASSERT_EQ(0, kt_ktls_install(raw_fds[0], KT_RX, variant->version, KT_AES_128_GCM, &key));
	ASSERT_EQ((ssize_t)sizeof record, send(raw_fds[1], record, sizeof record, 0));
	EXPECT_EQ(-KT_ERR_BAD_RECORD, kt_recv(raw_fds[0], self->buf, sizeof self->buf, NULL));
	EXPECT_EQ(0, kt_ktls_send_alert(raw_fds[0], 2, 20));
	close(raw_fds[0]);
	close(raw_fds[1]);
}

TEST_F(stream, garbage_is_told)
{
	int raw_fds[2];
	struct kt_traffic_key key = test_key(5);

	test_pair(TEST_INET, raw_fds);
	ASSERT_EQ(0, kt_ktls_attach(raw_fds[0]));
	ASSERT_EQ(0, kt_ktls_install(raw_fds[0], KT_TX, variant->version, KT_AES_128_GCM, &key));
	ASSERT_EQ(0, kt_ktls_install(raw_fds[0], KT_RX, variant->version, KT_AES_128_GCM, &key));
	ASSERT_EQ(16, send(raw_fds[1], "GET / HTTP/1.0\r\n", 16, 0));
	EXPECT_EQ(-KT_ERR_BAD_RECORD, kt_recv(raw_fds[0], self->buf, sizeof self->buf, NULL));
	close(raw_fds[0]);
	close(raw_fds[1]);
}

/* ---- Our side ------------------------------------------------------------------------------ */

static void expect_record(FIXTURE_DATA(stream) * self, int type, const void *body, size_t len)
{
	int got_type = -1;

	ASSERT_EQ((ssize_t)len, test_recv(self->peer, self->buf, sizeof self->buf, &got_type));
	EXPECT_EQ(type, got_type);
	EXPECT_EQ(0, memcmp(body, self->buf, len));
}

static void expect_fin(FIXTURE_DATA(stream) * self)
{
	EXPECT_EQ(0, recv(self->peer, self->buf, 1, 0));
}

TEST_F(stream, sends_and_ends)
{
	EXPECT_EQ(0, kt_send(self->fd, "", 0));
	ASSERT_EQ(5, kt_send(self->fd, "hello", 5));
	ASSERT_EQ(0, kt_shutdown(self->fd));
	EXPECT_EQ(-EPIPE, kt_shutdown(self->fd));
	expect_record(self, KT_RECORD_DATA, "hello", 5);
	expect_record(self, KT_RECORD_ALERT, "\x01\x00", 2);
	expect_fin(self);
	/* Reading goes on. */
	say(self, KT_RECORD_DATA, "late", 4);
	EXPECT_EQ(4, receive(self));
	EXPECT_EQ(0, kt_close(self->fd));
	self->fd = -1;
}

TEST_F(stream, close_says_goodbye_and_drops_what_came)
{
	uint8_t byte;

	say(self, KT_RECORD_DATA, "unread", 6);
	say_alert(self, 0);
	EXPECT_EQ(0, kt_close(self->fd));
	EXPECT_EQ(-1, fcntl(self->fd, F_GETFD));
	self->fd = -1;
	expect_record(self, KT_RECORD_ALERT, "\x01\x00", 2);
	/* A FIN, and no reset: all of it had been taken. */
	EXPECT_EQ(0, recv(self->peer, &byte, 1, 0));
}

TEST_F(stream, full_socket_is_told_and_nothing_is_lost)
{
	static uint8_t seen[65536];
	size_t sent = test_fill(self->fd, self->peer), got = 0;
	ssize_t n;
	int type;

	EXPECT_EQ(-EAGAIN, kt_send(self->fd, seen, 1));
	EXPECT_EQ(-EAGAIN, kt_shutdown(self->fd));
	EXPECT_LT(0, sent);
	test_hear(self->peer);
	while (got < sent) {
		n = test_recv(self->peer, seen, sizeof seen, &type);
		ASSERT_LT(0, n);
		ASSERT_EQ(KT_RECORD_DATA, type);
		got += (size_t)n;
	}
	EXPECT_EQ(sent, got);
	struct pollfd room = {.fd = self->fd, .events = POLLOUT};

	ASSERT_EQ(1, poll(&room, 1, TEST_LIMIT_MS));
	EXPECT_EQ(0, kt_close(self->fd));
	self->fd = -1;
	expect_record(self, KT_RECORD_ALERT, "\x01\x00", 2);
	expect_fin(self);
}

/* By a reset: what nobody hears would be sent again and again, and the kernel's TLS kept in use. */
static void leave(FIXTURE_DATA(stream) * self)
{
	const struct linger now = {.l_onoff = 1};

	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_LINGER, &now, sizeof now));
	close(self->peer);
	self->peer = -1;
}

TEST_F(stream, close_of_a_full_socket_tells_that_it_was_not_said)
{
	test_fill(self->fd, self->peer);
	EXPECT_EQ(-EAGAIN, kt_close(self->fd));
	EXPECT_EQ(-1, fcntl(self->fd, F_GETFD));
	self->fd = -1;
	leave(self);
}

TEST_F(stream, full_socket_is_waited_for_as_long_as_it_says)
{
	const struct timeval limit = {.tv_usec = 30000};
	struct timespec before, after;

	test_fill(self->fd, self->peer);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, 0));
	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	clock_gettime(CLOCK_MONOTONIC, &before);
	EXPECT_EQ(-EAGAIN, kt_send(self->fd, "x", 1));
	clock_gettime(CLOCK_MONOTONIC, &after);
	EXPECT_LE(30, (after.tv_sec - before.tv_sec) * 1000 +
			      (after.tv_nsec - before.tv_nsec) / 1000000);
	EXPECT_EQ(-EAGAIN, kt_close(self->fd));
	self->fd = -1;
	leave(self);
}

TEST_F(stream, nobody_listens_is_told_without_a_signal)
{
	ssize_t sent = 1;

	close(self->peer);
	self->peer = -1;
	for (int i = 0; i < 1000 && sent > 0; i++) {
		sent = kt_send(self->fd, "hello", 5);
		usleep(1000);
	}
	EXPECT_TRUE(sent == -EPIPE || sent == -ECONNRESET);
}

/* Anywhere. */
TEST(alerts_without_a_name)
{
	EXPECT_STREQ("close_notify", kt_alert_name(0));
	EXPECT_STREQ("no_application_protocol", kt_alert_name(120));
	EXPECT_STREQ("alert", kt_alert_name(1));
	EXPECT_STREQ("ech_required", kt_alert_name(121));
	EXPECT_STREQ("bad_certificate_status_response", kt_alert_name(113));
	EXPECT_STREQ("alert", kt_alert_name(122));
	EXPECT_STREQ("alert", kt_alert_name(255));
	EXPECT_STREQ("alert", kt_alert_name(-1));
}

TEST_HARNESS_MAIN
