/* SPDX-License-Identifier: BSD-2-Clause */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READS	   16 /* of one connection before others' turn */
#define IDLE_S	   300
#define LINGER_S   2
#define LINGER_MAX (256U << 10) /* bytes */
#define SEND_SHARE 4		/* see offload */
#define UPDATES	   64		/* of a peer's keys without data in between */

/* RFC 8446 §6 */
#define LEVEL_WARNING		 1
#define LEVEL_FATAL		 2
#define ALERT_UNEXPECTED_MESSAGE 10
#define ALERT_BAD_RECORD_MAC	 20
#define ALERT_INTERNAL_ERROR	 80

#define KEY_UPDATE 24 /* RFC 8446 §4 */

enum next { GO_ON, WAIT };

int64_t connection_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void say(const struct connection *connection, const char *what, const char *more)
{
	printf("%d %s: %s\n", connection->fd, what, more);
}

struct connection *connection_new(struct kt_tls_context *context,
				  const struct kt_ktls_support *support, int fd,
				  int64_t handshake_s)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (!connection || kt_tls_new(context, NULL, &connection->tls)) {
		free(connection);
		close(fd);
		return NULL;
	}
	connection->fd = fd;
	connection->support = support;
	connection->deadline = connection_clock() + handshake_s;
	return connection;
}

void connection_free(struct connection *connection)
{
	say(connection, "ended", connection->reason);
	close(connection->fd);
	kt_tls_free(connection->tls);
	kt_rekey_wipe(&connection->rekey);
	explicit_bzero(connection->buffer, sizeof connection->buffer);
	free(connection);
}

/*
 * recvmsg into the buffer. A peer that sends faster than we read must not keep us from the others:
 * after some reads there is nothing for now, and the loop, which must be level-triggered, will tell
 * of the rest again.
 */
static ssize_t receive(struct connection *connection, size_t most, struct msghdr *msg)
{
	struct iovec iov = {.iov_base = connection->buffer,
			    .iov_len = least(most, CONNECTION_BUFFER)};
	struct msghdr plain = {0};

	if (!msg)
		msg = &plain;
	if (!connection->reads) {
		errno = EAGAIN;
		return -1;
	}
	connection->reads--;
	msg->msg_iov = &iov;
	msg->msg_iovlen = 1;
	return recvmsg(connection->fd, msg, 0);
}

/* ---- Ending ---------------------------------------------------------------------------------- */

/*
 * What is in the output is sent first, an alert too: userspace records have theirs in it by
 * themselves. With the kernel's, we say it here.
 */
static enum next end(struct connection *connection, const char *reason, uint8_t level,
		     uint8_t alert)
{
	int error;
	socklen_t len = sizeof error;

	connection->reason = reason;
	connection->state = CLOSING;
	connection->deadline = connection_clock() + LINGER_S;
	if (connection->tls || level == 0)
		return GO_ON;
	/* The kernel keeps the error of a bad record for the next call: not for the alert's. */
	(void)getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	/* Should the socket be full, the peer sees an end without close_notify: not a whole one. */
	(void)!kt_ktls_send_alert(connection->fd, level, alert);
	return GO_ON;
}

/* There is nobody any more who could be told anything. */
static enum next lost(struct connection *connection, const char *reason)
{
	connection->reason = reason;
	connection->state = OVER;
	return WAIT;
}

/*
 * Closing a socket with unread input sends RST, which may overtake our last words. So ours is ended
 * first, and the peer is read until it ends too, within bounds.
 */
static enum next linger(struct connection *connection)
{
	ssize_t got;

	if (connection->state == CLOSING) {
		shutdown(connection->fd, SHUT_WR);
		connection->state = LINGERING;
	}
	got = receive(connection, CONNECTION_BUFFER, NULL);
	if (got < 0 && errno == EAGAIN)
		return WAIT;
	if (got < 0 && !connection->tls && errno != ECONNRESET) {
		/* A record that the kernel cannot read stays; the deadline ends this. */
		connection->wants = WANTS_TIME;
		return WAIT;
	}
	connection->lingered += got > 0 ? (size_t)got : 0;
	if (got <= 0 || connection->lingered > LINGER_MAX)
		return lost(connection, connection->reason);
	return GO_ON;
}

/* ---- The handshake --------------------------------------------------------------------------- */

static enum next failed_read(struct connection *connection, ssize_t got)
{
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return WAIT;
	return lost(connection, got < 0 ? "lost" : "truncated");
}

