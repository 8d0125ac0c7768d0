/* SPDX-License-Identifier: BSD-2-Clause */
/* Signatures by each algorithm: right, wrong, by another key; and what is remembered of them. */
#include "../../src/verify/signer.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "../harness.h"

#define SIGNATURE_MAX 8192

FIXTURE(signer)
{
	struct kt_verify_cache *cache;
	struct kt_signer *signer;
	EVP_PKEY *pkey;
	struct kt_key key, other; /* another of its kind */
	uint8_t tbs[64];
	uint8_t signature[SIGNATURE_MAX];
	struct kt_signed object;
	bool is_known; /* to this OpenSSL */
};

FIXTURE_VARIANT(signer)
{
	enum kt_signature_algorithm algorithm;
	const char *key, *curve;
	const char *digest; /* NULL: the scheme's own */
	int salt;	    /* bytes; 0: not PSS */
	enum kt_key_type type;
	size_t key_len; /* of a key that this OpenSSL may not know */
};

#define EC(name, curve_name, bits, curve_type)                                                     \
	FIXTURE_VARIANT_ADD(signer, name##_sha##bits){.algorithm = KT_SIG_ECDSA_SHA##bits,         \
						      .key = "EC",                                 \
						      .curve = curve_name,                         \
						      .digest = "SHA" #bits,                       \
						      .type = curve_type};
#define OF_EACH_HASH(name, curve, type)                                                            \
	EC(name, curve, 256, type) EC(name, curve, 384, type) EC(name, curve, 512, type)

OF_EACH_HASH(p256, "P-256", KT_KEY_P256)
OF_EACH_HASH(p384, "P-384", KT_KEY_P384)
OF_EACH_HASH(p521, "P-521", KT_KEY_P521)

#define RSA_KEY .key = "RSA", .type = KT_KEY_RSA
FIXTURE_VARIANT_ADD(signer, pkcs1_sha256){KT_SIG_RSA_SHA256, .digest = "SHA256", RSA_KEY};
FIXTURE_VARIANT_ADD(signer, pkcs1_sha384){KT_SIG_RSA_SHA384, .digest = "SHA384", RSA_KEY};
FIXTURE_VARIANT_ADD(signer, pkcs1_sha512){KT_SIG_RSA_SHA512, .digest = "SHA512", RSA_KEY};
FIXTURE_VARIANT_ADD(signer, pss_sha256){KT_SIG_PSS_SHA256, .digest = "SHA256", .salt = 32, RSA_KEY};
FIXTURE_VARIANT_ADD(signer, pss_sha384){KT_SIG_PSS_SHA384, .digest = "SHA384", .salt = 48, RSA_KEY};
FIXTURE_VARIANT_ADD(signer, pss_sha512){KT_SIG_PSS_SHA512, .digest = "SHA512", .salt = 64, RSA_KEY};
FIXTURE_VARIANT_ADD(signer, ed25519){KT_SIG_ED25519, .key = "ED25519", .type = KT_KEY_ED25519};

#define ML_DSA(bits, len)                                                                          \
	FIXTURE_VARIANT_ADD(signer, ml_dsa_##bits){.algorithm = KT_SIG_ML_DSA_##bits,              \
						   .key = "ML-DSA-" #bits,                         \
						   .type = KT_KEY_ML_DSA_##bits,                   \
						   .key_len = len};
ML_DSA(44, 1312)
ML_DSA(65, 1952)
ML_DSA(87, 2592)

/* ---- Making -----------------------------------------------------------------------------------
 */

/* Slow to make, so that the tests' processes have them from their parent. */
static EVP_PKEY *rsa_keys[2];

__attribute__((constructor)) static void make_rsa_keys(void)
{
	for (int i = 0; i < 2; i++)
		rsa_keys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
}

__attribute__((destructor)) static void free_rsa_keys(void)
{
	for (int i = 0; i < 2; i++)
		EVP_PKEY_free(rsa_keys[i]);
}

/* number: 0 or 1, two keys of a kind */
static EVP_PKEY *make_pkey(const FIXTURE_VARIANT(signer) * variant, int number)
{
	EVP_PKEY *pkey;

	if (variant->curve)
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", variant->curve);
	else if (variant->type == KT_KEY_RSA)
		pkey = EVP_PKEY_up_ref(rsa_keys[number]) ? rsa_keys[number] : NULL;
	else
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, variant->key);
	ERR_clear_error();
	return pkey;
}

