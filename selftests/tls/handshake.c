/* SPDX-License-Identifier: BSD-2-Clause */
/* How handshakes with our server end: done and described, or failed by a name. */
#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

FIXTURE(server)
{
	struct lab lab;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
};

FIXTURE_SETUP(server)
{
	lab_init(&self->lab, &(struct lab_options){0});
	self->client_context = client_context(&(struct client_options){0});
	client_init(&self->client, self->client_context);
	link_init(&self->link, &self->client, self->lab.context);
}

FIXTURE_TEARDOWN(server)
{
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

/* Feed bytes as they come in, as many at a time as are wanted, while the server goes on. */
static int feed(struct kt_tls *tls, const void *data, size_t len)
{
	const uint8_t *at = data;
	int status = KT_TLS_AGAIN;

	while (len && status == KT_TLS_AGAIN) {
		size_t want = kt_tls_want(tls), n = len < want ? len : want;

		status = kt_tls_input(tls, at, n);
		at += n;
		len -= n;
	}
	return status;
}

static void expect_failure(struct kt_tls *tls, const char *name)
{
	char byte = 0;

	EXPECT_STREQ(name, kt_tls_failure(tls));
	/* it stays failed, and closed */
	EXPECT_EQ(KT_TLS_FAILED, kt_tls_input(tls, &byte, 1));
	EXPECT_EQ(KT_TLS_FAILED, kt_tls_input_eof(tls));
	EXPECT_STREQ(name, kt_tls_failure(tls));
	EXPECT_EQ(-EPROTO, kt_tls_read(tls, &byte, 1));
	EXPECT_EQ(-EPROTO, kt_tls_write(tls, &byte, 1));
}

/* ---- Not TLS -------------------------------------------------------------------------------- */

static void expect_bytes_fail(struct kt_tls_context *context, const void *data, size_t len,
			      const char *name)
{
	struct kt_tls *tls;

	ASSERT_EQ(0, kt_tls_new(context, NULL, &tls));
	EXPECT_EQ(KT_TLS_FAILED, feed(tls, data, len));
	expect_failure(tls, name);
	kt_tls_free(tls);
}

TEST_F(server, names_plain_http)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\n",
		"HEAD / HTTP/1.0\r\n",
		"POST /form HTTP/1.1\r\n",
		"PUT /x HTTP/1.1\r\n",
		"DELETE /x HTTP/1.1\r\n",
		"OPTIONS * HTTP/1.1\r\n",
		"PATCH /x HTTP/1.1\r\n",
		"CONNECT host:443 HTTP/1.1\r\n",
		"TRACE / HTTP/1.1\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET http://host/ HTTP/1.1\r\n",
	};

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		expect_bytes_fail(self->lab.context, requests[i], strlen(requests[i]),
				  "plain_http");
}

TEST_F(server, names_what_is_not_tls)
{
	static const uint8_t ssl2_hello[] = {0x80, 0x2e, 1, 3, 3, 0, 0x15, 0, 0, 0, 0x10};

	expect_bytes_fail(self->lab.context, "SSH-2.0-x\r\n", 11, "not_tls");
	expect_bytes_fail(self->lab.context, "\0\0\0\0\0\0\0\0", 8, "not_tls");
	expect_bytes_fail(self->lab.context, ssl2_hello, sizeof ssl2_hello, "not_tls");
}

TEST_F(server, names_a_breach_of_the_protocol)
{
	static const uint8_t data_first[] = {KT_RECORD_DATA, 3, 3, 0, 1, 'x'};
	static const uint8_t too_long[] = {KT_RECORD_HANDSHAKE, 3, 1, 0xff, 0xff};
	static const uint8_t no_hello[] = {KT_RECORD_HANDSHAKE, 3, 1, 0, 5, 20, 0, 0, 1, 0};

	expect_bytes_fail(self->lab.context, data_first, sizeof data_first, "protocol_error");
	expect_bytes_fail(self->lab.context, too_long, sizeof too_long, "protocol_error");
	expect_bytes_fail(self->lab.context, no_hello, sizeof no_hello, "protocol_error");
}

