/* SPDX-License-Identifier: BSD-2-Clause */
/* Verifying clients: outcome, the alert the client really sees, the pool version in the verdict. */
#include "lab.h"

#include <pthread.h>
#include <time.h>

#include <openssl/x509.h>

/* ---- Mode × certificate × version ----------------------------------------------------------- */

enum card { CARD_GOOD, CARD_NONE, CARD_STRANGER, CARD_EXPIRED, CARD_COUNT };

static const struct pki_cert *pick(const struct lab *lab, enum card card)
{
	switch (card) {
	case CARD_GOOD:
		return lab->client;
	case CARD_STRANGER:
		return lab->stranger;
	case CARD_EXPIRED:
		return lab->expired;
	default:
		return NULL;
	}
}

FIXTURE(auth)
{
	struct lab lab;
};

FIXTURE_VARIANT(auth)
{
	uint16_t version;
	enum kt_client_auth mode;
};

#define ADD(name, v, m)                                                                            \
	FIXTURE_VARIANT_ADD(auth, name)                                                            \
	{                                                                                          \
		.version = v, .mode = m                                                            \
	}
ADD(tls13_none, KT_TLS_1_3, KT_CLIENT_AUTH_NONE);
ADD(tls13_optional, KT_TLS_1_3, KT_CLIENT_AUTH_OPTIONAL);
ADD(tls13_require, KT_TLS_1_3, KT_CLIENT_AUTH_REQUIRE);
ADD(tls12_none, KT_TLS_1_2, KT_CLIENT_AUTH_NONE);
ADD(tls12_optional, KT_TLS_1_2, KT_CLIENT_AUTH_OPTIONAL);
ADD(tls12_require, KT_TLS_1_2, KT_CLIENT_AUTH_REQUIRE);

FIXTURE_SETUP(auth)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = variant->mode});
	/* so that the version in a verdict is seen to be the pool's */
	lab_commit(&self->lab, self->lab.other_ca);
	ASSERT_EQ(3, lab_commit(&self->lab, self->lab.ca));
}

FIXTURE_TEARDOWN(auth)
{
	lab_fini(&self->lab);
}

/* The code with which a certificate is refused; KT_ACCEPTED: let in. */
static enum kt_verdict_code due(enum kt_client_auth mode, enum card card)
{
	static const enum kt_verdict_code codes[CARD_COUNT] = {KT_ACCEPTED, KT_NO_CERTIFICATE,
							       KT_UNKNOWN_ISSUER, KT_EXPIRED};

	if (mode == KT_CLIENT_AUTH_NONE)
		return KT_ACCEPTED;
	if (mode == KT_CLIENT_AUTH_OPTIONAL && card == CARD_NONE)
		return KT_ACCEPTED;
	return codes[card];
}

/* What libssl sends by itself for want of a certificate differs in TLS 1.2 (RFC 5246 §7.4.6). */
static int due_alert(uint16_t version, enum kt_verdict_code code)
{
	if (code == KT_NO_CERTIFICATE && version == KT_TLS_1_2)
		return SSL_AD_HANDSHAKE_FAILURE;
	return kt_verdict_alert(code);
}

static void expect_let_in(struct link *link, bool verified)
{
	struct kt_tls_info info;

	EXPECT_EQ(KT_TLS_DONE, link->status);
	EXPECT_NULL(kt_tls_failure(link->tls));
	EXPECT_EQ(-1, link->client->alert);
	kt_tls_describe(link->tls, &info);
	ASSERT_EQ(verified, info.verified);
	EXPECT_STREQ(verified ? "client.test" : "", info.peer);
	EXPECT_EQ(verified ? 3 : 0, info.verdict.pool_version);
	EXPECT_EQ(KT_ACCEPTED, info.verdict.code);
}

