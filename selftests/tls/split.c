/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Application data right behind the client's last flight, the stream cut in two at each of its
 * offsets: at KT_TLS_DONE the server has read up to the first application record and no further,
 * and the exported keys open what follows (invariant 7 of the design).
 */
#include "keys.h"

#include <errno.h>

#define RECORDS 2

static const char *const said[RECORDS] = {"first words, in the same segment", "second"};

FIXTURE(split)
{
	struct lab lab;
	SSL_CTX *client_context;
};

FIXTURE_VARIANT(split)
{
	uint16_t version;
	const char *ciphers, *suites, *groups;
	enum kt_client_auth client_auth;
};

FIXTURE_VARIANT_ADD(split, tls13_aes_128_gcm){
	.version = KT_TLS_1_3,
	.suites = "TLS_AES_128_GCM_SHA256",
	.client_auth = KT_CLIENT_AUTH_REQUIRE,
};
FIXTURE_VARIANT_ADD(split, tls13_chacha20){
	.version = KT_TLS_1_3,
	.suites = "TLS_CHACHA20_POLY1305_SHA256",
	.client_auth = KT_CLIENT_AUTH_NONE,
};
FIXTURE_VARIANT_ADD(split, tls13_hello_retry){
	.version = KT_TLS_1_3,
	.suites = "TLS_AES_256_GCM_SHA384",
	.groups = "P-521:X25519", /* offers a key for the first only */
	.client_auth = KT_CLIENT_AUTH_REQUIRE,
};
FIXTURE_VARIANT_ADD(split, tls12_false_start_aes_256_gcm){
	.version = KT_TLS_1_2,
	.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384",
	.client_auth = KT_CLIENT_AUTH_REQUIRE,
};
FIXTURE_VARIANT_ADD(split, tls12_false_start_chacha20){
	.version = KT_TLS_1_2,
	.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305",
	.client_auth = KT_CLIENT_AUTH_OPTIONAL,
};

FIXTURE_SETUP(split)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = variant->client_auth});
	self->client_context = client_context(&(struct client_options){
		.version = variant->version,
		.ciphers = variant->ciphers,
		.suites = variant->suites,
		.groups = variant->groups,
		.cert = self->lab.client,
	});
}

FIXTURE_TEARDOWN(split)
{
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

/* OpenSSL knows no false start (RFC 7918): in TLS 1.2 the data is sealed here. */
static void write_behind(struct link *link, void *arg)
{
	uint8_t record[RECORD_MAX];
	struct kt_traffic traffic;
	size_t len;
	int n;

	(void)arg;
	link->application_start = link->up.len;
	if (SSL_version(link->client->ssl) == TLS1_2_VERSION)
		keys_of_client(link->client, &traffic);
	for (int i = 0; i < RECORDS; i++) {
		if (SSL_version(link->client->ssl) == TLS1_2_VERSION) {
			len = record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, said[i],
					  strlen(said[i]), record);
		} else {
			SSL_write(link->client->ssl, said[i], (int)strlen(said[i]));
			n = BIO_read(link->client->out, record, sizeof record);
			ASSERT_LT(0, n);
			len = n;
		}
		wire_append(&link->up, record, len);
	}
}

static void expect_the_rest_opens(struct link *link, struct kt_traffic *traffic)
{
	uint8_t content[RECORD_MAX], type = 0;
	size_t at = link->up.read;

	for (int i = 0; i < RECORDS; i++) {
		int len = record_open(traffic, &traffic->rx, link->up.data + at, &type, content);

		ASSERT_EQ((int)strlen(said[i]), len);
		EXPECT_EQ(0, memcmp(said[i], content, len));
		EXPECT_EQ(KT_RECORD_DATA, type);
		at = record_end(&link->up, at);
	}
	EXPECT_EQ(link->up.len, at);
}

static void expect_the_client_hears(struct client *client, struct kt_traffic *traffic)
{
	uint8_t record[RECORD_MAX];
	char text[8];
	size_t len = record_seal(traffic, &traffic->tx, KT_RECORD_DATA, "reply", 5, record);

	BIO_write(client->in, record, (int)len);
	ASSERT_EQ(5, SSL_read(client->ssl, text, sizeof text));
}

