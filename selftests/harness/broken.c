/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests that are wrong on purpose: harness.test runs each and wants it refused. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <pthread.h>

#include "../harness.h"

TEST(passes)
{
	EXPECT_EQ(1, 1);
}

TEST(passes_comparing_signs)
{
	size_t large = 5;
	const char *text = "text";

	EXPECT_LT(-1, large);
	EXPECT_GT(large, -1);
	EXPECT_NE(-1, (unsigned int)-1);
	EXPECT_LE(5, large);
	EXPECT_GE(large, 5u);
	EXPECT_NULL(NULL);
	EXPECT_NE(NULL, text);
	EXPECT_STREQ("text", text);
	EXPECT_STRNE("Text", text);
	EXPECT_STRNE(NULL, text);
}

TEST(fails_assert)
{
	ASSERT_EQ(4, 2 + 1);
	printf("went on\n");
}

TEST(fails_expect)
{
	EXPECT_STREQ("left", "right");
	printf("went on\n");
}

TEST(fails_expect_with_block)
{
	EXPECT_TRUE(0) {
		TH_LOG("the block ran");
	}
}

TEST(crashes)
{
	raise(SIGSEGV);
}

TEST(aborts)
{
	abort();
}

TEST_TIMEOUT(hangs, 1)
{
	for (;;)
		pause();
}

TEST_TIMEOUT(hangs_printing, 1)
{
	for (;;)
		printf("and on\n");
}

TEST_TIMEOUT(hangs_with_children, 1)
{
	for (int i = 0; i < 3; i++)
		if (!fork())
			setsid();
	for (;;)
		pause();
}

TEST(exits_early)
{
	exit(0);
}

TEST(exits_quickly)
{
	_exit(0);
}

TEST(prints_garbage)
{
	printf("ok 1 global.forged\n1..0 # SKIP forged\nBail out!\n\r\x1b[2J\x01 no newline");
	EXPECT_EQ(1, 2);
}

TEST(prints_garbage_and_passes)
{
	printf("not ok 1 forged\nBail out!\n1..99\n");
}

TEST(fails_in_a_child)
{
	pid_t pid = fork();

	if (!pid) {
		EXPECT_EQ(1, 2);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

TEST(returns_in_a_child)
{
	pid_t pid = fork();

	if (pid)
		waitpid(pid, NULL, 0);
}

static void *assert_false(void *unused)
{
	ASSERT_TRUE(unused != NULL);
	return NULL;
}

TEST(fails_in_a_thread)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, assert_false, NULL));
	pthread_join(thread, NULL);
}

static void exit_badly(void)
{
	_exit(23);
}

TEST(fails_at_exit)
{
	atexit(exit_badly);
}

TEST(fails_then_skips)
{
	EXPECT_EQ(1, 2);
	SKIP(return, "after a failure");
}

TEST_SIGNAL(lacks_its_signal, SIGSEGV)
{
}

TEST_SIGNAL(passes_by_its_signal, SIGSEGV)
{
	raise(SIGSEGV);
}

TEST(skips)
{
	SKIP(return, "because # it\nmay");
	EXPECT_EQ(1, 2);
}

TEST(skips_too)
{
	SKIP(return, "another reason");
}

/* Wrong only to a sanitizer. */

static volatile int shared_value;

TEST(leaks)
{
	void *volatile lost = malloc(100);

	EXPECT_NE(NULL, lost);
	lost = NULL;
}

TEST(overflows)
{
	char *volatile bytes = calloc(1, 8);
	volatile int past = 8;

	shared_value = bytes[past];
	free(bytes);
}

TEST(shifts_too_far)
{
	volatile int width = 40;

	shared_value = 1 << width;
}

static void *write_shared(void *unused)
{
	shared_value = 1;
	return unused;
}

TEST(races)
{
	pthread_t one, two;

	ASSERT_EQ(0, pthread_create(&one, NULL, write_shared, NULL));
	ASSERT_EQ(0, pthread_create(&two, NULL, write_shared, NULL));
	pthread_join(one, NULL);
	pthread_join(two, NULL);
}

FIXTURE(phases) {
	int value;
};

FIXTURE_VARIANT(phases) {
	int fail_setup, skip_setup, fail_teardown;
};

FIXTURE_VARIANT_ADD(phases, good) {
};

FIXTURE_VARIANT_ADD(phases, bad_setup) {
	.fail_setup = 1,
};

FIXTURE_VARIANT_ADD(phases, skipping_setup) {
	.skip_setup = 1,
};

FIXTURE_VARIANT_ADD(phases, bad_teardown) {
	.fail_teardown = 1,
};

FIXTURE_SETUP(phases)
{
	EXPECT_EQ(0, self->value);
	if (variant->skip_setup)
		SKIP(return, "set-up");
	ASSERT_EQ(0, variant->fail_setup);
	self->value = 7;
}

FIXTURE_TEARDOWN(phases)
{
	printf("tore down\n");
	ASSERT_EQ(0, variant->fail_teardown);
}

TEST_F(phases, runs)
{
	printf("ran\n");
	EXPECT_EQ(7, self->value);
}

TEST_F(phases, fails)
{
	ASSERT_EQ(8, self->value);
}

TEST_HARNESS_MAIN
