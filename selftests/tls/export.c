/* SPDX-License-Identifier: BSD-2-Clause */
/* Exported keys: the ones the peer has, and the next record each way is theirs. */
#include "keys.h"

#include <errno.h>
#include <stdlib.h>

#include "../../src/tls/connection.h"

#define SECRET_TEXT "the quick brown fox"

FIXTURE(suite)
{
	struct lab lab;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
};

FIXTURE_VARIANT(suite)
{
	uint16_t version;
	enum kt_cipher cipher;
	const char *name; /* OpenSSL's */
	enum pki_key server_key;
};

#define V13(v, c, n)                                                                               \
	FIXTURE_VARIANT_ADD(suite, v)                                                              \
	{                                                                                          \
		.version = KT_TLS_1_3, .cipher = c, .name = n                                      \
	}
#define V12(v, c, n, k)                                                                            \
	FIXTURE_VARIANT_ADD(suite, v)                                                              \
	{                                                                                          \
		.version = KT_TLS_1_2, .cipher = c, .name = n, .server_key = k                     \
	}
V13(tls13_aes_128_gcm, KT_AES_128_GCM, "TLS_AES_128_GCM_SHA256");
V13(tls13_aes_256_gcm, KT_AES_256_GCM, "TLS_AES_256_GCM_SHA384");
V13(tls13_chacha20, KT_CHACHA20_POLY1305, "TLS_CHACHA20_POLY1305_SHA256");
V12(tls12_ecdsa_aes_128_gcm, KT_AES_128_GCM, "ECDHE-ECDSA-AES128-GCM-SHA256", PKI_P256);
V12(tls12_ecdsa_aes_256_gcm, KT_AES_256_GCM, "ECDHE-ECDSA-AES256-GCM-SHA384", PKI_P256);
V12(tls12_ecdsa_chacha20, KT_CHACHA20_POLY1305, "ECDHE-ECDSA-CHACHA20-POLY1305", PKI_P256);
V12(tls12_rsa_aes_128_gcm, KT_AES_128_GCM, "ECDHE-RSA-AES128-GCM-SHA256", PKI_RSA2048);
V12(tls12_rsa_aes_256_gcm, KT_AES_256_GCM, "ECDHE-RSA-AES256-GCM-SHA384", PKI_RSA2048);
V12(tls12_rsa_chacha20, KT_CHACHA20_POLY1305, "ECDHE-RSA-CHACHA20-POLY1305", PKI_RSA2048);

FIXTURE_SETUP(suite)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .server_key = variant->server_key});
	self->client_context = client_context(&(struct client_options){
		.version = variant->version,
		.ciphers = variant->version == KT_TLS_1_2 ? variant->name : NULL,
		.suites = variant->version == KT_TLS_1_3 ? variant->name : NULL,
		.cert = self->lab.client,
	});
	link_establish(&self->link, &self->client, self->lab.context, self->client_context);
}

