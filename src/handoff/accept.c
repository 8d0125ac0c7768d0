/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiver's side. */
#include <ktrust/handoff.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <ktrust/ktls.h>

#include "handoff.h"

#define BACKLOG 128 /* workers of ktrustd that wait to be accepted */

/* ---- Listening ------------------------------------------------------------------------------- */

static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = false;

	if (fd < 0)
		return true;
	if (connect(fd, (const struct sockaddr *)address, sizeof *address))
		refused = errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

static int remove_stale(const struct sockaddr_un *address, struct kt_error *error)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0
				       : kt_error_set(error, errno, path, 0, "%s", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return kt_error_set(error, EEXIST, path, 0, "is in the way and is no socket");
	if (somebody_listens(address))
		return kt_error_set(error, EADDRINUSE, path, 0, "another program listens there");
	if (unlink(path) && errno != ENOENT)
		return kt_error_set(error, errno, path, 0, "stale socket cannot be removed: %s",
				    strerror(errno));
	return 0;
}

int kt_handoff_listen(const char *path, mode_t mode, int *ret_fd, struct kt_error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (!path[0] || strlen(path) >= sizeof address.sun_path)
		return kt_error_set(error, ENAMETOOLONG, path, 0,
				    "a socket's path has 1 to %zu bytes",
				    sizeof address.sun_path - 1);
	strcpy(address.sun_path, path);
	err = remove_stale(&address, error);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "%s", strerror(errno));
	/* Linux names the socket with the mode of its inode: it is never open to more than that. */
	if (fchmod(fd, mode) || bind(fd, (struct sockaddr *)&address, sizeof address) ||
	    chmod(path, mode) || listen(fd, BACKLOG)) {
		err = kt_error_set(error, errno, path, 0, "cannot listen: %s", strerror(errno));
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

int kt_handoff_link(int listen_fd, uid_t sender, int *ret_link)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC), err = 0;
	struct ucred who;
	socklen_t len = sizeof who;

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		err = -errno;
	else if (who.uid != sender)
		err = -EACCES;
	if (err) {
		close(fd);
		return err;
	}
	*ret_link = fd;
	return 0;
}

/* ---- Connections ----------------------------------------------------------------------------- */

#define FDS_MAX 2 /* one more than are wanted: the kernel closes what finds no room, and says so   \
		   */

/* The only descriptor of a message; all are closed when there is not exactly one: -EPROTO. */
static int take_fd(struct msghdr *msg, int *ret_fd)
{
	int fds[FDS_MAX];
	size_t count = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof fds[0];
		if (count > FDS_MAX)
			count = FDS_MAX; /* the room there is has no more */
		memcpy(fds, CMSG_DATA(cmsg), count * sizeof fds[0]);
	}
	if (count == 1 && !(msg->msg_flags & MSG_CTRUNC)) {
		*ret_fd = fds[0];
		return 0;
	}
	while (count)
		close(fds[--count]);
	return -EPROTO;
}

/* 1: a message; 0: the end. */
static int receive(int link, struct iovec *text, int *ret_fd)
{
	_Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct msghdr msg = {
		.msg_iov = text,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control,
	};
	ssize_t got = recvmsg(link, &msg, MSG_CMSG_CLOEXEC);
	int err;

	if (got < 0)
		return -errno;
	if (!got && !msg.msg_controllen)
		return 0;
	err = take_fd(&msg, ret_fd);
	if (err)
		return err;
	if (msg.msg_flags & MSG_TRUNC) {
		close(*ret_fd);
		return -EBADMSG;
	}
	text->iov_len = (size_t)got;
	return 1;
}

static bool is_tcp(int fd)
{
	int protocol = 0;
	socklen_t len = sizeof protocol;

	return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) && protocol == IPPROTO_TCP;
}

/*
 * Plain bytes must not pass for a client's. Where the kernel does not tell the directions, TLS is
 * attached all the same (kt_ktls_state); a connection that is over by now will tell its reader.
 */
static bool has_records(int fd)
{
	unsigned int bits = 0;
	int err = is_tcp(fd) ? kt_ktls_state(fd, &bits) : -ENOTSOCK;

	if (err == -EPERM || err == -EOPNOTSUPP || err == -ENOTCONN)
		return true;
	return !err && bits == (KT_KTLS_TX | KT_KTLS_RX);
}

static int check(int fd, const struct iovec *text, struct kt_handoff *ret_handoff)
{
	if (!has_records(fd))
		return -ENOTSOCK;
	return kt_handoff_read(text->iov_base, text->iov_len, ret_handoff);
}

int kt_handoff_accept(int link, struct kt_handoff *ret_handoff, char text[KT_HANDOFF_TEXT_MAX + 1])
{
	char buf[KT_HANDOFF_TEXT_MAX + 1];
	struct iovec iov = {.iov_base = buf, .iov_len = KT_HANDOFF_TEXT_MAX};
	int fd = -1, err = receive(link, &iov, &fd);

	if (err <= 0)
		return err;
	err = check(fd, &iov, ret_handoff);
	if (err) {
		close(fd);
		return err;
	}
	ret_handoff->fd = fd;
	buf[iov.iov_len] = '\0';
	if (text)
		memcpy(text, buf, iov.iov_len + 1);
	return 1;
}
