/* SPDX-License-Identifier: BSD-2-Clause */
/* The description of a connection as text: what is written is read back, and nothing else is taken.
 */
#include "../../src/handoff/handoff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ktrust/traffic.h>

#include "../harness.h"

static struct kt_handoff example(void)
{
	struct kt_handoff handoff = {
		.fd = -1,
		.conn = 7,
		.cookie = UINT64_MAX,
		.listener = "https",
		.peer_addr = "192.0.2.1:40000",
		.local_addr = "[2001:db8::1]:443",
		.verified = true,
		.peer = "spiffe://example.org/a",
		.peer_san = "uri:spiffe://example.org/a",
		.sni = "www.example.org",
		.alpn = "h2",
		.pool = "clients",
		.pool_version = 3,
		.anchor_name = "Example CA",
		.version = KT_TLS_1_3,
		.cipher = "TLS_AES_128_GCM_SHA256",
	};

	for (int i = 0; i < KT_DIGEST_LEN; i++) {
		handoff.pool_digest[i] = (uint8_t)(i * 9);
		handoff.anchor[i] = (uint8_t)(255 - i);
	}
	return handoff;
}

static int read_text(const char *text, struct kt_handoff *handoff)
{
	/* Of its own size, so that a sanitizer sees a step too far. */
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);
	int err;

	ASSERT_TRUE(copy);
	memcpy(copy, text, len);
	err = kt_handoff_read(copy, len, handoff);
	free(copy);
	return err;
}

static void expect_same(const struct kt_handoff *a, const struct kt_handoff *b)
{
	EXPECT_EQ(-1, b->fd);
	EXPECT_EQ(a->conn, b->conn);
	EXPECT_EQ(a->cookie, b->cookie);
	EXPECT_STREQ(a->listener, b->listener);
	EXPECT_STREQ(a->peer_addr, b->peer_addr);
	EXPECT_STREQ(a->local_addr, b->local_addr);
	EXPECT_EQ(a->verified, b->verified);
	EXPECT_STREQ(a->peer, b->peer);
	EXPECT_STREQ(a->peer_san, b->peer_san);
	EXPECT_STREQ(a->sni, b->sni);
	EXPECT_STREQ(a->alpn, b->alpn);
	EXPECT_STREQ(a->pool, b->pool);
	EXPECT_EQ(a->pool_version, b->pool_version);
	EXPECT_EQ(0, memcmp(a->pool_digest, b->pool_digest, KT_DIGEST_LEN));
	EXPECT_STREQ(a->anchor_name, b->anchor_name);
	EXPECT_EQ(0, memcmp(a->anchor, b->anchor, KT_DIGEST_LEN));
	EXPECT_EQ(a->version, b->version);
	EXPECT_STREQ(a->cipher, b->cipher);
}

TEST(text_is_read_back)
{
	struct kt_handoff handoff = example(), read;
	char text[KT_HANDOFF_TEXT_MAX + 1];
	size_t len = kt_handoff_write(&handoff, text);

	EXPECT_EQ(strlen(text), len);
	ASSERT_EQ(0, read_text(text, &read));
	expect_same(&handoff, &read);
	handoff.version = KT_TLS_1_2;
	kt_handoff_write(&handoff, text);
	ASSERT_EQ(0, read_text(text, &read));
	EXPECT_EQ(KT_TLS_1_2, read.version);
}

