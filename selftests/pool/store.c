/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state directory: what comes back after an orderly end, after a crash at every step of a
 * publication, and after every step of it failed. Versions never go back.
 *
 * The linker leads the room's calls to the __wrap_… functions below (see the Makefile): each is a
 * step, and step number `failing` fails, or number `dying` ends the process before it is done.
 */
#include "roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ktrust/life.h>

#include "../lib/mounts.h"

static bool armed;
static unsigned int steps, failing, dying;
static bool failing_on; /* every step from `failing` on */
static char order[256]; /* the first letter of each step that was done */

static bool fails(char letter)
{
	if (!armed)
		return false;
	steps++;
	if (steps == dying)
		_exit(0);
	if (steps == failing || (failing_on && failing && steps > failing)) {
		errno = ENOSPC;
		return true;
	}
	if (steps < sizeof order)
		order[steps - 1] = letter;
	return false;
}

ssize_t __real_write(int fd, const void *from, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len)
{
	/* A part at a time, so that files are cut when the next step is the last. */
	if (armed && len > 2000)
		len = 2000;
	return fails('w') ? -1 : __real_write(fd, from, len);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	struct stat st;

	fstat(fd, &st);
	return fails(S_ISDIR(st.st_mode) ? 'D' : 's') ? -1 : __real_fsync(fd);
}

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return fails(strcmp(to, "state") ? 'r' : 'R') ? -1
						      : __real_renameat(from_fd, from, to_fd, to);
}

int __real_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...);
int __wrap_openat(int fd, const char *name, int flags, ...)
{
	return fails('o') ? -1 : __real_openat(fd, name, flags, 0600);
}

int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags)
{
	return fails('u') ? -1 : __real_unlinkat(fd, name, flags);
}

FIXTURE(store)
{
	struct roots roots;
	char dir[32];
	struct kt_pool *pool;
	struct kt_pool_change change;
	struct kt_error error;
};

FIXTURE_SETUP(store)
{
	roots_init(&self->roots);
	strcpy(self->dir, "/tmp/ktrust-store.XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir));
	memset(&self->error, 0, sizeof self->error);
	self->pool = NULL;
}

FIXTURE_TEARDOWN(store)
{
	char command[64];

	kt_pool_free(self->pool);
	snprintf(command, sizeof command, "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
	roots_fini(&self->roots);
}

static int open_in(FIXTURE_DATA(store) * self, const char *dir)
{
	ASSERT_EQ(0, kt_pool_new("clients", &self->pool, NULL));
	return kt_pool_use_state(self->pool, dir, &self->error);
}

static void open_pool(FIXTURE_DATA(store) * self)
{
	ASSERT_EQ(0, open_in(self, self->dir))
	{
		TH_LOG("%s", self->error.text);
	}
}

static void close_pool(FIXTURE_DATA(store) * self)
{
	kt_pool_free(self->pool);
	self->pool = NULL;
}

/* Roots 1 to last; returns the version. */
static uint64_t load(FIXTURE_DATA(store) * self, unsigned int last)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, last);

	ASSERT_EQ(0, kt_pool_load(self->pool, set, "file:a", NULL, 0, &self->change, NULL));
	kt_anchor_set_free(set);
	return self->change.new_version;
}

static size_t anchors(FIXTURE_DATA(store) * self)
{
	struct kt_snapshot_info info = {0};
	const struct kt_snapshot *now = kt_pool_read_begin(self->pool);

	if (now)
		kt_snapshot_describe(now, &info);
	kt_pool_read_end(self->pool);
	return info.anchors;
}

static unsigned int count_files(FIXTURE_DATA(store) * self, const char *pattern)
{
	char command[128];
	unsigned int count = 0;
	FILE *list;

	snprintf(command, sizeof command, "find %s/clients -name '%s' | wc -l", self->dir, pattern);
	list = popen(command, "re");
	ASSERT_EQ(1, fscanf(list, "%u", &count));
	pclose(list);
	return count;
}

/* ---- An orderly end ------------------------------------------------------------------------ */

