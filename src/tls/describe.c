/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "connection.h"

/* What was agreed on is one of those that our own side offered. */
static void copy_alpn(const SSL *ssl, char buf[static 256])
{
	const uint8_t *name;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	if (len)
		memcpy(buf, name, len);
	buf[len] = '\0';
}

static void copy_agreed(const SSL *ssl, struct kt_tls_info *info)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const char *name;

	/* Until a cipher is chosen, SSL_version() only says what is the highest on offer. */
	if (!cipher)
		cipher = SSL_get_pending_cipher(ssl);
	if (!cipher)
		return;
	info->version = (uint16_t)SSL_version(ssl);
	info->cipher_suite = SSL_CIPHER_get_protocol_id(cipher);
	name = SSL_CIPHER_standard_name(cipher);
	if (name)
		info->cipher_name = name;
}

void kt_tls_describe(const struct kt_tls *tls, struct kt_tls_info *ret_info)
{
	struct kt_tls_info info = {.cipher_name = ""};

	if (tls->name_type == KT_NAME_DNS)
		memcpy(info.sni, tls->name, sizeof info.sni);
	if (tls->state == KT_TLS_OPEN)
		copy_alpn(tls->ssl, info.alpn);
	info.pool = tls->pool;
	copy_agreed(tls->ssl, &info);
	info.verified = tls->verified;
	if (tls->verified)
		info.verdict = tls->verdict;
	memcpy(info.peer, tls->peer, sizeof info.peer);
	*ret_info = info;
}
