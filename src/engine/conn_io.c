/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of one connection on its worker's ring.
 *
 * Sending on an offloaded socket. When TCP has no room for all of a record that the kernel's TLS
 * has encrypted, TLS keeps the rest, to push it later from its own worker, and reports the send as
 * complete (net/tls/tls_sw.c: tls_sw_sendmsg goes on after -EAGAIN of tls_push_record). A FIN that
 * follows may overtake that rest, and the end of the stream would be lost. So a send is only begun
 * when the socket is writable, which in Linux means that a third of its send buffer is free
 * (sk_stream_is_writeable), and no longer than a quarter of it: then nothing stays behind.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ktrust/ktls.h>

#include "conn.h"
#include "ring.h"
#include "worker.h"

static struct io_uring_sqe *begin(struct kt_conn *conn, enum kt_op op)
{
	conn->busy |= (uint16_t)(1u << op);
	return kt_ring_sqe(&conn->worker->ring, kt_op_data(conn, op));
}

/* ---- Reading --------------------------------------------------------------------------------- */

void kt_flow_drop(struct kt_worker *worker, struct kt_flow *flow)
{
	if (flow->buf)
		kt_blocks_give(&worker->blocks, flow->block);
	flow->buf = NULL;
}

static void select_block(struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = KT_BLOCK_GROUP;
}

void kt_client_recv(struct kt_conn *conn, size_t max)
{
	struct io_uring_sqe *sqe = begin(conn, KT_OP_CLIENT_RECV);

	kt_flow_drop(conn->worker, &conn->up);
	conn->recv_max = max < KT_BLOCK_LEN ? (uint32_t)max : KT_BLOCK_LEN;
	io_uring_prep_recv(sqe, conn->fd, NULL, conn->recv_max, 0);
	select_block(sqe);
}

/*
 * Poll of several shots tells of what is new, once. One of a single shot would tell of a part of a
 * record, too, again and again, after our FIN, and before Linux 6.5 always (net/tls/tls_main.c:
 * tls_sk_poll).
 */
static void watch(struct kt_conn *conn)
{
	io_uring_prep_poll_multishot(begin(conn, KT_OP_CLIENT_POLL), conn->fd, POLLIN | POLLRDHUP);
}

static bool is_watched(const struct kt_conn *conn)
{
	return kt_conn_busy(conn, 1u << KT_OP_CLIENT_POLL);
}

/*
 * It does not wait. Records without content (RFC 8446 §5.4) the kernel takes, to go on to the next.
 * Where there is none yet io_uring would wait and ask again, at the 128th time in a thread of the
 * kernel (io-wq), of which there are few.
 */
void kt_client_recv_record(struct kt_conn *conn)
{
	struct io_uring_sqe *sqe;

	kt_flow_drop(conn->worker, &conn->up);
	conn->told = false;
	if (!is_watched(conn))
		watch(conn);
	sqe = begin(conn, KT_OP_CLIENT_RECV);
	memset(conn->recv_control, 0, sizeof conn->recv_control);
	conn->recv_iov = (struct iovec){.iov_len = KT_BLOCK_LEN};
	conn->recv_msg = (struct msghdr){
		.msg_iov = &conn->recv_iov,
		.msg_iovlen = 1,
		.msg_control = conn->recv_control,
		.msg_controllen = sizeof conn->recv_control,
	};
	io_uring_prep_recvmsg(sqe, conn->fd, &conn->recv_msg, MSG_DONTWAIT);
	select_block(sqe);
}

bool kt_client_gave_nothing(const struct kt_conn *conn, int res)
{
	return conn->ktls && res == -EAGAIN;
}

bool kt_client_took_empty(const struct kt_conn *conn)
{
	return ((const struct cmsghdr *)conn->recv_control)->cmsg_len;
}

