/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/err.h>

#include "connection.h"

static bool make_ssl(struct kt_tls *tls)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	tls->serving = kt_tls_serving_take(tls->context);
	tls->ssl = SSL_new(tls->serving->ssl_context);
	if (!in || !out || !tls->ssl) {
		BIO_free(in);
		BIO_free(out);
		return false;
	}
	BIO_set_mem_eof_return(in, -1);
	BIO_set_mem_eof_return(out, -1);
	SSL_set_bio(tls->ssl, in, out);
	/* Now: since OpenSSL 3.2 only records under keys that are set after this are told. */
	SSL_set_msg_callback(tls->ssl, kt_tls_count_record);
	SSL_set_msg_callback_arg(tls->ssl, tls);
	tls->in = in;
	tls->out = out;
	return SSL_set_app_data(tls->ssl, tls);
}

static bool is_ip(const char *text)
{
	uint8_t address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* Returns the length of the name to ask for; 0: it is none. */
static size_t target_len(const struct kt_tls_options *options)
{
	size_t len = options->name ? strlen(options->name) : 0;

	if (!len || len >= KT_TLS_NAME_SIZE)
		return 0;
	switch (options->name_type) {
	case KT_NAME_IP:
		return is_ip(options->name) ? len : 0;
	case KT_NAME_DNS:
		/* An address in a name's place would be sent as SNI, and verified as none. */
		if (is_ip(options->name))
			return 0;
		if (options->name[len - 1] == '.')
			len--;
		return kt_hello_is_host_name(options->name, len) ? len : 0;
	default:
		return 0;
	}
}

static int offer_alpn(struct kt_tls *tls, const struct kt_tls_options *options)
{
	if (!options->alpn)
		return 0;
	if (options->alpn_len > UINT16_MAX ||
	    !kt_hello_is_alpn_list(options->alpn, options->alpn_len))
		return -EINVAL;
	tls->alpn = OPENSSL_memdup(options->alpn, options->alpn_len);
	tls->alpn_len = options->alpn_len;
	/* This one returns 0 when it is done. */
	if (!tls->alpn || SSL_set_alpn_protos(tls->ssl, tls->alpn, (unsigned int)tls->alpn_len))
		return -ENOMEM;
	return 0;
}

static int be_client(struct kt_tls *tls, const struct kt_tls_options *options)
{
	size_t len = target_len(options);

	if (!len)
		return -EINVAL;
	memcpy(tls->name, options->name, len);
	tls->name_type = options->name_type;
	SSL_set_connect_state(tls->ssl);
	if (tls->name_type == KT_NAME_DNS && !SSL_set_tlsext_host_name(tls->ssl, tls->name))
		return -ENOMEM;
	return offer_alpn(tls, options);
}

static int set_up(struct kt_tls *tls, const struct kt_tls_options *options)
{
	if (!make_ssl(tls))
		return -ENOMEM;
	tls->local = options->local;
	tls->remote = options->remote;
	if (!tls->context->choose_pool)
		tls->pool = tls->context->pool;
	if (tls->context->peer_role == KT_ROLE_SERVER)
		return be_client(tls, options);
	/* Nobody is judged: no pool is needed, and none is named. */
	if (tls->context->client_auth == KT_CLIENT_AUTH_NONE)
		tls->pool = NULL;
	SSL_set_accept_state(tls->ssl);
	return 0;
}

int kt_tls_new(struct kt_tls_context *context, const struct kt_tls_options *options,
	       struct kt_tls **ret_tls)
{
	static const struct kt_tls_options none;
	struct kt_tls *tls;
	int err = -ENOMEM;

	kt_tls_forget_errors();
	tls = OPENSSL_zalloc(sizeof *tls);
	if (tls) {
		tls->context = context;
		tls->peer_alert = -1;
		err = set_up(tls, options ? options : &none);
	}
	if (err)
		kt_tls_free(tls);
	else
		*ret_tls = tls;
	kt_tls_forget_errors();
	return err;
}

void kt_tls_free(struct kt_tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	kt_tls_serving_put(tls->serving);
	OPENSSL_free(tls->refusal);
	OPENSSL_free(tls->alpn);
	OPENSSL_clear_free(tls, sizeof *tls);
}

int kt_tls_fail(struct kt_tls *tls, const char *failure)
{
	if (tls->state != KT_TLS_ENDED)
		tls->failure = failure;
	tls->state = KT_TLS_ENDED;
	kt_tls_forget_errors();
	return KT_TLS_FAILED;
}

int kt_tls_fail_ssl(struct kt_tls *tls, int ssl_error)
{
	const char *failure;

	/* A close_notify instead of the next handshake message. */
	if (ssl_error == SSL_ERROR_ZERO_RETURN)
		return kt_tls_fail(tls, "peer_closed");
	failure = kt_tls_failure_name(tls, &tls->peer_alert);
	if (failure == kt_verdict_name(KT_NO_CERTIFICATE)) {
		kt_tls_judge(tls, NULL, NULL);
		failure = kt_verdict_name(tls->verdict.code);
	}
	return kt_tls_fail(tls, failure);
}

/* ---- Input ---------------------------------------------------------------------------------- */

size_t kt_tls_want(const struct kt_tls *tls)
{
	if (tls->state == KT_TLS_HANDSHAKE && !tls->context->no_export)
		return kt_tls_cursor_want(&tls->cursor);
	return KT_TLS_QUEUE_MAX - BIO_pending(tls->in);
}

/*
 * libssl was told to end the handshake without an accepted peer. Should it, or how we told it, ever
 * fail to, the peer stays out nevertheless.
 */
static bool peer_is_accepted(const struct kt_tls *tls)
{
	enum kt_client_auth client_auth = tls->context->client_auth;

	if (tls->context->peer_role == KT_ROLE_SERVER)
		return tls->verified && tls->verdict.code == KT_ACCEPTED;
	if (client_auth == KT_CLIENT_AUTH_NONE)
		return true;
	if (client_auth == KT_CLIENT_AUTH_OPTIONAL && !SSL_get0_peer_certificate(tls->ssl))
		return true;
	return tls->verified && tls->verdict.code == KT_ACCEPTED;
}

/* A server may choose among what it was offered only; not every libssl looks (3.0.19 does). */
static bool alpn_was_offered(const struct kt_tls *tls)
{
	const uint8_t *name;
	unsigned int len;

	if (tls->context->peer_role == KT_ROLE_CLIENT)
		return true;
	SSL_get0_alpn_selected(tls->ssl, &name, &len);
	return !len || kt_hello_alpn_has(tls->alpn, tls->alpn_len, name, len);
}

/* Those that were replaced meanwhile go with their last handshake, or the SSL object that is left.
 */
static void done_with_credentials(struct kt_tls *tls)
{
	kt_tls_serving_put(tls->serving);
	tls->serving = NULL;
	tls->group = NULL;
}

/* Of an accepted peer. */
static void keep_certificates(const struct kt_tls *tls)
{
	X509 *leaf = SSL_get0_peer_certificate(tls->ssl);
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls->ssl);

	if (!tls->look.missed || !leaf)
		return;
	kt_decoded_keep(tls->context->certificates, leaf);
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (sk_X509_value(chain, i) != leaf)
			kt_decoded_keep(tls->context->certificates, sk_X509_value(chain, i));
}

