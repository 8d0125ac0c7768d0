/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our side as the client, against a plain OpenSSL server and against our own. In the link's words
 * "client" is then the peer: the server.
 */
#include "keys.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#define NAME	"server.test"
#define ADDRESS "192.0.2.7"

struct judges {
	struct kt_pool *pool;
	int err;
	unsigned int calls;
	struct kt_hello hello;
	char name[256];
};

FIXTURE(client)
{
	struct lab lab;		     /* its pool: clients; its server is our own */
	const struct pki_cert *card; /* of the OpenSSL server: NAME and ADDRESS, of `root` */
	const struct pki_cert *root;
	struct kt_pool *roots;
	SSL_CTX *server;
	struct judges judges;
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

static struct kt_tls_context *make_context(struct kt_tls_context_options options)
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
	self->judges.pool = self->roots;
	self->context = make_context((struct kt_tls_context_options){.pool = self->roots});
}

FIXTURE_TEARDOWN(client)
{
	kt_tls_context_free(self->context);
	SSL_CTX_free(self->server);
	kt_pool_free(self->roots);
	lab_fini(&self->lab);
}

static void part(struct link *link, struct client *server)
{
	link_fini(link);
	client_fini(server);
}

static void expect_done(struct link *link, struct kt_tls_info *info)
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

static struct kt_tls_context *choosing_context(struct judges *judges)
{
	return make_context(
		(struct kt_tls_context_options){.choose_pool = judge, .choose_arg = judges});
}

TEST_F(client, pool_is_chosen_by_the_target)
{
	struct kt_tls_context *context = choosing_context(&self->judges);
	const struct sockaddr_in local = {.sin_family = AF_INET}, remote = local;
	struct kt_tls_options options = with_protocols;
	const struct kt_hello *hello = &self->judges.hello;
	struct kt_tls_info info;
	struct client server;
	struct link link;

	options.local = (const struct sockaddr *)&local;
	options.remote = (const struct sockaddr *)&remote;
	link_init_client(&link, &server, self->server, context, &options);
	expect_done(&link, &info);
	EXPECT_EQ(1, self->judges.calls);
	EXPECT_EQ(KT_ROLE_SERVER, hello->role);
	EXPECT_EQ(KT_NAME_DNS, hello->name_type);
	EXPECT_STREQ(NAME, self->judges.name);
	EXPECT_EQ(options.alpn_len, hello->alpn_len);
	EXPECT_TRUE(hello->alpn != NULL);
	EXPECT_EQ(options.local, hello->local);
	EXPECT_EQ(options.remote, hello->remote);
	EXPECT_EQ(self->roots, info.pool);
	part(&link, &server);
	link_init_client(&link, &server, self->server, context, &to_address);
	expect_done(&link, &info);
	EXPECT_EQ(KT_NAME_IP, hello->name_type);
	EXPECT_STREQ(ADDRESS, self->judges.name);
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
	struct kt_tls_context *context = choosing_context(&self->judges);

	self->judges.err = -EHOSTUNREACH;
	expect_not_begun(context, EHOSTUNREACH);
	self->judges.err = 0;
	self->judges.pool = NULL;
	expect_not_begun(context, EINVAL);
	kt_tls_context_free(context);
}

/* ---- Records -------------------------------------------------------------------------------- */

static void feed(struct link *link)
{
	struct wire *up = &link->up;
	size_t n = up->len - up->read;

	ASSERT_LE(n, kt_tls_want(link->tls));
	ASSERT_EQ(KT_TLS_DONE, kt_tls_input(link->tls, up->data + up->read, n));
	up->read = up->len;
}

/* The server's tickets come right behind the handshake; its data behind them. */
TEST_F(client, reads_past_the_tickets)
{
	struct kt_tls_info info;
	struct client server;
	struct link link;
	char text[16];

	link_init_client(&link, &server, self->server, self->context, &to_name);
	expect_done(&link, &info);
	/* what may follow was not read with the handshake */
	EXPECT_EQ(variant->version == KT_TLS_1_3, link.up.read < link.up.len);
	ASSERT_EQ(5, SSL_write(server.ssl, "hello", 5));
	link_client_turn(&link);
	feed(&link);
	ASSERT_EQ(5, kt_tls_read(link.tls, text, sizeof text));
	EXPECT_EQ(0, memcmp("hello", text, 5));
	EXPECT_EQ(-EAGAIN, kt_tls_read(link.tls, text, sizeof text));
	ASSERT_EQ(0, kt_tls_write(link.tls, "answer", 6));
	ASSERT_EQ(0, kt_tls_close_notify(link.tls));
	link_server_send(&link);
	BIO_write(server.in, link.down.data + link.down.read,
		  (int)(link.down.len - link.down.read));
	ASSERT_EQ(6, SSL_read(server.ssl, text, sizeof text));
	EXPECT_EQ(0, memcmp("answer", text, 6));
	EXPECT_EQ(0, SSL_read(server.ssl, text, sizeof text));
	EXPECT_EQ(SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(server.ssl));
	part(&link, &server);
}

/* Every split of the server's bytes gives the same handshake, and reads no byte too much. */
TEST_F(client, takes_bytes_as_they_come)
{
	struct kt_tls_info info;
	struct client server;
	struct link link;

	for (size_t longest = 1; longest < 8; longest++) {
		link_init_client(&link, &server, self->server, self->context, &to_name);
		link.longest = longest;
		expect_done(&link, &info);
		part(&link, &server);
	}
}

