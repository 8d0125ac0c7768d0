/* SPDX-License-Identifier: BSD-2-Clause */
/* PROXY headers that come before a handshake, on real sockets. */
#include "received.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "../../src/engine/proxy_v2.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* 192.0.2.1:49153 to 198.51.100.2:443, with a TLV that nobody knows */
static const char header4[] = SIGNATURE "\x21\x11\0\x11"
					"\xc0\0\x02\x01\xc6\x33\x64\x02\xc0\x01\x01\xbb"
					"\xee\0\x02no";
/* 2001:db8::a port 4660 to 2001:db8::b port 8443 */
static const char header6[] = SIGNATURE "\x21\x21\0\x24"
					"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x0a"
					"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x0b"
					"\x12\x34\x20\xfb";
static const char header_local[] = SIGNATURE "\x20\0\0\0";

#define LEN(text) (sizeof(text) - 1)

struct asked {
	struct kt_pool *pool;
	union kt_peer_address local, remote; /* of the latest; read when it was seen to be done */
};

FIXTURE(in)
{
	struct rig rig;
	SSL_CTX *context;
	struct asked asked;
	struct received got;
};

FIXTURE_VARIANT(in)
{
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(in, userspace){.ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(in, ktls){.ktls = KT_KTLS_AUTO};

static void keep(const struct sockaddr *address, union kt_peer_address *ret_address)
{
	memset(ret_address, 0, sizeof *ret_address);
	if (address)
		memcpy(ret_address, address,
		       address->sa_family == AF_INET ? sizeof ret_address->in
						     : sizeof ret_address->in6);
}

static int choose(const struct kt_hello *hello, void *arg, struct kt_pool **ret_pool,
		  struct kt_error *error)
{
	struct asked *asked = arg;

	(void)error;
	keep(hello->local, &asked->local);
	keep(hello->remote, &asked->remote);
	*ret_pool = asked->pool;
	return 0;
}

FIXTURE_SETUP(in)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	ASSERT_EQ(0, kt_pool_new("clients", &self->asked.pool, NULL));
}

FIXTURE_TEARDOWN(in)
{
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
	kt_pool_free(self->asked.pool);
}

static void start_in(FIXTURE_DATA(in) * self, enum kt_ktls_mode ktls, const char *trusted,
		     struct rig_options options)
{
	struct kt_network networks[2];

	ASSERT_EQ(0, kt_network_parse("203.0.113.0/24", &networks[0], NULL));
	ASSERT_EQ(0, kt_network_parse(trusted, &networks[1], NULL));
	options.ktls = ktls;
	options.client_auth = KT_CLIENT_AUTH_REQUIRE;
	options.proxy_from = networks;
	options.proxy_from_count = 2;
	options.choose_pool = choose;
	options.choose_arg = &self->asked;
	options.proxy_protocol = KT_PROXY_V2;
	rig_init(&self->rig, &options);
	pool_commit(self->asked.pool, &self->rig.lab.ca, 1);
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
}

static void start_trusted(FIXTURE_DATA(in) * self, enum kt_ktls_mode ktls)
{
	start_in(self, ktls, "127.0.0.0/8", (struct rig_options){0});
}

static void list_peer(const struct kt_conn_info *info, void *arg)
{
	kt_address_format(&info->peer, arg);
}

/* Everybody says the same of where the client comes from. */
static void expect_from(FIXTURE_DATA(in) * self, const char *source, const char *destination)
{
	struct kt_address seen = {.len = sizeof seen.addr};
	char text[KT_ADDRESS_TEXT_MAX];
	int backend = rig_accept(&self->rig);
	bool in6 = source[0] == '[';

	receive(backend, &self->got);
	EXPECT_EQ(in6 ? 0x21 : 0x11, self->got.family);
	memcpy(&seen.addr, &self->asked.remote, sizeof self->asked.remote);
	EXPECT_STREQ(source, kt_address_format(&seen, text));
	EXPECT_EQ(0, memcmp(in6 ? (void *)&self->asked.remote.in6.sin6_addr
				: (void *)&self->asked.remote.in.sin_addr,
			    self->got.source, in6 ? 16 : 4));
	EXPECT_EQ(ntohs(self->asked.remote.in.sin_port), self->got.source_port);
	memcpy(&seen.addr, &self->asked.local, sizeof self->asked.local);
	EXPECT_STREQ(destination, kt_address_format(&seen, text));
	EXPECT_EQ(ntohs(self->asked.local.in.sin_port), self->got.destination_port);
	ASSERT_EQ(0, kt_engine_each_conn(self->rig.engine, list_peer, text));
	EXPECT_STREQ(source, text);
	close(backend);
}

/* The client comes in behind what stands before its first byte. */
static void enter_behind(FIXTURE_DATA(in) * self, struct peer *peer, const char *header, size_t len)
{
	peer_connect(peer, &self->rig, self->context);
	send_all(peer->fd, header, len);
	ASSERT_EQ(1, peer_handshake(peer));
}

TEST_F(in, ipv4_header_says_who_the_client_is)
{
	struct peer peer;

	start_trusted(self, variant->ktls);
	enter_behind(self, &peer, header4, LEN(header4));
	expect_from(self, "192.0.2.1:49153", "198.51.100.2:443");
	peer_fini(&peer);
}

TEST_F(in, ipv6_header_says_who_the_client_is)
{
	struct peer peer;

	start_trusted(self, variant->ktls);
	enter_behind(self, &peer, header6, LEN(header6));
	expect_from(self, "[2001:db8::a]:4660", "[2001:db8::b]:8443");
	peer_fini(&peer);
}

TEST_F(in, local_header_leaves_the_addresses)
{
	char mine[KT_ADDRESS_TEXT_MAX], ours[KT_ADDRESS_TEXT_MAX];
	struct kt_address address = {.len = sizeof address.addr};
	struct peer peer;

	start_trusted(self, variant->ktls);
	enter_behind(self, &peer, header_local, LEN(header_local));
	ASSERT_EQ(0, getsockname(peer.fd, (struct sockaddr *)&address.addr, &address.len));
	expect_from(self, kt_address_format(&address, mine),
		    kt_address_format(&self->rig.address, ours));
	peer_fini(&peer);
}

/* The header and the hello are one string of bytes, cut at each offset of the header. */
TEST_F(in, header_may_come_in_any_two_pieces)
{
	start_trusted(self, variant->ktls);
	for (size_t cut = 1; cut <= LEN(header4); cut++) {
		uint8_t bytes[2048];
		struct peer peer;
		int hello;

		peer_connect(&peer, &self->rig, self->context);
		ASSERT_GE(0, SSL_do_handshake(peer.client.ssl));
		memcpy(bytes, header4, LEN(header4));
		hello = BIO_read(peer.client.out, bytes + LEN(header4),
				 (int)(sizeof bytes - LEN(header4)));
		ASSERT_LT(0, hello);
		send_all(peer.fd, bytes, cut);
		peer_await_read(&peer);
		send_all(peer.fd, bytes + cut, LEN(header4) - cut + (size_t)hello);
		ASSERT_EQ(1, peer_handshake(&peer));
		close(rig_accept(&self->rig));
		peer_fini(&peer);
	}
	rig_await_outcomes(&self->rig, "accepted", LEN(header4));
}

TEST_F(in, header_from_elsewhere_is_none)
{
	struct peer peer;

	start_in(self, variant->ktls, "127.0.0.2", (struct rig_options){0});
	peer_connect(&peer, &self->rig, self->context);
	send_all(peer.fd, header4, LEN(header4));
	peer_handshake(&peer);
	rig_await_outcomes(&self->rig, "not_tls", 1);
	peer_fini(&peer);
	peer_connect(&peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&peer));
	close(rig_accept(&self->rig));
	peer_fini(&peer);
}

