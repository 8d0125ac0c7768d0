/* SPDX-License-Identifier: BSD-2-Clause */
/* The state directory: what comes back after an orderly end, and what of damaged files. */
#include "state_dir.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

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

TEST_HARNESS_MAIN
