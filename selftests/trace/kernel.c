/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../harness.h"

#define TIMEOUT_MS 10000
#define HOLD_MS	   300
#define BOTH	   (KT_PROBE_KTLS_TX | KT_PROBE_KTLS_RX)

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

FIXTURE(kernel)
{
	struct kt_test_fire fire;
	struct kt_test_pair pair;
	struct kt_trace *trace;
	struct kt_test_seen *seen;
};

static struct kt_trace *open_trace(void)
{
	struct kt_trace_options options = {
		.binary = kt_test_fire_path(),
		.end_hold_ms = HOLD_MS,
	};
	struct kt_trace *trace = NULL;
	struct kt_error error = {};

	ASSERT_EQ(0, kt_trace_open(&options, &trace, &error))
	{
		TH_LOG("%s", error.text);
	}
	return trace;
}

FIXTURE_SETUP(kernel)
{
	const char *why = kt_test_no_tracing();

	if (why)
		SKIP(return, "%s", why);
	self->seen = kt_test_seen_new();
	kt_test_fire_start(&self->fire, kt_test_fire_path());
	self->trace = open_trace();
	kt_test_pair_open(&self->pair);
}

FIXTURE_TEARDOWN(kernel)
{
	kt_trace_close(self->trace);
	kt_test_pair_close(&self->pair);
	kt_test_fire_stop(&self->fire);
	free(self->seen);
}

/* A handshake of the pair's server end. */
static struct kt_fire handshake_of(FIXTURE_DATA(kernel) * self, uint8_t ktls)
{
	struct kt_fire fire = {.what = KT_FIRE_HANDSHAKE, .times = 1};

	fire.handshake.conn = 42;
	fire.handshake.cookie = self->pair.cookie;
	fire.handshake.start_ns = now_ns();
	fire.handshake.pool_version = 7;
	fire.handshake.accepted = 1;
	fire.handshake.ktls = ktls;
	strcpy(fire.handshake.outcome, "accepted");
	strcpy(fire.handshake.pool, "clients");
	return fire;
}

static struct kt_fire end_of(FIXTURE_DATA(kernel) * self)
{
	struct kt_fire fire = {.what = KT_FIRE_CONN_END, .times = 1};