/* Freed by drop_key. */
static struct kt_key key_of(EVP_PKEY *pkey)
{
	uint8_t *spki = NULL;
	int len = i2d_PUBKEY(pkey, &spki);

	ASSERT_LT(0, len);
	return kt_algorithm_of_key((struct kt_der_view){spki, (size_t)len});
}

/* Bytes of the right number. */
static struct kt_key key_of_unknown(const FIXTURE_VARIANT(signer) * variant)
{
	struct kt_key key = {.type = variant->type};
	uint8_t *bytes = OPENSSL_zalloc(variant->key_len);

	ASSERT_NE(NULL, bytes);
	key.spki = key.bytes = (struct kt_der_view){bytes, variant->key_len};
	return key;
}

static void drop_key(struct kt_key *key)
{
	OPENSSL_free((void *)key->spki.data);
}

/* salt: in bytes, where the scheme is PSS */
static void sign(FIXTURE_DATA(signer) * self, const FIXTURE_VARIANT(signer) * variant, int salt)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = sizeof self->signature;
	EVP_PKEY_CTX *of_key;

	ASSERT_NE(NULL, context);
	ASSERT_EQ(1, EVP_DigestSignInit_ex(context, &of_key, variant->digest, NULL, NULL,
					   self->pkey, NULL));
	if (salt) {
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING));
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, salt));
	}
	ASSERT_EQ(1, EVP_DigestSign(context, self->signature, &len, self->tbs, sizeof self->tbs));
	EVP_MD_CTX_free(context);
	self->object = (struct kt_signed){
		variant->algorithm, {self->tbs, sizeof self->tbs}, {self->signature, len}};
}

FIXTURE_SETUP(signer)
{
	EVP_PKEY *other = make_pkey(variant, 1);

	ASSERT_EQ(0, kt_verify_cache_new(NULL, &self->cache));
	self->signer = kt_signer_new(self->cache);
	ASSERT_NE(NULL, self->signer);
	memset(self->tbs, 't', sizeof self->tbs);
	self->pkey = make_pkey(variant, 0);
	self->is_known = self->pkey != NULL;
	/* What this OpenSSL must know, it knows. */
	ASSERT_TRUE(self->is_known || variant->key_len);
	self->key = self->is_known ? key_of(self->pkey) : key_of_unknown(variant);
	self->other = self->is_known ? key_of(other) : key_of_unknown(variant);
	self->object = (struct kt_signed){
		variant->algorithm, {self->tbs, sizeof self->tbs}, {self->signature, 64}};
	if (self->is_known)
		sign(self, variant, variant->salt);
	EVP_PKEY_free(other);
}

FIXTURE_TEARDOWN(signer)
{
	drop_key(&self->key);
	drop_key(&self->other);
	EVP_PKEY_free(self->pkey);
	kt_signer_free(self->signer);
	kt_verify_cache_free(self->cache);
	ERR_clear_error();
}

static struct kt_signer_answer ask(FIXTURE_DATA(signer) * self, const struct kt_key *key)
{
	return kt_signer_check(self->signer, &self->object, key, true);
}

static struct kt_verify_cache_stats stats_of(FIXTURE_DATA(signer) * self)
{
	struct kt_verify_cache_stats stats;

	kt_verify_cache_get_stats(self->cache, &stats);
	return stats;
}

/* ---- Right and wrong --------------------------------------------------------------------------
 */

TEST_F(signer, right_signature_is_right)
{
	enum kt_signature_result right = self->is_known ? KT_SIGNATURE_RIGHT : KT_SIGNATURE_NO_KEY;

	EXPECT_EQ(variant->type, self->key.type);
	EXPECT_EQ(right, ask(self, &self->key).result);
	EXPECT_EQ(right, kt_signer_check(self->signer, &self->object, &self->key, false).result);
}

TEST_F(signer, every_byte_of_what_is_signed_counts)
{
	for (size_t i = 0; i < sizeof self->tbs && self->is_known; i++) {
		struct kt_signer_answer answer;

		self->tbs[i] ^= 1;
		answer = ask(self, &self->key);
		EXPECT_EQ(KT_SIGNATURE_WRONG, answer.result);
		EXPECT_FALSE(answer.named);
		self->tbs[i] ^= 1;
	}
}

