/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of several addresses ktrust dial takes, where some say nothing: their listeners have no
 * room, so that Linux drops who asks.
 */
#include "../../src/cli/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

#define MS     UINT64_C(1000000) /* ns */
#define DELAY  (250 * MS)
#define PLENTY (20000 * MS)
#define PLACES 12

struct place {
	int listener, filling;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	struct addrinfo info;
};

FIXTURE(race)
{
	struct place places[PLACES];
	unsigned int count;
};

FIXTURE_SETUP(race)
{
}

FIXTURE_TEARDOWN(race)
{
	for (unsigned int i = 0; i < self->count; i++) {
		if (self->places[i].listener >= 0)
			close(self->places[i].listener);
		if (self->places[i].filling >= 0)
			close(self->places[i].filling);
	}
}

/* One more address, behind the others: somebody listens there. */
static struct place *add(FIXTURE_DATA(race) * self, int family)
{
	struct place *place = &self->places[self->count];
	socklen_t len = family == AF_INET6 ? sizeof place->at.v6 : sizeof place->at.v4;

	ASSERT_GT(PLACES, self->count);
	place->at.any.sa_family = (sa_family_t)family;
	if (family == AF_INET6)
		place->at.v6.sin6_addr = in6addr_loopback;
	else
		place->at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	place->info = (struct addrinfo){
		.ai_family = family, .ai_addr = &place->at.any, .ai_addrlen = len};
	place->filling = -1;
	place->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, place->listener);
	ASSERT_EQ(0, bind(place->listener, &place->at.any, len));
	ASSERT_EQ(0, getsockname(place->listener, &place->at.any, &len));
	ASSERT_EQ(0, listen(place->listener, 0));
	if (self->count)
		self->places[self->count - 1].info.ai_next = &place->info;
	self->count++;
	return place;
}

static struct place *add_silent(FIXTURE_DATA(race) * self, int family)
{
	struct place *place = add(self, family);

	place->filling = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, place->filling);
	ASSERT_EQ(0, connect(place->filling, &place->at.any, place->info.ai_addrlen));
	return place;
}

static struct place *add_refusing(FIXTURE_DATA(race) * self, int family)
{
	struct place *place = add(self, family);

	close(place->listener);
	place->listener = -1;
	return place;
}

static int run(FIXTURE_DATA(race) * self, uint64_t limit_ns, uint64_t *ret_taken_ns)
{
	uint64_t start_ns = kt_dial_now_ns();
	int fd = kt_dial_race(&self->places[0].info, start_ns + limit_ns);

	*ret_taken_ns = kt_dial_now_ns() - start_ns;
	return fd;
}

static void expect_at(int fd, const struct place *place)
{
	struct place peer;
	socklen_t len = sizeof peer.at;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, getpeername(fd, &peer.at.any, &len));
	EXPECT_EQ(place->at.v4.sin_port, peer.at.v4.sin_port);
	close(fd);
}

TEST_F(race, first_address_is_taken)
{
	struct place *first = add(self, AF_INET);
	uint64_t taken_ns;

	add(self, AF_INET);
	expect_at(run(self, PLENTY, &taken_ns), first);
}

TEST_F(race, silent_address_holds_the_next_for_its_delay_and_no_longer)
{
	struct place *live;
	uint64_t taken_ns;
	int fd;

	add_silent(self, AF_INET6);
	live = add(self, AF_INET);
	fd = run(self, PLENTY, &taken_ns);
	expect_at(fd, live);
	EXPECT_LE(DELAY, taken_ns);
	EXPECT_GT(PLENTY / 2, taken_ns);
}

TEST_F(race, refusing_address_does_not_hold_the_next)
{
	struct place *live;
	uint64_t taken_ns;

	for (int i = 0; i < PLACES - 1; i++)
		add_refusing(self, AF_INET);
	live = add(self, AF_INET);
	expect_at(run(self, PLENTY, &taken_ns), live);
	EXPECT_GT((PLACES - 1) * DELAY, taken_ns);
}

TEST_F(race, families_take_turns)
{
	struct place *live;
	uint64_t taken_ns;

	for (int i = 0; i < PLACES - 1; i++)
		add_silent(self, AF_INET6);
	live = add(self, AF_INET);
	expect_at(run(self, PLENTY, &taken_ns), live);
	EXPECT_GT((PLACES - 2) * DELAY, taken_ns);
}

static void *make_room(void *arg)
{
	struct place *place = arg;

	(void)poll(NULL, 0, 100);
	close(accept(place->listener, NULL, NULL));
	return NULL;
}

/* Who asked first is heard when there is room; it has not given up for those behind. */
TEST_F(race, attempt_goes_on_beside_the_next)
{
	struct place *late = add_silent(self, AF_INET);
	uint64_t taken_ns;
	pthread_t thread;

	add_silent(self, AF_INET);
	ASSERT_EQ(0, pthread_create(&thread, NULL, make_room, late));
	expect_at(run(self, PLENTY, &taken_ns), late);
	pthread_join(thread, NULL);
}

TEST_F(race, silence_ends_by_the_deadline)
{
	uint64_t taken_ns;

	for (int i = 0; i < 3; i++)
		add_silent(self, i % 2 ? AF_INET : AF_INET6);
	EXPECT_EQ(-ETIMEDOUT, run(self, 2 * DELAY, &taken_ns));
	EXPECT_LE(2 * DELAY, taken_ns);
	EXPECT_GT(PLENTY / 2, taken_ns);
}

TEST_F(race, what_the_last_one_said_is_told)
{
	uint64_t taken_ns;

	add_refusing(self, AF_INET);
	add_refusing(self, AF_INET6);
	EXPECT_EQ(-ECONNREFUSED, run(self, PLENTY, &taken_ns));
	EXPECT_EQ(-EHOSTUNREACH, kt_dial_race(NULL, kt_dial_now_ns() + PLENTY));
}

TEST_F(race, others_are_closed)
{
	unsigned int open;
	uint64_t taken_ns;
	int fd;

	add_silent(self, AF_INET);
	add_refusing(self, AF_INET);
	add_silent(self, AF_INET6);
	add(self, AF_INET);
	open = test_open_fds();
	fd = run(self, PLENTY, &taken_ns);
	EXPECT_EQ(open + 1, test_open_fds());
	ASSERT_LE(0, fd);
	close(fd);
}

TEST_HARNESS_MAIN
