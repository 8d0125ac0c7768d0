/* SPDX-License-Identifier: BSD-2-Clause */
/* Allow rules: what is one, and whom it names. */
#include <ktrust/allow.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../src/verify/allowed.h"
#include "../harness.h"
#include "words.h"

#define SEGMENT_64 "a234567890123456789012345678901234567890123456789012345678901234"

static struct kt_allow *make(const char *const *rules, size_t count)
{
	struct kt_error error = {0};
	struct kt_allow *allow = NULL;

	ASSERT_EQ(0, kt_allow_new(rules, count, &allow, &error))
	{
		TH_LOG("%s: %s", error.where, error.text);
	}
	return allow;
}

static bool admits(const struct kt_allow *allow, const char *names, const char *subject)
{
	struct words_der names_der, subject_der = {.len = 0};

	ASSERT_TRUE(words_names(names, &names_der));
	ASSERT_TRUE(words_name(subject, &subject_der));
	return kt_allow_admits(allow, (struct kt_der_view){names_der.bytes, names_der.len},
			       (struct kt_der_view){subject_der.bytes, subject_der.len});
}

static void expect(bool expected, const char *rule, const char *names)
{
	struct kt_allow *allow = make(&rule, 1);

	EXPECT_EQ(expected, admits(allow, names, ""))
	{
		TH_LOG("%s, presented: %s", rule, names);
	}
	kt_allow_free(allow);
}

static void expect_subject(bool expected, const char *rule, const char *subject)
{
	struct kt_allow *allow = make(&rule, 1);

	EXPECT_EQ(expected, admits(allow, "", subject))
	{
		TH_LOG("%s, subject: %s", rule, subject);
	}
	kt_allow_free(allow);
}

/* ---- Rules that are none --------------------------------------------------------------------- */

