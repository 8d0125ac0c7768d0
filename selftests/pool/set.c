/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Anchor sets. The set is compiled in here with a limit that a test can reach in no time; the rest
 * of the room comes from the library.
 */
#include <ktrust/pool.h>

#undef KT_ANCHORS_MAX
#define KT_ANCHORS_MAX 1500u

#include "../../src/pool/set.c"

#include "roots.h"

FIXTURE(set)
{
	struct roots roots;
};

FIXTURE_SETUP(set)
{
	roots_init(&self->roots);
}

FIXTURE_TEARDOWN(set)
{
	roots_fini(&self->roots);
}

static int try_limited(struct kt_anchor_set *set, const uint8_t *der, size_t len,
		       const char *permitted_dns, int64_t distrust_after, struct kt_error *error)
{
	const struct kt_constraints constraints = {KT_PURPOSE_SERVER, distrust_after,
						   permitted_dns};

	return kt_anchor_set_add(set, der, len, &constraints, "test", 1, error);
}

static void add_limited(struct kt_anchor_set *set, const uint8_t *der, size_t len,
			const char *permitted_dns, int64_t distrust_after)
{
	ASSERT_EQ(0, try_limited(set, der, len, permitted_dns, distrust_after, NULL));
}

TEST_F(set, counts_a_certificate_once)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 1000);

	EXPECT_EQ(1000, kt_anchor_set_count(set));
	for (unsigned int i = 1; i <= 1000; i++)
		add_der(set, roots_numbered(&self->roots, i), self->roots.template_len);
	EXPECT_EQ(1000, kt_anchor_set_count(set));
	kt_anchor_set_free(set);
}

TEST_F(set, refuses_what_is_no_certificate)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_error error = {0};

	ASSERT_NE(NULL, set);
	EXPECT_EQ(-EBADMSG, kt_anchor_set_add_der(set, (const uint8_t *)"x", 1, "a", 7, &error));
	EXPECT_EQ(EBADMSG, error.err);
	EXPECT_STREQ("a", error.where);
	EXPECT_EQ(7, error.line);
	EXPECT_EQ(-EBADMSG, kt_anchor_set_add_der(set, NULL, 0, "a", 7, &error));
	EXPECT_EQ(0, kt_anchor_set_count(set));
	kt_anchor_set_free(set);
}

TEST_F(set, refuses_a_certificate_beyond_the_limit)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	uint8_t *der = calloc(1, KT_CERTIFICATE_MAX + 1);

	ASSERT_NE(NULL, set);
	ASSERT_NE(NULL, der);
	EXPECT_EQ(-EFBIG, kt_anchor_set_add_der(set, der, KT_CERTIFICATE_MAX + 1, "a", 1, NULL));
	EXPECT_EQ(-EBADMSG, kt_anchor_set_add_der(set, der, KT_CERTIFICATE_MAX, "a", 1, NULL));
	kt_anchor_set_free(set);
	free(der);
}

TEST_F(set, full_is_e2big_but_takes_what_it_has)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, KT_ANCHORS_MAX);
	const uint8_t *der = roots_numbered(&self->roots, 0);
	size_t len = self->roots.template_len;
	struct kt_error error = {0};

	EXPECT_EQ(KT_ANCHORS_MAX, kt_anchor_set_count(set));
	EXPECT_EQ(-E2BIG, kt_anchor_set_add_der(set, der, len, "a", 1, &error));
	EXPECT_EQ(E2BIG, error.err);
	der = roots_numbered(&self->roots, 1);
	EXPECT_EQ(0, kt_anchor_set_add_der(set, der, len, "a", 1, NULL));
	EXPECT_EQ(KT_ANCHORS_MAX, kt_anchor_set_count(set));
	kt_anchor_set_free(set);
}

/* Across every growth of the table: what is left is found, what is gone comes in again. */
TEST_F(set, taken_back_is_as_if_it_had_never_come)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 20);
	struct kt_anchor_set *twin = roots_set(&self->roots, 1, 20);
	struct kt_set_mark mark = kt_set_mark(set);

	/* the twenty come again with limits, the rest is new, every third with limits */
	for (unsigned int i = 1; i <= 1000; i++)
		add_limited(set, roots_numbered(&self->roots, i), self->roots.template_len,
			    i % 3 ? NULL : "example.org", i % 2 ? KT_DISTRUST_NEVER : i);
	EXPECT_EQ(1000, kt_anchor_set_count(set));
	kt_set_go_back(set, &mark);
	EXPECT_EQ(20, kt_anchor_set_count(set));
	EXPECT_EQ(twin->der.count, set->der.count);
	EXPECT_EQ(twin->names.count, set->names.count);
	EXPECT_EQ(0, memcmp(twin->der.items, set->der.items, twin->der.count));
	for (size_t i = 0; i < 20; i++)
		EXPECT_EQ(0, memcmp(kt_set_entry(twin, i), kt_set_entry(set, i),
				    sizeof(struct kt_image_entry)));
	for (size_t i = 0, used = 0; i < set->table_len; i++) {
		used += set->table[i] != 0;
		EXPECT_GE(20, used);
	}
	for (unsigned int i = 1; i <= 1000; i++) {
		add_der(set, roots_numbered(&self->roots, i), self->roots.template_len);
		EXPECT_EQ(i < 20 ? 20 : i, kt_anchor_set_count(set));
	}
	kt_anchor_set_free(set);
	kt_anchor_set_free(twin);
}

