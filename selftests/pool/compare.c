/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between two snapshots. */
#include "roots.h"

#include <ktrust/life.h>

FIXTURE(compare)
{
	struct roots roots;
};

FIXTURE_SETUP(compare)
{
	roots_init(&self->roots);
}

FIXTURE_TEARDOWN(compare)
{
	roots_fini(&self->roots);
}

struct seen {
	struct kt_difference of[16];
	size_t count;
	size_t most;
};

static bool see(const struct kt_difference *difference, void *arg)
{
	struct seen *seen = arg;

	ASSERT_LT(seen->count, 16);
	seen->of[seen->count++] = *difference;
	return seen->count != seen->most;
}

static void add_limited(struct kt_anchor_set *set, struct roots *roots, unsigned int number,
			int64_t distrust_after)
{
	struct kt_constraints limits = KT_CONSTRAINTS_NONE;

	limits.distrust_after = distrust_after;
	ASSERT_EQ(0, kt_anchor_set_add(set, roots_numbered(roots, number), roots->template_len,
				       &limits, "test", 1, NULL));
}

static bool names(const struct kt_anchor *anchor, const char *name)
{
	struct kt_anchor_text text;

	if (!anchor->der)
		return !name;
	kt_anchor_describe(anchor, &text);
	return name && strstr(text.subject, name);
}

TEST_F(compare, every_kind_of_difference_is_shown)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 3);
	struct kt_snapshot *before = build(set, 1), *after;
	struct seen seen = {0};
	uint8_t *other = malloc(self->roots.template_len);

	kt_anchor_set_free(set);
	set = roots_set(&self->roots, 4, 4);	       /* 1 removed, 4 added */
	add_limited(set, &self->roots, 2, 1700000000); /* 2 constrained */
	memcpy(other, roots_numbered(&self->roots, 3), self->roots.template_len);
	other[self->roots.template_len - 1] ^= 1;
	add_der(set, other, self->roots.template_len); /* 3 re-issued */
	after = build(set, 2);
	ASSERT_EQ(0, kt_snapshot_compare(before, after, see, &seen));
	ASSERT_EQ(4, seen.count);
	EXPECT_EQ(KT_ANCHOR_REISSUED, seen.of[0].kind);
	EXPECT_TRUE(names(&seen.of[0].before, "00000003"));
	EXPECT_NE(0, memcmp(seen.of[0].before.fingerprint, seen.of[0].after.fingerprint,
			    KT_DIGEST_LEN));
	EXPECT_EQ(KT_ANCHOR_REMOVED, seen.of[1].kind);
	EXPECT_TRUE(names(&seen.of[1].before, "00000001") && names(&seen.of[1].after, NULL));
	EXPECT_EQ(KT_ANCHOR_CONSTRAINED, seen.of[2].kind);
	EXPECT_TRUE(names(&seen.of[2].before, "00000002"));
	EXPECT_EQ(1700000000, seen.of[2].after.constraints.distrust_after);
	EXPECT_EQ(KT_ANCHOR_ADDED, seen.of[3].kind);
	EXPECT_TRUE(names(&seen.of[3].after, "00000004") && names(&seen.of[3].before, NULL));
	seen = (struct seen){.most = 2};
	EXPECT_EQ(0, kt_snapshot_compare(before, after, see, &seen));
	EXPECT_EQ(2, seen.count);
	seen = (struct seen){0};
	EXPECT_EQ(0, kt_snapshot_compare(after, after, see, &seen));
	EXPECT_EQ(0, seen.count);
	EXPECT_EQ(0, kt_snapshot_compare(NULL, before, see, &seen));
	EXPECT_EQ(3, seen.count);
	free(other);
	kt_snapshot_free(before);
	kt_snapshot_free(after);
	kt_anchor_set_free(set);
}

TEST_F(compare, a_difference_names_the_key)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *before, *after;
	struct seen seen = {0};

	add_der(set, roots_keyed(&self->roots, 1, 1), self->roots.template_len);
	before = build(set, 1);
	kt_anchor_set_free(set);
	set = kt_anchor_set_new();
	add_der(set, roots_keyed(&self->roots, 1, 2), self->roots.template_len);
	after = build(set, 2);
	/* Another key under the old name is another anchor. */
	ASSERT_EQ(0, kt_snapshot_compare(before, after, see, &seen));
	ASSERT_EQ(2, seen.count);
	EXPECT_NE(seen.of[0].kind, seen.of[1].kind);
	EXPECT_NE(0, memcmp(seen.of[0].key, seen.of[1].key, KT_DIGEST_LEN));
	kt_snapshot_free(before);
	kt_snapshot_free(after);
	kt_anchor_set_free(set);
}

TEST_HARNESS_MAIN
