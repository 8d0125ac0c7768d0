/* SPDX-License-Identifier: BSD-2-Clause */
/* How handshakes begin and end in which our side is the client. */
#include "as_client.h"

#include <errno.h>
#include <netinet/in.h>

/* ---- Who the server is ---------------------------------------------------------------------- */

TEST_F(client, verifies_a_server_by_its_name)
{
	struct kt_tls_info info;
	struct client server;
	struct link link;

	link_init_client(&link, &server, self->server, self->context, &to_name);
	expect_done(&link, &info);
	EXPECT_EQ(variant->version, info.version);
	EXPECT_EQ(1, info.verdict.pool_version);
	EXPECT_EQ(self->roots, info.pool);
	EXPECT_STREQ(NAME, info.sni);
	EXPECT_STREQ(NAME, info.peer);
	EXPECT_STREQ("", info.alpn);
	EXPECT_STREQ(NAME, SSL_get_servername(server.ssl, TLSEXT_NAMETYPE_host_name));
	part(&link, &server);
}

/* The name is right; the common name is not among the names (BR 7.1.4.3). */
TEST_F(client, asks_servers_for_the_baseline_requirements_unless_told_otherwise)
{
	const struct pki_cert *card =
		pki_make(self->lab.pki, self->root,
			 &(struct pki_options){.cn = "s", .dns = {NAME}, .eku = "serverAuth"});
	SSL_CTX *server =
		server_context(&(struct client_options){.version = variant->version, .cert = card});
	struct kt_tls_context *context = make_context((struct kt_tls_context_options){
		.pool = self->roots, .policy.profile = KT_PROFILE_RFC5280});
	struct kt_tls_info info;
	struct client peer;
	struct link link;

	link_init_client(&link, &peer, server, self->context, &to_name);
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ("nonconforming", kt_tls_failure(link.tls));
	part(&link, &peer);
	link_init_client(&link, &peer, server, context, &to_name);
	expect_done(&link, &info);
	part(&link, &peer);
	kt_tls_context_free(context);
	SSL_CTX_free(server);
}

TEST_F(client, drops_the_final_dot_of_a_name)
{
	const struct kt_tls_options options = {.name_type = KT_NAME_DNS, .name = NAME "."};
	struct kt_tls_info info;
	struct client server;
	struct link link;

	link_init_client(&link, &server, self->server, self->context, &options);
	expect_done(&link, &info);
	EXPECT_STREQ(NAME, SSL_get_servername(server.ssl, TLSEXT_NAMETYPE_host_name));
	part(&link, &server);
}

TEST_F(client, verifies_an_address_and_sends_no_name)
{
	struct kt_tls_info info;
	struct client server;
	struct link link;

	link_init_client(&link, &server, self->server, self->context, &to_address);
	expect_done(&link, &info);
	EXPECT_STREQ("", info.sni);
	EXPECT_NULL(SSL_get_servername(server.ssl, TLSEXT_NAMETYPE_host_name));
	part(&link, &server);
}

/* A client of TLS 1.3 has its alert from libssl, which knows no access_denied. */
static int due_alert(FIXTURE_DATA(client) * self, enum kt_verdict_code code)
{
	if (code == KT_NOT_ALLOWED && SSL_CTX_get_min_proto_version(self->server) == KT_TLS_1_3)
		return SSL_AD_CERTIFICATE_UNKNOWN;
	return kt_verdict_alert(code);
}

static void expect_refused(FIXTURE_DATA(client) * self, const struct kt_tls_options *options,
			   enum kt_verdict_code code)
{
	struct kt_tls_info info;
	struct client server;
	struct link link;

	link_init_client(&link, &server, self->server, self->context, options);
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ(kt_verdict_name(code), kt_tls_failure(link.tls));
	EXPECT_EQ(due_alert(self, code), server.alert);
	EXPECT_FALSE(SSL_is_init_finished(server.ssl));
	kt_tls_describe(link.tls, &info);
	EXPECT_TRUE(info.verified);
	EXPECT_EQ(code, info.verdict.code);
	part(&link, &server);
}

TEST_F(client, refuses_another_name)
{
	expect_refused(self,
		       &(struct kt_tls_options){.name_type = KT_NAME_DNS, .name = "other.test"},
		       KT_NAME_MISMATCH);
	expect_refused(self, &(struct kt_tls_options){.name_type = KT_NAME_IP, .name = "192.0.2.8"},
		       KT_NAME_MISMATCH);
}