	fire.conn_end.conn = 42;
	fire.conn_end.cookie = self->pair.cookie;
	fire.conn_end.pool_version = 7;
	strcpy(fire.conn_end.reason, "closed");
	return fire;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* Closes the socket in the kernel for good: a reset, so that nothing lingers. */
static void reset_server(FIXTURE_DATA(kernel) * self)
{
	struct linger linger = {.l_onoff = 1};

	ASSERT_EQ(0, setsockopt(self->pair.server, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
	close(self->pair.server);
	self->pair.server = -1;
}

TEST_F(kernel, an_end_only_the_kernel_saw_is_shown_with_version_and_age)
{
	struct kt_fire fire = handshake_of(self, 0);
	uint64_t start_ns = fire.handshake.start_ns;

	kt_test_fire_do(&self->fire, &fire);
	reset_server(self);
	ASSERT_EQ(2, kt_test_read(self->trace, self->seen, 2, TIMEOUT_MS));
	EXPECT_EQ(KT_EVENT_SOCKET_END, self->seen->of[1].kind);
	EXPECT_EQ(42, self->seen->of[1].socket_end.conn);
	EXPECT_EQ(self->pair.cookie, self->seen->of[1].socket_end.cookie);
	EXPECT_EQ(7, self->seen->of[1].socket_end.pool_version);
	EXPECT_EQ(start_ns, self->seen->of[1].socket_end.start_ns);
	EXPECT_STREQ("clients", self->seen->of[1].socket_end.pool);
	EXPECT_EQ(self->fire.pid, (pid_t)self->seen->of[1].header.pid);
	EXPECT_GT(self->seen->of[1].header.ktime_ns, start_ns);
}

TEST_F(kernel, the_kernels_end_is_held_back_for_the_programs)
{
	struct kt_fire fire = handshake_of(self, 0), end = end_of(self);

	kt_test_fire_do(&self->fire, &fire);
	reset_server(self);
	kt_test_fire_do(&self->fire, &end);
	EXPECT_EQ(2, kt_test_read(self->trace, self->seen, 3, 3 * HOLD_MS));
	EXPECT_EQ(KT_EVENT_CONN_END, self->seen->of[1].kind);
}

TEST_F(kernel, the_programs_end_makes_the_kernels_no_news)
{
	struct kt_fire fire = handshake_of(self, 0), end = end_of(self);
	struct kt_event_counts counts;

	kt_test_fire_do(&self->fire, &fire);
	kt_test_fire_do(&self->fire, &end);
	reset_server(self);
	EXPECT_EQ(2, kt_test_read(self->trace, self->seen, 3, 3 * HOLD_MS));
	EXPECT_EQ(KT_EVENT_CONN_END, self->seen->of[1].kind);
	kt_trace_counts(self->trace, &counts);
	EXPECT_EQ(0, counts.hits[KT_EVENT_SOCKET_END]);
}

TEST_F(kernel, the_programs_end_is_not_shown_after_the_kernels)
{
	struct kt_fire fire = handshake_of(self, 0), end = end_of(self);

	kt_test_fire_do(&self->fire, &fire);
	reset_server(self);
	ASSERT_EQ(2, kt_test_read(self->trace, self->seen, 2, TIMEOUT_MS));
	kt_test_fire_do(&self->fire, &end);
	kt_trace_stop(self->trace);
	kt_test_drain(self->trace, self->seen);
	EXPECT_EQ(2, self->seen->n);
	EXPECT_EQ(KT_EVENT_SOCKET_END, self->seen->of[1].kind);
}

TEST_F(kernel, an_end_that_is_held_back_is_shown_at_the_stop)
{
	struct kt_fire fire = handshake_of(self, 0);

	kt_test_fire_do(&self->fire, &fire);
	reset_server(self);
	kt_trace_stop(self->trace);
	kt_test_drain(self->trace, self->seen);
	ASSERT_EQ(2, self->seen->n);
	EXPECT_EQ(KT_EVENT_SOCKET_END, self->seen->of[1].kind);
}

TEST_F(kernel, sockets_of_others_are_nobodys_end)
{
	struct kt_event_counts counts;

	reset_server(self);
	kt_trace_stop(self->trace);
	kt_test_drain(self->trace, self->seen);
	kt_trace_counts(self->trace, &counts);
	EXPECT_EQ(0, self->seen->n);
	EXPECT_EQ(0, counts.hits[KT_EVENT_SOCKET_END]);
}

TEST_F(kernel, a_refused_connection_has_no_end)
{
	struct kt_fire fire = handshake_of(self, 0);

	fire.handshake.accepted = 0;
	kt_test_fire_do(&self->fire, &fire);
	reset_server(self);
	kt_trace_stop(self->trace);
	kt_test_drain(self->trace, self->seen);
	ASSERT_EQ(1, self->seen->n);
	EXPECT_EQ(KT_EVENT_HANDSHAKE, self->seen->of[0].kind);
}

/* ---- kTLS ------------------------------------------------------------------------------------ */

static int take_keys(int fd, int direction)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};

	return setsockopt(fd, SOL_TLS, direction, &info, sizeof info) ? -errno : 0;
}

static const char *no_kernel_view(void)
{
	struct kt_test_pair probe;
	int rc;

	if (access("/sys/bus/event_source/devices/kprobe/type", F_OK))
		return "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)";
	kt_test_pair_open(&probe);
	rc = setsockopt(probe.server, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls");
	kt_test_pair_close(&probe);
	return rc ? "this kernel has no kTLS (CONFIG_TLS)" : NULL;
}

FIXTURE(ktls)
{
	FIXTURE_DATA(kernel) kernel;
};

FIXTURE_SETUP(ktls)
{
	const char *why = kt_test_no_tracing();

	if (!why)
		why = no_kernel_view();
	if (why)
		SKIP(return, "%s", why);
	kernel_fixture_setup(&self->kernel, NULL);
	ASSERT_EQ(0,
		  setsockopt(self->kernel.pair.server, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls"));
}

FIXTURE_TEARDOWN(ktls)
{
	kernel_fixture_teardown(&self->kernel, NULL);
}

static void see_handshake(FIXTURE_DATA(kernel) * self, uint8_t claim)
{
	struct kt_fire fire = handshake_of(self, claim);

	kt_test_fire_do(&self->fire, &fire);
	ASSERT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
}

TEST_F(ktls, the_kernel_confirms_both_directions)
{
	ASSERT_EQ(0, take_keys(self->kernel.pair.server, TLS_TX));
	ASSERT_EQ(0, take_keys(self->kernel.pair.server, TLS_RX));
	see_handshake(&self->kernel, BOTH);
	EXPECT_EQ(KT_TRACE_KERNEL_AGREES, self->kernel.seen->of[0].kernel);
	EXPECT_EQ(BOTH, self->kernel.seen->of[0].kernel_ktls);
}

TEST_F(ktls, the_kernel_confirms_one_direction)
{
	ASSERT_EQ(0, take_keys(self->kernel.pair.server, TLS_RX));
	see_handshake(&self->kernel, KT_PROBE_KTLS_RX);
	EXPECT_EQ(KT_TRACE_KERNEL_AGREES, self->kernel.seen->of[0].kernel);
	EXPECT_EQ(KT_PROBE_KTLS_RX, self->kernel.seen->of[0].kernel_ktls);
}

TEST_F(ktls, the_kernel_confirms_that_there_is_none)
{
	see_handshake(&self->kernel, 0);
	EXPECT_EQ(KT_TRACE_KERNEL_AGREES, self->kernel.seen->of[0].kernel);
	EXPECT_EQ(0, self->kernel.seen->of[0].kernel_ktls);
}

TEST_F(ktls, a_claim_the_kernel_knows_nothing_of_is_told)
{
	ASSERT_EQ(0, take_keys(self->kernel.pair.server, TLS_TX));
	see_handshake(&self->kernel, BOTH);
	EXPECT_EQ(KT_TRACE_KERNEL_DIFFERS, self->kernel.seen->of[0].kernel);
	EXPECT_EQ(KT_PROBE_KTLS_TX, self->kernel.seen->of[0].kernel_ktls);
}

TEST_F(ktls, a_refused_setsockopt_is_no_kernel_tls)
{
	int direction = TLS_TX;

	ASSERT_NE(0, setsockopt(self->kernel.pair.server, SOL_TLS, TLS_TX, &direction, 1));
	see_handshake(&self->kernel, KT_PROBE_KTLS_TX);
	EXPECT_EQ(KT_TRACE_KERNEL_DIFFERS, self->kernel.seen->of[0].kernel);
	EXPECT_EQ(0, self->kernel.seen->of[0].kernel_ktls);
}

TEST_F(ktls, a_connection_accepted_before_the_tracer_is_not_known)
{
	struct kt_fire fire;

	ASSERT_EQ(0, take_keys(self->kernel.pair.server, TLS_TX));
	fire = handshake_of(&self->kernel, BOTH);
	fire.handshake.start_ns = 1;
	kt_test_fire_do(&self->kernel.fire, &fire);
	ASSERT_EQ(1, kt_test_read(self->kernel.trace, self->kernel.seen, 1, TIMEOUT_MS));
	EXPECT_EQ(KT_TRACE_KERNEL_UNKNOWN, self->kernel.seen->of[0].kernel);
}

/* ---- The module comes and goes --------------------------------------------------------------- */

static int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Reads until claims are confirmed; each round is a connection with kTLS. */
static bool becomes_known(FIXTURE_DATA(kernel) * self)
{
	for (uint64_t end_ns = now_ns() + 1000000ull * TIMEOUT_MS; now_ns() < end_ns;) {
		struct kt_fire fire;

		kt_test_pair_close(&self->pair);
		kt_test_pair_open(&self->pair);
		fire = handshake_of(self, KT_PROBE_KTLS_TX);
		ASSERT_EQ(0,
			  setsockopt(self->pair.server, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls"));
		ASSERT_EQ(0, take_keys(self->pair.server, TLS_TX));
		self->seen->n = 0;
		kt_test_fire_do(&self->fire, &fire);
		ASSERT_NE(0, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
		if (self->seen->of[self->seen->n - 1].kind == KT_EVENT_HANDSHAKE &&
		    self->seen->of[self->seen->n - 1].kernel == KT_TRACE_KERNEL_AGREES)
			return true;
	}
	return false;
}

/* Sockets that others have closed may hold it for a while. */
static bool unload_tls(void)
{
	for (int i = 0; i < 50; i++) {
		if (!run("rmmod tls 2>/dev/null"))
			return true;
		usleep(100000);
	}
	return false;
}

TEST(a_module_loaded_after_the_tracer_is_found_and_found_again)
{
	FIXTURE_DATA(kernel) self = {};
	const char *why = kt_test_no_tracing();

	if (!why)
		why = no_kernel_view();
	if (why)
		SKIP(return, "%s", why);
	if (!unload_tls())
		SKIP(return, "the tls module cannot be unloaded here");
	kernel_fixture_setup(&self, NULL);
	EXPECT_NULL(kt_trace_missing(self.trace, 0));
	EXPECT_TRUE(becomes_known(&self));
	/* Gone, seen to be gone, and back. The pair's socket holds the module. */
	kt_test_pair_close(&self.pair);
	kt_test_pair_open(&self.pair);
	EXPECT_EQ(0, run("rmmod tls"));
	self.seen->n = 0;
	kt_test_read(self.trace, self.seen, KT_TEST_SEEN, 1500);
	EXPECT_TRUE(becomes_known(&self));
	kernel_fixture_teardown(&self, NULL);
}

TEST(a_module_that_cannot_be_watched_is_told_and_tried_again)
{
	struct rlimit limit, none;
	FIXTURE_DATA(kernel) self = {};
	const char *why = kt_test_no_tracing();
	struct kt_fire fire;

	if (!why)
		why = no_kernel_view();
	if (why)
		SKIP(return, "%s", why);
	if (!unload_tls())
		SKIP(return, "the tls module cannot be unloaded here");
	kernel_fixture_setup(&self, NULL);
	ASSERT_EQ(0, setsockopt(self.pair.server, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls"));
	fire = handshake_of(&self, KT_PROBE_KTLS_TX);
	/* Not one descriptor more for the tracer. */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	for (int i = 1; i <= 2; i++) {
		kt_test_fire_do(&self.fire, &fire);
		ASSERT_EQ(i, kt_test_read(self.trace, self.seen, (size_t)i, TIMEOUT_MS));
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_TRUE(kt_trace_missing(self.trace, 0));
	EXPECT_TRUE(strstr(kt_trace_missing(self.trace, 0), "tls_setsockopt"));
	EXPECT_NULL(kt_trace_missing(self.trace, 1));
	EXPECT_TRUE(becomes_known(&self));
	kernel_fixture_teardown(&self, NULL);
}

TEST_HARNESS_MAIN
