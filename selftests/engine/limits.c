/* SPDX-License-Identifier: BSD-2-Clause */
/* The bounds that an engine keeps: of numbers, descriptors, the time of a drain, and silence. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MS 600

FIXTURE(limits)
{
	struct rig rig;
	SSL_CTX *context;
};

FIXTURE_SETUP(limits)
{
}

FIXTURE_TEARDOWN(limits)
{
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void start(FIXTURE_DATA(limits) * self, struct rig_options options)
{
	options.client_auth = KT_CLIENT_AUTH_REQUIRE;
	rig_init(&self->rig, &options);
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
}

static void enter(FIXTURE_DATA(limits) * self, struct peer *peer)
{
	peer_connect(peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(peer));
}

/* ---- Full ------------------------------------------------------------------------------------ */

TEST_F(limits, full_engine_takes_the_next_when_one_leaves)
{
	enum { MAX = 4, ALL = 24 };
	struct peer peers[ALL];

	/* one worker: they are taken in the order of their coming */
	start(self, (struct rig_options){.connections_max = MAX, .workers = 1});
	for (int i = 0; i < ALL; i++)
		peer_connect(&peers[i], &self->rig, self->context);
	for (int i = 0; i < MAX; i++)
		ASSERT_EQ(1, peer_handshake(&peers[i]));
	for (int i = 0; i < ALL; i++) {
		struct kt_engine_stats stats = rig_stats(&self->rig);

		EXPECT_EQ(i + MAX < ALL ? i + MAX : ALL, stats.accepted);
		EXPECT_GE(MAX, stats.handshaking + stats.live);
		abort_fd(peers[i].fd);
		peers[i].fd = -1;
		peer_fini(&peers[i]);
		if (i + MAX < ALL)
			ASSERT_EQ(1, peer_handshake(&peers[i + MAX]));
	}
	EXPECT_LE(1, rig_stats(&self->rig).pauses_full);
	EXPECT_EQ(0, rig_stats(&self->rig).accept_pauses);
}

/* From this address of ours (NULL: any). errno of connect(2); 0. */
static int try_to_connect(const struct rig *rig, const char *from, int *ret_fd)
{
	struct kt_address own;
	struct kt_error error;

	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, *ret_fd);
	if (from) {
		ASSERT_EQ(0, kt_address_parse(from, &own, &error));
		ASSERT_EQ(0, bind(*ret_fd, (struct sockaddr *)&own.addr, own.len));
	}
	return connect(*ret_fd, (const struct sockaddr *)&rig->address.addr, rig->address.len)
		       ? errno
		       : 0;
}

static int connect_from(const struct rig *rig, const char *from)
{
	int fd;

	ASSERT_EQ(0, try_to_connect(rig, from, &fd));
	return fd;
}

/* The reset may come before connect(2) has returned. */
static bool is_turned_away(const struct rig *rig, const char *from)
{
	uint8_t byte;
	int fd, err = try_to_connect(rig, from, &fd);

	if (!err && recv(fd, &byte, 1, 0) < 0)
		err = errno;
	close(fd);
	return err == ECONNRESET;
}

static bool come_in(FIXTURE_DATA(limits) * self, const char *from, struct peer *peer)
{
	client_init(&peer->client, self->context);
	if (!try_to_connect(&self->rig, from, &peer->fd) && peer_handshake(peer) == 1)
		return true;
	peer_fini(peer);
	return false;
}

/* A place is free when the engine has seen that whoever had it is gone, or in, a moment later. */
static void come_in_soon(FIXTURE_DATA(limits) * self, const char *from, struct peer *peer)
{
	for (unsigned int turns = 0; !come_in(self, from, peer);)
		ASSERT_TRUE(wait_a_moment(&turns));
}

TEST_F(limits, handshakes_in_flight_have_a_number)
{
	struct peer peers[3];
	int silent[3];

	start(self, (struct rig_options){.handshakes_max = 3});
	for (int i = 0; i < 3; i++)
		silent[i] = tcp_connect(&self->rig.address);
	WAIT_UNTIL(rig_stats(&self->rig).handshaking == 3);
	for (uint64_t i = 1; i <= 3; i++) {
		EXPECT_TRUE(is_turned_away(&self->rig, NULL));
		rig_await_outcomes(&self->rig, "too_many_handshakes", i);
	}
	close(silent[0]);
	rig_await_outcomes(&self->rig, "peer_closed", 1);
	/* who is let in leaves his place to the next */
	for (int i = 0; i < 3; i++)
		come_in_soon(self, NULL, &peers[i]);
	for (int i = 0; i < 3; i++)
		peer_fini(&peers[i]);
	close(silent[1]);
	close(silent[2]);
}

