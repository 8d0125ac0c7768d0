/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers as processes: started, counted with all their children, and ended to the last one. */
#include "../harness.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../src/bench/interrupt.h"
#include "../../src/bench/scratch.h"
#include "../../src/bench/server.h"
#include "../../src/bench/session.h"

#define WORK_NS 50000000u

FIXTURE(server)
{
	struct kt_bench_scratch scratch;
	struct kt_bench_server server;
};

FIXTURE_SETUP(server)
{
	ASSERT_EQ(0, kt_bench_scratch_make(&self->scratch, NULL));
	self->server.name = "fake";
	ASSERT_EQ(0, kt_bench_free_port(&self->server.port, NULL));
	snprintf(self->server.log, sizeof self->server.log, "%s/log", self->scratch.path);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	kt_bench_interrupt_begin();
}

FIXTURE_TEARDOWN(server)
{
	kt_bench_interrupt_end();
	kt_bench_server_stop(&self->server);
	kt_bench_scratch_remove(&self->scratch);
	EXPECT_NE(0, access(self->server.log, F_OK));
}

static void listen_at(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 8))
		_exit(1);
}

static void work(void)
{
	struct timespec used;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while (used.tv_sec == 0 && used.tv_nsec < (long)WORK_NS);
}

/* Its child does the work, and stays where it is when it is asked to go. */
static int serve_by_stubborn_child(void *port)
{
	if (fork() == 0) {
		signal(SIGTERM, SIG_IGN);
		work();
		listen_at(*(uint16_t *)port);
		for (;;)
			pause();
	}
	for (;;)
		pause();
	return 0;
}

static int fail_with_words(void *arg)
{
	(void)arg;
	fputs("first\nno such setting: x\n\n", stderr);
	return 1;
}

static int fail_in_the_middle(void *arg)
{
	(void)arg;
	fprintf(stderr, "[note] begins\n[!] first: %0300d\n[!] second\nends\n", 0);
	return 1;
}

static int never_listen(void *arg)
{
	(void)arg;
	raise(SIGSTOP);
	return 0;
}

static int start(struct kt_bench_server *server, int (*serve)(void *arg), struct kt_error *error)
{
	const struct kt_bench_command command = {.serve = serve, .arg = &server->port, .cpu = -1};

	return kt_bench_server_start(server, &command, error);
}

TEST_F(server, childrens_cpu_time_counts)
{
	uint64_t used = 0;

	ASSERT_EQ(0, start(&self->server, serve_by_stubborn_child, NULL));
	ASSERT_EQ(0, kt_bench_server_cpu_ns(&self->server, &used, NULL));
	EXPECT_GE(used, WORK_NS);
	EXPECT_LT(used, 100u * WORK_NS);
}

TEST_F(server, all_processes_are_ended)
{
	pid_t pids[KT_BENCH_SESSION_MAX], session;

	ASSERT_EQ(0, start(&self->server, serve_by_stubborn_child, NULL));
	session = self->server.pid;
	EXPECT_EQ(2, kt_bench_session_pids(session, pids));
	kt_bench_server_stop(&self->server);
	EXPECT_EQ(0, self->server.pid);
	for (size_t i = 0; i < 2; i++)
		EXPECT_EQ(-1, kill(pids[i], 0));
}

TEST_F(server, one_that_ends_is_blamed_with_its_last_words)
{
	struct kt_error error = {0};

	EXPECT_EQ(-ECHILD, start(&self->server, fail_with_words, &error));
	EXPECT_STREQ("fake", error.where);
	EXPECT_STREQ("ended before it accepted, with status 1; it said: no such setting: x",
		     error.text);
	EXPECT_EQ(0, self->server.pid);
}

static int die(void *arg)
{
	(void)arg;
	return raise(SIGILL);
}

TEST_F(server, one_that_dies_without_a_word_is_blamed_with_its_signal)
{
	struct kt_error error = {0};

	EXPECT_EQ(-ECHILD, start(&self->server, die, &error));
	EXPECT_STREQ("ended before it accepted, by signal 4 (Illegal instruction)", error.text);
}

static int listen_before_it_is_ready(void *port)
{
	listen_at(*(uint16_t *)port);
	usleep(200000);
	fprintf(stderr, "%d is online\n", getpid());
	return pause();
}