TEST(text_is_the_one_of_the_header)
{
	struct kt_handoff handoff = example();
	char text[KT_HANDOFF_TEXT_MAX + 1];
	static const char start[] =
		"{\"handoff\":1,\"conn\":7,\"cookie\":18446744073709551615,\"listener\":\"https\","
		"\"peer_addr\":\"192.0.2.1:40000\",\"local_addr\":\"[2001:db8::1]:443\","
		"\"verified\":true,\"peer\":\"spiffe://example.org/a\","
		"\"peer_san\":\"uri:spiffe://example.org/a\",\"sni\":\"www.example.org\","
		"\"alpn\":\"h2\",\"pool\":\"clients\",\"pool_version\":3,\"pool_digest\":\"000912";

	kt_handoff_write(&handoff, text);
	EXPECT_EQ(0, strncmp(start, text, strlen(start)));
	EXPECT_TRUE(strstr(text, "\",\"anchor_name\":\"Example CA\",\"anchor\":\"fffefd"));
	EXPECT_TRUE(
		strstr(text, "\",\"protocol\":\"TLSv1.3\",\"cipher\":\"TLS_AES_128_GCM_SHA256\"}"));
}

TEST(text_of_the_unverified_tells_nobody)
{
	struct kt_handoff handoff = example(), read;
	char text[KT_HANDOFF_TEXT_MAX + 1];

	handoff.verified = false;
	kt_handoff_write(&handoff, text);
	EXPECT_FALSE(strstr(text, "spiffe"));
	EXPECT_FALSE(strstr(text, "Example CA"));
	EXPECT_FALSE(strstr(text, "fffe"));
	EXPECT_FALSE(strstr(text, "000912"));
	ASSERT_EQ(0, read_text(text, &read));
	EXPECT_FALSE(read.verified);
	EXPECT_STREQ("", read.peer);
	EXPECT_STREQ("", read.peer_san);
	EXPECT_EQ(0, read.pool_version);
	EXPECT_STREQ("clients", read.pool);
}

/* Whatever a certificate or a hello says, its text ends where ours says. */
TEST(text_keeps_hostile_names_inside)
{
	static const char *const names[] = {
		"\",\"verified\":false,\"x\":\"",
		"\\",
		"\\\"",
		"a\nb\r\t\b\f",
		"\x01\x1f\x7f",
		"</script>",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	};
	struct kt_handoff handoff = example(), read;
	char text[KT_HANDOFF_TEXT_MAX + 1];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(handoff.peer, sizeof handoff.peer, "%s", names[i]);
		snprintf(handoff.sni, sizeof handoff.sni, "%s", names[i]);
		kt_handoff_write(&handoff, text);
		for (const char *c = text; *c; c++)
			EXPECT_TRUE((unsigned char)*c >= 0x20 && *c != 0x7f);
		ASSERT_EQ(0, read_text(text, &read));
		expect_same(&handoff, &read);
	}
}

TEST(text_replaces_what_is_no_utf8)
{
	/* cut, overlong, surrogate, beyond U+10FFFF, a continuation alone */
	static const char *const names[] = {
		"a\xc3", "\xc0\xaf", "\xed\xa0\x80",	 "\xf4\x90\x80\x80",
		"\x80",	 "\xe2\x82", "\xf0\x80\x80\x80", "\xff"};
	struct kt_handoff handoff = example(), read;
	char text[KT_HANDOFF_TEXT_MAX + 1];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(handoff.sni, sizeof handoff.sni, "%s", names[i]);
		kt_handoff_write(&handoff, text);
		EXPECT_FALSE(strpbrk(text, names[i][0] == 'a' ? "\xc3" : names[i]));
		ASSERT_EQ(0, read_text(text, &read));
		EXPECT_TRUE(strstr(read.sni, "\xef\xbf\xbd"));
	}
}

TEST(text_always_fits)
{
	struct kt_handoff handoff = example();
	char text[KT_HANDOFF_TEXT_MAX + 1];
	char *const fields[] = {handoff.listener, handoff.peer_addr, handoff.local_addr,
				handoff.peer,	  handoff.peer_san,  handoff.sni,
				handoff.alpn,	  handoff.pool,	     handoff.anchor_name,
				handoff.cipher};
	const size_t sizes[] = {sizeof handoff.listener,    sizeof handoff.peer_addr,
				sizeof handoff.local_addr,  sizeof handoff.peer,
				sizeof handoff.peer_san,    sizeof handoff.sni,
				sizeof handoff.alpn,	    sizeof handoff.pool,
				sizeof handoff.anchor_name, sizeof handoff.cipher};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		memset(fields[i], 1, sizes[i] - 1);
	handoff.conn = handoff.pool_version = UINT64_MAX;
	EXPECT_GE(KT_HANDOFF_TEXT_MAX, kt_handoff_write(&handoff, text));
}

