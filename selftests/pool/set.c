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
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 1000);
	struct kt_anchor_set *twin = roots_set(&self->roots, 1, 20);

	kt_set_take_back(set, 20);
	EXPECT_EQ(20, kt_anchor_set_count(set));
	EXPECT_EQ(kt_set_der_len(twin), kt_set_der_len(set));
	EXPECT_EQ(0, memcmp(kt_set_der(twin), kt_set_der(set), kt_set_der_len(twin)));
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

TEST_HARNESS_MAIN
