/* SPDX-License-Identifier: BSD-2-Clause */
/* Public suffixes, of both sections of the list. Its rules change: these have stood for years. */
#include "../../src/verify/public_suffix.h"

#include "../harness.h"

static bool is_suffix(const char *domain)
{
	return kt_public_suffix_is((struct kt_der_view){(const uint8_t *)domain, strlen(domain)});
}

TEST(public_suffix_of_the_icann_section)
{
	EXPECT_TRUE(is_suffix("com"));
	EXPECT_TRUE(is_suffix("co.uk"));
	EXPECT_TRUE(is_suffix("xn--p1ai"));
	EXPECT_FALSE(is_suffix("example.com"));
	EXPECT_FALSE(is_suffix("example.co.uk"));
}

TEST(public_suffix_of_the_private_section)
{
	EXPECT_TRUE(is_suffix("s3.amazonaws.com"));
	EXPECT_TRUE(is_suffix("github.io"));
	EXPECT_FALSE(is_suffix("amazonaws.com"));
	EXPECT_FALSE(is_suffix("a.github.io"));
}

TEST(public_suffix_wildcards_and_exceptions)
{
	EXPECT_TRUE(is_suffix("any.kawasaki.jp"));
	EXPECT_TRUE(is_suffix("kawasaki.jp"));
	EXPECT_FALSE(is_suffix("city.kawasaki.jp"));
	EXPECT_FALSE(is_suffix("a.any.kawasaki.jp"));
}

TEST(public_suffix_unlisted_top_level)
{
	EXPECT_TRUE(is_suffix("localhost"));
	EXPECT_TRUE(is_suffix("internal-name"));
	EXPECT_FALSE(is_suffix("a.internal-name"));
}

TEST(public_suffix_case_does_not_count)
{
	EXPECT_TRUE(is_suffix("Co.UK"));
	EXPECT_TRUE(is_suffix("S3.AmazonAWS.com"));
}

TEST(public_suffix_is_what_is_no_host_name)
{
	EXPECT_TRUE(is_suffix(""));
	EXPECT_TRUE(is_suffix("."));
	EXPECT_TRUE(is_suffix("example.com."));
	EXPECT_TRUE(is_suffix(".example.com"));
	EXPECT_TRUE(is_suffix("ex_ample.com"));
	EXPECT_TRUE(is_suffix("b\xc3\xbc"
			      "cher.com"));
}

TEST_HARNESS_MAIN
