/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions and early data that a client offers, of which our server takes none. */
#include "lab.h"

/* A session as another server of the same name and key would have given out. */
struct foreign {
	SSL_CTX *server;
	SSL_SESSION *session;
	SSL *ssl;
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct foreign *foreign = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(foreign->session);
	foreign->session = session;
	return 1;
}

static void get_foreign_session(struct foreign *foreign, const struct lab *lab, SSL_CTX *context)
{
	struct client client;
	BIO *near, *far;
	char byte;

	memset(foreign, 0, sizeof *foreign);
	SSL_CTX_set_app_data(context, foreign);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(context, keep_session);
	foreign->server = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(foreign->server, lab->server->x509);
	SSL_CTX_use_PrivateKey(foreign->server, lab->server->key);
	SSL_CTX_set_max_early_data(foreign->server, 4096);
	foreign->ssl = SSL_new(foreign->server);
	SSL_set_accept_state(foreign->ssl);
	BIO_new_bio_pair(&near, 0, &far, 0);
	SSL_set_bio(foreign->ssl, near, near);
	client_init(&client, context);
	SSL_set_bio(client.ssl, far, far);
	for (int i = 0; i < 4; i++) {
		SSL_do_handshake(client.ssl);
		SSL_do_handshake(foreign->ssl);
	}
	SSL_read(client.ssl, &byte, 1);
	ASSERT_TRUE(foreign->session != NULL);
	/* without an orderly end OpenSSL would not offer it again */
	SSL_shutdown(client.ssl);
	client_fini(&client);
	ASSERT_TRUE(SSL_SESSION_is_resumable(foreign->session));
}

static void free_foreign(struct foreign *foreign)
{
	SSL_free(foreign->ssl);
	SSL_CTX_free(foreign->server);
	SSL_SESSION_free(foreign->session);
}

static void put_early_data_first(struct link *link)
{
	size_t written;

	ASSERT_TRUE(SSL_write_early_data(link->client->ssl, "early", 5, &written));
}

static void expect_offered(const struct wire *up, const SSL_SESSION *session)
{
	const uint8_t *ticket;
	size_t len;

	SSL_SESSION_get0_ticket(session, &ticket, &len);
	ASSERT_LT(0, len);
	EXPECT_TRUE(memmem(up->data, up->len, ticket, len) != NULL);
}

static void expect_full_handshake(struct lab *lab, uint16_t version, bool early_data)
{
	SSL_CTX *context =
		client_context(&(struct client_options){.version = version, .cert = lab->client});
	struct foreign foreign;
	struct client client;
	struct link link;
	struct kt_tls_info info;

	get_foreign_session(&foreign, lab, context);
	client_init(&client, context);
	ASSERT_TRUE(SSL_set_session(client.ssl, foreign.session));
	link_init(&link, &client, lab->context);
	if (early_data)
		put_early_data_first(&link);
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link))
	{
		TH_LOG("%s", kt_tls_failure(link.tls));
	}
	expect_offered(&link.up, foreign.session);
	EXPECT_FALSE(SSL_session_reused(client.ssl));
	kt_tls_describe(link.tls, &info);
	EXPECT_TRUE(info.verified);
	EXPECT_EQ(link.up.len, link.up.read);
	link_fini(&link);
	client_fini(&client);
	free_foreign(&foreign);
	SSL_CTX_free(context);
}

FIXTURE(resumption)
{
	struct lab lab;
};

FIXTURE_SETUP(resumption)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
}

FIXTURE_TEARDOWN(resumption)
{
	lab_fini(&self->lab);
}

TEST_F(resumption, of_a_tls13_ticket_becomes_a_full_handshake)
{
	expect_full_handshake(&self->lab, KT_TLS_1_3, false);
}

TEST_F(resumption, of_a_tls12_ticket_becomes_a_full_handshake)
{
	expect_full_handshake(&self->lab, KT_TLS_1_2, false);
}

TEST_F(resumption, skips_early_data)
{
	expect_full_handshake(&self->lab, KT_TLS_1_3, true);
}

TEST_HARNESS_MAIN
