/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes between client and backend, and every way in which their sockets can end. */
#include "relayed.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Bytes ----------------------------------------------------------------------------------- */

#define LARGE (8u << 20)

/* A guest without hardware virtualization carries that much once, and less the other times. */
static size_t amount(const FIXTURE_VARIANT(relay) * variant)
{
	bool in_full = !test_have_ktls() ||
		       (variant->ktls == KT_KTLS_AUTO && variant->version == KT_TLS_1_3);

	return in_full ? LARGE : LARGE / 16;
}

struct end {
	int fd;
	size_t amount;
};

static void *upload_sink(void *arg)
{
	const struct end *end = arg;
	int fd = end->fd;
	uint8_t *buf = malloc(65536), *expected = malloc(65536);
	size_t at = 0;
	ssize_t n;

	while ((n = recv(fd, buf, 65536, 0)) > 0) {
		pattern(expected, (size_t)n, at, 1);
		ASSERT_EQ(0, memcmp(expected, buf, (size_t)n));
		at += (size_t)n;
	}
	EXPECT_EQ(0, n);
	EXPECT_EQ(end->amount, at);
	free(buf);
	free(expected);
	return NULL;
}

static void *download_source(void *arg)
{
	const struct end *end = arg;
	int fd = end->fd;
	uint8_t *buf = malloc(65536);

	for (size_t at = 0; at < end->amount; at += 65536) {
		pattern(buf, 65536, at, 2);
		send_all(fd, buf, 65536);
	}
	shutdown(fd, SHUT_WR);
	free(buf);
	return NULL;
}

static void set_nonblocking_turns(int fd)
{
	const struct timeval none = {.tv_usec = 1};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
}

/* One client that sends and receives at the same time: what it cannot send waits in client.out. */
struct duplex {
	struct peer *peer;
	size_t amount;
	uint8_t out[65536];
	size_t out_len, out_off;
	size_t sent, received;
	bool closed;
};

static void refill(struct duplex *duplex)
{
	SSL *ssl = duplex->peer->client.ssl;
	uint8_t data[16384];
	int n;

	if (duplex->sent < duplex->amount) {
		pattern(data, sizeof data, duplex->sent, 1);
		ASSERT_EQ((int)sizeof data, SSL_write(ssl, data, sizeof data));
		duplex->sent += sizeof data;
	} else if (!(SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN)) {
		SSL_shutdown(ssl);
	}
	n = BIO_read(duplex->peer->client.out, duplex->out, sizeof duplex->out);
	duplex->out_off = 0;
	duplex->out_len = n > 0 ? (size_t)n : 0;
}

