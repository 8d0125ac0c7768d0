/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's memory for what is relayed (blocks.h), when there is too little of it: reads wait, and
 * who keeps his for too long meanwhile is ended.
 *
 * In a network of its own, with send buffers that a few records fill.
 */
#include "../../src/engine/blocks.h"
#include "rig.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

FIXTURE(blocks)
{
	struct rig rig;
	SSL_CTX *context;
};

FIXTURE_VARIANT(blocks)
{
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(blocks, userspace){.ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(blocks, ktls){.ktls = KT_KTLS_AUTO};

FIXTURE_SETUP(blocks)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	if (!rig_own_network("4096 8192 8192"))
		SKIP(return, "no network namespace for us");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE});
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
}

FIXTURE_TEARDOWN(blocks)
{
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

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

static void disperse(struct crowd *crowd)
{
	for (int i = 0; i < CROWD; i++) {
		pthread_join(crowd->thread[i], NULL);
		if (crowd->backend[i] >= 0)
			close(crowd->backend[i]);
		peer_fini(&crowd->peer[i]);
	}
	no_more_blocks = false;
}

/* All are stuck, some with a block, the others before they could have one; then all go on. */
TEST_F_TIMEOUT(blocks, reads_wait_while_there_are_no_blocks, 120)
{
	static struct crowd crowd;

	gather(&crowd, &self->rig, self->context, speak);
	take_all(&crowd);
	disperse(&crowd);
	for (int i = 0; i < CROWD; i++)
		EXPECT_EQ(CROWD_LEN, crowd.got[i]);
	rig_await_ends(&self->rig, "closed", CROWD);
}

/* Those that wait are ended like any other. */
TEST_F_TIMEOUT(blocks, reads_that_wait_can_be_cut, 120)
{
	static struct crowd crowd;

	gather(&crowd, &self->rig, self->context, speak_on);
	EXPECT_EQ(CROWD, kt_engine_drain(self->rig.engine, 0));
	disperse(&crowd);
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
	if (!rig_own_network("4096 8192 8192"))
		SKIP(return, "no network namespace for us");
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
	disperse(&crowd);
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
