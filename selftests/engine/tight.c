/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Send buffers that are smaller than a record. The kernel's TLS then keeps parts of records to
 * itself for a while, and what ends a stream must not overtake them (conn_io.c says how).
 *
 * In a network of its own, for the limits it sets are the network's.
 */
#include "rig.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 10
#define DATA_MAX    100000

FIXTURE(tight)
{
	struct rig rig;
	SSL_CTX *context;
};

FIXTURE_VARIANT(tight)
{
	enum kt_ktls_mode ktls;
	const char *wmem; /* net.ipv4.tcp_wmem */
};

FIXTURE_VARIANT_ADD(tight, userspace){.ktls = KT_KTLS_OFF, .wmem = "4096 8192 8192"};
FIXTURE_VARIANT_ADD(tight, ktls_8k){.ktls = KT_KTLS_AUTO, .wmem = "4096 8192 8192"};
FIXTURE_VARIANT_ADD(tight, ktls_32k){.ktls = KT_KTLS_AUTO, .wmem = "4096 32768 32768"};

FIXTURE_SETUP(tight)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	if (!rig_own_network(variant->wmem))
		SKIP(return, "no network namespace for us");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE});
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
}

FIXTURE_TEARDOWN(tight)
{
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

struct source {
	int fd;
	size_t len;
};

static void *give(void *arg)
{
	static uint8_t data[DATA_MAX];
	struct source *source = arg;

	pattern(data, source->len, 0, 1);
	send_all(source->fd, data, source->len);
	close(source->fd);
	return NULL;
}

TEST_F_TIMEOUT(tight, end_comes_after_all_data, 120)
{
	static uint8_t data[DATA_MAX], expected[DATA_MAX];

	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		struct source source = {.len = DATA_MAX - i * 9973u % DATA_MAX};
		const int small = 8192;
		struct peer peer;
		pthread_t thread;
		size_t at = 0;
		ssize_t n;

		peer_connect(&peer, &self->rig, self->context);
		setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		ASSERT_EQ(1, peer_handshake(&peer));
		source.fd = rig_accept(&self->rig);
		ASSERT_EQ(0, pthread_create(&thread, NULL, give, &source));
		while ((n = peer_read(&peer, data + at, sizeof data - at)) > 0)
			at += (size_t)n;
		pthread_join(thread, NULL);
		EXPECT_EQ(PEER_CLOSED, n);
		ASSERT_EQ(source.len, at);
		pattern(expected, at, 0, 1);
		ASSERT_EQ(0, memcmp(expected, data, at));
		peer_close_notify(&peer);
		peer_fini(&peer);
	}
	rig_await_ends(&self->rig, "closed", CONNECTIONS);
}

/* Both sides of one connection, of which one is going to be stopped. */
static int begin_flow(FIXTURE_DATA(tight) * self, struct peer *peer, bool from_backend)
{
	const struct timeval limit = {.tv_usec = 500000};
	int backend;

	peer_connect(peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(peer));
	backend = rig_accept(&self->rig);
	setsockopt(from_backend ? backend : peer->fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
		   sizeof limit);
	return backend;
}

static void end_flow(FIXTURE_DATA(tight) * self, struct peer *peer, int backend)
{
	EXPECT_EQ(0, rig_stats(&self->rig).ended);
	peer_fini(peer);
	close(backend);
}

/* What the sockets and one buffer hold, and no more: nothing is gathered in between. */
TEST_F(tight, slow_backend_stops_the_client_at_a_bounded_amount)
{
	enum { SOCKETS_HOLD = 512 << 10 };
	static uint8_t data[8192];
	struct peer peer;
	int backend = begin_flow(self, &peer, false);
	size_t total = 0;
	ssize_t n;

	do {
		uint8_t record[16384];
		int len;

		ASSERT_EQ((int)sizeof data, SSL_write(peer.client.ssl, data, sizeof data));
		len = BIO_read(peer.client.out, record, sizeof record);
		n = send(peer.fd, record, (size_t)len, MSG_NOSIGNAL);
		total += n > 0 ? (size_t)n : 0;
	} while (n > (ssize_t)sizeof data && total < 4 * SOCKETS_HOLD);
	EXPECT_LT(sizeof data, total);
	EXPECT_GT(SOCKETS_HOLD, total);
	end_flow(self, &peer, backend);
}

/* The other way round. What is encrypted here waits in no queue either. */
TEST_F(tight, slow_client_stops_the_backend_at_a_bounded_amount)
{
	enum { SOCKETS_HOLD = 512 << 10 };
	static uint8_t data[8192];
	struct peer peer;
	int backend = begin_flow(self, &peer, true);
	size_t total = 0;
	ssize_t n;

	do {
		n = send(backend, data, sizeof data, MSG_NOSIGNAL);
		total += n > 0 ? (size_t)n : 0;
	} while (n == (ssize_t)sizeof data && total < 4 * SOCKETS_HOLD);
	EXPECT_LT(sizeof data, total);
	EXPECT_GT(SOCKETS_HOLD, total);
	end_flow(self, &peer, backend);
}

TEST_HARNESS_MAIN
