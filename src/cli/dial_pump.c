/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktrust dial: bytes both ways, each read only when what was read before is gone.
 *
 * Standard input and output may be shared with other processes, so they stay blocking: they are
 * read and written when poll says so, and written in pieces that a pipe takes whole then.
 *
 * Sending on an offloaded socket keeps to what ktrust/ktls.h says of it: when it is writable, a
 * quarter of its buffer at most.
 */
#include "dial.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ktrust/ktls.h>
#include <ktrust/stream.h>

#define BUFFER	       16384 /* bytes: the plain text of a record */
#define SEND_SHARE     4
#define SEND_LEAST     1024
#define LEVEL_WARNING  1
#define USER_CANCELED  90 /* RFC 8446 §6.1: a warning at any level */
#define WARNINGS_MAX   4  /* in a row */
#define INTERNAL_ERROR 80 /* RFC 8446 §6 */
#define FATAL	       2
#define PART_MS	       100 /* until a part of a record is looked at again */

enum up { UP_OPEN, UP_ENDING, UP_DONE };

struct pump {
	struct kt_dial *dial;
	struct kt_error *error;
	enum up up;	  /* to the server: ENDING until our close_notify is out */
	bool end_is_said; /* it is in the TLS engine's output */
	bool down_open;	  /* until the server's close_notify was read */
	unsigned int warnings;
	int least_readable; /* bytes, from which on poll tells of the socket's */
	size_t send_max;
	size_t up_len, up_off, down_len, down_off;
	uint8_t up_data[BUFFER], down_data[BUFFER];
};

static int fail(struct pump *pump, int err, const char *why)
{
	return kt_error_set(pump->error, err, pump->dial->target, 0, "%s", why);
}

/* With a name that has words: what it means, too. */
static int fail_as(struct pump *pump, const char *name)
{
	const char *words = kt_dial_words(name);

	return kt_error_set(pump->error, EPROTO, pump->dial->target, 0, "%s%s%s", name,
			    words ? ": " : "", words ? words : "");
}

/*
 * The kernel's TLS cannot read a record. It keeps that for the socket's next call, whichever it is.
 */
static bool is_bad_record(const struct pump *pump, int err)
{
	return !pump->dial->tls && (err == EBADMSG || err == EINVAL || err == EMSGSIZE);
}

/* A call of the socket failed. */
static int broken(struct pump *pump, int err)
{
	if (is_bad_record(pump, err))
		return fail_as(pump, "bad_record");
	return kt_error_set(pump->error, err, pump->dial->target, 0, "the connection broke: %s",
			    strerror(err));
}

static void say_alert(struct pump *pump, uint8_t alert)
{
	(void)!kt_ktls_send_alert(pump->dial->fd, FATAL, alert);
}

/* Keys that cannot be replaced; the server shall not take it for our end. */
static int end_of_keys(struct pump *pump, const char *why)
{
	pump->dial->keys_ended = true;
	say_alert(pump, INTERNAL_ERROR);
	return fail(pump, EKEYEXPIRED, why);
}

/* ---- To the server --------------------------------------------------------------------------- */

static bool up_is_empty(struct pump *pump)
{
	const uint8_t *data;

	if (pump->dial->tls)
		return !kt_tls_output(pump->dial->tls, &data);
	return pump->up_off == pump->up_len;
}

static int read_input(struct pump *pump)
{
	ssize_t n = read(STDIN_FILENO, pump->up_data, BUFFER);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? 0
			       : kt_error_set(pump->error, errno, "standard input", 0, "%s",
					      strerror(errno));
	pump->up_len = (size_t)n;
	pump->up_off = 0;
	if (!n)
		pump->up = UP_ENDING;
	else if (pump->dial->tls && kt_tls_write(pump->dial->tls, pump->up_data, (size_t)n))
		return fail(pump, EIO, "cannot encrypt");
	return 0;
}

