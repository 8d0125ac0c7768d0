/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools by name: which one judges, and that every count and listing names that one. */
#include "rig.h"

#include <errno.h>
#include <netinet/in.h>

#include "../../src/engine/names.h"

/* ---- Patterns ------------------------------------------------------------------------------- */

TEST(patterns_are_host_names_with_one_star_at_most)
{
	static const char *const good[] = {"a",	       "a.test", "*.test",
					   "*.a.test", "x_1-.a", "1.2.3.4"};
	static const char *const bad[] = {
		"",   ".",    "*",   "*.",	"*a.test", "a.*.test", "**.a", "*.*.a", "a.",
		".a", "a..b", "a b", "a\xc3.b", "a/b",	   "[::1]",    "*.a.", "a:1"};
	char longest[KT_PATTERN_MAX + 2] = "";
	struct kt_error error;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		EXPECT_EQ(0, kt_pattern_check(good[i], NULL))
		{
			TH_LOG("%s", good[i]);
		}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		error = (struct kt_error){0};
		EXPECT_EQ(-EINVAL, kt_pattern_check(bad[i], &error))
		{
			TH_LOG("%s", bad[i]);
		}
		EXPECT_EQ(EINVAL, error.err);
	}
	for (size_t i = 0; i < KT_PATTERN_MAX; i++)
		longest[i] = i % 2 ? '.' : 'a';
	EXPECT_EQ(0, kt_pattern_check(longest, NULL));
	longest[KT_PATTERN_MAX - 1] = 'a';
	longest[KT_PATTERN_MAX] = 'a';
	EXPECT_EQ(-EINVAL, kt_pattern_check(longest, NULL));
	memset(longest, 'a', 64);
	longest[64] = '\0';
	EXPECT_EQ(-EINVAL, kt_pattern_check(longest, NULL));
}

FIXTURE(patterns)
{
	struct kt_pool *whole, *star, *deep, *tld;
	struct kt_names names;
};

FIXTURE_SETUP(patterns)
{
	struct kt_pool **const pools[] = {&self->whole, &self->star, &self->deep, &self->tld};

	for (size_t i = 0; i < 4; i++)
		ASSERT_EQ(0, kt_pool_new("p", pools[i], NULL));
	ASSERT_EQ(0, kt_names_init(&self->names,
				   (const struct kt_pool_for[]){{"www.Example.org", self->whole},
								{"*.example.org", self->star},
								{"*.a.example.org", self->deep},
								{"*.test", self->tld}},
				   4, NULL));
}

FIXTURE_TEARDOWN(patterns)
{
	kt_names_fini(&self->names);
	kt_pool_free(self->whole);
	kt_pool_free(self->star);
	kt_pool_free(self->deep);
	kt_pool_free(self->tld);
}

TEST_F(patterns, match_whole_names_first_and_one_label)
{
	const struct {
		const char *name;
		struct kt_pool *pool;
	} cases[] = {
		{"www.example.org", self->whole},
		{"WWW.EXAMPLE.ORG", self->whole},
		{"ww.example.org", self->star},
		{"wwww.example.org", self->star},
		{"a.example.org", self->star},
		{"b.a.example.org", self->deep},
		{"c.b.a.example.org", NULL},
		{"example.org", NULL},
		{"org", NULL},
		{"test", NULL},
		{"x.test", self->tld},
		{"x.test.", NULL},
		{".test", NULL},
		{".example.org", NULL},
		{"*.example.org", NULL},
		{"?.example.org", NULL},
		{"", NULL},
	};
	char longest[300];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		EXPECT_EQ(cases[i].pool, kt_names_find(&self->names, cases[i].name))
		{
			TH_LOG("%s", cases[i].name);
		}
	memset(longest, 'a', 290);
	strcpy(longest + 290, ".test");
	EXPECT_NULL(kt_names_find(&self->names, longest));
}

static void expect_no_names(const struct kt_pool_for *pools, size_t count)
{
	struct kt_names names = {0};
	struct kt_error error = {0};

	EXPECT_EQ(-EINVAL, kt_names_init(&names, pools, count, &error));
	EXPECT_NULL(names.rows);
	EXPECT_STRNE("", error.text);
}

TEST_F(patterns, that_do_not_fit_are_refused)
{
	struct kt_pool *pool = self->whole;

	expect_no_names((const struct kt_pool_for[]){{"a", pool}, {"b", pool}, {"A", pool}}, 3);
	expect_no_names((const struct kt_pool_for[]){{"*.a", pool}, {"*.a", pool}}, 2);
	expect_no_names((const struct kt_pool_for[]){{"a", pool}, {"*", pool}}, 2);
	expect_no_names((const struct kt_pool_for[]){{"a", NULL}}, 1);
}

/* ---- An engine ------------------------------------------------------------------------------ */

#define NAME_B "b.test"

FIXTURE(names)
{
	struct rig rig;	   /* its pool, "clients", takes `client` */
	struct kt_pool *b; /* of NAME_B and *.NAME_B; takes `stranger` */
	SSL_CTX *client, *stranger;
};

