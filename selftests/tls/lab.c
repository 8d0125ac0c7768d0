/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "../../src/tls/connection.h"

/* ---- PKI, pool, server ---------------------------------------------------------------------- */

static void make_certificates(struct lab *lab, enum pki_key server_key)
{
	lab->pki = pki_new();
	ASSERT_TRUE(lab->pki != NULL);
	lab->ca = pki_make_ca(lab->pki, NULL, "Client CA");
	lab->other_ca = pki_make_ca(lab->pki, NULL, "Other CA");
	lab->client = pki_make_leaf(lab->pki, lab->ca, "client", "client.test", "clientAuth");
	lab->stranger =
		pki_make_leaf(lab->pki, lab->other_ca, "client", "client.test", "clientAuth");
	lab->expired = pki_make(lab->pki, lab->ca,
				&(struct pki_options){.cn = "late",
						      .dns = {"late.test"},
						      .eku = "clientAuth",
						      .not_before = -7200,
						      .not_after = -3600});
	lab->intermediate = pki_make_ca(lab->pki, lab->other_ca, "Server CA");
	lab->server = pki_make(lab->pki, lab->intermediate,
			       &(struct pki_options){.cn = "server.test",
						     .dns = {"server.test"},
						     .eku = "serverAuth",
						     .key = server_key});
}

static void load_credentials(struct lab *lab)
{
	struct kt_error error = {0};
	char prefix[80], chain[96], key[96];

	snprintf(lab->dir, sizeof lab->dir, "/tmp/ktrust-tls-XXXXXX");
	ASSERT_TRUE(mkdtemp(lab->dir) != NULL);
	snprintf(prefix, sizeof prefix, "%s/server", lab->dir);
	snprintf(chain, sizeof chain, "%s.chain.pem", prefix);
	snprintf(key, sizeof key, "%s.key", prefix);
	ASSERT_EQ(0, pki_save(lab->server, prefix));
	ASSERT_EQ(0, kt_credentials_load(chain, key, &lab->credentials, &error))
	{
		TH_LOG("%s", error.text);
	}
}

struct kt_credentials *credentials_of(const struct pki_cert *cert)
{
	static const char *const suffixes[] = {".pem", ".key", ".chain.pem"};
	char dir[] = "/tmp/ktrust-tls-XXXXXX", prefix[64], path[3][96];
	struct kt_credentials *credentials;
	struct kt_error error = {0};

	ASSERT_TRUE(mkdtemp(dir) != NULL);
	snprintf(prefix, sizeof prefix, "%s/cert", dir);
	for (int i = 0; i < 3; i++)
		snprintf(path[i], sizeof path[i], "%s%s", prefix, suffixes[i]);
	ASSERT_EQ(0, pki_save(cert, prefix));
	ASSERT_EQ(0, kt_credentials_load(path[2], path[1], &credentials, &error))
	{
		TH_LOG("%s", error.text);
	}
	for (int i = 0; i < 3; i++)
		unlink(path[i]);
	rmdir(dir);
	return credentials;
}

uint64_t pool_commit(struct kt_pool *pool, const struct pki_cert *const *anchors, size_t count)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_pool_change change;

	ASSERT_TRUE(set != NULL);
	for (size_t i = 0; i < count; i++)
		ASSERT_EQ(0, kt_anchor_set_add_der(set, anchors[i]->der, anchors[i]->der_len, "", 0,
						   NULL));
	ASSERT_EQ(0, kt_pool_commit(pool, set, "test", &change, NULL));
	kt_anchor_set_free(set);
	return change.new_version;
}

uint64_t lab_commit(struct lab *lab, const struct pki_cert *anchor)
{
	return pool_commit(lab->pool, &anchor, 1);
}

void lab_make_context(struct lab *lab, const struct lab_options *options)
{
	const struct kt_tls_context_options tls_options = {
		.credentials = lab->credentials,
		.client_auth = options->client_auth,
		.pool = lab->pool,
		.min_version = options->min_version,
		.max_version = options->max_version,
		.now = options->now,
		.now_arg = options->now_arg,
		.key_records_max = options->key_records_max,
		.certificates = options->certificates,
	};
	struct kt_error error = {0};

	kt_tls_context_free(lab->context);
	lab->context = NULL;
	ASSERT_EQ(0, kt_tls_context_new(&tls_options, &lab->context, &error))
	{
		TH_LOG("%s", error.text);
	}
}

