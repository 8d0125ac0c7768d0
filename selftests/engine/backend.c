/* SPDX-License-Identifier: BSD-2-Clause */
/* Backends that are not there, do not answer, or are no TCP sockets. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* A listening socket whose queue is full drops what comes, as a host that is down does. */
TEST_F(backend, that_does_not_answer_ends_at_the_limit)
{
	int queued[4];
	struct pollfd connected;

	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .connect_timeout_ms = 200});
	ASSERT_EQ(0, listen(self->rig.backend, 0));
	for (int i = 0; i < 4; i++) {
		queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(queued[i], (struct sockaddr *)&self->rig.backend_address.addr,
			self->rig.backend_address.len);
		connected = (struct pollfd){.fd = queued[i], .events = POLLOUT};
		poll(&connected, 1, 10);
	}
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
	peer_connect(&self->peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&self->peer));
	expect_no_clean_end(self, variant->ktls);
	end_client(self);
	rig_await_ends(&self->rig, "backend_timeout", 1);
	for (int i = 0; i < 4; i++)
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

TEST_HARNESS_MAIN