static void expect_refused(struct link *link, uint16_t version, enum kt_verdict_code code)
{
	struct kt_tls_info info;

	EXPECT_EQ(KT_TLS_FAILED, link->status);
	EXPECT_STREQ(kt_verdict_name(code), kt_tls_failure(link->tls));
	EXPECT_EQ(due_alert(version, code), link->client->alert);
	EXPECT_EQ(-1, kt_tls_peer_alert(link->tls));
	kt_tls_describe(link->tls, &info);
	ASSERT_TRUE(info.verified);
	EXPECT_EQ(code, info.verdict.code);
	EXPECT_EQ(3, info.verdict.pool_version);
	EXPECT_EQ(version, info.version);
	EXPECT_NE(0, info.cipher_suite);
}

static void try_card(struct lab *lab, uint16_t version, enum kt_client_auth mode, enum card card)
{
	enum kt_verdict_code code = due(mode, card);
	SSL_CTX *context = client_context(
		&(struct client_options){.version = version, .cert = pick(lab, card)});
	struct client client;
	struct link link;

	client_init(&client, context);
	link_init(&link, &client, lab->context);
	link_handshake(&link);
	if (code == KT_ACCEPTED)
		expect_let_in(&link, mode != KT_CLIENT_AUTH_NONE && card != CARD_NONE);
	else
		expect_refused(&link, version, code);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
}

TEST_F(auth, good_certificate)
{
	try_card(&self->lab, variant->version, variant->mode, CARD_GOOD);
}

TEST_F(auth, no_certificate)
{
	try_card(&self->lab, variant->version, variant->mode, CARD_NONE);
}

TEST_F(auth, certificate_of_another_ca)
{
	try_card(&self->lab, variant->version, variant->mode, CARD_STRANGER);
}

TEST_F(auth, expired_certificate)
{
	try_card(&self->lab, variant->version, variant->mode, CARD_EXPIRED);
}

/* ---- The alert that goes out, for each verdict a client can bring about ---------------------- */

FIXTURE(verdict)
{
	struct lab lab;
	const struct pki_cert *intermediate;
};

FIXTURE_VARIANT(verdict)
{
	enum kt_verdict_code code;
	struct pki_options options;
	bool self_signed, no_snapshot, below_non_ca;
	const char *allow;
};

#define LEAF .cn = "client", .dns = {"client.test"}
#define VERDICT(name, verdict_code, ...)                                                           \
	FIXTURE_VARIANT_ADD(verdict, name)                                                         \
	{                                                                                          \
		.code = verdict_code, __VA_ARGS__                                                  \
	}
VERDICT(no_anchors, KT_NO_ANCHORS, .options = {LEAF, .eku = "clientAuth"}, .no_snapshot = true);
VERDICT(self_signed, KT_SELF_SIGNED, .options = {LEAF, .eku = "clientAuth"}, .self_signed = true);
VERDICT(not_yet_valid, KT_NOT_YET_VALID,
	.options = {LEAF, .eku = "clientAuth", .not_before = 7200});
VERDICT(wrong_purpose, KT_WRONG_PURPOSE, .options = {LEAF, .eku = "serverAuth"});
VERDICT(ca_as_leaf, KT_CA_AS_LEAF, .options = {LEAF, .ca = true});
VERDICT(unknown_critical, KT_UNKNOWN_CRITICAL,
	.options = {LEAF, .eku = "clientAuth", .unknown_critical = true});
VERDICT(weak_algorithm, KT_WEAK_ALGORITHM,
	.options = {LEAF, .eku = "clientAuth", .key = PKI_RSA1024});
VERDICT(not_a_ca, KT_NOT_A_CA, .options = {LEAF, .eku = "clientAuth"}, .below_non_ca = true);
VERDICT(not_allowed, KT_NOT_ALLOWED, .options = {LEAF, .eku = "clientAuth"},
	.allow = "dns:other.test");

FIXTURE_SETUP(verdict)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .no_snapshot = variant->no_snapshot});
}

FIXTURE_TEARDOWN(verdict)
{
	lab_fini(&self->lab);
}

static void expect_verdict(struct lab *lab, const struct pki_cert *cert, uint16_t version,
			   enum kt_verdict_code code)
{
	SSL_CTX *context = client_context(
		&(struct client_options){.version = version, .cert = cert, .weak = true});
	struct kt_tls_info info;
	struct client client;
	struct link link;