void lab_init(struct lab *lab, const struct lab_options *options)
{
	memset(lab, 0, sizeof *lab);
	make_certificates(lab, options->server_key);
	load_credentials(lab);
	ASSERT_EQ(0, kt_pool_new("clients", &lab->pool, NULL));
	if (!options->no_snapshot)
		ASSERT_EQ(1, lab_commit(lab, lab->ca));
	lab_make_context(lab, options);
}

void lab_fini(struct lab *lab)
{
	static const char *const suffixes[] = {".pem", ".key", ".chain.pem"};
	char path[96];

	kt_tls_context_free(lab->context);
	kt_credentials_put(lab->credentials);
	kt_pool_free(lab->pool);
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(path, sizeof path, "%s/server%s", lab->dir, suffixes[i]);
		unlink(path);
	}
	rmdir(lab->dir);
	pki_free(lab->pki);
}

/* ---- Client --------------------------------------------------------------------------------- */

static size_t from_hex(const char *hex, uint8_t *ret_bytes, size_t size)
{
	size_t len = 0;

	ASSERT_TRUE(OPENSSL_hexstr2buf_ex(ret_bytes, size, &len, hex, '\0'));
	return len;
}

static void keep_key_log(const SSL *ssl, const char *line)
{
	struct client *client = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ') + 1;

	if (!strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24))
		client->secret_len = from_hex(hex, client->client_secret, 48);
	else if (!strncmp(line, "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", 32))
		from_hex(hex, client->handshake_secret, 48);
	else if (!strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24))
		from_hex(hex, client->server_secret, 48);
	else if (!strncmp(line, "CLIENT_RANDOM ", 14))
		from_hex(hex, client->master, 48);
}

static void keep_alert(const SSL *ssl, int where, int value)
{
	struct client *client = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		client->alert = value & 0xff;
}

static void present(SSL_CTX *context, const struct pki_cert *cert)
{
	ASSERT_TRUE(SSL_CTX_use_certificate(context, cert->x509));
	ASSERT_TRUE(SSL_CTX_use_PrivateKey(context, cert->key));
	for (cert = cert->issuer; cert && cert->issuer; cert = cert->issuer)
		ASSERT_TRUE(SSL_CTX_add1_chain_cert(context, cert->x509));
}

static SSL_CTX *peer_context(const SSL_METHOD *method, const struct client_options *options)
{
	SSL_CTX *context = SSL_CTX_new(method);

	ASSERT_TRUE(context != NULL);
	if (options->weak)
		SSL_CTX_set_security_level(context, 0);
	if (options->version) {
		SSL_CTX_set_min_proto_version(context, options->version);
		SSL_CTX_set_max_proto_version(context, options->version);
	}
	if (options->ciphers)
		ASSERT_TRUE(SSL_CTX_set_cipher_list(context, options->ciphers));
	if (options->suites)
		ASSERT_TRUE(SSL_CTX_set_ciphersuites(context, options->suites));
	if (options->groups)
		ASSERT_TRUE(SSL_CTX_set1_groups_list(context, options->groups));
	if (options->cert)
		present(context, options->cert);
	if (options->verify_server)
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_keylog_callback(context, keep_key_log);
	SSL_CTX_set_info_callback(context, keep_alert);
	return context;
}

SSL_CTX *client_context(const struct client_options *options)
{
	return peer_context(TLS_client_method(), options);
}

SSL_CTX *server_context(const struct client_options *options)
{
	return peer_context(TLS_server_method(), options);
}

void client_init(struct client *client, SSL_CTX *context)
{
	memset(client, 0, sizeof *client);
	client->alert = -1;
	client->ssl = SSL_new(context);
	client->in = BIO_new(BIO_s_mem());
	client->out = BIO_new(BIO_s_mem());
	ASSERT_TRUE(client->ssl && client->in && client->out);
	BIO_set_mem_eof_return(client->in, -1);
	BIO_set_mem_eof_return(client->out, -1);
	SSL_set_bio(client->ssl, client->in, client->out);
	SSL_set_app_data(client->ssl, client);
	SSL_set_connect_state(client->ssl);
}

void client_fini(struct client *client)
{
	SSL_free(client->ssl);
}

/* ---- Link ----------------------------------------------------------------------------------- */

void wire_append(struct wire *wire, const void *data, size_t len)
{
	wire->data = realloc(wire->data, wire->len + len);
	ASSERT_TRUE(wire->data != NULL);
	memcpy(wire->data + wire->len, data, len);
	wire->len += len;
}