static void push(struct duplex *duplex)
{
	ssize_t n;

	if (duplex->out_off == duplex->out_len)
		refill(duplex);
	if (duplex->out_off == duplex->out_len)
		return;
	n = send(duplex->peer->fd, duplex->out + duplex->out_off, duplex->out_len - duplex->out_off,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		duplex->out_off += (size_t)n;
	else
		ASSERT_EQ(EAGAIN, errno);
}

static void drain(struct duplex *duplex)
{
	uint8_t data[16384], expected[16384];
	ssize_t n;

	while ((n = peer_read(duplex->peer, data, sizeof data)) > 0) {
		pattern(expected, (size_t)n, duplex->received, 2);
		ASSERT_EQ(0, memcmp(expected, data, (size_t)n));
		duplex->received += (size_t)n;
	}
	if (n == PEER_CLOSED)
		duplex->closed = true;
	else
		ASSERT_EQ(PEER_SILENT, n);
}

static bool all_sent(const struct duplex *duplex)
{
	return duplex->sent == duplex->amount && duplex->out_off == duplex->out_len &&
	       SSL_get_shutdown(duplex->peer->client.ssl) & SSL_SENT_SHUTDOWN;
}

TEST_F_TIMEOUT(relay, carries_much_both_ways_at_once, 120)
{
	struct duplex *duplex = calloc(1, sizeof *duplex);
	struct end end = {.fd = self->backend, .amount = amount(variant)};
	pthread_t sink, source;

	duplex->peer = &self->peer;
	duplex->amount = end.amount;
	set_nonblocking_turns(self->peer.fd);
	pthread_create(&sink, NULL, upload_sink, &end);
	pthread_create(&source, NULL, download_source, &end);
	while (!duplex->closed || !all_sent(duplex)) {
		struct pollfd ready = {.fd = self->peer.fd,
				       .events = (short)((duplex->closed ? 0 : POLLIN) |
							 (all_sent(duplex) ? 0 : POLLOUT))};

		ASSERT_LT(0, poll(&ready, 1, WAIT_LIMIT_MS));
		if (ready.revents & POLLOUT)
			push(duplex);
		if (ready.revents & POLLIN)
			drain(duplex);
	}
	pthread_join(sink, NULL);
	pthread_join(source, NULL);
	EXPECT_EQ(end.amount, duplex->received);
	rig_await_ends(&self->rig, "closed", 1);
	EXPECT_EQ(end.amount, rig_stats(&self->rig).bytes_in);
	EXPECT_EQ(end.amount, rig_stats(&self->rig).bytes_out);
	/* Each byte, of both directions, was read and written. */
	EXPECT_LE(4 * end.amount, rig_stats(&self->rig).bytes_copied);
	EXPECT_GT(5 * end.amount, rig_stats(&self->rig).bytes_copied);
	free(duplex);
}

/* ---- Clean ends ------------------------------------------------------------------------------ */

TEST_F(relay, data_flows_down_after_the_client_said_close_notify)
{
	char text[8];

	peer_write(&self->peer, "up", 2);
	peer_close_notify(&self->peer);
	recv_exactly(self->backend, text, 2);
	EXPECT_EQ(0, recv_end(self->backend));
	send_all(self->backend, "down", 4);
	peer_read_all(&self->peer, text, 4);
	send_all(self->backend, "more", 4);
	close_backend(self);
	peer_read_all(&self->peer, text, 4);
	EXPECT_EQ(0, memcmp(text, "more", 4));
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, text, 1));
	close_peer(self);
	rig_await_ends(&self->rig, "closed", 1);
}

TEST_F(relay, data_flows_up_after_the_backend_is_done)
{
	char text[8];

	send_all(self->backend, "down", 4);
	shutdown(self->backend, SHUT_WR);
	peer_read_all(&self->peer, text, 4);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, text, 1));
	peer_write(&self->peer, "up", 2);
	recv_exactly(self->backend, text, 2);
	peer_write(&self->peer, "and on", 6);
	peer_close_notify(&self->peer);
	recv_exactly(self->backend, text, 6);
	EXPECT_EQ(0, memcmp(text, "and on", 6));
	EXPECT_EQ(0, recv_end(self->backend));
	close_peer(self);
	rig_await_ends(&self->rig, "closed", 1);
}

TEST_F(relay, nothing_counts_that_comes_after_close_notify)
{
	static uint8_t junk[1000];

	peer_close_notify(&self->peer);
	send_all(self->peer.fd, junk, sizeof junk);
	EXPECT_EQ(0, recv_end(self->backend));
	close_backend(self);
	close_peer(self);
	rig_await_ends(&self->rig, "closed", 1);
	EXPECT_EQ(0, rig_stats(&self->rig).bytes_in);
}

/* A client that never closes its socket is not waited for for ever. */
TEST_F(relay, lingering_is_bounded)
{
	char byte;

	peer_close_notify(&self->peer);
	EXPECT_EQ(0, recv_end(self->backend));
	close_backend(self);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, &byte, 1));
	rig_await_ends(&self->rig, "closed", 1);
}

/* ---- Ends that must not look clean ----------------------------------------------------------- */

TEST_F(relay, fin_without_close_notify_is_a_truncation)
{
	char text[4];

	peer_write(&self->peer, "part", 4);
	recv_exactly(self->backend, text, 4);
	shutdown(self->peer.fd, SHUT_WR);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	rig_await_ends(&self->rig, "truncated", 1);
}

TEST_F(relay, fin_inside_a_record_is_a_truncation)
{
	uint8_t record[64];
	int len;

	ASSERT_EQ(4, SSL_write(self->peer.client.ssl, "part", 4));
	len = BIO_read(self->peer.client.out, record, sizeof record);
	send_all(self->peer.fd, record, (size_t)len - 1);
	shutdown(self->peer.fd, SHUT_WR);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	rig_await_ends(&self->rig, "truncated", 1);
	EXPECT_EQ(0, rig_stats(&self->rig).bytes_in);
}

