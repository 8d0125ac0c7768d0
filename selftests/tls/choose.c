/* SPDX-License-Identifier: BSD-2-Clause */
/* Choosing the pool of a handshake: what the callback is told, and what its answers lead to. */
#include "lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "../../src/tls/connection.h"

/* One label each: the names by which pools are chosen here. */
#define NAME_A "a.test"
#define NAME_B "b.test"

struct choosing {
	struct kt_pool *a, *b; /* for NAME_A and NAME_B; else … */
	int err;	       /* … this, … */
	struct kt_pool *other; /* … or this, which may be NULL */
	const char *text;      /* of the error; NULL: none is written */
	/* what was seen */
	unsigned int calls;
	struct kt_hello hello;
	char name[256];
	uint8_t alpn[256];
};

static int choose(const struct kt_hello *hello, void *arg, struct kt_pool **ret_pool,
		  struct kt_error *error)
{
	struct choosing *choosing = arg;

	choosing->calls++;
	choosing->hello = *hello;
	snprintf(choosing->name, sizeof choosing->name, "%s", hello->name);
	if (hello->alpn)
		memcpy(choosing->alpn, hello->alpn, hello->alpn_len);
	if (!strcmp(hello->name, NAME_A))
		*ret_pool = choosing->a;
	else if (!strcmp(hello->name, NAME_B))
		*ret_pool = choosing->b;
	else if (!choosing->err)
		*ret_pool = choosing->other;
	else if (choosing->text)
		return kt_error_set(error, -choosing->err, "chooser", 0, "%s", choosing->text);
	else
		return choosing->err;
	return 0;
}

FIXTURE(choose)
{
	struct lab lab;
	struct kt_pool *b; /* its anchor is other_ca; the lab's pool is a */
	struct choosing choosing;
	struct kt_tls_context *context;
	SSL_CTX *client, *stranger, *nobody;
};

FIXTURE_VARIANT(choose)
{
	uint16_t version;
};

FIXTURE_VARIANT_ADD(choose, tls13){.version = KT_TLS_1_3};
FIXTURE_VARIANT_ADD(choose, tls12){.version = KT_TLS_1_2};

static SSL_CTX *context_of(uint16_t version, const struct pki_cert *cert)
{
	return client_context(&(struct client_options){.version = version, .cert = cert});
}

static struct kt_tls_context *make_context(FIXTURE_DATA(choose) * self,
					   enum kt_client_auth client_auth)
{
	const struct kt_tls_context_options options = {
		.credentials = self->lab.credentials,
		.client_auth = client_auth,
		.choose_pool = choose,
		.choose_arg = &self->choosing,
	};
	struct kt_tls_context *context;
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_tls_context_new(&options, &context, &error))
	{
		TH_LOG("%s", error.text);
	}
	return context;
}

FIXTURE_SETUP(choose)
{
	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	ASSERT_EQ(0, kt_pool_new("b", &self->b, NULL));
	ASSERT_EQ(1, pool_commit(self->b, &self->lab.other_ca, 1));
	self->choosing = (struct choosing){.a = self->lab.pool, .b = self->b, .err = -ENOENT};
	self->context = make_context(self, KT_CLIENT_AUTH_REQUIRE);
	self->client = context_of(variant->version, self->lab.client);
	self->stranger = context_of(variant->version, self->lab.stranger);
	self->nobody = context_of(variant->version, NULL);
}

FIXTURE_TEARDOWN(choose)
{
	kt_tls_context_free(self->context);
	SSL_CTX_free(self->client);
	SSL_CTX_free(self->stranger);
	SSL_CTX_free(self->nobody);
	kt_pool_free(self->b);
	lab_fini(&self->lab);
}

static void meet(struct link *link, struct client *client, struct kt_tls_context *context,
		 SSL_CTX *client_context, const char *name)
{
	client_init(client, client_context);
	if (name)
		ASSERT_TRUE(SSL_set_tlsext_host_name(client->ssl, name));
	link_init(link, client, context);
}

static void part(struct link *link, struct client *client)
{
	link_fini(link);
	client_fini(client);
}

/* NULL: let in. */
static const char *outcome(struct kt_tls_context *context, SSL_CTX *client_context,
			   const char *name, struct kt_tls_info *ret_info)
{
	struct client client;
	struct link link;
	const char *failure;

	meet(&link, &client, context, client_context, name);
	link_handshake(&link);
	EXPECT_NE(KT_TLS_AGAIN, link.status);
	failure = kt_tls_failure(link.tls);
	kt_tls_describe(link.tls, ret_info);
	part(&link, &client);
	return failure;
}