TEST_F(server, offers_an_alert_after_a_failure)
{
	static const uint8_t no_hello[] = {KT_RECORD_HANDSHAKE, 3, 1, 0, 5, 20, 0, 0, 1, 0};
	const uint8_t *out;

	EXPECT_EQ(KT_TLS_FAILED, feed(self->link.tls, no_hello, sizeof no_hello));
	ASSERT_EQ(7, kt_tls_output(self->link.tls, &out));
	EXPECT_EQ(KT_RECORD_ALERT, out[0]);
	EXPECT_EQ(SSL_AD_UNEXPECTED_MESSAGE, out[6]);
	/* in pieces, as a socket takes them */
	kt_tls_output_done(self->link.tls, 5);
	ASSERT_EQ(2, kt_tls_output(self->link.tls, &out));
	EXPECT_EQ(SSL_AD_UNEXPECTED_MESSAGE, out[1]);
	kt_tls_output_done(self->link.tls, 2);
	EXPECT_EQ(0, kt_tls_output(self->link.tls, &out));
}

/* ---- The peer goes -------------------------------------------------------------------------- */

TEST_F(server, names_a_peer_that_closes_before_it_says_anything)
{
	EXPECT_EQ(KT_TLS_FAILED, kt_tls_input_eof(self->link.tls));
	expect_failure(self->link.tls, "peer_closed");
}

TEST_F(server, names_a_peer_that_closes_in_its_hello)
{
	link_client_turn(&self->link);
	ASSERT_EQ(KT_TLS_AGAIN, feed(self->link.tls, self->link.up.data, 100));
	EXPECT_EQ(KT_TLS_FAILED, kt_tls_input_eof(self->link.tls));
	expect_failure(self->link.tls, "peer_closed");
}

TEST_F(server, names_a_close_notify_before_the_handshake_is_done)
{
	static const uint8_t close_notify[] = {KT_RECORD_ALERT, 3, 3, 0, 2, 1, 0};

	SSL_set_max_proto_version(self->client.ssl, TLS1_2_VERSION);
	link_client_turn(&self->link);
	link_server_turn(&self->link);
	EXPECT_EQ(KT_TLS_FAILED, feed(self->link.tls, close_notify, sizeof close_notify));
	expect_failure(self->link.tls, "peer_closed");
}

TEST_F(server, end_of_stream_after_the_handshake_is_no_failure)
{
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	EXPECT_EQ(KT_TLS_DONE, kt_tls_input_eof(self->link.tls));
	EXPECT_NULL(kt_tls_failure(self->link.tls));
}

/* ---- No agreement --------------------------------------------------------------------------- */

FIXTURE(disagreement)
{
	struct lab lab;
};

FIXTURE_VARIANT(disagreement)
{
	struct client_options client;
	uint16_t server_min, server_max;
	const char *failure;
	int peer_alert; /* -1: none */
	int alert_sent; /* seen by the client; -1: none */
};

#define WE_REFUSE(v, name, alert, ...)                                                             \
	FIXTURE_VARIANT_ADD(disagreement, v)                                                       \
	{                                                                                          \
		.failure = name, .peer_alert = -1, .alert_sent = alert, __VA_ARGS__                \
	}
WE_REFUSE(client_too_old, "no_shared_version", SSL_AD_PROTOCOL_VERSION,
	  .client = {.version = TLS1_1_VERSION, .weak = true});
WE_REFUSE(client_below_minimum, "no_shared_version", SSL_AD_PROTOCOL_VERSION,
	  .client = {.version = TLS1_2_VERSION}, .server_min = KT_TLS_1_3);
