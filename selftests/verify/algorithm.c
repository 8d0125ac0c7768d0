/* SPDX-License-Identifier: BSD-2-Clause */
/* Which keys are accepted, by their bytes alone; made by a CA: cases/algorithms.cases. */
#include "../../src/verify/algorithm.h"

#include "../harness.h"
#include "../lib/der_writer.h"

#define RSA_ALGORITHM "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
#define MODULUS_MAX   1100 /* bytes */

/* An RSA key of so many bits; the exponent: content of its INTEGER. */
static struct kt_key rsa_key(unsigned int bits, const void *exponent, size_t len)
{
	static struct der spki;
	static struct der key;
	uint8_t modulus[1 + MODULUS_MAX] = {0};
	size_t bytes = (bits + 7) / 8, mark, string;

	/* The zero before it keeps it positive. */
	memset(modulus + 1, 0xff, bytes);
	if (bits % 8)
		modulus[1] = (uint8_t)((1u << bits % 8) - 1);
	key.len = spki.len = 0;
	mark = der_open(&key, 0x30);
	der_put(&key, 0x02, modulus + !!(bits % 8), bytes + !(bits % 8));
	der_put(&key, 0x02, exponent, len);
	der_close(&key, mark);
	mark = der_open(&spki, 0x30);
	der_add(&spki, RSA_ALGORITHM, sizeof RSA_ALGORITHM - 1);
	string = der_open(&spki, 0x03);
	der_add(&spki, "", 1);
	der_add(&spki, key.bytes, key.len);
	der_close(&spki, string);
	der_close(&spki, mark);
	return kt_algorithm_of_key((struct kt_der_view){spki.bytes, spki.len});
}

TEST(algorithm_rsa_exponents_are_odd_and_short)
{
	static const struct {
		const char *exponent;
		size_t len;
		enum kt_key_type type;
	} cases[] = {
		{"\x03", 1, KT_KEY_RSA},
		{"\x11", 1, KT_KEY_RSA},
		{"\x01\x00\x01", 3, KT_KEY_RSA},
		{"\x00\xff\xff\xff\xff", 5, KT_KEY_RSA},     /* 2^32 - 1 */
		{"\x01\xff\xff\xff\xff", 5, KT_KEY_RSA},     /* 2^33 - 1 */
		{"\x02\x00\x00\x00\x01", 5, KT_KEY_UNKNOWN}, /* 2^33 + 1 */
		{"\x7f\xff\xff\xff\xff\xff\xff\xff", 8, KT_KEY_UNKNOWN},
		{"\x00\xff\xff\xff\xff\xff\xff\xff\xff", 9, KT_KEY_UNKNOWN},
		{"\x01", 1, KT_KEY_UNKNOWN},
		{"\x00", 1, KT_KEY_UNKNOWN},
		{"\x02", 1, KT_KEY_UNKNOWN},
		{"\x01\x00\x00", 3, KT_KEY_UNKNOWN},
		{"\x81", 1, KT_KEY_UNKNOWN},	 /* negative */
		{"\x00\x03", 2, KT_KEY_UNKNOWN}, /* longer than it has to be */
		{"", 0, KT_KEY_UNKNOWN},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		EXPECT_EQ(cases[i].type, rsa_key(2048, cases[i].exponent, cases[i].len).type)
		{
			TH_LOG("case %zu", i);
		}
}

TEST(algorithm_rsa_keys_are_of_bounded_size)
{
	static const struct {
		unsigned int bits;
		enum kt_key_type type;
	} cases[] = {{2047, KT_KEY_UNKNOWN}, {2048, KT_KEY_RSA},    {2049, KT_KEY_RSA},
		     {4096, KT_KEY_RSA},     {8192, KT_KEY_RSA},    {8193, KT_KEY_UNKNOWN},
		     {8200, KT_KEY_UNKNOWN}, {1024, KT_KEY_UNKNOWN}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kt_key key = rsa_key(cases[i].bits, "\x01\x00\x01", 3);

		EXPECT_EQ(cases[i].type, key.type);
		EXPECT_EQ(cases[i].bits, key.bits);
	}
}

TEST_HARNESS_MAIN
