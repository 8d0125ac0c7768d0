/* SPDX-License-Identifier: BSD-2-Clause */
/* A PROXY header for a backend. */
#include <stdio.h>
#include <string.h>

#include <ktrust/pool.h>

#include "proxy_v2.h"
#include "proxy_v2_format.h"

#define SSL_HEADER_LEN 5 /* client flags, verify */

struct writer {
	uint8_t *data;
	size_t len;
};

static void put(struct writer *writer, const void *data, size_t len)
{
	memcpy(writer->data + writer->len, data, len);
	writer->len += len;
}

static void put_length(uint8_t *at, size_t len)
{
	at[0] = (uint8_t)(len >> 8);
	at[1] = (uint8_t)len;
}

static void put_tlv(struct writer *writer, uint8_t type, const void *value, size_t len)
{
	uint8_t header[TLV_HEADER_LEN] = {type};

	if (!len || writer->len + sizeof header + len > KT_PROXY_OUT_MAX)
		return;
	put_length(header + 1, len);
	put(writer, header, sizeof header);
	put(writer, value, len);
}

static void put_text(struct writer *writer, uint8_t type, const char *text)
{
	put_tlv(writer, type, text, strlen(text));
}

/* ---- Addresses ------------------------------------------------------------------------------- */

void kt_peer_address_unmap(union kt_peer_address *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	if (address->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
		return;
	memcpy(&in.sin_addr, &address->in6.sin6_addr.s6_addr[12], sizeof in.sin_addr);
	in.sin_port = address->in6.sin6_port;
	address->in = in;
}

static uint8_t put_ends(struct writer *writer, const struct kt_proxy_facts *facts)
{
	union kt_peer_address from = *facts->source, to = *facts->destination;

	kt_peer_address_unmap(&from);
	kt_peer_address_unmap(&to);
	if (from.sa.sa_family != to.sa.sa_family)
		return FAMILY_UNSPEC;
	switch (from.sa.sa_family) {
	case AF_INET:
		put(writer, &from.in.sin_addr, sizeof from.in.sin_addr);
		put(writer, &to.in.sin_addr, sizeof to.in.sin_addr);
		put(writer, &from.in.sin_port, sizeof from.in.sin_port);
		put(writer, &to.in.sin_port, sizeof to.in.sin_port);
		return FAMILY_TCP4;
	case AF_INET6:
		put(writer, &from.in6.sin6_addr, sizeof from.in6.sin6_addr);
		put(writer, &to.in6.sin6_addr, sizeof to.in6.sin6_addr);
		put(writer, &from.in6.sin6_port, sizeof from.in6.sin6_port);
		put(writer, &to.in6.sin6_port, sizeof to.in6.sin6_port);
		return FAMILY_TCP6;
	default:
		return FAMILY_UNSPEC;
	}
}

/* ---- What is known of the client ------------------------------------------------------------- */

static void put_ssl(struct writer *writer, const struct kt_proxy_facts *facts)
{
	uint8_t flags = CLIENT_SSL;
	uint8_t head[TLV_HEADER_LEN + SSL_HEADER_LEN] = {TLV_SSL};
	size_t start = writer->len;

	if (facts->verified)
		flags |= CLIENT_CERT_CONN | CLIENT_CERT_SESS;
	head[TLV_HEADER_LEN] = flags;
	head[sizeof head - 1] = !facts->verified; /* 0: a certificate was shown, and verified */
	put(writer, head, sizeof head);
	put_text(writer, TLV_SSL_VERSION, facts->version);
	if (facts->verified)
		put_text(writer, TLV_SSL_CN, facts->common_name);
	put_text(writer, TLV_SSL_CIPHER, facts->cipher);
	put_text(writer, TLV_SSL_SIG_ALG, facts->signature);
	put_text(writer, TLV_SSL_KEY_ALG, facts->key);
	put_length(writer->data + start + 1, writer->len - start - TLV_HEADER_LEN);
}

static void put_verdict(struct writer *writer, const struct kt_proxy_facts *facts)
{
	char version[24];

	snprintf(version, sizeof version, "%llu", (unsigned long long)facts->pool_version);
	put_text(writer, KT_PROXY_POOL, facts->pool);
	put_text(writer, KT_PROXY_VERSION, version);
	put_tlv(writer, KT_PROXY_ANCHOR, facts->anchor, KT_DIGEST_LEN);
	put_text(writer, KT_PROXY_PEER, facts->peer);
}

size_t kt_proxy_write(const struct kt_proxy_facts *facts,
		      uint8_t ret_header[static KT_PROXY_OUT_MAX])
{
	struct writer writer = {ret_header, KT_PROXY_PREFIX_LEN};

	memcpy(ret_header, SIGNATURE, SIGNATURE_LEN);
	ret_header[12] = COMMAND_PROXY;
	ret_header[13] = put_ends(&writer, facts);
	put_text(&writer, TLV_ALPN, facts->alpn);
	put_text(&writer, TLV_AUTHORITY, facts->server_name);
	put_ssl(&writer, facts);
	if (facts->verified)
		put_verdict(&writer, facts);
	put_length(ret_header + 14, writer.len - KT_PROXY_PREFIX_LEN);
	return writer.len;
}
