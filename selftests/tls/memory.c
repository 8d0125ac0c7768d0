/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory: many connections leave nothing behind (with SAN=address the leak checker looks at exit),
 * and any one allocation that fails makes a refusal, never an acceptance or a crash.
 */
#include "keys.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

/* ---- Allocations that fail ------------------------------------------------------------------ */

static struct {
	bool armed;
	unsigned long count; /* since it was armed */
	unsigned long fail;  /* the how-manieth fails; 0: none */
} injected;

static bool fails(void)
{
	return injected.armed && ++injected.count == injected.fail;
}

static void *failing_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : malloc(size);
}

static void *failing_realloc(void *data, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : realloc(data, size);
}

/* What no block may hold when it is given back; NULL: nobody looks. */
static struct {
	const char *text;
	unsigned int found;
} secret;

static void plain_free(void *data, const char *file, int line)
{
	(void)file;
	(void)line;
	if (data && secret.text &&
	    memmem(data, malloc_usable_size(data), secret.text, strlen(secret.text)))
		secret.found++;
	free(data);
}

/* Before OpenSSL's first allocation, or it is refused. */
__attribute__((constructor)) static void inject(void)
{
	if (!CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free))
		abort();
}

static void arm(unsigned long fail)
{
	injected.count = 0;
	injected.fail = fail;
	injected.armed = true;
}

/*
 * All of them take minutes with a sanitizer: by default one in so many, each time a different
 * remainder, so that neighbours in one call of the library are not all left out alike.
 */
static unsigned long next(unsigned long fail, unsigned long every)
{
	static unsigned long turn;

	if (getenv("KT_TEST_EXHAUSTIVE"))
		every = 1;
	return fail + (every > 1 ? every - 1 + turn++ % 3 : 1);
}

/* Did one fail? */
static bool disarm(void)
{
	injected.armed = false;
	return injected.fail && injected.count >= injected.fail;
}

/* ---- Sweeps --------------------------------------------------------------------------------- */

FIXTURE(sweep)
{
	struct lab lab;
	SSL_CTX *client_context, *stranger_context;
};

