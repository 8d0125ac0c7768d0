/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a peer may send or do to harm: each has a name, costs a bounded amount, and leaves the
 * others alone. Slow ones are in handshake.c, ends of what was let in in relay.c and rekey.c.
 */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

FIXTURE(hostile)
{
	struct rig rig;
	SSL_CTX *client;
	struct peer bystander; /* was let in before */
	int bystander_backend;
};

FIXTURE_VARIANT(hostile)
{
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(hostile, userspace){.ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(hostile, ktls){.ktls = KT_KTLS_AUTO};

FIXTURE_SETUP(hostile)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE});
	self->client = client_context(&(struct client_options){.cert = self->rig.lab.client});
	peer_connect(&self->bystander, &self->rig, self->client);
	ASSERT_EQ(1, peer_handshake(&self->bystander));
	self->bystander_backend = rig_accept(&self->rig);
}

static void ping(struct peer *peer, int backend)
{
	char text[4];

	peer_write(peer, "ping", 4);
	recv_exactly(backend, text, 4);
	EXPECT_EQ(0, memcmp("ping", text, 4));
	send_all(backend, "pong", 4);
	peer_read_all(peer, text, 4);
	EXPECT_EQ(0, memcmp("pong", text, 4));
}

/* Who was let in goes on, and who comes is let in. */
FIXTURE_TEARDOWN(hostile)
{
	struct peer next;
	int backend;

	ping(&self->bystander, self->bystander_backend);
	peer_connect(&next, &self->rig, self->client);
	ASSERT_EQ(1, peer_handshake(&next));
	backend = rig_accept(&self->rig);
	ping(&next, backend);
	close(backend);
	close(self->bystander_backend);
	peer_fini(&next);
	peer_fini(&self->bystander);
	SSL_CTX_free(self->client);
	rig_fini(&self->rig);
}

/* ---- Records --------------------------------------------------------------------------------- */

#define HELLO_MAX 4096

static size_t make_hello(struct peer *peer, uint8_t hello[static HELLO_MAX])
{
	int len;

	SSL_do_handshake(peer->client.ssl);
	ERR_clear_error();
	len = BIO_read(peer->client.out, hello, HELLO_MAX);
	ASSERT_LT(20, len);
	return (size_t)len;
}

/* So often that no buffers of sockets hold it all: whoever sends it is stopped, or heard to the
 * end. */
#define FLOOD 4000000u

