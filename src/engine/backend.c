/* SPDX-License-Identifier: BSD-2-Clause */
/* Reaching the backend. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "conn.h"
#include "ring.h"
#include "worker.h"

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

void kt_backend_connect(struct kt_conn *conn)
{
	const struct kt_address *address = &conn->door->listener->backend;
	struct io_uring_sqe *sqe;
	int fd = open_socket(address);

	if (fd < 0) {
		kt_close_abrupt(conn,
				fd == -EMFILE || fd == -ENFILE ? "no_descriptors" : "no_socket",
				KT_ALERT_INTERNAL_ERROR);
		return;
	}
	conn->backend_fd = fd;
	conn->state = KT_CONN_CONNECT;
	conn->busy |= 1u << KT_OP_BACKEND_CONNECT;
	kt_worker_arm(conn->worker, conn, KT_TIMER_CONNECT);
	sqe = kt_ring_sqe(&conn->worker->ring, kt_op_data(conn, KT_OP_BACKEND_CONNECT));
	io_uring_prep_connect(sqe, fd, (const struct sockaddr *)&address->addr, address->len);
}

void kt_backend_connected(struct kt_conn *conn, int res)
{
	if (res == -ETIMEDOUT) {
		kt_close_abrupt(conn, "backend_timeout", KT_ALERT_INTERNAL_ERROR);
	} else if (res) {
		kt_close_abrupt(conn, "backend_unreachable", KT_ALERT_INTERNAL_ERROR);
	} else {
		kt_relay_start(conn);
	}
}
