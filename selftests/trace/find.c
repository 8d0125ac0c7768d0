/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../harness.h"

FIXTURE(find)
{
	char dir[64];
	char program[96]; /* a copy of fire that is called ktrustd */
	char found[PATH_MAX];
	struct kt_error error;
};

static void copy_fire(const char *to)
{
	static char buf[1 << 16];
	int from = open(kt_test_fire_path(), O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n;

	ASSERT_GE(from, 0);
	ASSERT_GE(out, 0);
	while ((n = read(from, buf, sizeof buf)) > 0)
		ASSERT_EQ(n, write(out, buf, (size_t)n));
	ASSERT_EQ(0, n);
	close(from);
	close(out);
}

FIXTURE_SETUP(find)
{
	char probe[PATH_MAX];

	/* One that is installed here is none of ours. */
	ASSERT_EQ(0, setenv("PATH", "/nonexistent", 1));
	if (kt_trace_find_binary(0, probe, sizeof probe, &self->error) != -ENOENT)
		SKIP(return, "a ktrustd is running here");
	snprintf(self->dir, sizeof self->dir, "/tmp/ktrust-find.XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir));
	snprintf(self->program, sizeof self->program, "%s/ktrustd", self->dir);
	copy_fire(self->program);
	memset(self->found, 'x', sizeof self->found);
}

FIXTURE_TEARDOWN(find)
{
	unlink(self->program);
	rmdir(self->dir);
}

static int find(FIXTURE_DATA(find) * self, pid_t pid)
{
	return kt_trace_find_binary(pid, self->found, sizeof self->found, &self->error);
}

TEST_F(find, the_file_of_a_running_ktrustd)
{
	struct kt_test_fire fire;

	kt_test_fire_start(&fire, self->program);
	EXPECT_EQ(0, find(self, 0));
	EXPECT_STREQ(self->program, self->found);
	kt_test_fire_stop(&fire);
}

TEST_F(find, the_file_of_a_process_by_its_number)
{
	struct kt_test_fire fire;

	kt_test_fire_start(&fire, kt_test_fire_path());
	EXPECT_EQ(0, find(self, fire.pid));
	EXPECT_STREQ(kt_test_fire_path(), self->found);
	kt_test_fire_stop(&fire);
}

TEST_F(find, a_running_file_that_was_removed_by_its_process)
{
	struct kt_test_fire fire;
	char expected[64];

	kt_test_fire_start(&fire, self->program);
	ASSERT_EQ(0, unlink(self->program));
	EXPECT_EQ(0, find(self, 0));
	snprintf(expected, sizeof expected, "/proc/%d/exe", (int)fire.pid);
	EXPECT_STREQ(expected, self->found);
	kt_test_fire_stop(&fire);
}

TEST_F(find, a_file_in_the_path)
{
	char path[256];

	snprintf(path, sizeof path, "relative:%s-not:%s:/bin", self->dir, self->dir);
	ASSERT_EQ(0, setenv("PATH", path, 1));
	EXPECT_EQ(0, find(self, 0));
	EXPECT_STREQ(self->program, self->found);
}

TEST_F(find, two_processes_of_one_file_are_one)
{
	struct kt_test_fire fires[2];

	kt_test_fire_start(&fires[0], self->program);
	kt_test_fire_start(&fires[1], self->program);
	EXPECT_EQ(0, find(self, 0));
	kt_test_fire_stop(&fires[0]);
	kt_test_fire_stop(&fires[1]);
}

TEST_F(find, several_different_ones_are_an_error)
{
	struct kt_test_fire fires[2];

	kt_test_fire_start(&fires[0], self->program);
	ASSERT_EQ(0, unlink(self->program));
	copy_fire(self->program);
	kt_test_fire_start(&fires[1], self->program);
	EXPECT_EQ(-ENOTUNIQ, find(self, 0));
	EXPECT_EQ('x', self->found[0]);
	EXPECT_TRUE(strstr(self->error.text, "--pid"));
	kt_test_fire_stop(&fires[0]);
	kt_test_fire_stop(&fires[1]);
}

TEST_F(find, another_users_file_is_not_taken)
{
	struct kt_test_fire fire;

	if (geteuid() != 0)
		SKIP(return, "needs root to give the file away");
	ASSERT_EQ(0, chown(self->program, 65534, 65534));
	kt_test_fire_start(&fire, self->program);
	EXPECT_EQ(-EACCES, find(self, 0));
	EXPECT_EQ(-EACCES, find(self, fire.pid));
	kt_test_fire_stop(&fire);
}

TEST_F(find, none_says_what_to_do)
{
	EXPECT_EQ(-ENOENT, find(self, 0));
	EXPECT_EQ('x', self->found[0]);
	EXPECT_TRUE(strstr(self->error.text, "--binary"));
}

TEST_F(find, a_process_that_is_gone)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-ESRCH, find(self, pid));
}

TEST_F(find, a_path_that_does_not_fit)
{
	char small[4] = "x";
	struct kt_test_fire fire;

	kt_test_fire_start(&fire, self->program);
	EXPECT_EQ(-ENAMETOOLONG, kt_trace_find_binary(fire.pid, small, sizeof small, NULL));
	EXPECT_STREQ("x", small);
	kt_test_fire_stop(&fire);
}

TEST_HARNESS_MAIN