/* What was encrypted here. The socket does not block. */
static int send_records(struct pump *pump)
{
	struct kt_tls *tls = pump->dial->tls;
	const uint8_t *data;
	size_t len = kt_tls_output(tls, &data);
	ssize_t n = (ssize_t)len;

	/* Answers to what comes after our close_notify find no way out any more. */
	if (len && pump->up != UP_DONE)
		n = send(pump->dial->fd, data, len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : broken(pump, errno);
	kt_tls_output_done(tls, (size_t)n);
	return 0;
}

/* Either sending it failed, or the kernel did not take the key behind it. */
static int no_next_key(struct pump *pump, int err)
{
	if (err == EINVAL || err == EBUSY)
		return fail(pump, err, "rekey_failed: the kernel does not take our next key");
	return broken(pump, err);
}

static int send_plain(struct pump *pump)
{
	struct kt_dial_keys *keys = &pump->dial->keys;
	size_t len = pump->up_len - pump->up_off;
	const char *ended;
	ssize_t n;

	if (kt_dial_keys_due(keys)) {
		int err = kt_dial_keys_send(keys, pump->dial->fd);

		if (err)
			return err == -EAGAIN ? 0 : no_next_key(pump, -err);
	}
	if (!len)
		return 0;
	len = len < pump->send_max ? len : pump->send_max;
	n = send(pump->dial->fd, pump->up_data + pump->up_off, len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : broken(pump, errno);
	pump->up_off += (size_t)n;
	ended = kt_dial_keys_used(keys, KT_TX, (size_t)n);
	return ended ? end_of_keys(pump, ended) : 0;
}

static int end_up(struct pump *pump)
{
	shutdown(pump->dial->fd, SHUT_WR);
	pump->up = UP_DONE;
	return 0;
}

static int say_end_offloaded(struct pump *pump)
{
	int err = kt_ktls_send_alert(pump->dial->fd, LEVEL_WARNING, KT_ALERT_CLOSE_NOTIFY);

	if (err == -EAGAIN)
		return 0;
	pump->dial->keys.last = true;
	return err ? broken(pump, -err) : end_up(pump);
}

static int say_end(struct pump *pump)
{
	if (!pump->dial->tls)
		return say_end_offloaded(pump);
	if (!pump->end_is_said && kt_tls_close_notify(pump->dial->tls))
		return fail(pump, EIO, "cannot say that this is all");
	pump->end_is_said = true;
	if (up_is_empty(pump))
		return end_up(pump);
	return 0;
}

static int send_up(struct pump *pump)
{
	int err = pump->dial->tls ? send_records(pump) : send_plain(pump);

	return !err && pump->up == UP_ENDING && up_is_empty(pump) ? say_end(pump) : err;
}

/* ---- From the server ------------------------------------------------------------------------- */

/* One alert a record, whole (RFC 8446 §5.1). */
static int take_alert(struct pump *pump, size_t len)
{
	uint8_t level = pump->down_data[0], description = pump->down_data[1];

	if (len != KT_ALERT_LEN)
		return fail_as(pump, "protocol_error");
	if (description == KT_ALERT_CLOSE_NOTIFY) {
		pump->down_open = false;
		return 0;
	}
	if (description == USER_CANCELED ||
	    (level == LEVEL_WARNING && pump->dial->info.version != KT_TLS_1_3))
		return ++pump->warnings > WARNINGS_MAX ? fail_as(pump, "protocol_error") : 0;
	pump->dial->refused = true;
	return kt_error_set(pump->error, EACCES, pump->dial->target, 0,
			    "the server ended it with alert %u (%s)", (unsigned int)description,
			    kt_alert_name(description));
}

/* A handshake record, from where it is no ticket any more. */
static int take_message(struct pump *pump, size_t at, size_t len)
{
	struct kt_dial *dial = pump->dial;
	uint8_t alert = INTERNAL_ERROR;
	bool end = false;
	const char *why = kt_dial_keys_record(&dial->keys, dial->fd, pump->down_data + at, len - at,
					      &end, &alert);

	if (!why)
		return 0;
	if (end)
		return end_of_keys(pump, why);
	say_alert(pump, alert);
	return fail_as(pump, why);
}

static int take_data(struct pump *pump, size_t len)
{
	const char *ended = kt_dial_keys_used(&pump->dial->keys, KT_RX, len);

	if (!kt_tickets_data(&pump->dial->tickets, len))
		return fail_as(pump, "protocol_error");
	if (ended)
		return end_of_keys(pump, ended);
	if (len)
		pump->warnings = 0;
	pump->down_len = len;
	pump->down_off = 0;
	return 0;
}

static int take_handshake(struct pump *pump, size_t len)
{
	bool newest = pump->dial->info.version == KT_TLS_1_3;
	ssize_t dropped =
		newest && len ? kt_tickets_drop(&pump->dial->tickets, pump->down_data, len) : -1;

	if (dropped == (ssize_t)len)
		return 0;
	return dropped < 0 ? fail_as(pump, "protocol_error")
			   : take_message(pump, (size_t)dropped, len);
}

static int take_record(struct pump *pump, int type, size_t len)
{
	switch (type) {
	case KT_RECORD_DATA:
		return take_data(pump, len);
	case KT_RECORD_ALERT:
		return take_alert(pump, len);
	case KT_RECORD_HANDSHAKE:
		return take_handshake(pump, len);
	default:
		return fail_as(pump, "protocol_error");
	}
}

static int truncated(struct pump *pump)
{
	return fail(pump, EPIPE,
		    "truncated: it ended without close_notify, so this may not be all");
}

static void set_least_readable(struct pump *pump, int bytes)
{
	if (bytes != pump->least_readable)
		(void)!setsockopt(pump->dial->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
	pump->least_readable = bytes;
}

/*
 * There was no whole record. Poll may tell of a part of one again and again (ktrust/ktls.h), so it
 * is told what there was, to wait for more. Of records without content that were taken nothing is
 * left: one has left its label.
 */
static void await_more(struct pump *pump, int unread, const void *control)
{
	bool took_empty = ((const struct cmsghdr *)control)->cmsg_len;

	set_least_readable(pump, took_empty ? 1 : unread + 1);
}

static int receive_offloaded(struct pump *pump)
{
	_Alignas(struct cmsghdr) uint8_t control[KT_KTLS_CONTROL_LEN] = {0};
	int unread = 0;
	struct iovec iov = {pump->down_data, BUFFER};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof control};
	ssize_t n;

	(void)!ioctl(pump->dial->fd, SIOCINQ, &unread);
	n = recvmsg(pump->dial->fd, &msg, 0);
	if (n < 0 && errno == EAGAIN) {
		await_more(pump, unread, control);
		return 0;
	}
	set_least_readable(pump, 1);
	/* The kernel waits for a key, and we saw no KeyUpdate. */
	if (n < 0 && errno == EKEYEXPIRED)
		return end_of_keys(pump, "key_update: the kernel waits for the server's next key "
					 "(try --ktls off)");
	if (n < 0)
		return broken(pump, errno);
	if (!n && !msg.msg_controllen)
		return truncated(pump);
	return take_record(pump, kt_ktls_record_type(&msg), (size_t)n);
}

static int failed_here(struct pump *pump)
{
	const char *failure = kt_tls_failure(pump->dial->tls);
	int alert = kt_tls_peer_alert(pump->dial->tls);

	/* Our own alert, if there is one, is sent as far as the socket takes it. */
	(void)!send_records(pump);
	if (failure && !strcmp(failure, "key_limit")) {
		pump->dial->keys_ended = true;
		return fail(pump, EKEYEXPIRED, kt_dial_key_limit);
	}
	if (alert < 0)
		return fail_as(pump, failure ? failure : "internal");
	pump->dial->refused = true;
	return kt_error_set(pump->error, EACCES, pump->dial->target, 0,
			    "the server ended it with alert %d (%s)", alert, kt_alert_name(alert));
}

/* Decrypted bytes that wait are taken first: no poll tells of them. */
static int decrypt(struct pump *pump)
{
	ssize_t n = kt_tls_read(pump->dial->tls, pump->down_data, BUFFER);

	if (n > 0) {
		pump->down_len = (size_t)n;
		pump->down_off = 0;
	} else if (!n) {
		pump->down_open = false;
	} else if (n != -EAGAIN) {
		return failed_here(pump);
	}
	return 0;
}

static int receive_records(struct pump *pump)
{
	uint8_t data[BUFFER];
	size_t want = kt_tls_want(pump->dial->tls);
	ssize_t n = recv(pump->dial->fd, data, want < BUFFER ? want : BUFFER, 0);

	if (n < 0)
		return errno == EAGAIN ? 0 : broken(pump, errno);
	if (!n)
		return truncated(pump);
	if (kt_tls_input(pump->dial->tls, data, (size_t)n) < 0)
		return fail_as(pump, "internal");
	return decrypt(pump);
}

static int write_output(struct pump *pump)
{
	size_t len = pump->down_len - pump->down_off;
	ssize_t n = write(STDOUT_FILENO, pump->down_data + pump->down_off,
			  len < PIPE_BUF ? len : PIPE_BUF);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? 0
			       : kt_error_set(pump->error, errno, "standard output", 0, "%s",
					      strerror(errno));
	pump->down_off += (size_t)n;
	return 0;
}

/* ---- Both ------------------------------------------------------------------------------------ */

enum { INPUT, SOCKET, OUTPUT, FDS };

static void choose(struct pump *pump, struct pollfd fds[static FDS])
{
	bool delivered = pump->down_off == pump->down_len;

	fds[INPUT] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[SOCKET] = (struct pollfd){.fd = pump->dial->fd};
	fds[OUTPUT] = (struct pollfd){.fd = delivered ? -1 : STDOUT_FILENO, .events = POLLOUT};
	if (pump->up == UP_OPEN && up_is_empty(pump))
		fds[INPUT].fd = STDIN_FILENO;
	if (pump->up == UP_ENDING || !up_is_empty(pump) || kt_dial_keys_due(&pump->dial->keys))
		fds[SOCKET].events |= POLLOUT;
	if (pump->down_open && delivered)
		fds[SOCKET].events |= POLLIN;
	/* Else a server that is gone would keep poll awake over what cannot be delivered yet. */
	if (!fds[SOCKET].events)
		fds[SOCKET].fd = -1;
}

static int act(struct pump *pump, const struct pollfd fds[static FDS])
{
	int err = 0;

	if (fds[INPUT].revents)
		err = read_input(pump);
	if (!err && fds[SOCKET].events & POLLOUT && fds[SOCKET].revents & ~POLLIN)
		err = send_up(pump);
	if (!err && fds[SOCKET].events & POLLIN && fds[SOCKET].revents & ~POLLOUT)
		err = pump->dial->tls ? receive_records(pump) : receive_offloaded(pump);
	if (!err && fds[OUTPUT].revents)
		err = write_output(pump);
	/* More of what was read is decrypted when there is room for it. */
	if (!err && pump->dial->tls && pump->down_open && pump->down_off == pump->down_len)
		err = decrypt(pump);
	return err;
}

static size_t send_max(int fd)
{
	int size = 0;
	socklen_t len = sizeof size;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) || size < SEND_LEAST * SEND_SHARE)
		return SEND_LEAST;
	return (size_t)size / SEND_SHARE;
}

