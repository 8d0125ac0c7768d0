/* SPDX-License-Identifier: BSD-2-Clause */
/* What the Baseline Requirements ask of a server's names. */
#include "../../src/verify/web_names.h"

#include "../harness.h"
#include "words.h"

static const char *check_with(const char *subject, const char *names, uint32_t critical)
{
	struct words_der subject_der, names_der;
	struct kt_cert leaf = {.critical = critical};

	ASSERT_TRUE(words_name(subject, &subject_der));
	leaf.subject = (struct kt_der_view){subject_der.bytes, subject_der.len};
	if (names) {
		ASSERT_TRUE(words_names(names, &names_der));
		leaf.names = (struct kt_der_view){names_der.bytes, names_der.len};
		leaf.present = KT_EXT_SUBJECT_ALT_NAME;
	}
	return kt_web_names_check(&leaf);
}

/* The subject is there, so that the names are not critical. */
static const char *check(const char *subject, const char *names)
{
	return check_with(subject, names, 0);
}

#define NOT_A_HOST     "a dNSName is no host name"
#define TOO_WIDE       "a wildcard covers a public suffix"
#define OTHER_TYPE     "the subjectAltName has names besides dNSName and iPAddress"
#define NOT_AMONG      "a commonName is not in the subjectAltName"
#define WRONG_CRITICAL "the subjectAltName must be critical if the subject is empty, and only then"

TEST(web_names_of_hosts_and_addresses_are_fine)
{
	EXPECT_NULL(check("O=a", "DNS:example.com"));
	EXPECT_NULL(
		check("O=a", "DNS:www.EXAMPLE.com DNS:*.example.com IP:192.0.2.1 IP:2001:db8::1"));
	EXPECT_NULL(check("O=a", "DNS:localhost"));
	EXPECT_NULL(check("O=a", "IP:127.0.0.1"));
}

TEST(web_names_need_a_subject_alt_name)
{
	EXPECT_STREQ("no subjectAltName", check("CN=example.com", NULL));
	EXPECT_STREQ("no subjectAltName", check("CN=example.com", ""));
}

TEST(web_names_are_critical_without_a_subject_and_only_then)
{
	EXPECT_NULL(check_with("", "DNS:example.com", KT_EXT_SUBJECT_ALT_NAME));
	EXPECT_NULL(check_with("O=a", "DNS:example.com", KT_EXT_KEY_USAGE));
	EXPECT_STREQ(WRONG_CRITICAL, check_with("", "DNS:example.com", 0));
	EXPECT_STREQ(WRONG_CRITICAL, check_with("", "DNS:example.com", KT_EXT_KEY_USAGE));
	EXPECT_STREQ(WRONG_CRITICAL, check_with("O=a", "DNS:example.com", KT_EXT_SUBJECT_ALT_NAME));
}

TEST(web_names_are_of_two_types)
{
	static const char *const names[] = {"EMAIL:a@example.com",
					    "URI:https://example.com/",
					    "DN:CN=a",
					    "OTHER:",
					    "RID:",
					    "X400:",
					    "EDI:"};
	char words[128];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		strcpy(words, "DNS:example.com ");
		strcat(words, names[i]);
		EXPECT_STREQ(OTHER_TYPE, check("O=a", words));
		EXPECT_STREQ(OTHER_TYPE, check("O=a", names[i]));
	}
	EXPECT_STREQ("the subjectAltName is malformed", check("O=a", "DNS:a.example HEX:8200"));
	EXPECT_STREQ("the subjectAltName is malformed", check("O=a", "HEX:8705c000020100"));
}

