/* SPDX-License-Identifier: BSD-2-Clause */
/* The CA names in CertificateRequest, as a plain OpenSSL client reads them. */
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/x509.h>

#define POOLS 70 /* more than a context keeps the names of */

FIXTURE(ca_names)
{
	struct lab lab;
	SSL_CTX *client;
};

FIXTURE_VARIANT(ca_names)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(ca_names, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(ca_names, tls12){.version = KT_TLS_1_2};

FIXTURE_SETUP(ca_names)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_OPTIONAL});
	self->client = client_context(&(struct client_options){.version = variant->version});
}

FIXTURE_TEARDOWN(ca_names)
{
	SSL_CTX_free(self->client);
	lab_fini(&self->lab);
}

static struct kt_tls_context *make_context(const struct lab *lab,
					   struct kt_tls_context_options options)
{
	struct kt_tls_context *context;
	struct kt_error error = {0};

	options.credentials = lab->credentials;
	options.client_auth = KT_CLIENT_AUTH_OPTIONAL;
	options.pool = lab->pool;
	ASSERT_EQ(0, kt_tls_context_new(&options, &context, &error))
	{
		TH_LOG("%s", error.text);
	}
	return context;
}

static bool has_name(const STACK_OF(X509_NAME) * names, const struct pki_cert *ca)
{
	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		if (!X509_NAME_cmp(sk_X509_NAME_value(names, i), X509_get_subject_name(ca->x509)))
			return true;
	return false;
}

/* Exactly the names of these CAs, which differ, are said. */
static void expect_names(struct kt_tls_context *context, SSL_CTX *client_context,
			 const struct pki_cert *const *cas, int count)
{
	const STACK_OF(X509_NAME) * names;
	struct client client;
	struct link link;

	link_establish(&link, &client, context, client_context);
	names = SSL_get0_peer_CA_list(client.ssl);
	EXPECT_EQ(count, names ? sk_X509_NAME_num(names) : 0);
	for (int i = 0; i < count; i++)
		EXPECT_TRUE(has_name(names, cas[i]));
	link_fini(&link);
	client_fini(&client);
}

TEST_F(ca_names, follow_the_snapshot)
{
	struct lab *lab = &self->lab;
	const struct pki_cert *both[] = {lab->ca, lab->other_ca};

	expect_names(lab->context, self->client, both, 1);
	expect_names(lab->context, self->client, both, 1);
	pool_commit(lab->pool, both, 2);
	expect_names(lab->context, self->client, both, 2);
	lab_commit(lab, lab->other_ca);
	expect_names(lab->context, self->client, both + 1, 1);
	lab_commit(lab, lab->ca);
	expect_names(lab->context, self->client, both, 1);
}

/* The hello may be followed by a commit before the client says its next word. */
TEST_F(ca_names, commit_in_a_handshake_does_it_no_harm)
{
	struct lab *lab = &self->lab;
	struct client client[2];
	struct link link[2];

	for (int i = 0; i < 2; i++) {
		client_init(&client[i], self->client);
		link_init(&link[i], &client[i], lab->context);
		link_client_turn(&link[i]);
		link_server_turn(&link[i]);
		lab_commit(lab, i ? lab->ca : lab->other_ca);
	}
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(KT_TLS_DONE, link_handshake(&link[i]));
		EXPECT_TRUE(has_name(SSL_get0_peer_CA_list(client[i].ssl),
				     i ? lab->other_ca : lab->ca));
		link_fini(&link[i]);
		client_fini(&client[i]);
	}
}

TEST_F(ca_names, are_said_again_when_the_hello_is_repeated)
{
	SSL_CTX *retried = client_context(
		&(struct client_options){.version = KT_TLS_1_3, .groups = "P-521:P-256"});

	expect_names(self->lab.context, retried, &self->lab.ca, 1);
	SSL_CTX_free(retried);
}

TEST_F(ca_names, of_a_pool_without_a_snapshot_are_none)
{
	struct lab empty;

	lab_init(&empty, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_OPTIONAL,
					       .no_snapshot = true});
	expect_names(empty.context, self->client, NULL, 0);
	lab_fini(&empty);
}

TEST_F(ca_names, can_be_switched_off)
{
	struct kt_tls_context *context = make_context(
		&self->lab, (struct kt_tls_context_options){.ca_names = KT_CA_NAMES_OFF});

	expect_names(context, self->client, NULL, 0);
	kt_tls_context_free(context);
}

