/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets in, who does not, and under which name it is counted. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

FIXTURE(handshake)
{
	struct rig rig;
	SSL_CTX *client, *stranger, *expired, *nobody;
};

FIXTURE_VARIANT(handshake)
{
	enum kt_ktls_mode ktls;
	uint16_t version;
};

FIXTURE_VARIANT_ADD(handshake, tls13_userspace){.ktls = KT_KTLS_OFF, .version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(handshake, tls12_userspace){.ktls = KT_KTLS_OFF, .version = KT_TLS_1_2};
FIXTURE_VARIANT_ADD(handshake, tls13_ktls){.ktls = KT_KTLS_AUTO, .version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(handshake, tls12_ktls){.ktls = KT_KTLS_AUTO, .version = KT_TLS_1_2};

static SSL_CTX *context_of(uint16_t version, const struct pki_cert *cert)
{
	return client_context(&(struct client_options){.version = version, .cert = cert});
}

FIXTURE_SETUP(handshake)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE});
	self->client = context_of(variant->version, self->rig.lab.client);
	self->stranger = context_of(variant->version, self->rig.lab.stranger);
	self->expired = context_of(variant->version, self->rig.lab.expired);
	self->nobody = context_of(variant->version, NULL);
}

FIXTURE_TEARDOWN(handshake)
{
	SSL_CTX_free(self->client);
	SSL_CTX_free(self->stranger);
	SSL_CTX_free(self->expired);
	SSL_CTX_free(self->nobody);
	rig_fini(&self->rig);
}

TEST_F(handshake, accepts_a_verified_client)
{
	struct peer peer;
	char text[8];
	int backend;

	peer_connect(&peer, &self->rig, self->client);
	ASSERT_EQ(1, peer_handshake(&peer));
	peer_write(&peer, "ping", 4);
	backend = rig_accept(&self->rig);
	recv_exactly(backend, text, 4);
	EXPECT_EQ(0, memcmp(text, "ping", 4));
	send_all(backend, "pong", 4);
	peer_read_all(&peer, text, 4);
	EXPECT_EQ(0, memcmp(text, "pong", 4));
	EXPECT_EQ(1, rig_outcomes(&self->rig, "accepted"));
	EXPECT_EQ(1, rig_stats(&self->rig).live);
	EXPECT_EQ(variant->ktls == KT_KTLS_AUTO, rig_stats(&self->rig).ktls_tx);
	EXPECT_EQ(variant->ktls == KT_KTLS_AUTO, rig_stats(&self->rig).ktls_rx);
	peer_close_notify(&peer);
	EXPECT_EQ(0, recv_end(backend));
	close(backend);
	EXPECT_EQ(PEER_CLOSED, peer_read(&peer, text, sizeof text));
	peer_fini(&peer);
	rig_await_ends(&self->rig, "closed", 1);
	EXPECT_EQ(4, rig_stats(&self->rig).bytes_in);
	EXPECT_EQ(4, rig_stats(&self->rig).bytes_out);
}

/* What the kernel raises while somebody listens. */
extern unsigned short ktrust_handshake_semaphore, ktrust_conn_end_semaphore;

/* The events' content is the tracer's test; here they are made, under the sanitizers' eyes. */
TEST_F(handshake, goes_on_as_ever_while_somebody_listens)
{
	SSL_CTX *const contexts[] = {self->client, self->stranger, self->nobody};
	struct peer peer;

	ktrust_handshake_semaphore = 1;
	ktrust_conn_end_semaphore = 1;
	for (int i = 0; i < 3; i++) {
		peer_connect(&peer, &self->rig, contexts[i]);
		peer_handshake(&peer);
		peer_fini(&peer);
	}
	close(tcp_connect(&self->rig.address));
	WAIT_UNTIL(rig_stats(&self->rig).ended == 1 &&
		   rig_stats(&self->rig).handshakes_failed == 3);
}

