/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Send buffers that are smaller than a record. The kernel's TLS then keeps parts of records to
 * itself for a while, and what ends a stream must not overtake them (conn_io.c says how).
 *
 * In a network of its own, for the limits it sets are the network's.
 */
#include "../../src/engine/blocks.h"
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
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

static void set_limits(const char *path, const char *limits)
{
	int file = open(path, O_WRONLY);

	ASSERT_LE(0, file);
	ASSERT_EQ(strlen(limits), write(file, limits, strlen(limits)));
	close(file);
}

static void own_network(const char *wmem)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ASSERT_EQ(0, ioctl(fd, SIOCSIFFLAGS, &lo));
	close(fd);
	set_limits("/proc/sys/net/ipv4/tcp_wmem", wmem);
	set_limits("/proc/sys/net/ipv4/tcp_rmem", "4096 65536 65536");
}

FIXTURE_SETUP(tight)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespace for us");
	own_network(variant->wmem);
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

/* What the sockets and one buffer hold, and no more: nothing is gathered in between. */
TEST_F(tight, slow_backend_stops_the_client_at_a_bounded_amount)
{
	enum { SOCKETS_HOLD = 512 << 10 };
	static uint8_t data[8192];
	const struct timeval limit = {.tv_usec = 500000};
	struct peer peer;
	int backend;
	size_t total = 0;
	ssize_t n;

	peer_connect(&peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&peer));
	backend = rig_accept(&self->rig);
	setsockopt(peer.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
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
	EXPECT_EQ(0, rig_stats(&self->rig).ended);
	peer_fini(&peer);
	close(backend);
}

/* The other way round. What is encrypted here waits in no queue either. */
TEST_F(tight, slow_client_stops_the_backend_at_a_bounded_amount)
{
	enum { SOCKETS_HOLD = 512 << 10 };
	static uint8_t data[8192];
	const struct timeval limit = {.tv_usec = 500000};
	struct peer peer;
	int backend;
	size_t total = 0;
	ssize_t n;

	peer_connect(&peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&peer));
	backend = rig_accept(&self->rig);
	setsockopt(backend, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	do {
		n = send(backend, data, sizeof data, MSG_NOSIGNAL);
		total += n > 0 ? (size_t)n : 0;
	} while (n == (ssize_t)sizeof data && total < 4 * SOCKETS_HOLD);
	EXPECT_LT(sizeof data, total);
	EXPECT_GT(SOCKETS_HOLD, total);
	EXPECT_EQ(0, rig_stats(&self->rig).ended);
	peer_fini(&peer);
	close(backend);
}

/* ---- Few blocks ------------------------------------------------------------------------------ */

bool __wrap_kt_blocks_grow(struct kt_blocks *blocks);

static _Atomic bool no_more_blocks;
static _Atomic unsigned int refused;

bool __real_kt_blocks_grow(struct kt_blocks *blocks);
bool __wrap_kt_blocks_grow(struct kt_blocks *blocks)
{
	if (!no_more_blocks)
		return __real_kt_blocks_grow(blocks);
	refused++;
	return false;
}

#define CROWD	  24 /* more than there are blocks at first */
#define CROWD_LEN (256u << 10)

struct crowd {
	struct peer peer[CROWD];
	pthread_t thread[CROWD];
	int backend[CROWD];
	size_t got[CROWD];
};

static void *speak(void *arg)
{
	static const size_t piece = 8192;
	struct peer *peer = arg;
	uint8_t data[8192];

	for (size_t at = 0; at < CROWD_LEN; at += piece) {
		pattern(data, piece, at, 7);
		peer_write(peer, data, piece);
	}
	peer_close_notify(peer);
	return NULL;
}

/* Some of what came. False: that was the end. */
static bool take_some(struct crowd *crowd, int i)
{
	uint8_t data[8192], expected[sizeof data];
	ssize_t n = recv(crowd->backend[i], data, sizeof data, MSG_DONTWAIT);

	if (n < 0)
		return true;
	pattern(expected, (size_t)n, crowd->got[i], 7);
	EXPECT_EQ(0, memcmp(expected, data, (size_t)n));
	crowd->got[i] += (size_t)n;
	return n != 0;
}

static void take_all(struct crowd *crowd)
{
	unsigned int left = CROWD;

	for (unsigned int turns = 0; left;) {
		for (int i = 0; i < CROWD; i++)
			if (crowd->backend[i] >= 0 && !take_some(crowd, i)) {
				close(crowd->backend[i]);
				crowd->backend[i] = -1;
				left--;
			}
		ASSERT_TRUE(wait_a_moment(&turns));
	}
}