TEST_F(store, versions_and_history_go_on_after_an_orderly_end)
{
	struct kt_history_entry entries[8];

	open_pool(self);
	EXPECT_EQ(1, load(self, 1));
	EXPECT_TRUE(self->change.kept);
	EXPECT_EQ(2, load(self, 2));
	EXPECT_EQ(3, load(self, 3));
	close_pool(self);
	open_pool(self);
	EXPECT_EQ(0, anchors(self)); /* nothing is published by itself */
	EXPECT_EQ(4, load(self, 4));
	ASSERT_EQ(4, kt_pool_history(self->pool, entries, 8));
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_EQ(4 - i, entries[i].version);
		EXPECT_TRUE(entries[i].kept);
	}
	ASSERT_EQ(0, kt_pool_roll_back(self->pool, 2, 0, &self->change, NULL));
	EXPECT_EQ(5, self->change.new_version);
	EXPECT_EQ(2, anchors(self));
}

TEST_F(store, the_same_content_keeps_its_version_over_an_orderly_end)
{
	struct kt_history_entry entries[8];

	open_pool(self);
	load(self, 1);
	load(self, 2);
	close_pool(self);
	open_pool(self);
	EXPECT_EQ(2, load(self, 2));
	EXPECT_EQ(0, self->change.old_version);
	EXPECT_EQ(2, kt_pool_history(self->pool, entries, 8));
	EXPECT_EQ(3, load(self, 3));
}

TEST_F(store, the_history_on_the_disk_is_as_long_as_it_may_be)
{
	open_pool(self);
	kt_pool_set_history(self->pool, 2);
	for (unsigned int i = 1; i < 8; i++)
		load(self, i);
	EXPECT_EQ(3, count_files(self, "*.snapshot"));
}

TEST_F(store, restore_publishes_the_newest)
{
	open_pool(self);
	EXPECT_EQ(-ENOENT, kt_pool_restore(self->pool, &self->change, NULL));
	load(self, 1);
	load(self, 2);
	close_pool(self);
	open_pool(self);
	ASSERT_EQ(0, kt_pool_restore(self->pool, &self->change, NULL));
	EXPECT_EQ(2, self->change.new_version);
	EXPECT_EQ(2, anchors(self));
}

TEST_F(store, guards_compare_with_the_last_run)
{
	struct kt_anchor_set *set;

	open_pool(self);
	load(self, 10);
	close_pool(self);
	open_pool(self);
	kt_pool_set_guards(self->pool, &(struct kt_guards){.removed_max = 20});
	set = roots_set(&self->roots, 1, 5);
	EXPECT_EQ(-EPERM, kt_pool_commit(self->pool, set, "", &self->change, NULL));
	kt_anchor_set_free(set);
}

TEST_F(store, an_epoch_outlives_the_process)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 2);
	struct kt_snapshot *snapshot = build(set, 1);
	struct kt_manifest manifest = {.anchors = 2, .epoch = 9};
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	memcpy(manifest.digest, info.digest, KT_DIGEST_LEN);
	open_pool(self);
	ASSERT_EQ(0, kt_pool_load(self->pool, set, "", &manifest, 0, &self->change, NULL));
	close_pool(self);
	open_pool(self);
	EXPECT_EQ(9, kt_pool_epoch(self->pool));
	manifest.epoch = 8;
	EXPECT_EQ(-ESTALE, kt_pool_load(self->pool, set, "", &manifest, 0, &self->change, NULL));
	kt_snapshot_free(snapshot);
	kt_anchor_set_free(set);
}

/* ---- What is refused ----------------------------------------------------------------------- */

TEST_F(store, two_at_a_time_are_ebusy)
{
	struct kt_pool *other = NULL;

	open_pool(self);
	ASSERT_EQ(0, kt_pool_new("clients", &other, NULL));
	EXPECT_EQ(-EBUSY, kt_pool_use_state(other, self->dir, &self->error));
	EXPECT_EQ(-EALREADY, kt_pool_use_state(self->pool, self->dir, &self->error));
	kt_pool_free(other);
}

TEST_F(store, a_directory_that_is_not_there_is_enoent)
{
	EXPECT_EQ(-ENOENT, open_in(self, "/nonexistent/ktrust"));
}

static void damage(FIXTURE_DATA(store) * self, const char *what)
{
	char command[160];

	snprintf(command, sizeof command, "cd %s/clients && %s", self->dir, what);
	ASSERT_EQ(0, system(command));
}

