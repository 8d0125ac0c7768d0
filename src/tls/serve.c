/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server presents: credentials by name, an OCSP response with them, an ALPN protocol.
 *
 * The default credentials are in the SSL_CTX, where they cost a handshake nothing; others are put
 * into the SSL object when the hello asks for them, which takes about a microsecond each.
 *
 * A struct kt_tls_serving is one SSL_CTX and the set its credentials are of. When another set has
 * been published the context makes a new one, and the old goes with the last of its connections. If
 * that fails for want of memory the old one stays, and the next connection tries again.
 */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>

#include "connection.h"

/* ---- SSL_CTX and set ------------------------------------------------------------------------- */

static int use_all(const struct kt_credentials_group *group, SSL_CTX *ssl_context)
{
	int err = 0;

	for (int kind = 0; kind < KT_KEY_KINDS && !err; kind++)
		if (group->of[kind])
			err = kt_credentials_use(group->of[kind], ssl_context);
	return err;
}

int kt_tls_serving_new(struct kt_tls_context *context, struct kt_credentials_set *set,
		       struct kt_tls_serving **ret_serving, struct kt_error *error)
{
	struct kt_tls_serving *serving = OPENSSL_zalloc(sizeof *serving);
	int err;

	if (!serving)
		return kt_error_set(error, ENOMEM, "", 0, "out of memory");
	serving->references = 1;
	err = kt_tls_make_ssl_context(context, &serving->ssl_context, error);
	if (!err && set && use_all(kt_credentials_set_default(set), serving->ssl_context))
		err = kt_error_set(error, EKEYREJECTED, "", 0, "TLS cannot use the credentials");
	if (err) {
		kt_tls_serving_put(serving);
		return err;
	}
	if (set)
		serving->set = kt_credentials_set_get(set);
	*ret_serving = serving;
	return 0;
}

void kt_tls_serving_put(struct kt_tls_serving *serving)
{
	if (!serving || --serving->references)
		return;
	SSL_CTX_free(serving->ssl_context);
	kt_credentials_set_put(serving->set);
	OPENSSL_free(serving);
}

static void renew(struct kt_tls_context *context)
{
	struct kt_credentials_set *set = kt_credentials_slot_current(context->credentials_slot);
	struct kt_tls_serving *fresh;

	if (!kt_tls_serving_new(context, set, &fresh, NULL)) {
		kt_tls_serving_put(context->serving);
		context->serving = fresh;
	}
	kt_credentials_set_put(set);
	ERR_clear_error();
}

struct kt_tls_serving *kt_tls_serving_take(struct kt_tls_context *context)
{
	if (context->credentials_slot &&
	    kt_credentials_slot_is_newer(context->credentials_slot, context->serving->set))
		renew(context);
	context->serving->references++;
	return context->serving;
}

/* ---- By name --------------------------------------------------------------------------------- */

static bool present(SSL *ssl, const struct kt_credentials_group *group)
{
	bool done = true;

	SSL_certs_clear(ssl);
	for (int kind = 0; kind < KT_KEY_KINDS && done; kind++) {
		const struct kt_credentials *credentials = group->of[kind];

		if (credentials)
			done = SSL_use_cert_and_key(ssl, credentials->leaf, credentials->key,
						    credentials->chain, 1) == 1;
	}
	return done;
}

bool kt_tls_present(struct kt_tls *tls)
{
	const struct kt_credentials_set *set = tls->serving->set;

	tls->group = kt_credentials_set_find(set, tls->name);
	return tls->group == kt_credentials_set_default(set) || present(tls->ssl, tls->group);
}

/* ---- OCSP ------------------------------------------------------------------------------------ */

static const struct kt_credentials *chosen(const struct kt_tls *tls, const X509 *leaf)
{
	for (int kind = 0; kind < KT_KEY_KINDS; kind++)
		if (tls->group->of[kind] && tls->group->of[kind]->leaf == leaf)
			return tls->group->of[kind];
	return NULL;
}

int kt_tls_staple(SSL *ssl, void *arg)
{
	const struct kt_tls *tls = SSL_get_app_data(ssl);
	const struct kt_tls_context *context = tls->context;
	const struct kt_credentials *credentials = chosen(tls, SSL_get_certificate(ssl));
	uint8_t *copy;

	(void)arg;
	if (!credentials ||
	    !kt_credentials_staple_holds(credentials, context->now(context->now_arg)))
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(credentials->staple, credentials->staple_len);
	if (!copy)
		return SSL_TLSEXT_ERR_NOACK;
	/* It is the SSL object's then. */
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)credentials->staple_len);
	return SSL_TLSEXT_ERR_OK;
}

/* ---- ALPN ------------------------------------------------------------------------------------ */

int kt_tls_agree_on_protocol(SSL *ssl, const uint8_t **ret_name, uint8_t *ret_len,
			     const uint8_t *offered, unsigned int offered_len, void *arg)
{
	const struct kt_tls *tls = SSL_get_app_data(ssl);
	const struct kt_tls_context *context = tls->context;

	(void)arg;
	for (size_t at = 0; at < context->alpn_len; at += 1 + context->alpn[at]) {
		const uint8_t *name = &context->alpn[at];

		if (!kt_hello_alpn_has(offered, offered_len, name + 1, name[0]))
			continue;
		*ret_name = name + 1;
		*ret_len = name[0];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol (RFC 7301 §3.2) */
}
