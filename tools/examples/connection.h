/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One TLS connection that echoes, for any event loop that tells when a socket can be read or
 * written: the handshake, handing the records to the kernel, both kinds of records, the end.
 *
 *	SHAKING ─► SHAKEN ─► ECHOING ─► CLOSING ─► LINGERING ─► OVER
 *	   └────────────────────┴─ any failure ─┘
 *
 * One rule makes it simple: nothing is read while there is something to send. So a connection's
 * memory is bounded, a peer that does not read is not read from, and at SHAKEN all output of the
 * handshake is out, which an offload needs.
 *
 * Threads: a connection belongs to the thread of its context.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/ktls.h>
#include <ktrust/rekey.h>
#include <ktrust/tls.h>

#define CONNECTION_BUFFER 16384 /* bytes: the plain text of a record */

enum state { SHAKING, SHAKEN, ECHOING, CLOSING, LINGERING, OVER };

/* Until it can be read; until it can be written; until its deadline. */
enum wants { WANTS_INPUT, WANTS_ROOM, WANTS_TIME };

struct connection {
	/* The loop's own */
	struct connection *next, *previous;
	enum wants waits_for;

	int fd;
	enum state state;
	enum wants wants;
	struct kt_tls *tls;		       /* NULL: the kernel has the records */
	const struct kt_ktls_support *support; /* borrowed */
	const char *reason;		       /* for its end; static storage */
	int64_t deadline;		       /* in seconds, see connection_clock */
	unsigned int reads;		       /* that it still may have before others' turn */
	size_t lingered;		       /* bytes */
	size_t send_max;  /* bytes; this and what follows: kernel records only */
	bool rekeys;	  /* its keys can be replaced: by … */
	struct kt_rekey rekey;
	unsigned int updates; /* of the peer's keys since its last data */
	size_t len, sent; /* what of the buffer is to be sent */
	uint8_t buffer[CONNECTION_BUFFER];
};

int64_t connection_clock(void); /* monotonic */

/*
 * fd: non-blocking, taken over. support: what the kernel can do; all zeros leaves the records in
 * userspace. handshake_s: seconds that the handshake may take. NULL: no memory; fd is closed.
 */
struct connection *connection_new(struct kt_tls_context *context,
				  const struct kt_ktls_support *support, int fd,
				  int64_t handshake_s);
void connection_free(struct connection *connection);

/*
 * Go as far as it goes without waiting. Then it is OVER, and has to be freed, or waits for what
 * `wants` says; for WANTS_TIME, the socket must not be asked about any more.
 */
void connection_go_on(struct connection *connection);

/* Its deadline is past: names the reason, and it has to be freed. */
void connection_expire(struct connection *connection);

#endif
