/* SPDX-License-Identifier: BSD-2-Clause */
/* Which names presented match the name asked for. */
#include "../../src/verify/match.h"

#include <stdio.h>

#include "../harness.h"
#include "words.h"

static bool matches(enum kt_name_type type, const char *name, const char *words)
{
	struct kt_query query = {.role = KT_ROLE_SERVER, .name_type = type, .name = name};
	struct words_der der;
	enum kt_verdict_code code;

	ASSERT_TRUE(words_names(words, &der));
	code = kt_match_names((struct kt_der_view){der.bytes, der.len}, &query);
	ASSERT_TRUE(code == KT_ACCEPTED || code == KT_NAME_MISMATCH);
	query.role = KT_ROLE_CLIENT;
	EXPECT_EQ(code, kt_match_names((struct kt_der_view){der.bytes, der.len}, &query));
	return code == KT_ACCEPTED;
}

static void expect(bool expected, enum kt_name_type type, const char *name, const char *words)
{
	EXPECT_EQ(expected, matches(type, name, words))
	{
		TH_LOG("%s, presented: %s", name, words);
	}
}

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define LABEL_64 LABEL_63 "4"

/* ---- No name --------------------------------------------------------------------------------- */

TEST(match_without_a_name_to_look_for)
{
	struct kt_query query = {.role = KT_ROLE_CLIENT};
	struct kt_der_view none = {NULL, 0};

	EXPECT_EQ(KT_ACCEPTED, kt_match_names(none, &query));
	query.role = KT_ROLE_SERVER;
	EXPECT_EQ(KT_NAME_MISMATCH, kt_match_names(none, &query));
	for (query.name_type = KT_NAME_DNS; query.name_type <= KT_NAME_URI; query.name_type++) {
		query.role = KT_ROLE_CLIENT;
		EXPECT_EQ(KT_NAME_MISMATCH, kt_match_names(none, &query));
		query.role = KT_ROLE_SERVER;
		EXPECT_EQ(KT_NAME_MISMATCH, kt_match_names(none, &query));
	}
}

TEST(match_needs_names_that_are_well_formed)
{
	expect(true, KT_NAME_DNS, "example.test", "IP:::1 DNS:a DNS:example.test URI:a:b");
	expect(false, KT_NAME_DNS, "example.test", "");
	expect(false, KT_NAME_DNS, "example.test", "DNS:example.test HEX:8200");
	expect(false, KT_NAME_DNS, "example.test", "HEX:8705c000020100 DNS:example.test");
}

/* ---- DNS ------------------------------------------------------------------------------------- */

TEST(match_dns_is_of_whole_names_but_for_case)
{
	expect(true, KT_NAME_DNS, "example.test", "DNS:example.test");
	expect(true, KT_NAME_DNS, "EXAMPLE.test", "DNS:example.TEST");
	expect(true, KT_NAME_DNS, "localhost", "DNS:localhost");
	expect(false, KT_NAME_DNS, "example.test", "DNS:example.tes");
	expect(false, KT_NAME_DNS, "example.test", "DNS:an.example.test");
	expect(false, KT_NAME_DNS, "an.example.test", "DNS:example.test");
	expect(false, KT_NAME_DNS, "example.test", "URI:https://example.test");
	expect(false, KT_NAME_DNS, "example.test", "EMAIL:a@example.test");
	expect(false, KT_NAME_DNS, "example.test", "DN:CN=example.test");
}

TEST(match_dns_takes_a_final_dot_in_what_is_asked_for_only)
{
	expect(true, KT_NAME_DNS, "example.test.", "DNS:example.test");
	expect(false, KT_NAME_DNS, "example.test", "DNS:example.test.");
	expect(false, KT_NAME_DNS, "example.test.", "DNS:example.test.");
	expect(false, KT_NAME_DNS, "example.test..", "DNS:example.test");
	expect(false, KT_NAME_DNS, "a.example.test.", "DNS:*.example.test.");
}