FIXTURE_VARIANT(names)
{
	uint16_t version;
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(names, tls13){.version = KT_TLS_1_3, .ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(names, tls12){.version = KT_TLS_1_2, .ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(names, tls13_ktls){.version = KT_TLS_1_3, .ktls = KT_KTLS_AUTO};

FIXTURE_SETUP(names)
{
	const struct lab *lab = &self->rig.lab;

	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	ASSERT_EQ(0, kt_pool_new("b", &self->b, NULL));
	rig_init(&self->rig, &(struct rig_options){
				     .ktls = variant->ktls,
				     .client_auth = KT_CLIENT_AUTH_REQUIRE,
				     .workers = 2,
				     .pools = (const struct kt_pool_for[]){{NAME_B, self->b},
									   {"*." NAME_B, self->b}},
				     .pool_count = 2});
	pool_commit(self->b, &lab->ca, 1);
	ASSERT_EQ(2, pool_commit(self->b, &lab->other_ca, 1));
	self->client = client_context(
		&(struct client_options){.version = variant->version, .cert = lab->client});
	self->stranger = client_context(
		&(struct client_options){.version = variant->version, .cert = lab->stranger});
}

FIXTURE_TEARDOWN(names)
{
	SSL_CTX_free(self->client);
	SSL_CTX_free(self->stranger);
	rig_fini(&self->rig);
	kt_pool_free(self->b);
}

static void call(struct peer *peer, const struct rig *rig, SSL_CTX *context, const char *name)
{
	peer_connect(peer, rig, context);
	if (name)
		ASSERT_TRUE(SSL_set_tlsext_host_name(peer->client.ssl, name));
	peer_handshake(peer);
}

struct counted {
	const char *pool;
	uint64_t version, count, rows;
};

static void count_version(const char *pool, uint64_t version, uint64_t count, void *arg)
{
	struct counted *counted = arg;

	counted->rows++;
	if (!strcmp(pool, counted->pool) && version == counted->version)
		counted->count += count;
}

static uint64_t accepted_by(struct rig *rig, const char *pool, uint64_t version)
{
	struct counted counted = {.pool = pool, .version = version};

	kt_engine_each_version(rig->engine, count_version, &counted);
	return counted.count;
}

static uint64_t version_rows(struct rig *rig)
{
	struct counted counted = {.pool = ""};

	kt_engine_each_version(rig->engine, count_version, &counted);
	return counted.rows;
}

struct listed {
	unsigned int clients, b, others;
	bool versions_fit;
};

static void list(const struct kt_conn_info *info, void *arg)
{
	struct listed *listed = arg;
	bool b = info->pool && !strcmp(info->pool, "b");

	if (b)
		listed->b++;
	else if (info->pool && !strcmp(info->pool, "clients"))
		listed->clients++;
	else
		listed->others++;
	listed->versions_fit &= info->verdict.pool_version == (b ? 2 : 1);
}

TEST_F(names, each_pool_takes_its_own_and_is_counted_for_them)
{
	SSL_CTX *const in[] = {self->client,   self->client,   self->client,
			       self->stranger, self->stranger, self->client};
	static const char *const names[] = {NULL,   "unknown.test", "x.y." NAME_B,
					    NAME_B, "X." NAME_B,    NAME_B "."};
	struct listed listed = {.versions_fit = true};
	struct peer peers[6], peer;

	for (size_t i = 0; i < 6; i++)
		call(&peers[i], &self->rig, in[i], names[i]);
	rig_await_outcomes(&self->rig, "accepted", 6);
	call(&peer, &self->rig, self->client, NAME_B);
	peer_fini(&peer);
	call(&peer, &self->rig, self->stranger, NULL);
	peer_fini(&peer);
	call(&peer, &self->rig, self->stranger, "unknown.test");
	peer_fini(&peer);
	rig_await_outcomes(&self->rig, "unknown_issuer", 3);
	ASSERT_EQ(0, kt_engine_each_conn(self->rig.engine, list, &listed));
	EXPECT_EQ(4, listed.clients);
	EXPECT_EQ(2, listed.b);
	EXPECT_EQ(0, listed.others);
	EXPECT_TRUE(listed.versions_fit);
	EXPECT_EQ(4, accepted_by(&self->rig, "clients", 1));
	EXPECT_EQ(2, accepted_by(&self->rig, "b", 2));
	EXPECT_EQ(2, version_rows(&self->rig));
	for (size_t i = 0; i < 6; i++)
		peer_fini(&peers[i]);
}

TEST_F(names, swap_of_one_pool_leaves_the_other)
{
	struct peer peer;

	ASSERT_EQ(3, pool_commit(self->b, &self->rig.lab.ca, 1));
	call(&peer, &self->rig, self->client, NAME_B);
	peer_fini(&peer);
	call(&peer, &self->rig, self->client, NULL);
	peer_fini(&peer);
	rig_await_outcomes(&self->rig, "accepted", 2);
	call(&peer, &self->rig, self->stranger, NAME_B);
	peer_fini(&peer);
	call(&peer, &self->rig, self->stranger, NULL);
	peer_fini(&peer);
	rig_await_outcomes(&self->rig, "unknown_issuer", 2);
	EXPECT_EQ(1, accepted_by(&self->rig, "b", 3));
	EXPECT_EQ(1, accepted_by(&self->rig, "clients", 1));
	EXPECT_EQ(2, version_rows(&self->rig));
}

TEST_F(names, each_client_is_told_the_cas_of_its_pool)
{
	const struct lab *lab = &self->rig.lab;
	const struct {
		const char *name;
		const struct pki_cert *ca;
	} cases[] = {{NULL, lab->ca}, {NAME_B, lab->other_ca}, {NULL, lab->ca}};

	for (size_t i = 0; i < 3; i++) {
		const STACK_OF(X509_NAME) * names;
		struct peer peer;

		call(&peer, &self->rig, self->client, cases[i].name);
		names = SSL_get0_peer_CA_list(peer.client.ssl);
		ASSERT_EQ(1, sk_X509_NAME_num(names));
		EXPECT_EQ(0, X509_NAME_cmp(sk_X509_NAME_value(names, 0),
					   X509_get_subject_name(cases[i].ca->x509)));
		peer_fini(&peer);
	}
}

/* ---- A callback ----------------------------------------------------------------------------- */

struct chosen {
	struct kt_pool *pool;
	unsigned int calls; /* by the one worker; read when it was seen to be done */
	struct sockaddr_in local, remote;
};

static int choose(const struct kt_hello *hello, void *arg, struct kt_pool **ret_pool,
		  struct kt_error *error)
{
	struct chosen *chosen = arg;

	if (strcmp(hello->name, NAME_B))
		return kt_error_set(error, ENOENT, hello->name, 0, "no such name here");
	memcpy(&chosen->local, hello->local, sizeof chosen->local);
	memcpy(&chosen->remote, hello->remote, sizeof chosen->remote);
	chosen->calls++;
	*ret_pool = chosen->pool;
	return 0;
}

TEST(callback_chooses_and_refuses_by_name)
{
	struct chosen chosen = {0};
	struct sockaddr_in mine;
	socklen_t len = sizeof mine;
	SSL_CTX *context;
	struct peer peer;
	struct rig rig;

	ASSERT_EQ(0, kt_pool_new("chosen", &chosen.pool, NULL));
	rig_init(&rig, &(struct rig_options){.ktls = KT_KTLS_OFF,
					     .client_auth = KT_CLIENT_AUTH_REQUIRE,
					     .choose_pool = choose,
					     .choose_arg = &chosen});
	pool_commit(chosen.pool, &rig.lab.ca, 1);
	context = client_context(&(struct client_options){.cert = rig.lab.client});
	call(&peer, &rig, context, "other.test");
	EXPECT_EQ(SSL_AD_UNRECOGNIZED_NAME, peer.client.alert);
	peer_fini(&peer);
	rig_await_outcomes(&rig, "pool_refused", 1);
	EXPECT_EQ(0, chosen.calls);
	call(&peer, &rig, context, NAME_B);
	rig_await_outcomes(&rig, "accepted", 1);
	EXPECT_EQ(1, chosen.calls);
	ASSERT_EQ(0, getsockname(peer.fd, (struct sockaddr *)&mine, &len));
	EXPECT_EQ(mine.sin_port, chosen.remote.sin_port);
	EXPECT_EQ(((struct sockaddr_in *)&rig.address.addr)->sin_port, chosen.local.sin_port);
	EXPECT_EQ(1, accepted_by(&rig, "chosen", 1));
	EXPECT_EQ(1, version_rows(&rig));
	peer_fini(&peer);
	SSL_CTX_free(context);
	rig_fini(&rig);
	kt_pool_free(chosen.pool);
}

TEST(listener_that_makes_no_sense_is_refused)
{
	struct kt_engine *engine;
	struct chosen chosen = {0};
	struct rig rig;

	rig_init(&rig, &(struct rig_options){.ktls = KT_KTLS_OFF, .no_start = true});
	const struct kt_pool_for names[] = {{"a.test", rig.lab.pool}, {"A.test", rig.lab.pool}};
	const struct rig_options cases[] = {
		{.client_auth = KT_CLIENT_AUTH_NONE, .pools = names, .pool_count = 1},
		{.client_auth = KT_CLIENT_AUTH_NONE, .choose_pool = choose, .choose_arg = &chosen},
		{.client_auth = KT_CLIENT_AUTH_REQUIRE, .pools = names, .pool_count = 2},
		{.client_auth = KT_CLIENT_AUTH_REQUIRE,
		 .pools = names,
		 .pool_count = 1,
		 .choose_pool = choose,
		 .choose_arg = &chosen},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		EXPECT_EQ(-EINVAL, rig_make_engine(&rig, &cases[i], &engine));
	rig_fini(&rig);
}

TEST_HARNESS_MAIN
