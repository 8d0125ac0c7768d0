/* SPDX-License-Identifier: BSD-2-Clause */
/* The sender's socket, and what goes through it. */
#include "handoff.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SEND_BUFFER 32768 /* bytes; the kernel doubles it, and takes some 2 KiB a message of it */

static int check_receiver(int fd, uid_t receiver)
{
	struct ucred who;
	socklen_t len = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		return -errno;
	return who.uid == receiver ? 0 : -EACCES;
}

static int set_up(int fd, const struct sockaddr *address, socklen_t len, uid_t receiver)
{
	const int size = SEND_BUFFER;
	int err;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) || connect(fd, address, len))
		return -errno;
	err = check_receiver(fd, receiver);
	if (err)
		return err;
	/* It was so that connect would not wait; io_uring waits for blocking sockets only. */
	return fcntl(fd, F_SETFL, 0) ? -errno : 0;
}

int kt_handoff_connect(const struct sockaddr *address, socklen_t len, uid_t receiver, int *ret_fd)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = set_up(fd, address, len, receiver);
	if (err) {
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

void kt_handoff_pack(struct kt_handoff_message *message, int fd, const char *text, size_t len)
{
	struct cmsghdr *cmsg;

	memset(message, 0, sizeof *message);
	message->iov = (struct iovec){.iov_base = (void *)text, .iov_len = len};
	message->msg.msg_iov = &message->iov;
	message->msg.msg_iovlen = 1;
	message->msg.msg_control = message->control;
	message->msg.msg_controllen = sizeof message->control;
	cmsg = CMSG_FIRSTHDR(&message->msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
}
