/* SPDX-License-Identifier: BSD-2-Clause */
/* Userspace records: data both ways, closing, rekeying, and what a hostile peer may not do. */
#include "keys.h"

#include <errno.h>
#include <stdlib.h>

#define BULK (300 << 10)

FIXTURE(open)
{
	struct lab lab;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
	struct kt_tls *tls;
};

FIXTURE_VARIANT(open)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(open, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(open, tls12){.version = KT_TLS_1_2};

FIXTURE_SETUP(open)
{
	lab_init(&self->lab, &(struct lab_options){0});
	self->client_context =
		client_context(&(struct client_options){.version = variant->version});
	link_establish(&self->link, &self->client, self->lab.context, self->client_context);
	self->tls = self->link.tls;
}

FIXTURE_TEARDOWN(open)
{
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

/* Hand what the client wrote to the server, as far as it wants some. */
static size_t carry_up(struct client *client, struct kt_tls *tls)
{
	uint8_t buf[KT_RECORD_HEADER_LEN + KT_RECORD_BODY_MAX];
	size_t want = kt_tls_want(tls);
	int n = want ? BIO_read(client->out, buf, (int)want) : 0;

	if (n <= 0)
		return 0;
	ASSERT_EQ(KT_TLS_DONE, kt_tls_input(tls, buf, n));
	return n;
}

static void carry_down(struct kt_tls *tls, struct client *client)
{
	const uint8_t *data;
	size_t len;

	while ((len = kt_tls_output(tls, &data))) {
		BIO_write(client->in, data, (int)len);
		kt_tls_output_done(tls, len);
	}
}

static void expect_echo(struct client *client, struct kt_tls *tls)
{
	char text[32] = "";

	ASSERT_EQ(5, SSL_write(client->ssl, "hello", 5));
	while (carry_up(client, tls))
		;
	ASSERT_EQ(5, kt_tls_read(tls, text, sizeof text));
	EXPECT_STREQ("hello", text);
	ASSERT_EQ(0, kt_tls_write(tls, "world!", 6));
	carry_down(tls, client);
	ASSERT_EQ(6, SSL_read(client->ssl, text, sizeof text));
	EXPECT_STREQ("world!", text);
}

/* ---- Data ----------------------------------------------------------------------------------- */

TEST_F(open, carries_data_both_ways)
{
	char byte;

	EXPECT_EQ(-EAGAIN, kt_tls_read(self->tls, &byte, 1));
	for (int i = 0; i < 3; i++)
		expect_echo(&self->client, self->tls);
	EXPECT_EQ(-EAGAIN, kt_tls_read(self->tls, &byte, 1));
	EXPECT_EQ(-EINVAL, kt_tls_read(self->tls, &byte, 0));
	EXPECT_EQ(0, kt_tls_write(self->tls, "", 0));
	EXPECT_NULL(kt_tls_failure(self->tls));
}

TEST_F(open, carries_bulk_upwards)
{
	uint8_t *sent = malloc(BULK), *got = malloc(BULK);
	size_t have = 0;
	ssize_t n = 0;

	for (size_t i = 0; i < BULK; i++)
		sent[i] = (uint8_t)(i * 31 + (i >> 8));
	ASSERT_EQ(BULK, SSL_write(self->client.ssl, sent, BULK));
	while (carry_up(&self->client, self->tls)) {
		while ((n = kt_tls_read(self->tls, got + have, BULK - have)) > 0)
			have += n;
		if (have < BULK)
			ASSERT_EQ(-EAGAIN, n);
	}
	EXPECT_EQ(BULK, have);
	EXPECT_EQ(0, memcmp(sent, got, BULK));
	free(sent);
	free(got);
}

TEST_F(open, carries_bulk_downwards)
{
	uint8_t *sent = malloc(BULK), *got = malloc(BULK);
	int have = 0, n;

	for (size_t i = 0; i < BULK; i++)
		sent[i] = (uint8_t)(i * 17 + (i >> 8));
	ASSERT_EQ(0, kt_tls_write(self->tls, sent, BULK));
	carry_down(self->tls, &self->client);
	while (have < BULK && (n = SSL_read(self->client.ssl, got + have, BULK - have)) > 0)
		have += n;
	EXPECT_EQ(BULK, have);
	EXPECT_EQ(0, memcmp(sent, got, BULK));
	free(sent);
	free(got);
}

TEST_F(open, queue_of_undecrypted_bytes_is_bounded)
{
	static uint8_t zeros[64 << 10];
	size_t most = kt_tls_want(self->tls), before, n;

	EXPECT_EQ(KT_RECORD_HEADER_LEN + KT_RECORD_BODY_MAX, most);
	EXPECT_EQ(-EMSGSIZE, kt_tls_input(self->tls, zeros, most + 1));
	SSL_write(self->client.ssl, zeros, sizeof zeros);
	while ((before = kt_tls_want(self->tls))) {
		n = carry_up(&self->client, self->tls);
		EXPECT_EQ(before - n, kt_tls_want(self->tls));
	}
	EXPECT_EQ(-EMSGSIZE, kt_tls_input(self->tls, zeros, 1));
	ASSERT_LT(0, kt_tls_read(self->tls, zeros, sizeof zeros));
	EXPECT_LT(0, kt_tls_want(self->tls));
}

/* ---- Closing -------------------------------------------------------------------------------- */

TEST_F(open, closes_one_way_at_a_time)
{
	char text[8];

	/* the client has said all, and still hears */
	SSL_shutdown(self->client.ssl);
	while (carry_up(&self->client, self->tls))
		;
	EXPECT_EQ(0, kt_tls_read(self->tls, text, sizeof text));
	EXPECT_EQ(0, kt_tls_read(self->tls, text, sizeof text));
	ASSERT_EQ(0, kt_tls_write(self->tls, "last", 4));
	ASSERT_EQ(0, kt_tls_close_notify(self->tls));
	carry_down(self->tls, &self->client);
	EXPECT_EQ(4, SSL_read(self->client.ssl, text, sizeof text));
	EXPECT_EQ(0, SSL_read(self->client.ssl, text, sizeof text));
	EXPECT_EQ(SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(self->client.ssl));
	EXPECT_NULL(kt_tls_failure(self->tls));
}

TEST_F(open, hears_after_its_own_close_notify)
{
	const uint8_t *data;
	char text[8];

	ASSERT_EQ(0, kt_tls_close_notify(self->tls));
	carry_down(self->tls, &self->client);
	ASSERT_EQ(0, kt_tls_close_notify(self->tls));
	EXPECT_EQ(0, kt_tls_output(self->tls, &data));
	EXPECT_EQ(-EPIPE, kt_tls_write(self->tls, "x", 1));
	EXPECT_EQ(0, SSL_read(self->client.ssl, text, sizeof text));
	ASSERT_EQ(4, SSL_write(self->client.ssl, "more", 4));
	carry_up(&self->client, self->tls);
	EXPECT_EQ(4, kt_tls_read(self->tls, text, sizeof text));
}

/* ---- Breaches ------------------------------------------------------------------------------- */

static void expect_broken(struct kt_tls *tls, const char *name)
{
	char byte;

	EXPECT_EQ(-EPROTO, kt_tls_read(tls, &byte, 1));
	EXPECT_STREQ(name, kt_tls_failure(tls));
	EXPECT_EQ(-EPROTO, kt_tls_read(tls, &byte, 1));
	EXPECT_EQ(-EPROTO, kt_tls_write(tls, &byte, 1));
	EXPECT_EQ(-EPROTO, kt_tls_close_notify(tls));
	EXPECT_EQ(KT_TLS_FAILED, kt_tls_input(tls, &byte, 1));
}

TEST_F(open, refuses_a_record_that_does_not_authenticate)
{
	uint8_t record[64];
	char byte;
	int len;

	SSL_write(self->client.ssl, "hello", 5);
	len = BIO_read(self->client.out, record, sizeof record);
	record[len - 1] ^= 1;
	ASSERT_EQ(KT_TLS_DONE, kt_tls_input(self->tls, record, len));
	expect_broken(self->tls, "protocol_error");
	carry_down(self->tls, &self->client);
	SSL_read(self->client.ssl, &byte, 1);
	EXPECT_EQ(SSL_AD_BAD_RECORD_MAC, self->client.alert);
}

static void send_sealed(struct kt_tls *tls, struct kt_traffic *keys, uint8_t type, const void *data,
			size_t len)
{
	uint8_t record[RECORD_MAX];
	size_t n = record_seal(keys, &keys->rx, type, data, len, record);

	ASSERT_EQ(KT_TLS_DONE, kt_tls_input(tls, record, n));
}

TEST_F(open, names_a_fatal_alert)
{
	static const uint8_t alert[] = {2, SSL_AD_INTERNAL_ERROR};
	struct kt_traffic keys;

	keys_of_client(&self->client, &keys);
	send_sealed(self->tls, &keys, KT_RECORD_ALERT, alert, sizeof alert);
	expect_broken(self->tls, "peer_alert");
	EXPECT_EQ(SSL_AD_INTERNAL_ERROR, kt_tls_peer_alert(self->tls));
}

TEST_F(open, bounds_empty_records)
{
	struct kt_traffic keys;
	ssize_t ret = -EAGAIN;
	char byte;
	int sent;

	keys_of_client(&self->client, &keys);
	for (sent = 0; sent < 200 && ret == -EAGAIN; sent++) {
		send_sealed(self->tls, &keys, KT_RECORD_DATA, "", 0);
		ret = kt_tls_read(self->tls, &byte, 1);
	}
	EXPECT_EQ(-EPROTO, ret);
	EXPECT_LT(sent, 80);
	EXPECT_TRUE(kt_tls_failure(self->tls) != NULL);
}

TEST_F(open, bounds_warnings)
{
	static const uint8_t warning[] = {1, SSL_AD_USER_CANCELLED};
	struct kt_traffic keys;
	ssize_t ret = -EAGAIN;
	char byte;
	int sent;

	keys_of_client(&self->client, &keys);
	for (sent = 0; sent < 200 && ret == -EAGAIN; sent++) {
		send_sealed(self->tls, &keys, KT_RECORD_ALERT, warning, sizeof warning);
		ret = kt_tls_read(self->tls, &byte, 1);
	}
	EXPECT_EQ(-EPROTO, ret);
	EXPECT_LT(sent, 80);
}

/* ---- Rekeying, renegotiation ----------------------------------------------------------------- */

FIXTURE(tls13)
{
	struct lab lab;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
	struct kt_tls *tls;
};

FIXTURE_SETUP(tls13)
{
	lab_init(&self->lab, &(struct lab_options){0});
	self->client_context = client_context(&(struct client_options){.version = KT_TLS_1_3});
	link_establish(&self->link, &self->client, self->lab.context, self->client_context);
	self->tls = self->link.tls;
}

FIXTURE_TEARDOWN(tls13)
{
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

TEST_F(tls13, answers_a_key_update_before_anything_is_written)
{
	const uint8_t *data;
	char byte;

	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(SSL_key_update(self->client.ssl, SSL_KEY_UPDATE_REQUESTED));
		ASSERT_EQ(1, SSL_do_handshake(self->client.ssl));
		while (carry_up(&self->client, self->tls))
			;
		EXPECT_EQ(-EAGAIN, kt_tls_read(self->tls, &byte, 1));
		EXPECT_LT(0, kt_tls_output(self->tls, &data));
		carry_down(self->tls, &self->client);
		expect_echo(&self->client, self->tls);
	}
}

TEST_F(tls13, answers_a_key_update_that_has_data_behind_it)
{
	const uint8_t *data;
	char text[8];

	ASSERT_TRUE(SSL_key_update(self->client.ssl, SSL_KEY_UPDATE_REQUESTED));
	ASSERT_EQ(2, SSL_write(self->client.ssl, "hi", 2));
	while (carry_up(&self->client, self->tls))
		;
	EXPECT_EQ(2, kt_tls_read(self->tls, text, sizeof text));
	EXPECT_EQ(-EAGAIN, kt_tls_read(self->tls, text, sizeof text));
	EXPECT_LT(0, kt_tls_output(self->tls, &data));
	carry_down(self->tls, &self->client);
	expect_echo(&self->client, self->tls);
}

/* KeyUpdates that come with data now and then are a peer's right, however many. */
TEST_F(tls13, takes_many_key_updates_with_data_between_them)
{
	for (int i = 0; i < 200; i++) {
		ASSERT_TRUE(SSL_key_update(self->client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED));
		expect_echo(&self->client, self->tls);
	}
}

TEST_F(tls13, bounds_key_updates_without_data)
{
	ssize_t ret = -EAGAIN;
	char byte;
	int sent;

	for (sent = 0; sent < 200 && ret == -EAGAIN; sent++) {
		ASSERT_TRUE(SSL_key_update(self->client.ssl, SSL_KEY_UPDATE_REQUESTED));
		ASSERT_EQ(1, SSL_do_handshake(self->client.ssl));
		carry_up(&self->client, self->tls);
		ret = kt_tls_read(self->tls, &byte, 1);
	}
	EXPECT_EQ(-EPROTO, ret);
	EXPECT_STREQ("too_much_data", kt_tls_failure(self->tls));
	EXPECT_EQ(65, sent);
}

/* ---- Keys that are used up ------------------------------------------------------------------- */

/* Of 8 full records a key: due after 6, spent after 8. */
FIXTURE(limited)
{
	struct lab lab;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
	unsigned int updates; /* that the client got */
	unsigned int asked;   /* of these, for one of its */
};

FIXTURE_VARIANT(limited)
{
	uint16_t version;
	const char *suites, *ciphers;
	bool ends;
};

FIXTURE_VARIANT_ADD(limited, tls13_gcm){KT_TLS_1_3, "TLS_AES_128_GCM_SHA256", NULL, false};
FIXTURE_VARIANT_ADD(limited, tls13_chacha20){KT_TLS_1_3, "TLS_CHACHA20_POLY1305_SHA256", NULL,
					     false};
FIXTURE_VARIANT_ADD(limited, tls12_gcm){KT_TLS_1_2, NULL, "ECDHE-ECDSA-AES128-GCM-SHA256", true};
FIXTURE_VARIANT_ADD(limited, tls12_chacha20){KT_TLS_1_2, NULL, "ECDHE-ECDSA-CHACHA20-POLY1305",
					     false};

static void see_update(int written, int version, int type, const void *data, size_t len, SSL *ssl,
		       void *arg)
{
	FIXTURE_DATA(limited) *self = arg;

	(void)version;
	(void)ssl;
	if (written || type != SSL3_RT_HANDSHAKE || len != 5 ||
	    *(const uint8_t *)data != SSL3_MT_KEY_UPDATE)
		return;
	self->updates++;
	self->asked += ((const uint8_t *)data)[4];
}

FIXTURE_SETUP(limited)
{
	lab_init(&self->lab, &(struct lab_options){.key_records_max = 8});
	self->client_context = client_context(&(struct client_options){
		.version = variant->version,
		.suites = variant->suites,
		.ciphers = variant->ciphers,
	});
	link_establish(&self->link, &self->client, self->lab.context, self->client_context);
	SSL_set_msg_callback(self->client.ssl, see_update);
	SSL_set_msg_callback_arg(self->client.ssl, self);
}

FIXTURE_TEARDOWN(limited)
{
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

#define FULL 16384

TEST_F(limited, key_of_ours_is_replaced_or_ends_the_connection)
{
	static uint8_t data[FULL], got[FULL];
	int err = 0, sent;

	for (sent = 0; sent < 40 && !err; sent++) {
		err = kt_tls_write(self->link.tls, data, sizeof data);
		carry_down(self->link.tls, &self->client);
		if (!err)
			ASSERT_EQ(FULL, SSL_read(self->client.ssl, got, sizeof got));
	}
	EXPECT_EQ(variant->ends ? -EPROTO : 0, err);
	EXPECT_EQ(variant->ends ? 9 : 40, sent);
	if (variant->ends)
		EXPECT_STREQ("key_limit", kt_tls_failure(self->link.tls));
	/* each after 6 records */
	EXPECT_EQ(variant->suites && strstr(variant->suites, "GCM") ? 6 : 0, self->updates);
	EXPECT_EQ(0, self->asked);
}

/* One full record of the client's, and what it is answered goes to it if it listens. */
static ssize_t take_record(FIXTURE_DATA(limited) * self, bool listens)
{
	static uint8_t data[FULL], got[FULL];
	ssize_t n = 0;
	char byte;

	if (listens) {
		carry_down(self->link.tls, &self->client);
		SSL_read(self->client.ssl, &byte, 1);
	}
	ASSERT_EQ(FULL, SSL_write(self->client.ssl, data, sizeof data));
	for (size_t have = 0; have < sizeof data; have += (size_t)n) {
		while ((n = kt_tls_read(self->link.tls, got, sizeof got)) == -EAGAIN)
			ASSERT_LT(0, carry_up(&self->client, self->link.tls));
		if (n <= 0)
			return n;
	}
	return 1;
}

TEST_F(limited, key_of_the_client_is_asked_for)
{
	bool replaced = variant->suites && strstr(variant->suites, "GCM");
	ssize_t ret = 1;
	int taken;

	for (taken = 0; taken < 40 && ret == 1; taken++)
		ret = take_record(self, true);
	EXPECT_EQ(variant->ends ? -EPROTO : 1, ret);
	EXPECT_EQ(variant->ends ? 8 : 40, taken);
	EXPECT_EQ(replaced ? 6 : 0, self->asked);
}

TEST_F(limited, client_that_does_not_replace_its_key_is_ended)
{
	bool limit = variant->ends || strstr(variant->suites ? variant->suites : "", "GCM");
	ssize_t ret = 1;
	int taken;

	for (taken = 0; taken < 40 && ret == 1; taken++)
		ret = take_record(self, false);
	EXPECT_EQ(limit ? -EPROTO : 1, ret);
	EXPECT_EQ(limit ? 8 : 40, taken);
	if (limit)
		EXPECT_STREQ("key_limit", kt_tls_failure(self->link.tls));
}

TEST(renegotiation_is_refused)
{
	SSL_CTX *context;
	struct client client;
	struct link link;
	struct lab lab;
	ssize_t ret = 0;
	char byte;

	lab_init(&lab, &(struct lab_options){0});
	context = client_context(&(struct client_options){.version = KT_TLS_1_2});
	link_establish(&link, &client, lab.context, context);
	ASSERT_TRUE(SSL_renegotiate(client.ssl));
	SSL_do_handshake(client.ssl);
	while (carry_up(&client, link.tls))
		ret = kt_tls_read(link.tls, &byte, 1);
	EXPECT_TRUE(ret == -EAGAIN || ret == -EPROTO);
	carry_down(link.tls, &client);
	SSL_do_handshake(client.ssl);
	EXPECT_EQ(SSL_AD_NO_RENEGOTIATION, client.alert);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
	lab_fini(&lab);
}

TEST_HARNESS_MAIN
