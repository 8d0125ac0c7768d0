/* SPDX-License-Identifier: BSD-2-Clause */
/* Origins: plain clients in, to servers over TLS, which are plain OpenSSL here. */
#include "origins.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/x509v3.h>

static void present(FIXTURE_DATA(origin) * self, const FIXTURE_VARIANT(origin) * variant,
		    const struct pki_cert *cert)
{
	SSL_CTX_free(self->context);
	self->context =
		server_context(&(struct client_options){.version = variant->version, .cert = cert});
}

static void take_call(FIXTURE_DATA(origin) * self)
{
	call(self);
	peer_serve(&self->server, rig_accept(&self->rig), self->context);
}

static void establish(FIXTURE_DATA(origin) * self)
{
	take_call(self);
	ASSERT_EQ(1, peer_handshake(&self->server));
}

/* ---- What goes through ----------------------------------------------------------------------- */

TEST_F(origin, data_goes_both_ways_and_ends_are_passed_on)
{
	struct kt_engine_stats stats;
	char text[8];

	start(self, variant, (struct rig_options){0});
	establish(self);
	send_all(self->client, "ping", 4);
	peer_read_all(&self->server, text, 4);
	EXPECT_EQ(0, memcmp("ping", text, 4));
	shutdown(self->client, SHUT_WR);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->server, text, 1));
	/* The other direction goes on. */
	peer_write(&self->server, "pong", 4);
	recv_exactly(self->client, text, 4);
	EXPECT_EQ(0, memcmp("pong", text, 4));
	peer_close_notify(&self->server);
	EXPECT_EQ(0, recv_end(self->client));
	end_server(self);
	rig_await_ends(&self->rig, "closed", 1);
	stats = rig_stats(&self->rig);
	EXPECT_EQ(4, stats.bytes_in);
	EXPECT_EQ(4, stats.bytes_out);
	EXPECT_EQ(variant->ktls == KT_KTLS_OFF ? 0 : 1, stats.ktls_tx);
	EXPECT_EQ(variant->ktls == KT_KTLS_OFF ? 0 : 1, stats.ktls_rx);
}

TEST_F(origin, server_may_end_first)
{
	char text[8];

	start(self, variant, (struct rig_options){0});
	establish(self);
	peer_write(&self->server, "hello", 5);
	peer_close_notify(&self->server);
	recv_exactly(self->client, text, 5);
	EXPECT_EQ(0, recv_end(self->client));
	send_all(self->client, "bye", 3);
	peer_read_all(&self->server, text, 3);
	hang_up(self);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->server, text, 1));
	end_server(self);
	rig_await_ends(&self->rig, "closed", 1);
}

#define BULK (1u << 20)

TEST_F(origin, much_data_comes_whole)
{
	static uint8_t sent[BULK], got[BULK];

	start(self, variant, (struct rig_options){0});
	establish(self);
	pattern(sent, BULK, 0, 7);
	/* In pieces that sockets hold: nobody reads meanwhile. */
	for (size_t at = 0; at < BULK; at += 16384) {
		peer_write(&self->server, sent + at, 16384);
		recv_exactly(self->client, got + at, 16384);
		send_all(self->client, got + at, 16384);
		peer_read_all(&self->server, got + at, 16384);
	}
	EXPECT_EQ(0, memcmp(sent, got, BULK));
}

/* OpenSSL sends two behind the handshake, and others whenever it is told to. */
TEST_F(origin, tickets_do_not_disturb_the_data)
{
	char text[8];

	start(self, variant, (struct rig_options){0});
	ASSERT_EQ(1, SSL_CTX_set_num_tickets(self->context, 5));
	establish(self);
	for (int i = 0; i < 20; i++) {
		peer_write(&self->server, "a", 1);
		/* TLS 1.2 has its ticket in the handshake. */
		if (variant->version == KT_TLS_1_3)
			ASSERT_EQ(1, SSL_new_session_ticket(self->server.client.ssl));
		peer_write(&self->server, "b", 1);
		recv_exactly(self->client, text, 2);
		EXPECT_EQ(0, memcmp("ab", text, 2));
		send_all(self->client, "c", 1);
		peer_read_all(&self->server, text, 1);
	}
	EXPECT_EQ(1, rig_stats(&self->rig).live);
}

