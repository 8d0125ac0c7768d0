/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pool judges the peer, and which credentials it gets to see, settled once a handshake.
 *
 * On a server this happens in the ClientHello callback: OpenSSL decides about resumption before it
 * would call the one for SNI, and a ticket must not get round the choice.
 */
#include <errno.h>
#include <string.h>

#include "connection.h"

/* The callback was not kind enough to say why, or said 0 and chose nothing. */
static void explain(struct kt_error *error, int err)
{
	if (error->err)
		return;
	if (!err)
		kt_error_set(error, EINVAL, "choose_pool", 0,
			     "chose no pool, and named no error (it must do one of the two)");
	else
		kt_error_set(error, err < 0 ? -err : EINVAL, "choose_pool", 0, "failed: %s",
			     err < 0 ? strerror(-err) : "not a negative errno");
}

/* Returns the alert to send; 0: a pool was chosen. */
static int ask(struct kt_tls *tls, const struct kt_hello *hello)
{
	const struct kt_tls_context *context = tls->context;
	struct kt_error error = {0};
	struct kt_pool *pool = NULL;
	int err = context->choose_pool(hello, context->choose_arg, &pool, &error);

	if (!err && pool) {
		tls->pool = pool;
		return 0;
	}
	explain(&error, err);
	tls->refusal = OPENSSL_memdup(&error, sizeof error);
	tls->hello_failure = tls->refusal ? "pool_refused" : "internal";
	switch (err) {
	case -ENOENT:
		return SSL_AD_UNRECOGNIZED_NAME;
	case -EACCES:
	case -EPERM:
		return SSL_AD_ACCESS_DENIED;
	default:
		return SSL_AD_INTERNAL_ERROR;
	}
}

static struct kt_hello hello_of(const struct kt_tls *tls)
{
	return (struct kt_hello){
		.role = tls->context->peer_role,
		.name_type = tls->name_type,
		.name = tls->name,
		.local = tls->local,
		.remote = tls->remote,
	};
}

bool kt_tls_choose_for_client(struct kt_tls *tls)
{
	struct kt_hello hello = hello_of(tls);

	tls->greeted = true;
	hello.alpn = tls->alpn;
	hello.alpn_len = tls->alpn_len;
	return !tls->context->choose_pool || !ask(tls, &hello);
}

/* ---- On a server ---------------------------------------------------------------------------- */

struct greeting {
	char name[KT_TLS_NAME_SIZE]; /* empty: none */
	const uint8_t *alpn;
	size_t alpn_len;
};

static bool read_greeting(SSL *ssl, struct greeting *greeting)
{
	const uint8_t *data;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) &&
	    !kt_hello_parse_name(data, len, greeting->name))
		return false;
	return !SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
					  &data, &len) ||
	       kt_hello_parse_alpn(data, len, &greeting->alpn, &greeting->alpn_len);
}

/* Returns the alert to send; 0: go on. */
static int take_first(struct kt_tls *tls, const struct greeting *greeting)
{
	struct kt_hello hello;

	tls->greeted = true;
	tls->name_type = greeting->name[0] ? KT_NAME_DNS : KT_NAME_NONE;
	memcpy(tls->name, greeting->name, sizeof tls->name);
	if (!kt_tls_present(tls)) {
		tls->hello_failure = "internal";
		return SSL_AD_INTERNAL_ERROR;
	}
	if (!tls->context->choose_pool || tls->context->client_auth == KT_CLIENT_AUTH_NONE)
		return 0;
	hello = hello_of(tls);
	hello.alpn = greeting->alpn;
	hello.alpn_len = greeting->alpn_len;
	return ask(tls, &hello);
}

/*
 * The second hello, which a HelloRetryRequest calls for, repeats the first (RFC 8446 §4.1.2).
 * libssl would go on with its name, not with the one that the pool was chosen by.
 */
static int take_second(struct kt_tls *tls, const struct greeting *greeting)
{
	if (!strcmp(tls->name, greeting->name))
		return 0;
	tls->hello_failure = "protocol_error";
	return SSL_AD_ILLEGAL_PARAMETER;
}

static int take(struct kt_tls *tls)
{
	struct greeting greeting = {0};

	if (!read_greeting(tls->ssl, &greeting)) {
		tls->hello_failure = "protocol_error";
		return SSL_AD_DECODE_ERROR;
	}
	return tls->greeted ? take_second(tls, &greeting) : take_first(tls, &greeting);
}

int kt_tls_client_hello(SSL *ssl, int *ret_alert, void *arg)
{
	struct kt_tls *tls = SSL_get_app_data(ssl);
	int alert = take(tls);

	(void)arg;
	if (alert) {
		*ret_alert = alert;
		return SSL_CLIENT_HELLO_ERROR;
	}
	kt_tls_lend_ca_names(tls);
	return SSL_CLIENT_HELLO_SUCCESS;
}
