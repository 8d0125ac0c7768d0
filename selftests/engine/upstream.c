/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said to proxies and what they answer, as bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/engine/upstream_proxy.h"
#include "../harness.h"

static const struct kt_upstream_login login = {"Aladdin", "open sesame"};

static void begin(struct kt_upstream *upstream, enum kt_upstream_kind kind, const char *host,
		  const struct kt_upstream_login *with)
{
	ASSERT_EQ(0, kt_upstream_begin(upstream, kind, host, 443, with));
}

/* All that is to be sent, as text or bytes; returns its length. */
static size_t take_output(struct kt_upstream *upstream, uint8_t *ret, size_t size)
{
	const uint8_t *data;
	size_t len = kt_upstream_output(upstream, &data);

	ASSERT_LT(len, size);
	memcpy(ret, data, len);
	ret[len] = '\0';
	kt_upstream_sent(upstream, len);
	return len;
}

static void expect_said(struct kt_upstream *upstream, const void *bytes, size_t len)
{
	uint8_t said[KT_UPSTREAM_OUT_MAX + 1];

	ASSERT_EQ(len, take_output(upstream, said, sizeof said));
	EXPECT_EQ(0, memcmp(bytes, said, len));
}

#define SAID(upstream, text) expect_said(upstream, text, sizeof(text) - 1)

/*
 * The proxy's bytes in reads of at most `longest`, never more than is wanted. Returns how many were
 * read when it was decided.
 */
static size_t answer(struct kt_upstream *upstream, const void *bytes, size_t len, size_t longest)
{
	uint8_t said[KT_UPSTREAM_OUT_MAX + 1];
	const uint8_t *at = bytes;
	size_t read = 0;

	while (read < len && upstream->status == KT_UPSTREAM_AGAIN) {
		size_t n = kt_upstream_want(upstream);

		ASSERT_LT(0, n);
		n = n < longest ? n : longest;
		n = n < len - read ? n : len - read;
		take_output(upstream, said, sizeof said);
		(void)kt_upstream_input(upstream, at + read, n);
		read += n;
	}
	return read;
}

#define LONGEST 16

/* At every split of the bytes the same, and nothing of what follows is read. */
static void expect_done(enum kt_upstream_kind kind, const struct kt_upstream_login *with,
			const void *bytes, size_t len)
{
	uint8_t *more = malloc(len + 64);

	ASSERT_TRUE(more != NULL);
	memcpy(more, bytes, len);
	memset(more + len, 'T', 64);
	for (size_t longest = 1; longest <= LONGEST; longest++) {
		struct kt_upstream upstream;

		begin(&upstream, kind, "www.example.org", with);
		EXPECT_EQ(len, answer(&upstream, more, len + 64, longest));
		EXPECT_EQ(KT_UPSTREAM_DONE, upstream.status);
		EXPECT_NULL(kt_upstream_failure(&upstream));
		EXPECT_EQ(0, kt_upstream_want(&upstream));
	}
	free(more);
}

static void expect_failure(enum kt_upstream_kind kind, const struct kt_upstream_login *with,
			   const void *bytes, size_t len, const char *failure, const char *detail)
{
	for (size_t longest = 1; longest <= LONGEST; longest++) {
		struct kt_upstream upstream;

		begin(&upstream, kind, "www.example.org", with);
		answer(&upstream, bytes, len, longest);
		if (upstream.status == KT_UPSTREAM_AGAIN)
			(void)kt_upstream_input_eof(&upstream);
		EXPECT_EQ(KT_UPSTREAM_FAILED, upstream.status);
		ASSERT_TRUE(kt_upstream_failure(&upstream) != NULL);
		EXPECT_STREQ(failure, kt_upstream_failure(&upstream));
		EXPECT_STREQ(detail, kt_upstream_detail(&upstream));
	}
}

#define DONE(kind, with, text) expect_done(kind, with, text, sizeof(text) - 1)
#define FAILS(kind, with, text, failure, detail)                                                   \
	expect_failure(kind, with, text, sizeof(text) - 1, failure, detail)