static enum next shake(struct connection *connection)
{
	/* Not a byte more than kt_tls_want says, so that none is left for the kernel to miss. */
	ssize_t got = receive(connection, kt_tls_want(connection->tls), NULL);
	int status;

	if (got < 0)
		return failed_read(connection, got);
	status = got ? kt_tls_input(connection->tls, connection->buffer, (size_t)got)
		     : kt_tls_input_eof(connection->tls);
	if (status == KT_TLS_DONE)
		connection->state = SHAKEN;
	else if (status == KT_TLS_FAILED)
		return end(connection, kt_tls_failure(connection->tls), 0, 0);
	else if (status < 0)
		return lost(connection, "no memory");
	return GO_ON;
}

/*
 * What may fail harmlessly comes first; from kt_tls_export on there is no way back to userspace
 * records: 1 done, 0 not here, -errno the connection has to end.
 *
 * The kernel may keep the rest of a record that TCP had no room for, and say that all was sent; a
 * FIN may then overtake it. So nothing longer than a share of the send buffer is sent, and only
 * when the socket is writable, which means that a third of the buffer is free.
 */
static int offload(struct connection *connection)
{
	struct kt_traffic traffic;
	enum kt_cipher cipher;
	uint16_t version;
	int err, size = 0;
	socklen_t len = sizeof size;

	if (kt_tls_cipher(connection->tls, &version, &cipher) ||
	    !kt_ktls_supports(connection->support, version, cipher) ||
	    kt_ktls_attach(connection->fd))
		return 0;
	if (getsockopt(connection->fd, SOL_SOCKET, SO_SNDBUF, &size, &len))
		return 0;
	connection->rekeys = connection->support->rekey &&
			     !kt_tls_secrets(connection->tls, &connection->rekey.secrets);
	err = kt_tls_export(connection->tls, &traffic);
	if (err)
		return err == -EOPNOTSUPP ? 0 : err;
	err = kt_ktls_install(connection->fd, KT_TX, version, cipher, &traffic.tx);
	if (!err)
		err = kt_ktls_install(connection->fd, KT_RX, version, cipher, &traffic.rx);
	kt_traffic_wipe(&traffic);
	if (err)
		return err;
	kt_tls_free(connection->tls);
	connection->tls = NULL;
	connection->send_max = (size_t)size / SEND_SHARE;
	return 1;
}

/* All of the handshake's output is sent. */
static enum next place_records(struct connection *connection)
{
	struct kt_tls_info info;
	char more[256];
	int placed;

	kt_tls_describe(connection->tls, &info);
	placed = offload(connection);
	if (placed < 0)
		return lost(connection, "offload failed");
	snprintf(more, sizeof more, "%s by pool version %llu, %s, records: %s", info.peer,
		 (unsigned long long)info.verdict.pool_version, info.cipher_name,
		 placed ? "kernel" : "userspace");
	say(connection, "accepted", more);
	connection->state = ECHOING;
	connection->deadline = connection_clock() + IDLE_S;
	return GO_ON;
}

/* ---- The echo -------------------------------------------------------------------------------- */

static enum next echo_userspace(struct connection *connection)
{
	ssize_t got = kt_tls_read(connection->tls, connection->buffer, CONNECTION_BUFFER);

	if (got > 0) {
		if (kt_tls_write(connection->tls, connection->buffer, (size_t)got))
			return end(connection, "cannot write", 0, 0);
		return GO_ON;
	}
	if (got == 0) {
		(void)!kt_tls_close_notify(connection->tls);
		return end(connection, "closed", 0, 0);
	}
	if (got != -EAGAIN)
		return end(connection, kt_tls_failure(connection->tls), 0, 0);
	got = receive(connection, kt_tls_want(connection->tls), NULL);
	if (got <= 0)
		return failed_read(connection, got);
	if (kt_tls_input(connection->tls, connection->buffer, (size_t)got) != KT_TLS_DONE)
		return lost(connection, "internal");
	return GO_ON;
}

/* Nothing is being sent now, so that an answer may go out at once; or when there is room. */
static enum next new_keys(struct connection *connection, size_t len)
{
	uint8_t alert;

	if (++connection->updates > UPDATES)
		return end(connection, "key updates without end", LEVEL_FATAL,
			   ALERT_UNEXPECTED_MESSAGE);
	if (kt_rekey_handle(&connection->rekey, connection->fd, connection->buffer, len, &alert))
		return end(connection, "key update", LEVEL_FATAL, alert);
	return GO_ON;
}

