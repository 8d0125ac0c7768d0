/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/mounts.h"

#define ALL_LISTENERS 0x1f
#define TIMEOUT_MS    10000

FIXTURE(probes)
{
	struct kt_test_fire fire;
	struct kt_trace *trace;
	struct kt_test_seen *seen;
	struct kt_error error;
};

FIXTURE_SETUP(probes)
{
	const char *why = kt_test_no_tracing();

	if (why)
		SKIP(return, "%s", why);
	self->seen = kt_test_seen_new();
	kt_test_fire_start(&self->fire, kt_test_fire_path());
}

FIXTURE_TEARDOWN(probes)
{
	kt_trace_close(self->trace);
	kt_test_fire_stop(&self->fire);
	free(self->seen);
}

static struct kt_trace *open_trace(struct kt_trace_options options)
{
	struct kt_trace *trace = NULL;
	struct kt_error error = {};
	char line[600];

	if (!options.binary)
		options.binary = kt_test_fire_path();
	ASSERT_EQ(0, kt_trace_open(&options, &trace, &error))
	{
		TH_LOG("%s", kt_error_format(&error, line, sizeof line));
	}
	return trace;
}

TEST_F(probes, every_byte_of_a_handshake_arrives)
{
	struct kt_fire fire = kt_test_handshake(1);

	self->trace = open_trace((struct kt_trace_options){});
	EXPECT_EQ(1, kt_test_fire_do(&self->fire, &fire));
	ASSERT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
	EXPECT_EQ(KT_EVENT_HANDSHAKE, self->seen->of[0].kind);
	EXPECT_EQ(0, memcmp(&fire.handshake, &self->seen->of[0].handshake, sizeof fire.handshake));
}

TEST_F(probes, every_byte_of_an_end_arrives)
{
	struct kt_fire fire = kt_test_conn_end(2);

	self->trace = open_trace((struct kt_trace_options){});
	EXPECT_EQ(1, kt_test_fire_do(&self->fire, &fire));
	ASSERT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
	EXPECT_EQ(KT_EVENT_CONN_END, self->seen->of[0].kind);
	EXPECT_EQ(0, memcmp(&fire.conn_end, &self->seen->of[0].conn_end, sizeof fire.conn_end));
}

TEST_F(probes, every_byte_of_a_publication_and_of_a_reclaim_arrives)
{
	struct kt_fire publish = kt_test_publish(3), reclaim = kt_test_reclaim(4);

	self->trace = open_trace((struct kt_trace_options){});
	EXPECT_EQ(1, kt_test_fire_do(&self->fire, &publish));
	EXPECT_EQ(1, kt_test_fire_do(&self->fire, &reclaim));
	ASSERT_EQ(2, kt_test_read(self->trace, self->seen, 2, TIMEOUT_MS));
	EXPECT_EQ(KT_EVENT_PUBLISH, self->seen->of[0].kind);
	EXPECT_EQ(0, memcmp(&publish.publish, &self->seen->of[0].publish, sizeof publish.publish));
	EXPECT_EQ(KT_EVENT_RECLAIM, self->seen->of[1].kind);
	EXPECT_EQ(0, memcmp(&reclaim.reclaim, &self->seen->of[1].reclaim, sizeof reclaim.reclaim));
}

TEST_F(probes, every_byte_of_a_refusal_arrives)
{
	struct kt_fire fire = kt_test_refuse(5);

	self->trace = open_trace((struct kt_trace_options){});
	EXPECT_EQ(1, kt_test_fire_do(&self->fire, &fire));
	ASSERT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
	EXPECT_EQ(KT_EVENT_REFUSE, self->seen->of[0].kind);
	EXPECT_EQ(0, memcmp(&fire.refuse, &self->seen->of[0].refuse, sizeof fire.refuse));
}

TEST_F(probes, strings_without_an_end_are_given_one)
{
	struct kt_fire fire = kt_test_handshake(1);

	fire.handshake.peer[sizeof fire.handshake.peer - 1] = 'x';
	fire.handshake.sni[sizeof fire.handshake.sni - 1] = 'x';
	self->trace = open_trace((struct kt_trace_options){});
	kt_test_fire_do(&self->fire, &fire);
	ASSERT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
	EXPECT_EQ(sizeof fire.handshake.peer - 1, strlen(self->seen->of[0].handshake.peer));
	EXPECT_EQ(sizeof fire.handshake.sni - 1, strlen(self->seen->of[0].handshake.sni));
}