TEST(web_names_are_host_names)
{
	static const char *const names[] = {
		"DNS:foo_bar.example.com", "DNS:example.com.",	 "DNS:.example.com",
		"DNS:a..example.com",	   "DNS:-a.example.com", "DNS:a/.example.com",
		"DNS:192.0.2.1",	   "DNS:example.1",	 "DNS:a@example.com",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		EXPECT_STREQ(NOT_A_HOST, check("O=a", names[i]));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:example.com DNS:foo_bar.example.com"));
}

TEST(web_names_have_hyphens_third_and_fourth_in_a_labels_only)
{
	EXPECT_NULL(check("O=a", "DNS:xn--bcher-kva.example.com"));
	EXPECT_NULL(check("O=a", "DNS:XN--BCHER-KVA.example.com"));
	EXPECT_NULL(check("O=a", "DNS:a.xn--p1ai"));
	EXPECT_NULL(check("O=a", "DNS:a--b.example.com"));
	EXPECT_NULL(check("O=a", "DNS:abc--d.example.com"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:ab--cd.example.com"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:a.xm--p1ai"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:xn--.example.com"));
}

TEST(web_names_have_a_wildcard_as_the_first_label_only)
{
	EXPECT_NULL(check("O=a", "DNS:*.example.com"));
	EXPECT_NULL(check("O=a", "DNS:*.a.example.com"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:*"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:*."));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:a*.example.com"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:*a.example.com"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:a.*.example.com"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:*.*.example.com"));
	EXPECT_STREQ(NOT_A_HOST, check("O=a", "DNS:xn--*-1b3c148a.example.com"));
}

TEST(web_names_have_no_wildcard_over_a_public_suffix)
{
	EXPECT_NULL(check("O=a", "DNS:*.amazonaws.com"));
	EXPECT_NULL(check("O=a", "DNS:*.example.co.uk"));
	EXPECT_STREQ(TOO_WIDE, check("O=a", "DNS:*.com"));
	EXPECT_STREQ(TOO_WIDE, check("O=a", "DNS:*.CO.uk"));
	EXPECT_STREQ(TOO_WIDE, check("O=a", "DNS:*.s3.amazonaws.com"));
	EXPECT_STREQ(TOO_WIDE, check("O=a", "DNS:*.localhost"));
	/* One's own name is nobody else's. */
	EXPECT_NULL(check("O=a", "DNS:co.uk"));
}

TEST(web_names_have_each_common_name_letter_for_letter)
{
	EXPECT_NULL(check("CN=example.com", "DNS:example.com"));
	EXPECT_NULL(check("PCN=example.com", "DNS:a.test DNS:example.com"));
	EXPECT_NULL(check("CN=*.example.com", "DNS:*.example.com"));
	EXPECT_NULL(check("O=example.org", "DNS:example.com"));
	EXPECT_STREQ("there is more than one commonName",
		     check("CN=a.test,CN=b.test", "DNS:a.test DNS:b.test"));
	EXPECT_STREQ(NOT_AMONG, check("CN=Example.COM", "DNS:example.com"));
	EXPECT_STREQ(NOT_AMONG, check("CN=www.example.com", "DNS:example.com"));
	EXPECT_STREQ(NOT_AMONG, check("CN=www.example.com", "DNS:*.example.com"));
	EXPECT_STREQ(NOT_AMONG, check("CN=example.com.", "DNS:example.com"));
	EXPECT_STREQ(NOT_AMONG, check("CN=My_Server", "DNS:example.com"));
	EXPECT_STREQ(NOT_AMONG, check("CN=", "DNS:example.com"));
	EXPECT_STREQ(NOT_AMONG, check("O=a+CN=b.test", "DNS:a.test"));
	EXPECT_STREQ(NOT_AMONG, check("CN=test-\xe6\xb8\xac.com", "DNS:xn--test--wg5h0h.com"));
}

TEST(web_names_have_a_common_name_that_is_an_address_in_its_one_form)
{
	EXPECT_NULL(check("CN=192.0.2.1", "IP:192.0.2.1"));
	EXPECT_NULL(check("CN=2001:db8::1", "DNS:a.test IP:2001:db8::1"));
	EXPECT_STREQ(NOT_AMONG, check("CN=192.0.2.1", "IP:192.0.2.2"));
	EXPECT_STREQ(NOT_AMONG, check("CN=192.0.2.01", "IP:192.0.2.1"));
	EXPECT_STREQ(NOT_AMONG, check("CN=2001:DB8::1", "IP:2001:db8::1"));
	EXPECT_STREQ(NOT_AMONG, check("CN=2001:db8:0::1", "IP:2001:db8::1"));
}

TEST(web_names_have_a_common_name_of_two_types)
{
	EXPECT_STREQ("a commonName is neither UTF8String nor PrintableString",
		     check("TCN=example.com", "DNS:example.com"));
}

TEST_HARNESS_MAIN
