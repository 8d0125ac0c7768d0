/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ending a connection so that the client gets our last words.
 *
 * A socket that is closed while unread input is queued sends RST, and a client that receives it may
 * lose the alert or the data before it. So our side is ended first (FIN), and the client is read
 * until it ends too, for as long as the linger deadline and LINGER_MAX allow.
 */
#include <errno.h>
#include <sys/socket.h>

#include "conn.h"
#include "worker.h"

#define LINGER_MAX (256u << 10) /* bytes read from a client for no other purpose */

/*
 * The kernel keeps the error of a record it could not read for the socket's next call, whatever
 * that is. It must not be the send of the alert, which would be lost.
 */
static void forget_error(int fd)
{
	socklen_t len = sizeof(int);
	int err;

	(void)!getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
}

static void step(struct kt_conn *conn)
{
	if (conn->state == KT_CONN_CLOSING) {
		if (kt_client_flush(conn))
			return;
		if (conn->alert_due) {
			forget_error(conn->fd);
			kt_client_send_alert(conn, 2, conn->alert_due);
			conn->alert_due = 0;
			return;
		}
		if (conn->down.state != KT_FLOW_DONE) /* else the relay did */
			shutdown(conn->fd, SHUT_WR);
		conn->state = KT_CONN_LINGERING;
	}
	if (conn->client_eof || conn->dropped > LINGER_MAX) {
		kt_conn_die(conn);
		return;
	}
	/* The backend's last operation may still be reading from the block. */
	if (kt_conn_busy(conn, KT_OPS_BACKEND | 1u << KT_OP_CLIENT_RECV))
		return;
	if (conn->ktls)
		kt_client_recv_record(conn);
	else
		kt_client_recv(conn, KT_BLOCK_LEN);
}

static void begin(struct kt_conn *conn, const char *reason, bool reset)
{
	conn->reason = reason;
	conn->state = KT_CONN_CLOSING;
	kt_worker_arm(conn->worker, conn, KT_TIMER_LINGER);
	kt_backend_drop(conn, reset);
}

void kt_close_clean(struct kt_conn *conn, const char *reason)
{
	begin(conn, reason, false);
	step(conn);
}

void kt_close_abrupt(struct kt_conn *conn, const char *reason, uint8_t alert)
{
	begin(conn, reason, true);
	/* After a close_notify there is nothing more to say. */
	if (conn->ktls && conn->down.state == KT_FLOW_OPEN)
		conn->alert_due = alert;
	step(conn);
}

void kt_close_gone(struct kt_conn *conn, const char *reason)
{
	conn->reason = reason;
	kt_conn_die(conn);
}

/* Goes on with step unless the client is broken or a send of ours is not through. */
static bool sent(struct kt_conn *conn, int res)
{
	int more;

	/* The client goes on reading under the next key: the alert must be under it, too. */
	if (kt_conn_keys_sending(conn))
		res = kt_conn_keys_sent(conn, res);
	if (!conn->tls) {
		if (res < 0)
			kt_conn_die(conn);
		return res >= 0;
	}
	more = kt_client_flushed(conn, res);
	if (more < 0)
		kt_conn_die(conn);
	return !more;
}

static bool received(struct kt_conn *conn, int res)
{
	if (conn->state == KT_CONN_LINGERING && kt_client_gave_nothing(conn, res)) {
		kt_client_recv_again(conn);
		return false;
	}
	/*
	 * What the kernel cannot read stays queued: closing now would reset the connection over our
	 * last words. The linger deadline ends it.
	 */
	if (kt_client_is_bad_record(conn, res))
		return false;
	if (res < 0 && !kt_client_gave_nothing(conn, res)) {
		kt_conn_die(conn);
		return false;
	}
	if (kt_client_is_eof(conn, res))
		conn->client_eof = true;
	conn->dropped += res > 0 ? (uint32_t)res : 1;
	return true;
}

void kt_close_complete(struct kt_conn *conn, enum kt_op op, int res)
{
	if (op == KT_OP_CLIENT_SEND && !sent(conn, res))
		return;
	if (op == KT_OP_CLIENT_RECV && !received(conn, res))
		return;
	step(conn);
}
