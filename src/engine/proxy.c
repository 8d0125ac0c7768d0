/* SPDX-License-Identifier: BSD-2-Clause */
/* PROXY headers of a connection: the one that comes before the handshake, and the backend's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "worker.h"

/* ---- From the client's side ------------------------------------------------------------------ */

bool kt_proxy_is_due(const struct kt_conn *conn)
{
	const struct kt_listener *listener = conn->door->listener;

	for (size_t i = 0; i < listener->proxy_from_count; i++)
		if (kt_network_has(&listener->proxy_from[i], &conn->peer.sa))
			return true;
	return false;
}

/* The header's whole length, as far as it is known. */
static size_t wanted(const struct kt_conn *conn)
{
	if (conn->proxy_len < KT_PROXY_PREFIX_LEN)
		return KT_PROXY_PREFIX_LEN;
	return KT_PROXY_PREFIX_LEN + kt_proxy_rest_len(conn->proxy);
}

/* Never more than the header: what follows is the handshake's. */
static void read_more(struct kt_conn *conn)
{
	kt_client_recv(conn, wanted(conn) - conn->proxy_len);
}

void kt_proxy_start(struct kt_conn *conn)
{
	conn->state = KT_CONN_PROXY;
	read_more(conn);
}

/* The addresses that it names, if it names any, stand for those of the socket. */
static void take(struct kt_conn *conn)
{
	struct kt_proxy_ends ends;
	const char *refusal;

	if (kt_proxy_parse(conn->proxy, conn->proxy_len, &ends)) {
		kt_handshake_fail(conn, "proxy_invalid");
		return;
	}
	kt_proxy_drop(conn);
	if (ends.source.sa.sa_family != AF_UNSPEC) {
		conn->peer = ends.source;
		conn->local = ends.destination;
		kt_peer_address_unmap(&conn->peer);
		kt_peer_address_unmap(&conn->local);
	}
	refusal = kt_conn_enter_address(conn);
	if (refusal)
		kt_handshake_refuse(conn, refusal);
	else
		kt_handshake_start(conn);
}

/* False: no memory. */
static bool append(struct kt_conn *conn, size_t len)
{
	if (!conn->proxy)
		conn->proxy = malloc(KT_PROXY_PREFIX_LEN + KT_PROXY_IN_MAX);
	if (!conn->proxy)
		return false;
	memcpy(conn->proxy + conn->proxy_len, conn->up.buf, len);
	conn->proxy_len += (uint16_t)len;
	return true;
}

static void go_on(struct kt_conn *conn)
{
	size_t len = conn->proxy_len;

	if (!kt_proxy_may_begin(conn->proxy, len < KT_PROXY_PREFIX_LEN ? len : KT_PROXY_PREFIX_LEN))
		kt_handshake_fail(conn, "proxy_invalid");
	else if (wanted(conn) > KT_PROXY_PREFIX_LEN + KT_PROXY_IN_MAX)
		kt_handshake_fail(conn, "proxy_too_long");
	else if (len < wanted(conn))
		read_more(conn);
	else
		take(conn);
}

void kt_proxy_received(struct kt_conn *conn, int res)
{
	if (res < 0) {
		kt_handshake_break(conn, res);
	} else if (!res) {
		conn->client_eof = true;
		kt_handshake_fail(conn, "peer_closed");
	} else if (!append(conn, (size_t)res)) {
		kt_handshake_fail(conn, "internal");
	} else {
		go_on(conn);
	}
}

/* ---- To the backend -------------------------------------------------------------------------- */

static const char *version_name(uint16_t version)
{
	return version == KT_TLS_1_3 ? "TLSv1.3" : "TLSv1.2";
}

static size_t compose(const struct kt_conn *conn, const struct kt_tls_info *info,
		      uint8_t header[static KT_PROXY_OUT_MAX])
{
	struct kt_tls_names names;
	struct kt_proxy_facts facts = {
		.source = &conn->peer,
		.destination = &conn->local,
		.alpn = info->alpn,
		.server_name = info->sni,
		.version = version_name(info->version),
		.cipher = info->cipher_name,
		.verified = info->verified,
		.pool = info->pool ? kt_pool_name(info->pool) : "",
		.pool_version = info->verdict.pool_version,
		.anchor = info->verdict.anchor,
	};

	kt_tls_describe_names(conn->tls, &names);
	facts.signature = names.own_signature;
	facts.key = names.own_key;
	facts.common_name = names.peer_common_name;
	facts.peer = names.peer_san;
	return kt_proxy_write(&facts, header);
}

int kt_proxy_compose(struct kt_conn *conn, const struct kt_tls_info *info)
{
	uint8_t header[KT_PROXY_OUT_MAX];
	size_t len;

	if (conn->door->listener->proxy_protocol == KT_PROXY_OFF)
		return 0;
	len = compose(conn, info, header);
	conn->proxy = malloc(len);
	if (!conn->proxy)
		return -ENOMEM;
	memcpy(conn->proxy, header, len);
	conn->proxy_len = (uint16_t)len;
	conn->proxy_off = 0;
	return 0;
}

void kt_proxy_drop(struct kt_conn *conn)
{
	free(conn->proxy);
	conn->proxy = NULL;
	conn->proxy_len = 0;
}
