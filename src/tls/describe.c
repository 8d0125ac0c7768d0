/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "connection.h"

/* The name a client asks for is its own invention: keep it printable. */
static void copy_sni(const SSL *ssl, char *buf, size_t size)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t i;

	for (i = 0; name && name[i] && i < size - 1; i++)
		buf[i] = name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?';
	buf[i] = '\0';
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

	copy_sni(tls->ssl, info.sni, sizeof info.sni);
	copy_agreed(tls->ssl, &info);
	info.verified = tls->verified;
	if (tls->verified)
		info.verdict = tls->verdict;
	memcpy(info.peer, tls->peer, sizeof info.peer);
	*ret_info = info;
}
