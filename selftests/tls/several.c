/* SPDX-License-Identifier: BSD-2-Clause */
/* Several credentials: which of them a client gets, by name and by algorithm, and swapping them. */
#include "lab.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <openssl/err.h>

#define SIX 6

FIXTURE(several)
{
	struct pki *pki;
	const struct pki_cert *ca;
	/* The first three are for example.test, each of another kind; the rest ECDSA. */
	const struct pki_cert *ecdsa, *rsa, *ed25519, *shop, *wild, *mail;
	struct kt_credentials *credentials[SIX];
	struct kt_credentials_set *set;
	struct kt_credentials_slot *slot;
	struct kt_tls_context *context;
	SSL_CTX *client;
};

FIXTURE_VARIANT(several)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(several, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(several, tls12){.version = KT_TLS_1_2};

static const struct pki_cert *make(struct pki *pki, const struct pki_cert *ca, const char *cn,
				   enum pki_key key, const char *dns, const char *more)
{
	return pki_make(pki, ca,
			&(struct pki_options){
				.cn = cn, .dns = {dns, more}, .eku = "serverAuth", .key = key});
}

static struct kt_tls_context *context_of(const struct kt_tls_context_options *options)
{
	struct kt_tls_context *context;
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_tls_context_new(options, &context, &error))
	{
		TH_LOG("%s", error.text);
	}
	return context;
}

FIXTURE_SETUP(several)
{
	self->pki = pki_new();
	self->ca = pki_make_ca(self->pki, NULL, "CA");
	self->ecdsa = make(self->pki, self->ca, "ecdsa", PKI_P256, "example.test", NULL);
	self->rsa = make(self->pki, self->ca, "rsa", PKI_RSA2048, "Example.test", NULL);
	self->ed25519 = make(self->pki, self->ca, "ed25519", PKI_ED25519, "example.test", NULL);
	self->shop =
		make(self->pki, self->ca, "shop", PKI_P256, "shop.example.test", "example.test");
	self->wild = make(self->pki, self->ca, "wild", PKI_P256, "*.example.test", NULL);
	self->mail = make(self->pki, self->ca, "mail", PKI_P384, "mail.example.test", NULL);
	const struct pki_cert *certs[SIX] = {self->ecdsa, self->rsa,  self->ed25519,
					     self->shop,  self->wild, self->mail};
	for (int i = 0; i < SIX; i++)
		self->credentials[i] = credentials_of(certs[i]);
	ASSERT_EQ(0, kt_credentials_set_new(self->credentials, SIX, &self->set, NULL));
	ASSERT_EQ(0, kt_credentials_slot_new(self->set, &self->slot));
	self->context =
		context_of(&(struct kt_tls_context_options){.credentials_slot = self->slot});
	self->client = client_context(&(struct client_options){.version = variant->version});
}

FIXTURE_TEARDOWN(several)
{
	SSL_CTX_free(self->client);
	kt_tls_context_free(self->context);
	kt_credentials_slot_free(self->slot);
	kt_credentials_set_put(self->set);
	for (int i = 0; i < SIX; i++)
		kt_credentials_put(self->credentials[i]);
	pki_free(self->pki);
}

/* Turns of both; NULL: they met. Copies the common name of what the client got. */
static const char *meet(struct kt_tls_context *context, SSL_CTX *peer, const char *name,
			const char *algorithms, char ret_got[static 64])
{
	struct client client;
	const char *failure;
	struct link link;
	X509 *leaf;

	client_init(&client, peer);
	if (name)
		ASSERT_TRUE(SSL_set_tlsext_host_name(client.ssl, name));
	if (algorithms)
		ASSERT_TRUE(SSL_set1_sigalgs_list(client.ssl, algorithms));
	link_init(&link, &client, context);
	link_handshake(&link);
	failure = kt_tls_failure(link.tls);
	EXPECT_EQ(failure ? KT_TLS_FAILED : KT_TLS_DONE, link.status);
	strcpy(ret_got, "");
	leaf = SSL_get0_peer_certificate(client.ssl);
	if (leaf)
		X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, ret_got, 64);
	link_fini(&link);
	client_fini(&client);
	return failure;
}