FIXTURE_TEARDOWN(suite)
{
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

/* What our Finished showed on the wire, plus one. */
static void next_explicit_nonce(const struct wire *down, uint8_t ret_nonce[static 8])
{
	size_t at = 0;
	bool changed = false;

	for (; at < down->len; at = record_end(down, at)) {
		if (changed && down->data[at] == KT_RECORD_HANDSHAKE)
			break;
		changed |= down->data[at] == KT_RECORD_CHANGE_CIPHER_SPEC;
	}
	ASSERT_LT(at + 13, down->len);
	memcpy(ret_nonce, down->data + at + 5, 8);
	for (int i = 7; i >= 0 && !++ret_nonce[i]; i--)
		;
}

TEST_F(suite, is_told_before_the_export)
{
	enum kt_cipher cipher;
	uint16_t version;

	ASSERT_EQ(0, kt_tls_cipher(self->link.tls, &version, &cipher));
	EXPECT_EQ(variant->version, version);
	EXPECT_EQ(variant->cipher, cipher);
}

TEST_F(suite, keys_equal_those_the_client_derives)
{
	struct kt_traffic ours, theirs;

	keys_of_client(&self->client, &theirs);
	if (variant->version == KT_TLS_1_2 && variant->cipher != KT_CHACHA20_POLY1305)
		next_explicit_nonce(&self->link.down, theirs.tx.iv + 4);
	ASSERT_EQ(0, kt_tls_export(self->link.tls, &ours));
	EXPECT_EQ(variant->version, ours.version);
	EXPECT_EQ(variant->cipher, ours.cipher);
	EXPECT_EQ(0, memcmp(theirs.tx.key, ours.tx.key, 32));
	EXPECT_EQ(0, memcmp(theirs.tx.iv, ours.tx.iv, 12));
	EXPECT_EQ(theirs.tx.seq, ours.tx.seq);
	EXPECT_EQ(0, memcmp(theirs.rx.key, ours.rx.key, 32));
	EXPECT_EQ(0, memcmp(theirs.rx.iv, ours.rx.iv, 12));
	EXPECT_EQ(theirs.rx.seq, ours.rx.seq);
}

TEST_F(suite, client_accepts_records_sealed_with_tx)
{
	uint8_t record[RECORD_MAX], alert[2] = {1, 0};
	struct kt_traffic traffic;
	char text[64];

	ASSERT_EQ(0, kt_tls_export(self->link.tls, &traffic));
	for (int i = 0; i < 3; i++) {
		size_t len = record_seal(&traffic, &traffic.tx, KT_RECORD_DATA, SECRET_TEXT,
					 sizeof SECRET_TEXT, record);

		BIO_write(self->client.in, record, (int)len);
		ASSERT_EQ((int)sizeof SECRET_TEXT, SSL_read(self->client.ssl, text, sizeof text));
		EXPECT_STREQ(SECRET_TEXT, text);
	}
	BIO_write(self->client.in, record,
		  (int)record_seal(&traffic, &traffic.tx, KT_RECORD_ALERT, alert, 2, record));
	EXPECT_EQ(0, SSL_read(self->client.ssl, text, sizeof text));
	EXPECT_EQ(SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(self->client.ssl));
}

TEST_F(suite, rx_opens_records_of_the_client)
{
	uint8_t record[RECORD_MAX], content[RECORD_MAX], type = 0;
	struct kt_traffic traffic;

	ASSERT_EQ(0, kt_tls_export(self->link.tls, &traffic));
	for (int i = 0; i < 3; i++) {
		ASSERT_LT(0, SSL_write(self->client.ssl, SECRET_TEXT, sizeof SECRET_TEXT));
		ASSERT_LT(0, BIO_read(self->client.out, record, sizeof record));
		ASSERT_EQ((int)sizeof SECRET_TEXT,
			  record_open(&traffic, &traffic.rx, record, &type, content));
		EXPECT_EQ(KT_RECORD_DATA, type);
		EXPECT_STREQ(SECRET_TEXT, (char *)content);
	}
	SSL_shutdown(self->client.ssl);
	ASSERT_LT(0, BIO_read(self->client.out, record, sizeof record));
	ASSERT_EQ(2, record_open(&traffic, &traffic.rx, record, &type, content));
	EXPECT_EQ(KT_RECORD_ALERT, type);
}

/* Generation after generation, both ways; the client's are OpenSSL's. */
TEST_F(suite, next_keys_are_the_clients)
{
	static const uint8_t key_update[] = {24, 0, 0, 1, 0};
	uint8_t record[RECORD_MAX], content[RECORD_MAX], type = 0;
	struct kt_traffic_secrets secrets;
	struct kt_traffic traffic;
	char text[64];

	if (variant->version == KT_TLS_1_2) {
		EXPECT_EQ(-EOPNOTSUPP, kt_tls_secrets(self->link.tls, &secrets));
		return;
	}
	ASSERT_EQ(0, kt_tls_secrets(self->link.tls, &secrets));
	EXPECT_EQ(variant->cipher, secrets.cipher);
	ASSERT_EQ(0, kt_tls_export(self->link.tls, &traffic));
	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(SSL_key_update(self->client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED));
		ASSERT_EQ(1, SSL_do_handshake(self->client.ssl));
		ASSERT_LT(0, BIO_read(self->client.out, record, sizeof record));
		ASSERT_EQ((int)sizeof key_update,
			  record_open(&traffic, &traffic.rx, record, &type, content));
		EXPECT_EQ(KT_RECORD_HANDSHAKE, type);
		ASSERT_EQ(0, kt_traffic_update(secrets.cipher, secrets.rx, &traffic.rx));
		EXPECT_EQ(0, traffic.rx.seq);
		ASSERT_LT(0, SSL_write(self->client.ssl, SECRET_TEXT, sizeof SECRET_TEXT));
		ASSERT_LT(0, BIO_read(self->client.out, record, sizeof record));
		ASSERT_EQ((int)sizeof SECRET_TEXT,
			  record_open(&traffic, &traffic.rx, record, &type, content));

		BIO_write(self->client.in, record,
			  (int)record_seal(&traffic, &traffic.tx, KT_RECORD_HANDSHAKE, key_update,
					   sizeof key_update, record));
		ASSERT_EQ(0, kt_traffic_update(secrets.cipher, secrets.tx, &traffic.tx));
		EXPECT_EQ(0, traffic.tx.seq);
		BIO_write(self->client.in, record,
			  (int)record_seal(&traffic, &traffic.tx, KT_RECORD_DATA, SECRET_TEXT,
					   sizeof SECRET_TEXT, record));
		ASSERT_EQ((int)sizeof SECRET_TEXT, SSL_read(self->client.ssl, text, sizeof text));
		EXPECT_STREQ(SECRET_TEXT, text);
	}
}