/* Sends it so many times, or until nobody takes it; how many times somebody did. */
static unsigned int send_many(int fd, const void *data, size_t len, unsigned int times)
{
	enum { AT_ONCE = 512 };
	uint8_t *many = malloc(AT_ONCE * len);
	unsigned int sent = 0;

	ASSERT_TRUE(many != NULL);
	for (size_t i = 0; i < AT_ONCE; i++)
		memcpy(many + i * len, data, len);
	while (sent < times) {
		unsigned int now = times - sent < AT_ONCE ? times - sent : AT_ONCE;
		size_t off = 0;
		ssize_t n = 1;

		for (; off < now * len && n > 0; off += n > 0 ? (size_t)n : 0)
			n = send(fd, many + off, now * len - off, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += now;
	}
	free(many);
	return sent;
}

/* Alone, or behind a good hello. */
static void expect_refused(FIXTURE_DATA(hostile) * self, bool behind_hello, const void *data,
			   size_t len, unsigned int times, const char *outcome)
{
	uint64_t before = rig_outcomes(&self->rig, outcome);
	uint8_t hello[HELLO_MAX];
	struct peer peer;
	unsigned int sent;

	peer_connect(&peer, &self->rig, self->client);
	if (behind_hello)
		send_all(peer.fd, hello, make_hello(&peer, hello));
	sent = send_many(peer.fd, data, len, times);
	rig_await_outcomes(&self->rig, outcome, before + 1);
	/* it was not all heard */
	EXPECT_TRUE(times < FLOOD || sent < times);
	peer_fini(&peer);
}

#define REFUSED(behind_hello, times, outcome, ...)                                                 \
	do {                                                                                       \
		static const uint8_t data_[] = {__VA_ARGS__};                                      \
		expect_refused(self, behind_hello, data_, sizeof data_, times, outcome);           \
	} while (0)

TEST_F(hostile, record_that_is_too_long_is_refused_by_its_header)
{
	REFUSED(false, 1, "protocol_error", KT_RECORD_HANDSHAKE, 3, 1, 0xff, 0xff);
	REFUSED(false, 1, "protocol_error", KT_RECORD_HANDSHAKE, 3, 1, 0x48, 0x01);
	REFUSED(true, 1, "protocol_error", KT_RECORD_DATA, 3, 3, 0xff, 0xff);
}

TEST_F(hostile, empty_records_end)
{
	static const uint8_t types[] = {KT_RECORD_HANDSHAKE, KT_RECORD_ALERT, KT_RECORD_DATA,
					KT_RECORD_CHANGE_CIPHER_SPEC};

	for (size_t i = 0; i < sizeof types; i++) {
		const uint8_t record[] = {types[i], 3, 3, 0, 0};

		expect_refused(self, false, record, sizeof record, FLOOD, "protocol_error");
		expect_refused(self, true, record, sizeof record, FLOOD, "protocol_error");
	}
}

TEST_F(hostile, records_of_one_byte_end)
{
	static const uint8_t start[] = {KT_RECORD_HANDSHAKE, 3, 1, 0, 4, 1, 1, 0xf4, 0};
	static const uint8_t crumb[] = {KT_RECORD_HANDSHAKE, 3, 1, 0, 1, 0};
	struct peer peer;

	peer_connect(&peer, &self->rig, self->client);
	send_all(peer.fd, start, sizeof start);
	EXPECT_GT(FLOOD, send_many(peer.fd, crumb, sizeof crumb, FLOOD));
	rig_await_outcomes(&self->rig, "too_many_records", 1);
	peer_fini(&peer);
}

TEST_F(hostile, record_of_another_type_is_refused)
{
	REFUSED(false, 1, "protocol_error", KT_RECORD_DATA, 3, 3, 0, 1, 0);
	REFUSED(true, 1, "protocol_error", KT_RECORD_DATA, 3, 3, 0, 1, 0);
	REFUSED(true, 1, "protocol_error", 99, 3, 3, 0, 1, 0);
	/* Finished, before anything that it could finish */
	REFUSED(false, 1, "protocol_error", KT_RECORD_HANDSHAKE, 3, 3, 0, 4, 20, 0, 0, 0);
	REFUSED(true, 1, "protocol_error", KT_RECORD_HANDSHAKE, 3, 3, 0, 4, 20, 0, 0, 0);
}

TEST_F(hostile, change_cipher_specs_end)
{
	REFUSED(true, FLOOD, "protocol_error", KT_RECORD_CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1);
}

TEST_F(hostile, plaintext_alert_is_named)
{
	REFUSED(true, 1, "peer_alert", KT_RECORD_ALERT, 3, 3, 0, 2, 2, 48);
}

/* Whose it is, or that it has no place there: libssl's versions differ. */
TEST_F(hostile, alert_instead_of_a_hello_ends_it)
{
	static const uint8_t alert[] = {KT_RECORD_ALERT, 3, 1, 0, 2, 2, 40};
	int fd = tcp_connect(&self->rig.address);

	send_all(fd, alert, sizeof alert);
	WAIT_UNTIL(rig_stats(&self->rig).handshakes_failed == 1);
	EXPECT_EQ(1, rig_outcomes(&self->rig, "peer_alert") +
			     rig_outcomes(&self->rig, "protocol_error"));
	close(fd);
}

TEST_F(hostile, warnings_end)
{
	REFUSED(false, FLOOD, "protocol_error", KT_RECORD_ALERT, 3, 1, 0, 2, 1, 90);
	REFUSED(true, FLOOD, "protocol_error", KT_RECORD_ALERT, 3, 3, 0, 2, 1, 90);
}

TEST_F(hostile, second_hello_is_refused)
{
	uint8_t hello[HELLO_MAX];
	struct peer peer;
	size_t len;

	peer_connect(&peer, &self->rig, self->client);
	len = make_hello(&peer, hello);
	send_all(peer.fd, hello, len);
	send_all(peer.fd, hello, len);
	rig_await_outcomes(&self->rig, "protocol_error", 1);
	peer_fini(&peer);
}

/* TCP_NODELAY is set: each byte is a segment. */
TEST_F(hostile, hello_in_segments_of_one_byte_is_a_hello)
{
	uint8_t hello[HELLO_MAX];
	struct peer peer;
	size_t len;
	int backend;

	peer_connect(&peer, &self->rig, self->client);
	len = make_hello(&peer, hello);
	for (size_t i = 0; i < len; i++)
		send_all(peer.fd, hello + i, 1);
	EXPECT_EQ(1, peer_handshake(&peer));
	backend = rig_accept(&self->rig);
	ping(&peer, backend);
	close(backend);
	peer_fini(&peer);
}

/* ---- Hellos ---------------------------------------------------------------------------------- */

static int add_extension(SSL *ssl, unsigned int type, unsigned int context,
			 const unsigned char **out, size_t *out_len, X509 *x509, size_t index,
			 int *alert, void *arg)
{
	static const unsigned char content[24];

	(void)ssl, (void)type, (void)context, (void)x509, (void)index, (void)alert, (void)arg;
	*out = content;
	*out_len = sizeof content;
	return 1;
}

/* Nothing is known of them, so nothing is done with them. */
TEST_F(hostile, unknown_extensions_by_the_hundred_are_ignored)
{
	SSL_CTX *context = client_context(&(struct client_options){.cert = self->rig.lab.client});
	struct peer peer;
	int backend;

	for (unsigned int i = 0; i < 500; i++)
		ASSERT_TRUE(SSL_CTX_add_custom_ext(context, 20000 + i, SSL_EXT_CLIENT_HELLO,
						   add_extension, NULL, NULL, NULL, NULL));
	peer_connect(&peer, &self->rig, context);
	EXPECT_EQ(1, peer_handshake(&peer));
	backend = rig_accept(&self->rig);
	ping(&peer, backend);
	close(backend);
	peer_fini(&peer);
	SSL_CTX_free(context);
}

/* ---- Certificates ---------------------------------------------------------------------------- */

static void expect_outcome(FIXTURE_DATA(hostile) * self, SSL_CTX *context, const char *outcome)
{
	struct peer peer;

	peer_connect(&peer, &self->rig, context);
	peer_handshake(&peer);
	rig_await_outcomes(&self->rig, outcome, 1);
	peer_fini(&peer);
	SSL_CTX_free(context);
}

/* A hundred CAs of one name, any of which might have issued any other. */
TEST_F(hostile, list_of_a_hundred_certificates_is_refused)
{
	const struct pki_cert *root = pki_make_ca(self->rig.lab.pki, NULL, "Maze");
	const struct pki_cert *leaf =
		pki_make_leaf(self->rig.lab.pki, root, "leaf", "leaf.test", "clientAuth");
	SSL_CTX *context = client_context(&(struct client_options){.cert = leaf});

	for (int i = 0; i < 99; i++) {
		const struct pki_cert *ca = pki_make_ca(self->rig.lab.pki, root, "Maze");

		ASSERT_TRUE(SSL_CTX_add1_chain_cert(context, ca->x509));
	}
	expect_outcome(self, context, "chain_too_long");
}

static char *big_extension(size_t len)
{
	static const char oid[] = "1.2.3.4=";
	char *text = malloc(sizeof oid + 2 * len);

	ASSERT_TRUE(text != NULL);
	memcpy(text, oid, sizeof oid - 1);
	memset(text + sizeof oid - 1, 'a', 2 * len);
	text[sizeof oid - 1 + 2 * len] = 0;
	return text;
}

TEST_F(hostile, certificate_of_16_kib_is_judged_and_one_of_70_kib_is_not_read)
{
	static const struct {
		size_t len;
		const char *outcome;
	} cases[] = {{16 << 10, "unknown_issuer"}, {70 << 10, "too_much_data"}};

	for (size_t i = 0; i < 2; i++) {
		char *extension = big_extension(cases[i].len);
		const struct pki_cert *leaf = pki_make(self->rig.lab.pki, self->rig.lab.other_ca,
						       &(struct pki_options){.cn = "big",
									     .dns = {"big.test"},
									     .eku = "clientAuth",
									     .raw = {extension}});

		expect_outcome(self, client_context(&(struct client_options){.cert = leaf}),
			       cases[i].outcome);
		free(extension);
	}
}

/* ---- Comings and goings ---------------------------------------------------------------------- */

TEST_F(hostile, who_connects_and_vanishes_leaves_nothing)
{
	uint8_t hello[HELLO_MAX];
	unsigned int fds = test_open_fds();
	struct kt_engine_stats stats;

	for (int i = 0; i < 400; i++) {
		struct peer peer;

		peer_connect(&peer, &self->rig, self->client);
		if (i & 1)
			send_all(peer.fd, hello, make_hello(&peer, hello));
		if (i & 2) {
			abort_fd(peer.fd);
			peer.fd = -1;
		}
		peer_fini(&peer);
	}
	WAIT_UNTIL(rig_stats(&self->rig).handshakes_failed == 400);
	WAIT_UNTIL(test_open_fds() <= fds);
	stats = rig_stats(&self->rig);
	EXPECT_EQ(401, stats.accepted);
	EXPECT_EQ(0, stats.handshaking);
	/* All may be there at once, where the engine is slow: then some are too many. */
	EXPECT_EQ(400, rig_outcomes(&self->rig, "peer_closed") +
			       rig_outcomes(&self->rig, "peer_reset") +
			       rig_outcomes(&self->rig, "io_error") +
			       rig_outcomes(&self->rig, "too_many_from_address"));
}

TEST_HARNESS_MAIN
