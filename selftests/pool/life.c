/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a pool: candidates, guards, history, and the way back. */
#include "roots.h"

#include <errno.h>
#include <pthread.h>

#include <ktrust/life.h>

FIXTURE(life)
{
	struct roots roots;
	struct kt_pool *pool; /* version 1: roots 1 to 10 */
	struct kt_pool_change change;
	struct kt_error error;
};

static int load(FIXTURE_DATA(life) * self, unsigned int first, unsigned int last,
		unsigned int flags)
{
	struct kt_anchor_set *set = roots_set(&self->roots, first, last);
	int ret = kt_pool_load(self->pool, set, "file:roots.pem", NULL, flags, &self->change,
			       &self->error);

	kt_anchor_set_free(set);
	return ret;
}

static int stage(FIXTURE_DATA(life) * self, unsigned int first, unsigned int last)
{
	struct kt_anchor_set *set = roots_set(&self->roots, first, last);
	int ret =
		kt_pool_stage(self->pool, set, "file:next.pem", NULL, &self->change, &self->error);

	kt_anchor_set_free(set);
	return ret;
}

FIXTURE_SETUP(life)
{
	roots_init(&self->roots);
	memset(&self->error, 0, sizeof self->error);
	self->pool = NULL;
	ASSERT_EQ(0, kt_pool_new("clients", &self->pool, NULL));
	ASSERT_EQ(0, load(self, 1, 10, 0));
}

FIXTURE_TEARDOWN(life)
{
	kt_pool_free(self->pool);
	roots_fini(&self->roots);
}

static struct kt_snapshot_info current(FIXTURE_DATA(life) * self)
{
	struct kt_snapshot_info info = {0};

	kt_snapshot_describe(kt_pool_read_begin(self->pool), &info);
	kt_pool_read_end(self->pool);
	return info;
}

static uint64_t refused(FIXTURE_DATA(life) * self)
{
	struct kt_pool_stats stats;

	kt_pool_get_stats(self->pool, &stats);
	return stats.refused;
}

/* ---- Candidates ---------------------------------------------------------------------------- */

TEST_F(life, stage_changes_nothing_and_tells_what_would)
{
	ASSERT_EQ(0, stage(self, 4, 12));
	EXPECT_EQ(1, self->change.old_version);
	EXPECT_EQ(2, self->change.new_version);
	EXPECT_EQ(2, self->change.added);
	EXPECT_EQ(3, self->change.removed);
	EXPECT_EQ(9, self->change.anchors);
	EXPECT_EQ(1, current(self).version);
	EXPECT_EQ(10, current(self).anchors);
	EXPECT_EQ(0, kt_pool_check(self->pool, &self->change, NULL));
	EXPECT_EQ(1, current(self).version);
}

TEST_F(life, commit_publishes_the_candidate_once)
{
	ASSERT_EQ(0, stage(self, 4, 12));
	ASSERT_EQ(0, kt_pool_commit_staged(self->pool, 0, &self->change, NULL));
	EXPECT_EQ(2, self->change.new_version);
	EXPECT_EQ(2, current(self).version);
	EXPECT_EQ(9, current(self).anchors);
	EXPECT_STREQ("file:next.pem", current(self).source);
	EXPECT_EQ(-ENOENT, kt_pool_commit_staged(self->pool, 0, &self->change, &self->error));
	EXPECT_STREQ("nothing is staged (ktrust pool stage)", self->error.text);
	EXPECT_NULL(kt_pool_staged(self->pool));
}

TEST_F(life, a_candidate_from_before_other_commits_gets_the_next_version)
{
	ASSERT_EQ(0, stage(self, 4, 12));
	ASSERT_EQ(0, load(self, 1, 11, 0));
	ASSERT_EQ(0, load(self, 1, 12, 0));
	/* Compared with what is current by then. */
	ASSERT_EQ(0, kt_pool_check(self->pool, &self->change, NULL));
	EXPECT_EQ(3, self->change.old_version);
	EXPECT_EQ(0, self->change.added);
	EXPECT_EQ(3, self->change.removed);
	ASSERT_EQ(0, kt_pool_commit_staged(self->pool, 0, &self->change, NULL));
	EXPECT_EQ(3, self->change.old_version);
	EXPECT_EQ(4, self->change.new_version);
	EXPECT_EQ(3, self->change.removed);
	EXPECT_EQ(4, current(self).version);
}