static void expect_refused(FIXTURE_DATA(in) * self, const void *bytes, size_t len,
			   const char *outcome)
{
	uint64_t before = rig_outcomes(&self->rig, outcome);
	int fd = tcp_connect(&self->rig.address);

	send_all(fd, bytes, len);
	EXPECT_EQ(0, recv_end(fd));
	close(fd);
	rig_await_outcomes(&self->rig, outcome, before + 1);
}

TEST_F(in, what_is_no_header_is_refused_at_once)
{
	static const char v1[] = "PROXY TCP4 192.0.2.1 198.51.100.2 49153 443\r\n";
	static const char udp[] = SIGNATURE "\x21\x12\0\x0c"
					    "\xc0\0\x02\x01\xc6\x33\x64\x02\xc0\x01\x01\xbb";
	static const char short_ends[] = SIGNATURE "\x21\x11\0\x0b"
						   "\xc0\0\x02\x01\xc6\x33\x64\x02\xc0\x01\x01";
	static const char cut_tlv[] = SIGNATURE "\x21\x00\0\x04"
						"\x04\0\x02x";
	struct peer peer;

	start_trusted(self, variant->ktls);
	expect_refused(self, v1, LEN(v1), "proxy_invalid");
	expect_refused(self, "P", 1, "proxy_invalid");
	expect_refused(self, "\r\n\r\nGET", 7, "proxy_invalid");
	expect_refused(self, SIGNATURE "\x11", 13, "proxy_invalid");
	expect_refused(self, udp, LEN(udp), "proxy_invalid");
	expect_refused(self, short_ends, LEN(short_ends), "proxy_invalid");
	expect_refused(self, cut_tlv, LEN(cut_tlv), "proxy_invalid");
	/* a hello without a header */
	peer_connect(&peer, &self->rig, self->context);
	peer_handshake(&peer);
	rig_await_outcomes(&self->rig, "proxy_invalid", 8);
	peer_fini(&peer);
}