TEST_F(client, refuses_a_server_of_another_root)
{
	ASSERT_EQ(2, pool_commit(self->roots, &self->lab.ca, 1));
	expect_refused(self, &to_name, KT_UNKNOWN_ISSUER);
}

TEST_F(client, refuses_a_clients_certificate)
{
	const struct pki_cert *card =
		pki_make_leaf(self->lab.pki, self->root, NAME, NAME, "clientAuth");

	SSL_CTX_free(self->server);
	self->server =
		server_context(&(struct client_options){.version = variant->version, .cert = card});
	expect_refused(self, &to_name, KT_WRONG_PURPOSE);
}

TEST_F(client, refuses_whom_no_rule_of_the_pool_names)
{
	static const char *const rules[] = {"dns:other.test", "dns:" NAME};
	struct kt_tls_info info;
	struct kt_allow *allow;
	struct client server;
	struct link link;

	ASSERT_EQ(0, kt_allow_new(rules, 1, &allow, NULL));
	kt_pool_set_allow(self->roots, allow);
	expect_refused(self, &to_name, KT_NOT_ALLOWED);
	kt_allow_free(allow);
	ASSERT_EQ(0, kt_allow_new(rules, 2, &allow, NULL));
	kt_pool_set_allow(self->roots, allow);
	link_init_client(&link, &server, self->server, self->context, &to_name);
	expect_done(&link, &info);
	part(&link, &server);
	kt_allow_free(allow);
}

TEST_F(client, refuses_everybody_without_a_snapshot)
{
	struct kt_pool *empty;

	ASSERT_EQ(0, kt_pool_new("empty", &empty, NULL));
	kt_tls_context_free(self->context);
	self->context = make_context((struct kt_tls_context_options){.pool = empty});
	expect_refused(self, &to_name, KT_NO_ANCHORS);
	kt_tls_context_free(self->context);
	self->context = NULL;
	kt_pool_free(empty);
}

TEST_F(client, names_what_is_no_tls_server)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct client server;
	struct link link;

	link_init_client(&link, &server, self->server, self->context, &to_name);
	wire_append(&link.up, answer, sizeof answer - 1);
	EXPECT_TRUE(link_server_read(&link));
	EXPECT_EQ(KT_TLS_FAILED, link.status);
	EXPECT_STREQ("plain_http", kt_tls_failure(link.tls));
	part(&link, &server);
}

/* ---- Who we are ----------------------------------------------------------------------------- */

static int any_client(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

static void ask_for_certificate(SSL_CTX *context)
{
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, any_client);
}

TEST_F(client, shows_its_certificate_when_asked)
{
	struct kt_tls_context *context = make_context((struct kt_tls_context_options){
		.pool = self->roots, .credentials = self->lab.credentials});
	struct kt_tls_info info;
	struct client server;
	struct link link;

	ask_for_certificate(self->server);
	link_init_client(&link, &server, self->server, context, &to_name);
	expect_done(&link, &info);
	ASSERT_TRUE(SSL_get0_peer_certificate(server.ssl) != NULL);
	EXPECT_EQ(0, X509_cmp(self->lab.server->x509, SSL_get0_peer_certificate(server.ssl)));
	part(&link, &server);
	kt_tls_context_free(context);
}

/* In TLS 1.3 a client is done before the server has judged it. */
TEST_F(client, learns_that_it_needed_a_certificate)
{
	struct client server;
	struct link link;
	uint8_t byte;

	ask_for_certificate(self->server);
	link_init_client(&link, &server, self->server, self->context, &to_name);
	link_handshake(&link);
	if (link.status == KT_TLS_DONE) {
		EXPECT_EQ(KT_TLS_1_3, variant->version);
		ASSERT_EQ(KT_TLS_DONE, kt_tls_input(link.tls, link.up.data + link.up.read,
						    link.up.len - link.up.read));
		EXPECT_EQ(-EPROTO, kt_tls_read(link.tls, &byte, 1));
	}
	EXPECT_STREQ("peer_alert", kt_tls_failure(link.tls));
	EXPECT_EQ(variant->version == KT_TLS_1_3 ? SSL_AD_CERTIFICATE_REQUIRED
						 : SSL_AD_HANDSHAKE_FAILURE,
		  kt_tls_peer_alert(link.tls));
	part(&link, &server);
}

