/* SPDX-License-Identifier: BSD-2-Clause */
/* Name constraints: which names they let through. */
#include "constrained.h"

static bool is_allowed(const char *subject, const char *names, const char *permitted,
		       const char *excluded)
{
	const struct cert path[] = {
		{.subject = subject, .names = names},
		{.subject = "CN=root", .permitted = permitted, .excluded = excluded},
	};
	struct result result = check(path, 2, BUDGET);

	if (result.code == KT_ACCEPTED) {
		EXPECT_EQ(-7, result.depth);
		EXPECT_STREQ("untouched", result.why);
	} else {
		EXPECT_EQ(KT_NAME_CONSTRAINT, result.code);
		EXPECT_STRNE("untouched", result.why);
		EXPECT_LE(0, result.depth);
	}
	return result.code == KT_ACCEPTED;
}

static void expect(bool allowed, const char *names, const char *permitted, const char *excluded)
{
	EXPECT_EQ(allowed, is_allowed(NULL, names, permitted, excluded))
	{
		TH_LOG("%s, permitted: %s, excluded: %s", names, permitted, excluded);
	}
}

/* In a permitted subtree or not, and the other way round in an excluded one. */
static void expect_within(bool within, const char *name, const char *base)
{
	expect(within, name, base, NULL);
	expect(!within, name, NULL, base);
}

/* Neither here nor there: refused whatever the subtree is for. */
static void expect_neither(const char *name, const char *base)
{
	expect(false, name, base, NULL);
	expect(false, name, NULL, base);
}

/* ---- DNS ------------------------------------------------------------------------------------- */

TEST(nc_dns_is_within_the_same_and_what_is_above)
{
	expect_within(true, "DNS:example.test", "DNS:example.test");
	expect_within(true, "DNS:a.b.EXAMPLE.test", "DNS:example.TEST");
	expect_within(true, "DNS:a.test", "HEX:8200");
	expect_within(false, "DNS:not-example.test", "DNS:example.test");
	expect_within(false, "DNS:test", "DNS:example.test");
	expect_within(false, "DNS:example.test.other", "DNS:example.test");
}

TEST(nc_dns_subtree_is_a_host_name)
{
	static const char *const bases[] = {"DNS:.example.test",
					    "DNS:example.test.",
					    "DNS:*.example.test",
					    "DNS:a_b.test",
					    "DNS:.",
					    "DNS:a..test"};

	for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
		expect_neither("DNS:a.example.test", bases[i]);
		expect_neither("", bases[i]);
	}
}

TEST(nc_dns_name_that_is_none_is_nowhere)
{
	static const char *const names[] = {"DNS:under_score.example.test",
					    "DNS:.example.test",
					    "DNS:a..example.test",
					    "DNS:example.test.",
					    "DNS:a*.example.test",
					    "DNS:a.*.example.test",
					    "DNS:*.",
					    "DNS:*",
					    "DNS:a/.example.test"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		expect_neither(names[i], "DNS:example.test");
		expect_neither(names[i], "HEX:8200");
		expect(true, names[i], "EMAIL:example.test", NULL);
	}
}

TEST(nc_dns_wildcard_is_permitted_with_all_it_covers)
{
	expect(true, "DNS:*.example.test", "DNS:example.test", NULL);
	expect(true, "DNS:*.a.example.test", "DNS:example.test", NULL);
	expect(true, "DNS:*.example.test", "HEX:8200", NULL);
	expect(false, "DNS:*.example.test", "DNS:a.example.test", NULL);
	expect(false, "DNS:*.test", "DNS:example.test", NULL);
	expect(false, "DNS:*.other.test", "DNS:example.test", NULL);
}

TEST(nc_dns_wildcard_is_excluded_with_any_it_covers)
{
	expect(false, "DNS:*.example.test", NULL, "DNS:example.test");
	expect(false, "DNS:*.example.test", NULL, "DNS:test");
	expect(false, "DNS:*.EXAMPLE.test", NULL, "DNS:a.example.TEST");
	expect(false, "DNS:*.example.test", NULL, "HEX:8200");
	expect(true, "DNS:*.example.test", NULL, "DNS:b.a.example.test");
	expect(true, "DNS:*.example.test", NULL, "DNS:other.test");
	expect(true, "DNS:*.example.test", NULL, "DNS:an-example.test");
}

