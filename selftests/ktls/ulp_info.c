/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading sock_diag's attributes from bytes written by hand (little endian lengths and types). */
#include "../../src/ktls/ulp_info.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include <ktrust/ktls.h>

#include "../harness.h"

/* struct nlattr: length with header, type; 0x8000 marks nesting. All of it aligned to 4. */
#define OTHER	    "\x05\x00\x08\x00x\0\0\0"	       /* INET_DIAG_SHUTDOWN, 1 byte and padding */
#define NAME	    "\x08\x00\x01\x00tls\0"	       /* INET_ULP_INFO_NAME */
#define VERSION	    "\x06\x00\x01\x00\x04\x03\0\0"     /* TLS_INFO_VERSION */
#define CIPHER	    "\x06\x00\x02\x00\x33\x00\0\0"     /* TLS_INFO_CIPHER */
#define TX(conf)    "\x06\x00\x03\x00" conf "\x00\0\0" /* TLS_INFO_TXCONF */
#define RX(conf)    "\x06\x00\x04\x00" conf "\x00\0\0" /* TLS_INFO_RXCONF */
#define ULP(tx, rx) OTHER "\x30\x00\x13\x80" NAME "\x24\x00\x02\x80" VERSION CIPHER TX(tx) RX(rx)
#define NONE	    "\x01"
#define SW	    "\x02"
#define DEVICE	    "\x03"
#define RECORD	    "\x04"

/* In a block of exactly its size, so that AddressSanitizer sees a read beyond it. */
static int read_copy(const char *bytes, size_t len, unsigned int *bits)
{
	char *copy = malloc(len ? len : 1);

	ASSERT_TRUE(copy);
	memcpy(copy, bytes, len);

	int err = kt_ktls_read_ulp_info(copy, len, bits);

	free(copy);
	return err;
}

FIXTURE(ulp_info){};
FIXTURE_VARIANT(ulp_info)
{
	const char *bytes;
	unsigned int bits;
};
FIXTURE_VARIANT_ADD(ulp_info, attached_only){ULP(NONE, NONE), 0};
FIXTURE_VARIANT_ADD(ulp_info, tx){ULP(SW, NONE), KT_KTLS_TX};
FIXTURE_VARIANT_ADD(ulp_info, rx){ULP(NONE, SW), KT_KTLS_RX};
FIXTURE_VARIANT_ADD(ulp_info, both){ULP(SW, SW), KT_KTLS_TX | KT_KTLS_RX};
FIXTURE_VARIANT_ADD(ulp_info, by_device){ULP(DEVICE, RECORD), KT_KTLS_TX | KT_KTLS_RX};

FIXTURE_SETUP(ulp_info)
{
	if (__BYTE_ORDER != __LITTLE_ENDIAN)
		SKIP(return, "the bytes are written for little endian");
}

FIXTURE_TEARDOWN(ulp_info)
{
}

TEST_F(ulp_info, says_which_directions_are_offloaded)
{
	unsigned int bits = 99;

	ASSERT_EQ(0, read_copy(variant->bytes, sizeof ULP(SW, SW) - 1, &bits));
	EXPECT_EQ(variant->bits, bits);
}

/* Whatever is cut off: never a read beyond the end, never a direction that was not said. */
TEST_F(ulp_info, survives_every_truncation)
{
	for (size_t len = 0; len < sizeof ULP(SW, SW) - 1; len++) {
		unsigned int bits = 99;

		EXPECT_EQ(-ENODATA, read_copy(variant->bytes, len, &bits));
		EXPECT_EQ(99, bits);
	}
}

TEST(ulp_info_without_tls_is_no_data)
{
	static const char name_only[] = "\x0c\x00\x13\x80" NAME;
	static const char header_too_short[] = "\x03\x00\x13\x80" NAME;
	unsigned int bits = 99;

	EXPECT_EQ(-ENODATA, read_copy(OTHER, sizeof OTHER - 1, &bits));
	EXPECT_EQ(-ENODATA, read_copy(name_only, sizeof name_only - 1, &bits));
	EXPECT_EQ(-ENODATA, read_copy(header_too_short, sizeof header_too_short - 1, &bits));
	EXPECT_EQ(99, bits);
}

/* tls_get_info leaves the configuration out when the socket's context is just going away. */
TEST(ulp_info_of_an_empty_context_is_no_direction)
{
	static const char empty[] = "\x10\x00\x13\x80" NAME "\x04\x00\x02\x80";
	unsigned int bits = 99;

	ASSERT_EQ(0, read_copy(empty, sizeof empty - 1, &bits));
	EXPECT_EQ(0, bits);
}

TEST_HARNESS_MAIN