TEST(malformed_rules_are_refused_with_what_would_be_right)
{
	static const struct {
		const char *rule, *why;
	} cases[] = {
		{"", "not a rule (write dns:NAME"},
		{"web.test", "not a rule"},
		{"DNS:web.test", "not a rule"},
		{" dns:web.test", "not a rule"},
		{"ip:192.0.2.1", "not a rule"},
		{"dns:", "not a host name"},
		{"dns:web.test.", "without a final dot"},
		{"dns:.web.test", "not a host name"},
		{"dns:web..test", "not a host name"},
		{"dns: web.test", "not a host name"},
		{"dns:w\xc3\xa9"
		 "b.test",
		 "A-labels"},
		{"dns:web.test:443", "not a host name"},
		{"dns:*", "write *.NAME"},
		{"dns:*.", "not a host name"},
		{"dns:w*.test", "write *.NAME"},
		{"dns:*.*.test", "write *.NAME"},
		{"dns:a.*.test", "write *.NAME"},
		{"dns:192.0.2.1", "an address"},
		{"dns:*.0.2.1", "an address"},
		{"uri:", "not a URI"},
		{"uri:web.test", "not a URI"},
		{"uri:https://web.test/a b", "not a URI"},
		{"uri:https://me@web.test/", "not a URI"},
		{"uri:https://web.test/*", "write the whole URI"},
		{"uri:urn:*", "write the whole URI"},
		{"uri:spiffe:td/a", "begins with spiffe://"},
		{"uri:SPIFFE://td/a", "in lower case"},
		{"uri:spiffe://", "not a trust domain"},
		{"uri:spiffe:///a", "not a trust domain"},
		{"uri:spiffe://TD/a", "not a trust domain"},
		{"uri:spiffe://*/a", "not a trust domain"},
		{"uri:spiffe://td:80/a", "no port"},
		{"uri:spiffe://me@td/a", "no user"},
		{"uri:spiffe://td%2e/a", "not a trust domain"},
		{"uri:spiffe://td", "spiffe://TRUST-DOMAIN/** is all"},
		{"uri:spiffe://td/", "spiffe://TRUST-DOMAIN/** is all"},
		{"uri:spiffe://td/a/", "not a SPIFFE path"},
		{"uri:spiffe://td//a", "not a SPIFFE path"},
		{"uri:spiffe://td/a//b", "not a SPIFFE path"},
		{"uri:spiffe://td/.", "not a SPIFFE path"},
		{"uri:spiffe://td/a/../b", "not a SPIFFE path"},
		{"uri:spiffe://td/a%2fb", "not a SPIFFE path"},
		{"uri:spiffe://td/a?b", "not a SPIFFE path"},
		{"uri:spiffe://td/a#b", "not a SPIFFE path"},
		{"uri:spiffe://td/a*", "'*' stands for a whole segment"},
		{"uri:spiffe://td/*a/b", "not a SPIFFE path"},
		{"uri:spiffe://td/**/a", "'**' at the end"},
		{"uri:spiffe://td/***", "not a SPIFFE path"},
		{"email:", "not a mail address"},
		{"email:web.test", "write LOCAL@HOST"},
		{"email:a@b@web.test", "not a mail address"},
		{"email:me@", "not a mail address"},
		{"email:me@web.test.", "not a mail address"},
		{"email:me@[192.0.2.1]", "not a mail address"},
		{"email:*@web.test", "@HOST is all of a host"},
		{"email:@", "not a host name"},
		{"email:@*.test", "not a host name"},
		{"email:@me@web.test", "not a host name"},
		{"subject:", "not TYPE=VALUE"},
		{"subject:web", "not TYPE=VALUE"},
		{"subject:=web", "not TYPE=VALUE"},
		{"subject:commonName=web", "TYPE is CN, O, OU"},
		{"subject:DC=web", "not TYPE=VALUE"},
		{"subject: CN=web", "not TYPE=VALUE"},
		{"subject:CN=", "no value"},
		{"subject:CN= \t ", "no value"},
		{"subject:CN=w\xe9"
		 "b",
		 "not UTF-8"},
		{"subject:CN=\xed\xa0\x80", "not UTF-8"},
	};
	struct kt_allow *const untouched = (struct kt_allow *)8;
	struct kt_allow *allow;
	struct kt_error error;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *rules[] = {"dns:good.test", cases[i].rule};

		allow = untouched;
		EXPECT_EQ(-EINVAL, kt_allow_check(cases[i].rule, NULL));
		EXPECT_EQ(-EINVAL, kt_allow_new(rules, 2, &allow, &error))
		{
			TH_LOG("'%s'", cases[i].rule);
		}
		EXPECT_EQ(untouched, allow);
		EXPECT_EQ(EINVAL, error.err);
		if (!strpbrk(cases[i].rule, "\t\xc3\xe9\xed\xa0\x80"))
			EXPECT_STREQ(cases[i].rule, error.where);
		EXPECT_TRUE(strstr(error.text, cases[i].why))
		{
			TH_LOG("'%s': %s", cases[i].rule, error.text);
		}
	}
}

TEST(rules_have_limits)
{
	static char longest[KT_ALLOW_RULE_MAX + 2] = "uri:spiffe://td/";
	const char *rules[KT_ALLOW_RULES_MAX + 1];
	struct kt_allow *allow;
	struct kt_error error;

	for (size_t i = 0; i <= KT_ALLOW_RULES_MAX; i++)
		rules[i] = "dns:good.test";
	EXPECT_EQ(-EINVAL, kt_allow_new(rules, 0, &allow, &error));
	EXPECT_TRUE(strstr(error.text, "0 of them (1 to 256"));
	EXPECT_EQ(-EINVAL, kt_allow_new(rules, KT_ALLOW_RULES_MAX + 1, &allow, &error));
	EXPECT_TRUE(strstr(error.text, "257 of them"));
	rules[KT_ALLOW_RULES_MAX - 1] = "dns:last.test";
	allow = make(rules, KT_ALLOW_RULES_MAX);
	EXPECT_TRUE(admits(allow, "DNS:last.test", ""));
	kt_allow_free(allow);
	memset(longest + strlen(longest), 'a', KT_ALLOW_RULE_MAX - strlen(longest));
	EXPECT_EQ(0, kt_allow_check(longest, &error));
	longest[KT_ALLOW_RULE_MAX] = 'a';
	EXPECT_EQ(-EINVAL, kt_allow_check(longest, &error));
	kt_allow_free(NULL);
}

