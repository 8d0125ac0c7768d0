/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that another program takes over: how they get there, and what becomes of those that
 * do not. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ktrust/handoff.h>
#include <ktrust/stream.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#define ALERT_INTERNAL_ERROR 80
#define PEERS_MAX	     200

FIXTURE(handoff)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peers[PEERS_MAX];
	unsigned int peer_count;
	int listening; /* the receiver's; -1: there is none */
	int link;
};
FIXTURE_VARIANT(handoff)
{
	uint16_t version;
};
FIXTURE_VARIANT_ADD(handoff, tls13){KT_TLS_1_3};
FIXTURE_VARIANT_ADD(handoff, tls12){KT_TLS_1_2};

FIXTURE_SETUP(handoff)
{
	if (!test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	self->listening = -1;
	self->link = -1;
}

FIXTURE_TEARDOWN(handoff)
{
	while (self->peer_count)
		peer_fini(&self->peers[--self->peer_count]);
	SSL_CTX_free(self->context);
	if (self->link >= 0)
		close(self->link);
	if (self->listening >= 0)
		close(self->listening);
	rig_fini(&self->rig);
}

static void listen_there(FIXTURE_DATA(handoff) * self)
{
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_handoff_listen(self->rig.handoff_path, 0600, &self->listening, &error));
}

static void start(FIXTURE_DATA(handoff) * self, const FIXTURE_VARIANT(handoff) * variant,
		  struct rig_options options)
{
	options.handoff = true;
	if (!options.handoff_user)
		options.handoff_user = geteuid();
	if (!options.client_auth)
		options.client_auth = KT_CLIENT_AUTH_REQUIRE;
	rig_init(&self->rig, &options);
	self->context = client_context(&(struct client_options){.version = variant->version,
								.cert = self->rig.lab.client});
}

/* A client; its handshake is done for itself. */
static struct peer *connect_peer(FIXTURE_DATA(handoff) * self)
{
	struct peer *peer = &self->peers[self->peer_count++];

	ASSERT_GE(PEERS_MAX, self->peer_count);
	peer_connect(peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(peer));
	return peer;
}

static void await_link(FIXTURE_DATA(handoff) * self)
{
	struct pollfd pollfd = {.fd = self->listening, .events = POLLIN};

	ASSERT_EQ(1, poll(&pollfd, 1, WAIT_LIMIT_MS));
	ASSERT_EQ(0, kt_handoff_link(self->listening, geteuid(), &self->link));
}

static int take(FIXTURE_DATA(handoff) * self, struct kt_handoff *handoff)
{
	struct pollfd pollfd = {.events = POLLIN};

	if (self->link < 0)
		await_link(self);
	pollfd.fd = self->link;
	ASSERT_EQ(1, poll(&pollfd, 1, WAIT_LIMIT_MS));
	ASSERT_EQ(1, kt_handoff_accept(self->link, handoff, NULL));
	return handoff->fd;
}

static int take_fd(FIXTURE_DATA(handoff) * self)
{
	struct kt_handoff handoff;

	return take(self, &handoff);
}

static void recv_all(int fd, void *buf, size_t len)
{
	uint8_t *at = buf;

	while (len) {
		ssize_t got = kt_recv(fd, at, len < 2 ? 2 : len, NULL);

		ASSERT_LT(0, got);
		ASSERT_LE((size_t)got, len);
		at += got;
		len -= (size_t)got;
	}
}

static void send_whole(int fd, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len) {
		ssize_t sent = kt_send(fd, at, len);

		ASSERT_LT(0, sent);
		at += sent;
		len -= (size_t)sent;
	}
}

/* ---- Over ---------------------------------------------------------------------------------- */

TEST_F(handoff, carries_bytes_and_ends_both_ways)
{
	char buf[16];
	uint8_t byte;
	struct peer *peer;
	int fd;

	start(self, variant, (struct rig_options){0});
	listen_there(self);
	peer = connect_peer(self);
	fd = take_fd(self);
	peer_write(peer, "hello", 5);
	recv_all(fd, buf, 5);
	EXPECT_EQ(0, memcmp("hello", buf, 5));
	send_whole(fd, "answer", 6);
	peer_read_all(peer, buf, 6);
	EXPECT_EQ(0, memcmp("answer", buf, 6));
	peer_close_notify(peer);
	EXPECT_EQ(0, kt_recv(fd, buf, sizeof buf, NULL));
	send_whole(fd, "last", 4);
	EXPECT_EQ(0, kt_close(fd));
	peer_read_all(peer, buf, 4);
	EXPECT_EQ(PEER_CLOSED, peer_read(peer, &byte, 1));
	rig_await_ends(&self->rig, "handed_off", 1);
	EXPECT_EQ(1, rig_stats(&self->rig).handed_off);
	EXPECT_EQ(0, rig_stats(&self->rig).handoff_refused);
}

