/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-1-3 as published, and as libcrypto has it with these rounds. */
#include "../../src/verify/siphash.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "../harness.h"

#define LONGEST 200

/* The key of the published vectors: bytes 00 to 0f. The inputs count up likewise. */
static const struct kt_siphash_key counting = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};

static void fill(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)i;
}

/* Just as long as said, so that AddressSanitizer sees a byte too many read. */
static uint64_t hash_of(const struct kt_siphash_key *key, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	uint64_t hash;

	memcpy(copy, bytes, len);
	hash = kt_siphash(key, copy, len);
	free(copy);
	return hash;
}

/* From the authors' reference, github.com/veorq/SipHash, compiled for 1-3; also in Rust's tests. */
TEST(published_vectors_hold)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{0, 0xabac0158050fc4dc},  {1, 0xc9f49bf37d57ca93},  {2, 0x82cb9b024dc7d44d},
		{7, 0xd3927d989bb11140},  {8, 0x369095118d299a8e},  {9, 0x25a48eb36c063de4},
		{15, 0xd320d86d2a519956}, {16, 0xcc4fdd1a7d908b66}, {63, 0x9d199062b7bbb3a8},
	};
	uint8_t bytes[64];

	fill(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		EXPECT_EQ(vectors[i].hash, hash_of(&counting, bytes, vectors[i].len));
}

static uint64_t hash_by_libcrypto(const struct kt_siphash_key *key, const uint8_t *bytes,
				  size_t len)
{
	unsigned int compress = 1, finish = 3;
	size_t size = 8;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &compress),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &finish),
		OSSL_PARAM_construct_end(),
	};
	const uint64_t key_bytes[2] = {htole64(key->half[0]), htole64(key->half[1])};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	uint64_t hash;

	ASSERT_EQ(1, EVP_MAC_CTX_set_params(context, params));
	ASSERT_EQ(1, EVP_MAC_init(context, (const uint8_t *)key_bytes, sizeof key_bytes, NULL));
	ASSERT_EQ(1, EVP_MAC_update(context, bytes, len));
	ASSERT_EQ(1, EVP_MAC_final(context, (uint8_t *)&hash, &size, sizeof hash));
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return le64toh(hash);
}

TEST(agrees_with_libcrypto_at_any_length)
{
	const struct kt_siphash_key keys[] = {
		counting, {{0, 0}}, {{~0ull, 0x8000000000000001}}, {{0x123456789abcdef0, 42}}};
	uint8_t bytes[LONGEST];

	fill(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		for (size_t len = 0; len <= LONGEST; len++)
			EXPECT_EQ(hash_by_libcrypto(&keys[i], bytes, len),
				  hash_of(&keys[i], bytes, len));
	/* more than the 255 bytes whose number fits into the last word */
	EXPECT_EQ(hash_by_libcrypto(&counting, (const uint8_t *)keys, sizeof keys),
		  hash_of(&counting, (const uint8_t *)keys, sizeof keys));
}

/* Pieces of any length and at any address: filled up, then as one. */
TEST(pieces_are_filled_up_with_zeros)
{
	uint8_t bytes[64], filled[128];
	struct kt_siphash hash;

	fill(bytes, sizeof bytes);
	for (size_t first = 0; first <= 24; first++) {
		for (size_t second = 0; second <= 24; second++) {
			size_t at = (first + 7) / 8 * 8, len = at + (second + 7) / 8 * 8;

			memset(filled, 0, sizeof filled);
			memcpy(filled, bytes + 1, first);
			memcpy(filled + at, bytes + 30, second);
			kt_siphash_begin(&hash, &counting);
			kt_siphash_add(&hash, bytes + 1, first);
			kt_siphash_add(&hash, bytes + 30, second);
			EXPECT_EQ(kt_siphash(&counting, filled, len),
				  kt_siphash_end(&hash, NULL, 0));
		}
	}
}

TEST_HARNESS_MAIN