TEST_F(life, a_candidate_that_has_become_current_publishes_nothing)
{
	ASSERT_EQ(0, stage(self, 1, 3));
	ASSERT_EQ(0, load(self, 1, 3, 0));
	ASSERT_EQ(0, kt_pool_commit_staged(self->pool, 0, &self->change, NULL));
	EXPECT_EQ(2, self->change.old_version);
	EXPECT_EQ(2, self->change.new_version);
	EXPECT_EQ(2, current(self).version);
	EXPECT_NULL(kt_pool_staged(self->pool));
}

TEST_F(life, a_new_candidate_takes_the_place_of_the_old)
{
	struct kt_snapshot_info info;

	ASSERT_EQ(0, stage(self, 1, 3));
	ASSERT_EQ(0, stage(self, 1, 4));
	kt_pool_read_begin(self->pool);
	kt_snapshot_describe(kt_pool_staged(self->pool), &info);
	kt_pool_read_end(self->pool);
	EXPECT_EQ(4, info.anchors);
}

TEST_F(life, what_is_current_is_no_candidate)
{
	ASSERT_EQ(0, stage(self, 1, 3));
	ASSERT_EQ(0, stage(self, 1, 10));
	EXPECT_EQ(1, self->change.new_version);
	EXPECT_EQ(-ENOENT, kt_pool_unstage(self->pool, NULL));
}

TEST_F(life, unstage_drops_the_candidate)
{
	ASSERT_EQ(0, stage(self, 1, 3));
	EXPECT_EQ(0, kt_pool_unstage(self->pool, NULL));
	EXPECT_EQ(-ENOENT, kt_pool_unstage(self->pool, &self->error));
	EXPECT_EQ(-ENOENT, kt_pool_check(self->pool, &self->change, NULL));
}

TEST_F(life, an_empty_set_is_no_candidate)
{
	ASSERT_EQ(0, stage(self, 1, 3));
	EXPECT_EQ(-ENODATA, stage(self, 1, 0));
	EXPECT_EQ(1, refused(self));
	/* The one before stays. */
	EXPECT_EQ(0, kt_pool_unstage(self->pool, NULL));
}

TEST_F(life, nothing_that_waits_is_done_in_a_read_section)
{
	ASSERT_EQ(0, stage(self, 1, 3));
	kt_pool_read_begin(self->pool);
	EXPECT_EQ(-EDEADLK, stage(self, 1, 4));
	EXPECT_EQ(-EDEADLK, kt_pool_check(self->pool, &self->change, NULL));
	EXPECT_EQ(-EDEADLK, kt_pool_commit_staged(self->pool, 0, &self->change, NULL));
	EXPECT_EQ(-EDEADLK, kt_pool_unstage(self->pool, NULL));
	EXPECT_EQ(-EDEADLK, kt_pool_roll_back(self->pool, 1, 0, &self->change, NULL));
	EXPECT_EQ(-EDEADLK, kt_pool_restore(self->pool, &self->change, NULL));
	EXPECT_EQ(-EDEADLK, load(self, 1, 4, 0));
	kt_pool_read_end(self->pool);
}

static void *read_staged(void *arg)
{
	struct kt_pool *pool = arg;
	struct kt_snapshot_info info;
	uint64_t version;

	do {
		const struct kt_snapshot *now = kt_pool_read_begin(pool);
		const struct kt_snapshot *staged = kt_pool_staged(pool);

		kt_snapshot_describe(now, &info);
		version = info.version;
		if (staged) {
			kt_snapshot_describe(staged, &info);
			EXPECT_EQ(info.anchors % 2, info.anchors & 1);
		}
		kt_pool_read_end(pool);
	} while (version < 300);
	return NULL;
}