TEST_F(probes, an_event_says_when_and_who)
{
	struct kt_fire fire = kt_test_handshake(1);
	struct timespec before, after, real;

	self->trace = open_trace((struct kt_trace_options){});
	clock_gettime(CLOCK_MONOTONIC, &before);
	kt_test_fire_do(&self->fire, &fire);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ASSERT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
	clock_gettime(CLOCK_REALTIME, &real);
	EXPECT_EQ(self->fire.pid, (pid_t)self->seen->of[0].header.pid);
	EXPECT_EQ(self->fire.pid, (pid_t)self->seen->of[0].header.tid);
	EXPECT_GE(self->seen->of[0].header.ktime_ns,
		  before.tv_sec * 1000000000ull + (unsigned long)before.tv_nsec);
	EXPECT_LE(self->seen->of[0].header.ktime_ns,
		  after.tv_sec * 1000000000ull + (unsigned long)after.tv_nsec);
	EXPECT_LE(self->seen->of[0].time_ns / 1000000000, real.tv_sec);
	EXPECT_GE(self->seen->of[0].time_ns / 1000000000, real.tv_sec - TIMEOUT_MS / 1000);
}

TEST_F(probes, a_program_started_after_the_tracer_is_seen)
{
	struct kt_fire fire = kt_test_handshake(5);
	struct kt_test_fire later;

	self->trace = open_trace((struct kt_trace_options){});
	kt_test_fire_start(&later, kt_test_fire_path());
	EXPECT_EQ(1, kt_test_fire_do(&later, &fire));
	EXPECT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
	EXPECT_EQ(later.pid, (pid_t)self->seen->of[0].header.pid);
	kt_test_fire_stop(&later);
}

TEST_F(probes, one_process_can_be_asked_for)
{
	struct kt_fire fire = kt_test_handshake(6);
	struct kt_test_fire other;

	kt_test_fire_start(&other, kt_test_fire_path());
	self->trace = open_trace((struct kt_trace_options){.pid = self->fire.pid});
	EXPECT_EQ(0, kt_test_fire_do(&other, &fire));
	EXPECT_EQ(1, kt_test_fire_do(&self->fire, &fire));
	kt_trace_stop(self->trace);
	kt_test_drain(self->trace, self->seen);
	ASSERT_EQ(1, self->seen->n);
	EXPECT_EQ(self->fire.pid, (pid_t)self->seen->of[0].header.pid);
	kt_test_fire_stop(&other);
}

TEST_F(probes, two_tracers_see_the_same)
{
	struct kt_fire fire = kt_test_handshake(7);
	struct kt_test_seen *seen = kt_test_seen_new();
	struct kt_trace *second;

	self->trace = open_trace((struct kt_trace_options){});
	second = open_trace((struct kt_trace_options){});
	fire.times = 100;
	kt_test_fire_do(&self->fire, &fire);
	ASSERT_EQ(100, kt_test_read(self->trace, self->seen, 100, TIMEOUT_MS));
	ASSERT_EQ(100, kt_test_read(second, seen, 100, TIMEOUT_MS));
	for (size_t i = 0; i < 100; i++)
		EXPECT_EQ(0, memcmp(&seen->of[i].handshake, &self->seen->of[i].handshake,
				    sizeof fire.handshake));
	kt_trace_close(second);
	/* The one that is left still has its listeners. */
	EXPECT_EQ(ALL_LISTENERS, kt_test_fire_listeners(&self->fire));
	free(seen);
}

TEST_F(probes, the_semaphores_are_raised_exactly_while_somebody_listens)
{
	EXPECT_EQ(0, kt_test_fire_listeners(&self->fire));
	self->trace = open_trace((struct kt_trace_options){});
	EXPECT_EQ(ALL_LISTENERS, kt_test_fire_listeners(&self->fire));
	kt_trace_stop(self->trace);
	EXPECT_EQ(0, kt_test_fire_listeners(&self->fire));
}

TEST_F(probes, only_kinds_that_are_wanted_arrive)
{
	struct kt_fire fires[] = {kt_test_handshake(1), kt_test_publish(2), kt_test_reclaim(3),
				  kt_test_conn_end(4)};

	self->trace = open_trace((struct kt_trace_options){
		.kinds = KT_EVENT_BIT(KT_EVENT_RECLAIM) | KT_EVENT_BIT(KT_EVENT_CONN_END)});
	for (size_t i = 0; i < 4; i++)
		EXPECT_EQ(1, kt_test_fire_do(&self->fire, &fires[i]));
	kt_trace_stop(self->trace);
	kt_test_drain(self->trace, self->seen);
	ASSERT_EQ(2, self->seen->n);
	EXPECT_EQ(KT_EVENT_RECLAIM, self->seen->of[0].kind);
	EXPECT_EQ(KT_EVENT_CONN_END, self->seen->of[1].kind);
}

