/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust dial: a socket that is connected to the target. */
#include "dial.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t kt_dial_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int kt_dial_wait(const struct kt_dial *dial, short events)
{
	struct pollfd poll_fd = {.fd = dial->fd, .events = events};
	uint64_t now = kt_dial_now_ns();
	int rc;

	if (now >= dial->deadline_ns)
		return -ETIMEDOUT;
	rc = poll(&poll_fd, 1, (int)((dial->deadline_ns - now) / 1000000 + 1));
	if (rc < 0 && errno != EINTR)
		return -errno;
	return rc ? 0 : -ETIMEDOUT;
}

int kt_dial_send(const struct kt_dial *dial, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len) {
		ssize_t n = send(dial->fd, at, len, MSG_NOSIGNAL);
		int err = n < 0 ? -errno : 0;

		if (err == -EAGAIN)
			err = kt_dial_wait(dial, POLLOUT);
		if (err)
			return err;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

/* Whichever of the name's addresses connects first. */
static int connect_to(struct kt_dial *dial, const char *host, uint16_t port, struct kt_error *error)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char service[8];
	int err;

	snprintf(service, sizeof service, "%u", (unsigned int)port);
	err = getaddrinfo(host, service, &hints, &found);
	if (err)
		return kt_error_set(error, EHOSTUNREACH, host, 0, "the name does not resolve: %s",
				    gai_strerror(err));
	err = kt_dial_race(found, dial->deadline_ns);
	freeaddrinfo(found);
	if (err >= 0) {
		dial->fd = err;
		return 0;
	}
	return kt_error_set(error, -err, host, 0, "cannot connect to port %u: %s",
			    (unsigned int)port, strerror(-err));
}

/* ---- Through a proxy ------------------------------------------------------------------------- */

static int say(struct kt_dial *dial, struct kt_upstream *upstream)
{
	const uint8_t *data;
	size_t len;
	int err = 0;

	while (!err && (len = kt_upstream_output(upstream, &data))) {
		err = kt_dial_send(dial, data, len);
		if (!err)
			kt_upstream_sent(upstream, len);
	}
	return err;
}

static int hear(struct kt_dial *dial, struct kt_upstream *upstream)
{
	uint8_t data[KT_UPSTREAM_SOCKS_MAX];
	ssize_t n = recv(dial->fd, data, kt_upstream_want(upstream), 0);

	if (n < 0)
		return errno == EAGAIN ? kt_dial_wait(dial, POLLIN) : -errno;
	if (n)
		(void)kt_upstream_input(upstream, data, (size_t)n);
	else
		(void)kt_upstream_input_eof(upstream);
	return 0;
}

/* Its name, what the proxy said, and what that means. */
static int denied(const struct kt_dial *dial, const struct kt_upstream *upstream,
		  struct kt_error *error)
{
	const char *failure = kt_upstream_failure(upstream), *detail = kt_upstream_detail(upstream);
	const char *words = kt_dial_words(failure);

	return kt_error_set(error, ECONNREFUSED, dial->proxy.address, 0, "the proxy: %s%s%s%s%s",
			    failure, detail[0] ? ": " : "", detail, words ? ": " : "",
			    words ? words : "");
}

static int talk(struct kt_dial *dial, struct kt_upstream *upstream, struct kt_error *error)
{
	int err = 0;

	while (upstream->status == KT_UPSTREAM_AGAIN && !err) {
		err = say(dial, upstream);
		if (!err)
			err = hear(dial, upstream);
	}
	if (err)
		return kt_error_set(error, -err, dial->proxy.address, 0, "the proxy: %s",
				    strerror(-err));
	return upstream->status == KT_UPSTREAM_DONE ? 0 : denied(dial, upstream, error);
}

static int pass_proxy(struct kt_dial *dial, struct kt_error *error)
{
	struct kt_upstream upstream;
	int err = kt_upstream_begin(&upstream, dial->proxy.kind, dial->host, dial->port,
				    &dial->proxy.login);

	if (err && kt_upstream_is_host(dial->host))
		return kt_error_set(error, EINVAL, dial->proxy.address, 0,
				    "this login cannot be said to such a proxy");
	if (err)
		return kt_error_set(error, EINVAL, dial->target, 0,
				    "neither a host name nor an address that a proxy can be asked "
				    "for");
	err = talk(dial, &upstream, error);
	kt_upstream_wipe(&upstream);
	return err;
}

int kt_dial_reach(struct kt_dial *dial, struct kt_error *error)
{
	char host[KT_HOST_SIZE];
	uint16_t port;
	int err;

	if (!dial->has_proxy)
		return connect_to(dial, dial->host, dial->port, error);
	err = kt_address_split(dial->proxy.address, host, &port, error);
	if (!err)
		err = connect_to(dial, host, port, error);
	return err ? err : pass_proxy(dial, error);
}
