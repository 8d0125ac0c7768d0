/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watching places: which changes make a subject due, and when. Time is the test's own, so that
 * nothing here waits; what the kernel queued is there when the change has been made.
 *
 * The linker leads read to __wrap_read, which can say that the queue overflowed.
 */
#include "../harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/daemon/watch.h"

enum { DEBOUNCE_MS = 100 };

static bool overflow;

ssize_t __real_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len)
{
	struct inotify_event event = {.wd = -1, .mask = IN_Q_OVERFLOW};

	if (!overflow)
		return __real_read(fd, to, len);
	overflow = false;
	memcpy(to, &event, sizeof event);
	return sizeof event;
}

FIXTURE(watch)
{
	char dir[32];
	struct kt_watch *watch;
	struct kt_watch_place place;
	uint64_t now_ms;
};

FIXTURE_SETUP(watch)
{
	strcpy(self->dir, "/tmp/ktrust-watch.XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir));
	ASSERT_EQ(0, chdir(self->dir));
	ASSERT_EQ(0, kt_watch_new(2, &self->watch));
	kt_watch_set_debounce(self->watch, 0, DEBOUNCE_MS);
	kt_watch_set_debounce(self->watch, 1, DEBOUNCE_MS);
	self->now_ms = 1000000;
}

FIXTURE_TEARDOWN(watch)
{
	char command[64];

	kt_watch_free(self->watch);
	snprintf(command, sizeof command, "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static void sh(const char *command)
{
	ASSERT_EQ(0, system(command));
}

static void look(FIXTURE_DATA(watch) * self, const char *path, bool directory)
{
	self->place = (struct kt_watch_place){path, directory};
	EXPECT_EQ(0, kt_watch_look(self->watch, 0, &self->place, 1));
	/* What happened before does not count. */
	kt_watch_read(self->watch, self->now_ms);
	EXPECT_EQ(0, kt_watch_look(self->watch, 0, &self->place, 1));
}

/* After the debounce time, is it due? Looks again if it is. */
static bool is_due(FIXTURE_DATA(watch) * self)
{
	bool due;

	kt_watch_read(self->watch, self->now_ms);
	EXPECT_FALSE(kt_watch_is_due(self->watch, 0, self->now_ms));
	self->now_ms += DEBOUNCE_MS;
	due = kt_watch_is_due(self->watch, 0, self->now_ms);
	EXPECT_EQ(due ? 0 : -1, kt_watch_timeout_ms(self->watch, self->now_ms));
	if (due)
		EXPECT_EQ(0, kt_watch_look(self->watch, 0, &self->place, 1));
	return due;
}

TEST_F(watch, a_file_rewritten_replaced_removed_and_made_again)
{
	sh("echo a >f");
	look(self, "f", false);
	EXPECT_FALSE(is_due(self));
	sh("echo b >f");
	EXPECT_TRUE(is_due(self));
	sh("echo c >g && mv g f");
	EXPECT_TRUE(is_due(self));
	sh("rm f");
	EXPECT_TRUE(is_due(self));
	sh("echo d >f");
	EXPECT_TRUE(is_due(self));
	sh("chmod 600 f");
	EXPECT_TRUE(is_due(self));
	sh("cat f >/dev/null; ls >/dev/null");
	EXPECT_FALSE(is_due(self));
}

TEST_F(watch, other_names_do_not_count)
{
	sh("echo a >f");
	look(self, "f", false);
	sh("echo b >g; mkdir h; touch h/f");
	EXPECT_FALSE(is_due(self));
}

/* In a directory on the way, of whose names only one is looked up. */
TEST_F(watch, what_is_written_beside_the_way_wakes_nobody)
{
	struct pollfd event = {.events = POLLIN};

	sh("mkdir way && echo 1 >way/a && echo 1 >other");
	look(self, "way/a", false);
	event.fd = kt_watch_fd(self->watch);
	sh("echo 2 >other; echo 3 >>other");
	EXPECT_EQ(0, poll(&event, 1, 0));
	sh("echo 2 >way/a");
	EXPECT_EQ(1, poll(&event, 1, 0));
	EXPECT_TRUE(is_due(self));
	/* Another subject wants what is written there. */
	self->place = (struct kt_watch_place){"other", false};
	EXPECT_EQ(0, kt_watch_look(self->watch, 1, &self->place, 1));
	look(self, "way/a", false);
	sh("echo 4 >other");
	EXPECT_EQ(1, poll(&event, 1, 0));
	kt_watch_read(self->watch, self->now_ms);
	self->now_ms += DEBOUNCE_MS;
	EXPECT_FALSE(kt_watch_is_due(self->watch, 0, self->now_ms));
	EXPECT_TRUE(kt_watch_is_due(self->watch, 1, self->now_ms));
}

TEST_F(watch, a_link_swapped_as_kubernetes_does)
{
	sh("mkdir v1 v2 && echo a >v1/f && echo b >v2/f && ln -s v1 ..data && ln -s ..data/f f");
	look(self, "f", false);
	sh("ln -s v2 ..tmp && mv -T ..tmp ..data");
	EXPECT_TRUE(is_due(self));
	/* From now on the new one counts, and the old one not. */
	sh("echo c >v1/f");
	EXPECT_FALSE(is_due(self));
	sh("echo c >v2/f");
	EXPECT_TRUE(is_due(self));
}

TEST_F(watch, a_link_to_a_file_elsewhere)
{
	sh("mkdir -p a/b c && echo a >c/f && ln -s ../../c/f a/b/f && ln -s a/b d");
	look(self, "d/./f", false);
	sh("echo b >c/f");
	EXPECT_TRUE(is_due(self));
	sh("mv a e");
	EXPECT_TRUE(is_due(self));
	sh("mv e a");
	EXPECT_TRUE(is_due(self));
	sh("ln -sf ../../c/g a/b/f");
	EXPECT_TRUE(is_due(self));
	sh("echo g >c/g");
	EXPECT_TRUE(is_due(self));
}

TEST_F(watch, a_directory_of_links)
{
	sh("mkdir d e && echo a >e/a && ln -s ../e/a d/a && echo b >e/b");
	look(self, "d", true);
	sh("echo c >e/a");
	EXPECT_TRUE(is_due(self));
	sh("echo c >e/b");
	EXPECT_FALSE(is_due(self));
	sh("ln -s ../e/b d/b");
	EXPECT_TRUE(is_due(self));
	sh("echo d >e/b");
	EXPECT_TRUE(is_due(self));
	sh("echo d >d/new");
	EXPECT_TRUE(is_due(self));
	sh("rm d/a");
	EXPECT_TRUE(is_due(self));
	sh("echo e >e/a");
	EXPECT_FALSE(is_due(self));
}

TEST_F(watch, a_directory_made_later)
{
	look(self, "x/y/f", false);
	sh("mkdir x");
	EXPECT_TRUE(is_due(self));
	sh("mkdir x/y");
	EXPECT_TRUE(is_due(self));
	sh("echo a >x/y/f");
	EXPECT_TRUE(is_due(self));
	sh("rm -r x");
	EXPECT_TRUE(is_due(self));
	sh("mkdir -p x/y; echo b >x/y/f");
	EXPECT_TRUE(is_due(self));
	sh("echo c >x/y/f");
	EXPECT_TRUE(is_due(self));
}

TEST_F(watch, a_link_to_itself_ends)
{
	sh("ln -s a b && ln -s b a && mkdir d && ln -s . d/d");
	look(self, "a/f", false);
	sh("rm a; mkdir a");
	EXPECT_TRUE(is_due(self));
	look(self, "d/d/d/d", true);
	sh("echo a >d/f");
	EXPECT_TRUE(is_due(self));
}

TEST_F(watch, changes_close_together_are_one)
{
	sh("echo a >f");
	look(self, "f", false);
	for (int i = 0; i < 5; i++) {
		sh("echo b >>f");
		kt_watch_read(self->watch, self->now_ms);
		self->now_ms += DEBOUNCE_MS - 1;
		EXPECT_FALSE(kt_watch_is_due(self->watch, 0, self->now_ms));
	}
	EXPECT_EQ(1, kt_watch_timeout_ms(self->watch, self->now_ms));
	EXPECT_TRUE(kt_watch_is_due(self->watch, 0, self->now_ms + 1));
}

TEST_F(watch, one_that_never_rests_is_due_all_the_same)
{
	uint64_t since = self->now_ms;

	sh("echo a >f");
	look(self, "f", false);
	do {
		sh("echo b >>f");
		kt_watch_read(self->watch, self->now_ms);
		self->now_ms += DEBOUNCE_MS / 2;
	} while (!kt_watch_is_due(self->watch, 0, self->now_ms) && self->now_ms < since + 5000);
	EXPECT_EQ(since + DEBOUNCE_MS * KT_WATCH_PATIENCE, self->now_ms);
}

TEST_F(watch, while_a_writer_has_it_open_there_is_no_rest)
{
	uint64_t since = self->now_ms;
	int fd;

	sh("echo a >f");
	look(self, "f", false);
	fd = open("f", O_WRONLY | O_TRUNC | O_CLOEXEC);
	ASSERT_EQ(1, write(fd, "x", 1));
	kt_watch_read(self->watch, self->now_ms);
	self->now_ms += 5 * DEBOUNCE_MS;
	EXPECT_FALSE(kt_watch_is_due(self->watch, 0, self->now_ms));
	/* But not for ever. */
	EXPECT_TRUE(kt_watch_is_due(self->watch, 0, since + KT_WATCH_PATIENCE * DEBOUNCE_MS));
	close(fd);
	EXPECT_TRUE(is_due(self));
}

TEST_F(watch, an_overflow_makes_all_due)
{
	look(self, "f", false);
	overflow = true;
	kt_watch_read(self->watch, self->now_ms);
	for (size_t i = 0; i < 2; i++)
		EXPECT_TRUE(kt_watch_is_due(self->watch, i, self->now_ms + DEBOUNCE_MS));
}

/* One more than are followed: the others are, and it is said. */
TEST_F(watch, links_beyond_those_that_are_followed_are_said)
{
	char name[32];

	ASSERT_EQ(0, mkdir("d", 0755));
	sh("echo a >f");
	self->place = (struct kt_watch_place){"d", true};
	for (int i = 0; i < KT_WATCH_LINKS_MAX; i++) {
		snprintf(name, sizeof name, "d/%d.pem", i);
		ASSERT_EQ(0, symlink("../f", name));
	}
	EXPECT_EQ(0, kt_watch_look(self->watch, 0, &self->place, 1));
	ASSERT_EQ(0, symlink("../f", "d/more.pem"));
	EXPECT_EQ(-E2BIG, kt_watch_look(self->watch, 0, &self->place, 1));
	kt_watch_read(self->watch, self->now_ms);
	EXPECT_EQ(-E2BIG, kt_watch_look(self->watch, 0, &self->place, 1));
	sh("echo b >f");
	kt_watch_read(self->watch, self->now_ms);
	EXPECT_TRUE(kt_watch_is_due(self->watch, 0, self->now_ms + DEBOUNCE_MS));
}

TEST_F(watch, nothing_changed_is_no_timeout)
{
	EXPECT_EQ(-1, kt_watch_timeout_ms(self->watch, self->now_ms));
	kt_watch_touch(self->watch, 1, self->now_ms);
	EXPECT_EQ(DEBOUNCE_MS, kt_watch_timeout_ms(self->watch, self->now_ms));
}

TEST_HARNESS_MAIN