/* ---- Constraints --------------------------------------------------------------------------- */

/* Of one certificate listed with and without a limit the limit stays, in either order. */
TEST_F(set, limits_of_a_certificate_listed_twice_stay)
{
	size_t len = self->roots.template_len;

	for (int limited_first = 0; limited_first < 2; limited_first++) {
		struct kt_anchor_set *set = kt_anchor_set_new();
		const uint8_t *der = roots_numbered(&self->roots, 1);

		ASSERT_NE(NULL, set);
		if (!limited_first)
			add_der(set, der, len);
		add_limited(set, der, len, "example.org", 1000);
		if (limited_first)
			add_der(set, der, len);
		add_limited(set, der, len, NULL, 2000);
		add_limited(set, der, len, "a.example.org example.com", 3000);
		EXPECT_EQ(1, kt_anchor_set_count(set));
		EXPECT_EQ(1000, kt_set_entry(set, 0)->distrust_after);
		EXPECT_STREQ("a.example.org", kt_set_names(set, kt_set_entry(set, 0)));
		/* what it may be used for was granted by one of them */
		EXPECT_EQ(KT_PURPOSE_ANY, kt_set_entry(set, 0)->purposes);
		kt_anchor_set_free(set);
	}
}

TEST_F(set, limits_that_contradict_each_other_are_refused)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	const uint8_t *der = roots_numbered(&self->roots, 1);
	size_t len = self->roots.template_len;
	struct kt_image_entry before;
	struct kt_error error = {0};

	ASSERT_NE(NULL, set);
	add_limited(set, der, len, "example.org", 1000);
	before = *kt_set_entry(set, 0);
	EXPECT_EQ(-EBADMSG, try_limited(set, der, len, "example.com", 1, &error));
	EXPECT_NE(NULL, strstr(error.text, "do not go together"));
	EXPECT_EQ(0, memcmp(&before, kt_set_entry(set, 0), sizeof before));
	kt_anchor_set_free(set);
}

TEST_F(set, constraints_are_part_of_the_identity)
{
	struct kt_anchor_set *set = kt_anchor_set_new(), *other = kt_anchor_set_new();
	size_t len = self->roots.template_len;

	ASSERT_TRUE(set && other);
	add_limited(set, roots_numbered(&self->roots, 1), len, NULL, KT_DISTRUST_NEVER);
	add_limited(other, roots_numbered(&self->roots, 1), len, "org", KT_DISTRUST_NEVER);
	EXPECT_NE(0, memcmp(kt_set_entry(set, 0)->identity, kt_set_entry(other, 0)->identity, 32));
	/* merged, it is as if it had come with both from the start */
	add_limited(set, roots_numbered(&self->roots, 1), len, "org", KT_DISTRUST_NEVER);
	EXPECT_EQ(0, memcmp(kt_set_entry(set, 0)->identity, kt_set_entry(other, 0)->identity, 32));
	kt_anchor_set_free(set);
	kt_anchor_set_free(other);
}

TEST_F(set, constraints_out_of_form_are_refused)
{
	static const char *const wrong[] = {
		" a", "a ", "a  b", "b a", "a a", "A", ".a", "a.", "a..b", "*.a", "a.b b", "a\tb",
		/* a label of 64 characters */
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct kt_anchor_set *set = kt_anchor_set_new();
	const uint8_t *der = roots_numbered(&self->roots, 1);
	size_t len = self->roots.template_len;
	struct kt_constraints none = {0, KT_DISTRUST_NEVER, NULL}, more = {4, 0, NULL};
	char longest[KT_PERMITTED_DNS_MAX + 2] = "";

	ASSERT_NE(NULL, set);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		EXPECT_EQ(-EINVAL, try_limited(set, der, len, wrong[i], 0, NULL))
		{
			TH_LOG("%s", wrong[i]);
		}
	}
	for (size_t i = 0; i < KT_PERMITTED_DNS_MAX + 1; i += 4)
		snprintf(longest + i, 5, "%03zx ", 0x800 + i / 4);
	EXPECT_EQ(-EINVAL, try_limited(set, der, len, longest, 0, NULL));
	longest[KT_PERMITTED_DNS_MAX] = '\0';
	EXPECT_EQ(0, try_limited(set, der, len, longest, 0, NULL));
	EXPECT_EQ(-EINVAL, kt_anchor_set_add(set, der, len, &none, "", 0, NULL));
	EXPECT_EQ(-EINVAL, kt_anchor_set_add(set, der, len, &more, "", 0, NULL));
	EXPECT_EQ(1, kt_anchor_set_count(set));
	kt_anchor_set_free(set);
}

TEST_HARNESS_MAIN