TEST_F(probes, what_a_full_buffer_loses_is_counted)
{
	enum { FIRED = 3000 };
	struct kt_fire fire = kt_test_handshake(8);
	struct kt_event_counts counts;

	fire.times = FIRED;
	fire.handshake.conn = 1;
	self->trace = open_trace((struct kt_trace_options){.buffer_bytes = 1});
	kt_test_fire_do(&self->fire, &fire);
	kt_trace_stop(self->trace);
	kt_test_drain(self->trace, self->seen);
	kt_trace_counts(self->trace, &counts);
	EXPECT_EQ(FIRED, counts.hits[KT_EVENT_HANDSHAKE]);
	EXPECT_GT(counts.lost[KT_EVENT_HANDSHAKE], 0);
	EXPECT_GT(self->seen->n, 0);
	EXPECT_EQ(FIRED, self->seen->n + counts.lost[KT_EVENT_HANDSHAKE]);
	/* What did arrive is whole, and the first of all. */
	for (size_t i = 0; i < self->seen->n; i++, fire.handshake.conn++)
		EXPECT_EQ(0, memcmp(&fire.handshake, &self->seen->of[i].handshake,
				    sizeof fire.handshake));
}

TEST_F(probes, a_reader_that_keeps_up_loses_nothing)
{
	enum { FIRED = 4000 };
	struct kt_fire fire = kt_test_handshake(9);
	struct kt_event_counts counts;

	fire.times = FIRED / 40;
	fire.handshake.conn = 1;
	self->trace = open_trace((struct kt_trace_options){});
	for (size_t i = 1; i <= 40; i++) {
		kt_test_fire_do(&self->fire, &fire);
		ASSERT_EQ(i * fire.times,
			  kt_test_read(self->trace, self->seen, i * fire.times, TIMEOUT_MS));
		fire.handshake.conn += fire.times;
	}
	for (size_t i = 0; i < FIRED; i++)
		EXPECT_EQ(i + 1, self->seen->of[i].handshake.conn);
	kt_trace_counts(self->trace, &counts);
	EXPECT_EQ(FIRED, counts.hits[KT_EVENT_HANDSHAKE]);
	EXPECT_EQ(0, counts.lost[KT_EVENT_HANDSHAKE]);
}

TEST_F(probes, a_struct_that_cannot_be_read_is_counted)
{
	struct kt_fire fire = {.what = KT_FIRE_UNREADABLE, .times = 3};
	struct kt_event_counts counts;

	self->trace = open_trace((struct kt_trace_options){});
	EXPECT_EQ(1, kt_test_fire_do(&self->fire, &fire));
	kt_trace_stop(self->trace);
	kt_test_drain(self->trace, self->seen);
	kt_trace_counts(self->trace, &counts);
	EXPECT_EQ(0, self->seen->n);
	EXPECT_EQ(3, counts.hits[KT_EVENT_HANDSHAKE]);
	EXPECT_EQ(3, counts.unreadable[KT_EVENT_HANDSHAKE]);
}

TEST_F(probes, without_the_kernels_side_claims_are_unknown)
{
	struct kt_fire fire = kt_test_handshake(1);

	fire.handshake.ktls = KT_PROBE_KTLS_TX;
	self->trace = open_trace((struct kt_trace_options){.probes_only = true});
	kt_test_fire_do(&self->fire, &fire);
	ASSERT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
	EXPECT_EQ(KT_TRACE_KERNEL_UNKNOWN, self->seen->of[0].kernel);
	EXPECT_NULL(kt_trace_missing(self->trace, 0));
}

TEST_F(probes, a_kernel_without_kprobes_is_said_to_lack_them)
{
	const char *missing;

	self->trace = open_trace((struct kt_trace_options){});
	missing = kt_trace_missing(self->trace, 0);
	if (!access("/sys/bus/event_source/devices/kprobe/type", F_OK)) {
		EXPECT_NULL(missing);
		return;
	}
	ASSERT_TRUE(missing);
	EXPECT_TRUE(strstr(missing, "CONFIG_KPROBE_EVENTS"));
	EXPECT_NULL(kt_trace_missing(self->trace, 1));
}

/* For this test's process alone. NULL, or why it cannot be. */
static const char *hide(const char *directory)
{
	const char *why = mounts_of_our_own();

	if (!why)
		ASSERT_EQ(0, mount("none", directory, "tmpfs", 0, NULL));
	return why;
}

