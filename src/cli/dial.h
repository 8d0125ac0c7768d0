/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the verb `ktrust dial`: reach the server (dial_reach.c, dial_race.c), shake hands
 * (dial_tls.c), carry bytes both ways (dial_pump.c) and replace keys (dial_keys.c), tell
 * (dial_tell.c, dial_words.c).
 *
 * Threads: one. Everything but the pump ends by the deadline of the struct.
 */
#ifndef KTRUST_CLI_DIAL_H
#define KTRUST_CLI_DIAL_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/tls.h>

#include "../engine/engine.h"
#include "../engine/tickets.h"
#include "../engine/upstream_proxy.h"
#include "dial_keys.h"

#define KT_EXIT_KEYS 3 /* beside the others (cli.h): a key's end, and there is no next one */

struct kt_dial {
	/* What was asked for. */
	const char *target; /* as written */
	char host[KT_HOST_SIZE];
	uint16_t port;
	const char *name; /* that the certificate must prove */
	enum kt_name_type name_type;
	bool has_proxy;
	struct kt_upstream_url proxy;
	uint8_t alpn[256]; /* a ProtocolNameList */
	size_t alpn_len;
	enum kt_ktls_mode ktls;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC: for all until the handshake is done */

	/* What came of it. */
	int fd; /* -1: none */
	struct kt_pool *pool;
	struct kt_tls_context *context;
	struct kt_tls *tls; /* NULL: not begun, or the kernel has the records */
	bool offloaded;
	bool refused;		  /* the server by us, or we by the server */
	bool keys_ended;	  /* it ended since keys cannot be replaced */
	struct kt_dial_keys keys; /* of records in the kernel */
	struct kt_tickets tickets;
	struct kt_tls_info info; /* zeros until there was a handshake, however it ended */
};

uint64_t kt_dial_now_ns(void); /* CLOCK_MONOTONIC */

#define KT_DIAL_ADDRESSES_MAX 64 /* those behind are not tried */

/*
 * The first of these addresses that connects (RFC 8305): in their order, but the families take
 * turns, the next one begins 250 ms after the last, or at once when one failed, and the others are
 * closed. A socket that does not block, the caller's; -ETIMEDOUT: none until then; or what the last
 * one failed with.
 */
KT_WARN_UNUSED int kt_dial_race(const struct addrinfo *found, uint64_t deadline_ns);

/* Sends all of it. -errno: as kt_dial_wait, or send's. */
KT_WARN_UNUSED int kt_dial_send(const struct kt_dial *dial, const void *data, size_t len);

/* Waits for these events of the socket (poll). -ETIMEDOUT: the deadline has passed. */
KT_WARN_UNUSED int kt_dial_wait(const struct kt_dial *dial, short events);

/* A connection to the target, through the proxy if there is one. Told what fails. */
KT_WARN_UNUSED int kt_dial_reach(struct kt_dial *dial, struct kt_error *error);

/*
 * The handshake, then the keys into the kernel where that is wanted. What failed; dial->refused
 * says whether that is a refusal.
 */
KT_WARN_UNUSED int kt_dial_shake(struct kt_dial *dial, struct kt_error *error);

/*
 * Standard input to the server, what it says to standard output, until both have ended. -EACCES: a
 * fatal alert came; -EPIPE: the end that came was none, or somebody takes no more; -EKEYEXPIRED:
 * keys that cannot be replaced; else what failed.
 */
KT_WARN_UNUSED int kt_dial_pump(struct kt_dial *dial, struct kt_error *error);

/* What this name of a failure means, for people; NULL: it has no words. Static storage. */
const char *kt_dial_words(const char *name);

/* One JSON object on standard error; error: err 0 for an accepted handshake. */
void kt_dial_tell_json(const struct kt_dial *dial, const struct kt_error *error);

#endif
