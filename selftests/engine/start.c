/* SPDX-License-Identifier: BSD-2-Clause */
/* How an engine starts, or is refused a start. */
#include "rig.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

FIXTURE(start)
{
	struct rig rig;
	SSL_CTX *context;
};

FIXTURE_SETUP(start)
{
}

FIXTURE_TEARDOWN(start)
{
	SSL_CTX_free(self->context);
	rig_fini(&self->rig);
}

static void start(FIXTURE_DATA(start) * self, struct rig_options options)
{
	options.client_auth = KT_CLIENT_AUTH_REQUIRE;
	rig_init(&self->rig, &options);
	self->context = client_context(&(struct client_options){.cert = self->rig.lab.client});
}

/* ---- Ports ----------------------------------------------------------------------------------- */

TEST_F(start, port_of_another_engine_is_in_use)
{
	struct kt_engine *other = NULL;

	start(self, (struct rig_options){.workers = 2});
	EXPECT_EQ(-EADDRINUSE,
		  rig_make_engine(&self->rig,
				  &(struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE,
							.address = &self->rig.address},
				  &other));
	EXPECT_NULL(other);
}

TEST_F(start, port_of_an_engine_that_is_not_started_is_in_use)
{
	struct kt_engine *other = NULL;

	start(self, (struct rig_options){.no_start = true});
	EXPECT_EQ(-EADDRINUSE,
		  rig_make_engine(&self->rig,
				  &(struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE,
							.address = &self->rig.address},
				  &other));
}

TEST_F(start, port_of_a_plain_listener_is_in_use)
{
	struct kt_engine *other = NULL;

	start(self, (struct rig_options){0});
	EXPECT_EQ(-EADDRINUSE,
		  rig_make_engine(&self->rig,
				  &(struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE,
							.address = &self->rig.backend_address},
				  &other));
}

/* Two that start at the same moment: one gets the port. */
struct race {
	struct rig *rig;
	struct kt_address address;
	pthread_barrier_t *barrier;
	struct kt_engine *engine;
	int err;
};

static void *race(void *arg)
{
	struct race *racer = arg;

	pthread_barrier_wait(racer->barrier);
	racer->err = rig_make_engine(racer->rig,
				     &(struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE,
							   .ktls = KT_KTLS_OFF,
							   .workers = 2,
							   .address = &racer->address},
				     &racer->engine);
	return NULL;
}

TEST_F(start, of_two_that_start_at_once_one_gets_the_port)
{
	pthread_barrier_t barrier;
	struct race racers[2];
	pthread_t threads[2];

	start(self, (struct rig_options){.ktls = KT_KTLS_OFF});
	for (int turn = 0; turn < 20; turn++) {
		struct kt_address address = self->rig.address;

		/* a port that was free just now */
		kt_engine_drain(self->rig.engine, 0);
		kt_engine_free(self->rig.engine);
		self->rig.engine = NULL;
		pthread_barrier_init(&barrier, NULL, 2);
		for (int i = 0; i < 2; i++) {
			racers[i] = (struct race){
				.rig = &self->rig, .address = address, .barrier = &barrier};
			pthread_create(&threads[i], NULL, race, &racers[i]);
		}
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&barrier);
		ASSERT_EQ(1, (racers[0].err == 0) + (racers[1].err == 0));
		EXPECT_EQ(-EADDRINUSE, racers[0].err + racers[1].err);
		self->rig.engine = racers[0].err ? racers[1].engine : racers[0].engine;
	}
}

/* ---- Options --------------------------------------------------------------------------------- */

TEST_F(start, wrong_options_are_refused)
{
	struct kt_listener_options good, listener;
	struct kt_engine_options options = {.listeners = &listener, .listener_count = 1};
	struct kt_engine *engine = NULL;
	struct kt_error error = {0};
	struct kt_address many[9] = {0};

	start(self, (struct rig_options){.no_start = true});
	many[0] = self->rig.backend_address;
	good = (struct kt_listener_options){.name = "test",
					    .backends = &self->rig.backend_address,
					    .backend_count = 1,
					    .credentials = self->rig.lab.credentials,
					    .client_auth = KT_CLIENT_AUTH_REQUIRE,
					    .pool = self->rig.lab.pool};
	ASSERT_EQ(0, kt_address_parse("127.0.0.1:0", &good.listen, &error));
#define EXPECT_REFUSED(err, ...)                                                                   \
	do {                                                                                       \
		listener = good;                                                                   \
		__VA_ARGS__;                                                                       \
		EXPECT_EQ(err, kt_engine_new(&options, &engine, &error));                          \
		EXPECT_STRNE("", error.text);                                                      \
		EXPECT_NULL(engine);                                                               \
	} while (0)
	EXPECT_REFUSED(-EINVAL, listener.name = NULL);
	EXPECT_REFUSED(-EINVAL, listener.name = "");
	EXPECT_REFUSED(-EINVAL, listener.name = "a name of more than thirty-one bytes");
	EXPECT_REFUSED(-EINVAL, listener.credentials = NULL);
	/* nobody looks at it */
	EXPECT_REFUSED(-EINVAL, listener.credentials_slot = (struct kt_credentials_slot *)self);
	EXPECT_REFUSED(-EINVAL, listener.alpn = (const uint8_t *)"\x02h", listener.alpn_len = 2);
	EXPECT_REFUSED(-EINVAL, listener.pool = NULL);
	EXPECT_REFUSED(-EINVAL, listener.backend_count = 0);
	EXPECT_REFUSED(-EINVAL, listener.backends = many, listener.backend_count = 9);
	EXPECT_REFUSED(-EINVAL, listener.backends = many, listener.backend_count = 2);
	EXPECT_REFUSED(-EINVAL, listener.proxy_from_count = 65);
	ASSERT_EQ(0, kt_address_parse("unix:/tmp/x", &many[1], &error));
	EXPECT_REFUSED(-EINVAL, listener.handoff = many[1]); /* and backends */
	EXPECT_REFUSED(-EINVAL, listener.handoff = many[1], listener.backend_count = 0,
		       listener.proxy_protocol = KT_PROXY_V2);
	EXPECT_REFUSED(-EINVAL, listener.handoff = many[0], listener.backend_count = 0);
	EXPECT_REFUSED(-EAFNOSUPPORT, listener.listen.len = 0);
	EXPECT_REFUSED(-EAFNOSUPPORT,
		       ASSERT_EQ(0, kt_address_parse("unix:/tmp/x", &listener.listen, &error)));
	EXPECT_REFUSED(-EADDRNOTAVAIL,
		       ASSERT_EQ(0, kt_address_parse("192.0.2.1:0", &listener.listen, &error)));
	EXPECT_REFUSED(-EINVAL, options.handshakes_max = 1000001);
	options.handshakes_max = 0;
	EXPECT_REFUSED(-EINVAL, options.listener_count = 0);
	EXPECT_EQ(-ERANGE, kt_engine_address(self->rig.engine, 1, &good.listen));
}