TEST_F(life, readers_of_the_candidate_are_waited_for)
{
	pthread_t thread;

	kt_pool_set_history(self->pool, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_staged, self->pool));
	for (unsigned int i = 2; i <= 300; i++) {
		ASSERT_EQ(0, stage(self, i, i + 2));
		ASSERT_EQ(0, stage(self, i, i + 3));
		ASSERT_EQ(0, kt_pool_commit_staged(self->pool, 0, &self->change, NULL));
		ASSERT_EQ(i, self->change.new_version);
	}
	pthread_join(thread, NULL);
}

/* ---- Guards -------------------------------------------------------------------------------- */

#define GUARDS(...) kt_pool_set_guards(self->pool, &(struct kt_guards){__VA_ARGS__})

TEST_F(life, too_few_anchors_are_eperm)
{
	GUARDS(.anchors_min = 5);
	EXPECT_EQ(-EPERM, load(self, 1, 4, 0));
	EXPECT_TRUE(strstr(self->error.text, "4 anchors, and anchors-min is 5"));
	EXPECT_EQ(1, current(self).version);
	EXPECT_EQ(1, refused(self));
	EXPECT_EQ(0, load(self, 1, 5, 0));
}

TEST_F(life, too_many_that_vanish_are_eperm)
{
	GUARDS(.removed_max = 30);
	EXPECT_EQ(-EPERM, load(self, 1, 6, 0));
	EXPECT_TRUE(strstr(self->error.text, "4 of 10 anchors would vanish"));
	EXPECT_EQ(1, current(self).version);
	/* Others that come make up for none of them. */
	EXPECT_EQ(-EPERM, load(self, 5, 30, 0));
	EXPECT_EQ(0, load(self, 1, 7, 0));
}

TEST_F(life, a_guard_can_be_overridden)
{
	GUARDS(.removed_max = 30);
	ASSERT_EQ(0, stage(self, 1, 2));
	EXPECT_EQ(-EPERM, kt_pool_check(self->pool, &self->change, NULL));
	EXPECT_EQ(0, refused(self)); /* a question */
	EXPECT_EQ(-EPERM, kt_pool_commit_staged(self->pool, 0, &self->change, NULL));
	EXPECT_EQ(1, refused(self));
	EXPECT_EQ(0, kt_pool_commit_staged(self->pool, KT_FORCE, &self->change, NULL));
	EXPECT_EQ(2, current(self).version);
	EXPECT_EQ(0, load(self, 1, 1, KT_FORCE));
	EXPECT_EQ(-ENODATA, load(self, 1, 0, KT_FORCE));
	EXPECT_EQ(3, current(self).version);
}

TEST_F(life, re_issued_roots_count_once_and_do_not_vanish)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 10);
	const uint8_t *der = roots_numbered(&self->roots, 1);
	uint8_t *other = malloc(self->roots.template_len);

	/* Another certificate of root 1: another signature. */
	memcpy(other, der, self->roots.template_len);
	other[self->roots.template_len - 1] ^= 1;
	add_der(set, other, self->roots.template_len);
	free(other);
	GUARDS(.anchors_min = 11, .removed_max = 1);
	EXPECT_EQ(-EPERM, kt_pool_load(self->pool, set, "", NULL, 0, &self->change, NULL));
	GUARDS(.anchors_min = 10, .removed_max = 1);
	EXPECT_EQ(0, kt_pool_load(self->pool, set, "", NULL, 0, &self->change, NULL));
	EXPECT_EQ(0, self->change.added);
	EXPECT_EQ(2, self->change.new_version);
	/* And one of the two may go. */
	EXPECT_EQ(0, load(self, 1, 10, 0));
	EXPECT_EQ(0, self->change.removed);
	kt_anchor_set_free(set);
}

/* ---- Revocations --------------------------------------------------------------------------- */