TEST_F(handoff, tells_who_it_is)
{
	struct kt_handoff handoff;
	char address[KT_ADDRESS_TEXT_MAX];
	struct kt_address mine = {.len = sizeof mine.addr};
	uint8_t digest[KT_DIGEST_LEN];
	struct peer *peer;

	start(self, variant, (struct rig_options){0});
	listen_there(self);
	peer = &self->peers[self->peer_count++];
	peer_connect(peer, &self->rig, self->context);
	ASSERT_EQ(1, SSL_set_tlsext_host_name(peer->client.ssl, "www.example.org"));
	ASSERT_EQ(1, peer_handshake(peer));
	close(take(self, &handoff));
	EXPECT_EQ(1, handoff.conn);
	EXPECT_STREQ("test", handoff.listener);
	ASSERT_EQ(0, getsockname(peer->fd, (struct sockaddr *)&mine.addr, &mine.len));
	EXPECT_STREQ(kt_address_format(&mine, address), handoff.peer_addr);
	EXPECT_STREQ(kt_address_format(&self->rig.address, address), handoff.local_addr);
	EXPECT_TRUE(handoff.verified);
	EXPECT_STREQ("client.test", handoff.peer);
	EXPECT_STREQ("dns:client.test", handoff.peer_san);
	EXPECT_STREQ("www.example.org", handoff.sni);
	EXPECT_STREQ("", handoff.alpn);
	EXPECT_STREQ(kt_pool_name(self->rig.lab.pool), handoff.pool);
	EXPECT_EQ(1, handoff.pool_version);
	ASSERT_EQ(1, EVP_Digest(self->rig.lab.ca->der, self->rig.lab.ca->der_len, digest, NULL,
				EVP_sha256(), NULL));
	EXPECT_EQ(0, memcmp(digest, handoff.anchor, KT_DIGEST_LEN));
	EXPECT_STRNE("", handoff.anchor_name);
	EXPECT_EQ(variant->version, handoff.version);
	EXPECT_STREQ(SSL_CIPHER_standard_name(SSL_get_current_cipher(peer->client.ssl)),
		     handoff.cipher);
}

/* What came right behind the handshake is still in the socket. */
TEST_F(handoff, loses_no_byte_at_the_seam)
{
	char buf[64];
	struct peer *peer;
	int fd;

	start(self, variant, (struct rig_options){0});
	listen_there(self);
	peer = &self->peers[self->peer_count++];
	peer_connect(peer, &self->rig, self->context);
	peer_hold_last_flight(peer);
	if (variant->version == KT_TLS_1_3) {
		ASSERT_EQ(1, SSL_do_handshake(peer->client.ssl));
		ASSERT_EQ(5, SSL_write(peer->client.ssl, "early", 5));
		ASSERT_EQ(4, SSL_write(peer->client.ssl, "more", 4));
		peer_flush(peer);
	} else {
		ASSERT_EQ(1, peer_handshake(peer));
		peer_write(peer, "early", 5);
		peer_write(peer, "more", 4);
	}
	fd = take_fd(self);
	recv_all(fd, buf, 9);
	EXPECT_EQ(0, memcmp("earlymore", buf, 9));
	close(fd);
}

TEST_F(handoff, truncation_is_told)
{
	char buf[16];
	struct peer *peer;
	int fd;

	start(self, variant, (struct rig_options){0});
	listen_there(self);
	peer = connect_peer(self);
	fd = take_fd(self);
	peer_write(peer, "hello", 5);
	shutdown(peer->fd, SHUT_WR);
	recv_all(fd, buf, 5);
	EXPECT_EQ(-KT_ERR_TRUNCATED, kt_recv(fd, buf, sizeof buf, NULL));
	close(fd);
	EXPECT_EQ(PEER_EOF, peer_read(peer, buf, sizeof buf));
}

TEST_F(handoff, key_update_is_told)
{
	char buf[16];
	struct peer *peer;
	int fd;

	start(self, variant, (struct rig_options){0});
	listen_there(self);
	peer = connect_peer(self);
	fd = take_fd(self);
	if (variant->version == KT_TLS_1_3) {
		ASSERT_EQ(1, SSL_key_update(peer->client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED));
		peer_write(peer, "hello", 5);
		EXPECT_EQ(-KT_ERR_KEY_UPDATE, kt_recv(fd, buf, sizeof buf, NULL));
	}
	close(fd);
}