TEST_F(store, a_damaged_or_missing_counter_is_ebadmsg)
{
	static const char *const ways[] = {
		"printf x | dd of=state bs=1 seek=60 conv=notrunc status=none",
		"truncate -s -1 state", "truncate -s +1 state", ": >state", "rm state"};

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		open_pool(self);
		load(self, 1);
		close_pool(self);
		damage(self, ways[i]);
		EXPECT_EQ(-EBADMSG, open_in(self, self->dir))
		{
			TH_LOG("%s", ways[i]);
		}
		close_pool(self);
		damage(self, "rm -f *");
	}
}

TEST_F(store, a_damaged_image_is_left_out)
{
	struct kt_history_entry entries[8];

	open_pool(self);
	load(self, 1);
	load(self, 2);
	load(self, 3);
	close_pool(self);
	damage(self, "cp 1.snapshot 2.snapshot");
	open_pool(self);
	ASSERT_EQ(0, kt_pool_restore(self->pool, &self->change, NULL));
	EXPECT_EQ(3, anchors(self));
	EXPECT_EQ(3, self->change.new_version);
	EXPECT_EQ(2, kt_pool_history(self->pool, entries, 8)); /* 3 and 1 */
}

TEST_F(store, an_older_one_is_not_restored_for_a_damaged_newest)
{
	struct kt_error why;

	open_pool(self);
	load(self, 3);
	load(self, 1);
	close_pool(self);
	damage(self, "truncate -s -1 2.snapshot");
	open_pool(self);
	EXPECT_EQ(-EBADMSG, kt_pool_restore(self->pool, &self->change, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "2.snapshot"));
	EXPECT_EQ(0, anchors(self));
	kt_pool_state_error(self->pool, &why);
	EXPECT_EQ(EBADMSG, why.err);
	EXPECT_EQ(3, load(self, 1));
	kt_pool_state_error(self->pool, &why);
	EXPECT_EQ(0, why.err);
}

/* Root 1 alone where the state has 1 and 2; nothing can be written meanwhile. */
static void load_unkept(FIXTURE_DATA(store) * self)
{
	steps = 0;
	failing = 1;
	armed = failing_on = true;
	load(self, 1);
	armed = failing_on = false;
	failing = 0;
	EXPECT_FALSE(self->change.kept);
}

TEST_F(store, nothing_is_restored_for_what_could_not_be_kept)
{
	open_pool(self);
	load(self, 2);
	load_unkept(self);
	close_pool(self);
	/* However often it is looked at. */
	for (unsigned int i = 0; i < 2; i++) {
		open_pool(self);
		EXPECT_EQ(-EBADMSG, kt_pool_restore(self->pool, &self->change, &self->error));
		EXPECT_TRUE(strstr(self->error.text, "version 2 was published last"));
		EXPECT_EQ(0, anchors(self));
		close_pool(self);
	}
	open_pool(self);
	EXPECT_EQ(3, load(self, 1));
	close_pool(self);
	open_pool(self);
	EXPECT_EQ(0, kt_pool_restore(self->pool, &self->change, NULL));
	EXPECT_EQ(1, anchors(self));
}

TEST_F(store, a_run_that_published_nothing_does_not_hide_a_crash)
{
	struct kt_error why;
	pid_t child = fork();

	if (!child) {
		open_pool(self);
		load(self, 2);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	for (unsigned int i = 0; i < 2; i++) {
		open_pool(self);
		kt_pool_state_error(self->pool, &why);
		EXPECT_EQ(ENODATA, why.err);
		if (i)
			EXPECT_EQ(0, kt_pool_restore(self->pool, &self->change, NULL));
		close_pool(self);
	}
}

TEST_F(store, without_history_the_newest_is_held_until_the_first_publication)
{
	struct kt_history_entry entries[8];
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 5);

	open_pool(self);
	load(self, 9);
	load(self, 10);
	close_pool(self);
	ASSERT_EQ(0, kt_pool_new("clients", &self->pool, NULL));
	kt_pool_set_history(self->pool, 0);
	kt_pool_set_guards(self->pool, &(struct kt_guards){.removed_max = 20});
	ASSERT_EQ(0, kt_pool_use_state(self->pool, self->dir, NULL));
	EXPECT_EQ(-EPERM, kt_pool_commit(self->pool, set, "", &self->change, NULL));
	EXPECT_EQ(3, load(self, 11));
	EXPECT_EQ(1, kt_pool_history(self->pool, entries, 8));
	close_pool(self);
	ASSERT_EQ(0, kt_pool_new("clients", &self->pool, NULL));
	kt_pool_set_history(self->pool, 0);
	ASSERT_EQ(0, kt_pool_use_state(self->pool, self->dir, NULL));
	EXPECT_EQ(0, kt_pool_restore(self->pool, &self->change, NULL));
	EXPECT_EQ(11, anchors(self));
	kt_anchor_set_free(set);
}