/*
 * Of a part of a record the kernel may take what there is aside, and not look at the rest before it
 * is as much as it was told to wait for: so it is asked now and then.
 */
static int wait_and_act(struct pump *pump, struct pollfd fds[static FDS])
{
	int ready = poll(fds, FDS, pump->least_readable > 1 ? PART_MS : -1);

	if (ready < 0)
		return errno == EINTR ? 0 : fail(pump, errno, strerror(errno));
	if (!ready)
		set_least_readable(pump, 1);
	return act(pump, fds);
}

int kt_dial_pump(struct kt_dial *dial, struct kt_error *error)
{
	struct pump pump = {.dial = dial,
			    .error = error,
			    .down_open = true,
			    .least_readable = 1,
			    .send_max = send_max(dial->fd)};
	bool told = false;
	int err = dial->tls ? decrypt(&pump) : 0;

	while (!err && (pump.up != UP_DONE || pump.down_open || pump.down_off < pump.down_len)) {
		struct pollfd fds[FDS];

		if (!told && !pump.down_open && pump.down_off == pump.down_len) {
			/* Whoever reads our output learns that it is whole. */
			close(STDOUT_FILENO);
			told = true;
		}
		choose(&pump, fds);
		err = wait_and_act(&pump, fds);
	}
	explicit_bzero(&pump, sizeof pump);
	return err;
}