/* ---- What the callback is told -------------------------------------------------------------- */

TEST_F(choose, is_told_role_name_protocols_and_addresses)
{
	static const uint8_t protocols[] = "\x02h2\x08http/1.1";
	const struct sockaddr_in local = {.sin_family = AF_INET}, remote = local;
	const struct kt_tls_options options = {.local = (const struct sockaddr *)&local,
					       .remote = (const struct sockaddr *)&remote};
	const struct kt_hello *hello = &self->choosing.hello;
	struct client client;
	struct link link = {.client = &client};

	client_init(&client, self->client);
	ASSERT_TRUE(SSL_set_tlsext_host_name(client.ssl, NAME_A));
	ASSERT_EQ(0, SSL_set_alpn_protos(client.ssl, protocols, sizeof protocols - 1));
	ASSERT_EQ(0, kt_tls_new(self->context, &options, &link.tls));
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link));
	EXPECT_EQ(1, self->choosing.calls);
	EXPECT_EQ(KT_ROLE_CLIENT, hello->role);
	EXPECT_EQ(KT_NAME_DNS, hello->name_type);
	EXPECT_STREQ(NAME_A, self->choosing.name);
	ASSERT_EQ(sizeof protocols - 1, hello->alpn_len);
	EXPECT_EQ(0, memcmp(protocols, self->choosing.alpn, hello->alpn_len));
	EXPECT_EQ(options.local, hello->local);
	EXPECT_EQ(options.remote, hello->remote);
	part(&link, &client);
}

TEST_F(choose, is_told_what_is_missing)
{
	const struct kt_hello *hello = &self->choosing.hello;
	struct kt_tls_info info;

	self->choosing.err = 0;
	self->choosing.other = self->lab.pool;
	EXPECT_NULL(outcome(self->context, self->client, NULL, &info));
	EXPECT_EQ(1, self->choosing.calls);
	EXPECT_EQ(KT_NAME_NONE, hello->name_type);
	EXPECT_STREQ("", self->choosing.name);
	EXPECT_NULL(hello->alpn);
	EXPECT_EQ(0, hello->alpn_len);
	EXPECT_NULL(hello->local);
	EXPECT_NULL(hello->remote);
}

TEST_F(choose, name_is_printable)
{
	struct kt_tls_info info;

	EXPECT_STREQ("pool_refused", outcome(self->context, self->client, "x\x01\xffy z", &info));
	EXPECT_STREQ("x??y?z", self->choosing.name);
	EXPECT_STREQ("x??y?z", info.sni);
}

TEST_F(choose, nobody_is_asked_where_nobody_is_judged)
{
	struct kt_tls_context *context = make_context(self, KT_CLIENT_AUTH_NONE);
	struct kt_tls_info info;

	EXPECT_NULL(outcome(context, self->nobody, "unknown.test", &info));
	EXPECT_EQ(0, self->choosing.calls);
	EXPECT_NULL(info.pool);
	EXPECT_STREQ("unknown.test", info.sni);
	kt_tls_context_free(context);
}

/* ---- What its answers lead to --------------------------------------------------------------- */

static void expect_refusal(FIXTURE_DATA(choose) * self, int alert, int err, const char *text)
{
	const struct kt_error *refusal;
	struct kt_tls_info info;
	struct client client;
	struct link link;

	meet(&link, &client, self->context, self->client, "unknown.test");
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ("pool_refused", kt_tls_failure(link.tls));
	EXPECT_EQ(alert, client.alert);
	refusal = kt_tls_refusal(link.tls);
	ASSERT_TRUE(refusal != NULL);
	EXPECT_EQ(err, refusal->err);
	EXPECT_STREQ(text, refusal->text);
	kt_tls_describe(link.tls, &info);
	EXPECT_FALSE(info.verified);
	EXPECT_NULL(info.pool);
	EXPECT_STREQ("unknown.test", info.sni);
	EXPECT_EQ(1, self->choosing.calls);
	self->choosing.calls = 0;
	part(&link, &client);
}

TEST_F(choose, error_ends_the_handshake_under_its_text)
{
	self->choosing.text = "no such tenant";
	expect_refusal(self, SSL_AD_UNRECOGNIZED_NAME, ENOENT, "no such tenant");
	self->choosing.err = -EACCES;
	self->choosing.text = "not from there";
	expect_refusal(self, SSL_AD_ACCESS_DENIED, EACCES, "not from there");
	self->choosing.err = -EPERM;
	expect_refusal(self, SSL_AD_ACCESS_DENIED, EPERM, "not from there");
	self->choosing.err = -EIO;
	self->choosing.text = "the table is gone";
	expect_refusal(self, SSL_AD_INTERNAL_ERROR, EIO, "the table is gone");
}

