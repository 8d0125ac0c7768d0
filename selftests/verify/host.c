/* SPDX-License-Identifier: BSD-2-Clause */
/* Host names, mail addresses and URIs as text. */
#include "../../src/verify/host.h"

#include <stdio.h>

#include "../../src/verify/mailbox.h"
#include "../../src/verify/uri.h"
#include "../harness.h"

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define HOST_251                                                                                   \
	LABEL_63 "." LABEL_63 "." LABEL_63                                                         \
		 ".a2345678901234567890123456789012345678901234567890123456789"

static struct kt_der_view view(const char *text)
{
	return (struct kt_der_view){(const uint8_t *)text, strlen(text)};
}

typedef bool is_fn(struct kt_der_view text);

static void expect_each(bool expected, is_fn *is, const char *const *texts)
{
	for (; *texts; texts++)
		EXPECT_EQ(expected, is(view(*texts)))
		{
			TH_LOG("%s", *texts);
		}
}

#define EACH(...)	       ((const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_IS(is, ...)     expect_each(true, is, EACH(__VA_ARGS__))
#define EXPECT_IS_NOT(is, ...) expect_each(false, is, EACH(__VA_ARGS__))

/* ---- Host names ------------------------------------------------------------------------------ */

TEST(host_is_labels_of_letters_digits_and_hyphens)
{
	EXPECT_IS(kt_host_is_name, "a", "example.test", "EXAMPLE.Test", "a-b.c--d.test", "1.2.3.4",
		  "xn--bcher-kva.test", "0a.test");
	EXPECT_IS_NOT(kt_host_is_name, "", ".", "a..b", ".a", "a.", "-a.test", "a-.test", "a.-",
		      "a b", "*.test", "a_b.test", "a\x80.test", "a/b", "a@b", "a:1", "[::1]");
}

TEST(host_has_an_end)
{
	EXPECT_IS(kt_host_is_name, LABEL_63 ".test", HOST_251, "a." HOST_251);
	EXPECT_IS_NOT(kt_host_is_name, LABEL_63 "4.test", "ab." HOST_251);
	EXPECT_EQ(253, strlen("a." HOST_251));
}

TEST(host_may_have_underscores_where_it_is_loose)
{
	EXPECT_IS(kt_host_is_loose_name, "a_b.test", "_a.test", "a.test");
	EXPECT_IS_NOT(kt_host_is_loose_name, "-a_b.test", "a_b.test.", "*._a.test");
}

TEST(host_that_ends_in_digits_is_numeric)
{
	EXPECT_IS(kt_host_is_numeric, "1", "1.2.3.4", "a.1");
	EXPECT_IS_NOT(kt_host_is_numeric, "a", "a1", "1a", "1.a", "1.2.3.4a", "0x1", "1-1", "");
}

TEST(host_equals_but_for_case)
{
	EXPECT_TRUE(kt_host_equal(view("A.b-1.Z"), view("a.B-1.z")));
	EXPECT_FALSE(kt_host_equal(view("a"), view("b")));
	EXPECT_FALSE(kt_host_equal(view("a"), view("ab")));
	/* Neighbours of the letters in ASCII differ by the same bit. */
	EXPECT_FALSE(kt_host_equal(view("@"), view("`")));
	EXPECT_FALSE(kt_host_equal(view("["), view("{")));
}

TEST(host_relations_go_by_labels)
{
	static const struct {
		const char *host, *domain;
		bool within, below, child;
	} cases[] = {
		{"example.test", "example.test", true, false, false},
		{"EXAMPLE.test", "example.TEST", true, false, false},
		{"a.example.test", "example.test", true, true, true},
		{"a.B.example.test", "example.Test", true, true, false},
		{"aexample.test", "example.test", false, false, false},
		{"test", "example.test", false, false, false},
		{"b.example.test", "a.example.test", false, false, false},
		{"a.example.tesx", "example.test", false, false, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kt_der_view host = view(cases[i].host), domain = view(cases[i].domain);

		EXPECT_EQ(cases[i].within, kt_host_is_within(host, domain));
		EXPECT_EQ(cases[i].below, kt_host_is_below(host, domain));
		EXPECT_EQ(cases[i].child, kt_host_is_child(host, domain));
	}
}

TEST(host_wildcard_is_the_whole_first_label)
{
	static const char *const others[] = {"a.test", "*", "*a.test", "a*.test", "a.*.test", ""};
	struct kt_der_view name = view("*.test");

	EXPECT_TRUE(kt_host_strip_wildcard(&name));
	EXPECT_TRUE(kt_der_equal(view("test"), name));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		name = view(others[i]);
		EXPECT_FALSE(kt_host_strip_wildcard(&name));
		EXPECT_EQ(strlen(others[i]), name.len);
	}
}

TEST(host_labels_come_one_by_one)
{
	struct kt_der_view host = view("a.bc"), label;

	ASSERT_TRUE(kt_host_next_label(&host, &label));
	EXPECT_TRUE(kt_der_equal(view("a"), label));
	ASSERT_TRUE(kt_host_next_label(&host, &label));
	EXPECT_TRUE(kt_der_equal(view("bc"), label));
	EXPECT_FALSE(kt_host_next_label(&host, &label));
}

/* ---- Mail addresses -------------------------------------------------------------------------- */

