/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers share a port by SO_REUSEPORT, and so would a second ktrustd of the same user, silently
 * taking half of the connections. Therefore the first socket binds *and listens* without
 * SO_REUSEPORT: listen() checks the port once more under the kernel's lock, so of two programs that
 * do this at the same time one gets EADDRINUSE. Only then, with the port in hand, it is opened for
 * our own other sockets.
 */
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096 /* connections; the kernel cuts it to net.core.somaxconn */

/*
 * What an accepted socket inherits is set here once instead of on each of them. Urgent data (RFC
 * 9293 §3.8.5) stays in the stream: beside it, each byte would wake a read that it gives nothing,
 * which io_uring hands to a thread of the kernel (ring.h) at the 128th time.
 */
static int set_options(int fd, int family)
{
	const int on = 1, off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) ||
	    setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
		return -errno;
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off))
		return -errno;
	return 0;
}

static int share_port(int fd)
{
	const int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) ? -errno : 0;
}

static int open_one(const struct kt_address *address, bool shared, int *ret_fd)
{
	int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = set_options(fd, address->addr.ss_family);
	if (!err && shared)
		err = share_port(fd);
	if (!err && bind(fd, (const struct sockaddr *)&address->addr, address->len))
		err = -errno;
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static int open_all(const struct kt_address *address, size_t count, int *fds, size_t *ret_opened,
		    struct kt_address *ret_bound)
{
	struct kt_address bound = {.len = sizeof bound.addr};
	int err = open_one(address, false, &fds[0]);

	if (err)
		return err;
	*ret_opened = 1;
	if (getsockname(fds[0], (struct sockaddr *)&bound.addr, &bound.len))
		return -errno;
	err = share_port(fds[0]);
	while (!err && *ret_opened < count) {
		err = open_one(&bound, true, &fds[*ret_opened]);
		if (!err)
			++*ret_opened;
	}
	if (!err)
		*ret_bound = bound;
	return err;
}

static const char *advice(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return " (another program listens there: ss -ltnp shows which)";
	case -EACCES:
		return " (ports below net.ipv4.ip_unprivileged_port_start need "
		       "CAP_NET_BIND_SERVICE)";
	case -EADDRNOTAVAIL:
		return " (no interface of this machine has that address)";
	default:
		return "";
	}
}

int kt_listen(const struct kt_address *address, size_t count, int *ret_fds,
	      struct kt_address *ret_bound, struct kt_error *error)
{
	char text[KT_ADDRESS_TEXT_MAX];
	size_t opened = 0;
	int family = address->addr.ss_family;
	int err = address->len && (family == AF_INET || family == AF_INET6)
			  ? open_all(address, count, ret_fds, &opened, ret_bound)
			  : -EAFNOSUPPORT;

	if (!err)
		return 0;
	while (opened)
		close(ret_fds[--opened]);
	return kt_error_set(error, -err, kt_address_format(address, text), 0, "cannot listen: %s%s",
			    strerror(-err), advice(err));
}
