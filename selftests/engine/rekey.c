/* SPDX-License-Identifier: BSD-2-Clause */
/* New keys while data flows, with a peer that is OpenSSL, on records wherever they are. */
#include "rig.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL 16384

FIXTURE(rekey)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
	int backend;
	unsigned int updates; /* that the engine sent */
	bool asked;	      /* by the last of them */
};

FIXTURE_VARIANT(rekey)
{
	enum kt_ktls_mode ktls;
	const char *suite;
};

#define ALL_SUITES(where, mode)                                                                    \
	FIXTURE_VARIANT_ADD(rekey, where##_aes_128_gcm){mode, "TLS_AES_128_GCM_SHA256"};           \
	FIXTURE_VARIANT_ADD(rekey, where##_aes_256_gcm){mode, "TLS_AES_256_GCM_SHA384"};           \
	FIXTURE_VARIANT_ADD(rekey, where##_chacha20_poly1305)                                      \
	{                                                                                          \
		mode, "TLS_CHACHA20_POLY1305_SHA256"                                               \
	}
ALL_SUITES(userspace, KT_KTLS_OFF);
ALL_SUITES(ktls, KT_KTLS_REQUIRE);

static void see_message(int written, int version, int type, const void *data, size_t len, SSL *ssl,
			void *arg)
{
	FIXTURE_DATA(rekey) *self = arg;

	(void)version;
	(void)ssl;
	if (written || type != SSL3_RT_HANDSHAKE || len != 5 ||
	    *(const uint8_t *)data != SSL3_MT_KEY_UPDATE)
		return;
	self->updates++;
	self->asked = ((const uint8_t *)data)[4];
}

FIXTURE_SETUP(rekey)
{
	struct kt_ktls_support support = {0};

	if (variant->ktls != KT_KTLS_OFF && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	ASSERT_EQ(0, kt_ktls_probe(&support));
	if (variant->ktls != KT_KTLS_OFF && !support.rekey)
		SKIP(return, "this kernel cannot replace keys");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls, .key_records_max = 64});
	self->context = client_context(
		&(struct client_options){.version = KT_TLS_1_3, .suites = variant->suite});
	peer_connect(&self->peer, &self->rig, self->context);
	SSL_set_msg_callback(self->peer.client.ssl, see_message);
	SSL_set_msg_callback_arg(self->peer.client.ssl, self);
	ASSERT_EQ(1, peer_handshake(&self->peer));
	self->backend = rig_accept(&self->rig);
}

FIXTURE_TEARDOWN(rekey)
{
	peer_fini(&self->peer);
	if (self->backend >= 0)
		close(self->backend);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void update(struct peer *peer, int type)
{
	ASSERT_EQ(1, SSL_key_update(peer->client.ssl, type));
	ASSERT_EQ(1, SSL_do_handshake(peer->client.ssl));
	peer_flush(peer);
}

static void *echo(void *arg)
{
	int fd = *(int *)arg;
	uint8_t buf[FULL];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof buf, 0)) > 0)
		send_all(fd, buf, (size_t)n);
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void write_block(struct peer *peer, size_t block)
{
	uint8_t data[FULL];

	pattern(data, sizeof data, block * sizeof data, 1);
	peer_write(peer, data, sizeof data);
}

static void read_block(struct peer *peer, size_t block)
{
	uint8_t data[FULL], expected[FULL];

	peer_read_all(peer, data, sizeof data);
	pattern(expected, sizeof expected, block * sizeof data, 1);
	ASSERT_EQ(0, memcmp(expected, data, sizeof data));
}

/* Blocks are under way both ways all the time, and each is under other keys than the last. */
TEST_F_TIMEOUT(rekey, of_both_sides_loses_no_byte_under_load, 120)
{
	enum { BLOCKS = 200, AHEAD = 3 };
	pthread_t thread;
	char byte;

	ASSERT_EQ(0, pthread_create(&thread, NULL, echo, &self->backend));
	for (size_t block = 0; block < BLOCKS + AHEAD; block++) {
		if (block < BLOCKS) {
			update(&self->peer,
			       block % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
			write_block(&self->peer, block);
		}
		if (block >= AHEAD)
			read_block(&self->peer, block - AHEAD);
	}
	peer_close_notify(&self->peer);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, &byte, 1));
	pthread_join(thread, NULL);
	/* Requests that come while an answer is waiting have one together (RFC 8446 §4.6.3). */
	EXPECT_LT(BLOCKS / 8, self->updates);
	EXPECT_LT(0, rig_stats(&self->rig).bytes_in);
	close(self->peer.fd);
	self->peer.fd = -1;
	rig_await_ends(&self->rig, "closed", 1);
	EXPECT_EQ(BLOCKS * FULL, rig_stats(&self->rig).bytes_in);
	EXPECT_EQ(BLOCKS * FULL, rig_stats(&self->rig).bytes_out);
}