/* ---- Reading what others wrote ------------------------------------------------------------- */

#define MUST                                                                                       \
	"\"handoff\":1,\"conn\":1,\"cookie\":2,\"listener\":\"l\",\"protocol\":\"TLSv1.2\","       \
	"\"cipher\":\"c\""
#define HEX "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

TEST(reader_takes_what_json_allows)
{
	struct kt_handoff read;

	EXPECT_EQ(0, read_text("{" MUST ",\"verified\":false}", &read));
	EXPECT_EQ(0, read_text(" \t\r\n{ " MUST " , \"verified\" : false } \n", &read));
	EXPECT_EQ(0, read_text("{\"verified\":false," MUST "}", &read));
	EXPECT_EQ(0, read_text("{" MUST ",\"verified\":false,\"sni\":null,\"alpn\":\"\"}", &read));
	EXPECT_EQ(0, read_text("{" MUST ",\"verified\":false,\"more\":-5,\"less\":\"\\u00e4\","
			       "\"none\":null,\"yes\":true,\"zero\":0}",
			       &read));
	ASSERT_EQ(0, read_text("{" MUST ",\"verified\":false,\"sni\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t"
			       "\\u00E4\\u20ac\\ud83d\\ude00\"}",
			       &read));
	EXPECT_STREQ("\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", read.sni);
	ASSERT_EQ(0, read_text("{" MUST ",\"verified\":true,\"pool\":\"p\",\"pool_version\":1,"
			       "\"pool_digest\":\"" HEX "\",\"anchor\":\"" HEX "\"}",
			       &read));
	EXPECT_EQ(0xef, read.anchor[7]);
	EXPECT_EQ(0xef, read.anchor[15]);
}