void kt_client_recv_again(struct kt_conn *conn)
{
	if (is_watched(conn) && !conn->told) {
		conn->dozes = true;
		conn->busy |= 1u << KT_OP_CLIENT_RECV;
		return;
	}
	kt_client_recv_record(conn);
}

static void stop_dozing(struct kt_conn *conn)
{
	if (conn->dozes)
		conn->busy &= (uint16_t) ~(1u << KT_OP_CLIENT_RECV);
	conn->dozes = false;
}

void kt_client_told(struct kt_conn *conn, bool more)
{
	if (!more)
		conn->busy &= (uint16_t) ~(1u << KT_OP_CLIENT_POLL);
	conn->told = true;
	if (!conn->dozes)
		return;
	stop_dozing(conn);
	kt_client_recv_record(conn);
}

bool kt_client_is_eof(const struct kt_conn *conn, int res)
{
	return !res && !(conn->ktls && conn->recv_msg.msg_controllen);
}

void kt_backend_recv(struct kt_conn *conn)
{
	struct io_uring_sqe *sqe = begin(conn, KT_OP_BACKEND_RECV);

	kt_flow_drop(conn->worker, &conn->down);
	io_uring_prep_recv(sqe, conn->backend_fd, NULL, KT_BLOCK_LEN, 0);
	select_block(sqe);
}

void kt_conn_feed(struct kt_conn *conn)
{
	unsigned int starved = conn->starved;

	conn->starved = 0;
	kt_list_remove(&conn->wait_link);
	if (starved & 1u << KT_OP_BACKEND_RECV)
		kt_backend_recv(conn);
	if (!(starved & 1u << KT_OP_CLIENT_RECV))
		return;
	if (conn->ktls)
		kt_client_recv_record(conn);
	else
		kt_client_recv(conn, conn->recv_max);
}

