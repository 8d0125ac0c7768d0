/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel says it does with a socket, asked of sock_diag: getsockopt(TLS_TX) would tell as
 * well, but it is made to hand out keys.
 */
#include <ktrust/ktls.h>

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "socket_options.h"
#include "ulp_info.h"

#define REPLY_MAX 4096 /* bytes; one socket's answer takes some hundreds */

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void put_address(const union address *address, __be32 ret_addr[4], __be16 *ret_port)
{
	if (address->any.sa_family == AF_INET6) {
		memcpy(ret_addr, &address->v6.sin6_addr, sizeof address->v6.sin6_addr);
		*ret_port = address->v6.sin6_port;
	} else {
		memcpy(ret_addr, &address->v4.sin_addr, sizeof address->v4.sin_addr);
		*ret_port = address->v4.sin_port;
	}
}

/* Addresses find the socket, the cookie makes sure that it is this one. */
static int identify(int fd, struct inet_diag_req_v2 *request)
{
	union address local, peer;
	uint64_t cookie;
	int interface;
	socklen_t local_len = sizeof local, peer_len = sizeof peer;
	socklen_t cookie_len = sizeof cookie, interface_len = sizeof interface;

	if (getsockname(fd, &local.any, &local_len) || getpeername(fd, &peer.any, &peer_len) ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &cookie_len) ||
	    getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface, &interface_len))
		return -errno;

	request->sdiag_family = (uint8_t)local.any.sa_family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_ext = 1 << (INET_DIAG_INFO - 1); /* what a ULP says comes along with it */
	put_address(&local, request->id.idiag_src, &request->id.idiag_sport);
	put_address(&peer, request->id.idiag_dst, &request->id.idiag_dport);
	request->id.idiag_if = (uint32_t)interface;
	request->id.idiag_cookie[0] = (uint32_t)cookie;
	request->id.idiag_cookie[1] = (uint32_t)(cookie >> 32);
	return 0;
}

/* The kernel has answered by the time send returns, so nothing here waits. */
static ssize_t ask(const struct request *request, void *reply, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	ssize_t len;

	if (fd < 0)
		return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? -EOPNOTSUPP : -errno;
	len = send(fd, request, sizeof *request, 0);
	if (len >= 0)
		len = recv(fd, reply, size, MSG_DONTWAIT);
	if (len < 0)
		len = -errno;
	close(fd);
	return len;
}

static int read_error(const struct nlmsghdr *reply)
{
	const struct nlmsgerr *error = NLMSG_DATA(reply);

	/* No acknowledgement was asked for, so 0 is no answer either. */
	if (reply->nlmsg_len < NLMSG_LENGTH(sizeof *error) || error->error >= 0)
		return -EPROTO;
	return error->error == -ENOENT ? -EOPNOTSUPP : error->error;
}

static int read_reply(const struct nlmsghdr *reply, ssize_t len, unsigned int *ret_bits)
{
	if (!NLMSG_OK(reply, len))
		return -EPROTO;
	if (reply->nlmsg_type == NLMSG_ERROR)
		return read_error(reply);
	if (reply->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
		return -EPROTO;

	const uint8_t *body = NLMSG_DATA(reply);
	const size_t skip = NLMSG_ALIGN(sizeof(struct inet_diag_msg));
	int err = kt_ktls_read_ulp_info(body + skip, NLMSG_PAYLOAD(reply, skip), ret_bits);

	/* The socket does have kTLS: before Linux 6.15 only CAP_NET_ADMIN hears more. */
	return err == -ENODATA ? -EPERM : err;
}

/* 1 attached, 0 not, or -errno */
static int is_attached(int fd)
{
	char name[16] = ""; /* TCP_ULP_NAME_MAX */
	socklen_t len = sizeof name - 1;

	if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &len))
		return -errno;
	return !strcmp(name, KTLS_ULP);
}

int kt_ktls_state(int fd, unsigned int *ret_bits)
{
	_Alignas(struct nlmsghdr) uint8_t reply[REPLY_MAX];
	struct request request = {
		.header =
			{
				.nlmsg_len = sizeof request,
				.nlmsg_type = SOCK_DIAG_BY_FAMILY,
				.nlmsg_flags = NLM_F_REQUEST,
			},
	};
	int attached = is_attached(fd);
	ssize_t len;

	if (attached < 0)
		return attached;
	if (!attached) {
		*ret_bits = 0;
		return 0;
	}

	int err = identify(fd, &request.body);

	if (err)
		return err;
	len = ask(&request, reply, sizeof reply);
	if (len < 0)
		return (int)len;
	return read_reply((const struct nlmsghdr *)reply, len, ret_bits);
}