/* Attaching may succeed and the export fail: userspace records then use the socket as it is. */
TEST(attached_socket_without_keys_carries_plain_bytes)
{
	char text[4];
	int fds[2];

	if (!test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	test_pair(TEST_INET, fds);
	ASSERT_EQ(0, kt_ktls_attach(fds[0]));
	send_all(fds[0], "down", 4);
	recv_exactly(fds[1], text, 4);
	EXPECT_EQ(0, memcmp("down", text, 4));
	send_all(fds[1], "up..", 4);
	recv_exactly(fds[0], text, 4);
	EXPECT_EQ(0, memcmp("up..", text, 4));
	shutdown(fds[0], SHUT_WR);
	EXPECT_EQ(0, recv_end(fds[1]));
	close(fds[1]);
	EXPECT_EQ(0, recv_end(fds[0]));
	close(fds[0]);
}

struct seen {
	unsigned int count;
	struct kt_conn_info info;
	char peer_name[128];
};

static void see(const struct kt_conn_info *info, void *arg)
{
	struct seen *seen = arg;

	seen->count++;
	seen->info = *info;
	snprintf(seen->peer_name, sizeof seen->peer_name, "%s", info->peer_name);
}

TEST_F(handshake, shows_the_connection_as_it_was_verified)
{
	struct seen seen = {0};
	struct peer peer;
	uint64_t cookie = 0;

	peer_connect(&peer, &self->rig, self->client);
	ASSERT_EQ(1, peer_handshake(&peer));
	rig_await_outcomes(&self->rig, "accepted", 1);
	/* the answer to "who is this?" is of then, not of now */
	ASSERT_EQ(2, lab_commit(&self->rig.lab, self->rig.lab.other_ca));
	ASSERT_EQ(0, kt_engine_each_conn(self->rig.engine, see, &seen));
	ASSERT_EQ(1, seen.count);
	EXPECT_EQ(1, seen.info.conn);
	EXPECT_NE(cookie, seen.info.cookie);
	EXPECT_STREQ("test", seen.info.listener);
	EXPECT_STREQ("clients", seen.info.pool);
	EXPECT_EQ(variant->version, seen.info.version);
	EXPECT_STREQ(SSL_CIPHER_standard_name(SSL_get_current_cipher(peer.client.ssl)),
		     seen.info.cipher_name);
	EXPECT_TRUE(seen.info.verified);
	EXPECT_EQ(KT_ACCEPTED, seen.info.verdict.code);
	EXPECT_EQ(1, seen.info.verdict.pool_version);
	EXPECT_STREQ("Client CA", seen.info.verdict.anchor_name);
	EXPECT_STREQ("client.test", seen.peer_name);
	EXPECT_EQ(AF_INET, seen.info.peer.addr.ss_family);
	EXPECT_EQ(variant->ktls == KT_KTLS_OFF ? 0 : KT_KTLS_TX | KT_KTLS_RX, seen.info.ktls);
	EXPECT_LT(0, seen.info.age_ns);
	peer_fini(&peer);
	WAIT_UNTIL(!rig_stats(&self->rig).live);
	seen.count = 0;
	ASSERT_EQ(0, kt_engine_each_conn(self->rig.engine, see, &seen));
	EXPECT_EQ(0, seen.count);
}

/* The third time at the latest; and what else is published turns it away all the same. */
TEST_F(handshake, remembers_who_was_let_in)
{
	struct kt_verify_cache_stats cache;
	struct peer peer;

	for (uint64_t times = 1; times <= 4; times++) {
		peer_connect(&peer, &self->rig, self->client);
		ASSERT_EQ(1, peer_handshake(&peer));
		rig_await_outcomes(&self->rig, "accepted", times);
		peer_fini(&peer);
	}
	kt_engine_get_cache_stats(self->rig.engine, &cache);
	EXPECT_EQ(2, cache.chain_misses);
	EXPECT_EQ(2, cache.chain_hits);
	EXPECT_EQ(1, cache.chain_inserts);
	ASSERT_EQ(2, lab_commit(&self->rig.lab, self->rig.lab.other_ca));
	peer_connect(&peer, &self->rig, self->client);
	peer_handshake(&peer);
	rig_await_outcomes(&self->rig, "unknown_issuer", 1);
	peer_fini(&peer);
	kt_engine_get_cache_stats(self->rig.engine, &cache);
	EXPECT_EQ(2, cache.chain_hits);
}

/* In TLS 1.3 a client is done before it hears that it is refused. */
static void expect_refused(struct rig *rig, SSL_CTX *context, const char *outcome, int alert)
{
	struct peer peer;
	char byte;
	int rc;

	peer_connect(&peer, rig, context);
	rc = peer_handshake(&peer);
	if (rc == 1)
		rc = (int)peer_read(&peer, &byte, 1);
	EXPECT_EQ(PEER_FAILED, rc);
	EXPECT_EQ(alert, peer.client.alert);
	rig_await_outcomes(rig, outcome, 1);
	EXPECT_EQ(0, rig_stats(rig).handshakes_ok);
	peer_fini(&peer);
}

TEST_F(handshake, refuses_a_client_of_another_ca)
{
	expect_refused(&self->rig, self->stranger, "unknown_issuer",
		       kt_verdict_alert(KT_UNKNOWN_ISSUER));
}

TEST_F(handshake, refuses_an_expired_client)
{
	expect_refused(&self->rig, self->expired, "expired", kt_verdict_alert(KT_EXPIRED));
}

TEST_F(handshake, refuses_a_client_without_certificate)
{
	expect_refused(&self->rig, self->nobody, "no_certificate",
		       variant->version == KT_TLS_1_3 ? kt_verdict_alert(KT_NO_CERTIFICATE) : 40);
}

/* Had the socket been closed with that in its queue, a reset could have overtaken the alert. */
TEST_F(handshake, alert_survives_unread_input)
{
	static const uint8_t more[64 << 10];
	struct peer peer;
	uint8_t byte;

	peer_connect(&peer, &self->rig, self->stranger);
	peer_hold_last_flight(&peer);
	ASSERT_EQ(sizeof more, BIO_write(peer.client.out, more, sizeof more));
	peer_flush(&peer);
	rig_await_outcomes(&self->rig, "unknown_issuer", 1);
	EXPECT_EQ(PEER_FAILED, peer_read(&peer, &byte, 1));
	EXPECT_EQ(kt_verdict_alert(KT_UNKNOWN_ISSUER), peer.client.alert);
	peer_fini(&peer);
}

TEST_F(handshake, names_plain_http)
{
	int fd = tcp_connect(&self->rig.address);
	uint8_t byte;

	send_all(fd, "GET / HTTP/1.1\r\nHost: here\r\n\r\n", 30);
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	rig_await_outcomes(&self->rig, "plain_http", 1);
	close(fd);
}

TEST_F(handshake, names_garbage)
{
	static const uint8_t garbage[64] = {0xde, 0xad, 0xbe, 0xef, 1, 2, 3};
	int fd = tcp_connect(&self->rig.address);

	send_all(fd, garbage, sizeof garbage);
	rig_await_outcomes(&self->rig, "not_tls", 1);
	close(fd);
}

TEST_F(handshake, names_a_client_that_leaves_without_a_byte)
{
	close(tcp_connect(&self->rig.address));
	rig_await_outcomes(&self->rig, "peer_closed", 1);
}

TEST_F(handshake, names_a_client_that_resets)
{
	abort_fd(tcp_connect(&self->rig.address));
	rig_await_outcomes(&self->rig, "peer_reset", 1);
}

/* The verdict's version is the event's, whatever was published before and after it. */
TEST_F(handshake, version_is_that_of_the_moment_of_the_verdict)
{
	struct seen seen = {0};
	struct peer peer;

	peer_connect(&peer, &self->rig, self->client);
	peer_hold_last_flight(&peer);
	ASSERT_EQ(2, lab_commit(&self->rig.lab, self->rig.lab.other_ca));
	ASSERT_EQ(3, lab_commit(&self->rig.lab, self->rig.lab.ca));
	peer_flush(&peer);
	ASSERT_EQ(1, peer_handshake(&peer));
	rig_await_outcomes(&self->rig, "accepted", 1);
	ASSERT_EQ(4, lab_commit(&self->rig.lab, self->rig.lab.other_ca));
	ASSERT_EQ(0, kt_engine_each_conn(self->rig.engine, see, &seen));
	EXPECT_EQ(3, seen.info.verdict.pool_version);
	peer_fini(&peer);
}

static uint64_t verdicts_told(const struct kt_engine *engine)
{
	struct kt_verify_cache_stats cache;

	kt_engine_get_cache_stats(engine, &cache);
	return cache.chain_inserts + cache.chain_declined;
}

/* The certificate is read and judged; before Finished the pool is another. */
TEST_F(handshake, swap_between_certificate_and_finished_does_not_change_the_version)
{
	struct seen seen = {0};
	struct peer peer;
	uint8_t flight[8192];
	int len;

	peer_connect(&peer, &self->rig, self->client);
	peer_hold_last_flight(&peer);
	len = BIO_read(peer.client.out, flight, sizeof flight);
	ASSERT_LT(1, len);
	/* all but the last byte of Finished */
	send_all(peer.fd, flight, (size_t)len - 1);
	/* the verdict has been taken when the cache has been told of it */
	WAIT_UNTIL(verdicts_told(self->rig.engine));
	ASSERT_EQ(2, lab_commit(&self->rig.lab, self->rig.lab.other_ca));
	send_all(peer.fd, flight + len - 1, 1);
	ASSERT_EQ(1, peer_handshake(&peer));
	rig_await_outcomes(&self->rig, "accepted", 1);
	ASSERT_EQ(0, kt_engine_each_conn(self->rig.engine, see, &seen));
	EXPECT_EQ(1, seen.info.verdict.pool_version);
	peer_fini(&peer);
}

static void keep_version(const char *pool, uint64_t version, uint64_t count, void *arg)
{
	uint64_t *counts = arg;

	EXPECT_STREQ("clients", pool);
	ASSERT_LT(version, 4);
	counts[version] += count;
}

TEST_F(handshake, counts_by_version)
{
	uint64_t counts[4] = {0};

	for (int i = 0; i < 3; i++) {
		struct peer peer;

		peer_connect(&peer, &self->rig, self->client);
		ASSERT_EQ(1, peer_handshake(&peer));
		rig_await_outcomes(&self->rig, "accepted", i + 1);
		peer_fini(&peer);
		if (i == 1) {
			lab_commit(&self->rig.lab, self->rig.lab.other_ca);
			lab_commit(&self->rig.lab, self->rig.lab.ca);
		}
	}
	kt_engine_each_version(self->rig.engine, keep_version, counts);
	EXPECT_EQ(0, counts[0]);
	EXPECT_EQ(2, counts[1]);
	EXPECT_EQ(0, counts[2]);
	EXPECT_EQ(1, counts[3]);
}

/* ---- Clients that take their time ------------------------------------------------------------ */

#define LIMIT_MS 200

FIXTURE(slow)
{
	struct rig rig;
	SSL_CTX *client;
};

FIXTURE_SETUP(slow)
{
	rig_init(&self->rig, &(struct rig_options){.ktls = KT_KTLS_OFF,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .handshake_timeout_ms = LIMIT_MS});
	self->client = context_of(0, self->rig.lab.client);
}

FIXTURE_TEARDOWN(slow)
{
	SSL_CTX_free(self->client);
	rig_fini(&self->rig);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

TEST_F(slow, silence_ends_once_at_the_limit)
{
	uint64_t before = now_ms();
	int fd = tcp_connect(&self->rig.address);
	uint8_t byte;

	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	EXPECT_LE(LIMIT_MS, now_ms() - before);
	rig_await_outcomes(&self->rig, "handshake_timeout", 1);
	close(fd);
}

TEST_F(slow, half_a_hello_ends_once_at_the_limit)
{
	struct peer peer;
	uint8_t hello[2048];
	int len;

	peer_connect(&peer, &self->rig, self->client);
	SSL_do_handshake(peer.client.ssl);
	len = BIO_read(peer.client.out, hello, sizeof hello);
	ASSERT_LT(20, len);
	send_all(peer.fd, hello, (size_t)len / 2);
	EXPECT_EQ(0, recv(peer.fd, hello, 1, 0));
	rig_await_outcomes(&self->rig, "handshake_timeout", 1);
	peer_fini(&peer);
}

TEST_F(slow, dribbling_does_not_buy_time)
{
	struct peer peer;
	uint8_t hello[2048];
	int len, sent = 0;

	peer_connect(&peer, &self->rig, self->client);
	SSL_do_handshake(peer.client.ssl);
	len = BIO_read(peer.client.out, hello, sizeof hello);
	while (sent < len && !rig_outcomes(&self->rig, "handshake_timeout")) {
		struct pollfd readable = {.fd = peer.fd, .events = POLLIN};

		send(peer.fd, hello + sent++, 1, MSG_NOSIGNAL);
		poll(&readable, 1, 10);
	}
	ASSERT_LT(sent, len);
	rig_await_outcomes(&self->rig, "handshake_timeout", 1);
	peer_fini(&peer);
}

TEST_HARNESS_MAIN