WE_REFUSE(client_above_maximum, "no_shared_version", SSL_AD_PROTOCOL_VERSION,
	  .client = {.version = TLS1_3_VERSION}, .server_max = KT_TLS_1_2);
WE_REFUSE(cbc_only, "no_shared_cipher", SSL_AD_HANDSHAKE_FAILURE,
	  .client = {.version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA256"});
WE_REFUSE(rsa_only, "no_shared_cipher", SSL_AD_HANDSHAKE_FAILURE,
	  .client = {.version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
WE_REFUSE(ccm_only, "no_shared_cipher", SSL_AD_HANDSHAKE_FAILURE,
	  .client = {.version = TLS1_3_VERSION, .suites = "TLS_AES_128_CCM_SHA256"});
WE_REFUSE(other_groups, "no_shared_cipher", SSL_AD_HANDSHAKE_FAILURE,
	  .client = {.version = TLS1_3_VERSION, .groups = "P-521"});

#define THEY_REFUSE(v, alert, ...)                                                                 \
	FIXTURE_VARIANT_ADD(disagreement, v)                                                       \
	{                                                                                          \
		.failure = "peer_alert", .peer_alert = alert, .alert_sent = -1, __VA_ARGS__        \
	}
THEY_REFUSE(tls13_client_distrusts_us, SSL_AD_UNKNOWN_CA,
	    .client = {.version = TLS1_3_VERSION, .verify_server = true});
THEY_REFUSE(tls12_client_distrusts_us, SSL_AD_UNKNOWN_CA,
	    .client = {.version = TLS1_2_VERSION, .verify_server = true});

FIXTURE_SETUP(disagreement)
{
	lab_init(&self->lab, &(struct lab_options){.min_version = variant->server_min,
						   .max_version = variant->server_max});
}

FIXTURE_TEARDOWN(disagreement)
{
	lab_fini(&self->lab);
}

TEST_F(disagreement, is_named)
{
	SSL_CTX *context = client_context(&variant->client);
	struct client client;
	struct link link;

	client_init(&client, context);
	link_init(&link, &client, self->lab.context);
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_EQ(variant->peer_alert, kt_tls_peer_alert(link.tls));
	EXPECT_EQ(variant->alert_sent, client.alert);
	expect_failure(link.tls, variant->failure);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
}

/* ---- Altered on the way --------------------------------------------------------------------- */

static void corrupt_last_byte(struct link *link, void *arg)
{
	(void)arg;
	link->up.data[link->up.len - 1] ^= 1;
}

TEST_F(server, refuses_an_altered_finished)
{
	self->link.behind = corrupt_last_byte;
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&self->link));
	EXPECT_EQ(SSL_AD_BAD_RECORD_MAC, self->client.alert);
	expect_failure(self->link.tls, "protocol_error");
}

#define FINISHED_LEN 16 /* bytes, in TLS 1.2 */

/* The last record, which has the Finished: one byte less than it would have without any content. */
static void cut_finished(struct link *link, void *arg)
{
	const size_t *overhead = arg;
	size_t whole = KT_RECORD_HEADER_LEN + *overhead + FINISHED_LEN;
	uint8_t *record = link->up.data + link->up.len - whole;

	ASSERT_EQ(KT_RECORD_HANDSHAKE, record[0]);
	ASSERT_EQ(*overhead + FINISHED_LEN, record[4]);
	record[4] = (uint8_t)(*overhead - 1);
	link->up.len -= FINISHED_LEN + 1;
}

static void expect_breach_by_short_finished(const char *ciphers, size_t overhead)
{
	SSL_CTX *context;
	struct client client;
	struct link link;
	struct lab lab;

	lab_init(&lab, &(struct lab_options){0});
	context = client_context(
		&(struct client_options){.version = TLS1_2_VERSION, .ciphers = ciphers});
	client_init(&client, context);
	link_init(&link, &client, lab.context);
	link.behind = cut_finished;
	link.behind_arg = &overhead;
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	expect_failure(link.tls, "protocol_error");
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
	lab_fini(&lab);
}

/* libcrypto refuses to be told of such a record, which libssl takes for a fault of its own. */
TEST(finished_without_room_for_its_tag_is_a_breach)
{
	expect_breach_by_short_finished("ECDHE-ECDSA-AES128-GCM-SHA256", 8 + 16);
	expect_breach_by_short_finished("ECDHE-ECDSA-CHACHA20-POLY1305", 16);
}

/* In TLS 1.2 the certificate is plain: break the outermost tag of the leaf. */
static void break_certificate(struct link *link, void *arg)
{
	const struct pki_cert *cert = arg;
	uint8_t *at = memmem(link->up.data, link->up.len, cert->der, cert->der_len);

	ASSERT_TRUE(at != NULL);
	*at = 0x04;
}

TEST(certificate_that_does_not_parse_is_malformed)
{
	SSL_CTX *context;
	struct client client;
	struct link link;
	struct lab lab;

	lab_init(&lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	context = client_context(
		&(struct client_options){.version = TLS1_2_VERSION, .cert = lab.client});
	client_init(&client, context);
	link_init(&link, &client, lab.context);
	link.behind = break_certificate;
	link.behind_arg = (void *)lab.client;
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_NE(-1, client.alert);
	expect_failure(link.tls, "malformed");
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
	lab_fini(&lab);
}

/* ---- Too much ------------------------------------------------------------------------------- */

TEST_F(server, bounds_the_records_of_a_hello_in_crumbs)
{
	/* a hello of 128,000 bytes, each in a record of its own */
	static const uint8_t start[] = {KT_RECORD_HANDSHAKE, 3, 1, 0, 4, 1, 1, 0xf4, 0};
	static const uint8_t crumb[] = {KT_RECORD_HANDSHAKE, 3, 1, 0, 1, 0};
	int status = feed(self->link.tls, start, sizeof start);
	size_t fed = sizeof start;

	while (status == KT_TLS_AGAIN && fed < (1 << 20)) {
		status = feed(self->link.tls, crumb, sizeof crumb);
		fed += sizeof crumb;
	}
	EXPECT_EQ(KT_TLS_FAILED, status);
	EXPECT_EQ(4096, (fed - sizeof start) / sizeof crumb);
	expect_failure(self->link.tls, "too_many_records");
}

/* Instead of its last flight: a list of certificates, a byte a record, and all else padding. */
static void pad(struct link *link, void *arg)
{
	static const uint8_t start[] = {11, 0, 0xf0, 0};
	static uint8_t content[16384], record[RECORD_MAX];
	struct client early = *link->client;
	struct kt_traffic keys;

	(void)arg;
	memcpy(early.client_secret, early.handshake_secret, sizeof early.client_secret);
	keys_of_client(&early, &keys);
	link->up.len = link->up.read;
	content[1] = KT_RECORD_HANDSHAKE;
	for (int i = 0; i < 32; i++) {
		content[0] = i < 4 ? start[i] : 0;
		/* the type in the last place is the last byte of the padding (RFC 8446 §5.4) */
		wire_append(&link->up, record,
			    record_seal(&keys, &keys.rx, 0, content, sizeof content, record));
	}
}

TEST(padding_counts_before_finished)
{
	SSL_CTX *context;
	struct client client;
	struct link link;
	struct lab lab;

	lab_init(&lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	context =
		client_context(&(struct client_options){.version = KT_TLS_1_3, .cert = lab.client});
	client_init(&client, context);
	link_init(&link, &client, lab.context);
	link.behind = pad;
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	expect_failure(link.tls, "too_much_data");
	EXPECT_LT((256 << 10) - 16640, link.up.read);
	EXPECT_GT((256 << 10) + 16640, link.up.read);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
	lab_fini(&lab);
}

TEST_F(server, bounds_the_announced_size_of_a_hello)
{
	static const uint8_t huge[] = {KT_RECORD_HANDSHAKE, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff};

	expect_bytes_fail(self->lab.context, huge, sizeof huge, "too_much_data");
}

TEST(list_of_certificates_is_bounded)
{
	SSL_CTX *context;
	struct client client;
	struct link link;
	struct lab lab;

	lab_init(&lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	context = client_context(&(struct client_options){.cert = lab.client});
	for (size_t bytes = 0; bytes < (70 << 10); bytes += lab.ca->der_len)
		ASSERT_TRUE(SSL_CTX_add1_chain_cert(context, lab.ca->x509));
	client_init(&client, context);
	link_init(&link, &client, lab.context);
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	expect_failure(link.tls, "too_much_data");
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
	lab_fini(&lab);
}

/* ---- What is described ---------------------------------------------------------------------- */

TEST_F(server, is_described)
{
	struct kt_tls_info info;

	kt_tls_describe(self->link.tls, &info);
	EXPECT_EQ(0, info.version);
	EXPECT_EQ(0, info.cipher_suite);
	EXPECT_STREQ("", info.cipher_name);
	EXPECT_STREQ("", info.sni);
	SSL_set_ciphersuites(self->client.ssl, "TLS_AES_256_GCM_SHA384");
	SSL_set_tlsext_host_name(self->client.ssl, "caf\xc3\xa9 .test");
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	kt_tls_describe(self->link.tls, &info);
	EXPECT_EQ(KT_TLS_1_3, info.version);
	EXPECT_EQ(0x1302, info.cipher_suite);
	EXPECT_STREQ("TLS_AES_256_GCM_SHA384", info.cipher_name);
	EXPECT_STREQ("caf???.test", info.sni);
	EXPECT_FALSE(info.verified);
	EXPECT_STREQ("", info.peer);
}

TEST_F(server, sends_its_whole_chain)
{
	STACK_OF(X509) * chain;

	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	chain = SSL_get_peer_cert_chain(self->client.ssl);
	ASSERT_EQ(2, sk_X509_num(chain));
	EXPECT_EQ(0, X509_cmp(self->lab.server->x509, sk_X509_value(chain, 0)));
	EXPECT_EQ(0, X509_cmp(self->lab.intermediate->x509, sk_X509_value(chain, 1)));
}

TEST_F(server, gives_out_no_ticket)
{
	char byte;

	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	EXPECT_EQ(-1, SSL_read(self->client.ssl, &byte, 1));
	EXPECT_FALSE(SSL_SESSION_is_resumable(SSL_get0_session(self->client.ssl)));
}

/* ---- Context -------------------------------------------------------------------------------- */

static void expect_refused_options(struct kt_tls_context_options options, int err)
{
	struct kt_tls_context *context = NULL;
	struct kt_error error = {0};

	EXPECT_EQ(-err, kt_tls_context_new(&options, &context, &error));
	EXPECT_NULL(context);
	EXPECT_EQ(err, error.err);
	EXPECT_STRNE("", error.text);
}

TEST_F(server, context_refuses_options_that_make_no_sense)
{
	struct kt_credentials *credentials = self->lab.credentials;

	expect_refused_options((struct kt_tls_context_options){0}, EINVAL);
	expect_refused_options(
		(struct kt_tls_context_options){.credentials = credentials,
						.client_auth = KT_CLIENT_AUTH_OPTIONAL},
		EINVAL);
	expect_refused_options(
		(struct kt_tls_context_options){.credentials = credentials, .min_version = 0x0302},
		EINVAL);
	expect_refused_options(
		(struct kt_tls_context_options){.credentials = credentials, .max_version = 0x0305},
		EINVAL);
	expect_refused_options((struct kt_tls_context_options){.credentials = credentials,
							       .min_version = KT_TLS_1_3,
							       .max_version = KT_TLS_1_2},
			       EINVAL);
}

TEST_HARNESS_MAIN