/* ---- Addresses ------------------------------------------------------------------------------- */

TEST(nc_ip_is_within_its_network)
{
	expect_within(true, "IP:192.0.2.1", "IP:192.0.2.0/24");
	expect_within(false, "IP:192.0.3.1", "IP:192.0.2.0/24");
	expect_within(true, "IP:192.0.3.1", "IP:192.0.2.0/23");
	expect_within(true, "IP:192.0.2.1", "IP:192.0.2.77/24");
	expect_within(true, "IP:198.51.100.1", "IP:0.0.0.0/0");
	expect_within(true, "IP:192.0.2.1", "IP:192.0.2.1/32");
	expect_within(true, "IP:2001:db8::1", "IP:2001:db8::/32");
	expect_within(false, "IP:2001:db9::1", "IP:2001:db8::/32");
}

TEST(nc_ip_families_are_apart)
{
	expect_within(false, "IP:2001:db8::1", "IP:0.0.0.0/0");
	expect_within(false, "IP:192.0.2.1", "IP:::/0");
	expect_within(false, "IP:::ffff:192.0.2.1", "IP:192.0.2.0/24");
	expect(true, "IP:::1", "IP:0.0.0.0/0 IP:::/0", NULL);
}

TEST(nc_ip_mask_is_a_run_of_ones)
{
	expect_neither("IP:192.0.2.1", "HEX:8708c0000200ffff00ff");
	expect_neither("IP:192.0.2.1", "HEX:8708c0000200fffffd00");
	expect_neither("IP:192.0.2.1", "HEX:870800000000000000ff");
	expect_within(true, "IP:192.0.2.1", "HEX:8708c0000200fffffc00");
}

TEST(nc_ip_has_the_length_of_its_place)
{
	expect_neither("HEX:8705c000020100", "IP:0.0.0.0/0");
	expect_neither("IP:192.0.2.0/24", "IP:192.0.2.0/24");
	expect_neither("IP:192.0.2.1", "IP:192.0.2.1");
	expect_neither("IP:192.0.2.1", "HEX:8707c0000200ffffff");
}

/* ---- Mail ------------------------------------------------------------------------------------ */

TEST(nc_email_is_within_its_mailbox)
{
	expect_within(true, "EMAIL:a@example.test", "EMAIL:a@EXAMPLE.test");
	expect_within(false, "EMAIL:A@example.test", "EMAIL:a@example.test");
	expect_within(false, "EMAIL:b@example.test", "EMAIL:a@example.test");
	expect_within(false, "EMAIL:a@an.example.test", "EMAIL:a@example.test");
}

TEST(nc_email_is_within_its_host)
{
	expect_within(true, "EMAIL:a@Example.test", "EMAIL:example.TEST");
	expect_within(false, "EMAIL:a@an.example.test", "EMAIL:example.test");
	expect_within(false, "EMAIL:a@test", "EMAIL:example.test");
}

TEST(nc_email_is_within_a_domain_above_its_host)
{
	expect_within(true, "EMAIL:a@an.Example.test", "EMAIL:.example.TEST");
	expect_within(true, "EMAIL:a@b.an.example.test", "EMAIL:.example.test");
	expect_within(false, "EMAIL:a@example.test", "EMAIL:.example.test");
	expect_within(false, "EMAIL:a@anexample.test", "EMAIL:.example.test");
}

TEST(nc_email_asterisk_is_a_letter)
{
	expect_within(true, "EMAIL:*@example.test", "EMAIL:*@example.test");
	expect_within(false, "EMAIL:a@example.test", "EMAIL:*@example.test");
	expect_within(false, "EMAIL:*@example.test", "EMAIL:**@example.test");
	expect_within(false, "EMAIL:*@an.example.test", "EMAIL:*@example.test");
	expect_neither("EMAIL:a@example.test", "EMAIL:*.test");
}