	client_init(&client, context);
	link_init(&link, &client, lab->context);
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ(kt_verdict_name(code), kt_tls_failure(link.tls));
	EXPECT_EQ(kt_verdict_alert(code), client.alert);
	kt_tls_describe(link.tls, &info);
	EXPECT_EQ(code, info.verdict.code);
	EXPECT_STREQ("client.test", info.peer);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
}

static struct kt_allow *set_allow(struct kt_pool *pool, const char *rule)
{
	struct kt_allow *allow;

	ASSERT_EQ(0, kt_allow_new(&rule, 1, &allow, NULL));
	kt_pool_set_allow(pool, allow);
	return allow;
}

TEST_F(verdict, is_told_by_its_alert)
{
	const struct pki_cert *issuer = variant->self_signed ? NULL : self->lab.ca;
	struct kt_allow *allow = variant->allow ? set_allow(self->lab.pool, variant->allow) : NULL;
	const struct pki_cert *cert;

	if (variant->below_non_ca)
		issuer = pki_make(
			self->lab.pki, issuer,
			&(struct pki_options){.cn = "no CA", .key_usage = "digitalSignature"});
	cert = pki_make(self->lab.pki, issuer, &variant->options);
	expect_verdict(&self->lab, cert, KT_TLS_1_3, variant->code);
	expect_verdict(&self->lab, cert, KT_TLS_1_2, variant->code);
	kt_allow_free(allow);
}

/* ---- Allow rules ---------------------------------------------------------------------------- */

FIXTURE(allow)
{
	struct lab lab;
	struct kt_allow *allow;
};

FIXTURE_VARIANT(allow)
{
	const char *rule;
	int alert; /* -1: let in */
};

FIXTURE_VARIANT_ADD(allow, of_its_name){.rule = "dns:*.test", .alert = -1};
FIXTURE_VARIANT_ADD(allow, of_another){.rule = "dns:other.test", .alert = SSL_AD_ACCESS_DENIED};

FIXTURE_SETUP(allow)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	self->allow = set_allow(self->lab.pool, variant->rule);
}

FIXTURE_TEARDOWN(allow)
{
	lab_fini(&self->lab);
	kt_allow_free(self->allow);
}

/* The alert is sealed by us: with each cipher, and however the hello went. */
TEST_F(allow, is_asked_whatever_the_suite)
{
	static const struct client_options options[] = {
		{.version = KT_TLS_1_3, .suites = "TLS_AES_128_GCM_SHA256"},
		{.version = KT_TLS_1_3, .suites = "TLS_AES_256_GCM_SHA384"},
		{.version = KT_TLS_1_3, .suites = "TLS_CHACHA20_POLY1305_SHA256"},
		{.version = KT_TLS_1_3, .groups = "P-521:P-256"}, /* HelloRetryRequest */
		{.version = KT_TLS_1_2, .ciphers = "ECDHE+AESGCM"},
		{.version = KT_TLS_1_2, .ciphers = "ECDHE+CHACHA20"},
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		struct client_options of_client = options[i];
		SSL_CTX *context;
		struct client client;
		struct link link;

		of_client.cert = self->lab.client;
		context = client_context(&of_client);
		client_init(&client, context);
		link_init(&link, &client, self->lab.context);
		EXPECT_EQ(variant->alert < 0 ? KT_TLS_DONE : KT_TLS_FAILED, link_handshake(&link));
		EXPECT_EQ(variant->alert, client.alert)
		{
			TH_LOG("options %zu", i);
		}
		if (variant->alert >= 0)
			EXPECT_STREQ("not_allowed", kt_tls_failure(link.tls));
		link_fini(&link);
		client_fini(&client);
		SSL_CTX_free(context);
	}
}

/* ---- Swaps ---------------------------------------------------------------------------------- */

FIXTURE(swap)
{
	struct lab lab;
	SSL_CTX *client_context;
	struct client client;
	struct link link;
};