/* A set of two CAs' roots, or one, and a CRL of the first that began at this time; 0: none. */
static int load_crl(FIXTURE_DATA(life) * self, const struct pki_cert *const roots[2],
		    int64_t this_update, unsigned int flags)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct pki_der crl;
	int ret;

	for (size_t i = 0; i < 2 && roots[i]; i++)
		add_cert(set, roots[i]);
	if (this_update) {
		crl = pki_make_crl(roots[0], &(struct pki_crl){.this_update = this_update});
		ASSERT_EQ(0, kt_anchor_set_add_crl(set, crl.data, crl.len, "", 0, NULL));
		free(crl.data);
	}
	ret = kt_pool_load(self->pool, set, "", NULL, flags, &self->change, &self->error);
	kt_anchor_set_free(set);
	return ret;
}

TEST_F(life, revocations_are_not_lost_unless_their_issuer_leaves)
{
	const struct pki_cert *a = pki_make_ca(self->roots.pki, NULL, "A");
	const struct pki_cert *b = pki_make_ca(self->roots.pki, NULL, "B");
	const struct pki_cert *const both[] = {a, b}, *const only_b[] = {b, NULL};

	ASSERT_EQ(0, load_crl(self, both, -1000, 0));
	EXPECT_EQ(1, self->change.crls);
	EXPECT_EQ(-EPERM, load_crl(self, both, 0, 0));
	EXPECT_TRUE(strstr(self->error.text, "there is no CRL"));
	EXPECT_EQ(-EPERM, load_crl(self, both, -2000, 0));
	EXPECT_TRUE(strstr(self->error.text, "older CRL"));
	ASSERT_EQ(0, load_crl(self, both, -500, 0));
	/* back to the version before is back to an older CRL */
	EXPECT_EQ(-EPERM, kt_pool_roll_back(self->pool, 0, 0, &self->change, NULL));
	EXPECT_EQ(0, load_crl(self, both, 0, KT_FORCE));
	EXPECT_EQ(1, self->change.old_crls);
	EXPECT_EQ(0, self->change.crls);
	ASSERT_EQ(0, load_crl(self, both, -400, 0));
	EXPECT_EQ(0, load_crl(self, only_b, 0, 0));
}

/* The manifest of roots first to last. */
static struct kt_manifest manifest_of(FIXTURE_DATA(life) * self, unsigned int first,
				      unsigned int last, uint64_t epoch)
{
	struct kt_anchor_set *set = roots_set(&self->roots, first, last);
	struct kt_snapshot *snapshot = build(set, 1);
	struct kt_manifest made = {.epoch = epoch};
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	made.anchors = info.anchors;
	memcpy(made.digest, info.digest, KT_DIGEST_LEN);
	kt_snapshot_free(snapshot);
	kt_anchor_set_free(set);
	return made;
}

static int load_with(FIXTURE_DATA(life) * self, unsigned int first, unsigned int last,
		     const struct kt_manifest *manifest, unsigned int flags)
{
	struct kt_anchor_set *set = roots_set(&self->roots, first, last);
	int ret = kt_pool_load(self->pool, set, "", manifest, flags, &self->change, &self->error);

	kt_anchor_set_free(set);
	return ret;
}

TEST_F(life, a_manifest_that_must_be_there_and_is_not_is_enokey)
{
	struct kt_manifest manifest = manifest_of(self, 1, 5, 1);

	GUARDS(.manifest = true);
	EXPECT_EQ(-ENOKEY, load(self, 1, 5, 0));
	EXPECT_EQ(0, load_with(self, 1, 5, &manifest, 0));
}

TEST_F(life, what_the_manifest_does_not_say_is_eperm)
{
	struct kt_manifest manifest = manifest_of(self, 1, 5, 1);

	EXPECT_EQ(-EPERM, load_with(self, 1, 4, &manifest, 0)); /* cut */
	EXPECT_TRUE(strstr(self->error.text, "the manifest says 5"));
	EXPECT_EQ(-EPERM, load_with(self, 2, 6, &manifest, 0)); /* as many, but others */
	EXPECT_TRUE(strstr(self->error.text, "digest"));
	EXPECT_EQ(1, current(self).version);
	EXPECT_EQ(0, kt_pool_epoch(self->pool));
}

