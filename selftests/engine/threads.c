/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a ring cannot do at once or by poll, it does in threads of the kernel (io-wq). No client or
 * backend makes it do so: who waits there is only one of so many, whom others wait for (ring.h).
 */
#include "../../src/engine/ring.h"
#include "rig.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMES 200 /* io_uring gives a thread to what it has begun 128 times (APOLL_MAX_RETRY) */

/* Of this process, in which the engine is. */
static unsigned int kernel_threads(void)
{
	struct dirent *entry;
	DIR *tasks = opendir("/proc/self/task");
	unsigned int count = 0;

	ASSERT_NE(NULL, tasks);
	while ((entry = readdir(tasks))) {
		char path[sizeof "/proc/self/task//comm" + sizeof entry->d_name], name[32] = "";
		FILE *file;

		snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (file && fgets(name, sizeof name, file))
			count += strncmp(name, "iou-wrk-", 8) == 0;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return count;
}

/* A Unix socket with room for one connection, which is taken. */
static int full_queue(struct kt_address *ret_address)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret_address->addr;
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, listening);
	memset(ret_address, 0, sizeof *ret_address);
	un->sun_family = AF_UNIX;
	/* a name that nothing else has, and no file (unix(7)) */
	snprintf(un->sun_path + 1, sizeof un->sun_path - 1, "ktrust-selftest-%d", getpid());
	ret_address->len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(un->sun_path + 1));
	ASSERT_EQ(0, bind(listening, (struct sockaddr *)un, ret_address->len));
	ASSERT_EQ(0, listen(listening, 0));
	return listening;
}

static int queue_one(const struct kt_address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, connect(fd, (const struct sockaddr *)&address->addr, address->len));
	return fd;
}

/* ---- A worker's ------------------------------------------------------------------------------ */

FIXTURE(threads)
{
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
};

FIXTURE_VARIANT(threads)
{
	enum kt_ktls_mode ktls;
};

FIXTURE_VARIANT_ADD(threads, userspace){.ktls = KT_KTLS_OFF};
FIXTURE_VARIANT_ADD(threads, ktls){.ktls = KT_KTLS_REQUIRE};

FIXTURE_SETUP(threads)
{
	if (variant->ktls == KT_KTLS_REQUIRE && !test_have_ktls())
		SKIP(return, "this kernel has no kTLS");
	self->peer.fd = -1;
}

FIXTURE_TEARDOWN(threads)
{
	if (self->peer.fd >= 0)
		peer_fini(&self->peer);
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void start(FIXTURE_DATA(threads) * self, struct rig_options options)
{
	options.client_auth = KT_CLIENT_AUTH_REQUIRE;
	rig_init(&self->rig, &options);
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
	peer_connect(&self->peer, &self->rig, self->context);
}

static int meet(FIXTURE_DATA(threads) * self)
{
	int backend;
	char byte;

	ASSERT_EQ(1, peer_handshake(&self->peer));
	backend = rig_accept(&self->rig);
	peer_write(&self->peer, "x", 1);
	recv_exactly(backend, &byte, 1);
	return backend;
}

TEST_F(threads, empty_records_one_by_one_make_none)
{
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];
	int backend, err = 0;

	start(self, (struct rig_options){.ktls = variant->ktls});
	backend = meet(self);
	keys_of_client(&self->peer.client, &traffic);
	record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "x", 1, record);
	for (int i = 0; i < TIMES && !err; i++) {
		size_t len = record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "", 0, record);

		if (send(self->peer.fd, record, len, MSG_NOSIGNAL) < 0)
			err = errno;
		usleep(5000);
	}
	EXPECT_EQ(0, kernel_threads());
	peer_fini(&self->peer);
	self->peer.fd = -1;
	close(backend);
	rig_await_ends(&self->rig,
		       variant->ktls == KT_KTLS_OFF ? "protocol_error" : "empty_record_flood", 1);
}

/* Its bytes come beside the stream, if nobody asks for them in it. */
TEST_F(threads, urgent_data_makes_none)
{
	start(self, (struct rig_options){.ktls = variant->ktls});
	for (int i = 0; i < TIMES; i++) {
		if (send(self->peer.fd, "u", 1, MSG_OOB | MSG_NOSIGNAL) < 0)
			break;
		usleep(2000);
	}
	EXPECT_EQ(0, kernel_threads());
	rig_await_outcomes(&self->rig, "not_tls", 1);
}

TEST_F(threads, urgent_data_of_a_backend_is_data)
{
	char byte;
	int backend;

	start(self, (struct rig_options){.ktls = variant->ktls});
	backend = meet(self);
	for (int i = 0; i < TIMES; i++) {
		char sent = (char)('a' + i % 26);

		ASSERT_EQ(1, send(backend, &sent, 1, MSG_OOB));
		peer_read_all(&self->peer, &byte, 1);
		EXPECT_EQ(sent, byte);
	}
	EXPECT_EQ(0, kernel_threads());
	close(backend);
}

#define WAITING 4

