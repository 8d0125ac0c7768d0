/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our side as the client, against a plain OpenSSL server. In the link's words "client" is then the
 * peer: the server.
 *
 * Set-up that fails ends the test (ASSERT). One thread.
 */
#ifndef KTRUST_SELFTESTS_TLS_AS_CLIENT_H
#define KTRUST_SELFTESTS_TLS_AS_CLIENT_H

#include "lab.h"

#define NAME	"server.test"
#define ADDRESS "192.0.2.7"

FIXTURE(client)
{
	struct lab lab;		     /* its pool: clients; its server is our own */
	const struct pki_cert *card; /* of the OpenSSL server: NAME and ADDRESS, of `root` */
	const struct pki_cert *root;
	struct kt_pool *roots;
	SSL_CTX *server;
	struct kt_tls_context *context; /* of our client, which has no certificate */
};

FIXTURE_VARIANT(client)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(client, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(client, tls12){.version = KT_TLS_1_2};

static const struct kt_tls_options to_name = {.name_type = KT_NAME_DNS, .name = NAME};
static const struct kt_tls_options to_address = {.name_type = KT_NAME_IP, .name = ADDRESS};

static inline struct kt_tls_context *make_context(struct kt_tls_context_options options)
{
	struct kt_tls_context *context;
	struct kt_error error = {0};

	options.peer_role = KT_ROLE_SERVER;
	ASSERT_EQ(0, kt_tls_context_new(&options, &context, &error))
	{
		TH_LOG("%s", error.text);
	}
	return context;
}

FIXTURE_SETUP(client)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	self->root = pki_make_ca(self->lab.pki, NULL, "Root");
	self->card =
		pki_make(self->lab.pki, self->root,
			 &(struct pki_options){
				 .cn = NAME, .dns = {NAME}, .ip = {ADDRESS}, .eku = "serverAuth"});
	ASSERT_EQ(0, kt_pool_new("roots", &self->roots, NULL));
	ASSERT_EQ(1, pool_commit(self->roots, &self->root, 1));
	self->server = server_context(
		&(struct client_options){.version = variant->version, .cert = self->card});
	self->context = make_context((struct kt_tls_context_options){.pool = self->roots});
}

FIXTURE_TEARDOWN(client)
{
	kt_tls_context_free(self->context);
	SSL_CTX_free(self->server);
	kt_pool_free(self->roots);
	lab_fini(&self->lab);
}

static inline void part(struct link *link, struct client *server)
{
	link_fini(link);
	client_fini(server);
}

/* The handshake succeeds, and the server was verified. */
static inline void expect_done(struct link *link, struct kt_tls_info *info)
{
	EXPECT_EQ(KT_TLS_DONE, link_handshake(link))
	{
		TH_LOG("%s", kt_tls_failure(link->tls));
	}
	EXPECT_TRUE(SSL_is_init_finished(link->client->ssl));
	EXPECT_EQ(-1, link->client->alert);
	kt_tls_describe(link->tls, info);
	EXPECT_TRUE(info->verified);
	EXPECT_EQ(KT_ACCEPTED, info->verdict.code);
}

#endif