/* ---- HTTP ------------------------------------------------------------------------------------ */

TEST(http_asks_for_the_target)
{
	struct kt_upstream upstream;

	begin(&upstream, KT_UPSTREAM_HTTP, "www.example.org", NULL);
	SAID(&upstream,
	     "CONNECT www.example.org:443 HTTP/1.1\r\nHost: www.example.org:443\r\n\r\n");
	begin(&upstream, KT_UPSTREAM_HTTP, "2001:db8::1", NULL);
	SAID(&upstream, "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n");
	begin(&upstream, KT_UPSTREAM_HTTP, "192.0.2.1", NULL);
	SAID(&upstream, "CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n\r\n");
}

/* RFC 7617 §2 */
TEST(http_logs_in)
{
	static const struct kt_upstream_login shorter = {"a", ""}, longer = {"ab", "c"};
	struct kt_upstream upstream;

	begin(&upstream, KT_UPSTREAM_HTTP, "h", &login);
	SAID(&upstream, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n"
			"Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
	begin(&upstream, KT_UPSTREAM_HTTP, "h", &shorter);
	SAID(&upstream, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n"
			"Proxy-Authorization: Basic YTo=\r\n\r\n");
	begin(&upstream, KT_UPSTREAM_HTTP, "h", &longer);
	SAID(&upstream, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n"
			"Proxy-Authorization: Basic YWI6Yw==\r\n\r\n");
}

TEST(longest_of_all_fits)
{
	struct kt_upstream_login long_login = {0};
	char host[KT_UPSTREAM_HOST_MAX + 2] = {0};
	uint8_t said[KT_UPSTREAM_OUT_MAX + 1];
	struct kt_upstream upstream;

	memset(host, 'h', KT_UPSTREAM_HOST_MAX);
	memset(long_login.user, 'u', KT_UPSTREAM_LOGIN_MAX);
	memset(long_login.password, 'p', KT_UPSTREAM_LOGIN_MAX);
	begin(&upstream, KT_UPSTREAM_HTTP, host, &long_login);
	EXPECT_EQ(8 + 257 + 17 + 257 + 2 + 27 + 684 + 2 + 2,
		  take_output(&upstream, said, sizeof said));
	host[KT_UPSTREAM_HOST_MAX] = 'h';
	EXPECT_EQ(-EINVAL, kt_upstream_begin(&upstream, KT_UPSTREAM_HTTP, host, 443, NULL));
}

TEST(nothing_can_be_smuggled_into_the_request)
{
	static const char *const hosts[] = {"",	     "a b", "a\r\nX: y", "a:1",
					    "[::1]", "a/b", "a\tb",	 "h\xc3\xb6st"};
	static const struct kt_upstream_login logins[] = {
		{"a:b", "c"}, {"a\r\nX: y", "c"}, {"a", "c\n"}, {"a\x7f", "c"}};
	struct kt_upstream upstream;

	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
		EXPECT_EQ(-EINVAL,
			  kt_upstream_begin(&upstream, KT_UPSTREAM_HTTP, hosts[i], 1, NULL));
	for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++)
		EXPECT_EQ(-EINVAL,
			  kt_upstream_begin(&upstream, KT_UPSTREAM_HTTP, "h", 1, &logins[i]));
}