TEST_F(choose, error_without_a_text_gets_one)
{
	self->choosing.err = -ENOENT;
	expect_refusal(self, SSL_AD_UNRECOGNIZED_NAME, ENOENT, "failed: No such file or directory");
	self->choosing.err = 1;
	expect_refusal(self, SSL_AD_INTERNAL_ERROR, EINVAL, "failed: not a negative errno");
}

TEST_F(choose, neither_pool_nor_error_is_an_error)
{
	self->choosing.err = 0;
	expect_refusal(self, SSL_AD_INTERNAL_ERROR, EINVAL,
		       "chose no pool, and named no error (it must do one of the two)");
}

TEST_F(choose, other_failures_have_no_refusal)
{
	struct client client;
	struct link link;

	meet(&link, &client, self->context, self->stranger, NAME_A);
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ("unknown_issuer", kt_tls_failure(link.tls));
	EXPECT_NULL(kt_tls_refusal(link.tls));
	part(&link, &client);
}

static void expect_in(FIXTURE_DATA(choose) * self, SSL_CTX *client_context, const char *name,
		      const struct kt_pool *pool, uint64_t version)
{
	struct kt_tls_info info;

	EXPECT_NULL(outcome(self->context, client_context, name, &info));
	EXPECT_EQ(pool, info.pool);
	EXPECT_TRUE(info.verified);
	EXPECT_EQ(version, info.verdict.pool_version);
}

static void expect_out(FIXTURE_DATA(choose) * self, SSL_CTX *client_context, const char *name,
		       const struct kt_pool *pool)
{
	struct kt_tls_info info;

	EXPECT_STREQ("unknown_issuer", outcome(self->context, client_context, name, &info));
	EXPECT_EQ(pool, info.pool);
}

TEST_F(choose, each_name_has_the_judge_of_its_own)
{
	expect_in(self, self->client, NAME_A, self->lab.pool, 1);
	expect_out(self, self->stranger, NAME_A, self->lab.pool);
	expect_out(self, self->client, NAME_B, self->b);
	expect_in(self, self->stranger, NAME_B, self->b, 1);
}

TEST_F(choose, swap_of_one_pool_leaves_the_other)
{
	ASSERT_EQ(2, pool_commit(self->b, &self->lab.ca, 1));
	expect_in(self, self->client, NAME_A, self->lab.pool, 1);
	expect_out(self, self->stranger, NAME_A, self->lab.pool);
	expect_in(self, self->client, NAME_B, self->b, 2);
	expect_out(self, self->stranger, NAME_B, self->b);
}

/* A pool is chosen, not a snapshot: what is published after the choice is what judges. */
TEST_F(choose, judge_is_the_snapshot_at_the_time_of_the_verdict)
{
	struct kt_tls_info info;
	struct client client;
	struct link link;

	meet(&link, &client, self->context, self->client, NAME_A);
	link_client_turn(&link);
	link_server_turn(&link);
	ASSERT_EQ(1, self->choosing.calls);
	ASSERT_EQ(2, lab_commit(&self->lab, self->lab.other_ca));
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	kt_tls_describe(link.tls, &info);
	EXPECT_EQ(KT_UNKNOWN_ISSUER, info.verdict.code);
	EXPECT_EQ(2, info.verdict.pool_version);
	part(&link, &client);
}

/* ---- Hellos --------------------------------------------------------------------------------- */

/* A client whose first group the server lacks: its second hello is a whole handshake's second. */
static SSL_CTX *retried_client(const struct lab *lab)
{
	return client_context(&(struct client_options){
		.version = KT_TLS_1_3, .cert = lab->client, .groups = "P-521:P-256"});
}

TEST_F(choose, is_asked_once_though_the_hello_is_repeated)
{
	SSL_CTX *retried = retried_client(&self->lab);

	expect_in(self, retried, NAME_A, self->lab.pool, 1);
	EXPECT_EQ(1, self->choosing.calls);
	SSL_CTX_free(retried);
}

TEST_F(choose, repeated_hello_cannot_change_the_name)
{
	SSL_CTX *retried = retried_client(&self->lab);
	struct client client;
	struct link link;

	meet(&link, &client, self->context, retried, NAME_A);
	link_client_turn(&link);
	link_server_turn(&link);
	ASSERT_EQ(KT_TLS_AGAIN, link.status);
	ASSERT_TRUE(SSL_set_tlsext_host_name(client.ssl, NAME_B));
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ("protocol_error", kt_tls_failure(link.tls));
	EXPECT_EQ(SSL_AD_ILLEGAL_PARAMETER, client.alert);
	EXPECT_NULL(kt_tls_refusal(link.tls));
	part(&link, &client);
	SSL_CTX_free(retried);
}

