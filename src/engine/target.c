/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reaching one of an origin's targets: as backends are (backend.c), but before the handshake, and
 * maybe through a proxy, which has to be asked first. A proxy's "I cannot reach it" is the
 * target's; whatever else it says would be said of the next target too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "conn.h"
#include "ring.h"
#include "worker.h"

bool kt_conn_is_origin(const struct kt_conn *conn)
{
	return conn->door->listener->mode == KT_MODE_ORIGIN;
}

const char *kt_plain_side(const struct kt_conn *conn, const char *of_backend, const char *of_client)
{
	return kt_conn_is_origin(conn) ? of_client : of_backend;
}

static const struct kt_listener_target *target_of(const struct kt_conn *conn)
{
	return &conn->door->listener->targets[conn->backend];
}

void kt_target_describe(const struct kt_conn *conn, struct kt_tls_options *options)
{
	options->name_type = target_of(conn)->name_type;
	options->name = target_of(conn)->name;
	options->alpn = conn->door->listener->alpn;
	options->alpn_len = conn->door->listener->alpn_len;
}

void kt_target_drop_upstream(struct kt_conn *conn)
{
	if (conn->upstream)
		kt_upstream_wipe(conn->upstream);
	free(conn->upstream);
	conn->upstream = NULL;
}

/* ---- One target after the other -------------------------------------------------------------- */

static void identify(struct kt_conn *conn)
{
	const struct kt_address *address = &conn->door->listener->backends[conn->backend];
	socklen_t len = sizeof conn->cookie;

	conn->peer.sa.sa_family = AF_UNSPEC;
	if (address->len <= sizeof conn->peer)
		memcpy(&conn->peer, &address->addr, address->len);
	if (getsockopt(conn->fd, SOL_SOCKET, SO_COOKIE, &conn->cookie, &len))
		conn->cookie = 0;
}

static void begin(struct kt_conn *conn, int fd)
{
	const struct kt_listener *listener = conn->door->listener;
	const struct kt_address *address = &listener->backends[conn->backend];
	struct io_uring_sqe *sqe;

	conn->fd = fd;
	conn->late = false;
	identify(conn);
	conn->busy |= 1u << KT_OP_CLIENT_CONNECT;
	kt_worker_arm(conn->worker, conn, kt_timer_connect(listener->backend_count));
	sqe = kt_ring_sqe(&conn->worker->ring, kt_op_data(conn, KT_OP_CLIENT_CONNECT));
	io_uring_prep_connect(sqe, fd, (const struct sockaddr *)&address->addr, address->len);
}

/* The next one that is left. The connection ends, for the last one's outcome, when none is. */
static void try_next(struct kt_conn *conn, const char *outcome)
{
	int fd = kt_backend_next(conn, &outcome);

	if (fd >= 0)
		begin(conn, fd);
	else
		kt_handshake_fail(conn, outcome);
}

void kt_target_reach(struct kt_conn *conn)
{
	conn->state = KT_CONN_REACH;
	try_next(conn, "internal");
}

/* No operation of its socket is pending. */
static void go_elsewhere(struct kt_conn *conn, const char *outcome)
{
	kt_backend_rest(conn);
	kt_target_drop_upstream(conn);
	kt_flow_drop(conn->worker, &conn->up);
	close(conn->fd);
	conn->fd = -1;
	try_next(conn, outcome);
}

static const char *timed_out(const struct kt_conn *conn)
{
	return conn->door->listener->upstream ? "upstream_timeout" : "target_timeout";
}

static void failed(struct kt_conn *conn, int err)
{
	const char *unreachable =
		conn->door->listener->upstream ? "upstream_unreachable" : "target_unreachable";

	go_elsewhere(conn, err == -ETIMEDOUT ? timed_out(conn) : unreachable);
}

static void ready(struct kt_conn *conn)
{
	kt_backend_answered(&conn->door->rests[conn->backend]);
	kt_target_drop_upstream(conn);
	kt_worker_arm(conn->worker, conn, KT_TIMER_HANDSHAKE);
	kt_handshake_start(conn);
}

/* ---- Through a proxy ------------------------------------------------------------------------- */

static void converse(struct kt_conn *conn)
{
	const uint8_t *data;
	size_t len = kt_upstream_output(conn->upstream, &data);

	if (len)
		kt_client_send(conn, data, len);
	else
		kt_client_recv(conn, kt_upstream_want(conn->upstream));
}

static void ask_proxy(struct kt_conn *conn)
{
	const struct kt_upstream_options *upstream = conn->door->listener->upstream;
	const struct kt_listener_target *target = target_of(conn);

	conn->upstream = malloc(sizeof *conn->upstream);
	if (!conn->upstream || kt_upstream_begin(conn->upstream, upstream->kind, target->host,
						 target->port, &upstream->login))
		kt_handshake_fail(conn, "internal");
	else
		converse(conn);
}

static void denied(struct kt_conn *conn)
{
	const char *failure = kt_upstream_failure(conn->upstream);

	if (!strcmp(failure, "target_unreachable"))
		go_elsewhere(conn, failure);
	else
		kt_handshake_fail(conn, failure);
}

static void heard(struct kt_conn *conn, int res)
{
	enum kt_upstream_status status;

	if (res < 0) {
		failed(conn, res);
		return;
	}
	status = res ? kt_upstream_input(conn->upstream, conn->up.buf, (size_t)res)
		     : kt_upstream_input_eof(conn->upstream);
	if (status == KT_UPSTREAM_DONE)
		ready(conn);
	else if (status == KT_UPSTREAM_FAILED)
		denied(conn);
	else
		converse(conn);
}

static void said(struct kt_conn *conn, int res)
{
	if (res < 0) {
		failed(conn, res);
		return;
	}
	kt_upstream_sent(conn->upstream, (size_t)res);
	converse(conn);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void connected(struct kt_conn *conn, int res)
{
	if (res)
		failed(conn, res);
	else if (conn->door->listener->upstream)
		ask_proxy(conn);
	else
		ready(conn);
}

void kt_target_complete(struct kt_conn *conn, enum kt_op op, int res)
{
	if (conn->late) {
		if (!kt_conn_busy(conn, KT_OPS_CLIENT))
			go_elsewhere(conn, timed_out(conn));
	} else if (op == KT_OP_CLIENT_CONNECT) {
		connected(conn, res);
	} else if (op == KT_OP_CLIENT_SEND) {
		said(conn, res);
	} else if (op == KT_OP_CLIENT_RECV) {
		heard(conn, res);
	}
}

void kt_target_expire(struct kt_conn *conn)
{
	conn->late = true;
	kt_client_cancel(conn);
	/* A read that waited for a block is gone at once. */
	if (!kt_conn_busy(conn, KT_OPS_CLIENT))
		go_elsewhere(conn, timed_out(conn));
}