TEST_F(probes, a_kernel_without_btf_still_has_its_probes_traced)
{
	struct kt_fire fire = kt_test_handshake(1);
	const char *why = hide("/sys/kernel/btf");

	if (why)
		SKIP(return, "%s", why);
	self->trace = open_trace((struct kt_trace_options){});
	ASSERT_TRUE(kt_trace_missing(self->trace, 0));
	EXPECT_TRUE(strstr(kt_trace_missing(self->trace, 0), "CONFIG_DEBUG_INFO_BTF"));
	EXPECT_NULL(kt_trace_missing(self->trace, 1));
	kt_test_fire_do(&self->fire, &fire);
	ASSERT_EQ(1, kt_test_read(self->trace, self->seen, 1, TIMEOUT_MS));
	EXPECT_EQ(KT_TRACE_KERNEL_UNKNOWN, self->seen->of[0].kernel);
}

/* ---- What is refused ------------------------------------------------------------------------- */

FIXTURE(refusal)
{
	struct kt_trace *trace;
	struct kt_error error;
};

FIXTURE_SETUP(refusal)
{
	const char *why = kt_test_no_tracing();

	if (why)
		SKIP(return, "%s", why);
	self->trace = NULL;
}

FIXTURE_TEARDOWN(refusal)
{
	EXPECT_NULL(self->trace);
}

static int refused(FIXTURE_DATA(refusal) * self, struct kt_trace_options options)
{
	return kt_trace_open(&options, &self->trace, &self->error);
}

TEST_F(refusal, a_file_that_is_not_there)
{
	EXPECT_EQ(-ENOENT, refused(self, (struct kt_trace_options){.binary = "/nonexistent"}));
	EXPECT_STREQ("/nonexistent", self->error.where);
}

TEST_F(refusal, a_file_without_the_probes)
{
	EXPECT_EQ(-ENOENT, refused(self, (struct kt_trace_options){.binary = "/bin/true"}));
	EXPECT_TRUE(strstr(self->error.text, "none of the probes"));
}

TEST_F(refusal, a_file_that_is_no_program)
{
	EXPECT_EQ(-EINVAL, refused(self, (struct kt_trace_options){.binary = "/etc/passwd"}));
	EXPECT_STREQ("/etc/passwd", self->error.where);
}

TEST_F(refusal, a_process_that_is_not_there)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-ESRCH, refused(self, (struct kt_trace_options){.binary = kt_test_fire_path(),
								  .pid = pid}));
}

TEST_F(refusal, a_buffer_beyond_reason)
{
	EXPECT_EQ(-EINVAL, refused(self, (struct kt_trace_options){.binary = kt_test_fire_path(),
								   .buffer_bytes = 1ull << 40}));
}

TEST_F(refusal, a_kernel_without_uprobes)
{
	const char *why = hide("/sys/bus/event_source/devices");

	if (why)
		SKIP(return, "%s", why);
	EXPECT_EQ(-EOPNOTSUPP,
		  refused(self, (struct kt_trace_options){.binary = kt_test_fire_path()}));
	EXPECT_TRUE(strstr(self->error.text, "CONFIG_UPROBE_EVENTS"));
}

TEST_F(refusal, an_unknown_kind)
{
	EXPECT_EQ(-EINVAL, refused(self, (struct kt_trace_options){.binary = kt_test_fire_path(),
								   .kinds = 1u << 31}));
}

static void drop_root(void)
{
	ASSERT_EQ(0, setgroups(0, NULL));
	ASSERT_EQ(0, setresgid(65534, 65534, 65534));
	ASSERT_EQ(0, setresuid(65534, 65534, 65534));
}

/* Root there has all capabilities, and none that count here. */
static void become_root_of_a_namespace(void)
{
	ASSERT_EQ(0, unshare(CLONE_NEWUSER));
}

/* /bin/true can be read by everybody, which the build directory cannot. */
static void lose_rights(FIXTURE_DATA(refusal) * self, void (*lose)(void), const char *hint)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct kt_trace_options options = {.binary = "/bin/true"};

		lose();
		ASSERT_EQ(-EPERM, kt_trace_open(&options, &self->trace, &self->error));
		TH_LOG("%s", self->error.text);
		ASSERT_TRUE(strstr(self->error.text, "CAP_SYS_ADMIN"));
		ASSERT_TRUE(strstr(self->error.text, hint));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(refusal, no_right_says_what_to_do)
{
	lose_rights(self, drop_root, "(run it as root)");
}

TEST_F(refusal, a_containers_root_is_told_so)
{
#ifdef __SANITIZE_THREAD__
	SKIP(return, "unshare wants one thread, and ThreadSanitizer has one of its own");
#endif
	/* What keeps it from a mount namespace keeps it from a user namespace too. */
	const char *why = mounts_of_our_own();

	if (why)
		SKIP(return, "%s", why);
	lose_rights(self, become_root_of_a_namespace, "container");
}

TEST_HARNESS_MAIN