FIXTURE_VARIANT(swap)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(swap, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(swap, tls12){.version = KT_TLS_1_2};

FIXTURE_SETUP(swap)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	self->client_context = client_context(
		&(struct client_options){.version = variant->version, .cert = self->lab.client});
	client_init(&self->client, self->client_context);
	link_init(&self->link, &self->client, self->lab.context);
}

FIXTURE_TEARDOWN(swap)
{
	link_fini(&self->link);
	client_fini(&self->client);
	SSL_CTX_free(self->client_context);
	lab_fini(&self->lab);
}

static void advance_to_the_verdict(struct link *link, struct kt_tls_info *ret_info)
{
	do {
		while (link_server_read(link)) {
			kt_tls_describe(link->tls, ret_info);
			if (ret_info->verified)
				return;
		}
		link_server_send(link);
	} while (link_client_turn(link));
}

TEST_F(swap, between_certificate_and_finished_keeps_the_version_of_the_verdict)
{
	struct kt_tls_info info = {0};

	advance_to_the_verdict(&self->link, &info);
	ASSERT_TRUE(info.verified);
	ASSERT_EQ(KT_TLS_AGAIN, self->link.status);
	ASSERT_EQ(2, lab_commit(&self->lab, self->lab.other_ca));
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&self->link));
	kt_tls_describe(self->link.tls, &info);
	EXPECT_EQ(KT_ACCEPTED, info.verdict.code);
	EXPECT_EQ(1, info.verdict.pool_version);
	EXPECT_STREQ("Client CA", info.verdict.anchor_name);
}

TEST_F(swap, before_the_certificate_is_what_counts)
{
	struct kt_tls_info info;

	link_client_turn(&self->link);
	link_server_turn(&self->link); /* our request for a certificate is out */
	ASSERT_EQ(2, lab_commit(&self->lab, self->lab.other_ca));
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&self->link));
	kt_tls_describe(self->link.tls, &info);
	EXPECT_EQ(KT_UNKNOWN_ISSUER, info.verdict.code);
	EXPECT_EQ(2, info.verdict.pool_version);
}

/* ---- The read section ----------------------------------------------------------------------- */

#define HELD_MS	 600   /* how long a commit gets the chance to return too early */
#define LIMIT_MS 20000 /* for what must happen */

static struct {
	struct lab lab;
	pthread_t committer;
	bool started;
	bool committed; /* atomic */
	bool committed_early;
} section;

static int64_t elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static bool committed(void)
{
	return __atomic_load_n(&section.committed, __ATOMIC_ACQUIRE);
}

static bool published(void)
{
	struct kt_pool_stats stats;

	kt_pool_get_stats(section.lab.pool, &stats);
	return stats.published == 2;
}

static bool comes_true(bool (*condition)(void), int64_t limit_ms)
{
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!condition()) {
		if (elapsed_ms(&start) > limit_ms)
			return false;
		sched_yield();
	}
	return true;
}

static void *commit_removal(void *arg)
{
	(void)arg;
	lab_commit(&section.lab, section.lab.other_ca);
	__atomic_store_n(&section.committed, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Called for the verification's time: it stands still here while the pool changes under it. */
static int64_t hold(void *arg)
{
	(void)arg;
	if (!section.started) {
		section.started = true;
		ASSERT_EQ(0, pthread_create(&section.committer, NULL, commit_removal, NULL));
		ASSERT_TRUE(comes_true(published, LIMIT_MS));
		section.committed_early = comes_true(committed, HELD_MS);
	}
	return pki_now();
}

TEST(commit_waits_for_a_verification_that_is_under_way)
{
	SSL_CTX *context;
	struct kt_tls_info info;
	struct client client;
	struct link link;

	lab_init(&section.lab,
		 &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE, .now = hold});
	context = client_context(&(struct client_options){.cert = section.lab.client});
	client_init(&client, context);
	link_init(&link, &client, section.lab.context);
	EXPECT_EQ(KT_TLS_DONE, link_handshake(&link));
	kt_tls_describe(link.tls, &info);
	EXPECT_EQ(1, info.verdict.pool_version);
	EXPECT_FALSE(section.committed_early);
	ASSERT_TRUE(section.started);
	EXPECT_TRUE(comes_true(committed, LIMIT_MS));
	pthread_join(section.committer, NULL);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
	lab_fini(&section.lab);
}

/* ---- Time, names ---------------------------------------------------------------------------- */

static int64_t far_future(void *arg)
{
	return pki_now() + *(int64_t *)arg;
}

TEST(time_is_what_the_option_says)
{
	int64_t years = 20LL * 365 * 86400;
	struct lab lab;

	lab_init(&lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE,
					     .now = far_future,
					     .now_arg = &years});
	expect_verdict(&lab, lab.client, KT_TLS_1_3, KT_EXPIRED);
	lab_fini(&lab);
}

