/* SPDX-License-Identifier: BSD-2-Clause */
/* Origins whose targets are behind a proxy, which the test plays on the same socket. */
#include "origins.h"

#include <errno.h>
#include <sys/socket.h>

static const struct kt_upstream_options http = {.kind = KT_UPSTREAM_HTTP,
						.login = {"user", "word"}};
static const struct kt_upstream_options socks = {.kind = KT_UPSTREAM_SOCKS5};

static void hear(int fd, const char *bytes, size_t len)
{
	char got[512];

	ASSERT_LE(len, sizeof got);
	recv_exactly(fd, got, len);
	EXPECT_EQ(0, memcmp(bytes, got, len));
}

#define HEAR(fd, text) hear(fd, text, sizeof(text) - 1)
#define SAY(fd, text)  send_all(fd, text, sizeof(text) - 1)

static int call_proxy(FIXTURE_DATA(origin) * self)
{
	call(self);
	return rig_accept(&self->rig);
}

static void serve_behind(FIXTURE_DATA(origin) * self, int fd)
{
	char text[4];

	peer_serve(&self->server, fd, self->context);
	ASSERT_EQ(1, peer_handshake(&self->server));
	send_all(self->client, "ping", 4);
	peer_read_all(&self->server, text, 4);
	peer_write(&self->server, "pong", 4);
	recv_exactly(self->client, text, 4);
	EXPECT_EQ(0, memcmp("pong", text, 4));
}

#define REQUEST                                                                                    \
	"CONNECT target.test:443 HTTP/1.1\r\nHost: target.test:443\r\n"                            \
	"Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n\r\n"

TEST_F(origin, http_proxy_lets_through)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nVia: 1.1 test\r\n\r\n";
	int fd;

	start(self, variant, (struct rig_options){.upstream = &http});
	fd = call_proxy(self);
	HEAR(fd, REQUEST);
	for (size_t i = 0; i < sizeof answer - 1; i++)
		send_all(fd, answer + i, 1);
	serve_behind(self, fd);
}

/* Nothing is read with the answer that is not the proxy's: here it comes in one piece. */
TEST_F(origin, what_follows_the_answer_is_the_targets)
{
	int fd;

	start(self, variant, (struct rig_options){.upstream = &http});
	fd = call_proxy(self);
	HEAR(fd, REQUEST);
	SAY(fd, "HTTP/1.1 200 OK\r\n\r\n\x15\x03\x03\x00\x02\x02\x28");
	EXPECT_EQ(-1, recv(self->client, &(char){0}, 1, 0));
	/* A fatal alert, as the handshake saw it. */
	rig_await_outcomes(&self->rig, "peer_alert", 1);
	close(fd);
}

static void expect_denial(FIXTURE_DATA(origin) * self, const char *answer, size_t len,
			  const char *outcome)
{
	int fd = call_proxy(self);

	HEAR(fd, REQUEST);
	send_all(fd, answer, len);
	EXPECT_EQ(-1, recv(self->client, &(char){0}, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	close(fd);
	rig_await_outcomes(&self->rig, outcome, 1);
}

TEST_F(origin, proxy_that_wants_another_login_is_named)
{
	start(self, variant, (struct rig_options){.upstream = &http});
	expect_denial(self, "HTTP/1.1 407 no\r\n\r\n", 19, "upstream_auth");
}

TEST_F(origin, proxy_that_will_not_is_named)
{
	start(self, variant, (struct rig_options){.upstream = &http});
	expect_denial(self, "HTTP/1.1 403 no\r\n\r\n", 19, "upstream_refused");
}

TEST_F(origin, proxy_that_is_none_is_named)
{
	start(self, variant, (struct rig_options){.upstream = &http});
	expect_denial(self, "\x15\x03\x03\x00\x02\x02\x28", 7, "upstream_invalid");
}

TEST_F(origin, proxy_that_leaves_is_named)
{
	int fd;

	start(self, variant, (struct rig_options){.upstream = &http});
	fd = call_proxy(self);
	HEAR(fd, REQUEST);
	SAY(fd, "HTTP/1.1 200 OK\r\n");
	shutdown(fd, SHUT_WR);
	rig_await_outcomes(&self->rig, "upstream_closed", 1);
	close(fd);
}

TEST_F(origin, dead_proxy_is_named)
{
	start(self, variant, (struct rig_options){.upstream = &socks, .no_backend = true});
	call(self);
	rig_await_outcomes(&self->rig, "upstream_unreachable", 1);
}

TEST_F(origin, silent_proxy_ends_at_the_limit)
{
	int fd;

	start(self, variant, (struct rig_options){.upstream = &http, .connect_timeout_ms = 200});
	fd = call_proxy(self);
	HEAR(fd, REQUEST);
	EXPECT_EQ(-1, recv(self->client, &(char){0}, 1, 0));
	rig_await_outcomes(&self->rig, "upstream_timeout", 1);
	close(fd);
}

TEST_F(origin, drain_ends_who_waits_for_a_proxy)
{
	int fd;

	start(self, variant, (struct rig_options){.upstream = &http});
	fd = call_proxy(self);
	HEAR(fd, REQUEST);
	EXPECT_EQ(1, kt_engine_drain(self->rig.engine, 0));
	EXPECT_EQ(1, rig_outcomes(&self->rig, "drained"));
	close(fd);
}

TEST_F(origin, socks_proxy_lets_through)
{
	int fd;

	start(self, variant, (struct rig_options){.upstream = &socks});
	fd = call_proxy(self);
	HEAR(fd, "\5\1\0");
	SAY(fd, "\5\0");
	HEAR(fd, "\5\1\0\3\13target.test\1\273");
	SAY(fd, "\5\0\0\3\4test\0\1");
	serve_behind(self, fd);
}

/* The next target is asked for on a connection of its own. */
TEST_F(origin, proxy_is_asked_for_the_next_target)
{
	struct kt_address targets[2] = {{.len = 0}, {.len = 0}};
	int first, second;

	start(self, variant,
	      (struct rig_options){.upstream = &socks, .backends = targets, .backend_count = 2});
	first = call_proxy(self);
	HEAR(first, "\5\1\0");
	SAY(first, "\5\0");
	HEAR(first, "\5\1\0\3\13target.test\1\273");
	SAY(first, "\5\5\0\1\0\0\0\0\0\0");
	second = rig_accept(&self->rig);
	HEAR(second, "\5\1\0");
	SAY(second, "\5\0");
	HEAR(second, "\5\1\0\3\13target.test\1\274");
	SAY(second, "\5\0\0\1\0\0\0\0\0\0");
	serve_behind(self, second);
	close(first);
}

TEST_HARNESS_MAIN
