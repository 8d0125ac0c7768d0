/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktrust dial: which of a name's addresses connects first (RFC 8305 §4 and §5, of which it is the
 * core: nothing is remembered, and both families are resolved before the first attempt).
 */
#include "dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DELAY_NS   250000000u /* between attempts (RFC 8305 §5) */
#define NS_IN_A_MS 1000000u

struct race {
	const struct addrinfo *order[KT_DIAL_ADDRESSES_MAX];
	struct pollfd attempts[KT_DIAL_ADDRESSES_MAX]; /* fd -1: it has failed */
	unsigned int count, begun, pending;
	uint64_t next_ns; /* CLOCK_MONOTONIC: the next attempt is due */
	int winner;	  /* -1: none yet */
	int err;	  /* of the attempt that failed last */
};

/* ---- Their order ----------------------------------------------------------------------------- */

/* From here on the first that is of this family, or that is not. */
static const struct addrinfo *seek(const struct addrinfo *address, int family, bool same)
{
	while (address && (address->ai_family == family) != same)
		address = address->ai_next;
	return address;
}

/* That of getaddrinfo, but the families take turns. */
static void put_in_order(struct race *race, const struct addrinfo *found)
{
	const int family = found ? found->ai_family : AF_UNSPEC;
	const struct addrinfo *heads[] = {found, seek(found, family, false)};

	for (bool other = false; heads[0] || heads[1]; other = !other) {
		if (!heads[other])
			continue;
		if (race->count == KT_DIAL_ADDRESSES_MAX)
			return;
		race->order[race->count++] = heads[other];
		heads[other] = seek(heads[other]->ai_next, family, !other);
	}
}

/* ---- Attempts -------------------------------------------------------------------------------- */

/* The next one need not wait. */
static void failed(struct race *race, int err)
{
	race->err = err;
	race->next_ns = 0;
}

static int open_socket(const struct addrinfo *address)
{
	const int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static void begin_next(struct race *race, uint64_t now_ns)
{
	const struct addrinfo *address = race->order[race->begun];
	struct pollfd *attempt = &race->attempts[race->begun++];
	int fd = open_socket(address);

	*attempt = (struct pollfd){.fd = -1, .events = POLLOUT};
	race->next_ns = now_ns + DELAY_NS;
	if (fd < 0) {
		failed(race, fd);
	} else if (!connect(fd, address->ai_addr, address->ai_addrlen)) {
		race->winner = fd;
	} else if (errno == EINPROGRESS) {
		attempt->fd = fd;
		race->pending++;
	} else {
		failed(race, -errno);
		close(fd);
	}
}

static void finish(struct race *race, struct pollfd *attempt)
{
	socklen_t len = sizeof(int);
	int err = 0, fd = attempt->fd;

	attempt->fd = -1;
	race->pending--;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (!err) {
		race->winner = fd;
		return;
	}
	close(fd);
	failed(race, -err);
}

/* Until one tells, or the next attempt is due. */
static int await(struct race *race, uint64_t now_ns, uint64_t deadline_ns)
{
	uint64_t until_ns = deadline_ns;

	if (race->begun < race->count && race->next_ns < until_ns)
		until_ns = race->next_ns;
	if (poll(race->attempts, race->begun, (int)((until_ns - now_ns) / NS_IN_A_MS + 1)) < 0)
		return errno == EINTR ? 0 : -errno;
	for (unsigned int i = 0; i < race->begun && race->winner < 0; i++)
		if (race->attempts[i].fd >= 0 && race->attempts[i].revents)
			finish(race, &race->attempts[i]);
	return 0;
}

static int run(struct race *race, uint64_t deadline_ns)
{
	int err = 0;

	while (race->winner < 0 && !err) {
		uint64_t now_ns = kt_dial_now_ns();

		if (now_ns >= deadline_ns)
			err = -ETIMEDOUT;
		else if (race->begun < race->count && now_ns >= race->next_ns)
			begin_next(race, now_ns);
		else if (race->pending)
			err = await(race, now_ns, deadline_ns);
		else
			err = race->err;
	}
	return err;
}

int kt_dial_race(const struct addrinfo *found, uint64_t deadline_ns)
{
	struct race race = {.winner = -1, .err = -EHOSTUNREACH};
	int err;

	put_in_order(&race, found);
	err = run(&race, deadline_ns);
	for (unsigned int i = 0; i < race.begun; i++)
		if (race.attempts[i].fd >= 0)
			close(race.attempts[i].fd);
	return err ? err : race.winner;
}