static void expect_got(FIXTURE_DATA(several) * self, const char *name, const char *algorithms,
		       const char *cn)
{
	char got[64];

	EXPECT_NULL(meet(self->context, self->client, name, algorithms, got));
	EXPECT_STREQ(cn, got)
	{
		TH_LOG("%s, %s", name ? name : "no name", algorithms ? algorithms : "all");
	}
}

#define ONLY_RSA     "rsa_pss_rsae_sha256:RSA+SHA256"
#define ONLY_ED25519 "ed25519"
#define ONLY_ECDSA   "ECDSA+SHA256:ECDSA+SHA384"

TEST_F(several, are_chosen_by_the_whole_name_first)
{
	expect_got(self, "example.test", NULL, "ecdsa");
	expect_got(self, "shop.example.test", NULL, "shop");
	expect_got(self, "SHOP.Example.TEST", NULL, "shop");
	expect_got(self, "mail.example.test", NULL, "mail");
}

TEST_F(several, are_chosen_by_a_wildcard_of_one_label_next)
{
	expect_got(self, "other.example.test", NULL, "wild");
	/* none or two labels: the default */
	expect_got(self, "a.b.example.test", NULL, "ecdsa");
	expect_got(self, ".example.test", NULL, "ecdsa");
	expect_got(self, "*.example.test", NULL, "ecdsa");
}

TEST_F(several, have_a_default)
{
	expect_got(self, NULL, NULL, "ecdsa");
	expect_got(self, "unknown.test", NULL, "ecdsa");
	expect_got(self, "unknown.test", ONLY_RSA, "rsa");
	expect_got(self, NULL, ONLY_ED25519, "ed25519");
}

TEST_F(several, of_one_name_are_chosen_by_the_clients_algorithms)
{
	expect_got(self, "example.test", ONLY_RSA, "rsa");
	expect_got(self, "example.test", ONLY_ED25519, "ed25519");
	expect_got(self, "example.test", ONLY_ECDSA, "ecdsa");
	/* what is ours to prefer */
	expect_got(self, "example.test", "rsa_pss_rsae_sha256:ed25519:ECDSA+SHA256", "ecdsa");
}

/* Another name's certificate would prove the wrong thing. */
TEST_F(several, name_goes_before_algorithm)
{
	char got[64];

	EXPECT_STREQ("no_shared_cipher",
		     meet(self->context, self->client, "shop.example.test", ONLY_RSA, got));
	EXPECT_STREQ("no_shared_cipher",
		     meet(self->context, self->client, "x.example.test", ONLY_ED25519, got));
}