TEST_F(server, one_that_accepts_too_early_is_waited_for)
{
	char words[64];

	self->server.ready = "online";
	/* what the first said is not the second's */
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, start(&self->server, listen_before_it_is_ready, NULL));
		snprintf(words, sizeof words, "%d is online", self->server.pid);
		EXPECT_TRUE(kt_bench_server_said(&self->server, words));
		kt_bench_server_stop(&self->server);
	}
}

TEST_F(server, words_with_its_mark_are_quoted_before_the_last)
{
	struct kt_error error = {0};

	self->server.mark = "[!]";
	EXPECT_EQ(-ECHILD, start(&self->server, fail_in_the_middle, &error));
	EXPECT_NE(NULL, strstr(error.text, "it said: [!] first: 000"));
}

TEST_F(server, without_its_mark_the_last_words_are_quoted)
{
	struct kt_error error = {0};

	self->server.mark = "[?]";
	EXPECT_EQ(-ECHILD, start(&self->server, fail_with_words, &error));
	EXPECT_NE(NULL, strstr(error.text, "it said: no such setting: x"));
}

static int fail_at_length(void *arg)
{
	(void)arg;
	fprintf(stderr, "first\nno such setting: %0300d\n", 0);
	return 1;
}

TEST_F(server, of_long_last_words_the_beginning_is_quoted)
{
	struct kt_error error = {0};

	EXPECT_EQ(-ECHILD, start(&self->server, fail_at_length, &error));
	EXPECT_NE(NULL, strstr(error.text, "it said: no such setting: 000"));
}

TEST_F(server, what_it_said_is_found_in_any_line)
{
	EXPECT_FALSE(kt_bench_server_said(&self->server, "such"));
	EXPECT_EQ(-ECHILD, start(&self->server, fail_with_words, NULL));
	EXPECT_TRUE(kt_bench_server_said(&self->server, "irs"));
	EXPECT_TRUE(kt_bench_server_said(&self->server, "such setting"));
	EXPECT_FALSE(kt_bench_server_said(&self->server, "such thing"));
}

TEST_F(server, a_program_that_is_not_there_is_blamed)
{
	char *const argv[] = {"/nonexistent/server", NULL};
	const struct kt_bench_command command = {.argv = argv, .cpu = -1};
	struct kt_error error = {0};

	EXPECT_EQ(-ECHILD, kt_bench_server_start(&self->server, &command, &error));
	EXPECT_NE(NULL, strstr(error.text, "/nonexistent/server: No such file"));
}

TEST_F(server, a_signal_ends_the_waiting)
{
	struct kt_error error = {0};

	ASSERT_EQ(0, raise(SIGTERM));
	EXPECT_EQ(-EINTR, start(&self->server, never_listen, &error));
	EXPECT_NE(NULL, strstr(error.text, "SIGTERM"));
	EXPECT_EQ(0, self->server.pid);
}

static int listen_without_a_word(void *port)
{
	listen_at(*(uint16_t *)port);
	return pause();
}

TEST_F(server, one_that_never_says_it_is_ready_is_told_what_to_say_and_where)
{
	struct kt_error error = {0};

	self->server.ready = "online";
	self->server.limit_ms = 300;
	EXPECT_EQ(-ETIMEDOUT, start(&self->server, listen_without_a_word, &error));
	EXPECT_STREQ("accepts, but has not said \"online\" on stdout or stderr, which tells that "
		     "it is ready (let its settings log that, and there)",
		     error.text);
	EXPECT_EQ(0, self->server.pid);
}

TEST_F(server, one_that_never_accepts_is_told)
{
	struct kt_error error = {0};

	self->server.ready = "online";
	self->server.limit_ms = 300;
	EXPECT_EQ(-ETIMEDOUT, start(&self->server, never_listen, &error));
	EXPECT_STREQ("does not accept", error.text);
}

TEST_F(server, what_has_ended_has_no_cpu_time)
{
	uint64_t used = 0;

	ASSERT_EQ(0, start(&self->server, serve_by_stubborn_child, NULL));
	kt_bench_server_stop(&self->server);
	self->server.pid = getpid(); /* no session of that number */
	EXPECT_EQ(-ESRCH, kt_bench_server_cpu_ns(&self->server, &used, NULL));
	self->server.pid = 0;
}

TEST_HARNESS_MAIN