/* The last that is offered. */
static int choose(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
		  const unsigned char *offered, unsigned int len, void *arg)
{
	(void)ssl;
	(void)arg;
	for (unsigned int at = 0; at < len; at += 1u + offered[at]) {
		*ret_len = offered[at];
		*ret_name = offered + at + 1;
	}
	return SSL_TLSEXT_ERR_OK;
}

TEST_F(origin, names_itself_and_protocols_in_the_hello)
{
	const unsigned char *name;
	unsigned int len;

	start(self, variant,
	      (struct rig_options){.alpn = (const uint8_t *)"\2h2\4test", .alpn_len = 8});
	SSL_CTX_set_alpn_select_cb(self->context, choose, NULL);
	establish(self);
	SSL_get0_alpn_selected(self->server.client.ssl, &name, &len);
	ASSERT_EQ(4, len);
	EXPECT_EQ(0, memcmp("test", name, 4));
	EXPECT_STREQ("server.test",
		     SSL_get_servername(self->server.client.ssl, TLSEXT_NAMETYPE_host_name));
}

/* ---- Who is refused -------------------------------------------------------------------------- */

/* The server hears an alert, our client is reset, and the outcome has a name. */
static void expect_refusal(FIXTURE_DATA(origin) * self, const char *outcome)
{
	int why;

	take_call(self);
	why = peer_handshake(&self->server);
	if (why == 1) {
		char byte;

		why = (int)peer_read(&self->server, &byte, 1);
	}
	EXPECT_EQ(PEER_FAILED, why);
	EXPECT_LE(0, self->server.client.alert);
	EXPECT_EQ(-ECONNRESET, recv(self->client, &(char){0}, 1, 0) < 0 ? -errno : 0);
	end_server(self);
	rig_await_outcomes(&self->rig, outcome, 1);
	EXPECT_EQ(0, rig_stats(&self->rig).handshakes_ok);
}

TEST_F(origin, other_name_is_refused)
{
	start(self, variant,
	      (struct rig_options){.target_name = "other.test", .target_name_type = KT_NAME_DNS});
	expect_refusal(self, "name_mismatch");
}

TEST_F(origin, other_address_is_refused)
{
	start(self, variant,
	      (struct rig_options){.target_name = "192.0.2.8", .target_name_type = KT_NAME_IP});
	expect_refusal(self, "name_mismatch");
}

TEST_F(origin, address_is_verified)
{
	start(self, variant,
	      (struct rig_options){.target_name = "2001:db8::7", .target_name_type = KT_NAME_IP});
	establish(self);
	EXPECT_NULL(SSL_get_servername(self->server.client.ssl, TLSEXT_NAMETYPE_host_name));
	rig_await_outcomes(&self->rig, "accepted", 1);
}

TEST_F(origin, other_issuer_is_refused)
{
	start(self, variant, (struct rig_options){0});
	present(self, variant, self->rig.lab.server);
	expect_refusal(self, "unknown_issuer");
}

TEST_F(origin, expired_is_refused)
{
	start(self, variant, (struct rig_options){0});
	present(self, variant,
		pki_make(self->rig.lab.pki, self->rig.lab.ca,
			 &(struct pki_options){.cn = "server.test",
					       .dns = {"server.test"},
					       .eku = "serverAuth",
					       .not_before = -7200,
					       .not_after = -3600}));
	expect_refusal(self, "expired");
}

/* Against the snapshot that is current at the handshake. */
TEST_F(origin, removal_of_an_anchor_holds_for_the_next)
{
	start(self, variant, (struct rig_options){0});
	establish(self);
	rig_await_outcomes(&self->rig, "accepted", 1);
	hang_up(self);
	end_server(self);
	lab_commit(&self->rig.lab, self->rig.lab.other_ca);
	take_call(self);
	(void)peer_handshake(&self->server);
	rig_await_outcomes(&self->rig, "unknown_issuer", 1);
}

