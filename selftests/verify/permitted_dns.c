/* SPDX-License-Identifier: BSD-2-Clause */
/* The names an anchor is limited to from outside. */
#include "../../src/verify/permitted_dns.h"

#include "../harness.h"
#include "words.h"

static bool allows(const char *words, const char *list)
{
	struct words_der der;

	ASSERT_TRUE(words_names(words, &der));
	return kt_permitted_dns_allows((struct kt_der_view){der.bytes, der.len}, list);
}

TEST(permitted_dns_empty_list_permits_everything)
{
	EXPECT_TRUE(allows("", ""));
	EXPECT_TRUE(allows("IP:192.0.2.1", ""));
	EXPECT_TRUE(allows("DNS:a.test HEX:8200", ""));
}

TEST(permitted_dns_names_are_at_or_below)
{
	EXPECT_TRUE(allows("DNS:tr", "tr"));
	EXPECT_TRUE(allows("DNS:gov.tr", "gov.tr"));
	EXPECT_TRUE(allows("DNS:a.GOV.tr", "gov.TR"));
	EXPECT_TRUE(allows("DNS:a_b.gov.tr", "gov.tr"));
	EXPECT_FALSE(allows("DNS:agov.tr", "gov.tr"));
	EXPECT_FALSE(allows("DNS:tr", "gov.tr"));
	EXPECT_FALSE(allows("DNS:gov.tr.test", "gov.tr"));
}

TEST(permitted_dns_wildcard_counts_as_what_is_below_it)
{
	EXPECT_TRUE(allows("DNS:*.gov.tr", "gov.tr"));
	EXPECT_TRUE(allows("DNS:*.a.gov.tr", "gov.tr"));
	EXPECT_FALSE(allows("DNS:*.tr", "gov.tr"));
	EXPECT_FALSE(allows("DNS:*", "gov.tr"));
}

TEST(permitted_dns_any_of_the_list_will_do)
{
	EXPECT_TRUE(allows("DNS:c.test", "a.test b.test c.test"));
	EXPECT_TRUE(allows("DNS:a.test DNS:b.test", "a.test b.test c.test"));
	EXPECT_FALSE(allows("DNS:d.test", "a.test b.test c.test"));
}

TEST(permitted_dns_all_names_are_permitted)
{
	EXPECT_FALSE(allows("DNS:a.test DNS:b.test", "a.test"));
	EXPECT_FALSE(allows("DNS:b.test DNS:a.test", "a.test"));
}

TEST(permitted_dns_has_a_dns_name_and_no_address)
{
	EXPECT_FALSE(allows("", "a.test"));
	EXPECT_FALSE(allows("EMAIL:a@a.test", "a.test"));
	EXPECT_FALSE(allows("IP:192.0.2.1", "a.test"));
	EXPECT_FALSE(allows("DNS:a.test IP:192.0.2.1", "a.test"));
	EXPECT_TRUE(allows("DNS:a.test EMAIL:a@b.test URI:https://b.test/", "a.test"));
}

TEST(permitted_dns_names_are_well_formed)
{
	EXPECT_FALSE(allows("DNS:.a.test", "a.test"));
	EXPECT_FALSE(allows("DNS:a.test.", "a.test"));
	EXPECT_FALSE(allows("DNS:b..a.test", "a.test"));
	EXPECT_FALSE(allows("DNS:*.*.a.test", "a.test"));
	EXPECT_FALSE(allows("DNS:a.test HEX:8200", "a.test"));
}

TEST_HARNESS_MAIN