/* ---- Protocols ------------------------------------------------------------------------------ */

static const uint8_t protocols[] = "\x02h2\x08http/1.1";

static int agree_on(SSL *ssl, const uint8_t **ret_name, uint8_t *ret_len, const uint8_t *offered,
		    unsigned int len, void *arg)
{
	(void)ssl;
	EXPECT_EQ(sizeof protocols - 1, len);
	EXPECT_EQ(0, memcmp(protocols, offered, len));
	*ret_name = arg;
	*ret_len = (uint8_t)strlen(arg);
	return SSL_TLSEXT_ERR_OK;
}

static const struct kt_tls_options with_protocols = {.name_type = KT_NAME_DNS,
						     .name = NAME,
						     .alpn = protocols,
						     .alpn_len = sizeof protocols - 1};

TEST_F(client, agrees_on_a_protocol)
{
	struct kt_tls_info info;
	struct client server;
	struct link link;

	SSL_CTX_set_alpn_select_cb(self->server, agree_on, "http/1.1");
	link_init_client(&link, &server, self->server, self->context, &with_protocols);
	expect_done(&link, &info);
	EXPECT_STREQ("http/1.1", info.alpn);
	part(&link, &server);
}

TEST_F(client, refuses_a_protocol_that_it_did_not_offer)
{
	struct client server;
	struct link link;

	SSL_CTX_set_alpn_select_cb(self->server, agree_on, "http/1.");
	link_init_client(&link, &server, self->server, self->context, &with_protocols);
	EXPECT_EQ(KT_TLS_FAILED, link_handshake(&link));
	EXPECT_STREQ("protocol_error", kt_tls_failure(link.tls));
	part(&link, &server);
}

/* ---- Choosing ------------------------------------------------------------------------------- */

struct judges {
	struct kt_pool *pool;
	int err;
	unsigned int calls;
	struct kt_hello hello;
	char name[256];
};

static int judge(const struct kt_hello *hello, void *arg, struct kt_pool **ret_pool,
		 struct kt_error *error)
{
	struct judges *judges = arg;

	(void)error;
	judges->calls++;
	judges->hello = *hello;
	strcpy(judges->name, hello->name);
	*ret_pool = judges->pool;
	return judges->err;
}

static struct kt_tls_context *choosing_context(struct judges *judges)
{
	return make_context(
		(struct kt_tls_context_options){.choose_pool = judge, .choose_arg = judges});
}

TEST_F(client, pool_is_chosen_by_the_target)
{
	struct judges judges = {.pool = self->roots};
	struct kt_tls_context *context = choosing_context(&judges);
	const struct sockaddr_in local = {.sin_family = AF_INET}, remote = local;
	struct kt_tls_options options = with_protocols;
	const struct kt_hello *hello = &judges.hello;
	struct kt_tls_info info;
	struct client server;
	struct link link;

	options.local = (const struct sockaddr *)&local;
	options.remote = (const struct sockaddr *)&remote;
	link_init_client(&link, &server, self->server, context, &options);
	expect_done(&link, &info);
	EXPECT_EQ(1, judges.calls);
	EXPECT_EQ(KT_ROLE_SERVER, hello->role);
	EXPECT_EQ(KT_NAME_DNS, hello->name_type);
	EXPECT_STREQ(NAME, judges.name);
	EXPECT_EQ(options.alpn_len, hello->alpn_len);
	EXPECT_TRUE(hello->alpn != NULL);
	EXPECT_EQ(options.local, hello->local);
	EXPECT_EQ(options.remote, hello->remote);
	EXPECT_EQ(self->roots, info.pool);
	part(&link, &server);
	link_init_client(&link, &server, self->server, context, &to_address);
	expect_done(&link, &info);
	EXPECT_EQ(KT_NAME_IP, hello->name_type);
	EXPECT_STREQ(ADDRESS, judges.name);
	EXPECT_NULL(hello->alpn);
	part(&link, &server);
	kt_tls_context_free(context);
}