static void *download(void *arg)
{
	int fd = *(int *)arg;
	uint8_t data[FULL];

	for (size_t at = 0; at < 100 * sizeof data; at += sizeof data) {
		pattern(data, sizeof data, at, 1);
		send_all(fd, data, sizeof data);
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

/* Sends are pending nearly always when a KeyUpdate asks for ours. */
TEST_F_TIMEOUT(rekey, that_is_asked_for_in_a_download_loses_no_byte, 120)
{
	pthread_t thread;
	char byte;

	ASSERT_EQ(0, pthread_create(&thread, NULL, download, &self->backend));
	for (size_t block = 0; block < 100; block++) {
		if (block % 2 == 0)
			update(&self->peer, SSL_KEY_UPDATE_REQUESTED);
		read_block(&self->peer, block);
	}
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, &byte, 1));
	pthread_join(thread, NULL);
	EXPECT_LT(0, self->updates);
	peer_close_notify(&self->peer);
	close(self->peer.fd);
	self->peer.fd = -1;
	rig_await_ends(&self->rig, "closed", 1);
}

/* It asks, and reads nothing for a while: what it is answered then does not disturb the data. */
TEST_F_TIMEOUT(rekey, of_a_client_that_does_not_read_waits, 120)
{
	pthread_t thread;
	char byte;

	ASSERT_EQ(0, pthread_create(&thread, NULL, download, &self->backend));
	for (unsigned int i = 0; i < 5; i++) {
		poll(NULL, 0, 20);
		update(&self->peer, SSL_KEY_UPDATE_REQUESTED);
	}
	for (size_t block = 0; block < 100; block++)
		read_block(&self->peer, block);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, &byte, 1));
	pthread_join(thread, NULL);
	peer_close_notify(&self->peer);
	close(self->peer.fd);
	self->peer.fd = -1;
	rig_await_ends(&self->rig, "closed", 1);
}

static bool has_limit(const FIXTURE_VARIANT(rekey) * variant)
{
	return !strstr(variant->suite, "CHACHA20");
}

/* 64 records a key: each of ours is replaced in time, and the client is asked for each of its. */
TEST_F_TIMEOUT(rekey, comes_before_a_key_is_spent, 120)
{
	pthread_t thread;
	bool asked = false;
	char byte;

	ASSERT_EQ(0, pthread_create(&thread, NULL, echo, &self->backend));
	for (size_t block = 0; block < 200; block++) {
		write_block(&self->peer, block);
		read_block(&self->peer, block);
		asked |= self->asked;
	}
	peer_close_notify(&self->peer);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, &byte, 1));
	pthread_join(thread, NULL);
	EXPECT_EQ(has_limit(variant), asked);
	/* 200 blocks in steps of 48, and never twice for one key */
	EXPECT_LE(has_limit(variant) ? 4 : 0, self->updates);
	EXPECT_GE(has_limit(variant) ? 10 : 0, self->updates);
	close(self->peer.fd);
	self->peer.fd = -1;
	rig_await_ends(&self->rig, "closed", 1);
}

TEST_F(rekey, without_end_is_refused)
{
	bool userspace = variant->ktls == KT_KTLS_OFF;
	char byte;

	for (unsigned int i = 0; i < 200 && !rig_stats(&self->rig).ended; i++) {
		uint8_t record[256];
		int len;

		ASSERT_EQ(1, SSL_key_update(self->peer.client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED));
		ASSERT_EQ(1, SSL_do_handshake(self->peer.client.ssl));
		len = BIO_read(self->peer.client.out, record, sizeof record);
		if (send(self->peer.fd, record, (size_t)len, MSG_NOSIGNAL) < 0)
			break;
	}
	EXPECT_NE(0, recv_end(self->backend));
	EXPECT_EQ(userspace ? PEER_EOF : PEER_FAILED, peer_read(&self->peer, &byte, 1));
	if (!userspace)
		EXPECT_EQ(SSL_AD_UNEXPECTED_MESSAGE, self->peer.client.alert);
	close(self->peer.fd);
	self->peer.fd = -1;
	rig_await_ends(&self->rig, userspace ? "too_much_data" : "key_update_flood", 1);
}

/* The alert is under the key that the client reads with by then. */
TEST_F(rekey, before_an_alert_leaves_it_readable)
{
	static const uint8_t key_update_of_another_kind[] = {24, 0, 0, 1, 7};
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];
	char byte;
	size_t len;

	update(&self->peer, SSL_KEY_UPDATE_REQUESTED);
	peer_await_read(&self->peer);
	send_all(self->backend, "x", 1);
	peer_read_all(&self->peer, &byte, 1);
	EXPECT_EQ(1, self->updates);
	client_next_secret(&self->peer.client, false);
	keys_of_client(&self->peer.client, &traffic);
	len = record_seal(&traffic, &traffic.rx, KT_RECORD_HANDSHAKE, key_update_of_another_kind,
			  sizeof key_update_of_another_kind, record);
	send_all(self->peer.fd, record, len);
	EXPECT_EQ(PEER_FAILED, peer_read(&self->peer, &byte, 1));
	EXPECT_EQ(SSL_AD_ILLEGAL_PARAMETER, self->peer.client.alert);
	close(self->peer.fd);
	self->peer.fd = -1;
	rig_await_ends(&self->rig, "protocol_error", 1);
}