TEST(nc_email_is_well_formed_on_both_sides)
{
	static const char *const bases[] = {
		"HEX:8100",	"EMAIL:@example.test", "EMAIL:a@b@example.test", "EMAIL:.",
		"EMAIL:..test", "EMAIL:a@.test",       "EMAIL:example.test."};
	static const char *const names[] = {"EMAIL:example.test", "EMAIL:@example.test",
					    "EMAIL:a@b@example.test", "EMAIL:a@example.test."};

	for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++)
		expect_neither("EMAIL:a@example.test", bases[i]);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		expect_neither(names[i], "EMAIL:example.test");
}

/* ---- URIs ------------------------------------------------------------------------------------ */

TEST(nc_uri_is_within_its_host)
{
	expect_within(true, "URI:https://Example.test:8443/a", "URI:example.TEST");
	expect_within(true, "URI:spiffe://example.test/a", "URI:example.test");
	expect_within(false, "URI:https://an.example.test/", "URI:example.test");
	expect_within(true, "URI:https://an.example.test/", "URI:.example.test");
	expect_within(false, "URI:https://example.test/", "URI:.example.test");
	expect_within(false, "URI:https://other.test/example.test", "URI:example.test");
	expect_within(false, "URI:https://other.test?example.test", "URI:example.test");
}

TEST(nc_uri_without_a_host_name_is_nowhere)
{
	static const char *const names[] = {
		"URI:urn:example.test",	      "URI:https://192.0.2.1/",
		"URI:https://[::1]/",	      "URI:file:///example.test",
		"URI:example.test",	      "URI:https://u@example.test/",
		"URI:https://example.test./", "URI:https://ex%61mple.test/",
		"URI:https:/example.test"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		expect_neither(names[i], "URI:example.test");
		expect(true, names[i], "DNS:example.test", NULL);
	}
}

TEST(nc_uri_subtree_is_a_host_name)
{
	static const char *const bases[] = {
		"HEX:8600",   "URI:https://example.test", "URI:192.0.2.1", "URI:.",
		"URI:*.test", "URI:example.test:1",	  "URI:[::1]"};

	for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++)
		expect_neither("URI:https://example.test/", bases[i]);
}

/* ---- Distinguished names --------------------------------------------------------------------- */

TEST(nc_directory_is_within_the_names_it_begins_with)
{
	expect_within(true, "DN:C=DE,O=a,CN=b", "DN:C=DE,O=a");
	expect_within(true, "DN:O=A", "DN:O=a");
	expect_within(true, "DN:O=a", "HEX:a4023000");
	expect_within(false, "DN:C=DE,O=ab", "DN:C=DE,O=a");
	expect_within(false, "DN:O=a", "DN:C=DE,O=a");
	expect_within(false, "DN:O=a,C=DE", "DN:C=DE,O=a");
	expect_within(true, "DN:O=a+OU=b,CN=c", "DN:OU=B+O=a");
	expect_within(false, "DN:O=a+OU=b,CN=c", "DN:O=a");
	expect_within(true, "DN:PCN=A", "DN:CN=a");
}

TEST(nc_directory_holds_for_the_subject)
{
	EXPECT_TRUE(is_allowed("O=a,CN=b", NULL, "DN:O=a", NULL));
	EXPECT_FALSE(is_allowed("O=b,CN=b", NULL, "DN:O=a", NULL));
	EXPECT_FALSE(is_allowed("O=a,CN=b", NULL, NULL, "DN:O=a"));
	EXPECT_TRUE(is_allowed("O=b", NULL, NULL, "DN:O=a"));
	EXPECT_FALSE(is_allowed("O=a", "DN:O=b", "DN:O=a", NULL));
}

TEST(nc_directory_does_not_ask_for_a_subject)
{
	EXPECT_TRUE(is_allowed("", "DNS:a.test", "DN:O=a", NULL));
	EXPECT_TRUE(is_allowed("", "DNS:a.test", NULL, "HEX:a4023000"));
}