TEST_F(threads, unix_sockets_whose_queue_is_full_make_none)
{
	struct kt_address address;
	struct peer later[WAITING];
	int listening = full_queue(&address), queued = queue_one(&address), backend;
	char byte;

	start(self, (struct rig_options){
			    .ktls = variant->ktls, .backends = &address, .backend_count = 1});
	ASSERT_EQ(1, peer_handshake(&self->peer));
	peer_write(&self->peer, "0", 1);
	for (int i = 0; i < WAITING; i++) {
		char name = (char)('1' + i);

		rig_await_outcomes(&self->rig, "accepted", (uint64_t)i + 1);
		peer_connect(&later[i], &self->rig, self->context);
		ASSERT_EQ(1, peer_handshake(&later[i]));
		peer_write(&later[i], &name, 1);
	}
	rig_await_outcomes(&self->rig, "accepted", 1 + WAITING);
	usleep(50000);
	EXPECT_EQ(0, kernel_threads());
	close(accept(listening, NULL, NULL));
	/* first come, first served */
	for (int i = 0; i < 1 + WAITING; i++) {
		backend = accept(listening, NULL, NULL);
		ASSERT_LE(0, backend);
		recv_exactly(backend, &byte, 1);
		EXPECT_EQ('0' + i, byte);
		close(backend);
	}
	for (int i = 0; i < WAITING; i++)
		peer_fini(&later[i]);
	close(queued);
	close(listening);
}

TEST_F(threads, unix_socket_whose_queue_stays_full_is_left_for_the_next)
{
	struct kt_address addresses[2] = {{.len = 0}};
	int listening = full_queue(&addresses[0]), queued = queue_one(&addresses[0]);

	start(self, (struct rig_options){.ktls = variant->ktls,
					 .backends = addresses,
					 .backend_count = 2,
					 .connect_timeout_ms = 200});
	close(meet(self));
	close(queued);
	close(listening);
}

TEST_F(threads, unix_socket_whose_queue_stays_full_is_named)
{
	struct kt_address address;
	int listening = full_queue(&address), queued = queue_one(&address);

	start(self, (struct rig_options){.ktls = variant->ktls,
					 .backends = &address,
					 .backend_count = 1,
					 .connect_timeout_ms = 200});
	ASSERT_EQ(1, peer_handshake(&self->peer));
	rig_await_ends(&self->rig, "backend_timeout", 1);
	close(queued);
	close(listening);
}

/* Urgent data there is, too (CONFIG_AF_UNIX_OOB), one byte of it at a time. */
TEST_F(threads, urgent_data_of_a_unix_socket_is_data)
{
	char byte;
	int backend;

	start(self, (struct rig_options){.ktls = variant->ktls, .unix_backend = true});
	backend = meet(self);
	for (int i = 0; i < 8; i++) {
		char sent = (char)('a' + i);

		if (send(backend, &sent, 1, MSG_OOB) < 0)
			SKIP(break, "this kernel has no urgent data on Unix sockets");
		peer_read_all(&self->peer, &byte, 1);
		EXPECT_EQ(sent, byte);
	}
	EXPECT_EQ(0, kernel_threads());
	close(backend);
}

/* One that was let in waits for room in this queue, which there is none in. */
static void start_waiting(FIXTURE_DATA(threads) * self, enum kt_ktls_mode ktls,
			  struct kt_address *backend)
{
	start(self, (struct rig_options){.ktls = ktls, .backends = backend, .backend_count = 1});
	ASSERT_EQ(1, peer_handshake(&self->peer));
	rig_await_outcomes(&self->rig, "accepted", 1);
	usleep(20000);
}

/* Its socket goes while somebody waits for it; and so may who waits. */
TEST_F(threads, unix_socket_that_goes_is_waited_for_no_more)
{
	struct kt_address address;
	int listening = full_queue(&address), queued = queue_one(&address);

	start_waiting(self, variant->ktls, &address);
	close(listening);
	rig_await_ends(&self->rig, "backend_unreachable", 1);
	close(queued);
}

TEST_F(threads, who_waits_for_a_unix_socket_can_be_drained)
{
	struct kt_address address;
	int listening = full_queue(&address), queued = queue_one(&address);

	start_waiting(self, variant->ktls, &address);
	EXPECT_EQ(1, kt_engine_drain(self->rig.engine, 0));
	rig_await_ends(&self->rig, "drained", 1);
	close(queued);
	close(listening);
}

/* ---- A ring's -------------------------------------------------------------------------------- */

#define MORE	    (KT_RING_THREADS + 8)
#define ROUNDS_MAX  1000
#define ROUNDS_MORE 40 /* when some have a thread each, the others are not far behind */

TEST(ring_has_so_many_threads)
{
	struct kt_address address;
	struct kt_ring ring;
	int listening = full_queue(&address), queued = queue_one(&address), fds[MORE];
	unsigned int most = 0, now;

	ASSERT_EQ(0, kt_ring_init(&ring, NULL));
	ASSERT_EQ(0, kt_ring_enable(&ring));
	for (uint64_t i = 0; i < MORE; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ASSERT_LE(0, fds[i]);
		ASSERT_TRUE(kt_ring_reserve(&ring, 1));
		io_uring_prep_connect(kt_ring_sqe(&ring, i), fds[i],
				      (const struct sockaddr *)&address.addr, address.len);
	}
	for (int i = 0, more = 0; i < ROUNDS_MAX && more < ROUNDS_MORE; i++) {
		kt_ring_wait(&ring, 10000000);
		now = kernel_threads();
		most = now > most ? now : most;
		more += most >= KT_RING_THREADS;
	}
	EXPECT_EQ(KT_RING_THREADS, most);
	close(listening);
	kt_ring_fini(&ring);
	for (int i = 0; i < MORE; i++)
		close(fds[i]);
	close(queued);
}

TEST_HARNESS_MAIN
