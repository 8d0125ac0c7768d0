/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <limits.h>

#include <openssl/err.h>

#include "connection.h"

enum flow { SENDING, RECEIVING };

static void key_changed(struct kt_tls *tls, enum flow flow)
{
	tls->key_used[flow] = 0;
	if (flow == RECEIVING)
		tls->asked_for_key = false;
}

void kt_tls_count_record(int written, int version, int content_type, const void *data, size_t len,
			 SSL *ssl, void *arg)
{
	struct kt_tls *tls = arg;
	const uint8_t *bytes = data;

	(void)version;
	(void)ssl;
	if (!written && content_type == SSL3_RT_HEADER) {
		tls->idle_records++;
		if (len >= KT_RECORD_HEADER_LEN)
			tls->record_len = (uint16_t)(bytes[3] << 8 | bytes[4]);
	}
	if (content_type == SSL3_RT_HANDSHAKE && len && *bytes == SSL3_MT_KEY_UPDATE)
		key_changed(tls, written ? SENDING : RECEIVING);
}

static enum kt_key_age age(const struct kt_tls *tls, enum flow flow)
{
	const struct kt_tls_suite *suite = kt_tls_current_suite(tls);

	return kt_key_age(suite ? suite->cipher : KT_AES_128_GCM, tls->key_used[flow],
			  tls->context->key_records_max);
}

/* Write a KeyUpdate of this type (SSL_KEY_UPDATE_…) now, and not with the next data. */
static int update_key(struct kt_tls *tls, int type)
{
	if (SSL_key_update(tls->ssl, type) && SSL_do_handshake(tls->ssl) == 1)
		return 0;
	kt_tls_fail_ssl(tls, SSL_ERROR_SSL);
	return -EPROTO;
}

static int key_is_spent(struct kt_tls *tls)
{
	kt_tls_fail(tls, "key_limit");
	return -EPROTO;
}

/* Ours has protected much: take the next. */
static int tend_our_key(struct kt_tls *tls)
{
	enum kt_key_age now = age(tls, SENDING);

	if (now == KT_KEY_FRESH)
		return 0;
	if (SSL_version(tls->ssl) == TLS1_3_VERSION)
		return update_key(tls, SSL_KEY_UPDATE_NOT_REQUESTED);
	return now == KT_KEY_SPENT ? key_is_spent(tls) : 0;
}

/* The peer's has: ask it once. After our close_notify there is no asking. */
static int tend_peers_key(struct kt_tls *tls)
{
	enum kt_key_age now = age(tls, RECEIVING);

	if (now == KT_KEY_FRESH)
		return 0;
	if (SSL_version(tls->ssl) == TLS1_3_VERSION && !tls->asked_for_key &&
	    !(SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)) {
		tls->asked_for_key = true;
		return update_key(tls, SSL_KEY_UPDATE_REQUESTED);
	}
	return now == KT_KEY_SPENT ? key_is_spent(tls) : 0;
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
	return update_key(tls, type);
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
	kt_tls_forget_errors();
	if (SSL_read_ex(tls->ssl, buf, size, &len)) {
		tls->idle_records = 0;
		tls->key_used[RECEIVING] += kt_key_cost(len);
		ret = tend_peers_key(tls);
		kt_tls_forget_errors();
		return ret ? ret : (ssize_t)len;
	}
	ret = no_data(tls, SSL_get_error(tls->ssl, 0));
	kt_tls_forget_errors();
	return ret;
}

int kt_tls_write(struct kt_tls *tls, const void *data, size_t len)
{
	size_t written;
	int err;

	if (tls->state != KT_TLS_OPEN)
		return -EPROTO;
	if (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)
		return -EPIPE;
	if (!len)
		return 0;
	kt_tls_forget_errors();
	tls->records_used = true;
	err = tend_our_key(tls);
	if (!err) {
		tls->key_used[SENDING] += kt_key_cost(len);
		/* Without partial writes, and into a memory BIO, it is all or nothing. */
		if (SSL_write_ex(tls->ssl, data, len, &written))
			return 0;
		kt_tls_fail_ssl(tls, SSL_ERROR_SSL);
		err = -ENOMEM;
	}
	kt_tls_forget_errors();
	return err;
}

int kt_tls_close_notify(struct kt_tls *tls)
{
	if (tls->state != KT_TLS_OPEN)
		return -EPROTO;
	if (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)
		return 0;
	kt_tls_forget_errors();
	tls->records_used = true;
	if (SSL_shutdown(tls->ssl) >= 0) {
		kt_tls_forget_errors();
		return 0;
	}
	kt_tls_fail_ssl(tls, SSL_ERROR_SSL);
	return -ENOMEM;
}