/* The client had all there was; but the backend did not, and may not believe so. */
TEST_F(relay, fin_after_the_backends_end_is_a_close)
{
	char byte;

	shutdown(self->backend, SHUT_WR);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, &byte, 1));
	close_peer(self);
	rig_await_ends(&self->rig, "closed", 1);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
}

TEST_F(relay, client_reset_resets_the_backend)
{
	abort_fd(self->peer.fd);
	self->peer.fd = -1;
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	rig_await_ends(&self->rig, "reset", 1);
}

TEST_F(relay, client_that_leaves_during_a_download_is_named)
{
	static uint8_t data[1 << 16];
	ssize_t n = 0;

	peer_close_notify(&self->peer);
	EXPECT_EQ(0, recv_end(self->backend));
	abort_fd(self->peer.fd);
	self->peer.fd = -1;
	while (n >= 0)
		n = send(self->backend, data, sizeof data, MSG_NOSIGNAL);
	rig_await_ends(&self->rig, "reset", 1);
}

TEST_F(relay, backend_reset_is_no_clean_end)
{
	char byte;

	/* a reset before the engine knows that it is connected would be "backend_unreachable" */
	send_all(self->backend, "x", 1);
	peer_read_all(&self->peer, &byte, 1);
	abort_fd(self->backend);
	self->backend = -1;
	expect_no_clean_end(self, variant);
	close_peer(self);
	rig_await_ends(&self->rig, "backend_reset", 1);
}

/* It answers early, closes, and has not read all: the answer arrives. */
TEST_F(relay, early_answer_arrives)
{
	static uint8_t data[16384];
	char text[16];
	ssize_t n;

	peer_write(&self->peer, data, sizeof data);
	send_all(self->backend, "too large", 9);
	/* its queue has unread data: this resets */
	WAIT_UNTIL(recv(self->backend, text, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
	peer_read_all(&self->peer, text, 9);
	EXPECT_EQ(0, memcmp("too large", text, 9));
	close_backend(self);
	for (int i = 0; i < 100 && !rig_stats(&self->rig).ended; i++) {
		SSL_write(self->peer.client.ssl, data, sizeof data);
		while ((n = BIO_read(self->peer.client.out, data, sizeof data)) > 0)
			send(self->peer.fd, data, (size_t)n, MSG_NOSIGNAL);
	}
	close_peer(self);
	rig_await_ends(&self->rig, "backend_reset", 1);
}

/*
 * As before, but the client reads late: the engine meets the reset when it sends to the backend,
 * and after that the backend's stream only ends. What it had sent arrives, and no clean end.
 */
TEST_F(relay, end_of_a_stream_that_was_reset_is_not_believed)
{
	static uint8_t data[65536];
	size_t given = 0, taken = 0;
	ssize_t n;

	peer_write(&self->peer, data, 1000);
	WAIT_UNTIL(recv(self->backend, data, 1000, MSG_PEEK | MSG_DONTWAIT) == 1000);
	for (unsigned int full = 0; full < 20; full++) {
		while ((n = send(self->backend, data, sizeof data, MSG_NOSIGNAL | MSG_DONTWAIT)) >
		       0)
			given += (size_t)n;
		poll(NULL, 0, 5);
	}
	close_backend(self);
	peer_write(&self->peer, data, 1000);
	peer_await_read(&self->peer);
	while ((n = peer_read(&self->peer, data, sizeof data)) > 0)
		taken += (size_t)n;
	EXPECT_EQ(variant->ktls == KT_KTLS_OFF ? PEER_EOF : PEER_FAILED, n);
	EXPECT_LT(0, taken);
	EXPECT_GE(given, taken);
	close_peer(self);
	rig_await_ends(&self->rig, "backend_reset", 1);
}

TEST_F(relay, backend_that_is_done_and_takes_no_more)
{
	static const uint8_t data[100];
	unsigned int fds;
	char byte;

	close_backend(self);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, &byte, 1));
	/* the first is answered by RST, one after it cannot be sent: each alone, or all are the
	 * first */
	fds = test_open_fds();
	for (uint64_t sent = 0; test_open_fds() == fds; sent += sizeof data) {
		WAIT_UNTIL(rig_stats(&self->rig).bytes_in == sent || test_open_fds() < fds);
		peer_write(&self->peer, data, sizeof data);
	}
	close_peer(self);
	rig_await_ends(&self->rig, "backend_closed", 1);
}

TEST_HARNESS_MAIN
