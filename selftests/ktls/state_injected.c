/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What kt_ktls_state makes of sock_diag's answers, given by a stand-in (linked with --wrap). The
 * socket below is plain TCP, but getsockopt says that it has "tls".
 */
#include <ktrust/ktls.h>

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

#define ULP_NUMBER 31

static struct {
	bool on;
	int socket_err, send_err;
	uint8_t reply[256];
	size_t reply_len;
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} request;
} diag;

int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __real_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap___recv_chk(int fd, void *buf, size_t size, size_t room, int flags);

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	static const uint64_t cookie = 0x1122334455667788; /* real ones seldom reach 2^32 */

	if (diag.on && level == IPPROTO_TCP && option == ULP_NUMBER && *len >= 4) {
		memcpy(value, "tls", 4);
		return 0;
	}
	if (diag.on && level == SOL_SOCKET && option == SO_COOKIE && *len == sizeof cookie) {
		memcpy(value, &cookie, sizeof cookie);
		return 0;
	}
	return __real_getsockopt(fd, level, option, value, len);
}

int __wrap_socket(int family, int type, int protocol)
{
	if (!diag.on || family != AF_NETLINK || !diag.socket_err)
		return __real_socket(family, type, protocol);
	errno = diag.socket_err;
	return -1;
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
	if (!diag.on)
		return __real_send(fd, buf, len, flags);
	EXPECT_EQ(sizeof diag.request, len);
	memcpy(&diag.request, buf, sizeof diag.request);
	errno = diag.send_err;
	return errno ? -1 : (ssize_t)len;
}

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags)
{
	if (!diag.on)
		return __real_recv(fd, buf, size, flags);
	EXPECT_TRUE(flags & MSG_DONTWAIT);
	EXPECT_LE(diag.reply_len, size);
	memcpy(buf, diag.reply, diag.reply_len);
	return (ssize_t)diag.reply_len;
}

ssize_t __wrap___recv_chk(int fd, void *buf, size_t size, size_t room, int flags)
{
	EXPECT_LE(size, room);
	return __wrap_recv(fd, buf, size, flags);
}

FIXTURE(ktls_state_answer)
{
	int fds[2];
	unsigned int open_fds;
};

FIXTURE_SETUP(ktls_state_answer)
{
	test_pair(TEST_INET, self->fds);
	self->open_fds = test_open_fds();
	diag.on = true;
}

FIXTURE_TEARDOWN(ktls_state_answer)
{
	diag.on = false;
	EXPECT_EQ(self->open_fds, test_open_fds());
	close(self->fds[0]);
	close(self->fds[1]);
}

static void reply_with_error(int err)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} reply = {
		.header = {.nlmsg_len = sizeof reply, .nlmsg_type = NLMSG_ERROR},
		.error.error = -err,
	};

	memcpy(diag.reply, &reply, sizeof reply);
	diag.reply_len = sizeof reply;
}

static void reply_with(const char *attributes, size_t len)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_msg body;
	} reply = {.header = {.nlmsg_type = SOCK_DIAG_BY_FAMILY}};

	reply.header.nlmsg_len = (uint32_t)(sizeof reply + len);
	memcpy(diag.reply, &reply, sizeof reply);
	memcpy(diag.reply + sizeof reply, attributes, len);
	diag.reply_len = sizeof reply + len;
}

/* INET_DIAG_ULP_INFO { INET_ULP_INFO_NAME, INET_ULP_INFO_TLS { TXCONF: software } } */
#define TX_ONLY "\x18\x00\x13\x80\x08\x00\x01\x00tls\0\x0c\x00\x02\x80\x06\x00\x03\x00\x02\x00\0\0"

static void expect(int fd, int err)
{
	unsigned int bits = 99;

	EXPECT_EQ(err, kt_ktls_state(fd, &bits));
	EXPECT_EQ(99, bits);
}

TEST_F(ktls_state_answer, names_this_very_socket)
{
	struct sockaddr_in local, peer;
	socklen_t len = sizeof local;
	unsigned int bits = 99;
	const struct inet_diag_sockid *id = &diag.request.body.id;

	reply_with(TX_ONLY, sizeof TX_ONLY - 1);
	ASSERT_EQ(0, kt_ktls_state(self->fds[0], &bits));
	EXPECT_EQ(KT_KTLS_TX, bits);

	ASSERT_EQ(0, getsockname(self->fds[0], (struct sockaddr *)&local, &len));
	ASSERT_EQ(0, getpeername(self->fds[0], (struct sockaddr *)&peer, &len));
	EXPECT_EQ(SOCK_DIAG_BY_FAMILY, diag.request.header.nlmsg_type);
	EXPECT_EQ(AF_INET, diag.request.body.sdiag_family);
	EXPECT_EQ(IPPROTO_TCP, diag.request.body.sdiag_protocol);
	EXPECT_EQ(1 << (INET_DIAG_INFO - 1), diag.request.body.idiag_ext);
	EXPECT_EQ(local.sin_port, id->idiag_sport);
	EXPECT_EQ(peer.sin_port, id->idiag_dport);
	EXPECT_EQ(local.sin_addr.s_addr, id->idiag_src[0]);
	EXPECT_EQ(peer.sin_addr.s_addr, id->idiag_dst[0]);
	EXPECT_EQ(0x55667788, id->idiag_cookie[0]);
	EXPECT_EQ(0x11223344, id->idiag_cookie[1]);
}

TEST_F(ktls_state_answer, without_diag_is_eopnotsupp)
{
	reply_with_error(ENOENT);
	expect(self->fds[0], -EOPNOTSUPP);
	diag.socket_err = EPROTONOSUPPORT;
	expect(self->fds[0], -EOPNOTSUPP);
	diag.socket_err = EAFNOSUPPORT;
	expect(self->fds[0], -EOPNOTSUPP);
}

TEST_F(ktls_state_answer, about_ulp_withheld_is_eperm)
{
	reply_with("", 0);
	expect(self->fds[0], -EPERM);
}

TEST_F(ktls_state_answer, errors_pass_through)
{
	reply_with_error(ESTALE);
	expect(self->fds[0], -ESTALE);
	diag.send_err = ENOBUFS;
	expect(self->fds[0], -ENOBUFS);
	diag.socket_err = EMFILE;
	expect(self->fds[0], -EMFILE);
}

TEST_F(ktls_state_answer, cut_short_is_eproto)
{
	reply_with(TX_ONLY, sizeof TX_ONLY - 1);
	for (diag.reply_len = 0; diag.reply_len < sizeof(struct nlmsghdr); diag.reply_len++)
		expect(self->fds[0], -EPROTO);
	reply_with(TX_ONLY, sizeof TX_ONLY - 1);
	diag.reply_len--;
	expect(self->fds[0], -EPROTO);

	struct nlmsghdr *header = (struct nlmsghdr *)diag.reply;

	header->nlmsg_len = NLMSG_LENGTH(sizeof(struct inet_diag_msg) - 1);
	expect(self->fds[0], -EPROTO);
	reply_with_error(EPERM);
	header->nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr) - 1);
	expect(self->fds[0], -EPROTO);
}

TEST_F(ktls_state_answer, without_content_is_eproto)
{
	reply_with_error(0);
	expect(self->fds[0], -EPROTO);
}

TEST_F(ktls_state_answer, of_a_connection_that_is_over_is_enotconn)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ASSERT_LE(0, fd);
	expect(fd, -ENOTCONN);
	close(fd);
}

TEST_HARNESS_MAIN