TEST_F(handoff, several_follow_each_other)
{
	char buf[16];

	start(self, variant, (struct rig_options){0});
	listen_there(self);
	for (int i = 0; i < 5; i++)
		connect_peer(self);
	for (int i = 0; i < 5; i++) {
		int fd = take_fd(self);

		send_whole(fd, "to", 2);
		EXPECT_EQ(0, kt_close(fd));
	}
	for (int i = 0; i < 5; i++) {
		peer_read_all(&self->peers[i], buf, 2);
		EXPECT_EQ(PEER_CLOSED, peer_read(&self->peers[i], buf, 1));
	}
	rig_await_ends(&self->rig, "handed_off", 5);
}

/* Only accepted clients get there. */
TEST_F(handoff, refused_clients_are_not_handed_over)
{
	struct pollfd pollfd = {.events = POLLIN};
	SSL_CTX *context;
	struct peer *peer = &self->peers[0];
	uint8_t byte;

	start(self, variant, (struct rig_options){0});
	listen_there(self);
	context = client_context(&(struct client_options){.version = variant->version,
							  .cert = self->rig.lab.stranger});
	peer_connect(peer, &self->rig, context);
	self->peer_count = 1;
	if (peer_handshake(peer) == 1)
		EXPECT_EQ(PEER_FAILED, peer_read(peer, &byte, 1));
	rig_await_outcomes(&self->rig, "unknown_issuer", 1);
	pollfd.fd = self->listening;
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	SSL_CTX_free(context);
}

/* ---- Not over ------------------------------------------------------------------------------ */

static void expect_alert(struct peer *peer)
{
	uint8_t byte;

	EXPECT_EQ(PEER_FAILED, peer_read(peer, &byte, 1));
	EXPECT_EQ(ALERT_INTERNAL_ERROR, peer->client.alert);
}

TEST_F(handoff, nobody_there_ends_it)
{
	start(self, variant, (struct rig_options){0});
	expect_alert(connect_peer(self));
	rig_await_ends(&self->rig, "receiver_gone", 1);
	EXPECT_EQ(1, rig_stats(&self->rig).handoff_refused);
	EXPECT_EQ(0, rig_stats(&self->rig).handoff_waiting);
}

TEST_F(handoff, wrong_user_ends_it)
{
	start(self, variant, (struct rig_options){.handoff_user = geteuid() + 1});
	listen_there(self);
	expect_alert(connect_peer(self));
	expect_alert(connect_peer(self));
	rig_await_ends(&self->rig, "receiver_refused", 2);
	EXPECT_EQ(0, rig_stats(&self->rig).handed_off);
}

TEST_F(handoff, waits_for_a_receiver_within_bounds)
{
	start(self, variant, (struct rig_options){.handoff_queue = 2});
	connect_peer(self);
	connect_peer(self);
	WAIT_UNTIL(rig_stats(&self->rig).handoff_waiting == 2);
	expect_alert(connect_peer(self));
	rig_await_ends(&self->rig, "receiver_gone", 1);
	EXPECT_EQ(2, rig_stats(&self->rig).handoff_waiting);
	listen_there(self);
	close(take_fd(self));
	close(take_fd(self));
	rig_await_ends(&self->rig, "handed_off", 2);
	EXPECT_EQ(0, rig_stats(&self->rig).handoff_waiting);
}

TEST_F(handoff, waits_no_longer_than_the_connect_timeout)
{
	start(self, variant, (struct rig_options){.handoff_queue = 2, .connect_timeout_ms = 300});
	expect_alert(connect_peer(self));
	rig_await_ends(&self->rig, "receiver_gone", 1);
	EXPECT_EQ(0, rig_stats(&self->rig).handoff_waiting);
	EXPECT_EQ(1, rig_stats(&self->rig).handoff_refused);
}

TEST_F(handoff, those_that_wait_are_cut_by_a_drain)
{
	start(self, variant, (struct rig_options){.handoff_queue = 2});
	connect_peer(self);
	WAIT_UNTIL(rig_stats(&self->rig).handoff_waiting == 1);
	EXPECT_EQ(1, kt_engine_drain(self->rig.engine, 0));
	rig_await_ends(&self->rig, "drained", 1);
	EXPECT_EQ(0, rig_stats(&self->rig).handoff_waiting);
}

TEST_F(handoff, receiver_may_come_back)
{
	start(self, variant, (struct rig_options){.handoff_queue = 16});
	listen_there(self);
	connect_peer(self);
	close(take_fd(self));
	for (int turn = 0; turn < 3; turn++) {
		close(self->link);
		close(self->listening);
		self->link = -1;
		connect_peer(self);
		WAIT_UNTIL(rig_stats(&self->rig).handoff_waiting == 1);
		listen_there(self);
		close(take_fd(self));
	}
	rig_await_ends(&self->rig, "handed_off", 4);
	EXPECT_EQ(0, rig_stats(&self->rig).handoff_refused);
}