TEST_F(in, header_has_a_longest_length)
{
	char header[16 + 1025] = SIGNATURE "\x21\x11\x04\0"
					   "\xc0\0\x02\x01\xc6\x33\x64\x02\xc0\x01\x01\xbb"
					   "\x04\x03\xf1";
	struct peer peer;

	start_trusted(self, variant->ktls);
	enter_behind(self, &peer, header, 16 + 1024);
	expect_from(self, "192.0.2.1:49153", "198.51.100.2:443");
	peer_fini(&peer);
	header[15] = 1;
	expect_refused(self, header, 16, "proxy_too_long");
	header[14] = header[15] = (char)0xff;
	expect_refused(self, header, 16, "proxy_too_long");
}

TEST_F(in, header_has_the_time_of_the_handshake)
{
	char byte;
	int fds[2];

	start_in(self, variant->ktls, "127.0.0.1",
		 (struct rig_options){.handshake_timeout_ms = 300});
	for (int i = 0; i < 2; i++) {
		fds[i] = tcp_connect(&self->rig.address);
		send_all(fds[i], header4, i ? 20 : 5);
	}
	rig_await_outcomes(&self->rig, "proxy_timeout", 2);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, recv(fds[i], &byte, 1, 0));
		close(fds[i]);
	}
}

/* All connections come from the proxy's; the one that it tells is what counts. */
TEST_F(in, handshakes_are_counted_by_the_address_that_is_told)
{
	int fds[4];
	char byte;

	start_in(self, variant->ktls, "127.0.0.1",
		 (struct rig_options){.handshakes_address_max = 1});
	for (int i = 0; i < 4; i++)
		fds[i] = tcp_connect(&self->rig.address);
	send_all(fds[0], header4, LEN(header4));
	send_all(fds[1], header6, LEN(header6));
	peer_await_read(&(struct peer){.fd = fds[0]});
	peer_await_read(&(struct peer){.fd = fds[1]});
	WAIT_UNTIL(rig_stats(&self->rig).handshaking == 4);
	for (int i = 2; i < 4; i++) {
		send_all(fds[i], i == 2 ? header4 : header6, i == 2 ? LEN(header4) : LEN(header6));
		EXPECT_EQ(-1, recv(fds[i], &byte, 1, 0));
		EXPECT_EQ(ECONNRESET, errno);
	}
	rig_await_outcomes(&self->rig, "too_many_from_address", 2);
	EXPECT_EQ(2, rig_stats(&self->rig).handshaking);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

TEST_F(in, client_that_leaves_in_a_header_is_named)
{
	int fd;

	start_trusted(self, variant->ktls);
	fd = tcp_connect(&self->rig.address);
	send_all(fd, header4, 20);
	shutdown(fd, SHUT_WR);
	rig_await_outcomes(&self->rig, "peer_closed", 1);
	close(fd);
	fd = tcp_connect(&self->rig.address);
	send_all(fd, header4, 20);
	WAIT_UNTIL(rig_stats(&self->rig).handshaking == 1);
	abort_fd(fd);
	rig_await_outcomes(&self->rig, "peer_reset", 1);
}

TEST_F(in, drain_cuts_a_header)
{
	int fd;

	start_trusted(self, variant->ktls);
	fd = tcp_connect(&self->rig.address);
	send_all(fd, header4, 20);
	WAIT_UNTIL(rig_stats(&self->rig).handshaking == 1);
	kt_engine_drain(self->rig.engine, 0);
	EXPECT_EQ(1, rig_outcomes(&self->rig, "drained"));
	close(fd);
}

TEST_HARNESS_MAIN
