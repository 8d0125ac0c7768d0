/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes between client and backend, and every way in which that can end. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALERT_INTERNAL_ERROR 80

FIXTURE(relay)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
	int backend;
};

FIXTURE_VARIANT(relay)
{
	enum kt_ktls_mode ktls;
	uint16_t version;
};

FIXTURE_VARIANT_ADD(relay, tls13_userspace){.ktls = KT_KTLS_OFF, .version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(relay, tls12_userspace){.ktls = KT_KTLS_OFF, .version = KT_TLS_1_2};
FIXTURE_VARIANT_ADD(relay, tls13_ktls){.ktls = KT_KTLS_AUTO, .version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(relay, tls12_ktls){.ktls = KT_KTLS_AUTO, .version = KT_TLS_1_2};

static void connect_peer(FIXTURE_DATA(relay) * self)
{
	peer_connect(&self->peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&self->peer));
	self->backend = rig_accept(&self->rig);
}

static void setup(FIXTURE_DATA(relay) * self, const FIXTURE_VARIANT(relay) * variant,
		  const struct rig_options *options)
{
	rig_init(&self->rig, options);
	self->backend = -1;
	self->context = client_context(&(struct client_options){
		.version = variant->version,
		.cert = self->rig.lab.client,
	});
}

FIXTURE_SETUP(relay)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	setup(self, variant,
	      &(struct rig_options){.ktls = variant->ktls,
				    .client_auth = KT_CLIENT_AUTH_REQUIRE,
				    .backend_rcvbuf = 8192});
	connect_peer(self);
}

FIXTURE_TEARDOWN(relay)
{
	peer_fini(&self->peer);
	if (self->backend >= 0)
		close(self->backend);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void close_backend(FIXTURE_DATA(relay) * self)
{
	close(self->backend);
	self->backend = -1;
}

static void close_peer(FIXTURE_DATA(relay) * self)
{
	close(self->peer.fd);
	self->peer.fd = -1;
}

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

/* What a client hears when the other side broke: an alert where we can send one. */
static void expect_no_clean_end(FIXTURE_DATA(relay) * self, const FIXTURE_VARIANT(relay) * variant)
{
	char byte;

	if (variant->ktls == KT_KTLS_OFF) {
		EXPECT_EQ(PEER_EOF, peer_read(&self->peer, &byte, 1));
	} else {
		EXPECT_EQ(PEER_FAILED, peer_read(&self->peer, &byte, 1));
		EXPECT_EQ(ALERT_INTERNAL_ERROR, self->peer.client.alert);
	}
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

/* ---- Control records ------------------------------------------------------------------------- */

static void send_record(FIXTURE_DATA(relay) * self, uint8_t type, const void *data, size_t len)
{
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];

	keys_of_client(&self->peer.client, &traffic);
	len = record_seal(&traffic, &traffic.rx, type, data, len, record);
	send_all(self->peer.fd, record, len);
}

/* Each alone (RFC 8446 §5.4), so that reading it ends with nothing, and is begun again. */
TEST_F(relay, empty_records_are_nothing)
{
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];
	char byte = 0;

	keys_of_client(&self->peer.client, &traffic);
	for (int i = 0; i < 3; i++) {
		send_all(self->peer.fd, record,
			 record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "", 0, record));
		peer_await_read(&self->peer);
	}
	send_all(self->peer.fd, record,
		 record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "x", 1, record));
	recv_exactly(self->backend, &byte, 1);
	EXPECT_EQ('x', byte);
	send_all(self->peer.fd, record,
		 record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "", 0, record));
	peer_await_read(&self->peer);
	send_all(self->peer.fd, record,
		 record_seal(&traffic, &traffic.rx, KT_RECORD_ALERT, "\1", 2, record));
	EXPECT_EQ(0, recv_end(self->backend));
}

/* All that is read at once is an empty record: the one behind it is of another type. */
TEST_F(relay, empty_record_is_no_end)
{
	struct kt_traffic traffic;
	uint8_t records[2 * RECORD_MAX];
	size_t len;

	keys_of_client(&self->peer.client, &traffic);
	len = record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "", 0, records);
	len += record_seal(&traffic, &traffic.rx, KT_RECORD_ALERT, "\1", 2, records + len);
	send_all(self->peer.fd, records, len);
	EXPECT_EQ(0, recv_end(self->backend));
}