TEST(nc_directory_that_cannot_be_compared_is_nowhere)
{
	/* Text that is no UTF-8; more attributes in an RDN than are compared. */
	static const char bad[] = "DN:CN=\xff";
	static const char large[] =
		"DN:O=a+O=b+O=c+O=d+O=e+O=f+O=g+O=h+O=i+O=j+O=k+O=l+O=m+O=n+O=o+"
		"O=p+O=q";

	expect_neither(bad, "DN:CN=a");
	expect_neither(bad, bad);
	expect_neither("DN:CN=a", bad);
	expect_neither(large, "DN:CN=a");
	expect_neither("DN:CN=a", large);
	EXPECT_FALSE(is_allowed(bad + 3, NULL, NULL, "DN:CN=a"));
	EXPECT_TRUE(is_allowed(bad + 3, NULL, "DNS:a", NULL));
}

/* ---- Mail in the subject --------------------------------------------------------------------- */

TEST(nc_email_holds_for_the_subject)
{
	EXPECT_TRUE(is_allowed("CN=a,E=a@example.test", NULL, "EMAIL:example.test", NULL));
	EXPECT_FALSE(is_allowed("CN=a,E=a@other.test", NULL, "EMAIL:example.test", NULL));
	EXPECT_FALSE(is_allowed("CN=a,E=a@other.test", NULL, NULL, "EMAIL:other.test"));
	EXPECT_FALSE(is_allowed("CN=a+E=a@other.test", "EMAIL:a@example.test", "EMAIL:example.test",
				NULL));
	EXPECT_FALSE(
		is_allowed("E=a@example.test,E=a@other.test", NULL, "EMAIL:example.test", NULL));
	EXPECT_TRUE(is_allowed("CN=a@other.test", NULL, "EMAIL:example.test", NULL));
}

TEST(nc_email_in_the_subject_is_of_its_type)
{
	EXPECT_FALSE(is_allowed("UE=a@example.test", NULL, "EMAIL:example.test", NULL));
	EXPECT_FALSE(is_allowed("UE=a@example.test", NULL, NULL, "EMAIL:other.test"));
	EXPECT_FALSE(is_allowed("E=example.test", NULL, NULL, "EMAIL:other.test"));
	EXPECT_TRUE(is_allowed("UE=a@example.test", NULL, "DNS:example.test", NULL));
}

/* ---- Types ----------------------------------------------------------------------------------- */

TEST(nc_type_nobody_compares_is_refused_if_it_is_constrained)
{
	static const char *const types[] = {"OTHER:", "X400:", "EDI:", "RID:"};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		expect_neither(types[i], types[i]);
		expect(true, "DNS:a.test", types[i], NULL);
		expect(true, "DNS:a.test", NULL, types[i]);
		expect(true, types[i], "DNS:a.test", "DNS:b.test");
	}
}

TEST(nc_types_do_not_limit_each_other)
{
	expect(true, "DNS:a.test IP:192.0.2.1 EMAIL:a@b.test URI:https://b.test/", "DNS:a.test",
	       NULL);
	expect(true, "DNS:a.test", "IP:192.0.2.0/24 EMAIL:b.test URI:b.test DN:O=a", NULL);
	expect(false, "DNS:a.test IP:192.0.2.1", "DNS:a.test IP:198.51.100.0/24", NULL);
}

TEST(nc_one_permitted_subtree_is_enough_and_one_excluded_too)
{
	expect(true, "DNS:b.test", "DNS:a.test DNS:b.test DNS:c.test", NULL);
	expect(false, "DNS:b.test", NULL, "DNS:a.test DNS:b.test DNS:c.test");
	expect(false, "DNS:d.test", "DNS:a.test DNS:b.test DNS:c.test", NULL);
	expect(true, "DNS:d.test", NULL, "DNS:a.test DNS:b.test DNS:c.test");
}

TEST(nc_every_name_counts)
{
	expect(true, "DNS:a.test DNS:x.a.test", "DNS:a.test", NULL);
	expect(false, "DNS:a.test DNS:b.test", "DNS:a.test", NULL);
	expect(false, "DNS:b.test DNS:a.test", "DNS:a.test", NULL);
	expect(false, "DNS:b.test DNS:a.test", NULL, "DNS:a.test");
}

