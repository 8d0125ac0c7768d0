/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

#include "connection.h"

/* AEAD with forward secrecy only, and each of them in export.c's table. */
#define SUITES_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_1_2                                                                                 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/*
 * The first of these that this OpenSSL takes. A '*' is a group that a client sends a key share of
 * at once (OpenSSL 3.5, which is the first with ML-KEM): the hybrid, and X25519 for servers that
 * lack it, which saves them a HelloRetryRequest.
 */
static const char *const group_lists[] = {
	"*X25519MLKEM768:*X25519:P-256:P-384",
	"X25519:P-256:P-384",
};

static int64_t wall_clock(void *arg)
{
	(void)arg;
	return time(NULL);
}

static bool verifies(const struct kt_tls_context_options *options)
{
	return options->peer_role == KT_ROLE_SERVER || options->client_auth != KT_CLIENT_AUTH_NONE;
}

static int check_server(const struct kt_tls_context_options *options, struct kt_error *error)
{
	if (!options->credentials && !options->credentials_slot)
		return kt_error_set(error, EINVAL, "", 0, "a server needs credentials");
	if (options->credentials && options->credentials_slot)
		return kt_error_set(error, EINVAL, "", 0,
				    "a server has credentials or a slot of them, not both");
	if (options->alpn && (options->alpn_len > UINT16_MAX ||
			      !kt_hello_is_alpn_list(options->alpn, options->alpn_len)))
		return kt_error_set(error, EINVAL, "", 0,
				    "the ALPN protocols are no ProtocolNameList (RFC 7301 §3.1)");
	return 0;
}

static int check_client(const struct kt_tls_context_options *options, struct kt_error *error)
{
	if (options->client_auth != KT_CLIENT_AUTH_NONE)
		return kt_error_set(error, EINVAL, "", 0,
				    "a client verifies every server (client_auth is for servers)");
	if (options->credentials && options->credentials_slot)
		return kt_error_set(error, EINVAL, "", 0,
				    "a client has credentials or a slot of them, not both");
	if (options->alpn)
		return kt_error_set(error, EINVAL, "", 0,
				    "a context's ALPN is for servers (a client's is in "
				    "kt_tls_options)");
	return 0;
}

static int check_options(const struct kt_tls_context_options *options, struct kt_error *error)
{
	uint16_t min = options->min_version ? options->min_version : KT_TLS_1_2;
	uint16_t max = options->max_version ? options->max_version : KT_TLS_1_3;
	int err = options->peer_role == KT_ROLE_CLIENT ? check_server(options, error)
						       : check_client(options, error);

	if (err)
		return err;
	if (verifies(options) && !options->pool && !options->choose_pool)
		return kt_error_set(error, EINVAL, "", 0,
				    "verifying peers needs a pool (name one, or a way to choose)");
	if (min < KT_TLS_1_2 || max > KT_TLS_1_3 || min > max)
		return kt_error_set(error, EINVAL, "", 0,
				    "TLS versions from 1.2 to 1.3 are offered, in this order");
	return 0;
}

/*
 * Nothing is ever resumed: no tickets, no cache (DESIGN.md §4.4). With max_early_data left at 0 no
 * early data is accepted; a client that sends some on a foreign ticket is skipped over, as RFC 8446
 * §4.2.10 demands.
 */
