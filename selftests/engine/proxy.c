/* SPDX-License-Identifier: BSD-2-Clause */
/* PROXY headers on real sockets: those that come before a handshake, and those that backends get.
 */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "../../src/engine/proxy_v2.h"

/* ---- What a backend gets, read as the protocol's document says and not as we do ------------- */

struct tlv {
	bool there;
	const uint8_t *value;
	size_t len;
};

struct received {
	uint8_t bytes[4096];
	size_t len; /* behind the first 16 */
	uint8_t family;
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
	struct tlv tlvs[256], ssl[256];
	uint8_t client;
	uint32_t verify;
};

static void split_tlvs(const uint8_t *at, const uint8_t *end, struct tlv *tlvs)
{
	while (at < end) {
		struct tlv *tlv = &tlvs[at[0]];

		ASSERT_LE(3, end - at);
		ASSERT_FALSE(tlv->there);
		tlv->there = true;
		tlv->len = (size_t)(at[1] * 256 + at[2]);
		tlv->value = at + 3;
		at += 3 + tlv->len;
		ASSERT_LE(at, end);
	}
}

static void split_ssl(struct received *got)
{
	const struct tlv *ssl = &got->tlvs[0x20];

	ASSERT_TRUE(ssl->there);
	ASSERT_LE(5, ssl->len);
	got->client = ssl->value[0];
	for (int i = 1; i <= 4; i++)
		got->verify = got->verify << 8 | ssl->value[i];
	split_tlvs(ssl->value + 5, ssl->value + ssl->len, got->ssl);
}

static uint16_t port_at(const uint8_t *at)
{
	return (uint16_t)(at[0] * 256 + at[1]);
}

static void receive(int backend, struct received *got)
{
	const uint8_t *rest = got->bytes + 16;
	size_t size;

	memset(got, 0, sizeof *got);
	recv_exactly(backend, got->bytes, 16);
	ASSERT_EQ(0,
		  memcmp("\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A\x21", got->bytes, 13));
	got->family = got->bytes[13];
	got->len = port_at(got->bytes + 14);
	ASSERT_GT(2048 - 16, got->len);
	recv_exactly(backend, got->bytes + 16, got->len);
	size = got->family == 0x11 ? 4 : got->family == 0x21 ? 16 : 0;
	memcpy(got->source, rest, size);
	memcpy(got->destination, rest + size, size);
	if (size) {
		got->source_port = port_at(rest + 2 * size);
		got->destination_port = port_at(rest + 2 * size + 2);
		rest += 2 * size + 4;
	}
	split_tlvs(rest, got->bytes + 16 + got->len, got->tlvs);
	split_ssl(got);
}

static void expect_text(const struct tlv *tlv, const char *text)
{
	EXPECT_TRUE(tlv->there);
	EXPECT_EQ(strlen(text), tlv->len);
	EXPECT_EQ(0, memcmp(text, tlv->value, tlv->len))
	{
		TH_LOG("%.*s, not %s", (int)tlv->len, (const char *)tlv->value, text);
	}
}

/* ---- To backends ----------------------------------------------------------------------------- */

FIXTURE(out)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
	struct received got;
};

struct out_kind {
	enum kt_ktls_mode ktls;
	uint16_t version;
	const char *name;
	const char *cipher;
};

FIXTURE_VARIANT(out)
{
	struct out_kind kind;
};

