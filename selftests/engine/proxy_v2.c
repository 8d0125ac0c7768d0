/* SPDX-License-Identifier: BSD-2-Clause */
/* PROXY headers as bytes, and the networks they may come from. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/engine/engine.h"
#include "../../src/engine/proxy_v2.h"
#include "../harness.h"

/* ---- Networks -------------------------------------------------------------------------------- */

static union kt_peer_address address_of(const char *text)
{
	union kt_peer_address address = {0};

	if (strchr(text, ':')) {
		address.in6.sin6_family = AF_INET6;
		ASSERT_EQ(1, inet_pton(AF_INET6, text, &address.in6.sin6_addr));
	} else {
		address.in.sin_family = AF_INET;
		ASSERT_EQ(1, inet_pton(AF_INET, text, &address.in.sin_addr));
	}
	return address;
}

TEST(networks_have_what_their_bits_say)
{
	static const struct {
		const char *network;
		const char *address;
		bool has;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"10.0.0.0/8", "a01::", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.128/25", "192.0.2.255", true},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.0", false},
		{"192.0.2.1/32", "192.0.2.1", true},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "::1", false},
		{"::1", "::1", true},
		{"::1/128", "::2", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"::ffff:10.0.0.0/104", "10.9.9.9", true},
		{"::/0", "203.0.113.9", true},
	};
	struct kt_network network;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		union kt_peer_address address = address_of(cases[i].address);

		ASSERT_EQ(0, kt_network_parse(cases[i].network, &network, NULL));
		EXPECT_EQ(cases[i].has, kt_network_has(&network, &address.sa))
		{
			TH_LOG("%s %s", cases[i].network, cases[i].address);
		}
	}
	ASSERT_EQ(0, kt_network_parse("::/0", &network, NULL));
	EXPECT_FALSE(kt_network_has(&network, &(struct sockaddr){.sa_family = AF_UNSPEC}));
	EXPECT_FALSE(kt_network_has(&network, &(struct sockaddr){.sa_family = AF_UNIX}));
}

TEST(networks_that_are_none_are_refused)
{
	static const char *const bad[] = {"",
					  "/",
					  "/8",
					  "10.0.0.0/",
					  "10.0.0.0/33",
					  "10.0.0.0/-1",
					  "10.0.0.0/+8",
					  "10.0.0.0/8 ",
					  "10.0.0.0/0x8",
					  "10.0.0.0/0008",
					  "10.0.0/8",
					  "10.0.0.1/8",
					  "10.0.0.0/7/",
					  "::/129",
					  "::1/127",
					  "[::1]",
					  "a.test",
					  "::1%lo",
					  "1.2.3.4:80",
					  "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/8"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct kt_network network = {.bits = 7};
		struct kt_error error = {0};

		EXPECT_EQ(-EINVAL, kt_network_parse(bad[i], &network, &error))
		{
			TH_LOG("'%s'", bad[i]);
		}
		EXPECT_STRNE("", error.text);
		EXPECT_EQ(7, network.bits);
	}
}

/* ---- Reading --------------------------------------------------------------------------------- */

#define PREFIX(command, family, len)                                                               \
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, command, family,   \
		(len) >> 8, (len)&0xff
#define ENDS4 192, 0, 2, 1, 198, 51, 100, 2, 0xc0, 0x01, 0x01, 0xbb

static int parse(const uint8_t *header, size_t len, struct kt_proxy_ends *ret_ends)
{
	/* A copy that ends where the header does, for the sanitizer to see. */
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	ASSERT_TRUE(copy != NULL);
	memcpy(copy, header, len);
	err = kt_proxy_parse(copy, len, ret_ends);
	free(copy);
	return err;
}

static void expect_refused(const uint8_t *header, size_t len)
{
	struct kt_proxy_ends ends;

	memset(&ends, 0x5a, sizeof ends);
	EXPECT_EQ(-EPROTO, parse(header, len, &ends));
	EXPECT_EQ(0x5a5a, ends.source.sa.sa_family);
}