TEST(http_goes_on_after_2xx_alone)
{
	DONE(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 200 Connection established\r\n\r\n");
	DONE(KT_UPSTREAM_HTTP, NULL, "HTTP/1.0 200\r\n\r\n");
	DONE(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 299 \r\nVia: x\r\nContent-Length: 5\r\n\r\n");
	FAILS(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 100 Continue\r\n\r\n", "upstream_refused",
	      "HTTP status 100");
	FAILS(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 302 Found\r\n\r\n", "upstream_refused",
	      "HTTP status 302");
	FAILS(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 403 No\r\n\r\n", "upstream_refused",
	      "HTTP status 403");
	FAILS(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 407 Who?\r\n\r\n", "upstream_auth",
	      "HTTP status 407");
	FAILS(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 502 Bad Gateway\r\n\r\n", "target_unreachable",
	      "HTTP status 502");
	FAILS(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 504 Gateway Timeout\r\n\r\n", "target_unreachable",
	      "HTTP status 504");
}

TEST(http_that_is_none_is_refused)
{
	static const char *const answers[] = {
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 20x OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"http/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\n\n",
		"HTTP/1.1 200 OK\r\nA: b\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
		"\x15\x03\x03\x00\x02\x02\x28",
	};

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
		expect_failure(KT_UPSTREAM_HTTP, NULL, answers[i], strlen(answers[i]),
			       "upstream_invalid", "");
	FAILS(KT_UPSTREAM_HTTP, NULL, "HTTP/1.1 200 O\0K\r\n\r\n", "upstream_invalid", "");
}

TEST(answer_that_is_cut_is_no_answer)
{
	static const char http[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
	static const char socks[] = "\5\0\5\0\0\1abcdpp";

	for (size_t len = 0; len < sizeof http - 1; len++)
		expect_failure(KT_UPSTREAM_HTTP, NULL, http, len, "upstream_closed", "");
	for (size_t len = 0; len < sizeof socks - 1; len++)
		expect_failure(KT_UPSTREAM_SOCKS5, NULL, socks, len, "upstream_closed", "");
}

TEST(http_answer_has_a_longest_length)
{
	static const char begins[] = "HTTP/1.1 200 OK\r\nA: ";
	char answer_text[KT_UPSTREAM_READ_MAX + 1];

	memset(answer_text, 'a', sizeof answer_text);
	memcpy(answer_text, begins, sizeof begins - 1);
	memcpy(answer_text + KT_UPSTREAM_READ_MAX - 4, "\r\n\r\n", 4);
	expect_done(KT_UPSTREAM_HTTP, NULL, answer_text, KT_UPSTREAM_READ_MAX);
	memset(answer_text + KT_UPSTREAM_READ_MAX - 4, 'a', 4);
	memcpy(answer_text + KT_UPSTREAM_READ_MAX - 3, "\r\n\r\n", 4);
	expect_failure(KT_UPSTREAM_HTTP, NULL, answer_text, sizeof answer_text, "upstream_invalid",
		       "");
}

/* ---- SOCKS5 ---------------------------------------------------------------------------------- */

TEST(socks_asks_for_names_unresolved)
{
	struct kt_upstream upstream;

	begin(&upstream, KT_UPSTREAM_SOCKS5, "www.example.org", NULL);
	SAID(&upstream, "\5\1\0");
	EXPECT_EQ(2, kt_upstream_want(&upstream));
	EXPECT_EQ(KT_UPSTREAM_AGAIN, kt_upstream_input(&upstream, (const uint8_t *)"\5\0", 2));
	SAID(&upstream, "\5\1\0\3\17www.example.org\1\273");
}

TEST(socks_asks_for_addresses_as_bytes)
{
	struct kt_upstream upstream;

	begin(&upstream, KT_UPSTREAM_SOCKS5, "192.0.2.1", NULL);
	SAID(&upstream, "\5\1\0");
	EXPECT_EQ(KT_UPSTREAM_AGAIN, kt_upstream_input(&upstream, (const uint8_t *)"\5\0", 2));
	SAID(&upstream, "\5\1\0\1\300\0\2\1\1\273");
	begin(&upstream, KT_UPSTREAM_SOCKS5, "2001:db8::1", NULL);
	SAID(&upstream, "\5\1\0");
	EXPECT_EQ(KT_UPSTREAM_AGAIN, kt_upstream_input(&upstream, (const uint8_t *)"\5\0", 2));
	SAID(&upstream, "\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\273");
}

/* RFC 1929 §2 */
TEST(socks_logs_in_if_it_is_asked_to)
{
	struct kt_upstream upstream;

	begin(&upstream, KT_UPSTREAM_SOCKS5, "h", &login);
	SAID(&upstream, "\5\2\0\2");
	EXPECT_EQ(KT_UPSTREAM_AGAIN, kt_upstream_input(&upstream, (const uint8_t *)"\5\2", 2));
	SAID(&upstream, "\1\7Aladdin\13open sesame");
	EXPECT_EQ(KT_UPSTREAM_AGAIN, kt_upstream_input(&upstream, (const uint8_t *)"\1\0", 2));
	SAID(&upstream, "\5\1\0\3\1h\1\273");
}

TEST(socks_goes_on_after_success_alone)
{
	DONE(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\0\0\1abcdpp");
	DONE(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\0\0\4abcdefghijklmnoppp");
	DONE(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\0\0\3\5hellopp");
	DONE(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\0\0\3\0pp");
	DONE(KT_UPSTREAM_SOCKS5, &login, "\5\0\5\0\0\1abcdpp");
	DONE(KT_UPSTREAM_SOCKS5, &login, "\5\2\1\0\5\0\0\1abcdpp");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\377", "upstream_auth", "");
	FAILS(KT_UPSTREAM_SOCKS5, &login, "\5\2\1\1", "upstream_auth", "");
}

TEST(socks_replies_have_names)
{
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\1\0\1abcdpp", "upstream_refused",
	      "general failure");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\2\0\1abcdpp", "upstream_refused",
	      "not allowed by its rules");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\4\0\1abcdpp", "target_unreachable",
	      "host unreachable");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\5\0\1abcdpp", "target_unreachable",
	      "connection refused");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\10\0\1abcdpp", "upstream_refused",
	      "address type not supported");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\11\0\1abcdpp", "upstream_invalid", "");
}

TEST(socks_that_is_none_is_refused)
{
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "HTTP/1.1 400 Bad Request\r\n", "upstream_invalid", "");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\4\0", "upstream_invalid", "");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\2", "upstream_invalid", ""); /* not offered */
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\1", "upstream_invalid", "");
	FAILS(KT_UPSTREAM_SOCKS5, &login, "\5\2\5\0", "upstream_invalid", "");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\0\4\0\0\1abcdpp", "upstream_invalid", "");
	FAILS(KT_UPSTREAM_SOCKS5, NULL, "\5\0\5\0\0\2abcdpp", "upstream_invalid", "");
}