TEST_F(store, the_history_may_be_dropped_before_the_first_publication)
{
	struct kt_history_entry entries[8];

	open_pool(self);
	load(self, 1);
	load(self, 2);
	close_pool(self);
	open_pool(self);
	kt_pool_set_history(self->pool, 0);
	EXPECT_EQ(2, load(self, 2));
	EXPECT_EQ(1, kt_pool_history(self->pool, entries, 8));
}

TEST_F(store, what_is_restored_is_what_guards_ask_for_today)
{
	open_pool(self);
	load(self, 2);
	close_pool(self);
	open_pool(self);
	kt_pool_set_guards(self->pool, &(struct kt_guards){.anchors_min = 3});
	EXPECT_EQ(-EPERM, kt_pool_restore(self->pool, &self->change, NULL));
	kt_pool_set_guards(self->pool, &(struct kt_guards){.manifest = true});
	EXPECT_EQ(-ENOKEY, kt_pool_restore(self->pool, &self->change, NULL));
	EXPECT_EQ(0, anchors(self));
	kt_pool_set_guards(self->pool, &(struct kt_guards){.anchors_min = 2});
	EXPECT_EQ(0, kt_pool_restore(self->pool, &self->change, NULL));
}

TEST_F(store, an_epoch_that_could_not_be_kept_outlives_an_orderly_end)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 2);
	struct kt_snapshot *snapshot = build(set, 1);
	struct kt_manifest manifest = {.anchors = 2, .epoch = 9};
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	memcpy(manifest.digest, info.digest, KT_DIGEST_LEN);
	open_pool(self);
	steps = 0;
	failing = 1;
	armed = failing_on = true;
	ASSERT_EQ(0, kt_pool_load(self->pool, set, "", &manifest, 0, &self->change, NULL));
	armed = failing_on = false;
	failing = 0;
	EXPECT_FALSE(self->change.kept);
	close_pool(self);
	open_pool(self);
	EXPECT_EQ(9, kt_pool_epoch(self->pool));
	EXPECT_EQ(0, kt_pool_load(self->pool, set, "", &manifest, 0, &self->change, NULL));
	kt_snapshot_free(snapshot);
	kt_anchor_set_free(set);
}

/* ---- Crashes and faults -------------------------------------------------------------------- */