TEST(reader_refuses_the_rest)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"null",
		"{" MUST "}",			  /* not said whether verified */
		"{" MUST ",\"verified\":false",	  /* cut */
		"{" MUST ",\"verified\":false}x", /* and more */
		"{" MUST ",\"verified\":false,}", /* a comma too many */
		"{" MUST ",,\"verified\":false}",
		"{" MUST ",\"verified\":null}",
		"{" MUST ",\"verified\":1}",
		"{" MUST ",\"verified\":false,\"verified\":true}",
		"{" MUST ",\"verified\":false,\"conn\":null}",
		"{" MUST ",\"verified\":false,\"sni\":5}",
		"{" MUST ",\"verified\":false,\"sni\":\"a}",
		"{" MUST ",\"verified\":false,\"sni\":\"\\u0000\"}",
		"{" MUST ",\"verified\":false,\"sni\":\"\\ud83d\"}",
		"{" MUST ",\"verified\":false,\"sni\":\"\\ude00\"}",
		"{" MUST ",\"verified\":false,\"sni\":\"\\ud83dx\"}",
		"{" MUST ",\"verified\":false,\"sni\":\"\\u12\"}",
		"{" MUST ",\"verified\":false,\"sni\":\"\\x\"}",
		"{" MUST ",\"verified\":false,\"sni\":\"\\",
		"{" MUST ",\"verified\":false,\"sni\":\"\n\"}",
		"{" MUST ",\"verified\":false,\"sni\":\"\xff\"}",
		"{" MUST ",\"verified\":false,\"sni\":{}}",
		"{" MUST ",\"verified\":false,\"more\":[]}",
		"{" MUST ",\"verified\":false,\"more\":{}}",
		"{" MUST ",\"verified\":false,\"more\":1.5}",
		"{" MUST ",\"verified\":false,\"more\":01}",
		"{" MUST ",\"verified\":false,\"more\":-}",
		"{" MUST ",\"verified\":false,\"more\":18446744073709551616}",
		"{" MUST ",\"verified\":false,\"more\"}",
		"{" MUST ",\"verified\":false,\"more\":}",
		"{" MUST ",\"verified\":false,more:1}",
		"{" MUST ",\"verified\":false,\"pool_version\":-1}",
		/* a verdict that is not whole */
		"{" MUST ",\"verified\":true}",
		"{" MUST ",\"verified\":true,\"pool\":\"p\",\"pool_version\":1,\"anchor\":\"" HEX
		"\"}",
		"{" MUST
		",\"verified\":true,\"pool\":\"p\",\"pool_version\":1,\"pool_digest\":\"" HEX
		"\",\"anchor\":\"0123\"}",
		"{" MUST
		",\"verified\":true,\"pool\":\"p\",\"pool_version\":1,\"pool_digest\":\"" HEX
		"\",\"anchor\":\"" HEX "00\"}",
		"{" MUST
		",\"verified\":true,\"pool\":\"p\",\"pool_version\":1,\"pool_digest\":\"" HEX
		"\",\"anchor\":"
		"\"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
		/* a name that nobody vouches for */
		"{" MUST ",\"verified\":false,\"peer\":\"alice\"}",
		"{" MUST ",\"verified\":false,\"peer_san\":\"dns:alice\"}",
		"{" MUST ",\"verified\":false,\"anchor_name\":\"CA\"}",
		"{" MUST ",\"verified\":false,\"pool_version\":1}",
		"{" MUST ",\"verified\":false,\"anchor\":\"" HEX "\"}",
		/* texts and names with no room */
		"{" MUST ",\"verified\":false,\"pool\":\"01234567890123456789012345678901\"}",
		"{" MUST ",\"verified\":false,"
		"\"01234567890123456789012345678901234567890123456789012345678901234\":1}",
		"{\"handoff\":1,\"conn\":1,\"cookie\":2,\"listener\":\"l\",\"protocol\":\"TLSv1."
		"1\","
		"\"cipher\":\"c\",\"verified\":false}",
	};
	struct kt_handoff read;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		memset(&read, 0x5a, sizeof read);
		EXPECT_EQ(-EBADMSG, read_text(texts[i], &read))
		{
			TH_LOG("%s", texts[i]);
		}
		EXPECT_EQ(0x5a5a5a5a5a5a5a5a, read.conn);
	}
}

TEST(reader_refuses_every_beginning)
{
	struct kt_handoff handoff = example(), read;
	char text[KT_HANDOFF_TEXT_MAX + 1], piece[KT_HANDOFF_TEXT_MAX + 1];
	size_t len = kt_handoff_write(&handoff, text);

	for (size_t cut = 0; cut < len; cut++) {
		memcpy(piece, text, cut);
		piece[cut] = '\0';
		EXPECT_EQ(-EBADMSG, read_text(piece, &read));
	}
}

TEST(reader_names_other_versions)
{
	struct kt_handoff read;

	EXPECT_EQ(-EPROTONOSUPPORT, read_text("{\"handoff\":2}", &read));
	EXPECT_EQ(-EPROTONOSUPPORT, read_text("{\"handoff\":0,\"verified\":false}", &read));
}

TEST(reader_has_a_limit)
{
	struct kt_handoff read;
	char *text = malloc(KT_HANDOFF_TEXT_MAX + 2);
	int start = sprintf(text, "{" MUST ",\"verified\":false}");

	memset(text + start, ' ', (size_t)(KT_HANDOFF_TEXT_MAX + 1 - start));
	EXPECT_EQ(0, kt_handoff_read(text, KT_HANDOFF_TEXT_MAX, &read));
	EXPECT_EQ(-EBADMSG, kt_handoff_read(text, KT_HANDOFF_TEXT_MAX + 1, &read));
	free(text);
}

TEST_HARNESS_MAIN