FIXTURE(name)
{
	struct lab lab;
};

FIXTURE_VARIANT(name)
{
	struct pki_options options;
	const char *expected;
};

#define NAME(v, text, ...)                                                                         \
	FIXTURE_VARIANT_ADD(name, v)                                                               \
	{                                                                                          \
		.options = {.eku = "clientAuth", __VA_ARGS__}, .expected = text                    \
	}
NAME(uri, "spiffe://test/web", .cn = "x", .uri = {"spiffe://test/web"});
NAME(dns, "web.test", .cn = "x", .dns = {"web.test", "other.test"});
NAME(email, "me@web.test", .cn = "x", .email = {"me@web.test"});
NAME(address_is_skipped_for_the_common_name, "plain name", .cn = "plain name", .ip = {"192.0.2.1"});
NAME(common_name, "plain name", .cn = "plain name");
NAME(not_printable, "b?d ?? name",
     .cn = "b\x07"
	   "d \xc3\xa9 name");
NAME(none, "", .org = "organisation only");

FIXTURE_SETUP(name)
{
	(void)variant;
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
}

FIXTURE_TEARDOWN(name)
{
	lab_fini(&self->lab);
}

TEST_F(name, is_the_first_san_or_the_common_name)
{
	const struct pki_cert *cert = pki_make(self->lab.pki, self->lab.ca, &variant->options);
	SSL_CTX *context = client_context(&(struct client_options){.cert = cert});
	struct kt_tls_info info;
	struct client client;
	struct link link;

	link_establish(&link, &client, self->lab.context, context);
	kt_tls_describe(link.tls, &info);
	EXPECT_STREQ(variant->expected, info.peer);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
}

/* They are refused; who they are is told by what else they say. */
TEST(names_that_cannot_be_read_are_not_told)
{
	static const struct pki_options cards[] = {
		{.cn = "client.test",
		 .raw = {"2.5.29.17=30078205612e74657374"}}, /* a byte too many */
		{.cn = "client.test", .raw = {"2.5.29.17=3000"}},
		{.cn = "client.test",
		 .raw = {"2.5.29.17=30088206612e74657374", "2.5.29.17=30088206622e74657374"}},
	};
	struct lab lab;

	lab_init(&lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++)
		expect_verdict(&lab, pki_make(lab.pki, lab.ca, &cards[i]), KT_TLS_1_3,
			       KT_MALFORMED);
	lab_fini(&lab);
}

TEST(long_name_is_cut)
{
	struct pki_options options = {.eku = "clientAuth", .cn = "x"};
	char uri[300] = "spiffe://test/";
	struct kt_tls_info info;
	const struct pki_cert *cert;
	SSL_CTX *context;
	struct client client;
	struct link link;
	struct lab lab;

	memset(uri + strlen(uri), 'a', sizeof uri - 1 - strlen(uri));
	options.uri[0] = uri;
	lab_init(&lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	cert = pki_make(lab.pki, lab.ca, &options);
	context = client_context(&(struct client_options){.cert = cert});
	link_establish(&link, &client, lab.context, context);
	kt_tls_describe(link.tls, &info);
	EXPECT_EQ(sizeof info.peer - 1, strlen(info.peer));
	EXPECT_EQ(0, strncmp(uri, info.peer, sizeof info.peer - 1));
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
	lab_fini(&lab);
}

TEST_HARNESS_MAIN