/* Legal, but no kernel can take it: it stops reading at the first piece. */
TEST_F(rekey, in_pieces_goes_on_or_ends_by_its_name)
{
	static const uint8_t message[] = {24, 0, 0, 1, 0};
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX], got[4];

	keys_of_client(&self->peer.client, &traffic);
	for (size_t at = 0; at < sizeof message; at += 3) {
		size_t len = sizeof message - at < 3 ? sizeof message - at : 3;

		len = record_seal(&traffic, &traffic.rx, KT_RECORD_HANDSHAKE, message + at, len,
				  record);
		send(self->peer.fd, record, len, MSG_NOSIGNAL);
	}
	if (variant->ktls != KT_KTLS_OFF) {
		EXPECT_EQ(PEER_FAILED, peer_read(&self->peer, got, 1));
		EXPECT_EQ(SSL_AD_INTERNAL_ERROR, self->peer.client.alert);
		close(self->peer.fd);
		self->peer.fd = -1;
		rig_await_ends(&self->rig, "key_update", 1);
		return;
	}
	client_next_secret(&self->peer.client, false);
	keys_of_client(&self->peer.client, &traffic);
	send_all(self->peer.fd, record,
		 record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "next", 4, record));
	recv_exactly(self->backend, got, 4);
	EXPECT_EQ(0, memcmp("next", got, 4));
}

/* ---- The same of a server that an origin speaks to ------------------------------------------- */

FIXTURE(server)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
	int client; /* plain */
};

FIXTURE_VARIANT(server)
{
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(server, userspace){KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(server, ktls){KT_KTLS_REQUIRE};

FIXTURE_SETUP(server)
{
	struct kt_ktls_support support = {0};
	const struct pki_cert *card;

	if (variant->ktls != KT_KTLS_OFF && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	ASSERT_EQ(0, kt_ktls_probe(&support));
	if (variant->ktls != KT_KTLS_OFF && !support.rekey)
		SKIP(return, "this kernel cannot replace keys");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls, .origin = true});
	card = pki_make(self->rig.lab.pki, self->rig.lab.ca,
			&(struct pki_options){
				.cn = "server.test", .dns = {"server.test"}, .eku = "serverAuth"});
	self->context =
		server_context(&(struct client_options){.version = KT_TLS_1_3, .cert = card});
	ASSERT_EQ(1, SSL_CTX_set_num_tickets(self->context, 0));
	self->client = tcp_connect(&self->rig.address);
	peer_serve(&self->peer, rig_accept(&self->rig), self->context);
	ASSERT_EQ(1, peer_handshake(&self->peer));
}

FIXTURE_TEARDOWN(server)
{
	close(self->client);
	peer_fini(&self->peer);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void exchange(FIXTURE_DATA(server) * self)
{
	char byte;

	send_all(self->client, "c", 1);
	peer_read_all(&self->peer, &byte, 1);
	EXPECT_EQ('c', byte);
	peer_write(&self->peer, "s", 1);
	recv_exactly(self->client, &byte, 1);
	EXPECT_EQ('s', byte);
}

TEST_F(server, may_update_its_key_and_ask_for_ours)
{
	for (int i = 0; i < 4; i++) {
		exchange(self);
		update(&self->peer,
		       i % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
		exchange(self);
	}
}

/*
 * The kernel looks at the first message of a record alone, and does not stop reading for a second
 * one. What follows is under the next key all the same, and is there already.
 */
TEST_F(server, may_update_its_key_behind_a_ticket)
{
	static const uint8_t both[] = {4, 0, 0, 14,  0, 0, 0,  60, 0, 0, 0, 0,
				       0, 0, 1, 't', 0, 0, 24, 0,  0, 1, 1};
	struct kt_traffic traffic;
	uint8_t records[2 * RECORD_MAX], got[4];
	size_t len;

	keys_of_client(&self->peer.client, &traffic);
	len = record_seal(&traffic, &traffic.tx, KT_RECORD_HANDSHAKE, both, sizeof both, records);
	client_next_secret(&self->peer.client, true);
	keys_of_client(&self->peer.client, &traffic);
	len += record_seal(&traffic, &traffic.tx, KT_RECORD_DATA, "next", 4, records + len);
	send_all(self->peer.fd, records, len);
	recv_exactly(self->client, got, 4);
	EXPECT_EQ(0, memcmp("next", got, 4));
	send_all(self->client, "ours", 4);
	peer_read_all(&self->peer, got, 4);
	EXPECT_EQ(0, memcmp("ours", got, 4));
	EXPECT_EQ(1, rig_stats(&self->rig).live);
}

TEST_HARNESS_MAIN