static void forbid(SSL_CTX *ssl_context)
{
	SSL_CTX_set_options(ssl_context,
			    SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ssl_context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ssl_context, 0);
	SSL_CTX_set_max_cert_list(ssl_context, KT_TLS_CHAIN_BYTES_MAX);
	SSL_CTX_set_mode(ssl_context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
}

static bool offer_groups(SSL_CTX *ssl_context)
{
	bool taken = false;

	for (size_t i = 0; i < sizeof group_lists / sizeof group_lists[0] && !taken; i++)
		taken = SSL_CTX_set1_groups_list(ssl_context, group_lists[i]);
	return taken;
}

static bool offer(SSL_CTX *ssl_context, const struct kt_tls_context *context)
{
	return SSL_CTX_set_min_proto_version(ssl_context, context->min_version) &&
	       SSL_CTX_set_max_proto_version(ssl_context, context->max_version) &&
	       SSL_CTX_set_ciphersuites(ssl_context, SUITES_1_3) &&
	       SSL_CTX_set_cipher_list(ssl_context, SUITES_1_2) && offer_groups(ssl_context) &&
	       SSL_CTX_set_num_tickets(ssl_context, 0);
}

static void ask_for_certificate(SSL_CTX *ssl_context, const struct kt_tls_context *context)
{
	int mode = context->verifier ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;

	if (context->client_auth == KT_CLIENT_AUTH_REQUIRE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl_context, mode, NULL);
	SSL_CTX_set_cert_verify_callback(ssl_context, kt_tls_verify_peer, NULL);
}

static void be_server(SSL_CTX *ssl_context, const struct kt_tls_context *context)
{
	SSL_CTX_set_client_hello_cb(ssl_context, kt_tls_client_hello, NULL);
	SSL_CTX_set_tlsext_status_cb(ssl_context, kt_tls_staple);
	if (context->alpn)
		SSL_CTX_set_alpn_select_cb(ssl_context, kt_tls_agree_on_protocol, NULL);
}

int kt_tls_make_ssl_context(const struct kt_tls_context *context, SSL_CTX **ret_ssl_context,
			    struct kt_error *error)
{
	bool server = context->peer_role == KT_ROLE_CLIENT;
	SSL_CTX *ssl_context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	if (!ssl_context)
		return kt_error_set(error, ENOMEM, "", 0, "cannot make a TLS context");
	forbid(ssl_context);
	if (!offer(ssl_context, context)) {
		SSL_CTX_free(ssl_context);
		return kt_error_set(error, EOPNOTSUPP, "", 0,
				    "this OpenSSL lacks a cipher suite, group or version of ours");
	}
	/* The level that judges the peer's keys too; not left to the machine's openssl.cnf. */
	SSL_CTX_set_security_level(ssl_context, KT_TLS_SECURITY_LEVEL);
	ask_for_certificate(ssl_context, context);
	if (server)
		be_server(ssl_context, context);
	if (!context->no_export)
		SSL_CTX_set_keylog_callback(ssl_context, kt_tls_keep_secret);
	*ret_ssl_context = ssl_context;
	return 0;
}

static bool make_parts(struct kt_tls_context *context, const struct kt_tls_context_options *options)
{
	context->hkdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	context->tls1_prf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_PRF, NULL);
	if (verifies(options))
		context->verifier = kt_verifier_new(options->verifier);
	if (options->alpn) {
		context->alpn = OPENSSL_memdup(options->alpn, options->alpn_len);
		context->alpn_len = options->alpn_len;
	}
	return context->hkdf && context->tls1_prf && (context->verifier || !verifies(options)) &&
	       (context->alpn || !options->alpn);
}

/* A reference for the caller; *ret_set is NULL where a client has none. */
static int first_set(const struct kt_tls_context_options *options,
		     struct kt_credentials_set **ret_set, struct kt_error *error)
{
	*ret_set = NULL;
	if (options->credentials_slot)
		*ret_set = kt_credentials_slot_current(options->credentials_slot);
	else if (options->credentials)
		return kt_credentials_set_new(&options->credentials, 1, ret_set, error);
	return 0;
}

static int set_up(struct kt_tls_context *context, const struct kt_tls_context_options *options,
		  struct kt_error *error)
{
	struct kt_credentials_set *set;
	int err;

	if (!make_parts(context, options))
		return kt_error_set(error, ENOMEM, "", 0, "cannot make a TLS context");
	err = first_set(options, &set, error);
	if (err)
		return err;
	err = kt_tls_serving_new(context, set, &context->serving, error);
	kt_credentials_set_put(set);
	return err;
}

int kt_tls_context_new(const struct kt_tls_context_options *options,
		       struct kt_tls_context **ret_context, struct kt_error *error)
{
	struct kt_tls_context *context;
	int err;

	err = check_options(options, error);
	if (err)
		return err;
	ERR_clear_error();
	context = OPENSSL_zalloc(sizeof *context);
	if (!context)
		return kt_error_set(error, ENOMEM, "", 0, "out of memory");
	context->peer_role = options->peer_role;
	context->min_version = options->min_version ? options->min_version : KT_TLS_1_2;
	context->max_version = options->max_version ? options->max_version : KT_TLS_1_3;
	context->credentials_slot = options->credentials_slot;
	context->pool = options->pool;
	context->choose_pool = options->choose_pool;
	context->choose_arg = options->choose_arg;
	context->ca_names = options->ca_names;
	context->now = options->now ? options->now : wall_clock;
	context->now_arg = options->now_arg;
	context->client_auth = options->client_auth;
	context->policy = options->policy;
	context->certificates = options->certificates;
	context->no_export = options->no_export;
	context->key_records_max = options->key_records_max;
	err = set_up(context, options, error);
	ERR_clear_error();
	if (err)
		kt_tls_context_free(context);
	else
		*ret_context = context;
	return err;
}

void kt_tls_context_free(struct kt_tls_context *context)
{
	if (!context)
		return;
	kt_tls_serving_put(context->serving);
	OPENSSL_free(context->alpn);
	kt_tls_drop_ca_names(context);
	kt_verifier_free(context->verifier);
	EVP_KDF_free(context->hkdf);
	EVP_KDF_free(context->tls1_prf);
	OPENSSL_free(context);
}
