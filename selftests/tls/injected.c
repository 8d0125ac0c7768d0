/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A libssl that does not do what it was told about clients' certificates: it asks for none, makes
 * do without, or lets in whom we refused. Nobody comes in who was not accepted by a verdict.
 */
#include <errno.h>

#include "lab.h"

typedef int verify_callback(X509_STORE_CTX *store, void *arg);

static struct {
	int forgets;		   /* bits of the verify mode */
	verify_callback *verifies; /* in place of the one it was given */
} faults;

static verify_callback *given;

void __real_SSL_CTX_set_verify(SSL_CTX *context, int mode, SSL_verify_cb callback);
void __wrap_SSL_CTX_set_verify(SSL_CTX *context, int mode, SSL_verify_cb callback);
void __real_SSL_CTX_set_cert_verify_callback(SSL_CTX *context, verify_callback *callback,
					     void *arg);
void __wrap_SSL_CTX_set_cert_verify_callback(SSL_CTX *context, verify_callback *callback,
					     void *arg);

void __wrap_SSL_CTX_set_verify(SSL_CTX *context, int mode, SSL_verify_cb callback)
{
	__real_SSL_CTX_set_verify(context, mode & ~faults.forgets, callback);
}

void __wrap_SSL_CTX_set_cert_verify_callback(SSL_CTX *context, verify_callback *callback, void *arg)
{
	given = callback;
	__real_SSL_CTX_set_cert_verify_callback(context,
						faults.verifies ? faults.verifies : callback, arg);
}

static int say_yes(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static int ask_and_say_yes(X509_STORE_CTX *store, void *arg)
{
	given(store, arg);
	return say_yes(store, arg);
}

enum who { NOBODY, STRANGER, CLIENT };

FIXTURE(fault)
{
	struct lab lab;
};

FIXTURE_VARIANT(fault)
{
	enum kt_client_auth client_auth;
	int forgets;
	verify_callback *verifies;
	enum who who;
	bool comes_in;
};

#define FAULT(name, ...)                                                                           \
	FIXTURE_VARIANT_ADD(fault, name)                                                           \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
FAULT(none, KT_CLIENT_AUTH_REQUIRE, 0, NULL, CLIENT, true);
FAULT(asks_nobody, KT_CLIENT_AUTH_REQUIRE, SSL_VERIFY_PEER, NULL, CLIENT, false);
FAULT(makes_do_without, KT_CLIENT_AUTH_REQUIRE, SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL, NOBODY,
      false);
FAULT(optional_without, KT_CLIENT_AUTH_OPTIONAL, 0, say_yes, NOBODY, true);
FAULT(does_not_ask_us, KT_CLIENT_AUTH_REQUIRE, 0, say_yes, STRANGER, false);
FAULT(does_not_ask_us_optional, KT_CLIENT_AUTH_OPTIONAL, 0, say_yes, STRANGER, false);
FAULT(does_not_heed_us, KT_CLIENT_AUTH_REQUIRE, 0, ask_and_say_yes, STRANGER, false);
FAULT(does_not_heed_us_optional, KT_CLIENT_AUTH_OPTIONAL, 0, ask_and_say_yes, STRANGER, false);

FIXTURE_SETUP(fault)
{
	faults.forgets = variant->forgets;
	faults.verifies = variant->verifies;
	lab_init(&self->lab, &(struct lab_options){.client_auth = variant->client_auth});
}

FIXTURE_TEARDOWN(fault)
{
	lab_fini(&self->lab);
}

static void expect(const struct lab *lab, enum who who, uint16_t version, bool comes_in)
{
	const struct pki_cert *const certs[] = {NULL, lab->stranger, lab->client};
	SSL_CTX *context =
		client_context(&(struct client_options){.version = version, .cert = certs[who]});
	struct kt_traffic traffic;
	struct client client;
	struct link link;

	client_init(&client, context);
	link_init(&link, &client, lab->context);
	if (comes_in) {
		EXPECT_EQ(KT_TLS_DONE, link_handshake(&link));
	} else {
		EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
		EXPECT_STREQ("internal", kt_tls_failure(link.tls));
		EXPECT_EQ(-EBUSY, kt_tls_export(link.tls, &traffic));
	}
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
}

TEST_F(fault, of_the_library_lets_nobody_in_with_tls13)
{
	expect(&self->lab, variant->who, KT_TLS_1_3, variant->comes_in);
}

TEST_F(fault, of_the_library_lets_nobody_in_with_tls12)
{
	expect(&self->lab, variant->who, KT_TLS_1_2, variant->comes_in);
}

TEST_HARNESS_MAIN