TEST_F(several, clients_with_cipher_suites_for_one_kind_get_that)
{
	SSL_CTX *peer = client_context(&(struct client_options){
		.version = KT_TLS_1_2, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
	char got[64];

	EXPECT_NULL(meet(self->context, peer, "example.test", NULL, got));
	EXPECT_STREQ("rsa", got);
	SSL_CTX_free(peer);
}

TEST_F(several, no_name_of_the_hello_reaches_beyond_its_handshake)
{
	expect_got(self, "shop.example.test", NULL, "shop");
	expect_got(self, NULL, NULL, "ecdsa");
	expect_got(self, "mail.example.test", NULL, "mail");
	expect_got(self, "example.test", ONLY_RSA, "rsa");
}

/* A client whose first group we lack sends two hellos (RFC 8446 §4.1.4). */
TEST_F(several, are_chosen_once_though_the_hello_is_repeated)
{
	static const char *const groups[] = {"P-521:P-384", "P-521:P-256"};
	char got[64];

	for (int i = 0; i < 2; i++) {
		SSL_CTX *peer = client_context(
			&(struct client_options){.version = KT_TLS_1_3, .groups = groups[i]});

		EXPECT_NULL(meet(self->context, peer, "shop.example.test", NULL, got));
		EXPECT_STREQ("shop", got);
		SSL_CTX_free(peer);
	}
}

/* What a client that has only this group meets us with; 0: its OpenSSL does not have it. */
static int group_of(const char *name)
{
	SSL_CTX *context = client_context(&(struct client_options){0});
	struct kt_tls_context *server;
	struct client client;
	struct link link;
	int group = 0;

	if (SSL_CTX_set1_groups_list(context, name)) {
		struct kt_credentials *credentials;
		struct pki *pki = pki_new();

		credentials = credentials_of(pki_make_leaf(pki, pki_make_ca(pki, NULL, "CA"), "a",
							   "a.test", "serverAuth"));
		server = context_of(&(struct kt_tls_context_options){.credentials = credentials});
		link_establish(&link, &client, server, context);
		group = (int)SSL_get_negotiated_group(client.ssl);
		link_fini(&link);
		client_fini(&client);
		kt_tls_context_free(server);
		kt_credentials_put(credentials);
		pki_free(pki);
	}
	ERR_clear_error();
	SSL_CTX_free(context);
	return group;
}

TEST(groups_are_all_those_that_this_library_has)
{
	EXPECT_EQ(NID_X25519, group_of("X25519"));
	EXPECT_EQ(NID_X9_62_prime256v1, group_of("P-256"));
	EXPECT_EQ(NID_secp384r1, group_of("P-384"));
	/* A handshake that fails would end the test. */
	EXPECT_EQ(OpenSSL_version_num() >= 0x30500000, group_of("X25519MLKEM768") != 0);
}

static void expect_chain(FIXTURE_DATA(several) * self, const char *name, int count)
{
	struct client client;
	struct link link;

	client_init(&client, self->client);
	ASSERT_TRUE(SSL_set_tlsext_host_name(client.ssl, name));
	link_init(&link, &client, self->context);
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link));
	EXPECT_EQ(count, sk_X509_num(SSL_get_peer_cert_chain(client.ssl)));
	link_fini(&link);
	client_fini(&client);
}

TEST_F(several, each_comes_with_its_own_chain)
{
	const struct pki_cert *inner = pki_make_ca(self->pki, self->ca, "Inner");
	struct kt_credentials *list[] = {
		credentials_of(make(self->pki, inner, "long", PKI_P256, "long.test", NULL)),
		self->credentials[0]};
	struct kt_credentials_set *set;

	ASSERT_EQ(0, kt_credentials_set_new(list, 2, &set, NULL));
	kt_credentials_slot_publish(self->slot, set);
	expect_chain(self, "long.test", 2);
	expect_chain(self, "example.test", 1);
	kt_credentials_set_put(set);
	kt_credentials_put(list[0]);
}

/* ---- Sets ----------------------------------------------------------------------------------- */

TEST_F(several, that_no_client_can_get_are_told)
{
	/* shop has a name of its own; a second ECDSA certificate of example.test has none */
	struct kt_credentials *list[] = {self->credentials[0], self->credentials[3],
					 self->credentials[0], self->credentials[1]};
	struct kt_credentials_set *set;

	for (int i = 0; i < SIX; i++)
		EXPECT_TRUE(kt_credentials_set_reaches(self->set, i));
	list[2] =
		credentials_of(make(self->pki, self->ca, "second", PKI_P384, "example.test", NULL));
	ASSERT_EQ(0, kt_credentials_set_new(list, 4, &set, NULL));
	EXPECT_TRUE(kt_credentials_set_reaches(set, 0));
	EXPECT_TRUE(kt_credentials_set_reaches(set, 1));
	EXPECT_FALSE(kt_credentials_set_reaches(set, 2));
	EXPECT_TRUE(kt_credentials_set_reaches(set, 3));
	EXPECT_EQ(list[2], kt_credentials_set_at(set, 2));
	EXPECT_NULL(kt_credentials_set_at(set, 4));
	kt_credentials_set_put(set);
	kt_credentials_put(list[2]);
}

TEST_F(several, without_a_name_are_the_default_of_their_kinds)
{
	struct kt_credentials *list[] = {
		credentials_of(make(self->pki, self->ca, "bare", PKI_P256, NULL, NULL)),
		self->credentials[4],
		credentials_of(make(self->pki, self->ca, "bare rsa", PKI_RSA2048, NULL, NULL))};
	struct kt_credentials_set *set;

	ASSERT_EQ(0, kt_credentials_set_new(list, 3, &set, NULL));
	kt_credentials_slot_publish(self->slot, set);
	expect_got(self, NULL, NULL, "bare");
	expect_got(self, "example.test", ONLY_RSA, "bare rsa");
	expect_got(self, "a.example.test", NULL, "wild");
	kt_credentials_set_put(set);
	kt_credentials_put(list[0]);
	kt_credentials_put(list[2]);
}