TEST_F(signer, every_byte_of_a_signature_counts)
{
	size_t len = self->object.signature.len;

	for (size_t i = 0; i < len && self->is_known; i += 1 + len / 256) {
		self->signature[i] ^= 0x10;
		EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
		self->signature[i] ^= 0x10;
	}
}

TEST_F(signer, signature_has_its_length)
{
	if (!self->is_known)
		return;
	self->object.signature.len--;
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
	self->object.signature.len += 2;
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
	self->object.signature.len = 0;
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
}

/* A SEQUENCE of two numbers, either with so many zeros in front; behind them `more` bytes. */
static void encode_ecdsa(FIXTURE_DATA(signer) * self, struct kt_der_view numbers[2], size_t zeros,
			 size_t more)
{
	size_t at = 2, content = 2 * (2 + zeros) + numbers[0].len + numbers[1].len + more;

	ASSERT_GT(256, content);
	self->signature[0] = 0x30;
	if (content > 127)
		self->signature[at++ - 1] = 0x81;
	self->signature[at - 1] = (uint8_t)content;
	for (int i = 0; i < 2; i++) {
		self->signature[at++] = 0x02;
		self->signature[at++] = (uint8_t)(numbers[i].len + zeros);
		memset(self->signature + at, 0, zeros);
		memcpy(self->signature + at + zeros, numbers[i].data, numbers[i].len);
		at += zeros + numbers[i].len;
	}
	memset(self->signature + at, 0, more);
	self->object.signature.len = at + more;
}

/* The content of a number in DER, made in `bytes`. */
static struct kt_der_view number_of(const BIGNUM *number, uint8_t bytes[static 72])
{
	size_t len = (size_t)BN_bn2bin(number, bytes + 1);

	bytes[0] = 0;
	return bytes[1] & 0x80 ? (struct kt_der_view){bytes, len + 1}
			       : (struct kt_der_view){bytes + 1, len};
}

static void numbers_of(FIXTURE_DATA(signer) * self, uint8_t bytes[2][72],
		       struct kt_der_view ret_numbers[2])
{
	const uint8_t *at = self->signature;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)self->object.signature.len);

	ASSERT_NE(NULL, sig);
	ret_numbers[0] = number_of(ECDSA_SIG_get0_r(sig), bytes[0]);
	ret_numbers[1] = number_of(ECDSA_SIG_get0_s(sig), bytes[1]);
	ECDSA_SIG_free(sig);
}

TEST_F(signer, ecdsa_signature_has_one_encoding)
{
	struct kt_der_view numbers[2];
	uint8_t bytes[2][72];

	if (!variant->curve)
		return;
	numbers_of(self, bytes, numbers);
	encode_ecdsa(self, numbers, 0, 0);
	EXPECT_EQ(KT_SIGNATURE_RIGHT, ask(self, &self->key).result);
	encode_ecdsa(self, numbers, 1, 0);
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
	encode_ecdsa(self, numbers, 0, 2);
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
}

/* The same bits, without the zero that makes them positive. */
TEST_F(signer, ecdsa_signature_has_no_negative_numbers)
{
	struct kt_der_view numbers[2];
	uint8_t bytes[2][72];

	/* The numbers of P-521 do not fill their first byte. */
	if (!variant->curve || variant->type == KT_KEY_P521)
		return;
	for (numbers_of(self, bytes, numbers); numbers[0].data[0]; numbers_of(self, bytes, numbers))
		sign(self, variant, 0);
	numbers[0].data++;
	numbers[0].len--;
	encode_ecdsa(self, numbers, 0, 0);
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
}

/* In a sequence that ends before it. */
TEST_F(signer, ecdsa_signature_is_all_there_is)
{
	if (!variant->curve)
		return;
	self->signature[self->object.signature.len++] = 0;
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
}

TEST_F(signer, another_key_did_not_sign)
{
	if (self->is_known)
		EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->other).result);
}

TEST_F(signer, key_of_another_kind_did_not_sign)
{
	struct kt_key key = self->key;

	key.type = variant->type == KT_KEY_ED25519 ? KT_KEY_RSA : KT_KEY_ED25519;
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &key).result);
	key.type = KT_KEY_UNKNOWN;
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &key).result);
}

