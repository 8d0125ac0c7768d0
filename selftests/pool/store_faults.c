/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state directory when it fails: what comes back after a crash at every step of a publication,
 * and after every step of it failed. Versions never go back.
 *
 * The linker leads the room's calls to the __wrap_… functions below (see the Makefile): each is a
 * step, and step number `failing` fails, or number `dying` ends the process before it is done.
 */
#include "state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- Crashes ------------------------------------------------------------------------------- */

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

/* ---- Faults -------------------------------------------------------------------------------- */

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