size_t record_end(const struct wire *wire, size_t at)
{
	size_t start = 0;

	while (start + 5 <= wire->len) {
		size_t end = start + 5 + (wire->data[start + 3] << 8 | wire->data[start + 4]);

		if (at < end)
			return end;
		start = end;
	}
	return start + 5;
}

void link_init(struct link *link, struct client *client, struct kt_tls_context *context)
{
	memset(link, 0, sizeof *link);
	link->client = client;
	ASSERT_EQ(0, kt_tls_new(context, NULL, &link->tls));
}

void link_init_client(struct link *link, struct client *server, SSL_CTX *server_context,
		      struct kt_tls_context *context, const struct kt_tls_options *options)
{
	client_init(server, server_context);
	SSL_set_accept_state(server->ssl);
	memset(link, 0, sizeof *link);
	link->client = server;
	ASSERT_EQ(0, kt_tls_new(context, options, &link->tls));
	link->status = kt_tls_start(link->tls);
	link_server_send(link);
}

void link_fini(struct link *link)
{
	kt_tls_free(link->tls);
	free(link->up.data);
	free(link->down.data);
}

static bool drain_client(struct link *link)
{
	uint8_t buf[4096];
	bool any = false;
	int n;

	while ((n = BIO_read(link->client->out, buf, sizeof buf)) > 0) {
		wire_append(&link->up, buf, n);
		any = true;
	}
	return any;
}

/* The last flight of a full TLS 1.2 handshake is out before the client is finished. */
static bool client_said_all(const struct link *link)
{
	static const uint8_t none[48];

	return SSL_is_init_finished(link->client->ssl) ||
	       memcmp(link->client->master, none, sizeof none) != 0;
}

bool link_client_turn(struct link *link)
{
	struct client *client = link->client;
	size_t fresh = link->down.len - link->down.read;
	bool any = fresh > 0;
	char byte;

	if (fresh)
		BIO_write(client->in, link->down.data + link->down.read, (int)fresh);
	link->down.read = link->down.len;
	if (!SSL_is_init_finished(client->ssl))
		SSL_do_handshake(client->ssl);
	else
		SSL_peek(client->ssl, &byte, 1); /* to meet an alert */
	ERR_clear_error();
	any |= drain_client(link);
	if (link->behind && !link->behind_called && client_said_all(link)) {
		link->behind_called = true;
		link->behind(link, link->behind_arg);
		any = true;
	}
	return any;
}

bool link_server_read(struct link *link)
{
	struct wire *up = &link->up;
	size_t visible = link->split > up->read && link->split < up->len ? link->split : up->len;
	size_t want = kt_tls_want(link->tls), n = visible - up->read;

	if (!n || link->status != KT_TLS_AGAIN)
		return false;
	ASSERT_LT(0, want);
	/* whatever is there, no more than the record that is being read (or its header) */
	if (!link->tls->context->no_export)
		ASSERT_LE(up->read + want, record_end(up, up->read));
	if (n > want)
		n = want;
	if (link->longest && n > link->longest)
		n = link->longest;
	link->status = kt_tls_input(link->tls, up->data + up->read, n);
	ASSERT_EQ(0, ERR_peek_error());
	up->read += n;
	return true;
}

void link_server_send(struct link *link)
{
	const uint8_t *data;
	size_t len;

	while ((len = kt_tls_output(link->tls, &data))) {
		wire_append(&link->down, data, len);
		kt_tls_output_done(link->tls, len);
	}
}

bool link_server_turn(struct link *link)
{
	bool any = false;

	while (link_server_read(link))
		any = true;
	link_server_send(link);
	return any;
}

int link_handshake(struct link *link)
{
	bool moved;

	do {
		moved = link_client_turn(link);
		moved |= link_server_turn(link);
	} while (moved);
	return link->status;
}

void link_establish(struct link *link, struct client *client, struct kt_tls_context *context,
		    SSL_CTX *client_context)
{
	client_init(client, client_context);
	link_init(link, client, context);
	ASSERT_EQ(KT_TLS_DONE, link_handshake(link))
	{
		TH_LOG("%s", kt_tls_failure(link->tls));
	}
	ASSERT_TRUE(SSL_is_init_finished(client->ssl));
}

void lab_shake_hands(struct lab *lab)
{
	SSL_CTX *context = client_context(&(struct client_options){.cert = lab->client});
	struct client client;
	struct link link;

	link_establish(&link, &client, lab->context, context);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
}
