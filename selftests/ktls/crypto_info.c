/* SPDX-License-Identifier: BSD-2-Clause */
/* The cipher table against bytes written out by hand from include/uapi/linux/tls.h. */
#include "../../src/ktls/crypto_info.h"

#include <errno.h>

#include "../harness.h"

#define KEY16 "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"
#define KEY32 KEY16 "\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf"
#define SALT  "\xc0\xc1\xc2\xc3"
#define REST  "\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb"
#define SEQ   "\x01\x02\x03\x04\x05\x06\x07\x08"

static const struct kt_traffic_key key = {
	.key = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa,
		0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5,
		0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf},
	.iv = {0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb},
	.seq = 0x0102030405060708,
};

FIXTURE(crypto_info){};
FIXTURE_VARIANT(crypto_info)
{
	uint16_t version;
	enum kt_cipher cipher;
	uint16_t kernel_type;
	int len;	  /* of the kernel's struct */
	const char *body; /* all that follows version and type */
};
FIXTURE_VARIANT_ADD(crypto_info, tls12_aes_128_gcm){KT_TLS_1_2, KT_AES_128_GCM, 51, 40,
						    REST KEY16 SALT SEQ};
FIXTURE_VARIANT_ADD(crypto_info, tls13_aes_128_gcm){KT_TLS_1_3, KT_AES_128_GCM, 51, 40,
						    REST KEY16 SALT SEQ};
FIXTURE_VARIANT_ADD(crypto_info, tls12_aes_256_gcm){KT_TLS_1_2, KT_AES_256_GCM, 52, 56,
						    REST KEY32 SALT SEQ};
FIXTURE_VARIANT_ADD(crypto_info, tls13_aes_256_gcm){KT_TLS_1_3, KT_AES_256_GCM, 52, 56,
						    REST KEY32 SALT SEQ};
FIXTURE_VARIANT_ADD(crypto_info, tls12_chacha20_poly1305){KT_TLS_1_2, KT_CHACHA20_POLY1305, 54, 56,
							  SALT REST KEY32 SEQ};
FIXTURE_VARIANT_ADD(crypto_info, tls13_chacha20_poly1305){KT_TLS_1_3, KT_CHACHA20_POLY1305, 54, 56,
							  SALT REST KEY32 SEQ};

FIXTURE_SETUP(crypto_info)
{
}

FIXTURE_TEARDOWN(crypto_info)
{
}

TEST_F(crypto_info, is_laid_out_as_the_kernel_reads_it)
{
	union ktls_crypto_info info;
	uint16_t header[2];

	memset(&info, 0xee, sizeof info);
	ASSERT_EQ(variant->len, kt_ktls_lay_out(variant->version, variant->cipher, &key, &info));
	memcpy(header, &info, sizeof header);
	EXPECT_EQ(variant->version, header[0]);
	EXPECT_EQ(variant->kernel_type, header[1]);
	EXPECT_EQ(0, memcmp(info.bytes + 4, variant->body, (size_t)variant->len - 4));
	for (size_t i = (size_t)variant->len; i < sizeof info; i++)
		EXPECT_EQ(0, info.bytes[i]);
}

TEST(crypto_info_refuses_what_is_not_in_the_table)
{
	union ktls_crypto_info info, before;

	memset(&info, 0xee, sizeof info);
	before = info;
	EXPECT_EQ(-EINVAL, kt_ktls_lay_out(0x0302, KT_AES_128_GCM, &key, &info));
	EXPECT_EQ(-EINVAL, kt_ktls_lay_out(0x0305, KT_AES_128_GCM, &key, &info));
	EXPECT_EQ(-EINVAL, kt_ktls_lay_out(0, KT_AES_128_GCM, &key, &info));
	EXPECT_EQ(-EINVAL, kt_ktls_lay_out(KT_TLS_1_3, KT_CIPHER_COUNT, &key, &info));
	EXPECT_EQ(-EINVAL, kt_ktls_lay_out(KT_TLS_1_3, (enum kt_cipher) - 1, &key, &info));
	EXPECT_EQ(0, memcmp(&info, &before, sizeof info));
}

TEST_HARNESS_MAIN
