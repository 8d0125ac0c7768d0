/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection of a client, from TCP to the server's end, without waiting. See load.h for what it
 * asks for.
 */
#ifndef KT_BENCH_CLIENT_H
#define KT_BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "bulk.h"
#include "parties.h"

enum kt_bench_step {
	KT_BENCH_IDLE, /* no connection */
	KT_BENCH_SHAKE,
	KT_BENCH_SEND,
	KT_BENCH_RECEIVE,
	KT_BENCH_STAY,	 /* it has its byte, or all of the bulk, and says no more */
	KT_BENCH_ORDER,	 /* … until it orders bulk data, … */
	KT_BENCH_BULK,	 /* … has all of it come or gone, */
	KT_BENCH_ANSWER, /* … and that it went is answered */
	KT_BENCH_LEAVE,	 /* it said that it goes, and waits for the server's end */
	KT_BENCH_DONE,
};

struct kt_bench_client {
	SSL *ssl;
	int fd;
	enum kt_bench_step step;
	bool got_ticket;
	bool takes_tickets; /* a ticket is no error; set by whoever made it */
	uint64_t records; /* of TLS that came, so far, of any kind */
	/* The bulk data that it orders; kt_bench_client_order. */
	enum kt_bench_bulk what;
	uint64_t place, len;
	bool stays; /* it goes no further than KT_BENCH_STAY; as kt_bench_client_begin leaves it: no
		     */
};

/*
 * A context of a party below an intermediate; both NULL: without a certificate. The caller's; NULL:
 * libssl failed.
 */
SSL_CTX *kt_bench_client_context(const struct kt_bench_party *party,
				 const struct kt_bench_party *intermediate);

/* Connect to 127.0.0.1. An idle client; on failure it stays idle. */
KT_WARN_UNUSED int kt_bench_client_begin(struct kt_bench_client *client, SSL_CTX *context,
					 uint16_t port, struct kt_error *error);

/*
 * Go on as far as it goes: 0, step tells how far; or what is not as asked: -EPROTO, and
 * -ECONNREFUSED where the server ended it, by an alert or without.
 */
KT_WARN_UNUSED int kt_bench_client_go_on(struct kt_bench_client *client, struct kt_error *error);

/* Of one that stays: the next step is to order so many bytes, at least one. */
void kt_bench_client_order(struct kt_bench_client *client, enum kt_bench_bulk what, uint64_t len);

/* Idle again, whatever it was. */
void kt_bench_client_end(struct kt_bench_client *client);

#endif