TEST(next_key_of_no_cipher_is_einval)
{
	uint8_t secret[KT_TRAFFIC_SECRET_MAX] = {1}, before[sizeof secret] = {1};
	struct kt_traffic_key key = {.seq = 5};

	EXPECT_EQ(-EINVAL, kt_traffic_update(KT_CIPHER_COUNT, secret, &key));
	EXPECT_EQ(0, memcmp(before, secret, sizeof secret));
	EXPECT_EQ(5, key.seq);
}

TEST(keys_age_by_what_they_protect)
{
	const uint64_t full = KT_RECORD_DATA_MAX, most = KT_KEY_RECORDS_MAX * full;

	EXPECT_EQ(KT_KEY_RECORD_COST, kt_key_cost(0));
	EXPECT_EQ(1 + KT_KEY_RECORD_COST, kt_key_cost(1));
	EXPECT_EQ(full + KT_KEY_RECORD_COST, kt_key_cost(full));
	EXPECT_EQ(full + 1 + 2 * KT_KEY_RECORD_COST, kt_key_cost(full + 1));
	EXPECT_EQ(KT_KEY_FRESH, kt_key_age(KT_AES_128_GCM, 0, 0));
	EXPECT_EQ(KT_KEY_FRESH, kt_key_age(KT_AES_128_GCM, most / 4 * 3 - 1, 0));
	EXPECT_EQ(KT_KEY_DUE, kt_key_age(KT_AES_128_GCM, most / 4 * 3, 0));
	EXPECT_EQ(KT_KEY_DUE, kt_key_age(KT_AES_256_GCM, most - 1, 0));
	EXPECT_EQ(KT_KEY_SPENT, kt_key_age(KT_AES_256_GCM, most, 0));
	EXPECT_EQ(KT_KEY_SPENT, kt_key_age(KT_AES_128_GCM, 3 * full, 3));
	EXPECT_EQ(KT_KEY_DUE, kt_key_age(KT_AES_128_GCM, 3 * full - 1, 3));
	EXPECT_EQ(KT_KEY_FRESH, kt_key_age(KT_CHACHA20_POLY1305, UINT64_MAX, 3));
}

/* ---- When it is refused --------------------------------------------------------------------- */

FIXTURE(refused)
{
	struct lab lab;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
	struct kt_traffic traffic, untouched;
};

FIXTURE_SETUP(refused)
{
	lab_init(&self->lab, &(struct lab_options){0});
	self->client_context = client_context(&(struct client_options){0});
	client_init(&self->client, self->client_context);
	link_init(&self->link, &self->client, self->lab.context);
	memset(&self->traffic, 0x5a, sizeof self->traffic);
	memset(&self->untouched, 0x5a, sizeof self->untouched);
}

