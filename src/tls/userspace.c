/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <limits.h>

#include <openssl/err.h>

#include "connection.h"

void kt_tls_count_record(int written, int version, int content_type, const void *data, size_t len,
			 SSL *ssl, void *arg)
{
	struct kt_tls *tls = arg;

	(void)version;
	(void)data;
	(void)len;
	(void)ssl;
	if (!written && content_type == SSL3_RT_HEADER)
		tls->idle_records++;
}

/*
 * OpenSSL would answer a KeyUpdate that asks for ours (RFC 8446 §4.6.3) when something is written
 * next, which may be never. Setting what is pending once more makes it write now.
 */
static int answer_key_update(struct kt_tls *tls)
{
	int type = SSL_get_key_update_type(tls->ssl);

	if (type == SSL_KEY_UPDATE_NONE || (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN))
		return 0;
	if (SSL_key_update(tls->ssl, type) && SSL_do_handshake(tls->ssl) == 1)
		return 0;
	kt_tls_fail_ssl(tls, SSL_ERROR_SSL);
	return -EPROTO;
}

static ssize_t no_data(struct kt_tls *tls, int ssl_error)
{
	int err;

	if (ssl_error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (ssl_error != SSL_ERROR_WANT_READ) {
		kt_tls_fail_ssl(tls, ssl_error);
		return -EPROTO;
	}
	if (tls->idle_records > KT_TLS_IDLE_RECORDS_MAX) {
		kt_tls_fail(tls, "too_much_data");
		return -EPROTO;
	}
	err = answer_key_update(tls);
	return err ? err : -EAGAIN;
}

ssize_t kt_tls_read(struct kt_tls *tls, void *buf, size_t size)
{
	size_t len;
	ssize_t ret;

	if (tls->state != KT_TLS_OPEN)
		return -EPROTO;
	if (!size)
		return -EINVAL;
	ERR_clear_error();
	if (SSL_read_ex(tls->ssl, buf, size, &len)) {
		tls->idle_records = 0;
		ERR_clear_error();
		return (ssize_t)len;
	}
	ret = no_data(tls, SSL_get_error(tls->ssl, 0));
	ERR_clear_error();
	return ret;
}

int kt_tls_write(struct kt_tls *tls, const void *data, size_t len)
{
	size_t written;

	if (tls->state != KT_TLS_OPEN)
		return -EPROTO;
	if (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)
		return -EPIPE;
	if (!len)
		return 0;
	ERR_clear_error();
	tls->records_used = true;
	/* Without partial writes, and into a memory BIO, it is all or nothing. */
	if (SSL_write_ex(tls->ssl, data, len, &written))
		return 0;
	kt_tls_fail_ssl(tls, SSL_ERROR_SSL);
	return -ENOMEM;
}

int kt_tls_close_notify(struct kt_tls *tls)
{
	if (tls->state != KT_TLS_OPEN)
		return -EPROTO;
	if (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)
		return 0;
	ERR_clear_error();
	tls->records_used = true;
	if (SSL_shutdown(tls->ssl) >= 0) {
		ERR_clear_error();
		return 0;
	}
	kt_tls_fail_ssl(tls, SSL_ERROR_SSL);
	return -ENOMEM;
}