/* Change the byte that stands `before` bytes before `text` in what the client said. */
static void damage(struct wire *up, const char *text, size_t before)
{
	uint8_t *found = memmem(up->data, up->len, text, strlen(text));

	ASSERT_TRUE(found != NULL);
	found[-(ptrdiff_t)before] ^= 0x40;
}

static void expect_malformed(FIXTURE_DATA(choose) * self, const char *text, size_t before)
{
	struct client client;
	struct link link;

	meet(&link, &client, self->context, self->client, NAME_A);
	ASSERT_EQ(0, SSL_set_alpn_protos(client.ssl, (const uint8_t *)"\x05proto", 6));
	link_client_turn(&link);
	damage(&link.up, text, before);
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ("protocol_error", kt_tls_failure(link.tls));
	EXPECT_EQ(SSL_AD_DECODE_ERROR, client.alert);
	EXPECT_EQ(0, self->choosing.calls);
	part(&link, &client);
}

TEST_F(choose, malformed_hello_chooses_nothing)
{
	expect_malformed(self, NAME_A, 1);  /* length of the name */
	expect_malformed(self, NAME_A, 3);  /* its type */
	expect_malformed(self, NAME_A, 4);  /* length of the list of names */
	expect_malformed(self, "proto", 1); /* length of a protocol */
	expect_malformed(self, "proto", 2); /* length of their list */
}

static bool name_is_taken(const char *data, size_t len)
{
	char name[KT_TLS_NAME_SIZE];

	return kt_hello_parse_name((const uint8_t *)data, len, name);
}

TEST(server_name_is_taken_whole_or_not_at_all)
{
	uint8_t longest[5 + 256] = {258 >> 8, 258 & 0xff, 0, 0, 255};

	EXPECT_TRUE(name_is_taken("\0\4\0\0\1a", 6));
	EXPECT_FALSE(name_is_taken("\0\4\0\0\1a", 5));
	EXPECT_FALSE(name_is_taken("\0\3\0\0\0", 5));		/* empty */
	EXPECT_FALSE(name_is_taken("\0\4\0\0\1", 5));		/* cut */
	EXPECT_FALSE(name_is_taken("\0\4\0\0\2a", 6));		/* longer than it is */
	EXPECT_FALSE(name_is_taken("\0\5\0\0\1ab", 7));		/* trailing byte */
	EXPECT_FALSE(name_is_taken("\0\4\1\0\1a", 6));		/* no host name */
	EXPECT_FALSE(name_is_taken("\0\5\0\0\2a\0", 7));	/* NUL */
	EXPECT_FALSE(name_is_taken("\0\x8\0\0\1a\0\0\1b", 10)); /* two */
	EXPECT_FALSE(name_is_taken("", 0));
	memset(longest + 5, 'a', 256);
	EXPECT_TRUE(name_is_taken((const char *)longest, 5 + 255));
	longest[1] = 259 & 0xff;
	longest[3] = 1;
	longest[4] = 0;
	EXPECT_FALSE(name_is_taken((const char *)longest, 5 + 256));
}

static bool alpn_is_taken(const char *data, size_t len)
{
	const uint8_t *list;
	size_t list_len;

	return kt_hello_parse_alpn((const uint8_t *)data, len, &list, &list_len);
}

TEST(protocols_are_taken_whole_or_not_at_all)
{
	EXPECT_TRUE(alpn_is_taken("\0\3\2h2", 5));
	EXPECT_TRUE(alpn_is_taken("\0\5\2h2\1x", 7));
	EXPECT_FALSE(alpn_is_taken("", 0));
	EXPECT_FALSE(alpn_is_taken("\0", 1));
	EXPECT_FALSE(alpn_is_taken("\0\0", 2));	      /* empty list */
	EXPECT_FALSE(alpn_is_taken("\0\1\0", 3));     /* empty name */
	EXPECT_FALSE(alpn_is_taken("\0\4\2h2\0", 6)); /* … behind another */
	EXPECT_FALSE(alpn_is_taken("\0\3\3h2", 5));   /* longer than the list */
	EXPECT_FALSE(alpn_is_taken("\0\2\2h2", 5));   /* trailing byte */
	EXPECT_FALSE(alpn_is_taken("\0\4\2h2", 5));   /* cut */
}

TEST_HARNESS_MAIN