TEST(set_has_a_size)
{
	struct kt_credentials_set *set = NULL;
	struct kt_error error;

	EXPECT_EQ(-EINVAL, kt_credentials_set_new(NULL, 0, &set, &error));
	EXPECT_EQ(-E2BIG, kt_credentials_set_new(NULL, KT_CREDENTIALS_MAX + 1, &set, &error));
	EXPECT_NULL(set);
}

/* ---- Swaps ---------------------------------------------------------------------------------- */

static struct kt_credentials_set *set_of(struct kt_credentials *credentials)
{
	struct kt_credentials_set *set;

	ASSERT_EQ(0, kt_credentials_set_new(&credentials, 1, &set, NULL));
	return set;
}

TEST_F(several, that_are_published_serve_the_next_connection)
{
	struct kt_credentials_set *set = set_of(self->credentials[1]);

	expect_got(self, NULL, NULL, "ecdsa");
	kt_credentials_slot_publish(self->slot, set);
	EXPECT_EQ(set, kt_credentials_slot_current(self->slot));
	kt_credentials_set_put(set);
	expect_got(self, NULL, NULL, "rsa");
	/* a kind that is gone is gone */
	expect_got(self, "shop.example.test", NULL, "rsa");
	kt_credentials_slot_publish(self->slot, self->set);
	expect_got(self, NULL, NULL, "ecdsa");
	kt_credentials_set_put(set);
}

TEST_F(several, connection_under_way_keeps_its_own)
{
	struct kt_credentials_set *set = set_of(self->credentials[1]);
	struct client client;
	struct link link;
	char got[64];

	client_init(&client, self->client);
	ASSERT_TRUE(SSL_set_tlsext_host_name(client.ssl, "mail.example.test"));
	link_init(&link, &client, self->context);
	kt_credentials_slot_publish(self->slot, set);
	/* Nobody else holds what it was made with, but for the fixture. */
	kt_credentials_set_put(self->set);
	self->set = set;
	expect_got(self, NULL, NULL, "rsa");
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link));
	X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(client.ssl)),
				  NID_commonName, got, sizeof got);
	EXPECT_STREQ("mail", got);
	link_fini(&link);
	client_fini(&client);
}

/* ---- Swaps while others shake hands --------------------------------------------------------- */

struct race {
	FIXTURE_DATA(several) * self;
	uint16_t version;
	_Atomic bool over;
	_Atomic unsigned long met, failed, strange;
};

/* A worker: a context and clients of its own. A failed signature would fail the handshake. */
static void *shake_hands(void *arg)
{
	struct race *race = arg;
	struct kt_tls_context *context =
		context_of(&(struct kt_tls_context_options){.credentials_slot = race->self->slot});
	SSL_CTX *peer = client_context(&(struct client_options){.version = race->version});
	char got[64];

	while (!atomic_load(&race->over)) {
		if (meet(context, peer, "mail.example.test", NULL, got))
			atomic_fetch_add(&race->failed, 1);
		else if (strcmp(got, "mail") && strcmp(got, "ecdsa"))
			atomic_fetch_add(&race->strange, 1);
		else
			atomic_fetch_add(&race->met, 1);
	}
	SSL_CTX_free(peer);
	kt_tls_context_free(context);
	return NULL;
}

TEST_F(several, are_swapped_under_handshakes_of_other_threads)
{
	struct race race = {.self = self, .version = variant->version};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, shake_hands, &race));
	for (unsigned int i = 0; atomic_load(&race.met) < 200; i++) {
		struct kt_credentials_set *set = set_of(self->credentials[i % 2 ? 5 : 0]);

		kt_credentials_slot_publish(self->slot, set);
		kt_credentials_set_put(set);
		if (atomic_load(&race.failed) + atomic_load(&race.strange))
			break;
	}
	atomic_store(&race.over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, atomic_load(&race.failed));
	EXPECT_EQ(0, atomic_load(&race.strange));
}