TEST_F(ca_names, that_several_anchors_share_are_said_once)
{
	struct lab *lab = &self->lab;
	const struct pki_cert *cas[] = {lab->ca, pki_make_ca(lab->pki, NULL, "Client CA"),
					lab->other_ca, pki_make_ca(lab->pki, NULL, "CLIENT  CA")};
	const struct pki_cert *different[] = {lab->ca, lab->other_ca};

	pool_commit(lab->pool, cas, 4);
	expect_names(lab->context, self->client, different, 2);
}

/* count CAs whose names are filled up to len bytes of the common name. */
static const struct pki_cert **make_cas(struct lab *lab, size_t count, size_t len)
{
	const struct pki_cert **cas = calloc(count, sizeof *cas);
	char cn[80];

	ASSERT_TRUE(cas != NULL);
	for (size_t i = 0; i < count; i++) {
		snprintf(cn, sizeof cn, "%0*zu", (int)len, i);
		cas[i] = pki_make_ca(lab->pki, NULL, cn);
	}
	return cas;
}

static size_t bytes_of(const struct pki_cert *ca)
{
	return 2 + (size_t)i2d_X509_NAME(X509_get_subject_name(ca->x509), NULL);
}

/* Up to the cap all are said, above it none, since a part would send the others' clients away. */
static void expect_cap(FIXTURE_DATA(ca_names) * self, size_t len, size_t most)
{
	struct lab *lab = &self->lab;
	const struct pki_cert **cas = make_cas(lab, most + 1, len);

	pool_commit(lab->pool, cas, most);
	expect_names(lab->context, self->client, cas, (int)most);
	pool_commit(lab->pool, cas, most + 1);
	expect_names(lab->context, self->client, NULL, 0);
	pool_commit(lab->pool, cas, 1);
	expect_names(lab->context, self->client, cas, 1);
	free(cas);
}

TEST_F(ca_names, are_capped_in_number)
{
	expect_cap(self, 3, KT_CA_NAMES_MAX);
}

TEST_F(ca_names, are_capped_in_bytes)
{
	const struct pki_cert **one = make_cas(&self->lab, 1, 64);
	size_t most = KT_CA_NAMES_BYTES_MAX / bytes_of(one[0]);

	free(one);
	ASSERT_LT(most, KT_CA_NAMES_MAX);
	expect_cap(self, 64, most);
}

/* ---- Many pools ----------------------------------------------------------------------------- */

struct turning {
	struct kt_pool *pools[POOLS];
	size_t next;
};

static int turn(const struct kt_hello *hello, void *arg, struct kt_pool **ret_pool,
		struct kt_error *error)
{
	struct turning *turning = arg;

	(void)hello;
	(void)error;
	*ret_pool = turning->pools[turning->next];
	return 0;
}

TEST_F(ca_names, are_those_of_the_chosen_pool)
{
	struct turning turning = {0};
	struct kt_tls_context *context =
		make_context(&self->lab, (struct kt_tls_context_options){.choose_pool = turn,
									 .choose_arg = &turning});
	const struct pki_cert **cas = make_cas(&self->lab, POOLS, 3);

	for (size_t i = 0; i < POOLS; i++) {
		ASSERT_EQ(0, kt_pool_new("p", &turning.pools[i], NULL));
		pool_commit(turning.pools[i], &cas[i], 1);
	}
	for (size_t i = 0; i < 3 * POOLS; i++) {
		/* twice in a row, and between them one that was used before */
		turning.next = i / 2 % POOLS;
		if (i % 5 == 4)
			turning.next /= 2;
		expect_names(context, self->client, &cas[turning.next], 1);
	}
	for (size_t i = 0; i < POOLS; i++)
		kt_pool_free(turning.pools[i]);
	free(cas);
	kt_tls_context_free(context);
}

/* Another pool at the place in memory where one was: its content tells them apart. */
TEST_F(ca_names, of_a_pool_that_is_gone_are_not_those_of_the_next)
{
	struct turning turning = {0};
	struct kt_tls_context *context =
		make_context(&self->lab, (struct kt_tls_context_options){.choose_pool = turn,
									 .choose_arg = &turning});
	const struct pki_cert *cas[] = {self->lab.ca, self->lab.other_ca};

	for (size_t i = 0; i < 8; i++) {
		ASSERT_EQ(0, kt_pool_new("p", &turning.pools[0], NULL));
		pool_commit(turning.pools[0], &cas[i % 2], 1);
		expect_names(context, self->client, &cas[i % 2], 1);
		kt_pool_free(turning.pools[0]);
	}
	kt_tls_context_free(context);
}

TEST_HARNESS_MAIN
