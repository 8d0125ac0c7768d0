/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fire: fires the probes of ktrust with the contents it reads from its standard input.
 */
#include "fire.h"

#include <stdbool.h>
#include <unistd.h>

KT_PROBE_DEFINE(handshake);
KT_PROBE_DEFINE(conn_end);
KT_PROBE_DEFINE(publish);
KT_PROBE_DEFINE(reclaim);
KT_PROBE_DEFINE(refuse);

static unsigned char listeners(void)
{
	return (KT_PROBE_ENABLED(handshake) ? 1u << KT_FIRE_HANDSHAKE : 0) |
	       (KT_PROBE_ENABLED(conn_end) ? 1u << KT_FIRE_CONN_END : 0) |
	       (KT_PROBE_ENABLED(publish) ? 1u << KT_FIRE_PUBLISH : 0) |
	       (KT_PROBE_ENABLED(refuse) ? 1u << KT_FIRE_REFUSE : 0) |
	       (KT_PROBE_ENABLED(reclaim) ? 1u << KT_FIRE_RECLAIM : 0);
}

static bool fire_handshake(struct kt_probe_handshake *event)
{
	if (!KT_PROBE_ENABLED(handshake))
		return false;
	KT_PROBE_HANDSHAKE(event);
	event->conn++;
	return true;
}

static bool fire_conn_end(struct kt_probe_conn_end *event)
{
	if (!KT_PROBE_ENABLED(conn_end))
		return false;
	KT_PROBE_CONN_END(event);
	event->conn++;
	return true;
}

static bool fire_publish(const struct kt_probe_publish *event)
{
	if (!KT_PROBE_ENABLED(publish))
		return false;
	KT_PROBE_PUBLISH(event);
	return true;
}

static bool fire_refuse(const struct kt_probe_refuse *event)
{
	if (!KT_PROBE_ENABLED(refuse))
		return false;
	KT_PROBE_REFUSE(event);
	return true;
}

static bool fire_reclaim(const struct kt_probe_reclaim *event)
{
	if (!KT_PROBE_ENABLED(reclaim))
		return false;
	KT_PROBE_RECLAIM(event);
	return true;
}

/* A probe's site of its own: its arguments say where nothing is. */
static bool fire_unreadable(void)
{
	if (!KT_PROBE_ENABLED(handshake))
		return false;
	DTRACE_PROBE4(ktrust, handshake, 1UL, 1UL, 1UL, 16UL);
	return true;
}

static unsigned char fire(struct kt_fire *request)
{
	switch (request->what) {
	case KT_FIRE_HANDSHAKE:
		return fire_handshake(&request->handshake);
	case KT_FIRE_CONN_END:
		return fire_conn_end(&request->conn_end);
	case KT_FIRE_PUBLISH:
		return fire_publish(&request->publish);
	case KT_FIRE_RECLAIM:
		return fire_reclaim(&request->reclaim);
	case KT_FIRE_REFUSE:
		return fire_refuse(&request->refuse);
	case KT_FIRE_UNREADABLE:
		return fire_unreadable();
	default:
		return listeners();
	}
}

int main(void)
{
	struct kt_fire request;

	while (read(STDIN_FILENO, &request, sizeof request) == (ssize_t)sizeof request) {
		unsigned char answer = 0;

		for (__u32 i = 0; i < request.times; i++)
			answer = fire(&request);
		if (write(STDOUT_FILENO, &answer, 1) != 1)
			return 1;
	}
	return 0;
}