/* Speak until the connection is cut. */
static void *speak_on(void *arg)
{
	static uint8_t data[8192];
	struct peer *peer = arg;
	uint8_t record[2 * sizeof data];
	int len;

	do {
		if (SSL_write(peer->client.ssl, data, sizeof data) != sizeof data)
			return NULL;
		len = BIO_read(peer->client.out, record, sizeof record);
	} while (send(peer->fd, record, (size_t)len, MSG_NOSIGNAL) == len);
	return NULL;
}

/* All connect, then all speak, until a read has found no block. */
static void gather(struct crowd *crowd, struct rig *rig, SSL_CTX *context,
		   void *(*speaker)(void *peer))
{
	no_more_blocks = true;
	for (int i = 0; i < CROWD; i++) {
		peer_connect(&crowd->peer[i], rig, context);
		ASSERT_EQ(1, peer_handshake(&crowd->peer[i]));
		crowd->backend[i] = rig_accept(rig);
	}
	for (int i = 0; i < CROWD; i++)
		ASSERT_EQ(0, pthread_create(&crowd->thread[i], NULL, speaker, &crowd->peer[i]));
	WAIT_UNTIL(refused > 0);
}

/* All are stuck, some with a block, the others before they could have one; then all go on. */
TEST_F_TIMEOUT(tight, reads_wait_while_there_are_no_blocks, 120)
{
	static struct crowd crowd;

	gather(&crowd, &self->rig, self->context, speak);
	take_all(&crowd);
	for (int i = 0; i < CROWD; i++) {
		pthread_join(crowd.thread[i], NULL);
		EXPECT_EQ(CROWD_LEN, crowd.got[i]);
		peer_fini(&crowd.peer[i]);
	}
	no_more_blocks = false;
	rig_await_ends(&self->rig, "closed", CROWD);
}

/* Those that wait are ended like any other. */
TEST_F_TIMEOUT(tight, reads_that_wait_can_be_cut, 120)
{
	static struct crowd crowd;

	gather(&crowd, &self->rig, self->context, speak_on);
	EXPECT_EQ(CROWD, kt_engine_drain(self->rig.engine, 0));
	for (int i = 0; i < CROWD; i++) {
		pthread_join(crowd.thread[i], NULL);
		close(crowd.backend[i]);
		peer_fini(&crowd.peer[i]);
	}
	no_more_blocks = false;
	EXPECT_EQ(CROWD, rig_ends(&self->rig, "drained"));
}

/* ---- Blocks that are kept -------------------------------------------------------------------- */

FIXTURE(kept)
{
	struct rig rig;
	SSL_CTX *context;
};

FIXTURE_SETUP(kept)
{
	if (unshare(CLONE_NEWNET))
		SKIP(return, "no network namespace for us");
	own_network("4096 8192 8192");
	rig_init(&self->rig, &(struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .hold_timeout_ms = 300});
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
}

FIXTURE_TEARDOWN(kept)
{
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

/* Somebody new shakes hands, and a byte of his arrives. */
static void come_through(FIXTURE_DATA(kept) * self)
{
	struct peer peer;
	int backend;
	char byte = 0;

	peer_connect(&peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&peer));
	backend = rig_accept(&self->rig);
	peer_write(&peer, "x", 1);
	recv_exactly(backend, &byte, 1);
	EXPECT_EQ('x', byte);
	close(backend);
	peer_fini(&peer);
}

/* Backends that take nothing keep all blocks, but not for ever: who comes then finds one. */
TEST_F_TIMEOUT(kept, too_long_while_others_wait_ends_a_connection, 120)
{
	static struct crowd crowd;

	gather(&crowd, &self->rig, self->context, speak_on);
	EXPECT_LT(0, rig_stats(&self->rig).block_waits);
	WAIT_UNTIL(rig_ends(&self->rig, "stalled") > 0);
	come_through(self);
	kt_engine_drain(self->rig.engine, 0);
	for (int i = 0; i < CROWD; i++) {
		pthread_join(crowd.thread[i], NULL);
		close(crowd.backend[i]);
		peer_fini(&crowd.peer[i]);
	}
	no_more_blocks = false;
}

/* As long as there are blocks for all, everybody may keep his. */
TEST_F(kept, while_nobody_waits_is_no_reason)
{
	struct peer peer;
	pthread_t thread;
	uint64_t before;
	int backend;

	peer_connect(&peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&peer));
	backend = rig_accept(&self->rig);
	ASSERT_EQ(0, pthread_create(&thread, NULL, speak_on, &peer));
	do {
		before = rig_stats(&self->rig).bytes_in;
		poll(NULL, 0, 600);
	} while (!before || before != rig_stats(&self->rig).bytes_in);
	come_through(self);
	EXPECT_EQ(0, rig_ends(&self->rig, "stalled"));
	EXPECT_EQ(0, rig_stats(&self->rig).block_waits);
	kt_engine_drain(self->rig.engine, 0);
	pthread_join(thread, NULL);
	close(backend);
	peer_fini(&peer);
}

TEST_HARNESS_MAIN