static bool is_mailbox(struct kt_der_view text)
{
	struct kt_mailbox mailbox;

	return kt_mailbox_read(text, &mailbox);
}

#define LOCAL_64 LABEL_63 "4"

TEST(mailbox_is_a_dot_string_at_a_host)
{
	EXPECT_IS(is_mailbox, "a@b", "a.b+c@example.test", "*@example.test",
		  "!#$%&'*+-/=?^_`{|}~@b", LOCAL_64 "@b");
	EXPECT_IS_NOT(is_mailbox, "", "a", "@b", "a@", "a@b@c", ".a@b", "a.@b", "a..b@c", "a b@c",
		      "\"a\"@b", "a@[192.0.2.1]", "a@b.", "a@.b", "a@b_c", "a@*.b", "a\x80@b",
		      "a(b)@c", "a<b@c", "a@b>", LOCAL_64 "5@b");
}

TEST(mailbox_case_counts_in_the_local_part_only)
{
	struct kt_mailbox a, b, c;

	ASSERT_TRUE(kt_mailbox_read(view("a@example.test"), &a));
	ASSERT_TRUE(kt_mailbox_read(view("a@EXAMPLE.test"), &b));
	ASSERT_TRUE(kt_mailbox_read(view("A@example.test"), &c));
	EXPECT_TRUE(kt_mailbox_equal(&a, &b));
	EXPECT_FALSE(kt_mailbox_equal(&a, &c));
}

/* ---- URIs ------------------------------------------------------------------------------------ */

static bool is_uri(struct kt_der_view text)
{
	struct kt_uri uri;

	return kt_uri_read(text, &uri);
}

TEST(uri_is_absolute_and_of_its_characters)
{
	EXPECT_IS(is_uri, "spiffe://example.test/a/b", "urn:uuid:1", "https://a:8443/x?y#z",
		  "a+b-.1:x", "https://[::1]:1/", "file:///x", "https://a", "https://a:", "x:%4a",
		  "https://a?@");
	EXPECT_IS_NOT(is_uri, "", "a", "/a", "//a/b", ":a", "1a:b", "a_b:c", "a:", "a:b c", "a:\\",
		      "a:%4", "a:%4g", "a:%", "a:\x80", "a:<", "a:\"", "a:^", "a:`", "a:{|}");
}

TEST(uri_authority_is_a_host_and_a_port)
{
	EXPECT_IS_NOT(is_uri, "https://u@a/", "https://u:p@a/", "https://a@", "https://a:b/",
		      "https://a:1:2/", "https://[::1/", "https://[]/", "https://[::1]x/",
		      "https://a]/", "https://a[b]/", "https://[a@b]/");
}

TEST(uri_parts_are_found)
{
	static const struct {
		const char *text, *scheme, *host, *rest;
	} cases[] = {
		{"spiffe://example.test/a", "spiffe", "example.test", "/a"},
		{"https://a:1/x", "https", "a", ":1/x"},
		{"https://[::1]:1", "https", "[::1]", ":1"},
		{"https://a?b", "https", "a", "?b"},
		{"https://a#b", "https", "a", "#b"},
		{"file:///x", "file", "", "/x"},
		{"urn:a:b", "urn", NULL, "a:b"},
		{"x:/a//b", "x", NULL, "/a//b"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kt_uri uri;

		ASSERT_TRUE(kt_uri_read(view(cases[i].text), &uri));
		EXPECT_TRUE(kt_der_equal(view(cases[i].scheme), uri.scheme));
		EXPECT_EQ(!cases[i].host, !uri.host.data);
		EXPECT_TRUE(kt_der_equal(view(cases[i].host ? cases[i].host : ""), uri.host));
		EXPECT_TRUE(kt_der_equal(view(cases[i].rest), uri.rest));
	}
}

static bool uris_equal(const char *left, const char *right)
{
	struct kt_uri a, b;

	ASSERT_TRUE(kt_uri_read(view(left), &a));
	ASSERT_TRUE(kt_uri_read(view(right), &b));
	return kt_uri_equal(&a, &b);
}

TEST(uri_case_counts_but_in_scheme_and_host)
{
	EXPECT_TRUE(uris_equal("spiffe://example.test/a", "SPIFFE://Example.test/a"));
	EXPECT_FALSE(uris_equal("spiffe://example.test/a", "spiffe://example.test/A"));
	EXPECT_FALSE(uris_equal("urn:a", "urn:A"));
	EXPECT_FALSE(uris_equal("https://a/", "http://a/"));
	EXPECT_FALSE(uris_equal("https://a/", "https://b/"));
}

TEST(uri_is_compared_as_it_is_written)
{
	EXPECT_FALSE(uris_equal("https://a/", "https://a"));
	EXPECT_FALSE(uris_equal("https://a:443/", "https://a/"));
	EXPECT_FALSE(uris_equal("https://a/%41", "https://a/A"));
	EXPECT_FALSE(uris_equal("https://a/%4a", "https://a/%4A"));
	EXPECT_FALSE(uris_equal("https://a/./b", "https://a/b"));
	EXPECT_FALSE(uris_equal("x://a", "x:a"));
	EXPECT_FALSE(uris_equal("x:///a", "x:/a"));
}

TEST_HARNESS_MAIN