/* An answer may not come before the question, nor be longer than what was to be read. */
TEST(reading_more_than_is_wanted_is_refused)
{
	struct kt_upstream upstream;

	begin(&upstream, KT_UPSTREAM_SOCKS5, "h", NULL);
	EXPECT_EQ(KT_UPSTREAM_FAILED, kt_upstream_input(&upstream, (const uint8_t *)"\5\0", 2));
	begin(&upstream, KT_UPSTREAM_SOCKS5, "h", NULL);
	SAID(&upstream, "\5\1\0");
	EXPECT_EQ(KT_UPSTREAM_FAILED, kt_upstream_input(&upstream, (const uint8_t *)"\5\0\5", 3));
}

TEST(login_is_wiped_from_what_was_sent)
{
	static const struct kt_upstream_login secret = {"u", "hunter2secret"};
	uint8_t said[KT_UPSTREAM_OUT_MAX + 1];
	struct kt_upstream upstream;
	static const struct kt_upstream none;

	begin(&upstream, KT_UPSTREAM_SOCKS5, "h", &secret);
	take_output(&upstream, said, sizeof said);
	(void)kt_upstream_input(&upstream, (const uint8_t *)"\5\2", 2);
	take_output(&upstream, said, sizeof said);
	EXPECT_NULL(memmem(upstream.out, sizeof upstream.out, "hunter2", 7));
	kt_upstream_wipe(&upstream);
	EXPECT_EQ(0, memcmp(&none, &upstream, sizeof none));
}

/* ---- As people write them -------------------------------------------------------------------- */

