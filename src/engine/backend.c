/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reaching one of the listener's backends.
 *
 * They are tried in the order of preference, each for its share of the connect timeout, until one
 * connects. One that failed rests: for a while it is tried after all others. When that while is
 * over, one connection asks whether it is back, and the others go elsewhere until they know.
 *
 * Where the listener wants it, a backend is told first, by a PROXY header, who the client is. Until
 * it has that it has not connected.
 */
#include "backend.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "conn.h"
#include "ring.h"
#include "worker.h"

#define REST_NS 1000000000u

/* ---- Which one ------------------------------------------------------------------------------- */

int kt_backend_choose(struct kt_backend_rest *rests, unsigned int count, unsigned int tried,
		      uint64_t now_ns, uint64_t share_ns)
{
	int resting = -1;

	for (unsigned int i = 0; i < count; i++) {
		struct kt_backend_rest *rest = &rests[i];

		if (tried & 1u << i)
			continue;
		if (rest->until_ns <= now_ns) {
			/* Whoever asks it after a rest asks for all. */
			if (rest->until_ns)
				rest->until_ns = now_ns + share_ns;
			return (int)i;
		}
		if (resting < 0)
			resting = (int)i;
	}
	return resting;
}

void kt_backend_failed(struct kt_backend_rest *rest, uint64_t now_ns)
{
	rest->until_ns = now_ns + REST_NS;
}

void kt_backend_answered(struct kt_backend_rest *rest)
{
	rest->until_ns = 0;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static int open_socket(const struct kt_address *address)
{
	const int on = 1;
	int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (address->addr.ss_family != AF_UNIX &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static void begin(struct kt_conn *conn, int fd)
{
	const struct kt_listener *listener = conn->door->listener;
	const struct kt_address *address = &listener->backends[conn->backend];
	struct io_uring_sqe *sqe;

	conn->backend_fd = fd;
	conn->backend_unwanted = false;
	conn->busy |= 1u << KT_OP_BACKEND_CONNECT;
	kt_worker_arm(conn->worker, conn, kt_timer_connect(listener->backend_count));
	sqe = kt_ring_sqe(&conn->worker->ring, kt_op_data(conn, KT_OP_BACKEND_CONNECT));
	io_uring_prep_connect(sqe, fd, (const struct sockaddr *)&address->addr, address->len);
}

int kt_backend_next(struct kt_conn *conn, const char **reason)
{
	const struct kt_listener *listener = conn->door->listener;
	const struct kt_worker *worker = conn->worker;
	uint64_t share_ns = worker->shared->timeout_ns[kt_timer_connect(listener->backend_count)];
	int next, fd;

	while ((next = kt_backend_choose(conn->door->rests, listener->backend_count,
					 conn->backends_tried, worker->now_ns, share_ns)) >= 0) {
		conn->backend = (uint8_t)next;
		conn->backends_tried |= (uint8_t)(1u << next);
		fd = open_socket(&listener->backends[next]);
		if (fd >= 0)
			return fd;
		*reason = "no_socket";
		/* Another would fare no better. */
		if (fd == -EMFILE || fd == -ENFILE) {
			*reason = "no_descriptors";
			break;
		}
		kt_backend_failed(&conn->door->rests[next], worker->now_ns);
	}
	return -1;
}

/* The next one that is left. The connection ends, for the last one's reason, when none is. */
static void try_next(struct kt_conn *conn, const char *reason)
{
	int fd = kt_backend_next(conn, &reason);

	if (fd >= 0)
		begin(conn, fd);
	else
		kt_close_abrupt(conn, reason, KT_ALERT_INTERNAL_ERROR);
}

void kt_backend_connect(struct kt_conn *conn)
{
	conn->state = KT_CONN_CONNECT;
	try_next(conn, "internal");
}

void kt_backend_rest(struct kt_conn *conn)
{
	kt_backend_failed(&conn->door->rests[conn->backend], conn->worker->now_ns);
}

static void failed(struct kt_conn *conn, int err)
{
	kt_backend_rest(conn);
	kt_close_by_reset(conn->backend_fd); /* it may have a part of the header */
	conn->backend_fd = -1;
	try_next(conn, err == -ETIMEDOUT ? "backend_timeout" : "backend_unreachable");
}

/* It has all that it is to have before the client's first byte. */
static void ready(struct kt_conn *conn)
{
	kt_backend_answered(&conn->door->rests[conn->backend]);
	kt_proxy_drop(conn);
	kt_relay_start(conn);
}

static void send_header(struct kt_conn *conn)
{
	struct io_uring_sqe *sqe =
		kt_ring_sqe(&conn->worker->ring, kt_op_data(conn, KT_OP_BACKEND_SEND));

	conn->busy |= 1u << KT_OP_BACKEND_SEND;
	io_uring_prep_send(sqe, conn->backend_fd, conn->proxy + conn->proxy_off,
			   conn->proxy_len - conn->proxy_off, MSG_NOSIGNAL);
}

static void sent_header(struct kt_conn *conn, int res)
{
	if (res < 0) {
		failed(conn, res);
		return;
	}
	conn->proxy_off += (uint16_t)res;
	if (conn->proxy_off < conn->proxy_len)
		send_header(conn);
	else
		ready(conn);
}

static void connected(struct kt_conn *conn, int res)
{
	if (res) {
		failed(conn, res);
	} else if (conn->proxy) {
		conn->proxy_off = 0;
		send_header(conn);
	} else {
		ready(conn);
	}
}

void kt_backend_complete(struct kt_conn *conn, enum kt_op op, int res)
{
	/* Of one that had its time, all there is to wait for is that its socket is closed. */
	if (conn->backend_unwanted) {
		if (conn->backend_fd < 0)
			try_next(conn, "backend_timeout");
	} else if (op == KT_OP_BACKEND_CONNECT) {
		connected(conn, res);
	} else if (op == KT_OP_BACKEND_SEND) {
		sent_header(conn, res);
	}
}

void kt_backend_expire(struct kt_conn *conn)
{
	kt_backend_rest(conn);
	kt_backend_drop(conn, true);
}