static void expect_in(const union kt_peer_address *address, const char *text, uint16_t port)
{
	union kt_peer_address wanted = address_of(text);

	ASSERT_EQ(wanted.sa.sa_family, address->sa.sa_family);
	wanted.in.sin_port = htons(port);
	if (wanted.sa.sa_family == AF_INET)
		EXPECT_EQ(0, memcmp(&wanted.in, &address->in, sizeof wanted.in));
	else
		EXPECT_EQ(0, memcmp(&wanted.in6, &address->in6, sizeof wanted.in6));
}

TEST(header_of_ipv4_names_both_ends)
{
	static const uint8_t header[] = {PREFIX(0x21, 0x11, 12), ENDS4};
	struct kt_proxy_ends ends;

	ASSERT_EQ(0, parse(header, sizeof header, &ends));
	expect_in(&ends.source, "192.0.2.1", 49153);
	expect_in(&ends.destination, "198.51.100.2", 443);
}

TEST(header_of_ipv6_names_both_ends)
{
	static const uint8_t header[] = {PREFIX(0x21, 0x21, 36 + 5),
					 0x20,
					 0x01,
					 0x0d,
					 0xb8,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0x0a,
					 0x20,
					 0x01,
					 0x0d,
					 0xb8,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0,
					 0x0b,
					 0x12,
					 0x34,
					 0x20,
					 0xfb,
					 0x01,
					 0,
					 2,
					 'h',
					 '2'};
	struct kt_proxy_ends ends;

	ASSERT_EQ(0, parse(header, sizeof header, &ends));
	expect_in(&ends.source, "2001:db8::a", 0x1234);
	expect_in(&ends.destination, "2001:db8::b", 8443);
}

TEST(headers_without_addresses_name_none)
{
	static const uint8_t unspec[] = {PREFIX(0x21, 0x00, 0)};
	static const uint8_t unspec_tlv[] = {PREFIX(0x21, 0x00, 4), 0x04, 0, 1, 'x'};
	static const uint8_t unix_stream[16 + 216] = {PREFIX(0x21, 0x31, 216), '/', 'a'};
	/* all behind LOCAL has no meaning, family included */
	static const uint8_t local[] = {PREFIX(0x20, 0xff, 3), 1, 2, 3};
	static const uint8_t local_in[] = {PREFIX(0x20, 0x11, 12), ENDS4};
	static const struct {
		const uint8_t *header;
		size_t len;
	} cases[] = {{unspec, sizeof unspec},
		     {unspec_tlv, sizeof unspec_tlv},
		     {unix_stream, sizeof unix_stream},
		     {local, sizeof local},
		     {local_in, sizeof local_in}};
	struct kt_proxy_ends ends;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memset(&ends, 0x5a, sizeof ends);
		EXPECT_EQ(0, parse(cases[i].header, cases[i].len, &ends));
		EXPECT_EQ(AF_UNSPEC, ends.source.sa.sa_family);
		EXPECT_EQ(AF_UNSPEC, ends.destination.sa.sa_family);
	}
}

TEST(beginning_is_known_by_each_byte)
{
	uint8_t header[] = {PREFIX(0x21, 0x11, 12), ENDS4};

	for (size_t i = 0; i < 13; i++) {
		EXPECT_TRUE(kt_proxy_may_begin(header, i));
		header[i] ^= 0x40;
		EXPECT_TRUE(kt_proxy_may_begin(header, i));
		EXPECT_FALSE(kt_proxy_may_begin(header, i + 1));
		expect_refused(header, sizeof header);
		header[i] ^= 0x40;
	}
	for (unsigned int command = 0; command < 256; command++) {
		header[12] = (uint8_t)command;
		EXPECT_EQ(command == 0x20 || command == 0x21, kt_proxy_may_begin(header, 16));
	}
	EXPECT_FALSE(kt_proxy_may_begin((const uint8_t *)"PROXY TCP4 ", 1));
	header[14] = 0xfe;
	header[15] = 0xdc;
	EXPECT_EQ(0xfedc, kt_proxy_rest_len(header));
}

