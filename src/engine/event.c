/* SPDX-License-Identifier: BSD-2-Clause */
#include "event.h"

#include <stdio.h>
#include <string.h>

#include <ktrust/probe.h>

#include "worker.h"

KT_PROBE_DEFINE(handshake);
KT_PROBE_DEFINE(conn_end);

_Static_assert(KT_PROBE_KTLS_TX == KT_KTLS_TX && KT_PROBE_KTLS_RX == KT_KTLS_RX, "one meaning");

#define COPY_TEXT(to, from) snprintf((to), sizeof(to), "%s", (from))

/* Empty: nobody is judged, or it ended before a pool was chosen. */
static const char *pool_name(const struct kt_pool *pool)
{
	return pool ? kt_pool_name(pool) : "";
}

static void fill_peer(const struct kt_conn *conn, struct kt_probe_handshake *event)
{
	switch (conn->peer.sa.sa_family) {
	case AF_INET:
		event->peer_family = 4;
		event->peer_port = ntohs(conn->peer.in.sin_port);
		memcpy(event->peer_addr, &conn->peer.in.sin_addr, 4);
		break;
	case AF_INET6:
		event->peer_family = 6;
		event->peer_port = ntohs(conn->peer.in6.sin6_port);
		memcpy(event->peer_addr, &conn->peer.in6.sin6_addr, 16);
		break;
	default:
		break;
	}
}

static void fill_verdict(const struct kt_tls_info *info, struct kt_probe_handshake *event)
{
	event->protocol = info->version;
	event->cipher = info->cipher_suite;
	COPY_TEXT(event->peer, info->peer);
	/* Longer names are cut: the event has a size. */
	snprintf(event->sni, sizeof event->sni, "%.*s", (int)sizeof event->sni - 1, info->sni);
	if (!info->verified)
		return;
	event->verify_ns = info->verdict.duration_ns;
	event->pool_version = info->verdict.pool_version;
	event->verdict = (__u8)info->verdict.code;
	memcpy(event->anchor, info->verdict.anchor, sizeof event->anchor);
	COPY_TEXT(event->anchor_name, info->verdict.anchor_name);
}

/* Not inlined: the event's size on the stack is paid for only when somebody listens. */
static __attribute__((noinline)) void
fire_handshake(const struct kt_conn *conn, const struct kt_tls_info *info, const char *outcome)
{
	struct kt_probe_handshake event = {
		.conn = conn->id,
		.cookie = conn->cookie,
		.start_ns = conn->start_ns,
		.handshake_ns = kt_monotonic_ns() - conn->start_ns,
		.worker = conn->worker->index,
		.ktls = conn->ktls,
		.accepted = conn->accepted,
		.peer_is_server = kt_conn_is_origin(conn),
	};

	fill_peer(conn, &event);
	fill_verdict(info, &event);
	COPY_TEXT(event.outcome, outcome);
	COPY_TEXT(event.pool, pool_name(info->pool));
	COPY_TEXT(event.listener, conn->door->listener->name);
	KT_PROBE_HANDSHAKE(&event);
}

static __attribute__((noinline)) void fire_conn_end(const struct kt_conn *conn)
{
	const struct kt_conn_identity *identity = &conn->identity;
	struct kt_probe_conn_end event = {
		.conn = conn->id,
		.cookie = conn->cookie,
		.pool_version = identity->pool_version,
		.age_ns = kt_monotonic_ns() - conn->start_ns,
		.bytes_in = kt_counted(&conn->bytes_in),
		.bytes_out = kt_counted(&conn->bytes_out),
	};

	COPY_TEXT(event.reason, conn->reason);
	COPY_TEXT(event.pool, pool_name(identity->pool));
	KT_PROBE_CONN_END(&event);
}

void kt_event_handshake(const struct kt_conn *conn, const struct kt_tls_info *info,
			const char *outcome)
{
	if (KT_PROBE_ENABLED(handshake))
		fire_handshake(conn, info, outcome);
}

void kt_event_conn_end(const struct kt_conn *conn)
{
	if (KT_PROBE_ENABLED(conn_end))
		fire_conn_end(conn);
}
