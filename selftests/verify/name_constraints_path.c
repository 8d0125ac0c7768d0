/* SPDX-License-Identifier: BSD-2-Clause */
/* Name constraints over a path: which of its certificates they hold for, at what cost. */
#include "constrained.h"

/* ---- Paths ----------------------------------------------------------------------------------- */

TEST(nc_hold_for_every_certificate_below)
{
	const struct cert path[] = {
		{.subject = "CN=leaf", .names = "DNS:a.test"},
		{.subject = "CN=low", .names = "DNS:b.test"},
		{.subject = "CN=high", .names = "DNS:c.test"},
		{.subject = "CN=root"},
	};

	for (size_t limited = 1; limited < 4; limited++) {
		static const char *const below[] = {"DNS:a.test", "DNS:b.test", "DNS:c.test"};

		for (size_t i = 0; i < 3; i++) {
			struct cert copy[4];
			struct result result;

			memcpy(copy, path, sizeof path);
			copy[limited].excluded = below[i];
			result = check(copy, 4, BUDGET);
			EXPECT_EQ(i < limited ? KT_NAME_CONSTRAINT : KT_ACCEPTED, result.code);
			EXPECT_EQ(i < limited ? (int)i : -7, result.depth);
		}
	}
}

TEST(nc_of_a_leaf_hold_for_nobody)
{
	const struct cert path[] = {
		{.names = "DNS:a.test", .excluded = "DNS:a.test"},
		{.subject = "CN=root"},
	};

	EXPECT_EQ(KT_ACCEPTED, check(path, 2, BUDGET).code);
}

TEST(nc_add_up_over_the_path)
{
	struct cert path[] = {
		{.names = "DNS:a.example.test"},
		{.subject = "CN=low", .permitted = "DNS:a.example.test"},
		{.subject = "CN=root", .permitted = "DNS:example.test"},
	};

	EXPECT_EQ(KT_ACCEPTED, check(path, 3, BUDGET).code);
	path[0].names = "DNS:b.example.test";
	EXPECT_EQ(KT_NAME_CONSTRAINT, check(path, 3, BUDGET).code);
	path[1].permitted = "DNS:test";
	EXPECT_EQ(KT_ACCEPTED, check(path, 3, BUDGET).code);
	path[0].names = "DNS:b.test";
	EXPECT_EQ(KT_NAME_CONSTRAINT, check(path, 3, BUDGET).code);
}

TEST(nc_do_not_hold_for_self_issued_issuers)
{
	struct cert path[] = {
		{.subject = "CN=leaf", .names = "DNS:a.test"},
		{.subject = "CN=root", .names = "DNS:b.test", .self_issued = true},
		{.subject = "CN=root", .permitted = "DNS:a.test"},
	};

	EXPECT_EQ(KT_ACCEPTED, check(path, 3, BUDGET).code);
	path[1].self_issued = false;
	EXPECT_EQ(KT_NAME_CONSTRAINT, check(path, 3, BUDGET).code);
}

TEST(nc_of_self_issued_issuers_hold)
{
	const struct cert path[] = {
		{.subject = "CN=leaf", .names = "DNS:a.test"},
		{.subject = "CN=root", .excluded = "DNS:a.test", .self_issued = true},
		{.subject = "CN=root"},
	};

	EXPECT_EQ(KT_NAME_CONSTRAINT, check(path, 3, BUDGET).code);
}

TEST(nc_hold_for_a_self_issued_leaf)
{
	const struct cert path[] = {
		{.subject = "CN=root", .names = "DNS:b.test", .self_issued = true},
		{.subject = "CN=root", .permitted = "DNS:a.test"},
	};

	EXPECT_EQ(KT_NAME_CONSTRAINT, check(path, 2, BUDGET).code);
}

/* ---- Budget ---------------------------------------------------------------------------------- */

TEST(nc_comparisons_are_counted)
{
	const struct cert path[] = {
		{.subject = "CN=leaf", .names = "DNS:a.test DNS:b.test EMAIL:a@b.test"},
		{.permitted = "DNS:test EMAIL:b.test", .excluded = "DNS:c.test"},
	};

	/* The subject and three names, against three subtrees each. */
	EXPECT_EQ(KT_ACCEPTED, check(path, 2, 12).code);
	EXPECT_EQ(0, check(path, 2, 12).budget);
	EXPECT_EQ(3, check(path, 2, 15).budget);
	for (unsigned int budget = 0; budget < 12; budget++) {
		struct result result = check(path, 2, budget);

		EXPECT_EQ(KT_TOO_COMPLEX, result.code);
		EXPECT_EQ(0, result.budget);
		EXPECT_EQ(0, result.depth);
		EXPECT_STRNE("untouched", result.why);
	}
}

TEST(nc_names_cost_by_their_length)
{
	struct cert path[] = {{.subject = "CN=a"}, {.excluded = "DN:CN=b"}};

	EXPECT_EQ(9, check(path, 2, 10).budget);
	path[1].excluded = "DN:CN=b23456789012345678901234567890123456789012345678901234567890";
	EXPECT_EQ(8, check(path, 2, 10).budget);
}

/* For each base the whole name is gone through again. */
TEST(nc_budget_is_spent_by_the_length_of_the_name)
{
	const struct cert path[] = {
		{.subject = "CN=a23456789012345678901234567890123456789012345678901234567890"},
		{.excluded = "DN:CN=b DN:CN=c"},
	};

	EXPECT_EQ(6, check(path, 2, 10).budget);
}

TEST_HARNESS_MAIN