TEST_F(life, an_epoch_does_not_go_back)
{
	struct kt_manifest seventh = manifest_of(self, 1, 7, 7),
			   eighth = manifest_of(self, 1, 8, 8);
	struct kt_manifest again = manifest_of(self, 1, 9, 8);

	ASSERT_EQ(0, load_with(self, 1, 7, &seventh, 0));
	ASSERT_EQ(0, load_with(self, 1, 8, &eighth, 0));
	EXPECT_EQ(8, kt_pool_epoch(self->pool));
	EXPECT_EQ(-ESTALE, load_with(self, 1, 7, &seventh, 0));
	EXPECT_EQ(0, load_with(self, 1, 8, &eighth, 0));
	/* An epoch is one content. */
	EXPECT_EQ(-ESTALE, load_with(self, 1, 9, &again, 0));
	/* Forced, it stays the highest that there was. */
	EXPECT_EQ(0, load_with(self, 1, 7, &seventh, KT_FORCE));
	EXPECT_EQ(8, kt_pool_epoch(self->pool));
	EXPECT_EQ(0, load_with(self, 1, 8, &eighth, 0));
}

/* What was forced past a manifest must not take the epoch from what the manifest speaks of. */
TEST_F(life, content_forced_past_its_manifest_has_no_epoch)
{
	struct kt_manifest seventh = manifest_of(self, 1, 7, 7);

	ASSERT_EQ(0, load_with(self, 1, 6, &seventh, KT_FORCE));
	EXPECT_EQ(0, kt_pool_epoch(self->pool));
	EXPECT_EQ(0, load_with(self, 1, 7, &seventh, 0));
	EXPECT_EQ(7, kt_pool_epoch(self->pool));
}

TEST_F(life, a_later_epoch_of_the_same_content_counts)
{
	struct kt_manifest seventh = manifest_of(self, 1, 7, 7),
			   eighth = manifest_of(self, 1, 7, 8);

	ASSERT_EQ(0, load_with(self, 1, 7, &seventh, 0));
	ASSERT_EQ(0, load_with(self, 1, 7, &eighth, 0));
	EXPECT_EQ(self->change.old_version, self->change.new_version);
	EXPECT_EQ(8, kt_pool_epoch(self->pool));
	EXPECT_EQ(-ESTALE, load_with(self, 1, 7, &seventh, 0));
}

/* ---- History ------------------------------------------------------------------------------- */

TEST_F(life, roll_back_is_a_new_version_with_an_old_digest)
{
	uint8_t digest[KT_DIGEST_LEN];

	memcpy(digest, current(self).digest, sizeof digest);
	ASSERT_EQ(0, load(self, 1, 12, 0));
	ASSERT_EQ(0, kt_pool_roll_back(self->pool, 1, 0, &self->change, NULL));
	EXPECT_EQ(2, self->change.old_version);
	EXPECT_EQ(3, self->change.new_version);
	EXPECT_EQ(2, self->change.removed);
	EXPECT_EQ(3, current(self).version);
	EXPECT_EQ(0, memcmp(digest, current(self).digest, sizeof digest));
	/* Without a version: to what was there before, and back again. */
	ASSERT_EQ(0, kt_pool_roll_back(self->pool, 0, 0, &self->change, NULL));
	EXPECT_EQ(12, current(self).anchors);
	ASSERT_EQ(0, kt_pool_roll_back(self->pool, 0, 0, &self->change, NULL));
	EXPECT_EQ(10, current(self).anchors);
	EXPECT_EQ(5, current(self).version);
}

TEST_F(life, roll_back_to_what_is_current_publishes_nothing)
{
	ASSERT_EQ(0, load(self, 1, 12, 0));
	ASSERT_EQ(0, load(self, 1, 10, 0));
	ASSERT_EQ(0, kt_pool_roll_back(self->pool, 3, 0, &self->change, NULL));
	EXPECT_EQ(3, self->change.new_version);
	ASSERT_EQ(0, kt_pool_roll_back(self->pool, 1, 0, &self->change, NULL));
	EXPECT_EQ(3, self->change.new_version);
	EXPECT_EQ(3, self->change.old_version);
	EXPECT_EQ(3, current(self).version);
}

