/* SPDX-License-Identifier: BSD-2-Clause */
/* Backends that are not there, do not answer, or are no TCP sockets. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/engine/backend.h"

FIXTURE(backend)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
};

FIXTURE_VARIANT(backend)
{
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(backend, userspace){.ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(backend, ktls){.ktls = KT_KTLS_AUTO};

FIXTURE_SETUP(backend)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	self->peer.fd = -1;
}

FIXTURE_TEARDOWN(backend)
{
	if (self->peer.fd >= 0)
		peer_fini(&self->peer);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void start(FIXTURE_DATA(backend) * self, struct rig_options options)
{
	options.client_auth = KT_CLIENT_AUTH_REQUIRE;
	rig_init(&self->rig, &options);
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
	peer_connect(&self->peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&self->peer));
}

static void expect_no_clean_end(FIXTURE_DATA(backend) * self, enum kt_ktls_mode ktls)
{
	char byte;

	if (ktls == KT_KTLS_OFF) {
		EXPECT_EQ(PEER_EOF, peer_read(&self->peer, &byte, 1));
	} else {
		EXPECT_EQ(PEER_FAILED, peer_read(&self->peer, &byte, 1));
		EXPECT_EQ(80, self->peer.client.alert);
	}
}

static void end_client(FIXTURE_DATA(backend) * self)
{
	peer_fini(&self->peer);
	self->peer.fd = -1;
}

TEST_F(backend, that_is_down_is_named)
{
	start(self, (struct rig_options){.ktls = variant->ktls, .no_backend = true});
	expect_no_clean_end(self, variant->ktls);
	end_client(self);
	rig_await_ends(&self->rig, "backend_unreachable", 1);
	EXPECT_EQ(1, rig_outcomes(&self->rig, "accepted"));
}

TEST_F(backend, unix_socket_that_is_missing_is_named)
{
	start(self, (struct rig_options){
			    .ktls = variant->ktls, .no_backend = true, .unix_backend = true});
	expect_no_clean_end(self, variant->ktls);
	end_client(self);
	rig_await_ends(&self->rig, "backend_unreachable", 1);
}

TEST_F(backend, that_does_not_answer_ends_at_the_limit)
{
	int queued[QUEUED];

	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .connect_timeout_ms = 200});
	fill_queue(self->rig.backend, &self->rig.backend_address, queued);
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
	peer_connect(&self->peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&self->peer));
	expect_no_clean_end(self, variant->ktls);
	end_client(self);
	rig_await_ends(&self->rig, "backend_timeout", 1);
	for (int i = 0; i < QUEUED; i++)
		close(queued[i]);
}

TEST_F(backend, unix_socket_serves)
{
	char text[8];
	int backend;

	start(self, (struct rig_options){.ktls = variant->ktls, .unix_backend = true});
	backend = rig_accept(&self->rig);
	peer_write(&self->peer, "ping", 4);
	recv_exactly(backend, text, 4);
	peer_close_notify(&self->peer);
	EXPECT_EQ(0, recv_end(backend));
	send_all(backend, "pong", 4);
	close(backend);
	peer_read_all(&self->peer, text, 4);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, text, 1));
	end_client(self);
	rig_await_ends(&self->rig, "closed", 1);
}

/* What a Unix socket cannot tell: the name does. */
TEST_F(backend, unix_socket_sees_a_truncation_as_an_end)
{
	int backend;

	start(self, (struct rig_options){.ktls = variant->ktls, .unix_backend = true});
	backend = rig_accept(&self->rig);
	shutdown(self->peer.fd, SHUT_WR);
	EXPECT_EQ(0, recv_end(backend));
	close(backend);
	rig_await_ends(&self->rig, "truncated", 1);
}

/* ---- Several --------------------------------------------------------------------------------- */

#define SHARE_NS UINT64_C(500000000)

static int choose(struct kt_backend_rest *rests, unsigned int tried, uint64_t now_ns)
{
	return kt_backend_choose(rests, 3, tried, now_ns, SHARE_NS);
}

TEST(backends_are_tried_in_order)
{
	struct kt_backend_rest rests[3] = {0};

	EXPECT_EQ(0, choose(rests, 0, 1));
	EXPECT_EQ(0, choose(rests, 0, 1));
	EXPECT_EQ(1, choose(rests, 1, 1));
	EXPECT_EQ(2, choose(rests, 3, 1));
	EXPECT_EQ(1, choose(rests, 5, 1));
	EXPECT_EQ(-1, choose(rests, 7, 1));
}

TEST(backend_that_failed_is_tried_last_for_a_second)
{
	const uint64_t now_ns = 1000, second = 1000000000;
	struct kt_backend_rest rests[3] = {0};

	kt_backend_failed(&rests[0], now_ns);
	EXPECT_EQ(1, choose(rests, 0, now_ns));
	EXPECT_EQ(2, choose(rests, 2, now_ns + second - 1));
	EXPECT_EQ(0, choose(rests, 6, now_ns + second - 1));
	kt_backend_failed(&rests[1], now_ns);
	kt_backend_failed(&rests[2], now_ns);
	EXPECT_EQ(0, choose(rests, 0, now_ns));
	EXPECT_EQ(0, choose(rests, 0, now_ns + second));
}