TEST(nc_excluded_goes_before_permitted)
{
	expect(false, "DNS:a.example.test", "DNS:example.test", "DNS:a.example.test");
	expect(true, "DNS:b.example.test", "DNS:example.test", "DNS:a.example.test");
	expect(false, "DNS:example.test", "DNS:example.test", "DNS:example.test");
}

/* ---- Form ------------------------------------------------------------------------------------ */

static struct result check_raw(struct kt_der_view permitted, struct kt_der_view excluded,
			       struct kt_der_view names)
{
	static const uint8_t empty[] = {0x30, 0x00};
	const struct kt_cert leaf = {.subject = {empty, sizeof empty}, .names = names};
	const struct kt_cert anchor = {.permitted = permitted, .excluded = excluded};
	const struct kt_cert *path[] = {&leaf};
	struct result result = {.budget = BUDGET};

	result.code = kt_name_constraints_check(path, 1, &anchor, &result.budget, &result.depth,
						&result.why);
	return result;
}

TEST(nc_subtree_is_a_base_and_nothing_else)
{
	static const uint8_t with_minimum[] = {0x30, 6, 0x82, 1, 'a', 0x80, 1, 0};
	static const uint8_t with_maximum[] = {0x30, 6, 0x82, 1, 'a', 0x81, 1, 9};
	static const uint8_t without[] = {0x30, 0}, not_wrapped[] = {0x82, 1, 'a'};
	static const uint8_t cut[] = {0x30, 3, 0x82, 1, 'a', 0x30},
			     right[] = {0x30, 3, 0x82, 1, 'a'};
	static const uint8_t name[] = {0x82, 1, 'a'};
	static const struct kt_der_view none, names = {name, sizeof name};
	const struct kt_der_view bad[] = {
		{with_minimum, sizeof with_minimum},
		{with_maximum, sizeof with_maximum},
		{without, sizeof without},
		{not_wrapped, sizeof not_wrapped},
		{cut, sizeof cut},
	};
	const struct kt_der_view good = {right, sizeof right};

	EXPECT_EQ(KT_ACCEPTED, check_raw(good, none, names).code);
	EXPECT_EQ(KT_NAME_CONSTRAINT, check_raw(none, good, names).code);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		EXPECT_EQ(KT_NAME_CONSTRAINT, check_raw(bad[i], none, none).code);
		EXPECT_EQ(KT_NAME_CONSTRAINT, check_raw(none, bad[i], none).code);
		EXPECT_EQ(1, check_raw(none, bad[i], none).depth);
		EXPECT_STREQ("malformed name constraints", check_raw(none, bad[i], none).why);
	}
}

TEST(nc_says_what_is_wrong_with_a_subtree)
{
	static const struct {
		const char *base, *why;
	} cases[] = {
		{"DNS:.a.test",
		 "a dNSName constraint begins with a dot, which only those on URIs may"},
		{"DNS:*.a.test", "a dNSName constraint is no host name"},
		{"EMAIL:a@b@c",
		 "an rfc822Name constraint is neither a mailbox nor a host or domain"},
		{"URI:a_b", "a URI constraint is neither a host nor a domain"},
		{"HEX:8708c0000200ff00ff00", "the mask of an iPAddress constraint has a gap"},
		{"DN:CN=\xff",
		 "a directoryName constraint holds bytes that are no text, or too large a set"},
	};
	static const struct kt_der_view none;
	struct words_der bases;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ASSERT_TRUE(words_subtrees(cases[i].base, &bases));
		EXPECT_STREQ(cases[i].why, check_raw(view(&bases), none, none).why);
		EXPECT_STREQ(cases[i].why, check_raw(none, view(&bases), none).why);
	}
}

TEST(nc_malformed_names_are_refused_under_constraints)
{
	expect(false, "DNS:a.test HEX:8200", "EMAIL:a.test", NULL);
	expect(false, "HEX:00", NULL, "EMAIL:a.test");
	expect(true, "HEX:8200", NULL, NULL);
}

TEST_HARNESS_MAIN