FIXTURE_VARIANT_ADD(out, tls13_userspace){
	.kind = {KT_KTLS_OFF, KT_TLS_1_3, "TLSv1.3", "TLS_AES_256_GCM_SHA384"},
};
FIXTURE_VARIANT_ADD(out, tls12_userspace){
	.kind = {KT_KTLS_OFF, KT_TLS_1_2, "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
};
FIXTURE_VARIANT_ADD(out, tls13_ktls){
	.kind = {KT_KTLS_AUTO, KT_TLS_1_3, "TLSv1.3", "TLS_AES_256_GCM_SHA384"},
};

FIXTURE_SETUP(out)
{
	if (variant->kind.ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	self->peer.fd = -1;
}

FIXTURE_TEARDOWN(out)
{
	if (self->peer.fd >= 0)
		peer_fini(&self->peer);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void start_out(FIXTURE_DATA(out) * self, const struct out_kind *kind,
		      struct rig_options options)
{
	options.ktls = kind->ktls;
	options.proxy_protocol = KT_PROXY_V2;
	options.alpn = (const uint8_t *)"\x02h2";
	options.alpn_len = 3;
	rig_init(&self->rig, &options);
}

static void enter(FIXTURE_DATA(out) * self, const struct out_kind *kind,
		  const struct pki_cert *cert)
{
	self->context = client_context(&(struct client_options){
		.version = kind->version,
		.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384",
		.suites = "TLS_AES_256_GCM_SHA384",
		.cert = cert,
	});
	peer_connect(&self->peer, &self->rig, self->context);
	ASSERT_TRUE(SSL_set_tlsext_host_name(self->peer.client.ssl, "front.test"));
	ASSERT_EQ(0, SSL_set_alpn_protos(self->peer.client.ssl, (const uint8_t *)"\x02h2", 3));
	ASSERT_EQ(1, peer_handshake(&self->peer));
}

/* The header, and right behind it what the client says. */
static void expect_service(FIXTURE_DATA(out) * self, int backend)
{
	char text[4];

	peer_write(&self->peer, "ping", 4);
	receive(backend, &self->got);
	recv_exactly(backend, text, 4);
	EXPECT_EQ(0, memcmp("ping", text, 4));
	send_all(backend, "pong", 4);
	peer_read_all(&self->peer, text, 4);
	EXPECT_EQ(0, memcmp("pong", text, 4));
	close(backend);
}

static void expect_ends(FIXTURE_DATA(out) * self)
{
	struct sockaddr_in mine;
	socklen_t len = sizeof mine;

	ASSERT_EQ(0, getsockname(self->peer.fd, (struct sockaddr *)&mine, &len));
	EXPECT_EQ(0x11, self->got.family);
	EXPECT_EQ(0, memcmp("\x7f\0\0\x01", self->got.source, 4));
	EXPECT_EQ(0, memcmp("\x7f\0\0\x01", self->got.destination, 4));
	EXPECT_EQ(ntohs(mine.sin_port), self->got.source_port);
	EXPECT_EQ(ntohs(((struct sockaddr_in *)&self->rig.address.addr)->sin_port),
		  self->got.destination_port);
}

static void expect_session(FIXTURE_DATA(out) * self, const struct out_kind *kind)
{
	expect_text(&self->got.tlvs[0x01], "h2");
	expect_text(&self->got.tlvs[0x02], "front.test");
	expect_text(&self->got.ssl[0x21], kind->name);
	expect_text(&self->got.ssl[0x23], kind->cipher);
	expect_text(&self->got.ssl[0x24], "ecdsa-with-SHA256");
	expect_text(&self->got.ssl[0x25], "EC256");
}

static void expect_client(struct received *got, const struct pki_cert *anchor, const char *peer)
{
	uint8_t digest[32];

	EXPECT_EQ(7, got->client);
	EXPECT_EQ(0, got->verify);
	expect_text(&got->tlvs[0xe0], "clients");
	expect_text(&got->tlvs[0xe1], "3");
	ASSERT_TRUE(EVP_Digest(anchor->der, anchor->der_len, digest, NULL, EVP_sha256(), NULL));
	ASSERT_EQ(32, got->tlvs[0xe2].len);
	EXPECT_EQ(0, memcmp(digest, got->tlvs[0xe2].value, 32));
	if (peer)
		expect_text(&got->tlvs[0xe3], peer);
	else
		EXPECT_FALSE(got->tlvs[0xe3].there);
}

TEST_F(out, tells_the_backend_who_the_client_is)
{
	start_out(self, &variant->kind,
		  (struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	lab_commit(&self->rig.lab, self->rig.lab.other_ca);
	ASSERT_EQ(3, lab_commit(&self->rig.lab, self->rig.lab.ca));
	enter(self, &variant->kind, self->rig.lab.client);
	expect_service(self, rig_accept(&self->rig));
	expect_ends(self);
	expect_session(self, &variant->kind);
	expect_text(&self->got.ssl[0x22], "client");
	expect_client(&self->got, self->rig.lab.ca, "dns:client.test");
}

TEST_F(out, tells_nothing_of_a_client_without_certificate)
{
	start_out(self, &variant->kind,
		  (struct rig_options){.client_auth = KT_CLIENT_AUTH_OPTIONAL});
	enter(self, &variant->kind, NULL);
	expect_service(self, rig_accept(&self->rig));
	expect_ends(self);
	expect_session(self, &variant->kind);
	EXPECT_EQ(1, self->got.client);
	EXPECT_NE(0, self->got.verify);
	EXPECT_FALSE(self->got.ssl[0x22].there);
	for (int type = 0xe0; type <= 0xef; type++)
		EXPECT_FALSE(self->got.tlvs[type].there);
}

TEST_F(out, unix_backend_is_told_as_well)
{
	start_out(self, &variant->kind,
		  (struct rig_options){.client_auth = KT_CLIENT_AUTH_NONE, .unix_backend = true});
	enter(self, &variant->kind, NULL);
	expect_service(self, rig_accept(&self->rig));
	expect_ends(self);
	expect_session(self, &variant->kind);
	EXPECT_EQ(1, self->got.client);
}

TEST_F(out, backend_that_is_tried_second_gets_the_whole_header)
{
	struct kt_address addresses[2] = {0};
	struct kt_error error = {0};
	int refusing = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_EQ(0, kt_address_parse("127.0.0.1:0", &addresses[0], &error));
	ASSERT_EQ(0, bind(refusing, (struct sockaddr *)&addresses[0].addr, addresses[0].len));
	ASSERT_EQ(0,
		  getsockname(refusing, (struct sockaddr *)&addresses[0].addr, &addresses[0].len));
	start_out(self, &variant->kind,
		  (struct rig_options){.client_auth = KT_CLIENT_AUTH_NONE,
				       .backends = addresses,
				       .backend_count = 2});
	close(refusing);
	enter(self, &variant->kind, NULL);
	expect_service(self, rig_accept(&self->rig));
	expect_ends(self);
}

/* A name that was cut, or a byte that was replaced, would be another's. */
static void expect_name(FIXTURE_DATA(out) * self, const struct out_kind *kind,
			const struct pki_options *options, const char *common_name,
			const char *peer)
{
	struct pki_options leaf = *options;

	leaf.eku = "clientAuth";
	enter(self, kind, pki_make(self->rig.lab.pki, self->rig.lab.ca, &leaf));
	expect_service(self, rig_accept(&self->rig));
	expect_client(&self->got, self->rig.lab.ca, peer);
	if (common_name)
		expect_text(&self->got.ssl[0x22], common_name);
	else
		EXPECT_FALSE(self->got.ssl[0x22].there);
	peer_fini(&self->peer);
	self->peer.fd = -1;
	SSL_CTX_free(self->context);
	self->context = NULL;
}

TEST_F(out, names_are_whole_or_not_there)
{
	char longest[512] = "https://a.test/", longer[513] = "https://a.test/", peer[600];

	memset(longest + 15, 'x', 511 - 4 - 15);
	longest[511 - 4] = '\0';
	memset(longer + 15, 'x', 512 - 4 - 15);
	longer[512 - 4] = '\0';
	start_out(self, &variant->kind,
		  (struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	lab_commit(&self->rig.lab, self->rig.lab.other_ca);
	ASSERT_EQ(3, lab_commit(&self->rig.lab, self->rig.lab.ca));
	snprintf(peer, sizeof peer, "uri:%s", longest);
	expect_name(self, &variant->kind,
		    &(struct pki_options){.cn = "\xc3\xa9t\xc3\xa9", .uri = {longest}},
		    "\xc3\xa9t\xc3\xa9", peer);
	expect_name(self, &variant->kind, &(struct pki_options){.uri = {longer}}, NULL, NULL);
	expect_name(self, &variant->kind,
		    &(struct pki_options){.cn = "a\nb", .email = {"me@a.test"}}, NULL,
		    "email:me@a.test");
	expect_name(self, &variant->kind, &(struct pki_options){.cn = "only", .ip = {"192.0.2.1"}},
		    "only", NULL);
}

/* ---- From in front of us --------------------------------------------------------------------- */

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