TEST(rules_are_the_lists_own)
{
	char text[] = "dns:good.test";
	const char *rules[] = {text};
	struct kt_allow *allow = make(rules, 1);

	memset(text, 'x', sizeof text - 1);
	EXPECT_TRUE(admits(allow, "DNS:good.test", ""));
	kt_allow_free(allow);
}

/* ---- DNS ------------------------------------------------------------------------------------- */

TEST(dns_is_of_whole_names_but_for_case)
{
	expect(true, "dns:web.test", "DNS:web.test");
	expect(true, "dns:Web.TEST", "DNS:wEB.test");
	expect(true, "dns:a_b.test", "DNS:a_b.test");
	expect(true, "dns:localhost", "DNS:localhost");
	expect(true, "dns:web.test", "IP:::1 DNS:a URI:spiffe://td/a DNS:web.test EMAIL:a@b.test");
	expect(false, "dns:web.test", "");
	expect(false, "dns:web.test", "DNS:a.web.test");
	expect(false, "dns:a.web.test", "DNS:web.test");
	expect(false, "dns:web.test", "DNS:web.test.");
	expect(false, "dns:web.test", "DNS:web.tes");
	expect(false, "dns:web.test", "URI:https://web.test");
	expect(false, "dns:web.test", "EMAIL:a@web.test");
	expect(false, "dns:web.test", "DN:CN=web.test");
}

TEST(dns_star_is_one_label)
{
	expect(true, "dns:*.web.test", "DNS:a.web.test");
	expect(true, "dns:*.WEB.test", "DNS:A.web.TEST");
	expect(true, "dns:*.web.test", "DNS:a_b.web.test");
	expect(true, "dns:*.test", "DNS:a.test");
	expect(true, "dns:*.a_b.test", "DNS:c.a_b.test");
	expect(false, "dns:*.web.test", "DNS:web.test");
	expect(false, "dns:*.web.test", "DNS:b.a.web.test");
	expect(false, "dns:*.web.test", "DNS:a.xweb.test");
	expect(false, "dns:*.web.test", "DNS:a.web.test.");
	expect(false, "dns:*.web.test", "DNS:.web.test");
	expect(false, "dns:*.web.test", "DNS:-a.web.test");
	expect(false, "dns:*.web.test", "DNS:a*.web.test");
	expect(false, "dns:*.web.test", "DNS:a@b.web.test");
}

TEST(dns_wildcards_presented_need_a_rule_for_all_they_cover)
{
	expect(true, "dns:*.web.test", "DNS:*.web.test");
	expect(true, "dns:*.web.test", "DNS:*.WEB.test");
	expect(false, "dns:a.web.test", "DNS:*.web.test");
	expect(false, "dns:web.test", "DNS:*.web.test");
	expect(false, "dns:*.test", "DNS:*.web.test");
	expect(false, "dns:*.a.web.test", "DNS:*.web.test");
	/* These are no wildcards: match.h */
	expect(false, "dns:*.test", "DNS:*.test");
	expect(false, "dns:*.a_b.test", "DNS:*.a_b.test");
	expect(false, "dns:*.web.test", "DNS:*.*.web.test");
	expect(false, "dns:*.web.test", "DNS:*web.test");
}

/* ---- URI ------------------------------------------------------------------------------------- */

