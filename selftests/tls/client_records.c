/* SPDX-License-Identifier: BSD-2-Clause */
/* Records between our side as the client and a server, and the keys that they go on with. */
#include "as_client.h"

#include <errno.h>

#include "keys.h"

static void feed(struct link *link)
{
	struct wire *up = &link->up;
	size_t n = up->len - up->read;

	ASSERT_LE(n, kt_tls_want(link->tls));
	ASSERT_EQ(KT_TLS_DONE, kt_tls_input(link->tls, up->data + up->read, n));
	up->read = up->len;
}

/* The server's tickets come right behind the handshake; its data behind them. */
TEST_F(client, reads_past_the_tickets)
{
	struct kt_tls_info info;
	struct client server;
	struct link link;
	char text[16];

	link_init_client(&link, &server, self->server, self->context, &to_name);
	expect_done(&link, &info);
	/* what may follow was not read with the handshake */
	EXPECT_EQ(variant->version == KT_TLS_1_3, link.up.read < link.up.len);
	ASSERT_EQ(5, SSL_write(server.ssl, "hello", 5));
	link_client_turn(&link);
	feed(&link);
	ASSERT_EQ(5, kt_tls_read(link.tls, text, sizeof text));
	EXPECT_EQ(0, memcmp("hello", text, 5));
	EXPECT_EQ(-EAGAIN, kt_tls_read(link.tls, text, sizeof text));
	ASSERT_EQ(0, kt_tls_write(link.tls, "answer", 6));
	ASSERT_EQ(0, kt_tls_close_notify(link.tls));
	link_server_send(&link);
	BIO_write(server.in, link.down.data + link.down.read,
		  (int)(link.down.len - link.down.read));
	ASSERT_EQ(6, SSL_read(server.ssl, text, sizeof text));
	EXPECT_EQ(0, memcmp("answer", text, 6));
	EXPECT_EQ(0, SSL_read(server.ssl, text, sizeof text));
	EXPECT_EQ(SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(server.ssl));
	part(&link, &server);
}

/* Every split of the server's bytes gives the same handshake, and reads no byte too much. */
TEST_F(client, takes_bytes_as_they_come)
{
	struct kt_tls_info info;
	struct client server;
	struct link link;

	for (size_t longest = 1; longest < 8; longest++) {
		link_init_client(&link, &server, self->server, self->context, &to_name);
		link.longest = longest;
		expect_done(&link, &info);
		part(&link, &server);
	}
}

/* ---- Keys ----------------------------------------------------------------------------------- */

FIXTURE(keys)
{
	struct lab lab;
	struct kt_tls_context *context;
	SSL_CTX *server;
};

FIXTURE_VARIANT(keys)
{
	uint16_t version;
	enum kt_cipher cipher;
	const char *name;
};

#define ADD(variant_name, v, c, n)                                                                 \
	FIXTURE_VARIANT_ADD(keys, variant_name)                                                    \
	{                                                                                          \
		.version = v, .cipher = c, .name = n                                               \
	}
ADD(tls13_aes_128_gcm, KT_TLS_1_3, KT_AES_128_GCM, "TLS_AES_128_GCM_SHA256");
ADD(tls13_aes_256_gcm, KT_TLS_1_3, KT_AES_256_GCM, "TLS_AES_256_GCM_SHA384");
ADD(tls13_chacha20, KT_TLS_1_3, KT_CHACHA20_POLY1305, "TLS_CHACHA20_POLY1305_SHA256");
ADD(tls12_aes_128_gcm, KT_TLS_1_2, KT_AES_128_GCM, "ECDHE-ECDSA-AES128-GCM-SHA256");
ADD(tls12_aes_256_gcm, KT_TLS_1_2, KT_AES_256_GCM, "ECDHE-ECDSA-AES256-GCM-SHA384");
ADD(tls12_chacha20, KT_TLS_1_2, KT_CHACHA20_POLY1305, "ECDHE-ECDSA-CHACHA20-POLY1305");

FIXTURE_SETUP(keys)
{
	struct client_options options = {
		.version = variant->version,
		.ciphers = variant->version == KT_TLS_1_2 ? variant->name : NULL,
		.suites = variant->version == KT_TLS_1_3 ? variant->name : NULL,
	};

	lab_init(&self->lab, &(struct lab_options){0});
	options.cert = self->lab.server;
	self->server = server_context(&options);
	lab_commit(&self->lab, self->lab.other_ca);
	self->context = make_context((struct kt_tls_context_options){.pool = self->lab.pool});
}

FIXTURE_TEARDOWN(keys)
{
	kt_tls_context_free(self->context);
	SSL_CTX_free(self->server);
	lab_fini(&self->lab);
}

/* Opens the server's next record of this type, past the tickets. */
static int open_next(struct link *link, struct kt_traffic *keys, uint8_t *content)
{
	struct wire *up = &link->up;
	uint8_t type = 0;
	int len = -1;

	while (up->read < up->len && type != KT_RECORD_DATA) {
		len = record_open(keys, &keys->rx, up->data + up->read, &type, content);
		EXPECT_TRUE(type == KT_RECORD_DATA || type == KT_RECORD_HANDSHAKE);
		up->read = record_end(up, up->read);
	}
	return len;
}

/* What our Finished showed on the wire, plus one: no nonce is used twice. */
static void expect_next_nonce(const struct wire *down, const struct kt_traffic *keys)
{
	uint8_t nonce[8];
	size_t at = 0;

	while (down->data[at] != KT_RECORD_CHANGE_CIPHER_SPEC)
		at = record_end(down, at);
	at = record_end(down, at);
	memcpy(nonce, down->data + at + KT_RECORD_HEADER_LEN, sizeof nonce);
	for (int i = 7; i >= 0 && !++nonce[i]; i--)
		;
	EXPECT_EQ(0, memcmp(nonce, keys->tx.iv + 4, sizeof nonce));
}

TEST_F(keys, are_the_servers_and_go_on_each_way)
{
	uint8_t record[RECORD_MAX], content[RECORD_MAX];
	struct kt_traffic keys;
	struct client server;
	struct link link;
	char text[16];
	size_t len;

	link_init_client(&link, &server, self->server, self->context, &to_name);
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link));
	ASSERT_EQ(0, kt_tls_export(link.tls, &keys));
	EXPECT_EQ(variant->version, keys.version);
	EXPECT_EQ(variant->cipher, keys.cipher);
	EXPECT_EQ(variant->version == KT_TLS_1_2, keys.tx.seq);
	EXPECT_EQ(variant->version == KT_TLS_1_2, keys.rx.seq);
	if (variant->version == KT_TLS_1_2 && variant->cipher != KT_CHACHA20_POLY1305)
		expect_next_nonce(&link.down, &keys);
	for (int i = 0; i < 3; i++) {
		len = record_seal(&keys, &keys.tx, KT_RECORD_DATA, "to server", 9, record);
		BIO_write(server.in, record, (int)len);
		ASSERT_EQ(9, SSL_read(server.ssl, text, sizeof text));
		EXPECT_EQ(0, memcmp("to server", text, 9));
		ASSERT_EQ(9, SSL_write(server.ssl, "to client", 9));
		link_client_turn(&link);
		ASSERT_EQ(9, open_next(&link, &keys, content));
		EXPECT_EQ(0, memcmp("to client", content, 9));
	}
	kt_traffic_wipe(&keys);
	part(&link, &server);
}

TEST_HARNESS_MAIN