/* ---- Keys ----------------------------------------------------------------------------------- */

FIXTURE(keys)
{
	struct lab lab;
	struct kt_tls_context *context;
	SSL_CTX *server;
};

FIXTURE_VARIANT(keys)
{
	uint16_t version;
	enum kt_cipher cipher;
	const char *name;
};

#define ADD(variant_name, v, c, n)                                                                 \
	FIXTURE_VARIANT_ADD(keys, variant_name)                                                    \
	{                                                                                          \
		.version = v, .cipher = c, .name = n                                               \
	}
ADD(tls13_aes_128_gcm, KT_TLS_1_3, KT_AES_128_GCM, "TLS_AES_128_GCM_SHA256");
ADD(tls13_aes_256_gcm, KT_TLS_1_3, KT_AES_256_GCM, "TLS_AES_256_GCM_SHA384");
ADD(tls13_chacha20, KT_TLS_1_3, KT_CHACHA20_POLY1305, "TLS_CHACHA20_POLY1305_SHA256");
ADD(tls12_aes_128_gcm, KT_TLS_1_2, KT_AES_128_GCM, "ECDHE-ECDSA-AES128-GCM-SHA256");
ADD(tls12_aes_256_gcm, KT_TLS_1_2, KT_AES_256_GCM, "ECDHE-ECDSA-AES256-GCM-SHA384");
ADD(tls12_chacha20, KT_TLS_1_2, KT_CHACHA20_POLY1305, "ECDHE-ECDSA-CHACHA20-POLY1305");

FIXTURE_SETUP(keys)
{
	struct client_options options = {
		.version = variant->version,
		.ciphers = variant->version == KT_TLS_1_2 ? variant->name : NULL,
		.suites = variant->version == KT_TLS_1_3 ? variant->name : NULL,
	};

	lab_init(&self->lab, &(struct lab_options){0});
	options.cert = self->lab.server;
	self->server = server_context(&options);
	lab_commit(&self->lab, self->lab.other_ca);
	self->context = make_context((struct kt_tls_context_options){.pool = self->lab.pool});
}

FIXTURE_TEARDOWN(keys)
{
	kt_tls_context_free(self->context);
	SSL_CTX_free(self->server);
	lab_fini(&self->lab);
}

/* Opens the server's next record of this type, past the tickets. */
static int open_next(struct link *link, struct kt_traffic *keys, uint8_t *content)
{
	struct wire *up = &link->up;
	uint8_t type = 0;
	int len = -1;

	while (up->read < up->len && type != KT_RECORD_DATA) {
		len = record_open(keys, &keys->rx, up->data + up->read, &type, content);
		EXPECT_TRUE(type == KT_RECORD_DATA || type == KT_RECORD_HANDSHAKE);
		up->read = record_end(up, up->read);
	}
	return len;
}

/* What our Finished showed on the wire, plus one: no nonce is used twice. */
static void expect_next_nonce(const struct wire *down, const struct kt_traffic *keys)
{
	uint8_t nonce[8];
	size_t at = 0;

	while (down->data[at] != KT_RECORD_CHANGE_CIPHER_SPEC)
		at = record_end(down, at);
	at = record_end(down, at);
	memcpy(nonce, down->data + at + KT_RECORD_HEADER_LEN, sizeof nonce);
	for (int i = 7; i >= 0 && !++nonce[i]; i--)
		;
	EXPECT_EQ(0, memcmp(nonce, keys->tx.iv + 4, sizeof nonce));
}

TEST_F(keys, are_the_servers_and_go_on_each_way)
{
	uint8_t record[RECORD_MAX], content[RECORD_MAX];
	struct kt_traffic keys;
	struct client server;
	struct link link;
	char text[16];
	size_t len;

	link_init_client(&link, &server, self->server, self->context, &to_name);
	ASSERT_EQ(KT_TLS_DONE, link_handshake(&link));
	ASSERT_EQ(0, kt_tls_export(link.tls, &keys));
	EXPECT_EQ(variant->version, keys.version);
	EXPECT_EQ(variant->cipher, keys.cipher);
	EXPECT_EQ(variant->version == KT_TLS_1_2, keys.tx.seq);
	EXPECT_EQ(variant->version == KT_TLS_1_2, keys.rx.seq);
	if (variant->version == KT_TLS_1_2 && variant->cipher != KT_CHACHA20_POLY1305)
		expect_next_nonce(&link.down, &keys);
	for (int i = 0; i < 3; i++) {
		len = record_seal(&keys, &keys.tx, KT_RECORD_DATA, "to server", 9, record);
		BIO_write(server.in, record, (int)len);
		ASSERT_EQ(9, SSL_read(server.ssl, text, sizeof text));
		EXPECT_EQ(0, memcmp("to server", text, 9));
		ASSERT_EQ(9, SSL_write(server.ssl, "to client", 9));
		link_client_turn(&link);
		ASSERT_EQ(9, open_next(&link, &keys, content));
		EXPECT_EQ(0, memcmp("to client", content, 9));
	}
	kt_traffic_wipe(&keys);
	part(&link, &server);
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