/*
 * What came after the Finished in its own record, or was left unread, would be lost to whoever
 * reads on with the exported keys; a peer that is in order sends no such thing (RFC 8446 §5.1:
 * messages do not span a change of keys).
 */
static bool has_more(const struct kt_tls *tls)
{
	return SSL_has_pending(tls->ssl) || BIO_pending(tls->in) ||
	       !kt_tls_cursor_at_boundary(&tls->cursor);
}

/* The handshake is complete. */
static int complete(struct kt_tls *tls)
{
	if ((!tls->context->no_export && has_more(tls)) || !alpn_was_offered(tls))
		return kt_tls_fail(tls, "protocol_error");
	if (!peer_is_accepted(tls) || !kt_tls_export_prepare(tls))
		return kt_tls_fail(tls, "internal");
	done_with_credentials(tls);
	keep_certificates(tls);
	tls->idle_records = 0;
	tls->state = KT_TLS_OPEN;
	return KT_TLS_DONE;
}

static int drive(struct kt_tls *tls)
{
	int ret, ssl_error;

	kt_tls_forget_errors();
	kt_decoded_begin(tls->context->certificates, &tls->look);
	kt_signing_begin(&tls->group);
	ret = SSL_do_handshake(tls->ssl);
	kt_signing_end();
	kt_decoded_end();
	ssl_error = SSL_get_error(tls->ssl, ret);
	kt_tls_take_back_ca_names(tls);
	kt_tls_export_watch(tls);
	if (ret != 1 && ssl_error != SSL_ERROR_WANT_READ) {
		kt_tls_fail_ssl(tls, ssl_error);
		if (tls->verified && tls->verdict.code == KT_NOT_ALLOWED)
			kt_tls_replace_alert(tls, kt_verdict_alert(KT_NOT_ALLOWED));
		return KT_TLS_FAILED;
	}
	kt_tls_forget_errors();
	return ret == 1 ? complete(tls) : KT_TLS_AGAIN;
}

