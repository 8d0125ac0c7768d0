/* SPDX-License-Identifier: BSD-2-Clause */
/* PROXY headers that backends get, on real sockets. */
#include "received.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

static void expect_text(const struct tlv *tlv, const char *text)
{
	EXPECT_TRUE(tlv->there);
	EXPECT_EQ(strlen(text), tlv->len);
	EXPECT_EQ(0, memcmp(text, tlv->value, tlv->len))
	{
		TH_LOG("%.*s, not %s", (int)tlv->len, (const char *)tlv->value, text);
	}
}

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

TEST_HARNESS_MAIN