TEST(uri_is_exact_but_for_case_of_scheme_and_host)
{
	expect(true, "uri:https://web.test/a", "URI:https://web.test/a");
	expect(true, "uri:HTTPS://web.TEST/a", "URI:https://WEB.test/a");
	expect(true, "uri:urn:uuid:1", "URI:urn:uuid:1");
	expect(true, "uri:https://web.test/a", "URI:https://web.test/b URI:https://web.test/a");
	expect(false, "uri:https://web.test/a", "URI:https://web.test/A");
	expect(false, "uri:https://web.test/a", "URI:https://web.test/%61");
	expect(false, "uri:https://web.test/a", "URI:https://web.test:443/a");
	expect(false, "uri:https://web.test/a", "URI:https://web.test/a/");
	expect(false, "uri:https://web.test/a", "URI:https://web.test/a?b");
	expect(false, "uri:https://web.test/a", "URI:https://me@web.test/a");
	expect(false, "uri:https://web.test/a", "URI:http://web.test/a");
	expect(false, "uri:https://web.test/a", "DNS:web.test");
}

TEST(spiffe_id_is_exact)
{
	static const char *const other_ids[] = {
		"URI:spiffe://td/a/B",	"URI:spiffe://td.test/a/b", "URI:spiffe://x.td/a/b",
		"URI:spiffe://td/a",	"URI:spiffe://td/a/b/c",    "URI:spiffe://td/x/a/b",
		"URI:spiffe://td/a/bc", "URI:https://td/a/b",	    "DNS:td",
	};

	expect(true, "uri:spiffe://td/a/b", "URI:spiffe://td/a/b");
	expect(true, "uri:spiffe://td/a/b", "DNS:web.test URI:spiffe://td/a/b EMAIL:me@web.test");
	expect(true, "uri:spiffe://1.2.3.4/A_b.c-d/...", "URI:spiffe://1.2.3.4/A_b.c-d/...");
	for (size_t i = 0; i < sizeof other_ids / sizeof other_ids[0]; i++)
		expect(false, "uri:spiffe://td/a/b", other_ids[i]);
}

TEST(what_is_no_spiffe_id_matches_none)
{
	static const char *const texts[] = {
		"spiffe://td",		"spiffe://td/",	     "spiffe://td/a/b/",
		"spiffe://td//a/b",	"spiffe://td/a//b",  "spiffe://td/a/./b",
		"spiffe://td/c/../a/b", "spiffe://td/a/%62", "spiffe://td/a%2fb",
		"spiffe://TD/a/b",	"SPIFFE://td/a/b",   "spiffe:/td/a/b",
		"spiffe:///td/a/b",	"spiffe://td:/a/b",  "spiffe://td:443/a/b",
		"spiffe://me@td/a/b",	"spiffe://@td/a/b",  "spiffe://td/a/b?",
		"spiffe://td/a/b?c",	"spiffe://td/a/b#",  "spiffe://t%64/a/b",
		"spiffe://td/a/b:c",	"spiffe://td/a/b+c", "spiffe://td./../td/a/b",
		"spiffes://td/a/b",	"spiffe://td\\a/b",
	};
	char name[64];

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		snprintf(name, sizeof name, "URI:%s", texts[i]);
		expect(false, "uri:spiffe://td/a/b", name);
		expect(false, "uri:spiffe://td/**", name);
		expect(false, "uri:spiffe://td/*/*", name);
	}
}