TEST(family_is_one_of_a_stream)
{
	uint8_t header[16 + 216] = {PREFIX(0x21, 0x00, 216)};
	struct kt_proxy_ends ends;

	/* TLVs of one value that reaches to the end, wherever the addresses end */
	for (unsigned int family = 0; family < 256; family++) {
		size_t len = family == 0x00 ? 0 : family == 0x11 ? 12 : family == 0x21 ? 36 : 216;

		memset(header + 16, 0, 216);
		header[13] = (uint8_t)family;
		if (len < 216) {
			header[16 + len] = 0x04;
			header[16 + len + 2] = (uint8_t)(216 - len - 3);
		}
		if (family == 0x00 || family == 0x11 || family == 0x21 || family == 0x31)
			EXPECT_EQ(0, parse(header, sizeof header, &ends));
		else
			expect_refused(header, sizeof header);
	}
}

/* The length in the header follows, so that only what it holds is too short. */
static void expect_refused_with(uint8_t *header, size_t len)
{
	header[14] = (uint8_t)((len - 16) >> 8);
	header[15] = (uint8_t)(len - 16);
	expect_refused(header, len);
}

TEST(header_that_is_cut_is_refused)
{
	uint8_t header[] = {
		PREFIX(0x21, 0x11, 12 + 5 + 4), ENDS4, 0x02, 0, 2, 'a', 'b', 0x04, 0, 1, 'c'};
	struct kt_proxy_ends ends;

	ASSERT_EQ(0, parse(header, sizeof header, &ends));
	for (size_t len = 0; len < sizeof header; len++)
		expect_refused(header, len);
	for (size_t len = 16; len < sizeof header; len++)
		if (len != 28 && len != 33)
			expect_refused_with(header, len);
	/* a TLV may end where the header does, not behind it */
	header[14] = 0;
	header[15] = sizeof header - 16;
	header[35] = 2;
	expect_refused(header, sizeof header);
	header[35] = 0;
	expect_refused(header, sizeof header);
	header[34] = 0xff;
	header[35] = 0xff;
	expect_refused(header, sizeof header);
}

/* The checksum was made by another program. */
TEST(checksum_must_be_right)
{
	uint8_t header[] = {PREFIX(0x21, 0x11, 12 + 7), ENDS4, 0x03, 0, 4, 0x6f, 0x66, 0x71, 0x28};
	uint8_t twice[sizeof header + 7], cut[sizeof header - 1];
	struct kt_proxy_ends ends;

	EXPECT_EQ(0, parse(header, sizeof header, &ends));
	for (size_t i = 16; i < sizeof header; i++) {
		if (i == 28)
			continue; /* then it is another TLV */
		header[i] ^= 1;
		expect_refused(header, sizeof header);
		header[i] ^= 1;
	}
	memcpy(cut, header, sizeof cut);
	cut[30] = 3;
	expect_refused_with(cut, sizeof cut);
	memcpy(twice, header, sizeof header);
	memcpy(twice + sizeof header, header + 28, 7);
	expect_refused_with(twice, sizeof twice);
}

/* ---- Writing: what the bytes are, and that they are bounded ---------------------------------- */