/* What the kernel leaves to us: the records that are not data. */
static enum next control_record(struct connection *connection, int type, size_t len)
{
	const uint8_t *body = connection->buffer;

	if (type == KT_RECORD_ALERT && len == KT_ALERT_LEN && body[1] == KT_ALERT_CLOSE_NOTIFY)
		return end(connection, "closed", LEVEL_WARNING, KT_ALERT_CLOSE_NOTIFY);
	if (type == KT_RECORD_ALERT)
		return end(connection, "peer's alert", 0, 0);
	if (type == KT_RECORD_HANDSHAKE && connection->rekeys)
		return new_keys(connection, len);
	/* What follows has other keys, which this kernel does not take. */
	if (type == KT_RECORD_HANDSHAKE && len && body[0] == KEY_UPDATE)
		return end(connection, "key update", LEVEL_FATAL, ALERT_INTERNAL_ERROR);
	return end(connection, "unexpected record", LEVEL_FATAL, ALERT_UNEXPECTED_MESSAGE);
}

static enum next echo_kernel(struct connection *connection)
{
	_Alignas(struct cmsghdr) char control[KT_KTLS_CONTROL_LEN];
	struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof control};
	ssize_t got = receive(connection, CONNECTION_BUFFER, &msg);
	int type;

	if (got < 0 && (errno == EBADMSG || errno == EINVAL || errno == EMSGSIZE))
		return end(connection, "bad record", LEVEL_FATAL, ALERT_BAD_RECORD_MAC);
	if (got < 0 || (got == 0 && msg.msg_controllen == 0))
		return failed_read(connection, got); /* a FIN that no close_notify announced */
	type = kt_ktls_record_type(&msg);
	if (type != KT_RECORD_DATA)
		return control_record(connection, type, (size_t)got);
	connection->len = (size_t)got;
	connection->sent = 0;
	if (got)
		connection->updates = 0;
	return GO_ON;
}

/* ---- Sending, and the way ------------------------------------------------------------------- */

static bool writable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

	return poll(&poll_fd, 1, 0) > 0;
}

/* What is to be sent next: bytes of the handshake, records, or what the kernel makes records of. */
static size_t output(struct connection *connection, const uint8_t **ret_data)
{
	if (connection->tls)
		return kt_tls_output(connection->tls, ret_data);
	*ret_data = connection->buffer + connection->sent;
	return least(connection->len - connection->sent, connection->send_max);
}

/* GO_ON: all is sent. */
static enum next flush(struct connection *connection)
{
	const uint8_t *data;
	size_t len;

	if (connection->rekey.answer_owed && connection->state == ECHOING) {
		int err = -EAGAIN;

		if (writable(connection->fd))
			err = kt_rekey_send(&connection->rekey, connection->fd, false);
		if (err)
			return err == -EAGAIN ? WAIT : lost(connection, "lost");
	}
	while ((len = output(connection, &data))) {
		ssize_t sent = -1;

		errno = EAGAIN;
		if (connection->tls || writable(connection->fd))
			sent = send(connection->fd, data, len, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN ? WAIT : lost(connection, "lost");
		if (connection->tls)
			kt_tls_output_done(connection->tls, (size_t)sent);
		else
			connection->sent += (size_t)sent;
	}
	return GO_ON;
}

static enum next step(struct connection *connection)
{
	switch (connection->state) {
	case SHAKING:
		return shake(connection);
	case SHAKEN:
		return place_records(connection);
	case ECHOING:
		return connection->tls ? echo_userspace(connection) : echo_kernel(connection);
	default:
		return linger(connection);
	}
}

void connection_go_on(struct connection *connection)
{
	enum next next = GO_ON;

	connection->reads = READS;
	if (connection->state == ECHOING)
		connection->deadline = connection_clock() + IDLE_S;
	while (next == GO_ON) {
		connection->wants = WANTS_ROOM;
		next = flush(connection);
		if (next == WAIT)
			break;
		connection->wants = WANTS_INPUT;
		next = step(connection);
	}
}

void connection_expire(struct connection *connection)
{
	if (connection->state == SHAKING || connection->state == SHAKEN)
		connection->reason = "handshake timeout";
	else if (connection->state == ECHOING)
		connection->reason = "idle";
}
