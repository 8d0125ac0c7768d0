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
#define ENDED	-1 /* of what goes on with a connection */

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

/* Whether there is room counts only for who has something to send. */
static int watch_for(struct kt_bench_backend *backend, struct kt_bench_spot *spot, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = spot};

	return epoll_ctl(backend->epoll, EPOLL_CTL_MOD, spot->fd, &event) ? ENDED : 0;
}

/* Of recv or send: 0, not now. */
static ssize_t moved(ssize_t done)
{
	if (done > 0)
		return done;
	return done < 0 && errno == EAGAIN ? 0 : ENDED;
}

static ssize_t piece_of(const struct kt_bench_spot *spot)
{
	uint64_t left = spot->len - spot->place;

	return left < KT_BENCH_PIECE ? (ssize_t)left : KT_BENCH_PIECE;
}

static int give(struct kt_bench_backend *backend, struct kt_bench_spot *spot)
{
	ssize_t put = moved(send(spot->fd, kt_bench_bulk_at(spot->place), (size_t)piece_of(spot),
				 MSG_NOSIGNAL));

	if (put == ENDED)
		return ENDED;
	spot->place += (uint64_t)put;
	if (spot->place < spot->len)
		return 0;
	spot->order_len = 0;
	return watch_for(backend, spot, EPOLLIN);
}

static int take_bulk(struct kt_bench_spot *spot)
{
	static uint8_t bytes[KT_BENCH_PIECE];
	const uint8_t answer = KT_BENCH_TAKEN;
	ssize_t got = moved(recv(spot->fd, bytes, (size_t)piece_of(spot), 0));

	if (got == ENDED || memcmp(bytes, kt_bench_bulk_at(spot->place), (size_t)got))
		return ENDED;
	spot->place += (uint64_t)got;
	if (spot->place < spot->len)
		return 0;
	spot->order_len = 0;
	return send(spot->fd, &answer, 1, MSG_NOSIGNAL) == 1 ? 0 : ENDED;
}

static int obey(struct kt_bench_backend *backend, struct kt_bench_spot *spot)
{
	spot->place = 0;
	if (!kt_bench_order_read(spot->order, &spot->what, &spot->len) || !spot->len)
		return ENDED;
	return spot->what == KT_BENCH_GIVE ? watch_for(backend, spot, EPOLLOUT) : 0;
}

/* One byte goes back, for which a socket that has sent all it had to has room. */
static int echo(struct kt_bench_backend *backend, struct kt_bench_spot *spot)
{
	spot->order_len = 0;
	if (send(spot->fd, spot->order, 1, MSG_NOSIGNAL) != 1)
		return ENDED;
	backend->echoed += !spot->echoed;
	spot->echoed = true;
	return 0;
}

static bool may_be_order(const struct kt_bench_spot *spot)
{
	return spot->order[0] == KT_BENCH_GIVE || spot->order[0] == KT_BENCH_TAKE;
}

/* No further than the order: what follows is another's to read. */
static int listen_to(struct kt_bench_backend *backend, struct kt_bench_spot *spot)
{
	size_t want = spot->order_len ? KT_BENCH_ORDER_LEN - spot->order_len : 1;
	ssize_t got = moved(recv(spot->fd, spot->order + spot->order_len, want, 0));

	if (got <= 0)
		return (int)got;
	spot->order_len += (unsigned int)got;
	if (!may_be_order(spot))
		return echo(backend, spot);
	return spot->order_len == KT_BENCH_ORDER_LEN ? obey(backend, spot) : 0;
}

static int go_on(struct kt_bench_backend *backend, struct kt_bench_spot *spot)
{
	if (spot->order_len < KT_BENCH_ORDER_LEN)
		return listen_to(backend, spot);
	return spot->what == KT_BENCH_GIVE ? give(backend, spot) : take_bulk(spot);
}

int kt_bench_backend_event(struct kt_bench_backend *backend, struct kt_bench_spot *spot,
			   struct kt_error *error)
{
	if (spot->is == KT_BENCH_LISTENS_AT)
		return take(backend, spot->fd, error);
	if (spot->is == KT_BENCH_CONNECTION && go_on(backend, spot) == ENDED) {
		end(spot);
		backend->live--;
	}
	return 0;
}