TEST_F(origin, what_is_no_tls_is_named)
{
	int fd;

	start(self, variant, (struct rig_options){0});
	call(self);
	fd = rig_accept(&self->rig);
	send_all(fd, "220 mail.example ESMTP\r\n", 24);
	EXPECT_EQ(-1, recv(self->client, &(char){0}, 1, 0));
	close(fd);
	WAIT_UNTIL(rig_stats(&self->rig).handshakes_failed == 1);
}

TEST_F(origin, silent_server_ends_at_the_limit)
{
	int fd;

	start(self, variant, (struct rig_options){.handshake_timeout_ms = 200});
	call(self);
	fd = rig_accept(&self->rig);
	EXPECT_EQ(-1, recv(self->client, &(char){0}, 1, 0));
	rig_await_outcomes(&self->rig, "handshake_timeout", 1);
	close(fd);
}

/* ---- Our own certificate --------------------------------------------------------------------- */

static int anybody(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

static void expect_our_name(FIXTURE_DATA(origin) * self, const char *name)
{
	X509 *ours;

	establish(self);
	ours = SSL_get0_peer_certificate(self->server.client.ssl);
	ASSERT_TRUE(ours != NULL);
	EXPECT_EQ(1, X509_check_host(ours, name, 0, 0, NULL));
	hang_up(self);
	end_server(self);
}

TEST_F(origin, shows_its_certificate_to_servers_that_ask)
{
	const struct pki_cert *newer;
	struct kt_credentials_slot *slot;
	struct kt_credentials_set *set;
	struct kt_credentials *own;
	struct lab other;

	lab_init(&other, &(struct lab_options){0});
	own = credentials_of(other.client);
	ASSERT_EQ(0, kt_credentials_set_new(&own, 1, &set, NULL));
	ASSERT_EQ(0, kt_credentials_slot_new(set, &slot));
	kt_credentials_set_put(set);
	kt_credentials_put(own);
	start(self, variant, (struct rig_options){.own_slot = slot});
	SSL_CTX_set_verify(self->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   anybody);
	expect_our_name(self, "client.test");
	/* The next connection has what was published meanwhile. */
	newer = pki_make_leaf(other.pki, other.ca, "newer", "newer.test", "clientAuth");
	own = credentials_of(newer);
	ASSERT_EQ(0, kt_credentials_set_new(&own, 1, &set, NULL));
	kt_credentials_slot_publish(slot, set);
	expect_our_name(self, "newer.test");
	kt_engine_drain(self->rig.engine, 0);
	kt_engine_free(self->rig.engine);
	self->rig.engine = NULL;
	kt_credentials_set_put(set);
	kt_credentials_put(own);
	kt_credentials_slot_free(slot);
	lab_fini(&other);
}

/* ---- Ends that are none ---------------------------------------------------------------------- */

TEST_F(origin, cut_stream_resets_the_client)
{
	start(self, variant, (struct rig_options){0});
	establish(self);
	rig_await_outcomes(&self->rig, "accepted", 1);
	shutdown(self->server.fd, SHUT_WR);
	EXPECT_EQ(-1, recv(self->client, &(char){0}, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	end_server(self);
	rig_await_ends(&self->rig, "truncated", 1);
}

/* The first byte that it does not take is answered by RST, one after that cannot be sent. */
TEST_F(origin, client_that_is_done_and_takes_no_more)
{
	unsigned int fds;
	char byte;

	start(self, variant, (struct rig_options){0});
	establish(self);
	close(self->client);
	self->client = -1;
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->server, &byte, 1));
	fds = test_open_fds();
	for (uint64_t sent = 0; test_open_fds() == fds; sent++) {
		WAIT_UNTIL(rig_stats(&self->rig).bytes_in == sent || test_open_fds() < fds);
		peer_write(&self->server, "x", 1);
	}
	end_server(self);
	rig_await_ends(&self->rig, "client_closed", 1);
}

TEST_F(origin, reset_of_the_client_is_no_clean_end)
{
	char byte;

	start(self, variant, (struct rig_options){0});
	establish(self);
	send_all(self->client, "a", 1);
	peer_read_all(&self->server, &byte, 1);
	abort_fd(self->client);
	self->client = -1;
	EXPECT_EQ(variant->ktls == KT_KTLS_OFF ? PEER_EOF : PEER_FAILED,
		  peer_read(&self->server, &byte, 1));
	end_server(self);
	rig_await_ends(&self->rig, "client_reset", 1);
}

/* ---- Reaching -------------------------------------------------------------------------------- */

TEST_F(origin, dead_target_is_named)
{
	start(self, variant, (struct rig_options){.no_backend = true});
	call(self);
	EXPECT_EQ(-1, recv(self->client, &(char){0}, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	rig_await_outcomes(&self->rig, "target_unreachable", 1);
}

TEST_F(origin, silent_target_ends_at_the_limit)
{
	int queued[QUEUED];

	start(self, variant, (struct rig_options){.connect_timeout_ms = 200});
	fill_queue(self->rig.backend, &self->rig.backend_address, queued);
	call(self);
	EXPECT_EQ(-1, recv(self->client, &(char){0}, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	rig_await_outcomes(&self->rig, "target_timeout", 1);
	for (int i = 0; i < QUEUED; i++)
		close(queued[i]);
}

TEST_F(origin, next_target_takes_over)
{
	struct kt_address targets[2] = {{.len = 0}, {.len = 0}};
	struct kt_address dead;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Bound, and nobody listens. */
	ASSERT_EQ(0, kt_address_parse("127.0.0.1:0", &dead, NULL));
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&dead.addr, dead.len));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&dead.addr, &dead.len));
	targets[0] = dead;
	start(self, variant, (struct rig_options){.backends = targets, .backend_count = 2});
	establish(self);
	rig_await_outcomes(&self->rig, "accepted", 1);
	close(fd);
}

/* ---- Options --------------------------------------------------------------------------------- */

static int make(struct kt_listener_options listener)
{
	const struct kt_engine_options options = {
		.listeners = &listener, .listener_count = 1, .workers = 1, .ktls = KT_KTLS_OFF};
	struct kt_engine *engine;
	int err;

	listener.name = "test";
	ASSERT_EQ(0, kt_address_parse("127.0.0.1:0", &listener.listen, NULL));
	err = kt_engine_new(&options, &engine, NULL);
	if (!err)
		kt_engine_free(engine);
	return err;
}

TEST(origin_needs_what_it_verifies_by)
{
	struct kt_target target = {
		.host = "server.test", .port = 1, .name = "server.test", .name_type = KT_NAME_DNS};
	struct kt_upstream_options upstream = {.kind = KT_UPSTREAM_SOCKS5};
	struct kt_listener_options good = {
		.mode = KT_MODE_ORIGIN, .targets = &target, .target_count = 1};
	struct kt_listener_options bad;
	struct kt_pool *pool;

	ASSERT_EQ(0, kt_pool_new("servers", &pool, NULL));
	ASSERT_EQ(0, kt_address_parse("127.0.0.1:1", &target.address, NULL));
	EXPECT_EQ(-EINVAL, make(good));
	good.pool = pool;
	EXPECT_EQ(0, make(good));
	bad = good;
	bad.target_count = 0;
	EXPECT_EQ(-EINVAL, make(bad));
	bad = good;
	bad.client_auth = KT_CLIENT_AUTH_REQUIRE;
	EXPECT_EQ(-EINVAL, make(bad));
	bad = good;
	bad.backends = &target.address;
	bad.backend_count = 1;
	EXPECT_EQ(-EINVAL, make(bad));
	bad = good;
	bad.upstream = &upstream;
	EXPECT_EQ(-EINVAL, make(bad));
	upstream.address = target.address;
	EXPECT_EQ(0, make(bad));
	target.host = "a b";
	EXPECT_EQ(-EINVAL, make(bad));
	target.name_type = KT_NAME_NONE;
	EXPECT_EQ(-EINVAL, make(good));
	kt_pool_free(pool);
}

TEST_HARNESS_MAIN