TEST(urls_are_read)
{
	struct kt_upstream_url url;

	ASSERT_EQ(0, kt_upstream_url_parse("http://proxy.example:3128", &url, NULL));
	EXPECT_EQ(KT_UPSTREAM_HTTP, url.kind);
	EXPECT_STREQ("proxy.example:3128", url.address);
	EXPECT_STREQ("", url.login.user);
	ASSERT_EQ(0, kt_upstream_url_parse("socks5://[::1]:1080/", &url, NULL));
	EXPECT_EQ(KT_UPSTREAM_SOCKS5, url.kind);
	EXPECT_STREQ("[::1]:1080", url.address);
	ASSERT_EQ(0, kt_upstream_url_parse("http://us%40er:p%3Ass%2f@h:1", &url, NULL));
	EXPECT_STREQ("us@er", url.login.user);
	EXPECT_STREQ("p:ss/", url.login.password);
	EXPECT_STREQ("h:1", url.address);
}

TEST(urls_that_are_none_are_refused_without_being_quoted)
{
	static const char *const texts[] = {
		"",
		"https://h:1",
		"socks4://h:1",
		"h:1",
		"http://",
		"http://h",
		"http://:1",
		"http://h:1/path",
		"http://secret@h:1",
		"http://:secret@h:1",
		"http://u:secret%zz@h:1",
		"http://u:secret%00@h:1",
		"http://u:secret%0@h:1",
		"http://u:secret%0d%0aX:@h:1",
		"http://a%3Ab:secret@h:1",
		"socks5://u:@h:1",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct kt_upstream_url url;
		struct kt_error error = {0};
		char text[600];

		EXPECT_EQ(-EINVAL, kt_upstream_url_parse(texts[i], &url, &error))
		TH_LOG("%s", texts[i]);
		kt_error_format(&error, text, sizeof text);
		EXPECT_NULL(strstr(text, "secret"));
	}
}

static int read_login(const void *content, size_t len, struct kt_upstream_login *ret)
{
	char path[] = "/tmp/upstream-XXXXXX";
	int fd = mkstemp(path), err;

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)len, write(fd, content, len));
	close(fd);
	err = kt_upstream_login_read(path, ret, NULL);
	unlink(path);
	return err;
}

#define READ_LOGIN(text, ret) read_login(text, sizeof(text) - 1, ret)

TEST(logins_are_one_line_of_a_file)
{
	struct kt_upstream_login got;
	char longest[2 * KT_UPSTREAM_LOGIN_MAX + 4];

	ASSERT_EQ(0, READ_LOGIN("user:pass:word %41\n", &got));
	EXPECT_STREQ("user", got.user);
	EXPECT_STREQ("pass:word %41", got.password);
	ASSERT_EQ(0, READ_LOGIN("user:\r\n", &got));
	EXPECT_STREQ("", got.password);
	EXPECT_EQ(-EINVAL, READ_LOGIN("", &got));
	EXPECT_EQ(-EINVAL, READ_LOGIN("user\n", &got));
	EXPECT_EQ(-EINVAL, READ_LOGIN(":password\n", &got));
	EXPECT_EQ(-EINVAL, READ_LOGIN("a:b\nc:d\n", &got));
	EXPECT_EQ(-EINVAL, READ_LOGIN("a:b\0c\n", &got));
	EXPECT_EQ(-EINVAL, READ_LOGIN("a:\x1b[31m\n", &got));
	memset(longest, 'a', sizeof longest);
	longest[KT_UPSTREAM_LOGIN_MAX] = ':';
	EXPECT_EQ(0, read_login(longest, 2 * KT_UPSTREAM_LOGIN_MAX + 1, &got));
	EXPECT_EQ(-EINVAL, read_login(longest, 2 * KT_UPSTREAM_LOGIN_MAX + 2, &got));
	EXPECT_EQ(-EFBIG, read_login(longest, sizeof longest, &got));
	EXPECT_EQ(-ENOENT, kt_upstream_login_read("/tmp/no/such", &got, NULL));
}

TEST_HARNESS_MAIN