TEST_F(limits, handshakes_of_one_address_have_a_number)
{
	struct peer peer;
	int silent[2];

	start(self, (struct rig_options){.handshakes_max = 8, .handshakes_address_max = 2});
	for (int i = 0; i < 2; i++)
		silent[i] = connect_from(&self->rig, "127.0.0.2:0");
	WAIT_UNTIL(rig_stats(&self->rig).handshaking == 2);
	EXPECT_TRUE(is_turned_away(&self->rig, "127.0.0.2:0"));
	rig_await_outcomes(&self->rig, "too_many_from_address", 1);
	/* others are not touched */
	enter(self, &peer);
	peer_fini(&peer);
	close(silent[0]);
	rig_await_outcomes(&self->rig, "peer_closed", 1);
	come_in_soon(self, "127.0.0.2:0", &peer);
	peer_fini(&peer);
	close(silent[1]);
}

/* Who was refused has his place until he is gone: his connection costs what it did. */
TEST_F(limits, refused_clients_that_stay_have_their_place)
{
	static const uint8_t garbage[16] = {0xde, 0xad};
	struct peer peer;
	int fd;

	start(self, (struct rig_options){.handshakes_max = 1});
	fd = tcp_connect(&self->rig.address);
	send_all(fd, garbage, sizeof garbage);
	rig_await_outcomes(&self->rig, "not_tls", 1);
	EXPECT_TRUE(is_turned_away(&self->rig, NULL));
	rig_await_outcomes(&self->rig, "too_many_handshakes", 1);
	close(fd);
	come_in_soon(self, NULL, &peer);
	peer_fini(&peer);
}

/* The place that is left at one worker is taken at another. */
struct guest {
	FIXTURE_DATA(limits) * self;
	int rc;
};

static void *visit(void *arg)
{
	struct guest *guest = arg;
	struct peer peer;

	peer_connect(&peer, &guest->self->rig, guest->self->context);
	guest->rc = peer_handshake(&peer);
	peer_fini(&peer);
	return NULL;
}

TEST_F(limits, workers_pass_places_to_each_other)
{
	enum { ALL = 48 };
	struct guest guests[ALL];
	pthread_t threads[ALL];

	start(self, (struct rig_options){.connections_max = 2, .workers = 4});
	for (int i = 0; i < ALL; i++) {
		guests[i] = (struct guest){.self = self};
		pthread_create(&threads[i], NULL, visit, &guests[i]);
	}
	for (int i = 0; i < ALL; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(1, guests[i].rc);
	}
	EXPECT_EQ(ALL, rig_stats(&self->rig).accepted);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* No descriptor is left when a client comes; when there is one again, it is served. */
TEST_F(limits, lack_of_descriptors_passes)
{
	enum { LIMIT = 128 };
	struct rlimit limit;
	struct peer peer;
	int filler[LIMIT], count = 0, backend;
	uint64_t before_ms;
	uint8_t byte;

	/* a pending accept goes by the limit of when it was begun */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = LIMIT;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	start(self, (struct rig_options){0});
	client_init(&peer.client, self->context);
	peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, peer.fd);
	while ((filler[count] = dup(peer.fd)) >= 0)
		count++;
	ASSERT_EQ(EMFILE, errno);
	before_ms = now_ms();
	ASSERT_EQ(0, connect(peer.fd, (struct sockaddr *)&self->rig.address.addr,
			     self->rig.address.len));
	/* tried again and again, but not in a busy loop: after a rest of 100 ms each */
	WAIT_UNTIL(rig_stats(&self->rig).accept_pauses >= 4);
	EXPECT_GE((now_ms() - before_ms) / 100 + 2, rig_stats(&self->rig).accept_pauses);
	EXPECT_LE(4, rig_stats(&self->rig).pauses_no_descriptors);
	EXPECT_EQ(0, rig_stats(&self->rig).pauses_other);
	EXPECT_EQ(0, rig_stats(&self->rig).accepted);
	/* one for the client, none for its backend */
	close(filler[--count]);
	EXPECT_EQ(1, peer_handshake(&peer));
	EXPECT_GT(0, peer_read(&peer, &byte, 1));
	peer_fini(&peer);
	rig_await_ends(&self->rig, "no_descriptors", 1);
	while (count)
		close(filler[--count]);
	peer_connect(&peer, &self->rig, self->context);
	EXPECT_EQ(1, peer_handshake(&peer));
	backend = rig_accept(&self->rig);
	EXPECT_LE(0, backend);
	close(backend);
	peer_fini(&peer);
	rig_await_outcomes(&self->rig, "accepted", 2);
}

/* ---- Stop ------------------------------------------------------------------------------------ */

struct drain {
	struct kt_engine *engine;
	unsigned int timeout_ms;
	size_t cut;
};

static void *drain(void *arg)
{
	struct drain *order = arg;

	order->cut = kt_engine_drain(order->engine, order->timeout_ms);
	return NULL;
}

static bool refuses(const struct rig *rig)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool refused = connect(fd, (const struct sockaddr *)&rig->address.addr, rig->address.len);

	close(fd);
	return refused;
}

