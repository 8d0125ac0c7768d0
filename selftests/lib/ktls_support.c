/* SPDX-License-Identifier: BSD-2-Clause */
#include "ktls_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../harness.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t loopback(enum test_family family, union address *ret_address)
{
	memset(ret_address, 0, sizeof *ret_address);
	if (family == TEST_INET) {
		ret_address->v4.sin_family = AF_INET;
		ret_address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof ret_address->v4;
	}
	ret_address->v6.sin6_family = AF_INET6;
	if (family == TEST_INET6) {
		ret_address->v6.sin6_addr.s6_addr[15] = 1;
	} else {
		static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1};

		memcpy(&ret_address->v6.sin6_addr, mapped, sizeof mapped);
	}
	return sizeof ret_address->v6;
}

static void bound_waiting(int fd)
{
	struct timeval limit = {.tv_sec = TEST_LIMIT_MS / 1000};
	int one = 1;

	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	ASSERT_EQ(0, setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
}

void test_pair(enum test_family family, int ret_fds[2])
{
	union address address;
	socklen_t len = loopback(family, &address);
	int listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int zero = 0;

	ASSERT_LE(0, listener);
	if (family == TEST_MAPPED)
		ASSERT_EQ(0, setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero));
	ASSERT_EQ(0, bind(listener, &address.any, len));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, &address.any, &len));
	ret_fds[0] = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, ret_fds[0]);
	ASSERT_EQ(0, connect(ret_fds[0], &address.any, len));
	bound_waiting(listener);
	ret_fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_LE(0, ret_fds[1]);
	close(listener);
	bound_waiting(ret_fds[0]);
	bound_waiting(ret_fds[1]);
}

bool test_have_ktls(void)
{
	int fds[2];

	test_pair(TEST_INET, fds);

	bool absent = setsockopt(fds[0], IPPROTO_TCP, TCP_ULP, "tls", 4) && errno == ENOENT;

	close(fds[0]);
	close(fds[1]);
	return !absent;
}

bool test_kernel_is(unsigned int major, unsigned int minor)
{
	struct utsname name;
	unsigned int running_major = 0, running_minor = 0;

	ASSERT_EQ(0, uname(&name));
	ASSERT_EQ(2, sscanf(name.release, "%u.%u", &running_major, &running_minor));
	return running_major > major || (running_major == major && running_minor >= minor);
}

struct kt_traffic_key test_key(uint64_t seq)
{
	struct kt_traffic_key key;

	ASSERT_EQ((ssize_t)sizeof key, getrandom(&key, sizeof key, 0));
	key.seq = seq;
	return key;
}

unsigned int test_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	ASSERT_TRUE(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

ssize_t test_recv(int fd, void *buf, size_t size, int *ret_type)
{
	_Alignas(struct cmsghdr) uint8_t control[KT_KTLS_CONTROL_LEN];
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control,
	};
	ssize_t len = recvmsg(fd, &msg, 0);

	if (len < 0)
		return -errno;
	*ret_type = kt_ktls_record_type(&msg);
	return len;
}

size_t test_fill(int fd, int peer)
{
	static const uint8_t chunk[65536];
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	const struct sock_fprog drop = {.len = 1, .filter = nothing};
	size_t sent = 0;
	ssize_t n;

	ASSERT_EQ(0, setsockopt(peer, SOL_SOCKET, SO_ATTACH_FILTER, &drop, sizeof drop));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	while ((n = send(fd, chunk, sizeof chunk, MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	ASSERT_EQ(EAGAIN, errno);
	return sent;
}

void test_hear(int peer)
{
	int ignored = 0;

	ASSERT_EQ(0, setsockopt(peer, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof ignored));
}

ssize_t test_send(int fd, const void *buf, size_t len, uint8_t type)
{
	_Alignas(struct cmsghdr) uint8_t control[KT_KTLS_CONTROL_LEN];
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	kt_ktls_set_record_type(&msg, control, type);

	ssize_t sent = sendmsg(fd, &msg, MSG_NOSIGNAL);

	return sent < 0 ? -errno : sent;
}