TEST(match_dns_asks_for_host_names)
{
	static const char *const others[] = {
		"",	     ".",	".example.test", "a..b", "-a.test", "a-.test",
		"*.test.ab", "1.2.3.4", "example.1",	 "a b",	 "a@b",	    "a\xc3\xb6",
		"a:1",	     LABEL_64,	"example.test/", "::1",	 "*",
	};
	char word[128];

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		snprintf(word, sizeof word, "DNS:%s", others[i]);
		if (strchr(others[i], ' ') || !others[i][0] || strchr(others[i], '\xc3'))
			strcpy(word, "DNS:*.example.test");
		expect(false, KT_NAME_DNS, others[i], word);
	}
	expect(true, KT_NAME_DNS, LABEL_63 ".test", "DNS:" LABEL_63 ".test");
}

TEST(match_dns_presented_is_a_host_name)
{
	expect(false, KT_NAME_DNS, "example.test", "DNS:.example.test");
	expect(false, KT_NAME_DNS, "a.example.test", "DNS:.example.test");
	expect(false, KT_NAME_DNS, "a.example.test", "DNS:*..example.test");
	expect(false, KT_NAME_DNS, "a.example.test", "DNS:*.-example.test");
}

TEST(match_dns_takes_underscores_in_both)
{
	expect(true, KT_NAME_DNS, "a_b.example.test", "DNS:a_b.example.test");
	expect(false, KT_NAME_DNS, "a_b.example.test", "DNS:a-b.example.test");
	expect(false, KT_NAME_DNS, "a_b.example.test", "DNS:*.example.test");
	expect(false, KT_NAME_DNS, "a.b_c.test", "DNS:*.b_c.test");
}

TEST(match_dns_wildcard_stands_for_one_label)
{
	expect(true, KT_NAME_DNS, "a.example.test", "DNS:*.example.test");
	expect(true, KT_NAME_DNS, "A.example.test", "DNS:*.EXAMPLE.test");
	expect(true, KT_NAME_DNS, "xn--bcher-kva.example.test", "DNS:*.example.test");
	expect(false, KT_NAME_DNS, "example.test", "DNS:*.example.test");
	expect(false, KT_NAME_DNS, "b.a.example.test", "DNS:*.example.test");
	expect(false, KT_NAME_DNS, "a.example.tesx", "DNS:*.example.test");
}

TEST(match_dns_wildcard_has_two_labels_behind_it)
{
	expect(true, KT_NAME_DNS, "a.b.test", "DNS:*.b.test");
	expect(false, KT_NAME_DNS, "b.test", "DNS:*.test");
	expect(false, KT_NAME_DNS, "test", "DNS:*");
	expect(false, KT_NAME_DNS, "test", "DNS:*.");
	expect(false, KT_NAME_DNS, "b.test", "DNS:*.test.");
}

TEST(match_dns_wildcard_is_a_whole_leftmost_label)
{
	expect(false, KT_NAME_DNS, "ab.example.test", "DNS:a*.example.test");
	expect(false, KT_NAME_DNS, "ab.example.test", "DNS:*b.example.test");
	expect(false, KT_NAME_DNS, "abc.example.test", "DNS:a*c.example.test");
	expect(false, KT_NAME_DNS, "a.b.example.test", "DNS:a.*.example.test");
	expect(false, KT_NAME_DNS, "a.b.example.test", "DNS:*.*.example.test");
	expect(false, KT_NAME_DNS, "xn--bliss-1b3c148a.example.test",
	       "DNS:xn--*-1b3c148a.example.test");
}

/* ---- Addresses ------------------------------------------------------------------------------- */