int kt_tls_start(struct kt_tls *tls)
{
	if (tls->context->peer_role != KT_ROLE_SERVER || tls->state != KT_TLS_HANDSHAKE ||
	    tls->greeted)
		return -EINVAL;
	return kt_tls_choose_for_client(tls) ? drive(tls) : kt_tls_fail(tls, tls->hello_failure);
}

static int check_first_record(struct kt_tls *tls)
{
	switch (kt_tls_cursor_first_bytes(tls->cursor.header)) {
	case KT_TLS_FIRST_HTTP:
		return kt_tls_fail(tls, "plain_http");
	case KT_TLS_FIRST_OTHER:
		return kt_tls_fail(tls, "not_tls");
	default:
		return KT_TLS_AGAIN;
	}
}

static int store(struct kt_tls *tls, const void *data, size_t len)
{
	if (BIO_write(tls->in, data, (int)len) == (int)len)
		return 0;
	kt_tls_fail(tls, "internal");
	return -ENOMEM;
}

/* ret_any: did a header, or a whole record, come to its end in these bytes? */
static int follow(struct kt_tls *tls, const uint8_t *data, size_t len, bool *ret_any)
{
	*ret_any = false;
	while (len) {
		size_t want = kt_tls_cursor_want(&tls->cursor), n = len < want ? len : want;

		if (kt_tls_cursor_take(&tls->cursor, data, n) != KT_TLS_CURSOR_PARTIAL) {
			*ret_any = true;
			/* libssl looks at each: their number is what they cost. */
			if (tls->cursor.records > KT_TLS_HANDSHAKE_RECORDS_MAX)
				return kt_tls_fail(tls, "too_many_records");
			if (tls->cursor.records == 1 && check_first_record(tls))
				return KT_TLS_FAILED;
		}
		data += n;
		len -= n;
	}
	return KT_TLS_AGAIN;
}

static int handshake_input(struct kt_tls *tls, const void *data, size_t len)
{
	bool any;
	int err;

	if (tls->context->peer_role == KT_ROLE_SERVER && !tls->greeted)
		return -EINVAL;
	if (!len)
		return KT_TLS_AGAIN;
	if (len > kt_tls_want(tls))
		return -EMSGSIZE;
	tls->bytes_in += len;
	if (tls->bytes_in > KT_TLS_HANDSHAKE_MAX)
		return kt_tls_fail(tls, "too_much_data");
	if (follow(tls, data, len, &any))
		return KT_TLS_FAILED;
	err = store(tls, data, len);
	if (err)
		return err;
	/* In the middle of a record the library has nothing to say; a bad header it refuses. */
	return any ? drive(tls) : KT_TLS_AGAIN;
}

static int records_input(struct kt_tls *tls, const void *data, size_t len)
{
	int err;

	if (len > kt_tls_want(tls))
		return -EMSGSIZE;
	if (!len)
		return KT_TLS_DONE;
	tls->records_used = true;
	err = store(tls, data, len);
	return err ? err : KT_TLS_DONE;
}

int kt_tls_input(struct kt_tls *tls, const void *data, size_t len)
{
	switch (tls->state) {
	case KT_TLS_HANDSHAKE:
		return handshake_input(tls, data, len);
	case KT_TLS_OPEN:
		return records_input(tls, data, len);
	default:
		return KT_TLS_FAILED;
	}
}

int kt_tls_input_eof(struct kt_tls *tls)
{
	if (tls->state == KT_TLS_OPEN)
		return KT_TLS_DONE;
	return kt_tls_fail(tls, "peer_closed");
}

/* ---- Output --------------------------------------------------------------------------------- */

size_t kt_tls_output(struct kt_tls *tls, const uint8_t **ret_data)
{
	char *data = NULL;
	long len = BIO_get_mem_data(tls->out, &data);

	*ret_data = (const uint8_t *)data;
	return len > 0 ? (size_t)len : 0;
}

void kt_tls_output_done(struct kt_tls *tls, size_t len)
{
	char sink[4096];

	/* A memory BIO drops bytes only by reading them. */
	while (len) {
		int n = BIO_read(tls->out, sink, len < sizeof sink ? (int)len : (int)sizeof sink);

		if (n <= 0)
			return;
		len -= n;
	}
}

/* ---- What came of it ------------------------------------------------------------------------ */

const char *kt_tls_failure(const struct kt_tls *tls)
{
	return tls->failure;
}

const struct kt_error *kt_tls_refusal(const struct kt_tls *tls)
{
	return tls->refusal;
}

int kt_tls_peer_alert(const struct kt_tls *tls)
{
	return tls->peer_alert;
}
