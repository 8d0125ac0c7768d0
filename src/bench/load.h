/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients at full speed, and the plain backend behind the servers that they speak to; both in one
 * loop, so that they can count against each other.
 *
 * A connection is: TCP, a full TLS 1.3 handshake (TLS_AES_128_GCM_SHA256, X25519: nothing else is
 * offered), one byte to the backend and back, close_notify and FIN, and waiting for the server's
 * end. Always KT_BENCH_IN_FLIGHT of them are under way. What is otherwise than asked is an error: a
 * resumed session, a ticket (which costs a server something that others do not pay; unless all are
 * free to send them), another byte, a connection that the backend has not seen.
 *
 * Threads: one. Between kt_bench_interrupt_begin and _end: a server that goes away must not raise
 * SIGPIPE.
 *
 * What it does not do: the clients do not verify the server.
 */
#ifndef KT_BENCH_LOAD_H
#define KT_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "bulk.h"
#include "parties.h"

#define KT_BENCH_IN_FLIGHT 8u

struct kt_bench_load;

/* with_certificates: the clients show theirs. parties are borrowed. -ENOMEM, -EIO, epoll's. */
KT_WARN_UNUSED int kt_bench_load_new(const struct kt_bench_parties *parties, bool with_certificates,
				     struct kt_bench_load **ret_load, struct kt_error *error);
void kt_bench_load_free(struct kt_bench_load *load); /* NULL is fine */

/* From now on tickets are no error; they are not used. */
void kt_bench_load_take_tickets(struct kt_bench_load *load);

/* One more port of 127.0.0.1 on which the backend answers. */
KT_WARN_UNUSED int kt_bench_load_listen(struct kt_bench_load *load, uint16_t *ret_port,
					struct kt_error *error);

/*
 * Connect to the server on this port: `count` times, or (0) for so long; of the clients, one after
 * the other, each as often as the rest. *ret_done: how many connections were made, each from the
 * first byte to the last; never 0. -EPROTO: one went wrong, or clients and backend counted
 * differently; -ETIMEDOUT, -EINTR.
 */
KT_WARN_UNUSED int kt_bench_load_run(struct kt_bench_load *load, uint16_t port, unsigned int count,
				     double seconds, uint64_t *ret_done, struct kt_error *error);

/*
 * As many connections at once: each has its byte back, and nothing more is said, until they are let
 * go. Errors as of kt_bench_load_run, -EMFILE; then none is left. Once at a time.
 */
KT_WARN_UNUSED int kt_bench_load_hold(struct kt_bench_load *load, uint16_t port, unsigned int count,
				      struct kt_error *error);
KT_WARN_UNUSED int kt_bench_load_let_go(struct kt_bench_load *load, struct kt_error *error);

/*
 * Those that are held order so many bytes each (bulk.h), all at the same time, until all have come;
 * each byte is looked at, where it comes to. *ret_records: of TLS, that came to the clients. Errors
 * as of kt_bench_load_run, after which there is but letting go.
 */
KT_WARN_UNUSED int kt_bench_load_move(struct kt_bench_load *load, enum kt_bench_bulk what,
				      uint64_t len, uint64_t *ret_records, struct kt_error *error);

/*
 * So many connections, one each interval_ns, whether those before are done or not. latencies_us has
 * room for count: of each the time from when it was to begin (not from when it did, so that waiting
 * for its turn counts) until its byte was back, in microseconds, in any order. Errors as of
 * kt_bench_load_run.
 */
KT_WARN_UNUSED int kt_bench_load_pace(struct kt_bench_load *load, uint16_t port, unsigned int count,
				      uint64_t interval_ns, double *latencies_us,
				      struct kt_error *error);

/* The stranger tries. 0: it was refused; -EPERM: it was let in. */
KT_WARN_UNUSED int kt_bench_load_is_refused(struct kt_bench_load *load, uint16_t port,
					    struct kt_error *error);

#endif