/* Reads that wait for a block are nowhere but here. */
static void forget_starved(struct kt_conn *conn, unsigned int ops)
{
	conn->busy &= (uint16_t) ~(conn->starved & ops);
	conn->starved &= (uint16_t)~ops;
	if (!conn->starved)
		kt_list_remove(&conn->wait_link);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* Our FIN follows at once, and may go in the same segment. */
static bool is_last(const struct kt_conn *conn)
{
	return !conn->ktls &&
	       (conn->state == KT_CONN_CLOSING || conn->down.state == KT_FLOW_ENDING);
}

void kt_client_send(struct kt_conn *conn, const void *buf, size_t len)
{
	struct io_uring_sqe *sqe = begin(conn, KT_OP_CLIENT_SEND);

	if (conn->ktls && len > conn->ktls_send_max)
		len = conn->ktls_send_max;
	io_uring_prep_send(sqe, conn->fd, buf, len, MSG_NOSIGNAL | (is_last(conn) ? MSG_MORE : 0));
	if (conn->ktls)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

/* There is no memory for its words. */
static void give_up(struct kt_conn *conn)
{
	if (conn->state == KT_CONN_HANDSHAKE)
		kt_handshake_fail(conn, "internal");
	if (conn->state < KT_CONN_CLOSING)
		kt_close_gone(conn, "internal");
	else
		kt_conn_die(conn);
}

void kt_client_send_control(struct kt_conn *conn, uint8_t type, const void *content, size_t len)
{
	struct kt_control_message *message =
		conn->control ? conn->control : malloc(sizeof *message);
	struct io_uring_sqe *sqe;

	if (!message) {
		give_up(conn);
		return;
	}
	conn->control = message;
	memcpy(message->content, content, len);
	message->iov = (struct iovec){.iov_base = message->content, .iov_len = len};
	message->msg = (struct msghdr){.msg_iov = &message->iov, .msg_iovlen = 1};
	kt_ktls_set_record_type(&message->msg, message->control, type);
	sqe = begin(conn, KT_OP_CLIENT_SEND);
	io_uring_prep_sendmsg(sqe, conn->fd, &message->msg, MSG_NOSIGNAL);
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
}

void kt_client_send_alert(struct kt_conn *conn, uint8_t level, uint8_t description)
{
	const uint8_t alert[KT_ALERT_LEN] = {level, description};

	kt_client_send_control(conn, KT_RECORD_ALERT, alert, sizeof alert);
}

bool kt_client_is_bad_record(const struct kt_conn *conn, int err)
{
	return conn->ktls &&
	       (err == -EBADMSG || err == -EINVAL || err == -EMSGSIZE || err == -EKEYEXPIRED);
}

/*
 * The output is copied out of the TLS engine, whose buffer may move with the next call, while the
 * kernel reads what is being sent.
 */
bool kt_client_flush(struct kt_conn *conn)
{
	const uint8_t *data = NULL;
	size_t len;

	if (kt_conn_busy(conn, 1u << KT_OP_CLIENT_SEND))
		return true;
	if (!conn->tls)
		return false;
	len = kt_tls_output(conn->tls, &data);
	/* Answers to what comes after our close_notify find no way out any more. */
	if (conn->down.state == KT_FLOW_DONE) {
		kt_tls_output_done(conn->tls, len);
		return false;
	}
	if (!len)
		return false;
	if (len > KT_OUT_LEN)
		len = KT_OUT_LEN;
	conn->out = malloc(len);
	if (!conn->out) {
		give_up(conn);
		return true;
	}
	memcpy(conn->out, data, len);
	kt_tls_output_done(conn->tls, len);
	conn->out_len = (uint32_t)len;
	conn->out_off = 0;
	kt_client_send(conn, conn->out, len);
	return true;
}

int kt_client_flushed(struct kt_conn *conn, int res)
{
	if (res < 0)
		return res;
	conn->out_off += (uint32_t)res;
	if (conn->out_off < conn->out_len) {
		kt_client_send(conn, conn->out + conn->out_off, conn->out_len - conn->out_off);
		return 1;
	}
	free(conn->out);
	conn->out = NULL;
	return kt_client_flush(conn);
}

void kt_backend_send(struct kt_conn *conn)
{
	struct io_uring_sqe *sqe = begin(conn, KT_OP_BACKEND_SEND);

	io_uring_prep_send(sqe, conn->backend_fd, conn->up.buf + conn->up.off,
			   conn->up.len - conn->up.off, MSG_NOSIGNAL);
}

/*
 * To find a socket's operations the kernel goes through all that are pending in the ring, to find
 * one by its user_data through a few. A connection that ends by itself has the poll left alone.
 */
static void cancel(struct kt_conn *conn, int fd, enum kt_op op, unsigned int ops)
{
	struct io_uring_sqe *sqe;
	bool poll_alone;

	forget_starved(conn, ops);
	if (!kt_conn_busy(conn, ops) || kt_conn_busy(conn, 1u << op))
		return;
	poll_alone = (conn->busy & ops) == 1u << KT_OP_CLIENT_POLL;
	sqe = begin(conn, op);
	/* ALL: a socket may have one operation pending in each direction, and a poll. */
	if (poll_alone)
		io_uring_prep_cancel64(sqe, kt_op_data(conn, KT_OP_CLIENT_POLL), 0);
	else
		io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
}

void kt_client_cancel(struct kt_conn *conn)
{
	stop_dozing(conn);
	cancel(conn, conn->fd, KT_OP_CLIENT_CANCEL, KT_OPS_CLIENT);
}

void kt_backend_cancel(struct kt_conn *conn)
{
	cancel(conn, conn->backend_fd, KT_OP_BACKEND_CANCEL, KT_OPS_BACKEND);
}

void kt_backend_drop(struct kt_conn *conn, bool reset)
{
	if (conn->backend_fd < 0 || conn->backend_unwanted)
		return;
	conn->backend_unwanted = true;
	conn->backend_reset = reset;
	kt_backend_cancel(conn);
}
