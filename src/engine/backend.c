/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reaching one of the listener's backends.
 *
 * They are tried in the order of preference, each for its share of the connect timeout, until one
 * connects. One that failed rests: for a while it is tried after all others. When that while is
 * over, one connection asks whether it is back, and the others go elsewhere until they know.
 *
 * A Unix socket connects at once, or its queue is full. When there is room the kernel tells only
 * who sleeps for it, which for io_uring would be a thread of the kernel (io-wq) for each that
 * waits. So it is asked every QUEUE_RETRY_NS by the one that waits longest.
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

#define REST_NS	       1000000000u
#define QUEUE_RETRY_NS 2000000u

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

static bool is_unix(const struct kt_address *address)
{
	return address->addr.ss_family == AF_UNIX;
}

/* Urgent data stays in the stream (listen.c): Unix sockets have it, too (CONFIG_AF_UNIX_OOB). */
static int set_up(int fd, const struct kt_address *address)
{
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on) ||
	    (!is_unix(address) && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)))
		return -errno;
	return 0;
}

static int open_socket(const struct kt_address *address)
{
	int type = SOCK_STREAM | SOCK_CLOEXEC | (is_unix(address) ? SOCK_NONBLOCK : 0);
	int fd = socket(address->addr.ss_family, type, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = set_up(fd, address);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static const struct kt_address *address_of(const struct kt_conn *conn)
{
	return &conn->door->listener->backends[conn->backend];
}

static void begin_connect(struct kt_conn *conn)
{
	const struct kt_address *address = address_of(conn);
	struct io_uring_sqe *sqe =
		kt_ring_sqe(&conn->worker->ring, kt_op_data(conn, KT_OP_BACKEND_CONNECT));

	conn->busy |= 1u << KT_OP_BACKEND_CONNECT;
	io_uring_prep_connect(sqe, conn->backend_fd, (const struct sockaddr *)&address->addr,
			      address->len);
}

static int connect_now(const struct kt_conn *conn)
{
	const struct kt_address *address = address_of(conn);

	return connect(conn->backend_fd, (const struct sockaddr *)&address->addr, address->len)
		       ? -errno
		       : 0;
}

/* Who comes later does not come before those that wait. */
static int connect_or_wait(struct kt_conn *conn)
{
	struct kt_backend_queue *queue = &conn->door->queues[conn->backend];
	bool first = kt_list_empty(&queue->waiting);
	int err = first ? connect_now(conn) : -EAGAIN;

	if (err != -EAGAIN)
		return err;
	if (first)
		queue->retry_ns = conn->worker->now_ns + QUEUE_RETRY_NS;
	kt_list_append(&queue->waiting, &conn->wait_link);
	return -EINPROGRESS;
}

/* 0: connected; -EINPROGRESS: there will be word of it; else it cannot be. */
static int begin(struct kt_conn *conn, int fd)
{
	conn->backend_fd = fd;
	conn->backend_unwanted = false;
	kt_worker_arm(conn->worker, conn, kt_timer_connect(conn->door->listener->backend_count));
	if (is_unix(address_of(conn)))
		return connect_or_wait(conn);
	begin_connect(conn);
	return -EINPROGRESS;
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

void kt_backend_rest(struct kt_conn *conn)
{
	kt_backend_failed(&conn->door->rests[conn->backend], conn->worker->now_ns);
}

/* Why it did not connect. No operation of its socket is pending. */
static const char *leave(struct kt_conn *conn, int err)
{
	kt_backend_rest(conn);
	kt_close_by_reset(conn->backend_fd); /* it may have a part of the header */
	conn->backend_fd = -1;
	return err == -ETIMEDOUT ? "backend_timeout" : "backend_unreachable";
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

static void connected(struct kt_conn *conn)
{
	if (!conn->proxy) {
		ready(conn);
		return;
	}
	conn->proxy_off = 0;
	send_header(conn);
}

/* The next one that is left. The connection ends, for the last one's reason, when none is. */
static void try_next(struct kt_conn *conn, const char *reason)
{
	int fd, err;

	while ((fd = kt_backend_next(conn, &reason)) >= 0) {
		err = begin(conn, fd);
		if (err == -EINPROGRESS)
			return;
		if (!err) {
			connected(conn);
			return;
		}
		reason = leave(conn, err);
	}
	kt_close_abrupt(conn, reason, KT_ALERT_INTERNAL_ERROR);
}

void kt_backend_connect(struct kt_conn *conn)
{
	conn->state = KT_CONN_CONNECT;
	try_next(conn, "internal");
}

static void failed(struct kt_conn *conn, int err)
{
	try_next(conn, leave(conn, err));
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

static void answered(struct kt_conn *conn, int res)
{
	if (res)
		failed(conn, res);
	else
		connected(conn);
}

void kt_backend_complete(struct kt_conn *conn, enum kt_op op, int res)
{
	/* Of one that had its time, all there is to wait for is that its socket is closed. */
	if (conn->backend_unwanted) {
		if (conn->backend_fd < 0)
			try_next(conn, "backend_timeout");
	} else if (op == KT_OP_BACKEND_CONNECT) {
		answered(conn, res);
	} else if (op == KT_OP_BACKEND_SEND) {
		sent_header(conn, res);
	}
}

void kt_backend_expire(struct kt_conn *conn)
{
	kt_list_remove(&conn->wait_link);
	if (!kt_conn_busy(conn, KT_OPS_BACKEND)) {
		failed(conn, -ETIMEDOUT);
		return;
	}
	kt_backend_rest(conn);
	kt_backend_drop(conn, true);
}

/* ---- Waiting for room in a queue ------------------------------------------------------------- */

static void ask_again(struct kt_backend_queue *queue, struct kt_worker *worker)
{
	queue->retry_ns = worker->now_ns + QUEUE_RETRY_NS;
	while (!kt_list_empty(&queue->waiting) && kt_ring_reserve(&worker->ring, KT_RING_STEP)) {
		struct kt_conn *conn =
			kt_list_entry(queue->waiting.next, struct kt_conn, wait_link);
		int err = connect_now(conn);

		if (err == -EAGAIN)
			return;
		kt_list_remove(&conn->wait_link);
		answered(conn, err);
		kt_conn_settle(conn);
	}
}

static uint64_t due_ns(const struct kt_backend_queue *queue)
{
	return kt_list_empty(&queue->waiting) ? UINT64_MAX : queue->retry_ns;
}

void kt_backends_tend(struct kt_door *door)
{
	for (size_t i = 0; i < door->listener->backend_count; i++)
		if (due_ns(&door->queues[i]) <= door->worker->now_ns)
			ask_again(&door->queues[i], door->worker);
}

uint64_t kt_backends_due_ns(const struct kt_door *door)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < door->listener->backend_count; i++)
		if (due_ns(&door->queues[i]) < next)
			next = due_ns(&door->queues[i]);
	return next;
}