/* One connection; returns the length of the stream up to the application data. */
static size_t connect_split(struct lab *lab, SSL_CTX *client_context, size_t split, size_t longest)
{
	struct kt_traffic traffic;
	struct client client;
	struct link link;
	size_t len;

	client_init(&client, client_context);
	link_init(&link, &client, lab->context);
	link.behind = write_behind;
	link.split = split;
	link.longest = longest;
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link))
	{
		TH_LOG("split %zu: %s", split, kt_tls_failure(link.tls));
	}
	ASSERT_TRUE(link.behind_called);
	ASSERT_EQ(link.application_start, link.up.read)
	{
		TH_LOG("split %zu", split);
	}
	ASSERT_EQ(0, kt_tls_export(link.tls, &traffic));
	expect_the_rest_opens(&link, &traffic);
	expect_the_client_hears(&client, &traffic);
	len = link.up.len;
	link_fini(&link);
	client_fini(&client);
	return len;
}

TEST_F_TIMEOUT(split, loses_nothing_at_any_offset, 240)
{
	size_t len = connect_split(&self->lab, self->client_context, 0, 0);

	/* signatures differ in length by a few bytes from one connection to the next */
	for (size_t split = 1; split < len + 8; split++)
		connect_split(&self->lab, self->client_context, split, 0);
	TH_LOG("%zu offsets", len + 7);
}

TEST_F(split, loses_nothing_in_reads_of_few_bytes)
{
	for (size_t longest = 1; longest <= 7; longest++)
		connect_split(&self->lab, self->client_context, 0, longest);
}

/*
 * A message of the old keys in the Finished's own record would be swallowed: only in TLS 1.2 does
 * OpenSSL leave it to us to notice.
 */
static void lengthen_finished(struct link *link, void *arg)
{
	static const uint8_t more[] = {1, 0, 0, 0};
	uint8_t content[RECORD_MAX], record[RECORD_MAX], type = 0;
	size_t at = 0, end;
	struct kt_traffic keys;
	int len;

	(void)arg;
	while ((end = record_end(&link->up, at)) < link->up.len)
		at = end;
	keys_of_client(link->client, &keys);
	keys.rx.seq = 0;
	len = record_open(&keys, &keys.rx, link->up.data + at, &type, content);
	ASSERT_EQ(16, len);
	memcpy(content + len, more, sizeof more);
	keys.rx.seq = 0;
	link->up.len = at;
	wire_append(&link->up, record,
		    record_seal(&keys, &keys.rx, type, content, len + sizeof more, record));
}

TEST(message_behind_finished_in_its_record_is_refused)
{
	SSL_CTX *context = client_context(&(struct client_options){.version = KT_TLS_1_2});
	struct client client;
	struct link link;
	struct lab lab;

	lab_init(&lab, &(struct lab_options){0});
	client_init(&client, context);
	link_init(&link, &client, lab.context);
	link.behind = lengthen_finished;
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ("protocol_error", kt_tls_failure(link.tls));
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
	lab_fini(&lab);
}

TEST_F(split, refuses_more_than_it_wanted)
{
	static const uint8_t header[5] = {KT_RECORD_HANDSHAKE, 3, 1, 1, 0};
	uint8_t body[257] = {1};
	struct kt_tls *tls;

	ASSERT_EQ(0, kt_tls_new(self->lab.context, NULL, &tls));
	EXPECT_EQ(5, kt_tls_want(tls));
	EXPECT_EQ(-EMSGSIZE, kt_tls_input(tls, body, 6));
	EXPECT_EQ(KT_TLS_AGAIN, kt_tls_input(tls, header, 3));
	EXPECT_EQ(2, kt_tls_want(tls));
	EXPECT_EQ(KT_TLS_AGAIN, kt_tls_input(tls, header + 3, 2));
	EXPECT_EQ(256, kt_tls_want(tls));
	EXPECT_EQ(-EMSGSIZE, kt_tls_input(tls, body, 257));
	EXPECT_EQ(KT_TLS_AGAIN, kt_tls_input(tls, body, 1));
	EXPECT_EQ(255, kt_tls_want(tls));
	EXPECT_EQ(KT_TLS_AGAIN, kt_tls_input(tls, body, 0));
	kt_tls_free(tls);
}

TEST_HARNESS_MAIN