TEST_F(limits, drain_lets_connections_end)
{
	struct drain order = {.timeout_ms = WAIT_LIMIT_MS};
	struct peer peer;
	pthread_t thread;
	char text[4];
	int backend;

	start(self, (struct rig_options){.workers = 2});
	order.engine = self->rig.engine;
	enter(self, &peer);
	backend = rig_accept(&self->rig);
	pthread_create(&thread, NULL, drain, &order);
	WAIT_UNTIL(refuses(&self->rig));
	peer_write(&peer, "last", 4);
	recv_exactly(backend, text, 4);
	EXPECT_EQ(0, memcmp("last", text, 4));
	close(backend);
	EXPECT_EQ(PEER_CLOSED, peer_read(&peer, text, 1));
	peer_close_notify(&peer);
	peer_fini(&peer);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, order.cut);
	EXPECT_EQ(1, rig_ends(&self->rig, "closed"));
}

TEST_F(limits, drain_cuts_what_is_left_at_the_limit)
{
	struct peer peers[3], silent;
	int backends[3];

	start(self, (struct rig_options){.workers = 2});
	for (int i = 0; i < 3; i++) {
		enter(self, &peers[i]);
		backends[i] = rig_accept(&self->rig);
	}
	peer_connect(&silent, &self->rig, self->context);
	WAIT_UNTIL(rig_stats(&self->rig).accepted == 4);
	EXPECT_EQ(4, kt_engine_drain(self->rig.engine, 50));
	EXPECT_EQ(3, rig_ends(&self->rig, "drained"));
	EXPECT_EQ(1, rig_outcomes(&self->rig, "drained"));
	for (int i = 0; i < 3; i++) {
		/* the backend must not take it for the whole */
		EXPECT_EQ(-ECONNRESET, recv_end(backends[i]));
		close(backends[i]);
		peer_fini(&peers[i]);
	}
	peer_fini(&silent);
}

TEST_F(limits, drain_without_connections_is_immediate)
{
	start(self, (struct rig_options){.workers = 4});
	EXPECT_EQ(0, kt_engine_drain(self->rig.engine, WAIT_LIMIT_MS));
	EXPECT_TRUE(refuses(&self->rig));
}

TEST_F(limits, drain_before_the_start_is_fine)
{
	start(self, (struct rig_options){.no_start = true});
	EXPECT_EQ(0, kt_engine_drain(self->rig.engine, 0));
}

TEST_F(limits, drain_does_not_leave_the_parked_behind)
{
	struct peer peers[6];

	start(self, (struct rig_options){.connections_max = 1, .workers = 1});
	for (int i = 0; i < 6; i++)
		peer_connect(&peers[i], &self->rig, self->context);
	WAIT_UNTIL(rig_stats(&self->rig).accepted == 1);
	EXPECT_EQ(1, kt_engine_drain(self->rig.engine, 50));
	for (int i = 0; i < 6; i++)
		peer_fini(&peers[i]);
}

/* ---- Idle ------------------------------------------------------------------------------------ */

FIXTURE(idle)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
	int backend;
};

FIXTURE_VARIANT(idle)
{
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(idle, userspace){.ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(idle, ktls){.ktls = KT_KTLS_AUTO};

FIXTURE_SETUP(idle)
{
	if (variant->ktls == KT_KTLS_AUTO && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	rig_init(&self->rig, &(struct rig_options){.ktls = variant->ktls,
						   .client_auth = KT_CLIENT_AUTH_REQUIRE,
						   .idle_timeout_ms = IDLE_MS});
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
	peer_connect(&self->peer, &self->rig, self->context);
	ASSERT_EQ(1, peer_handshake(&self->peer));
	self->backend = rig_accept(&self->rig);
}

FIXTURE_TEARDOWN(idle)
{
	peer_fini(&self->peer);
	close(self->backend);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

/* For neither side is it a clean end. */
TEST_F(idle, silent_connection_is_ended)
{
	ssize_t n;
	char buf[8];

	rig_await_ends(&self->rig, "idle_timeout", 1);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	n = peer_read(&self->peer, buf, sizeof buf);
	EXPECT_TRUE(n == PEER_EOF || (n == PEER_FAILED && self->peer.client.alert == 80));
}

TEST_F(idle, byte_from_the_client_buys_time)
{
	char buf[8];

	for (int i = 0; i < 6; i++) {
		poll(NULL, 0, IDLE_MS / 3);
		peer_write(&self->peer, "x", 1);
		recv_exactly(self->backend, buf, 1);
	}
	EXPECT_EQ(0, rig_stats(&self->rig).ended);
	rig_await_ends(&self->rig, "idle_timeout", 1);
}

TEST_F(idle, byte_from_the_backend_buys_time)
{
	char buf[8];

	for (int i = 0; i < 6; i++) {
		poll(NULL, 0, IDLE_MS / 3);
		send_all(self->backend, "y", 1);
		peer_read_all(&self->peer, buf, 1);
	}
	EXPECT_EQ(0, rig_stats(&self->rig).ended);
	rig_await_ends(&self->rig, "idle_timeout", 1);
}

/* There is always something to send, and nobody who takes it. */
TEST_F(idle, side_that_takes_nothing_is_idle)
{
	static uint8_t data[16384];
	ssize_t n;

	do
		n = send(self->backend, data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n > 0 || !rig_ends(&self->rig, "idle_timeout"));
	/* counted right after it has its name */
	WAIT_UNTIL(rig_stats(&self->rig).ended == 1);
}

TEST_HARNESS_MAIN
