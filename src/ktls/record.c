/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/ktls.h>

#include <errno.h>
#include <linux/tls.h>
#include <string.h>

#include "socket_options.h"

void kt_ktls_set_record_type(struct msghdr *msg, void *control, uint8_t type)
{
	/* Padding goes to the kernel too: it shall not be somebody's stack. */
	memset(control, 0, KT_KTLS_CONTROL_LEN);
	msg->msg_control = control;
	msg->msg_controllen = KT_KTLS_CONTROL_LEN;

	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof type);
	*CMSG_DATA(cmsg) = type;
}

int kt_ktls_record_type(const struct msghdr *msg)
{
	/* CMSG_NXTHDR takes the header without const, and only reads it. */
	struct msghdr *walk = (struct msghdr *)msg;

	if (msg->msg_flags & MSG_CTRUNC)
		return -EBADMSG;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(walk); cmsg; cmsg = CMSG_NXTHDR(walk, cmsg)) {
		if (cmsg->cmsg_level != SOL_TLS || cmsg->cmsg_type != TLS_GET_RECORD_TYPE)
			continue;
		if (cmsg->cmsg_len < CMSG_LEN(sizeof(uint8_t)))
			return -EBADMSG;
		return *CMSG_DATA(cmsg);
	}
	return KT_RECORD_DATA;
}

int kt_ktls_send_alert(int fd, uint8_t level, uint8_t description)
{
	uint8_t alert[KT_ALERT_LEN] = {level, description};
	struct iovec iov = {.iov_base = alert, .iov_len = sizeof alert};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	_Alignas(struct cmsghdr) uint8_t control[KT_KTLS_CONTROL_LEN];

	kt_ktls_set_record_type(&msg, control, KT_RECORD_ALERT);

	ssize_t sent = sendmsg(fd, &msg, MSG_NOSIGNAL);

	if (sent < 0)
		return -errno;
	return sent == KT_ALERT_LEN ? 0 : -EIO;
}
