/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/stream.h>

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <ktrust/ktls.h>

#include "socket_options.h"

#define SEND_SHARE	4	     /* of the send buffer: less than the third that is free */
#define SEND_LEAST	1024	     /* bytes */
#define SKIPPED_MAX	16	     /* records without a meaning, in a row */
#define DROPPED_MAX	(256u << 10) /* bytes read for no other purpose before closing */
#define LEVEL_WARNING	1
#define USER_CANCELED	90 /* RFC 8446 §6.1: a warning at any level, close_notify follows */
#define TYPE_KEY_UPDATE 24 /* RFC 8446 §4 */

/* ---- Reading --------------------------------------------------------------------------------- */

/* What the kernel says of records that it cannot take has one name here. */
static ssize_t name_error(int fd, int err)
{
	socklen_t len = sizeof(int);
	int kept;

	if (err != EBADMSG && err != EINVAL && err != EMSGSIZE)
		return -err;
	/* The socket has kept it for its next call: that shall not be a send. */
	(void)!getsockopt(fd, SOL_SOCKET, SO_ERROR, &kept, &len);
	return -KT_ERR_BAD_RECORD;
}

/* One record, or a stretch of several of data: its length, and its type; 0 of type 0 is a FIN. */
static ssize_t receive(int fd, void *buf, size_t len, int flags, int *ret_type)
{
	_Alignas(struct cmsghdr) uint8_t control[KT_KTLS_CONTROL_LEN];
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control,
	};
	ssize_t got = recvmsg(fd, &msg, flags);

	if (got < 0)
		return name_error(fd, errno);
	*ret_type = got || msg.msg_controllen ? kt_ktls_record_type(&msg) : 0;
	return *ret_type < 0 ? *ret_type : got;
}

enum { SKIP = 1 };

static int take_alert(const uint8_t *alert, size_t len, int *ret_alert)
{
	if (len != KT_ALERT_LEN)
		return -KT_ERR_UNEXPECTED;
	if (alert[1] == KT_ALERT_CLOSE_NOTIFY)
		return 0;
	if (alert[1] == USER_CANCELED)
		return SKIP;
	if (ret_alert)
		*ret_alert = alert[1];
	return -KT_ERR_PEER_ALERT;
}

static int take_control(int type, const uint8_t *body, size_t len, int *ret_alert)
{
	if (type == KT_RECORD_ALERT)
		return take_alert(body, len, ret_alert);
	if (type == KT_RECORD_HANDSHAKE && len && body[0] == TYPE_KEY_UPDATE)
		return -KT_ERR_KEY_UPDATE;
	return -KT_ERR_UNEXPECTED;
}

ssize_t kt_recv(int fd, void *buf, size_t len, int *ret_alert)
{
	if (len < KT_ALERT_LEN)
		return -EINVAL;
	for (int skipped = 0; skipped <= SKIPPED_MAX; skipped++) {
		int type, taken = SKIP;
		ssize_t got = receive(fd, buf, len, 0, &type);

		if (got < 0)
			return got;
		if (!type)
			return -KT_ERR_TRUNCATED;
		if (type != KT_RECORD_DATA)
			taken = take_control(type, buf, (size_t)got, ret_alert);
		else if (got)
			return got;
		if (taken != SKIP)
			return taken;
	}
	return -KT_ERR_UNEXPECTED;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* How long a send on this socket may wait, for poll(2): SO_SNDTIMEO, unless it may not at all. */
static int patience_ms(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct timeval limit = {0};
	socklen_t len = sizeof limit;

	if (flags < 0 || flags & O_NONBLOCK)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &len) ||
	    (!limit.tv_sec && !limit.tv_usec) || limit.tv_sec >= INT_MAX / 1000)
		return -1;
	return (int)(limit.tv_sec * 1000 + (limit.tv_usec + 999) / 1000);
}

/* Writable means in Linux that a third of the send buffer is free (sk_stream_is_writeable). */
static int await_room(int fd)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	int ready = poll(&room, 1, 0);

	if (!ready)
		ready = poll(&room, 1, patience_ms(fd));
	if (ready < 0)
		return -errno;
	/* A socket that is over is ready too, and the send will say why. */
	return ready ? 0 : -EAGAIN;
}

static int send_max(int fd, size_t *ret_max)
{
	int size = 0;
	socklen_t len = sizeof size;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len))
		return -errno;
	*ret_max = size / SEND_SHARE > SEND_LEAST ? (size_t)size / SEND_SHARE : SEND_LEAST;
	return 0;
}

ssize_t kt_send(int fd, const void *data, size_t len)
{
	size_t max = 0;
	ssize_t sent;
	int err = send_max(fd, &max);

	if (!err)
		err = await_room(fd);
	if (err)
		return err;
	sent = send(fd, data, len < max ? len : max, MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

/* The kernel's TLS takes bytes that nothing sends any more, and says so no earlier than the next
 * time. */
static int check_open(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return -errno;
	return info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT ? 0 : -EPIPE;
}

int kt_shutdown(int fd)
{
	int err = check_open(fd);

	if (!err)
		err = await_room(fd);
	if (!err)
		err = kt_ktls_send_alert(fd, LEVEL_WARNING, KT_ALERT_CLOSE_NOTIFY);
	if (!err && shutdown(fd, SHUT_WR))
		err = -errno;
	return err;
}

/* Unread input would turn the end into a reset. */
static void drop_input(int fd)
{
	uint8_t buf[4096];
	size_t dropped = 0;
	ssize_t got;
	int type;

	while (dropped < DROPPED_MAX &&
	       (got = receive(fd, buf, sizeof buf, MSG_DONTWAIT, &type)) >= 0 && type)
		/* Records without content count too. */
		dropped += got ? (size_t)got : 1;
}

int kt_close(int fd)
{
	int err = kt_shutdown(fd);

	drop_input(fd);
	close(fd);
	return err == -EPIPE ? 0 : err;
}