TEST(backend_after_a_rest_is_asked_by_one_connection)
{
	const uint64_t back_ns = 2000000000;
	struct kt_backend_rest rests[3] = {0};

	kt_backend_failed(&rests[0], back_ns - 1000000000);
	EXPECT_EQ(0, choose(rests, 0, back_ns));
	EXPECT_EQ(1, choose(rests, 0, back_ns));
	EXPECT_EQ(1, choose(rests, 0, back_ns + SHARE_NS - 1));
	EXPECT_EQ(0, choose(rests, 0, back_ns + SHARE_NS));
	kt_backend_answered(&rests[0]);
	EXPECT_EQ(0, choose(rests, 0, back_ns + SHARE_NS));
}

static void expect_service(FIXTURE_DATA(backend) * self, int backend)
{
	char text[4];

	peer_write(&self->peer, "ping", 4);
	recv_exactly(backend, text, 4);
	send_all(backend, "pong", 4);
	peer_read_all(&self->peer, text, 4);
	EXPECT_EQ(0, memcmp("pong", text, 4));
	close(backend);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, text, 1));
	peer_close_notify(&self->peer);
}

TEST_F(backend, that_refuses_gives_way_to_the_next)
{
	struct kt_address addresses[2] = {0};
	int other = bind_port(&addresses[0]);

	start(self, (struct rig_options){
			    .ktls = variant->ktls, .backends = addresses, .backend_count = 2});
	close(other);
	expect_service(self, rig_accept(&self->rig));
	rig_await_ends(&self->rig, "closed", 1);
}

TEST_F(backend, that_is_silent_gives_way_to_the_next)
{
	struct kt_address addresses[2] = {0};
	int other = bind_port(&addresses[0]), queued[QUEUED];

	fill_queue(other, &addresses[0], queued);
	start(self, (struct rig_options){.ktls = variant->ktls,
					 .connect_timeout_ms = 400,
					 .backends = addresses,
					 .backend_count = 2});
	expect_service(self, rig_accept(&self->rig));
	rig_await_ends(&self->rig, "closed", 1);
	close(other);
	for (int i = 0; i < QUEUED; i++)
		close(queued[i]);
}

/* The others are told apart by who ends it: the last one's reason is the end's. */
TEST_F(backend, that_was_tried_last_names_the_end)
{
	struct kt_address addresses[3];
	int refusing = bind_port(&addresses[0]), silent = bind_port(&addresses[1]);
	int queued[QUEUED];

	addresses[2] = addresses[0];
	fill_queue(silent, &addresses[1], queued);
	start(self, (struct rig_options){.ktls = variant->ktls,
					 .connect_timeout_ms = 300,
					 .backends = addresses,
					 .backend_count = 2});
	end_client(self);
	rig_await_ends(&self->rig, "backend_timeout", 1);
	rig_fini(&self->rig);
	SSL_CTX_free(self->context);
	start(self, (struct rig_options){.ktls = variant->ktls,
					 .connect_timeout_ms = 300,
					 .backends = addresses + 1,
					 .backend_count = 2});
	end_client(self);
	rig_await_ends(&self->rig, "backend_unreachable", 1);
	close(refusing);
	close(silent);
	for (int i = 0; i < QUEUED; i++)
		close(queued[i]);
}

/* 1 or 0: which of the two gets the next connection, which is ended. */
static int served_by(FIXTURE_DATA(backend) * self, int other)
{
	struct pollfd polls[2] = {{.fd = self->rig.backend, .events = POLLIN},
				  {.fd = other, .events = POLLIN}};
	struct peer peer;
	int which;

	peer_connect(&peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&peer));
	ASSERT_EQ(1, poll(polls, 2, WAIT_LIMIT_MS));
	which = polls[1].revents != 0;
	close(accept4(polls[which].fd, NULL, NULL, SOCK_CLOEXEC));
	peer_fini(&peer);
	return which;
}

TEST_F(backend, that_comes_back_is_preferred_again)
{
	struct kt_address addresses[2] = {0};
	int other = bind_port(&addresses[0]);

	start(self, (struct rig_options){
			    .ktls = variant->ktls, .backends = addresses, .backend_count = 2});
	close(rig_accept(&self->rig));
	ASSERT_EQ(0, listen(other, 16));
	WAIT_UNTIL(served_by(self, other));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(1, served_by(self, other));
	close(other);
}

/* Cut while the second of three is being asked. */
TEST_F(backend, can_be_cut_while_it_is_tried)
{
	struct kt_address addresses[3];
	int refusing = bind_port(&addresses[0]), silent = bind_port(&addresses[1]);
	int queued[QUEUED];

	addresses[2] = addresses[1];
	fill_queue(silent, &addresses[1], queued);
	start(self, (struct rig_options){
			    .ktls = variant->ktls, .backends = addresses, .backend_count = 3});
	rig_await_outcomes(&self->rig, "accepted", 1);
	EXPECT_EQ(1, kt_engine_drain(self->rig.engine, 0));
	EXPECT_EQ(1, rig_ends(&self->rig, "drained"));
	close(refusing);
	close(silent);
	for (int i = 0; i < QUEUED; i++)
		close(queued[i]);
}

TEST_HARNESS_MAIN