TEST(match_ip_is_of_bytes)
{
	expect(true, KT_NAME_IP, "192.0.2.1", "IP:192.0.2.1");
	expect(true, KT_NAME_IP, "2001:DB8:0::1", "IP:2001:db8::1");
	expect(false, KT_NAME_IP, "192.0.2.1", "IP:192.0.2.2");
	expect(false, KT_NAME_IP, "192.0.2.1", "DNS:192.0.2.1");
	expect(false, KT_NAME_IP, "::1", "DNS:::1");
	expect(false, KT_NAME_DNS, "192.0.2.1", "IP:192.0.2.1 DNS:192.0.2.1");
}

TEST(match_ip_families_are_apart)
{
	expect(false, KT_NAME_IP, "::ffff:192.0.2.1", "IP:192.0.2.1");
	expect(false, KT_NAME_IP, "192.0.2.1", "IP:::ffff:192.0.2.1");
	expect(true, KT_NAME_IP, "::ffff:192.0.2.1", "IP:::ffff:192.0.2.1");
	/* The first bytes of the one are those of the other. */
	expect(false, KT_NAME_IP, "192.0.2.1", "IP:c000:201::");
	expect(false, KT_NAME_IP, "c000:201::", "IP:192.0.2.1");
}

TEST(match_ip_is_written_out)
{
	static const char *const others[] = {
		"192.0.2",     "192.0.2.1 ", "192.0.2.01", "0xc0000201",   "3221225985",
		"192.0.2.256", "[::1]",	     "::1%lo",	   "192.0.2.1/32", ""};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		expect(false, KT_NAME_IP, others[i], "IP:192.0.2.1 IP:::1");
}

/* ---- Mail ------------------------------------------------------------------------------------ */

TEST(match_email_case_counts_in_the_local_part_only)
{
	expect(true, KT_NAME_EMAIL, "a@example.test", "EMAIL:a@EXAMPLE.test");
	expect(false, KT_NAME_EMAIL, "A@example.test", "EMAIL:a@example.test");
	expect(false, KT_NAME_EMAIL, "a@example.test", "EMAIL:b@example.test");
	expect(false, KT_NAME_EMAIL, "a@example.test", "EMAIL:a@an.example.test");
	expect(false, KT_NAME_EMAIL, "a@example.test", "DN:E=a@example.test");
	expect(false, KT_NAME_EMAIL, "a@example.test", "EMAIL:*@example.test");
	expect(false, KT_NAME_EMAIL, "a@example.test", "EMAIL:example.test");
}

TEST(match_email_is_well_formed)
{
	expect(false, KT_NAME_EMAIL, "a", "EMAIL:a");
	expect(false, KT_NAME_EMAIL, "@example.test", "EMAIL:@example.test");
	expect(false, KT_NAME_EMAIL, "a@b@example.test", "EMAIL:a@b@example.test");
	expect(false, KT_NAME_EMAIL, "a@example.test.", "EMAIL:a@example.test.");
	expect(false, KT_NAME_EMAIL, "", "EMAIL:a@example.test");
}

/* ---- URIs ------------------------------------------------------------------------------------ */

TEST(match_uri_case_counts_behind_the_host)
{
	expect(true, KT_NAME_URI, "spiffe://example.test/a", "URI:spiffe://example.test/a");
	expect(true, KT_NAME_URI, "spiffe://example.test/a", "URI:SPIFFE://EXAMPLE.test/a");
	expect(false, KT_NAME_URI, "spiffe://example.test/a", "URI:spiffe://example.test/A");
	expect(false, KT_NAME_URI, "spiffe://example.test/a", "URI:spiffe://example.test/a/");
	expect(false, KT_NAME_URI, "spiffe://example.test/a", "URI:spiffe://example.test");
	expect(false, KT_NAME_URI, "spiffe://example.test/a", "DNS:spiffe://example.test/a");
}

TEST(match_uri_is_well_formed)
{
	expect(false, KT_NAME_URI, "example.test/a", "URI:example.test/a");
	expect(false, KT_NAME_URI, "https://u@example.test/", "URI:https://u@example.test/");
	expect(false, KT_NAME_URI, "", "URI:a:b");
}

TEST_HARNESS_MAIN