FIXTURE_VARIANT(sweep)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(sweep, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(sweep, tls12){.version = KT_TLS_1_2};

FIXTURE_SETUP(sweep)
{
	struct client_options options = {.version = variant->version};

	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	options.cert = self->lab.client;
	self->client_context = client_context(&options);
	options.cert = self->lab.stranger;
	self->stranger_context = client_context(&options);
}

FIXTURE_TEARDOWN(sweep)
{
	SSL_CTX_free(self->client_context);
	SSL_CTX_free(self->stranger_context);
	lab_fini(&self->lab);
}

/* The server's side only: feeding and collecting. */
static int guarded_input(struct link *link)
{
	bool more;

	do {
		injected.armed = true;
		more = link_server_read(link);
		injected.armed = false;
	} while (more);
	link_server_send(link);
	return link->status;
}

static int guarded_handshake(struct link *link)
{
	size_t before;

	do {
		before = link->up.read;
		link_client_turn(link);
		guarded_input(link);
	} while (link->up.read != before);
	return link->status;
}

/* One connection whose fail-th allocation fails. True: there was one. */
static bool connect_without(struct lab *lab, SSL_CTX *client_context, unsigned long fail,
			    bool may_succeed)
{
	struct kt_traffic traffic;
	struct client client;
	struct link link = {0};
	bool failed;

	client_init(&client, client_context);
	link.client = &client;
	arm(fail);
	if (!kt_tls_new(lab->context, NULL, &link.tls)) {
		injected.armed = false;
		if (guarded_handshake(&link) == KT_TLS_DONE) {
			ASSERT_TRUE(may_succeed);
			injected.armed = true;
			if (!kt_tls_export(link.tls, &traffic))
				kt_traffic_wipe(&traffic);
		} else {
			EXPECT_TRUE(link.status == KT_TLS_FAILED || link.status == -ENOMEM);
			EXPECT_TRUE(kt_tls_failure(link.tls) != NULL);
		}
	}
	failed = disarm();
	if (!failed)
		EXPECT_EQ(may_succeed, link.status == KT_TLS_DONE);
	link_fini(&link);
	client_fini(&client);
	return failed;
}

static void sweep(struct lab *lab, SSL_CTX *client_context, bool may_succeed)
{
	unsigned long fail = 1;

	/* what is made once is made now */
	connect_without(lab, client_context, 0, may_succeed);
	while (connect_without(lab, client_context, fail, may_succeed))
		fail = next(fail, 4);
	TH_LOG("about %lu allocations", fail - 1);
	EXPECT_LT(100, fail);
}

TEST_F_TIMEOUT(sweep, of_a_good_client_fails_closed, 120)
{
	sweep(&self->lab, self->client_context, true);
}

TEST_F_TIMEOUT(sweep, of_a_stranger_never_lets_it_in, 120)
{
	sweep(&self->lab, self->stranger_context, false);
}

/* Its alert is sealed by us. */
TEST_F_TIMEOUT(sweep, of_whom_no_rule_names_never_lets_it_in, 120)
{
	static const char *const rule = "dns:other.test";
	struct kt_allow *allow;

	ASSERT_EQ(0, kt_allow_new(&rule, 1, &allow, NULL));
	kt_pool_set_allow(self->lab.pool, allow);
	sweep(&self->lab, self->client_context, false);
	kt_pool_set_allow(self->lab.pool, NULL);
	kt_allow_free(allow);
}

TEST_TIMEOUT(context_without_memory_is_an_error, 120)
{
	struct kt_tls_context_options options = {.client_auth = KT_CLIENT_AUTH_REQUIRE};
	struct kt_tls_context *context;
	unsigned long fail = 1;
	struct lab lab;
	bool failed;
	int err;

	lab_init(&lab, &(struct lab_options){0});
	options.credentials = lab.credentials;
	options.pool = lab.pool;
	do {
		context = NULL;
		arm(fail);
		fail = next(fail, 2);
		err = kt_tls_context_new(&options, &context, NULL);
		failed = disarm();
		ASSERT_EQ(!err, context != NULL);
		kt_tls_context_free(context);
	} while (failed);
	TH_LOG("about %lu allocations", fail - 1);
	EXPECT_LT(100, fail);
	lab_fini(&lab);
}

TEST_TIMEOUT(credentials_without_memory_are_an_error, 120)
{
	struct kt_credentials *credentials;
	char chain[96], key[96];
	unsigned long fail = 1;
	struct lab lab;
	bool failed;
	int err;

	lab_init(&lab, &(struct lab_options){0});
	snprintf(chain, sizeof chain, "%s/server.chain.pem", lab.dir);
	snprintf(key, sizeof key, "%s/server.key", lab.dir);
	do {
		credentials = NULL;
		arm(fail);
		fail = next(fail, 16);
		err = kt_credentials_load(chain, key, &credentials, NULL);
		failed = disarm();
		ASSERT_EQ(!err, credentials != NULL);
		kt_credentials_put(credentials);
	} while (failed);
	TH_LOG("about %lu allocations", fail - 1);
	EXPECT_LT(100, fail);
	lab_fini(&lab);
}

/* A set is made anew in kt_tls_new, which goes on with the old one when there is no memory for it.
 */
TEST_F_TIMEOUT(sweep, of_renewed_credentials_fails_closed, 120)
{
	struct kt_credentials *list[] = {self->lab.credentials, credentials_of(self->lab.client)};
	struct kt_credentials_set *set, *renewed;
	struct kt_credentials_slot *slot;
	unsigned long fail = 1;

	ASSERT_EQ(0, kt_credentials_set_new(list, 2, &set, NULL));
	ASSERT_EQ(0, kt_credentials_slot_new(set, &slot));
	kt_tls_context_free(self->lab.context);
	ASSERT_EQ(0, kt_tls_context_new(
			     &(struct kt_tls_context_options){.credentials_slot = slot,
							      .client_auth = KT_CLIENT_AUTH_REQUIRE,
							      .pool = self->lab.pool},
			     &self->lab.context, NULL));
	do {
		ASSERT_EQ(0, kt_credentials_set_new(list, 2, &renewed, NULL));
		kt_credentials_slot_publish(slot, renewed);
		kt_credentials_set_put(renewed);
		fail = next(fail, 8);
	} while (connect_without(&self->lab, self->client_context, fail, true));
	TH_LOG("about %lu allocations", fail - 1);
	EXPECT_LT(100, fail);
	kt_tls_context_free(self->lab.context);
	self->lab.context = NULL;
	kt_credentials_slot_free(slot);
	kt_credentials_set_put(set);
	kt_credentials_put(list[1]);
}

/* The first lines together, which only the text of the file has. */
TEST(text_of_a_key_is_wiped)
{
	struct pki *pki = pki_new();
	const struct pki_cert *cert =
		pki_make_leaf(pki, pki_make_ca(pki, NULL, "CA"), "a", "a.test", "serverAuth");
	char first[100];

	snprintf(first, sizeof first, "%.90s", cert->key_pem);
	secret.text = first;
	kt_credentials_put(credentials_of(cert));
	secret.text = NULL;
	EXPECT_EQ(0, secret.found);
	pki_free(pki);
}

TEST_TIMEOUT(set_without_memory_is_an_error, 120)
{
	struct kt_credentials_set *set;
	unsigned long fail = 1;
	struct lab lab;
	bool failed;
	int err;

	lab_init(&lab, &(struct lab_options){0});
	do {
		set = NULL;
		arm(fail++);
		err = kt_credentials_set_new(&lab.credentials, 1, &set, NULL);
		failed = disarm();
		ASSERT_EQ(!err, set != NULL);
		kt_credentials_set_put(set);
	} while (failed);
	EXPECT_EQ(4, fail - 1);
	lab_fini(&lab);
}

/* ---- Many connections ----------------------------------------------------------------------- */

TEST_F_TIMEOUT(sweep, two_hundred_connections_leave_nothing, 120)
{
	for (int i = 0; i < 200; i++)
		connect_without(&self->lab, i % 3 ? self->client_context : self->stranger_context,
				0, i % 3);
}

TEST_HARNESS_MAIN
