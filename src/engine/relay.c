/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two flows between a client and its backend, each one block: read, send all of it, read again. A
 * sink that takes nothing stops its source after a block and what the sockets hold; while nothing
 * moves there is no block either.
 *
 * Ends. What one side says is passed on as what it was, never as more:
 *
 *   client's close_notify      SHUT_WR to the backend; the other direction goes on
 *   backend's FIN              close_notify and FIN to the client; the other direction goes on
 *   both                       "closed"
 *   client's FIN alone         "truncated": anybody on the path could have sent it (RFC 8446 §6.1),
 *                              so the backend is reset and cannot take what it got for the whole.
 *                              After the backend's FIN, with all of it delivered, many clients end
 *                              this way: that is "closed", but the backend is still reset
 *   client's RST               "reset"; the backend is reset
 *   client's fatal alert       "alert_…", by its name; the backend is reset
 *   no byte for a while        "idle_timeout", also when there are some that a side does not take;
 *                              no clean end for either
 *   KeyUpdate, offloaded       goes on under the next key, where the kernel can (keys.h). Else
 *                              "key_update": it could not go on reading. As the stream is cut in
 *                              the middle, for both sides this is no clean end; nor is
 *   a key is spent             "key_limit" (RFC 8446 §5.5)
 *   backend's RST              "backend_reset": the client gets no close_notify
 *   backend takes no more      what it still sends is delivered (within the linger time), then as
 *                              above; "backend_closed" if it had sent its FIN
 *
 * A backend on a Unix socket cannot be reset: it sees the end of the stream in all cases.
 *
 * Where the client is a server (an origin's), "backend" stands for our plain client, whose names
 * are client_…; and tickets that arrive on an offloaded socket are dropped.
 *
 * Userspace records differ in that one client read may give none or several stretches of data, and
 * in that reading may make the TLS engine answer.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <ktrust/ktls.h>

#include "conn.h"
#include "worker.h"

#define WATCH_MAX     (64u << 10) /* bytes dropped after a client's close_notify */
#define WARNINGS_MAX  4		  /* warning alerts in a row */
#define EMPTY_MAX     32	  /* reads in a row that find empty records alone; as in OpenSSL */
#define ANSWERS_MAX   (64u << 10) /* bytes that a client may leave unread of our answers */
#define LEVEL_WARNING 1
#define USER_CANCELED 90 /* RFC 8446 §6.1: a warning at any level */

/* ---- The client has trouble ------------------------------------------------------------------ */

static bool is_broken(int err)
{
	return err == -ECONNRESET || err == -EPIPE || err == -ETIMEDOUT || err == -EHOSTUNREACH ||
	       err == -ENETUNREACH || err == -ECONNABORTED;
}

static const char *client_error(int err)
{
	switch (err) {
	case -ECONNRESET:
	case -EPIPE:
		return "reset";
	case -ETIMEDOUT:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return "timed_out";
	case -ECONNABORTED:
		return "killed"; /* SOCK_DESTROY */
	case -ENOMEM:
	case -ENOBUFS:
		return "internal";
	default:
		return "io_error";
	}
}

/* A client that said close_notify may leave, unless there was more data for it. */
static void client_lost(struct kt_conn *conn, int err)
{
	bool done = conn->up.state == KT_FLOW_DONE && conn->down.state != KT_FLOW_OPEN;

	kt_close_gone(conn, done ? "closed" : client_error(err));
}

static void client_eof(struct kt_conn *conn)
{
	bool had_all = conn->down.state == KT_FLOW_ENDING || conn->down.state == KT_FLOW_DONE;

	conn->client_eof = true;
	kt_close_gone(conn, had_all ? "closed" : "truncated");
}

/*
 * Bytes have moved. Where the backend takes nothing any more, what it had sent is delivered within
 * the linger time, however it moves.
 */
static void moved(struct kt_conn *conn)
{
	if (conn->up.state != KT_FLOW_BROKEN)
		kt_worker_arm(conn->worker, conn, KT_TIMER_IDLE);
}

/* ---- Client to backend ----------------------------------------------------------------------- */

static void read_client(struct kt_conn *conn, size_t len)
{
	if (conn->ktls)
		kt_client_recv_record(conn);
	else
		kt_client_recv(conn, len);
}

static void up_deliver(struct kt_conn *conn, size_t len)
{
	conn->warnings = 0;
	conn->empty_reads = 0;
	conn->up.len = (uint32_t)len;
	conn->up.off = 0;
	kt_backend_send(conn);
}

/* The client has said close_notify. It is read on only to see it leave. */
static void up_end(struct kt_conn *conn)
{
	conn->up.state = KT_FLOW_DONE;
	shutdown(conn->backend_fd, SHUT_WR);
	if (conn->down.state == KT_FLOW_DONE)
		kt_close_clean(conn, "closed");
	else
		read_client(conn, KT_BLOCK_LEN);
}

/* More records may be read unless the client leaves our answers lying. */
static void read_records(struct kt_conn *conn)
{
	const uint8_t *data;

	conn->up_stalled = kt_tls_output(conn->tls, &data) > ANSWERS_MAX;
	if (!conn->up_stalled)
		read_client(conn, kt_tls_want(conn->tls));
}

static void up_failed(struct kt_conn *conn)
{
	const char *failure = kt_tls_failure(conn->tls);

	/* Who sent a fatal alert listens no more (RFC 8446 §6.2). */
	if (kt_tls_peer_alert(conn->tls) >= 0)
		kt_close_gone(conn, kt_alert_end(kt_tls_peer_alert(conn->tls)));
	else
		kt_close_abrupt(conn, failure ? failure : "internal", 0);
}

static void up_decrypt(struct kt_conn *conn)
{
	ssize_t len = kt_tls_read(conn->tls, conn->up.buf, KT_BLOCK_LEN);

	kt_client_flush(conn);
	/* There was no memory for its words. */
	if (conn->state != KT_CONN_RELAY)
		return;
	if (len > 0) {
		up_deliver(conn, (size_t)len);
	} else if (!len) {
		up_end(conn);
	} else if (len == -EAGAIN) {
		read_records(conn);
	} else {
		up_failed(conn);
	}
}

static void up_next(struct kt_conn *conn)
{
	/* The block is that of what was read last: of the handshake, at first. */
	if (conn->tls)
		up_decrypt(conn);
	else
		read_client(conn, KT_BLOCK_LEN);
}

static void heed(struct kt_conn *conn, uint8_t level, uint8_t description)
{
	if (description == KT_ALERT_CLOSE_NOTIFY) {
		up_end(conn);
	} else if (description != USER_CANCELED &&
		   (level != LEVEL_WARNING || conn->identity.version == KT_TLS_1_3)) {
		/* In TLS 1.3 all others are fatal, whatever their level says. */
		kt_close_gone(conn, kt_alert_end(description));
	} else if (++conn->warnings > WARNINGS_MAX) {
		kt_close_abrupt(conn, "protocol_error", KT_ALERT_UNEXPECTED_MESSAGE);
	} else {
		up_next(conn);
	}
}

/* One alert a record, whole (RFC 8446 §5.1). An empty record comes without a block. */
static void up_alert(struct kt_conn *conn, size_t len)
{
	if (len != KT_ALERT_LEN)
		kt_close_abrupt(conn, "protocol_error", KT_ALERT_UNEXPECTED_MESSAGE);
	else
		heed(conn, conn->up.buf[0], conn->up.buf[1]);
}

/*
 * Takes tickets off the front of a handshake record. How many bytes are left of it, which are at
 * the front then; -EPROTO.
 */
static ssize_t drop_tickets(struct kt_conn *conn, size_t len)
{
	ssize_t dropped;

	if (!kt_conn_is_origin(conn) || conn->identity.version != KT_TLS_1_3)
		return (ssize_t)len;
	dropped = kt_tickets_drop(&conn->tickets, conn->up.buf, len);
	if (dropped < 0)
		return dropped;
	memmove(conn->up.buf, conn->up.buf + dropped, len - (size_t)dropped);
	return (ssize_t)len - dropped;
}

static void up_handshake(struct kt_conn *conn, size_t len)
{
	ssize_t left = len ? drop_tickets(conn, len) : -EPROTO;

	if (left < 0)
		kt_close_abrupt(conn, "protocol_error", KT_ALERT_UNEXPECTED_MESSAGE);
	else if (left)
		kt_conn_keys_record(conn, (size_t)left);
	else
		up_next(conn);
}

static void up_data(struct kt_conn *conn, size_t len)
{
	if (kt_conn_is_origin(conn) && !kt_tickets_data(&conn->tickets, len)) {
		kt_close_abrupt(conn, "protocol_error", KT_ALERT_UNEXPECTED_MESSAGE);
		return;
	}
	if (!kt_conn_keys_received(conn, len))
		return;
	if (len)
		up_deliver(conn, len);
	else
		up_next(conn);
}

/* One record's content, or a stretch of several data records, out of an offloaded socket. */
static void up_record(struct kt_conn *conn, size_t len)
{
	switch (kt_ktls_record_type(&conn->recv_msg)) {
	case KT_RECORD_DATA:
		up_data(conn, len);
		break;
	case KT_RECORD_ALERT:
		up_alert(conn, len);
		break;
	case KT_RECORD_HANDSHAKE:
		up_handshake(conn, len);
		break;
	default:
		kt_close_abrupt(conn, "protocol_error", KT_ALERT_UNEXPECTED_MESSAGE);
		break;
	}
}

/* After its close_notify nothing that a client sends has a meaning. */
static void watched(struct kt_conn *conn, int res)
{
	if (kt_client_is_bad_record(conn, res))
		return;
	if (res < 0) {
		client_lost(conn, res);
	} else if (kt_client_is_eof(conn, res)) {
		conn->client_eof = true;
	} else {
		conn->dropped += res ? (uint32_t)res : 1;
		if (conn->dropped < WATCH_MAX)
			read_client(conn, KT_BLOCK_LEN);
	}
}

static void nothing_came(struct kt_conn *conn)
{
	if (kt_client_took_empty(conn) && ++conn->empty_reads > EMPTY_MAX)
		kt_close_abrupt(conn, "empty_record_flood", KT_ALERT_UNEXPECTED_MESSAGE);
	else
		kt_client_recv_again(conn);
}

/* Reading has failed. Where the socket is not broken by that, the client is told. */
static void unreadable(struct kt_conn *conn, int err)
{
	if (conn->ktls && err == -EKEYEXPIRED)
		/* The kernel waits for a key, and we know of no KeyUpdate. */
		kt_close_abrupt(conn, "key_update", KT_ALERT_INTERNAL_ERROR);
	else if (kt_client_is_bad_record(conn, err))
		kt_close_abrupt(conn, "bad_record", KT_ALERT_BAD_RECORD_MAC);
	else if (is_broken(err))
		client_lost(conn, err);
	else
		kt_close_abrupt(conn, client_error(err), KT_ALERT_INTERNAL_ERROR);
}

static void received(struct kt_conn *conn, int res)
{
	if (kt_client_gave_nothing(conn, res))
		nothing_came(conn);
	else if (conn->up.state == KT_FLOW_DONE)
		watched(conn, res);
	else if (res < 0)
		unreadable(conn, res);
	else if (kt_client_is_eof(conn, res))
		client_eof(conn);
	else if (conn->ktls)
		up_record(conn, (size_t)res);
	else if (kt_tls_input(conn->tls, conn->up.buf, (size_t)res) < 0)
		kt_close_abrupt(conn, "internal", KT_ALERT_INTERNAL_ERROR);
	else
		up_decrypt(conn);
}

/*
 * The backend takes nothing any more. What it has sent before may be the reason (an early answer),
 * so that is delivered; but a reset is reported to a socket once, and a later end of its stream is
 * not to be believed.
 */
static void up_broken(struct kt_conn *conn)
{
	conn->up.state = KT_FLOW_BROKEN;
	if (conn->down.state == KT_FLOW_OPEN)
		kt_worker_arm(conn->worker, conn, KT_TIMER_LINGER);
	else
		kt_close_abrupt(conn, kt_plain_side(conn, "backend_closed", "client_closed"), 0);
}

static void delivered_up(struct kt_conn *conn, int res)
{
	if (res < 0) {
		up_broken(conn);
		return;
	}
	conn->up.off += (uint32_t)res;
	moved(conn);
	kt_count(&conn->bytes_in, (uint64_t)res);
	kt_count(&conn->worker->stats.bytes_in, (uint64_t)res);
	if (conn->up.off < conn->up.len)
		kt_backend_send(conn);
	else
		up_next(conn);
}

/* ---- Backend to client ----------------------------------------------------------------------- */

static void count_out(struct kt_conn *conn, size_t len)
{
	moved(conn);
	kt_count(&conn->bytes_out, len);
	kt_count(&conn->worker->stats.bytes_out, len);
}

static void down_deliver(struct kt_conn *conn)
{
	struct kt_flow *down = &conn->down;

	if (conn->ktls) {
		kt_client_send(conn, down->buf + down->off, down->len - down->off);
	} else if (kt_tls_write(conn->tls, down->buf, down->len)) {
		const char *failure = kt_tls_failure(conn->tls);

		kt_close_abrupt(conn, failure ? failure : "internal", 0);
	} else {
		count_out(conn, down->len);
		kt_client_flush(conn);
	}
}

static void down_done(struct kt_conn *conn)
{
	conn->down.state = KT_FLOW_DONE;
	shutdown(conn->fd, SHUT_WR);
	if (conn->up.state == KT_FLOW_DONE)
		kt_close_clean(conn, "closed");
}

static void down_end(struct kt_conn *conn)
{
	conn->down.state = KT_FLOW_ENDING;
	if (conn->ktls)
		kt_client_send_alert(conn, LEVEL_WARNING, KT_ALERT_CLOSE_NOTIFY);
	else if (kt_tls_close_notify(conn->tls))
		kt_close_abrupt(conn, "internal", KT_ALERT_INTERNAL_ERROR);
	else if (!kt_client_flush(conn))
		down_done(conn);
}

static void from_backend(struct kt_conn *conn, int res)
{
	if (res > 0) {
		conn->down.len = (uint32_t)res;
		conn->down.off = 0;
		down_deliver(conn);
	} else if (!res && conn->up.state != KT_FLOW_BROKEN) {
		down_end(conn);
	} else if (!res || res == -ECONNRESET || res == -EPIPE) {
		kt_close_abrupt(conn, kt_plain_side(conn, "backend_reset", "client_reset"),
				KT_ALERT_INTERNAL_ERROR);
	} else {
		kt_close_abrupt(conn, kt_plain_side(conn, "backend_error", "client_error"),
				KT_ALERT_INTERNAL_ERROR);
	}
}

/* All that was to be sent is with TCP. */
static void down_next(struct kt_conn *conn)
{
	if (conn->down.state == KT_FLOW_ENDING)
		down_done(conn);
	else if (!kt_conn_busy(conn, 1u << KT_OP_BACKEND_RECV))
		kt_backend_recv(conn);
}

static void down_go_on(struct kt_conn *conn)
{
	int res;

	if (kt_conn_keys_unhold(conn, &res))
		from_backend(conn, res);
	else if (conn->down.state == KT_FLOW_OPEN && conn->down.off < conn->down.len)
		down_deliver(conn);
	else
		down_next(conn);
}

static void sent_record(struct kt_conn *conn, size_t len)
{
	if (conn->down.state == KT_FLOW_OPEN) {
		conn->down.off += (uint32_t)len;
		count_out(conn, len);
		if (!kt_conn_keys_used(conn, len) || kt_conn_keys_send(conn))
			return;
	}
	down_go_on(conn);
}

/* The KeyUpdate before what comes next has been sent, or not. */
static void sent_key_update(struct kt_conn *conn, int res)
{
	int err = kt_conn_keys_sent(conn, res);

	if (!err)
		down_go_on(conn);
	else if (res < 0)
		client_lost(conn, res);
	else
		/* The client waits for a key that we have not got: it could read no alert. */
		kt_close_abrupt(conn, "rekey_failed", 0);
}

static void sent(struct kt_conn *conn, int res)
{
	int more;

	if (kt_conn_keys_sending(conn)) {
		sent_key_update(conn, res);
		return;
	}
	if (conn->ktls && res >= 0) {
		sent_record(conn, (size_t)res);
		return;
	}
	more = conn->ktls ? res : kt_client_flushed(conn, res);
	if (more < 0) {
		client_lost(conn, more);
		return;
	}
	if (more)
		return;
	if (conn->up_stalled)
		read_records(conn);
	down_next(conn);
}

/* ---- Both ------------------------------------------------------------------------------------ */

void kt_relay_start(struct kt_conn *conn)
{
	conn->state = KT_CONN_RELAY;
	moved(conn);
	kt_backend_recv(conn);
	up_next(conn);
}

void kt_relay_complete(struct kt_conn *conn, enum kt_op op, int res)
{
	switch (op) {
	case KT_OP_CLIENT_RECV:
		received(conn, res);
		break;
	case KT_OP_CLIENT_SEND:
		sent(conn, res);
		break;
	case KT_OP_BACKEND_RECV:
		if (!kt_conn_keys_hold(conn, res))
			from_backend(conn, res);
		break;
	case KT_OP_BACKEND_SEND:
		delivered_up(conn, res);
		break;
	default:
		break;
	}
}