TEST(spiffe_star_is_one_segment)
{
	expect(true, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://td/ns/prod/sa/web");
	expect(true, "uri:spiffe://td/*", "URI:spiffe://td/a");
	expect(true, "uri:spiffe://td/*/*", "URI:spiffe://td/a/b");
	expect(false, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://td/ns/sa/web");
	expect(false, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://td/ns/a/b/sa/web");
	expect(false, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://td/ns/prod/sa/webs");
	expect(false, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://td/ns//sa/web");
	expect(false, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://td/ns/../sa/web");
	expect(false, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://td/ns/%2a/sa/web");
	expect(false, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://td/ns/*/sa/web");
	expect(false, "uri:spiffe://td/ns/*/sa/web", "URI:spiffe://tdx/ns/prod/sa/web");
	expect(false, "uri:spiffe://td/*", "URI:spiffe://td/a/b");
	expect(false, "uri:spiffe://td/a/*", "URI:spiffe://td/a");
}

TEST(spiffe_two_stars_are_segments_to_the_end)
{
	expect(true, "uri:spiffe://td/**", "URI:spiffe://td/a");
	expect(true, "uri:spiffe://td/**", "URI:spiffe://td/a/b/c");
	expect(true, "uri:spiffe://td/a/**", "URI:spiffe://td/a/b");
	expect(true, "uri:spiffe://td/*/b/**", "URI:spiffe://td/a/b/c/d");
	expect(false, "uri:spiffe://td/a/**", "URI:spiffe://td/a");
	expect(false, "uri:spiffe://td/a/**", "URI:spiffe://td/ab/c");
	expect(false, "uri:spiffe://td/**", "URI:spiffe://td.test/a");
	expect(false, "uri:spiffe://td/**", "URI:spiffe://td/**");
}

TEST(spiffe_id_stands_alone)
{
	expect(false, "uri:spiffe://td/a", "URI:spiffe://td/a URI:spiffe://td/b");
	expect(false, "uri:spiffe://td/a", "URI:spiffe://td/b URI:spiffe://td/a");
	expect(false, "uri:spiffe://td/a", "URI:spiffe://td/a URI:spiffe://td/a");
	expect(false, "uri:spiffe://td/a", "URI:https://web.test/ URI:spiffe://td/a");
	expect(false, "uri:spiffe://td/a", "URI:spiffe://td/a DNS:a URI:x:");
}

TEST(spiffe_names_have_limits)
{
	static char id[2100] = "URI:spiffe://td/";
	char domain[300] = "URI:spiffe://";
	size_t start = strlen("URI:");

	while (strlen(id) - start < 2048 - 65)
		strcat(id, SEGMENT_64 "/");
	memset(id + strlen(id), 'a', start + 2048 - strlen(id));
	expect(true, "uri:spiffe://td/**", id);
	strcat(id, "a");
	expect(false, "uri:spiffe://td/**", id);
	memset(domain + strlen(domain), 'd', 255);
	for (int beyond = 0; beyond < 2; beyond++) {
		char rule[320], name[320];

		snprintf(rule, sizeof rule, "uri:%s/**", domain + start);
		snprintf(name, sizeof name, "%s/a", domain);
		if (beyond)
			EXPECT_EQ(-EINVAL, kt_allow_check(rule, NULL));
		else
			expect(true, rule, name);
		strcat(domain, "d");
	}
}

/* ---- Mail ------------------------------------------------------------------------------------ */

TEST(email_is_exact_but_for_case_of_the_host)
{
	expect(true, "email:me@web.test", "EMAIL:me@web.test");
	expect(true, "email:me@WEB.test", "EMAIL:me@web.TEST");
	expect(false, "email:me@web.test", "EMAIL:Me@web.test");
	expect(false, "email:me@web.test", "EMAIL:you@web.test");
	expect(false, "email:me@web.test", "EMAIL:me@a.web.test");
	expect(false, "email:me@web.test", "EMAIL:x@me@web.test");
	expect(false, "email:me@web.test", "DNS:web.test");
}

TEST(email_of_a_host_is_any_at_this_very_host)
{
	expect(true, "email:@web.test", "EMAIL:me@web.test");
	expect(true, "email:@web.test", "EMAIL:a.b+c@WEB.test");
	expect(false, "email:@web.test", "EMAIL:me@a.web.test");
	expect(false, "email:@web.test", "EMAIL:me@xweb.test");
	expect(false, "email:@web.test", "EMAIL:@web.test");
	expect(false, "email:@web.test", "EMAIL:web.test");
	expect(false, "email:@web.test", "EMAIL:\"a\"@web.test");
}

/* ---- Subject --------------------------------------------------------------------------------- */

TEST(subject_has_each_type)
{
	static const char all[] = "C=NO,ST=Oslo,L=Sagene,O=Org,OU=Unit,CN=web,SN=17,UID=u";
	static const char *const rules[] = {
		"subject:C=NO",	   "subject:ST=Oslo", "subject:L=Sagene",	 "subject:O=Org",
		"subject:OU=Unit", "subject:CN=web",  "subject:serialNumber=17", "subject:UID=u",
	};
	static const char *const others[] = {
		"subject:C=SE",	  "subject:CN=Org",    "subject:O=web",		 "subject:OU=Org",
		"subject:L=Oslo", "subject:ST=Sagene", "subject:serialNumber=u", "subject:UID=17",
	};

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		expect_subject(true, rules[i], all);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		expect_subject(false, others[i], all);
	expect_subject(true, "subject:SERIALnumber=17", all);
	expect_subject(false, "subject:CN=web", "");
}

TEST(subject_compares_as_names_do)
{
	expect_subject(true, "subject:CN=Web One", "CN=  web \t ONE ");
	expect_subject(true, "subject:CN=  web   one ", "PCN=Web One");
	expect_subject(true,
		       "subject:CN=w\xc3\xa9"
		       "b",
		       "CN=w\xc3\xa9"
		       "b");
	expect_subject(true,
		       "subject:CN=w\xc3\xa9"
		       "b",
		       "TCN=w\xe9"
		       "b");
	expect_subject(false,
		       "subject:CN=w\xc3\xa9"
		       "b",
		       "CN=w\xc3\x89"
		       "b");
	expect_subject(false, "subject:CN=webone", "CN=web one");
	expect_subject(false, "subject:CN=web", "CN=webs");
	expect_subject(false, "subject:CN=webs", "CN=web");
	expect_subject(false, "subject:CN=web",
		       "CN=w\xff"
		       "b");
	expect_subject(true, "subject:O=Org = more", "O=org = MORE");
	expect_subject(false, "subject:CN=*", "CN=web");
}

TEST(subject_may_have_a_value_anywhere)
{
	expect_subject(true, "subject:OU=b", "OU=a,OU=b,CN=c");
	expect_subject(true, "subject:OU=b", "CN=c+OU=b+O=o");
	expect_subject(false, "subject:OU=b", "CN=b+O=b,CN=b");
	/* the directory name of a subjectAltName is no subject */
	expect(false, "subject:CN=web", "DN:CN=web");
}

/* ---- Any of them ----------------------------------------------------------------------------- */

TEST(one_of_the_rules_is_enough)
{
	static const char *const rules[] = {"dns:web.test", "uri:spiffe://td/a", "email:@web.test",
					    "subject:CN=one", "uri:urn:a"};
	struct kt_allow *allow = make(rules, sizeof rules / sizeof rules[0]);

	EXPECT_TRUE(admits(allow, "DNS:web.test", "CN=two"));
	EXPECT_TRUE(admits(allow, "URI:spiffe://td/a", ""));
	EXPECT_TRUE(admits(allow, "EMAIL:me@web.test", "CN=two"));
	EXPECT_TRUE(admits(allow, "", "CN=one"));
	EXPECT_TRUE(admits(allow, "DNS:no.test", "CN=one"));
	EXPECT_TRUE(admits(allow, "URI:spiffe://td/a URI:urn:a", ""));
	EXPECT_FALSE(admits(allow, "DNS:no.test URI:spiffe://td/b EMAIL:me@no.test URI:urn:b",
			    "CN=two"));
	kt_allow_free(allow);
}

TEST(malformed_names_are_none)
{
	expect(false, "dns:web.test", "DNS:web.test HEX:8200");
	expect(false, "dns:web.test", "HEX:8705c000020100 DNS:web.test");
	expect(false, "uri:spiffe://td/a", "URI:spiffe://td/a HEX:8200");
}

TEST_HARNESS_MAIN
