/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as text, there and back. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "../../src/engine/engine.h"
#include "../harness.h"

static void expect_same(const char *text)
{
	struct kt_address address;
	struct kt_error error = {0};
	char buf[KT_ADDRESS_TEXT_MAX];

	ASSERT_EQ(0, kt_address_parse(text, &address, &error));
	EXPECT_EQ(buf, kt_address_format(&address, buf));
	EXPECT_STREQ(text, buf);
}

TEST(text_comes_back_as_it_was)
{
	expect_same("127.0.0.1:8443");
	expect_same("0.0.0.0:0");
	expect_same("255.255.255.255:65535");
	expect_same("[::1]:443");
	expect_same("[2001:db8::17]:1");
	expect_same("unix:/run/backend.sock");
	expect_same("unix:relative");
}

TEST(no_host_means_all_addresses)
{
	struct kt_address address;

	ASSERT_EQ(0, kt_address_parse(":8443", &address, NULL));
	if (address.addr.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address.addr;

		EXPECT_EQ(0, memcmp(&in6->sin6_addr, &in6addr_any, sizeof in6addr_any));
		EXPECT_EQ(8443, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in = (struct sockaddr_in *)&address.addr;

		EXPECT_EQ(INADDR_ANY, in->sin_addr.s_addr);
		EXPECT_EQ(8443, ntohs(in->sin_port));
	}
}

TEST(names_are_resolved)
{
	struct kt_address address;

	ASSERT_EQ(0, kt_address_parse("localhost:80", &address, NULL));
	EXPECT_TRUE(address.addr.ss_family == AF_INET || address.addr.ss_family == AF_INET6);
}

#define MANY 8

static size_t parse_all(const char *text, size_t room, struct kt_address addresses[static MANY])
{
	struct kt_error error = {0};
	size_t count = 0;

	ASSERT_EQ(0, kt_addresses_parse(text, room, addresses, &count, &error));
	return count;
}

/* By a family each, which is how many this machine's localhost has. */
TEST(every_address_of_a_name_is_taken_once)
{
	struct kt_address all[MANY], one[MANY];
	size_t count = 0, found = parse_all("localhost:80", MANY, all);

	for (int family = 0; family < 2; family++) {
		const struct addrinfo hints = {.ai_family = family ? AF_INET6 : AF_INET,
					       .ai_socktype = SOCK_STREAM};
		struct addrinfo *info;

		if (getaddrinfo("localhost", NULL, &hints, &info))
			continue;
		freeaddrinfo(info);
		count++;
	}
	EXPECT_LE(count, found);
	for (size_t i = 0; i < found; i++)
		for (size_t k = 0; k < i; k++)
			EXPECT_NE(0, memcmp(&all[i], &all[k], sizeof all[i]));
	EXPECT_EQ(1, parse_all("localhost:80", 1, one));
	EXPECT_EQ(0, memcmp(&all[0], &one[0], sizeof one[0]));
	EXPECT_EQ(1, parse_all("127.0.0.1:80", MANY, all));
	EXPECT_EQ(1, parse_all("unix:/run/x", MANY, all));
	EXPECT_EQ(1, parse_all(":80", MANY, all));
}

static void expect_error(const char *text, int err)
{
	struct kt_address address = {.len = 77};
	struct kt_error error = {0};

	EXPECT_EQ(err, kt_address_parse(text, &address, &error))
	{
		TH_LOG("%s", text);
	}
	EXPECT_EQ(-err, error.err);
	EXPECT_STRNE("", error.text);
	EXPECT_EQ(77, address.len);
}

TEST(refuses_what_is_no_address)
{
	expect_error("", -EINVAL);
	expect_error("127.0.0.1", -EINVAL);
	expect_error("127.0.0.1:", -EINVAL);
	expect_error("127.0.0.1:http", -EINVAL);
	expect_error("127.0.0.1:65536", -EINVAL);
	expect_error("127.0.0.1:99999999999999999999", -EINVAL);
	expect_error("127.0.0.1:-1", -EINVAL);
	expect_error("127.0.0.1: 80", -EINVAL);
	expect_error("::1:80", -EINVAL);
	expect_error("[::1]", -EINVAL);
	expect_error("[::1]80", -EINVAL);
	expect_error("[::1:80", -EINVAL);
	expect_error("unix:", -EINVAL);
}

TEST(refuses_what_is_too_long)
{
	char text[600] = "unix:/";

	memset(text + 6, 'a', 120);
	expect_error(text, -ENAMETOOLONG);
	memset(text, 'a', 300);
	strcpy(text + 300, ":80");
	expect_error(text, -ENAMETOOLONG);
}

TEST(names_that_do_not_exist_are_told)
{
	expect_error("no-such-host.invalid:80", -EHOSTUNREACH);
	expect_error("[not-an-address]:80", -EHOSTUNREACH);
}

TEST(host_and_port_are_parted_unresolved)
{
	static const char *const none[] = {
		":80", "h:0", "h", "h:", "h:65536", "::1:80", "[::1]", ""};
	char host[KT_HOST_SIZE] = "untouched";
	struct kt_error error = {0};
	uint16_t port = 7;

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		EXPECT_EQ(-EINVAL, kt_address_split(none[i], host, &port, &error));
	EXPECT_STREQ("untouched", host);
	EXPECT_EQ(7, port);
	ASSERT_EQ(0, kt_address_split("no-such-host.invalid:65535", host, &port, &error));
	EXPECT_STREQ("no-such-host.invalid", host);
	EXPECT_EQ(65535, port);
	ASSERT_EQ(0, kt_address_split("[2001:db8::1]:443", host, &port, &error));
	EXPECT_STREQ("2001:db8::1", host);
	EXPECT_EQ(443, port);
}

TEST(nothing_is_shown_as_a_dash)
{
	const struct kt_address none = {0};
	char buf[KT_ADDRESS_TEXT_MAX];

	EXPECT_STREQ("-", kt_address_format(&none, buf));
}

TEST_HARNESS_MAIN