TEST_F(life, roll_back_to_what_is_gone_is_enoent)
{
	EXPECT_EQ(-ENOENT, kt_pool_roll_back(self->pool, 0, 0, &self->change, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "nothing to go back to"));
	kt_pool_set_history(self->pool, 1);
	ASSERT_EQ(0, load(self, 1, 11, 0));
	ASSERT_EQ(0, load(self, 1, 12, 0));
	EXPECT_EQ(-ENOENT, kt_pool_roll_back(self->pool, 1, 0, &self->change, &self->error));
	EXPECT_TRUE(strstr(self->error.text, "version 1 is not in the history"));
	EXPECT_EQ(0, kt_pool_roll_back(self->pool, 2, 0, &self->change, NULL));
}

TEST_F(life, guards_speak_to_a_roll_back)
{
	GUARDS(.removed_max = 10);
	ASSERT_EQ(0, load(self, 1, 20, 0));
	EXPECT_EQ(-EPERM, kt_pool_roll_back(self->pool, 1, 0, &self->change, NULL));
	EXPECT_EQ(0, kt_pool_roll_back(self->pool, 1, KT_FORCE, &self->change, NULL));
}

TEST_F(life, roll_back_past_an_epoch_wants_an_override)
{
	struct kt_manifest seventh = manifest_of(self, 1, 7, 7),
			   eighth = manifest_of(self, 1, 8, 8);

	ASSERT_EQ(0, load_with(self, 1, 7, &seventh, 0)); /* version 2 */
	ASSERT_EQ(0, load_with(self, 1, 8, &eighth, 0));
	EXPECT_EQ(-ESTALE, kt_pool_roll_back(self->pool, 2, 0, &self->change, NULL));
	EXPECT_EQ(-ESTALE, kt_pool_roll_back(self->pool, 1, 0, &self->change, NULL));
	EXPECT_EQ(3, current(self).version);
	EXPECT_EQ(0, kt_pool_roll_back(self->pool, 2, KT_FORCE, &self->change, NULL));
	EXPECT_EQ(8, kt_pool_epoch(self->pool));
	/* Forwards again it needs none. */
	EXPECT_EQ(0, kt_pool_roll_back(self->pool, 3, 0, &self->change, NULL));
}

TEST_F(life, history_is_the_current_one_and_those_before)
{
	struct kt_history_entry entries[KT_HISTORY_MAX + 1];
	struct kt_manifest manifest = manifest_of(self, 1, 11, 5);

	ASSERT_EQ(0, load_with(self, 1, 11, &manifest, 0));
	for (unsigned int i = 12; i < 30; i++)
		ASSERT_EQ(0, load(self, 1, i, 0));
	ASSERT_EQ(1 + KT_HISTORY_DEFAULT, kt_pool_history(self->pool, entries, KT_HISTORY_MAX + 1));
	for (unsigned int i = 0; i <= KT_HISTORY_DEFAULT; i++) {
		EXPECT_EQ(20 - i, entries[i].version);
		EXPECT_EQ(29 - i, entries[i].anchors);
		EXPECT_FALSE(entries[i].kept);
	}
	EXPECT_EQ(0, memcmp(current(self).digest, entries[0].digest, KT_DIGEST_LEN));
	EXPECT_STREQ("file:roots.pem", entries[0].source);
	EXPECT_EQ(2, kt_pool_history(self->pool, entries, 2));
	kt_pool_set_history(self->pool, 0);
	EXPECT_EQ(1, kt_pool_history(self->pool, entries, 5));
}

TEST_F(life, restore_is_for_a_pool_with_nothing_published)
{
	struct kt_pool *empty = NULL;

	EXPECT_EQ(-EALREADY, kt_pool_restore(self->pool, &self->change, NULL));
	ASSERT_EQ(0, kt_pool_new("empty", &empty, NULL));
	EXPECT_EQ(-ENOENT, kt_pool_restore(empty, &self->change, &self->error));
	kt_pool_free(empty);
}

TEST_HARNESS_MAIN
