/* SPDX-License-Identifier: BSD-2-Clause */
/* Issuers' keys: decoded once for those that vouched for somebody, and for nobody else. */
#define OPENSSL_SUPPRESS_DEPRECATED /* see src/verify/keys.h */

#include "../../src/verify/keys.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "../harness.h"

#define KEPT 512 /* as in src/verify/keys.c */

/* The SPKI is the caller's to free, by OPENSSL_free. */
static struct kt_key key_of(EVP_PKEY *pkey)
{
	uint8_t *spki = NULL;
	int len;

	ASSERT_NE(NULL, pkey);
	len = i2d_PUBKEY(pkey, &spki);
	ASSERT_LT(0, len);
	EVP_PKEY_free(pkey);
	return kt_algorithm_of_key((struct kt_der_view){spki, (size_t)len});
}

static struct kt_key make_ec(const char *curve)
{
	return key_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve));
}

static void forget(struct kt_key *key)
{
	OPENSSL_free((void *)key->spki.data);
}

/* A reference, so that its address stays its own. */
static EC_KEY *get_ec(struct kt_keys *keys, const struct kt_key *key)
{
	const struct kt_public_key *found = kt_keys_get(keys, key);

	ASSERT_NE(NULL, found);
	ASSERT_NE(NULL, found->ec);
	ASSERT_EQ(1, EC_KEY_up_ref(found->ec));
	return found->ec;
}

/* Is it still the one that was decoded before? */
static bool is_still(struct kt_keys *keys, const struct kt_key *key, EC_KEY *before)
{
	const struct kt_public_key *found = kt_keys_get(keys, key);

	return found && found->ec == before;
}

FIXTURE(keys)
{
	struct kt_keys *keys;
	struct kt_key key;
	EC_KEY *ec;
};

FIXTURE_SETUP(keys)
{
	self->keys = kt_keys_new();
	ASSERT_NE(NULL, self->keys);
	self->key = make_ec("P-256");
	self->ec = get_ec(self->keys, &self->key);
}

FIXTURE_TEARDOWN(keys)
{
	EC_KEY_free(self->ec);
	forget(&self->key);
	kt_keys_free(self->keys);
}

/* ---- Decoding ---------------------------------------------------------------------------------
 */

TEST_F(keys, each_curve_is_decoded)
{
	static const struct {
		const char *curve;
		enum kt_key_type type;
	} curves[] = {{"P-256", KT_KEY_P256}, {"P-384", KT_KEY_P384}, {"P-521", KT_KEY_P521}};

	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
		struct kt_key key = make_ec(curves[i].curve);
		const struct kt_public_key *found = kt_keys_get(self->keys, &key);

		ASSERT_NE(NULL, found);
		EXPECT_EQ(curves[i].type, found->type);
		EXPECT_TRUE(found->ec && !found->rsa && !found->evp);
		forget(&key);
	}
}

TEST_F(keys, rsa_and_ed25519_are_decoded)
{
	struct kt_key rsa = key_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048));
	struct kt_key ed25519 = key_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	const struct kt_public_key *found = kt_keys_get(self->keys, &rsa);

	ASSERT_NE(NULL, found);
	EXPECT_TRUE(found->rsa && !found->ec && !found->evp);
	found = kt_keys_get(self->keys, &ed25519);
	ASSERT_NE(NULL, found);
	EXPECT_TRUE(found->evp && !found->ec && !found->rsa);
	forget(&rsa);
	forget(&ed25519);
}

TEST_F(keys, point_off_its_curve_is_no_key)
{
	*(uint8_t *)(self->key.bytes.data + 64) ^= 1;
	EXPECT_EQ(NULL, kt_keys_get(self->keys, &self->key));
	ERR_clear_error();
}

TEST_F(keys, unknown_type_is_no_key)
{
	struct kt_key key = self->key;

	key.type = KT_KEY_UNKNOWN;
	kt_keys_settle(self->keys);
	EXPECT_EQ(NULL, kt_keys_get(self->keys, &key));
}

/* ---- Keeping ----------------------------------------------------------------------------------
 */

TEST_F(keys, key_is_decoded_once_in_a_decision)
{
	EXPECT_TRUE(is_still(self->keys, &self->key, self->ec));
}

TEST_F(keys, kept_key_outlives_the_decision)
{
	kt_keys_keep(self->keys, &self->key);
	kt_keys_settle(self->keys);
	EXPECT_TRUE(is_still(self->keys, &self->key, self->ec));
}

TEST_F(keys, other_keys_are_gone_after_the_decision)
{
	kt_keys_settle(self->keys);
	EXPECT_FALSE(is_still(self->keys, &self->key, self->ec));
}

TEST_F(keys, key_that_was_not_decoded_is_not_kept)
{
	struct kt_key other = make_ec("P-256");
	EC_KEY *ec;

	kt_keys_keep(self->keys, &other);
	ec = get_ec(self->keys, &other);
	kt_keys_settle(self->keys);
	EXPECT_FALSE(is_still(self->keys, &other, ec));
	EC_KEY_free(ec);
	forget(&other);
}

TEST_F(keys, guests_displace_guests_alone)
{
	struct kt_key kept = make_ec("P-256");
	EC_KEY *ec = get_ec(self->keys, &kept);

	kt_keys_keep(self->keys, &kept);
	for (int i = 0; i < KT_KEYS_GUESTS; i++) {
		struct kt_key guest = make_ec("P-256");

		ASSERT_NE(NULL, kt_keys_get(self->keys, &guest));
		forget(&guest);
	}
	EXPECT_FALSE(is_still(self->keys, &self->key, self->ec));
	EXPECT_TRUE(is_still(self->keys, &kept, ec));
	EC_KEY_free(ec);
	forget(&kept);
}

/* More than there is room for: the latest is there, what it displaced is decoded anew. */
TEST_F(keys, kept_keys_make_room_for_later_ones)
{
	for (int i = 0; i < 3 * KEPT; i++) {
		struct kt_key later = make_ec("P-256");
		EC_KEY *ec = get_ec(self->keys, &later);

		kt_keys_keep(self->keys, &later);
		kt_keys_settle(self->keys);
		EXPECT_TRUE(is_still(self->keys, &later, ec));
		EC_KEY_free(ec);
		forget(&later);
	}
	EXPECT_NE(NULL, kt_keys_get(self->keys, &self->key));
}

TEST_HARNESS_MAIN