static void expect_not_begun(struct kt_tls_context *context, int err)
{
	const uint8_t *out;
	struct kt_tls *tls;

	ASSERT_EQ(0, kt_tls_new(context, &to_name, &tls));
	EXPECT_EQ(KT_TLS_FAILED, kt_tls_start(tls));
	EXPECT_EQ(0, kt_tls_output(tls, &out));
	EXPECT_STREQ("pool_refused", kt_tls_failure(tls));
	ASSERT_TRUE(kt_tls_refusal(tls) != NULL);
	EXPECT_EQ(err, kt_tls_refusal(tls)->err);
	EXPECT_STRNE("", kt_tls_refusal(tls)->text);
	EXPECT_EQ(KT_TLS_FAILED, kt_tls_input(tls, "\x16\3\3\0\1", 5));
	kt_tls_free(tls);
}

TEST_F(client, says_nothing_when_no_pool_is_chosen)
{
	struct judges judges = {.pool = self->roots};
	struct kt_tls_context *context = choosing_context(&judges);

	judges.err = -EHOSTUNREACH;
	expect_not_begun(context, EHOSTUNREACH);
	judges.err = 0;
	judges.pool = NULL;
	expect_not_begun(context, EINVAL);
	kt_tls_context_free(context);
}

/* ---- Both sides our own --------------------------------------------------------------------- */

/* True: something moved. */
static bool carry(struct kt_tls *from, struct kt_tls *to, int *status)
{
	const uint8_t *data;
	size_t len = kt_tls_output(from, &data), n;

	if (!len)
		return false;
	n = kt_tls_want(to);
	if (n > len)
		n = len;
	*status = kt_tls_input(to, data, n);
	ASSERT_LE(0, *status);
	kt_tls_output_done(from, n);
	return true;
}

struct pair {
	struct kt_tls *client, *server;
	int client_status, server_status;
};

static void pair_handshake(struct pair *pair)
{
	pair->client_status = kt_tls_start(pair->client);
	while (carry(pair->client, pair->server, &pair->server_status) ||
	       carry(pair->server, pair->client, &pair->client_status))
		;
}

static void expect_equal_keys(struct pair *pair)
{
	struct kt_traffic client, server;

	ASSERT_EQ(0, kt_tls_export(pair->client, &client));
	ASSERT_EQ(0, kt_tls_export(pair->server, &server));
	EXPECT_EQ(0, memcmp(client.tx.key, server.rx.key, sizeof client.tx.key));
	EXPECT_EQ(0, memcmp(client.rx.key, server.tx.key, sizeof client.rx.key));
	EXPECT_NE(0, memcmp(client.rx.key, client.tx.key, sizeof client.rx.key));
	EXPECT_EQ(0, memcmp(client.tx.iv, server.rx.iv, 4));
	EXPECT_EQ(0, memcmp(client.rx.iv, server.tx.iv, 4));
}

static void meet_ourselves(FIXTURE_DATA(client) * self, uint16_t version,
			   const struct pki_cert *card, const char *server_failure)
{
	struct kt_credentials *credentials = credentials_of(card);
	struct kt_tls_context *context =
		make_context((struct kt_tls_context_options){.pool = self->roots,
							     .credentials = credentials,
							     .min_version = version,
							     .max_version = version});
	struct pair pair = {0};

	ASSERT_EQ(0, kt_tls_new(context, &to_name, &pair.client));
	ASSERT_EQ(0, kt_tls_new(self->lab.context, NULL, &pair.server));
	pair_handshake(&pair);
	if (server_failure) {
		EXPECT_EQ(KT_TLS_FAILED, pair.server_status);
		EXPECT_STREQ(server_failure, kt_tls_failure(pair.server));
	} else {
		EXPECT_EQ(KT_TLS_DONE, pair.client_status);
		ASSERT_EQ(KT_TLS_DONE, pair.server_status);
		expect_equal_keys(&pair);
	}
	kt_tls_free(pair.client);
	kt_tls_free(pair.server);
	kt_tls_context_free(context);
	kt_credentials_put(credentials);
}

TEST_F(client, and_our_own_server_verify_each_other)
{
	/* our server's certificate has another issuer */
	ASSERT_EQ(2, pool_commit(self->roots, &self->lab.other_ca, 1));
	meet_ourselves(self, variant->version, self->lab.client, NULL);
	meet_ourselves(self, variant->version, self->lab.stranger, "unknown_issuer");
}

