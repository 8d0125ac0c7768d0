/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls of other processes are counted, of all their threads, and no others. */
#include "../harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/bench/calls.h"

#define MADE 1000u /* by each of two threads */
#define REST 100u  /* that it takes to begin and end: threads, pipes */

struct child {
	pid_t pid;
	int order[2], answer[2];
};

static void *make_calls(void *arg)
{
	for (unsigned int i = 0; i < MADE; i++)
		syscall(SYS_getppid);
	return arg;
}

static void obey(const struct child *child)
{
	pthread_t thread;
	char byte;

	if (read(child->order[0], &byte, 1) != 1 || pthread_create(&thread, NULL, make_calls, NULL))
		_exit(1);
	make_calls(NULL);
	pthread_join(thread, NULL);
	if (write(child->answer[1], &byte, 1) != 1)
		_exit(1);
	pause();
}

static void start(struct child *child)
{
	ASSERT_EQ(0, pipe(child->order));
	ASSERT_EQ(0, pipe(child->answer));
	child->pid = fork();
	ASSERT_LE(0, child->pid);
	if (child->pid == 0) {
		if (setsid() < 0 || write(child->answer[1], "", 1) != 1)
			_exit(1);
		obey(child);
		_exit(1);
	}
}

static void await_answer(const struct child *child)
{
	char byte;

	ASSERT_EQ(1, read(child->answer[0], &byte, 1));
}

TEST(calls_of_all_threads_are_counted)
{
	struct kt_error error = {0};
	struct kt_bench_calls calls;
	uint64_t count = 0;
	struct child child;

	if (kt_bench_calls_check(&error))
		SKIP(return, "%s", error.text);
	start(&child);
	await_answer(&child);
	ASSERT_EQ(0, kt_bench_calls_begin(child.pid, &calls, &error))
	{
		TH_LOG("%s", error.text);
	}
	ASSERT_EQ(1, write(child.order[1], "", 1));
	await_answer(&child);
	EXPECT_EQ(0, kt_bench_calls_end(&calls, &count, &error));
	EXPECT_LE(2 * MADE, count);
	EXPECT_GT(2 * MADE + REST, count);
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
}

TEST(nobody_makes_no_calls)
{
	struct kt_error error = {0};
	struct kt_bench_calls calls;

	if (kt_bench_calls_check(&error))
		SKIP(return, "%s", error.text);
	/* No session of that number. */
	EXPECT_EQ(-ESRCH, kt_bench_calls_begin(-1, &calls, &error));
}

TEST_HARNESS_MAIN