TEST_F(signer, another_algorithm_of_the_key_is_wrong)
{
	for (unsigned int i = KT_SIG_UNKNOWN; i < KT_SIG_COUNT && self->is_known; i++) {
		self->object.algorithm = (enum kt_signature_algorithm)i;
		if (i != variant->algorithm)
			EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result)
			{
				TH_LOG("taken for algorithm %u", i);
			}
	}
}

TEST_F(signer, salt_is_as_long_as_the_hash)
{
	if (!variant->salt)
		return;
	for (int salt = variant->salt - 1; salt <= variant->salt + 1; salt++) {
		sign(self, variant, salt);
		EXPECT_EQ(salt == variant->salt ? KT_SIGNATURE_RIGHT : KT_SIGNATURE_WRONG,
			  ask(self, &self->key).result);
	}
}

TEST_F(signer, key_that_cannot_be_decoded_is_none)
{
	uint8_t *bytes = (uint8_t *)self->key.bytes.data;

	if (variant->curve)
		bytes[self->key.bytes.len - 1] ^= 1;
	else if (variant->type == KT_KEY_RSA)
		bytes[0] ^= 1;
	else
		return;
	EXPECT_EQ(KT_SIGNATURE_NO_KEY, ask(self, &self->key).result);
}

/* ---- Remembering ------------------------------------------------------------------------------
 */

TEST_F(signer, right_signature_is_known_once_it_was_told)
{
	struct kt_signer_answer answer;

	if (!self->is_known)
		return;
	answer = ask(self, &self->key);
	EXPECT_TRUE(answer.named);
	EXPECT_TRUE(ask(self, &self->key).named);
	EXPECT_EQ(0, stats_of(self).signature_inserts + stats_of(self).signature_hits);
	EXPECT_EQ(2, stats_of(self).signature_misses);
	kt_signer_remember(self->signer, &answer, true);
	EXPECT_EQ(1, stats_of(self).signature_inserts);
	answer = ask(self, &self->key);
	EXPECT_EQ(KT_SIGNATURE_RIGHT, answer.result);
	EXPECT_FALSE(answer.named);
	EXPECT_EQ(1, stats_of(self).signature_hits);
}

TEST_F(signer, known_signature_is_of_its_key_bytes_and_algorithm)
{
	struct kt_signer_answer answer;

	if (!self->is_known)
		return;
	answer = ask(self, &self->key);
	kt_signer_remember(self->signer, &answer, true);
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->other).result);
	self->tbs[0] ^= 1;
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
	self->tbs[0] ^= 1;
	self->signature[10] ^= 1;
	EXPECT_EQ(KT_SIGNATURE_WRONG, ask(self, &self->key).result);
	EXPECT_EQ(0, stats_of(self).signature_hits);
}

TEST_F(signer, wrong_signature_is_not_remembered)
{
	struct kt_signer_answer answer;

	self->tbs[0] ^= 1;
	answer = ask(self, &self->key);
	EXPECT_NE(KT_SIGNATURE_RIGHT, answer.result);
	kt_signer_remember(self->signer, &answer, true);
	EXPECT_EQ(0, stats_of(self).signature_inserts);
}

TEST_F(signer, cache_is_not_asked_unless_told)
{
	struct kt_signer_answer answer =
		kt_signer_check(self->signer, &self->object, &self->key, false);

	EXPECT_FALSE(answer.named);
	kt_signer_remember(self->signer, &answer, true);
	EXPECT_EQ(0, stats_of(self).signature_misses + stats_of(self).signature_hits +
			     stats_of(self).signature_inserts);
}

TEST_F(signer, without_cache_nothing_is_remembered)
{
	struct kt_signer *bare = kt_signer_new(NULL);
	struct kt_signer_answer answer;

	ASSERT_NE(NULL, bare);
	answer = kt_signer_check(bare, &self->object, &self->key, true);
	EXPECT_EQ(self->is_known ? KT_SIGNATURE_RIGHT : KT_SIGNATURE_NO_KEY, answer.result);
	EXPECT_FALSE(answer.named);
	kt_signer_remember(bare, &answer, true);
	kt_signer_free(bare);
}

TEST_HARNESS_MAIN
