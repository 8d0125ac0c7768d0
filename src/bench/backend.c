/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128
#define ENDED	-1 /* of echo */

void kt_bench_backend_init(struct kt_bench_backend *backend, int epoll)
{
	*backend = (struct kt_bench_backend){.epoll = epoll};
}

static void end(struct kt_bench_spot *spot)
{
	if (spot->is != KT_BENCH_FREE)
		close(spot->fd);
	spot->is = KT_BENCH_FREE;
}

void kt_bench_backend_fini(struct kt_bench_backend *backend)
{
	for (size_t i = 0; i < KT_BENCH_SPOTS; i++)
		end(&backend->spots[i]);
	for (size_t i = 0; i < KT_BENCH_LISTENS; i++)
		end(&backend->listens[i]);
}

static int watch(struct kt_bench_backend *backend, struct kt_bench_spot *spot)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = spot};

	return epoll_ctl(backend->epoll, EPOLL_CTL_ADD, spot->fd, &event) ? -errno : 0;
}

static struct kt_bench_spot *find_free(struct kt_bench_spot *spots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (spots[i].is == KT_BENCH_FREE)
			return &spots[i];
	return NULL;
}

static int refuse(const char *what, int err, struct kt_error *error)
{
	return kt_error_set(error, err, "backend", 0, "%s: %s", what, strerror(err));
}

int kt_bench_backend_listen(struct kt_bench_backend *backend, uint16_t *ret_port,
			    struct kt_error *error)
{
	struct kt_bench_spot *spot = find_free(backend->listens, KT_BENCH_LISTENS);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	if (!spot)
		return refuse("listen", ENOSPC, error);
	spot->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (spot->fd < 0)
		return refuse("socket", errno, error);
	spot->is = KT_BENCH_LISTENS_AT;
	if (bind(spot->fd, (struct sockaddr *)&address, len) || listen(spot->fd, BACKLOG) ||
	    getsockname(spot->fd, (struct sockaddr *)&address, &len) || watch(backend, spot)) {
		int ret = refuse("listen", errno, error);

		end(spot);
		return ret;
	}
	*ret_port = ntohs(address.sin_port);
	return 0;
}

/* ---- Connections ----------------------------------------------------------------------------- */

static int take(struct kt_bench_backend *backend, int listening, struct kt_error *error)
{
	struct kt_bench_spot *spot = find_free(backend->spots, KT_BENCH_SPOTS);
	const int on = 1;
	int fd, err;

	if (!spot)
		return refuse("connections", ENOSPC, error);
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
		return 0;
	if (fd < 0)
		return refuse("accept", errno, error);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*spot = (struct kt_bench_spot){.is = KT_BENCH_CONNECTION, .fd = fd};
	err = watch(backend, spot);
	if (err) {
		end(spot);
		return refuse("epoll", -err, error);
	}
	backend->live++;
	backend->connections++;
	return 0;
}

/* What has come is a few bytes, which a socket that was never written to has room for. */
static int echo(struct kt_bench_spot *spot)
{
	char bytes[256];
	ssize_t got = recv(spot->fd, bytes, sizeof bytes, 0);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0 || send(spot->fd, bytes, (size_t)got, MSG_NOSIGNAL) != got)
		return ENDED;
	return (int)got;
}

int kt_bench_backend_event(struct kt_bench_backend *backend, struct kt_bench_spot *spot,
			   struct kt_error *error)
{
	int got;

	if (spot->is == KT_BENCH_LISTENS_AT)
		return take(backend, spot->fd, error);
	if (spot->is != KT_BENCH_CONNECTION)
		return 0;
	got = echo(spot);
	if (got == ENDED) {
		end(spot);
		backend->live--;
	} else if (got > 0 && !spot->echoed) {
		spot->echoed = true;
		backend->echoed++;
	}
	return 0;
}