/* It was replaced in between: there is no need to wait. */
TEST_F(handoff, link_that_broke_is_made_again_at_once)
{
	start(self, variant, (struct rig_options){.handoff_queue = 0});
	listen_there(self);
	connect_peer(self);
	close(take_fd(self));
	close(self->link);
	self->link = -1;
	connect_peer(self);
	close(take_fd(self));
	rig_await_ends(&self->rig, "handed_off", 2);
}

TEST_F(handoff, receiver_that_left_ends_it)
{
	start(self, variant, (struct rig_options){.handoff_queue = 0});
	listen_there(self);
	connect_peer(self);
	close(take_fd(self));
	close(self->link);
	close(self->listening);
	self->link = self->listening = -1;
	expect_alert(connect_peer(self));
	rig_await_ends(&self->rig, "receiver_gone", 1);
}

/* Fills what the kernel keeps for a receiver that takes nothing. */
static unsigned int fill(FIXTURE_DATA(handoff) * self)
{
	uint64_t before;

	do {
		before = rig_stats(&self->rig).handed_off;
		connect_peer(self);
		WAIT_UNTIL(rig_stats(&self->rig).handed_off > before ||
			   rig_stats(&self->rig).handoff_waiting);
	} while (rig_stats(&self->rig).handed_off > before);
	return (unsigned int)before;
}

TEST_F_TIMEOUT(handoff, receiver_that_takes_nothing_is_waited_for_within_bounds, 120)
{
	unsigned int sent;

	start(self, variant, (struct rig_options){.handoff_queue = 1, .connect_timeout_ms = 60000});
	listen_there(self);
	sent = fill(self);
	EXPECT_LE(5, sent);
	expect_alert(connect_peer(self));
	rig_await_ends(&self->rig, "receiver_busy", 1);
	/* Room is told by the kernel, not found by looking again. */
	while (sent--)
		close(take_fd(self));
	close(take_fd(self));
	EXPECT_EQ(0, rig_stats(&self->rig).handoff_waiting);
}

TEST_F_TIMEOUT(handoff, those_that_wait_for_room_have_their_time, 120)
{
	start(self, variant, (struct rig_options){.handoff_queue = 1, .connect_timeout_ms = 500});
	listen_there(self);
	fill(self);
	rig_await_ends(&self->rig, "receiver_busy", 1);
	EXPECT_EQ(0, rig_stats(&self->rig).handoff_waiting);
}

TEST_F_TIMEOUT(handoff, those_that_wait_for_room_go_to_the_next_receiver, 120)
{
	int dead;

	start(self, variant, (struct rig_options){.handoff_queue = 1, .connect_timeout_ms = 60000});
	listen_there(self);
	fill(self);
	await_link(self);
	dead = self->link;
	self->link = -1;
	close(dead);
	close(take_fd(self));
	WAIT_UNTIL(!rig_stats(&self->rig).handoff_waiting);
}

TEST_F_TIMEOUT(handoff, those_that_wait_for_room_are_cut_by_a_drain, 120)
{
	start(self, variant, (struct rig_options){.handoff_queue = 1, .connect_timeout_ms = 60000});
	listen_there(self);
	fill(self);
	EXPECT_EQ(1, kt_engine_drain(self->rig.engine, 0));
	rig_await_ends(&self->rig, "drained", 1);
}

/* ---- Whether at all ------------------------------------------------------------------------ */

/* Anywhere: where the kernel cannot, such a listener does not start. */
TEST(handoff_needs_ktls)
{
	const struct rig_options options = {.handoff = true, .client_auth = KT_CLIENT_AUTH_REQUIRE};
	struct rig_options off = options;
	struct kt_engine *engine = NULL;
	struct rig rig;

	rig_init(&rig, &(struct rig_options){.no_start = true,
					     .ktls = KT_KTLS_OFF,
					     .client_auth = KT_CLIENT_AUTH_REQUIRE});
	off.ktls = KT_KTLS_OFF;
	EXPECT_EQ(-EINVAL, rig_make_engine(&rig, &off, &engine));
	EXPECT_NULL(engine);
	EXPECT_EQ(test_have_ktls() ? 0 : -EOPNOTSUPP, rig_make_engine(&rig, &options, &engine));
	kt_engine_free(engine);
	rig_fini(&rig);
}

TEST_HARNESS_MAIN