TEST_F(start, required_ktls_is_there_or_refuses_the_start)
{
	struct kt_engine *engine = NULL;
	const struct rig_options options = {.ktls = KT_KTLS_REQUIRE,
					    .client_auth = KT_CLIENT_AUTH_REQUIRE};

	start(self, (struct rig_options){.no_start = true});
	if (!test_have_ktls()) {
		EXPECT_EQ(-EOPNOTSUPP, rig_make_engine(&self->rig, &options, &engine));
		EXPECT_NULL(engine);
		EXPECT_FALSE(kt_engine_ktls(self->rig.engine)->attach);
	} else {
		EXPECT_EQ(0, rig_make_engine(&self->rig, &options, &engine));
		EXPECT_TRUE(kt_engine_ktls(engine)->attach);
		kt_engine_free(engine);
	}
}

/* ---- What is forbidden ----------------------------------------------------------------------- */

static void load_filter(struct sock_filter *code, unsigned short len)
{
	const struct sock_fprog program = {.len = len, .filter = code};

	ASSERT_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT_EQ(0, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* As a container's seccomp profile or kernel.io_uring_disabled do it. */
static void forbid_io_uring(unsigned int call)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	load_filter(code, sizeof code / sizeof code[0]);
}

/* Threads only: a leak checker clones itself at exit. */
static void forbid_threads(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	load_filter(code, sizeof code / sizeof code[0]);
}

FIXTURE(forbidden)
{
	struct rig rig;
};

FIXTURE_VARIANT(forbidden)
{
	unsigned int call;
};

FIXTURE_VARIANT_ADD(forbidden, setup){.call = __NR_io_uring_setup};
FIXTURE_VARIANT_ADD(forbidden, enter){.call = __NR_io_uring_enter};
FIXTURE_VARIANT_ADD(forbidden, registering){.call = __NR_io_uring_register};

FIXTURE_SETUP(forbidden)
{
	rig_init(&self->rig,
		 &(struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE, .no_start = true});
}

FIXTURE_TEARDOWN(forbidden)
{
	rig_fini(&self->rig);
}

TEST_F(forbidden, io_uring_is_told)
{
	struct kt_engine *engine = NULL;

	forbid_io_uring(variant->call);
	EXPECT_EQ(-EPERM,
		  rig_make_engine(&self->rig,
				  &(struct rig_options){.client_auth = KT_CLIENT_AUTH_REQUIRE},
				  &engine));
	EXPECT_NULL(engine);
}

TEST_F(start, start_without_threads_is_told)
{
	struct kt_error error = {0};

	start(self, (struct rig_options){.no_start = true, .workers = 2});
	forbid_threads();
	EXPECT_EQ(-EAGAIN, kt_engine_start(self->rig.engine, &error));
	EXPECT_STRNE("", error.text);
}

/* ---- Who came before ------------------------------------------------------------------------- */

TEST_F(start, what_came_before_the_start_is_served_after_it)
{
	struct kt_error error = {0};
	struct peer peer;

	start(self, (struct rig_options){.no_start = true, .workers = 3});
	peer_connect(&peer, &self->rig, self->context);
	ASSERT_EQ(0, kt_engine_start(self->rig.engine, &error));
	EXPECT_EQ(1, peer_handshake(&peer));
	peer_fini(&peer);
}

/* What it said before cannot be answered, and whose it was cannot be told: nothing is made of it.
 */
TEST_F(start, who_reset_before_it_was_taken_costs_no_handshake)
{
	struct kt_error error = {0};
	int fd;

	start(self, (struct rig_options){.no_start = true});
	fd = tcp_connect(&self->rig.address);
	send_all(fd, "GET / HTTP/1.0\r\n\r\n", 18);
	abort_fd(fd);
	ASSERT_EQ(0, kt_engine_start(self->rig.engine, &error));
	WAIT_UNTIL(rig_stats(&self->rig).handshakes_failed == 1);
	EXPECT_EQ(1, rig_outcomes(&self->rig, "peer_reset"));
}

TEST_HARNESS_MAIN