/* ---- ALPN ----------------------------------------------------------------------------------- */

static const uint8_t h2_http11[] = "\x02h2\x08http/1.1";

/* What both come to; the failure's name when they do not. */
static void expect_protocol(FIXTURE_DATA(several) * self, const char *offered, const char *agreed,
			    const char *failure, int alert)
{
	struct kt_tls_context *context = context_of(&(struct kt_tls_context_options){
		.credentials_slot = self->slot, .alpn = h2_http11, .alpn_len = 12});
	struct kt_tls_info info;
	const uint8_t *seen;
	struct client client;
	struct link link;
	unsigned int len;

	client_init(&client, self->client);
	if (offered)
		ASSERT_EQ(0, SSL_set_alpn_protos(client.ssl, (const uint8_t *)offered,
						 (unsigned int)strlen(offered)));
	link_init(&link, &client, context);
	link_handshake(&link);
	kt_tls_describe(link.tls, &info);
	EXPECT_STREQ(failure ? failure : "",
		     kt_tls_failure(link.tls) ? kt_tls_failure(link.tls) : "");
	EXPECT_STREQ(agreed, info.alpn);
	EXPECT_EQ(alert, client.alert);
	SSL_get0_alpn_selected(client.ssl, &seen, &len);
	EXPECT_EQ(strlen(agreed), len);
	EXPECT_EQ(0, memcmp(agreed, seen ? seen : (const uint8_t *)"", len));
	link_fini(&link);
	client_fini(&client);
	kt_tls_context_free(context);
}

TEST_F(several, protocol_is_the_first_of_ours_that_is_offered)
{
	expect_protocol(self, "\x08http/1.1\x02h2", "h2", NULL, -1);
	expect_protocol(self, "\x03h3x\x08http/1.1", "http/1.1", NULL, -1);
}

TEST_F(several, client_without_protocols_goes_on_without)
{
	expect_protocol(self, NULL, "", NULL, -1);
}

TEST_F(several, client_with_other_protocols_is_refused)
{
	expect_protocol(self, "\x02h3\x03h2c\x01h", "", "no_shared_protocol",
			SSL_AD_NO_APPLICATION_PROTOCOL);
}

TEST_F(several, server_without_protocols_agrees_on_none)
{
	struct client client;
	struct kt_tls_info info;
	struct link link;

	client_init(&client, self->client);
	ASSERT_EQ(0, SSL_set_alpn_protos(client.ssl, h2_http11, 12));
	link_init(&link, &client, self->context);
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link));
	kt_tls_describe(link.tls, &info);
	EXPECT_STREQ("", info.alpn);
	link_fini(&link);
	client_fini(&client);
}

/* ---- Misuse --------------------------------------------------------------------------------- */

static void expect_refused(struct kt_tls_context_options options, const char *words)
{
	struct kt_tls_context *context = NULL;
	struct kt_error error = {0};

	EXPECT_EQ(-EINVAL, kt_tls_context_new(&options, &context, &error));
	EXPECT_TRUE(strstr(error.text, words) != NULL)
	{
		TH_LOG("%s", error.text);
	}
	EXPECT_NULL(context);
}

TEST_F(several, options_that_make_no_sense_are_refused)
{
	struct kt_credentials *one = self->credentials[0];
	static const uint8_t empty[] = "", cut[] = "\x03h2";

	expect_refused(
		(struct kt_tls_context_options){.credentials = one, .credentials_slot = self->slot},
		"not both");
	expect_refused((struct kt_tls_context_options){.peer_role = KT_ROLE_SERVER,
						       .credentials = one,
						       .credentials_slot = self->slot},
		       "not both");
	expect_refused((struct kt_tls_context_options){.peer_role = KT_ROLE_SERVER,
						       .alpn = h2_http11,
						       .alpn_len = 12},
		       "for servers");
	expect_refused((struct kt_tls_context_options){.credentials = one, .alpn = empty},
		       "ProtocolNameList");
	expect_refused(
		(struct kt_tls_context_options){.credentials = one, .alpn = cut, .alpn_len = 3},
		"ProtocolNameList");
}

TEST_HARNESS_MAIN