TEST(header_is_these_bytes)
{
	static const uint8_t anchor[32] = {1, [31] = 2};
	static const uint8_t wanted[] = {
		PREFIX(0x21, 0x11, 12 + 5 + 9 + 8 + 10 + 5 + 6 + 4 + 5 + 4 + 5 + 35 + 8),
		ENDS4,
		0x01,
		0,
		2,
		'h',
		'2',
		0x02,
		0,
		6,
		'a',
		'.',
		't',
		'e',
		's',
		't',
		0x20,
		0,
		5 + 10 + 5 + 6 + 4 + 5,
		7,
		0,
		0,
		0,
		0,
		0x21,
		0,
		7,
		'T',
		'L',
		'S',
		'v',
		'1',
		'.',
		'3',
		0x22,
		0,
		2,
		'c',
		'n',
		0x23,
		0,
		3,
		'c',
		'i',
		'p',
		0x24,
		0,
		1,
		's',
		0x25,
		0,
		2,
		'k',
		'y',
		0xe0,
		0,
		1,
		'p',
		0xe1,
		0,
		2,
		'1',
		'2',
		0xe2,
		0,
		32,
		1,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		2,
		0xe3,
		0,
		5,
		'd',
		'n',
		's',
		':',
		'd'};
	union kt_peer_address from = address_of("::ffff:192.0.2.1");
	union kt_peer_address to = address_of("198.51.100.2");
	const struct kt_proxy_facts facts = {.source = &from,
					     .destination = &to,
					     .alpn = "h2",
					     .server_name = "a.test",
					     .version = "TLSv1.3",
					     .cipher = "cip",
					     .signature = "s",
					     .key = "ky",
					     .verified = true,
					     .common_name = "cn",
					     .pool = "p",
					     .pool_version = 12,
					     .anchor = anchor,
					     .peer = "dns:d"};
	uint8_t header[KT_PROXY_OUT_MAX];

	from.in6.sin6_port = htons(49153);
	to.in.sin_port = htons(443);
	ASSERT_EQ(sizeof wanted, kt_proxy_write(&facts, header));
	EXPECT_EQ(0, memcmp(wanted, header, sizeof wanted));
}

TEST(header_of_the_longest_names_has_them_all)
{
	static const uint8_t anchor[32];
	const union kt_peer_address end = address_of("2001:db8::1");
	char text[256], word[64], peer[512];
	const struct kt_proxy_facts facts = {.source = &end,
					     .destination = &end,
					     .alpn = text,
					     .server_name = text,
					     .version = "TLSv1.3",
					     .cipher = word,
					     .signature = word,
					     .key = word,
					     .verified = true,
					     .common_name = text,
					     .pool = "0123456789012345678901234567890",
					     .pool_version = UINT64_MAX,
					     .anchor = anchor,
					     .peer = peer};
	uint8_t header[KT_PROXY_OUT_MAX];
	struct kt_proxy_ends ends;
	size_t len;

	memset(text, 'a', 255);
	text[255] = '\0';
	memset(word, 'c', 63);
	word[63] = '\0';
	memset(peer, 'b', 511);
	peer[511] = '\0';
	len = kt_proxy_write(&facts, header);
	EXPECT_EQ(16 + 36 + 3 * 258 + 8 + 10 + 3 * 66 + 34 + 23 + 35 + 514, len);
	EXPECT_EQ(0, memcmp(peer, header + len - 511, 511));
	EXPECT_EQ(0, parse(header, len, &ends));
	expect_in(&ends.source, "2001:db8::1", 0);
}

TEST(header_of_ends_that_differ_names_none)
{
	const union kt_peer_address in = address_of("192.0.2.1"), in6 = address_of("2001:db8::1");
	const union kt_peer_address none = {0};
	const union kt_peer_address *const cases[][2] = {{&in, &in6}, {&none, &in}, {&none, &none}};
	uint8_t header[KT_PROXY_OUT_MAX];

	for (size_t i = 0; i < 3; i++) {
		const struct kt_proxy_facts facts = {.source = cases[i][0],
						     .destination = cases[i][1],
						     .alpn = "",
						     .server_name = "",
						     .version = "TLSv1.2",
						     .cipher = "",
						     .signature = "",
						     .key = ""};
		static const uint8_t wanted[] = {PREFIX(0x21, 0x00, 18),
						 0x20,
						 0,
						 15,
						 1,
						 0,
						 0,
						 0,
						 1,
						 0x21,
						 0,
						 7,
						 'T',
						 'L',
						 'S',
						 'v',
						 '1',
						 '.',
						 '2'};

		ASSERT_EQ(sizeof wanted, kt_proxy_write(&facts, header));
		EXPECT_EQ(0, memcmp(wanted, header, sizeof wanted));
	}
}

TEST_HARNESS_MAIN