/* RFC 8446 §5.1, §5.4: no other type may be empty. */
static void expect_refusal_of_empty(FIXTURE_DATA(relay) * self, uint8_t type)
{
	send_record(self, type, "", 0);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	rig_await_ends(&self->rig, "protocol_error", 1);
}

TEST_F(relay, empty_alert_is_refused)
{
	expect_refusal_of_empty(self, KT_RECORD_ALERT);
}

TEST_F(relay, empty_handshake_record_is_refused)
{
	/* libssl passes over it in TLS 1.2 */
	if (variant->ktls != KT_KTLS_OFF || variant->version == KT_TLS_1_3)
		expect_refusal_of_empty(self, KT_RECORD_HANDSHAKE);
}

TEST_F(relay, fatal_alert_is_named)
{
	static const uint8_t alert[] = {2, 40};

	send_record(self, KT_RECORD_ALERT, alert, sizeof alert);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	rig_await_ends(&self->rig, "alert_handshake_failure", 1);
}

TEST_F(relay, record_that_does_not_authenticate_is_named)
{
	static const uint8_t record[] = {23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, [36] = 7};
	uint8_t byte;

	send_all(self->peer.fd, record, sizeof record);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	/* and the client hears of it, whatever the kernel still has to say about the record */
	EXPECT_EQ(PEER_FAILED, peer_read(&self->peer, &byte, 1));
	EXPECT_EQ(20, self->peer.client.alert); /* bad_record_mac */
	close_peer(self);
	/* the TLS engine has no name of its own for it */
	rig_await_ends(&self->rig, variant->ktls == KT_KTLS_OFF ? "protocol_error" : "bad_record",
		       1);
}

/* One byte less than any has that is sealed. */
TEST_F(relay, record_without_room_for_its_tag_is_no_fault_of_ours)
{
	static const uint8_t record[] = {23, 3, 3, 0, 15, [19] = 1};

	send_all(self->peer.fd, record, sizeof record);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	close_peer(self);
	rig_await_ends(&self->rig, variant->ktls == KT_KTLS_OFF ? "protocol_error" : "bad_record",
		       1);
}

TEST_F(relay, garbage_after_the_handshake_is_named)
{
	send_all(self->peer.fd, "this is not a record at all", 27);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	close_peer(self);
	WAIT_UNTIL(rig_stats(&self->rig).ended == 1);
	EXPECT_EQ(1, rig_ends(&self->rig, "bad_record") + rig_ends(&self->rig, "protocol_error"));
}

TEST_F(relay, handshake_records_after_the_handshake_are_refused)
{
	static const uint8_t hello_request[] = {0, 0, 0, 0};

	send_record(self, KT_RECORD_HANDSHAKE, hello_request, sizeof hello_request);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	close_peer(self);
	rig_await_ends(&self->rig, "protocol_error", 1);
}

/* Userspace goes on with new keys, and so do kernels that can; engine/rekey has more of it. */
TEST_F(relay, key_update_goes_on_or_ends_by_its_name)
{
	char text[8];

	if (variant->version == KT_TLS_1_2)
		return;
	SSL_key_update(self->peer.client.ssl, SSL_KEY_UPDATE_REQUESTED);
	peer_write(&self->peer, "new", 3);
	if (variant->ktls == KT_KTLS_OFF || kt_engine_ktls(self->rig.engine)->rekey) {
		recv_exactly(self->backend, text, 3);
		EXPECT_EQ(0, memcmp("new", text, 3));
		send_all(self->backend, "keys", 4);
		peer_read_all(&self->peer, text, 4);
		EXPECT_EQ(0, memcmp("keys", text, 4));
	} else {
		EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
		expect_no_clean_end(self, variant);
		close_peer(self);
		rig_await_ends(&self->rig, "key_update", 1);
	}
}

/* A client that asks and asks, and reads no answer, costs bounded memory. */
TEST_F(relay, warnings_without_end_are_refused)
{
	static const uint8_t warning[] = {1, 90};
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];

	keys_of_client(&self->peer.client, &traffic);
	for (int i = 0; i < 64; i++) {
		size_t len = record_seal(&traffic, &traffic.rx, KT_RECORD_ALERT, warning,
					 sizeof warning, record);

		if (send(self->peer.fd, record, len, MSG_NOSIGNAL) < 0)
			break;
	}
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	close_peer(self);
	rig_await_ends(&self->rig, "protocol_error", 1);
}

TEST_HARNESS_MAIN