/* In a process of its own: publish roots 1 to 3 over 1 to 2, and die before step `at`. */
static bool crash(FIXTURE_DATA(store) * self, unsigned int at)
{
	int status;
	pid_t child;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		open_pool(self);
		load(self, 2);
		steps = 0;
		dying = at;
		armed = true;
		load(self, 3);
		armed = false;
		_exit(1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

TEST_F_TIMEOUT(store, a_crash_at_any_step_leaves_old_or_new, 120)
{
	uint64_t highest = 0;
	unsigned int at = 0, olds = 0, news = 0;
	bool died;

	do {
		uint64_t version;

		died = crash(self, ++at);
		open_pool(self);
		ASSERT_EQ(0, kt_pool_restore(self->pool, &self->change, NULL));
		EXPECT_TRUE(anchors(self) == 2 || anchors(self) == 3);
		olds += anchors(self) == 2;
		news += anchors(self) == 3;
		/* Beyond everything that the dead one may have given. */
		version = self->change.new_version;
		EXPECT_LT(highest + 2, version);
		highest = version;
		EXPECT_EQ(0, count_files(self, "*.tmp"));
		EXPECT_GE(1 + KT_HISTORY_DEFAULT, (int)count_files(self, "*.snapshot"));
		close_pool(self);
	} while (died);
	TH_LOG("%u steps: %u times the old one, %u times the new one", at - 1, olds, news);
	EXPECT_LT(8, olds);
	EXPECT_LT(1, news);
}

TEST_F_TIMEOUT(store, a_step_that_fails_stops_no_publication, 120)
{
	unsigned int at = 0, not_kept = 0;
	uint64_t version = 0;

	do {
		struct kt_error why;

		open_pool(self);
		load(self, 2);
		steps = 0;
		failing = ++at;
		armed = true;
		EXPECT_LT(version, load(self, 3));
		armed = false;
		failing = 0;
		version = self->change.new_version;
		EXPECT_EQ(3, anchors(self));
		kt_pool_state_error(self->pool, &why);
		EXPECT_EQ(!self->change.kept, why.err == ENOSPC);
		not_kept += !self->change.kept;
		if (!self->change.kept) {
			/* The same again, now that there is room. */
			EXPECT_EQ(version, load(self, 3));
			EXPECT_TRUE(self->change.kept);
		}
		close_pool(self);
		open_pool(self);
		EXPECT_EQ(version, load(self, 3));
		close_pool(self);
	} while (steps >= at);
	TH_LOG("%u of %u steps were needed", not_kept, at - 1);
	EXPECT_LT(8, not_kept);
}

TEST_F(store, what_could_not_be_kept_is_not_counted_again)
{
	uint64_t version = 0;
	pid_t child;
	int status;

	open_pool(self);
	load(self, 1);
	close_pool(self);
	child = fork();
	if (!child) {
		open_pool(self);
		armed = failing_on = true;
		failing = 1;
		for (unsigned int i = 2; i < 50; i++)
			load(self, i);
		_exit((int)self->change.new_version);
	}
	waitpid(child, &status, 0);
	version = (uint64_t)WEXITSTATUS(status);
	EXPECT_EQ(49, version);
	open_pool(self);
	EXPECT_LT(version, load(self, 60));
	/* One version stays what it is after an orderly end only. */
	close_pool(self);
	open_pool(self);
	EXPECT_EQ(self->change.new_version, load(self, 60));
}

TEST_F(store, content_goes_to_the_disk_before_its_name)
{
	open_pool(self);
	load(self, 1);
	steps = 0;
	armed = true;
	load(self, 2);
	armed = false;
	order[steps] = '\0';
	TH_LOG("%s", order);
	/* open, write…, sync, rename, sync of the directory; first the image, then the state. */
	EXPECT_TRUE(strstr(order, "wsrDow"));
	EXPECT_TRUE(strstr(order, "wsRD"));
}

/* ---- Disks --------------------------------------------------------------------------------- */

static const char *mount_small(FIXTURE_DATA(store) * self)
{
	const char *why = mounts_of_our_own();

	if (why)
		return why;
	if (mount("tmpfs", self->dir, "tmpfs", 0, "size=64k"))
		return "cannot mount a tmpfs";
	return NULL;
}

TEST_F(store, a_full_disk_stops_no_removal)
{
	const char *why = mount_small(self);
	struct kt_error error;
	unsigned int i = 1;

	if (why)
		SKIP(return, "%s", why);
	open_pool(self);
	for (load(self, i); self->change.kept; i++)
		load(self, i + 1);
	kt_pool_state_error(self->pool, &error);
	EXPECT_EQ(ENOSPC, error.err);
	/* Until it is full to the last page. */
	damage(self, "cat /dev/zero >../fill 2>/dev/null; true");
	load(self, 200);
	EXPECT_FALSE(self->change.kept);
	EXPECT_EQ(i + 1, load(self, 1) - 1);
	EXPECT_EQ(1, anchors(self));
	ASSERT_EQ(0, mount(NULL, self->dir, NULL, MS_REMOUNT, "size=256k"));
	EXPECT_EQ(self->change.new_version, load(self, 1));
	EXPECT_TRUE(self->change.kept);
	close_pool(self);
	umount(self->dir);
}

TEST_F(store, a_disk_that_becomes_read_only_stops_no_removal)
{
	const char *why = mount_small(self);
	struct kt_error error;

	if (why)
		SKIP(return, "%s", why);
	open_pool(self);
	load(self, 2);
	ASSERT_EQ(0, mount(NULL, self->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	EXPECT_EQ(2, load(self, 1));
	EXPECT_FALSE(self->change.kept);
	EXPECT_EQ(1, anchors(self));
	kt_pool_state_error(self->pool, &error);
	EXPECT_EQ(EROFS, error.err);
	close_pool(self);
	/* Where nothing can be counted, nothing begins. */
	EXPECT_EQ(-EROFS, open_in(self, self->dir));
	close_pool(self);
	umount(self->dir);
}

TEST_HARNESS_MAIN