/* ---- Misuse --------------------------------------------------------------------------------- */

static int new_with(struct kt_tls_context *context, enum kt_name_type name_type, const char *name)
{
	const struct kt_tls_options options = {.name_type = name_type, .name = name};
	struct kt_tls *tls = NULL;
	int err = kt_tls_new(context, &options, &tls);

	EXPECT_EQ(!err, tls != NULL);
	kt_tls_free(tls);
	return err;
}

TEST_F(client, needs_a_name_that_is_one)
{
	static const char *const bad[] = {"",	 ".",	"a..b",	     ".a",	    "a b",
					  "a\n", "a/b", "192.0.2.7", "2001:db8::1", "*.test"};
	char label[65] = "", name[300] = "";
	struct kt_tls *tls;

	EXPECT_EQ(-EINVAL, kt_tls_new(self->context, NULL, &tls));
	EXPECT_EQ(-EINVAL, new_with(self->context, KT_NAME_DNS, NULL));
	EXPECT_EQ(-EINVAL, new_with(self->context, KT_NAME_NONE, NAME));
	EXPECT_EQ(-EINVAL, new_with(self->context, KT_NAME_IP, NAME));
	EXPECT_EQ(0, new_with(self->context, KT_NAME_IP, "2001:db8::1"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_EQ(-EINVAL, new_with(self->context, KT_NAME_DNS, bad[i]))
		{
			TH_LOG("%s", bad[i]);
		}
	memset(label, 'a', 63);
	EXPECT_EQ(0, new_with(self->context, KT_NAME_DNS, label));
	label[63] = 'a';
	EXPECT_EQ(-EINVAL, new_with(self->context, KT_NAME_DNS, label));
	for (size_t i = 0; i < 253; i++)
		name[i] = i % 2 ? '.' : 'a';
	EXPECT_EQ(0, new_with(self->context, KT_NAME_DNS, name));
	strcat(name, "bc");
	EXPECT_EQ(-EINVAL, new_with(self->context, KT_NAME_DNS, name));
}

TEST_F(client, refuses_a_malformed_list_of_protocols)
{
	struct kt_tls_options options = {.name_type = KT_NAME_DNS, .name = NAME};
	static uint8_t long_list[70000];
	struct kt_tls *tls;

	memset(long_list, 1, sizeof long_list);
	options.alpn = (const uint8_t *)"\3h2";
	options.alpn_len = 3;
	EXPECT_EQ(-EINVAL, kt_tls_new(self->context, &options, &tls));
	options.alpn_len = 0;
	EXPECT_EQ(-EINVAL, kt_tls_new(self->context, &options, &tls));
	options.alpn = long_list;
	options.alpn_len = sizeof long_list;
	EXPECT_EQ(-EINVAL, kt_tls_new(self->context, &options, &tls));
}

TEST_F(client, is_started_once_and_first)
{
	struct kt_tls *tls;

	ASSERT_EQ(0, kt_tls_new(self->context, &to_name, &tls));
	EXPECT_EQ(-EINVAL, kt_tls_input(tls, "\x16\3\3\0\1", 5));
	EXPECT_EQ(KT_TLS_AGAIN, kt_tls_start(tls));
	EXPECT_EQ(-EINVAL, kt_tls_start(tls));
	kt_tls_free(tls);
	ASSERT_EQ(0, kt_tls_new(self->lab.context, NULL, &tls));
	EXPECT_EQ(-EINVAL, kt_tls_start(tls));
	kt_tls_free(tls);
}

static void expect_no_context(struct kt_tls_context_options options)
{
	struct kt_tls_context *context = NULL;
	struct kt_error error = {0};

	options.peer_role = KT_ROLE_SERVER;
	EXPECT_EQ(-EINVAL, kt_tls_context_new(&options, &context, &error));
	EXPECT_NULL(context);
	EXPECT_STRNE("", error.text);
}

TEST_F(client, context_refuses_options_that_make_no_sense)
{
	expect_no_context((struct kt_tls_context_options){.credentials = self->lab.credentials});
	expect_no_context((struct kt_tls_context_options){.pool = self->roots,
							  .client_auth = KT_CLIENT_AUTH_OPTIONAL});
}

TEST_HARNESS_MAIN