FIXTURE_TEARDOWN(refused)
{
	EXPECT_EQ(0, memcmp(&self->traffic, &self->untouched, sizeof self->traffic));
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

TEST_F(refused, before_the_handshake_is_done)
{
	enum kt_cipher cipher;
	uint16_t version;

	EXPECT_EQ(-EBUSY, kt_tls_export(self->link.tls, &self->traffic));
	EXPECT_EQ(-EOPNOTSUPP, kt_tls_cipher(self->link.tls, &version, &cipher));
}

TEST_F(refused, while_output_waits)
{
	/* TLS 1.2: our Finished is output of the last step */
	SSL_set_max_proto_version(self->client.ssl, TLS1_2_VERSION);
	while (self->link.status == KT_TLS_AGAIN) {
		link_server_send(&self->link);
		link_client_turn(&self->link);
		while (link_server_read(&self->link))
			;
	}
	ASSERT_EQ(KT_TLS_DONE, self->link.status);
	EXPECT_EQ(-EBUSY, kt_tls_export(self->link.tls, &self->traffic));
	link_server_send(&self->link);
	ASSERT_EQ(0, kt_tls_export(self->link.tls, &self->traffic));
	memcpy(&self->traffic, &self->untouched, sizeof self->traffic);
}

TEST_F(refused, after_application_data_came)
{
	uint8_t record[256];
	int len;

	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	SSL_write(self->client.ssl, "x", 1);
	len = BIO_read(self->client.out, record, sizeof record);
	ASSERT_EQ(KT_TLS_DONE, kt_tls_input(self->link.tls, record, len));
	EXPECT_EQ(-EBUSY, kt_tls_export(self->link.tls, &self->traffic));
}

TEST_F(refused, after_application_data_was_written)
{
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	ASSERT_EQ(0, kt_tls_write(self->link.tls, "x", 1));
	link_server_send(&self->link);
	EXPECT_EQ(-EBUSY, kt_tls_export(self->link.tls, &self->traffic));
}

TEST_F(refused, after_close_notify)
{
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	ASSERT_EQ(0, kt_tls_close_notify(self->link.tls));
	link_server_send(&self->link);
	EXPECT_EQ(-EBUSY, kt_tls_export(self->link.tls, &self->traffic));
}

TEST_F(refused, a_second_time)
{
	struct kt_traffic first;
	char byte;

	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	ASSERT_EQ(0, kt_tls_export(self->link.tls, &first));
	EXPECT_EQ(-EBUSY, kt_tls_export(self->link.tls, &self->traffic));
	EXPECT_EQ(-EBUSY, kt_tls_secrets(self->link.tls, &(struct kt_traffic_secrets){0}));
	/* and userspace records are over */
	EXPECT_EQ(-EPROTO, kt_tls_read(self->link.tls, &byte, 1));
	EXPECT_EQ(-EPROTO, kt_tls_write(self->link.tls, "x", 1));
	EXPECT_EQ(-EPROTO, kt_tls_close_notify(self->link.tls));
	EXPECT_EQ(KT_TLS_FAILED, kt_tls_input(self->link.tls, "x", 1));
}

/* ---- A client that wants short records ------------------------------------------------------ */

#define BULK_LEN 20000

FIXTURE(limited)
{
	struct lab lab;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
};

FIXTURE_VARIANT(limited)
{
	uint16_t version;
	uint8_t mode;
	size_t max;	 /* bytes of plaintext in a record */
	size_t overhead; /* bytes: nonce and type, as the version has them, and the tag */
};

FIXTURE_VARIANT_ADD(limited, tls13_512){KT_TLS_1_3, TLSEXT_max_fragment_length_512, 512, 1 + 16};
FIXTURE_VARIANT_ADD(limited, tls13_4096){KT_TLS_1_3, TLSEXT_max_fragment_length_4096, 4096, 1 + 16};
FIXTURE_VARIANT_ADD(limited, tls12_512){KT_TLS_1_2, TLSEXT_max_fragment_length_512, 512, 8 + 16};
FIXTURE_VARIANT_ADD(limited, tls12_4096){KT_TLS_1_2, TLSEXT_max_fragment_length_4096, 4096, 8 + 16};

FIXTURE_SETUP(limited)
{
	struct client_options options = {
		.version = variant->version,
		.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
	};

	lab_init(&self->lab, &(struct lab_options){0});
	self->client_context = client_context(&options);
	ASSERT_TRUE(SSL_CTX_set_tlsext_max_fragment_length(self->client_context, variant->mode));
	link_establish(&self->link, &self->client, self->lab.context, self->client_context);
}

FIXTURE_TEARDOWN(limited)
{
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

TEST_F(limited, is_not_exported)
{
	struct kt_traffic traffic, untouched;
	enum kt_cipher cipher = 77;
	uint16_t version = 77;

	memset(&traffic, 0x5a, sizeof traffic);
	memset(&untouched, 0x5a, sizeof untouched);
	EXPECT_EQ(-EOPNOTSUPP, kt_tls_cipher(self->link.tls, &version, &cipher));
	EXPECT_EQ(77, version);
	EXPECT_EQ(77, cipher);
	EXPECT_EQ(-EOPNOTSUPP, kt_tls_export(self->link.tls, &traffic));
	EXPECT_EQ(0, memcmp(&traffic, &untouched, sizeof traffic));
}

TEST_F(limited, goes_on_with_userspace_records_that_keep_to_it)
{
	static uint8_t sent[BULK_LEN], got[BULK_LEN];
	const struct wire *down = &self->link.down;
	size_t start = down->len, longest = 0, have = 0, n;
	struct kt_traffic traffic;

	memset(sent, 'b', sizeof sent);
	ASSERT_EQ(-EOPNOTSUPP, kt_tls_export(self->link.tls, &traffic));
	ASSERT_EQ(0, kt_tls_write(self->link.tls, sent, sizeof sent));
	link_server_send(&self->link);
	for (size_t at = start, end; at < down->len; at = end) {
		end = record_end(down, at);
		n = end - at - KT_RECORD_HEADER_LEN;
		longest = n > longest ? n : longest;
	}
	EXPECT_EQ(variant->max + variant->overhead, longest);
	BIO_write(self->client.in, down->data + start, (int)(down->len - start));
	while (SSL_read_ex(self->client.ssl, got + have, sizeof got - have, &n))
		have += n;
	EXPECT_EQ(sizeof sent, have);
	EXPECT_EQ(0, memcmp(sent, got, sizeof sent));
}

/* ---- By a context that never exports --------------------------------------------------------- */

FIXTURE(never)
{
	struct lab lab;
	struct kt_tls_context *context;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
};

FIXTURE_VARIANT(never)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(never, tls13){KT_TLS_1_3};
FIXTURE_VARIANT_ADD(never, tls12){KT_TLS_1_2};

/* The client's first words go out with its Finished, or right behind. */
static void speak_at_once(struct link *link, void *arg)
{
	uint8_t data[256];
	int len;

	(void)arg;
	if (SSL_write(link->client->ssl, SECRET_TEXT, sizeof SECRET_TEXT) <= 0)
		return; /* in TLS 1.2 the server has the last word of the handshake */
	len = BIO_read(link->client->out, data, sizeof data);
	ASSERT_LT(0, len);
	wire_append(&link->up, data, (size_t)len);
}

FIXTURE_SETUP(never)
{
	struct kt_tls_context_options options = {.no_export = true};
	struct kt_error error = {0};

	lab_init(&self->lab, &(struct lab_options){0});
	options.credentials = self->lab.credentials;
	ASSERT_EQ(0, kt_tls_context_new(&options, &self->context, &error));
	self->client_context =
		client_context(&(struct client_options){.version = variant->version});
	client_init(&self->client, self->client_context);
	link_init(&self->link, &self->client, self->context);
	self->link.behind = speak_at_once;
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
}

FIXTURE_TEARDOWN(never)
{
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	kt_tls_context_free(self->context);
	lab_fini(&self->lab);
}

TEST_F(never, takes_no_secret)
{
	struct kt_traffic traffic;
	enum kt_cipher cipher;
	uint16_t version;

	EXPECT_EQ(-EOPNOTSUPP, kt_tls_cipher(self->link.tls, &version, &cipher));
	EXPECT_EQ(-EOPNOTSUPP, kt_tls_export(self->link.tls, &traffic));
	EXPECT_EQ(0, self->link.tls->secret_len[KT_TLS_CLIENT]);
	EXPECT_EQ(0, self->link.tls->secret_len[KT_TLS_SERVER]);
	EXPECT_TRUE(!SSL_CTX_get_keylog_callback(self->context->serving->ssl_context));
}

/* Read in one go with the client's last flight, and not lost. */
TEST_F(never, what_came_behind_the_handshake_is_there)
{
	char got[2 * sizeof SECRET_TEXT];

	if (variant->version == KT_TLS_1_2)
		return;
	EXPECT_EQ(self->link.up.len, self->link.up.read);
	EXPECT_EQ(sizeof SECRET_TEXT, kt_tls_read(self->link.tls, got, sizeof got));
	EXPECT_STREQ(SECRET_TEXT, got);
	EXPECT_EQ(-EAGAIN, kt_tls_read(self->link.tls, got, sizeof got));
}

TEST_F(never, goes_on_with_userspace_records)
{
	char got[sizeof SECRET_TEXT];

	ASSERT_EQ(0, kt_tls_write(self->link.tls, SECRET_TEXT, sizeof SECRET_TEXT));
	link_server_send(&self->link);
	link_client_turn(&self->link);
	EXPECT_EQ(sizeof got, SSL_read(self->client.ssl, got, sizeof got));
	EXPECT_STREQ(SECRET_TEXT, got);
}

TEST_HARNESS_MAIN
