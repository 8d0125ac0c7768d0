/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's last flight and its first data are one string of bytes, which reaches the engine in
 * two pieces, cut at each of its offsets: all data arrives, in order, and nothing else.
 *
 * The second piece is sent when the engine has taken from the first what it can: before the end of
 * the flight that is all of it; after it, the handshake is over and the records are where they
 * stay.
 */
#include "rig.h"

#include <stdlib.h>
#include <unistd.h>

static const char *const said[] = {"first words, in the same segment as Finished; ",
				   "more in a second record"};

FIXTURE(split)
{
	struct rig rig;
	SSL_CTX *context;
	unsigned int connections;
};

FIXTURE_VARIANT(split)
{
	enum kt_ktls_mode ktls;
	uint16_t version;
	enum kt_client_auth client_auth;
};

FIXTURE_VARIANT_ADD(split, tls13_userspace){
	.ktls = KT_KTLS_OFF,
	.version = KT_TLS_1_3,
	.client_auth = KT_CLIENT_AUTH_REQUIRE,
};
FIXTURE_VARIANT_ADD(split, tls12_userspace){
	.ktls = KT_KTLS_OFF,
	.version = KT_TLS_1_2,
	.client_auth = KT_CLIENT_AUTH_REQUIRE,
};
FIXTURE_VARIANT_ADD(split, tls13_ktls){
	.ktls = KT_KTLS_AUTO,
	.version = KT_TLS_1_3,
	.client_auth = KT_CLIENT_AUTH_REQUIRE,
};
/* The shorter flight without certificate: a guest is slow. */
FIXTURE_VARIANT_ADD(split, tls12_ktls){
	.ktls = KT_KTLS_AUTO,
	.version = KT_TLS_1_2,
	.client_auth = KT_CLIENT_AUTH_NONE,
};

FIXTURE_SETUP(split)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	rig_init(&self->rig,
		 &(struct rig_options){.ktls = variant->ktls, .client_auth = variant->client_auth});
	self->context = client_context(&(struct client_options){
		.version = variant->version,
		.cert = self->rig.lab.client,
		.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
		.suites = "TLS_AES_128_GCM_SHA256",
	});
}

FIXTURE_TEARDOWN(split)
{
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void seal(struct wire *wire, struct kt_traffic *traffic, uint8_t type, const void *data,
		 size_t len)
{
	uint8_t record[RECORD_MAX];

	wire_append(wire, record, record_seal(traffic, &traffic->rx, type, data, len, record));
}

/*
 * Behind the flight: data and close_notify. OpenSSL knows no false start (RFC 7918), so that the
 * records are made here.
 */
static size_t say_all(struct peer *peer, struct wire *wire)
{
	static const uint8_t close_notify[] = {1, 0};
	struct kt_traffic traffic;
	uint8_t buf[4096];
	size_t flight;
	int n;

	peer_hold_last_flight(peer);
	while ((n = BIO_read(peer->client.out, buf, sizeof buf)) > 0)
		wire_append(wire, buf, (size_t)n);
	flight = wire->len;
	keys_of_client(&peer->client, &traffic);
	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
		seal(wire, &traffic, KT_RECORD_DATA, said[i], strlen(said[i]));
	seal(wire, &traffic, KT_RECORD_ALERT, close_notify, sizeof close_notify);
	return flight;
}

static void expect_all_said(int backend)
{
	char heard[256];

	for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
		recv_exactly(backend, heard, strlen(said[i]));
		EXPECT_EQ(0, memcmp(said[i], heard, strlen(said[i])));
	}
	EXPECT_EQ(0, recv_end(backend));
}

/* One connection; returns the length of the whole string. */
static size_t connect_split(FIXTURE_DATA(split) * self, size_t split)
{
	struct wire wire = {0};
	struct peer peer;
	size_t flight, len;
	char reply[5];
	int backend = -1;

	peer_connect(&peer, &self->rig, self->context);
	flight = say_all(&peer, &wire);
	len = wire.len;
	if (split > len)
		split = len;
	send_all(peer.fd, wire.data, split);
	if (split < flight) {
		peer_await_read(&peer);
	} else {
		backend = rig_accept(&self->rig);
		EXPECT_EQ(++self->connections, rig_outcomes(&self->rig, "accepted"));
	}
	send_all(peer.fd, wire.data + split, len - split);
	if (split < flight) {
		backend = rig_accept(&self->rig);
		self->connections++;
	}
	expect_all_said(backend);
	send_all(backend, "reply", 5);
	close(backend);
	ASSERT_EQ(1, peer_handshake(&peer));
	peer_read_all(&peer, reply, sizeof reply);
	EXPECT_EQ(0, memcmp("reply", reply, sizeof reply));
	EXPECT_EQ(PEER_CLOSED, peer_read(&peer, reply, sizeof reply));
	peer_fini(&peer);
	free(wire.data);
	return len;
}

TEST_F_TIMEOUT(split, loses_nothing_at_any_offset, 300)
{
	size_t len = connect_split(self, 0);
	/* userspace records are enumerated where there is no kTLS; a guest is slow */
	size_t step = variant->ktls == KT_KTLS_OFF && test_have_ktls() ? 17 : 1;

	/* signatures differ in length by a few bytes from one connection to the next */
	for (size_t split = 1; split < len + 8; split += step)
		connect_split(self, split);
	rig_await_ends(&self->rig, "closed", self->connections);
	EXPECT_EQ(variant->ktls == KT_KTLS_AUTO ? self->connections : 0,
		  rig_stats(&self->rig).ktls_rx);
	TH_LOG("%u connections", self->connections);
}

/* A client that says everything and ends its stream at once. The kernel was attached before. */
TEST_F(split, loses_nothing_when_the_client_is_gone_before_offload)
{
	struct wire wire = {0};
	struct peer peer;
	int backend;

	peer_connect(&peer, &self->rig, self->context);
	say_all(&peer, &wire);
	send_all(peer.fd, wire.data, wire.len - 1);
	/* the last byte and FIN in one segment, most likely before the engine got so far */
	send_all(peer.fd, wire.data + wire.len - 1, 1);
	shutdown(peer.fd, SHUT_WR);
	backend = rig_accept(&self->rig);
	expect_all_said(backend);
	close(backend);
	rig_await_ends(&self->rig, "closed", 1);
	EXPECT_EQ(variant->ktls == KT_KTLS_AUTO ? 1 : 0, rig_stats(&self->rig).ktls_rx);
	peer_fini(&peer);
	free(wire.data);
}

TEST_HARNESS_MAIN
