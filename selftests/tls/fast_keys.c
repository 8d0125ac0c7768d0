/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of the keys that come often, with which their signatures are checked: what they find right
 * against what libcrypto finds, whose they are, and the CertificateVerify of handshakes. This
 * program is linked as ktrustd is.
 */
#include "lab.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "../../src/tls/decoded.h"
#include "../../src/tls/fast_keys.h"
#include "../../src/tls/shortcuts.h"

/* ---- Tables of a key ------------------------------------------------------------------------- */

static EVP_PKEY *make_key(const char *group)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);

	ASSERT_NE(NULL, pkey);
	return pkey;
}

static size_t sign(EVP_PKEY *pkey, const uint8_t *sum, uint8_t *ret_signature, size_t room)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
	size_t len = room;

	ASSERT_EQ(1, EVP_PKEY_sign_init(context));
	ASSERT_EQ(1, EVP_PKEY_sign(context, ret_signature, &len, sum, KT_FAST_KEY_SUM_LEN));
	EVP_PKEY_CTX_free(context);
	return len;
}

static bool libcrypto_verifies(EVP_PKEY *pkey, const uint8_t *sum, const uint8_t *signature,
			       size_t len)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey, NULL);
	bool right;

	ASSERT_EQ(1, EVP_PKEY_verify_init(context));
	right = EVP_PKEY_verify(context, signature, len, sum, KT_FAST_KEY_SUM_LEN) == 1;
	EVP_PKEY_CTX_free(context);
	return right;
}

/* Every signature, as it is and with each of its bytes changed, and of another key, or sum. */
TEST(tables_find_right_what_libcrypto_finds_right)
{
	EVP_PKEY *pkey = make_key("P-256"), *other = make_key("P-256");
	struct kt_fast_key *key = kt_fast_key_new(pkey);
	uint8_t sum[KT_FAST_KEY_SUM_LEN], signature[80];

	ASSERT_NE(NULL, key);
	for (int round = 0; round < 50; round++) {
		size_t len;

		RAND_bytes(sum, sizeof sum);
		memset(sum, round % 7 ? sum[0] : 0xff, (size_t)round % sizeof sum);
		len = sign(pkey, sum, signature, sizeof signature);
		ASSERT_TRUE(kt_fast_key_verify(key, signature, len, sum));
		for (size_t i = 0; i < len; i++) {
			uint8_t bit = (uint8_t)(1 << (round + (int)i) % 8);

			signature[i] ^= bit;
			ASSERT_EQ(libcrypto_verifies(pkey, sum, signature, len),
				  kt_fast_key_verify(key, signature, len, sum));
			signature[i] ^= bit;
			ASSERT_FALSE(kt_fast_key_verify(key, signature, i, sum));
		}
		ASSERT_FALSE(kt_fast_key_verify(key, signature, len + 1, sum));
		len = sign(other, sum, signature, sizeof signature);
		ASSERT_FALSE(kt_fast_key_verify(key, signature, len, sum));
		len = sign(pkey, sum, signature, sizeof signature);
		sum[round % 32] ^= 1;
		ASSERT_FALSE(kt_fast_key_verify(key, signature, len, sum));
	}
	kt_fast_key_free(key);
	EVP_PKEY_free(pkey);
	EVP_PKEY_free(other);
}

/* SEQUENCE { INTEGER r, INTEGER s }, of numbers at the ends of their range. */
TEST(tables_find_nothing_right_beyond_the_order)
{
	static const char order[] =
		"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";
	EVP_PKEY *pkey = make_key("P-256");
	struct kt_fast_key *key = kt_fast_key_new(pkey);
	const uint8_t sum[KT_FAST_KEY_SUM_LEN] = {0};
	BIGNUM *numbers[5] = {0};

	for (int i = 0; i < 5; i++)
		ASSERT_NE(0, BN_hex2bn(&numbers[i], order));
	BN_zero(numbers[0]);
	BN_one(numbers[1]);
	BN_sub_word(numbers[2], 1);
	BN_add_word(numbers[4], 1); /* [3] is the order itself */
	for (int r = 0; r < 5; r++) {
		for (int s = 0; s < 5; s++) {
			ECDSA_SIG *parts = ECDSA_SIG_new();
			uint8_t *der = NULL;
			int len;

			ASSERT_EQ(1, ECDSA_SIG_set0(parts, BN_dup(numbers[r]), BN_dup(numbers[s])));
			len = i2d_ECDSA_SIG(parts, &der);
			ASSERT_GT(len, 0);
			EXPECT_FALSE(kt_fast_key_verify(key, der, (size_t)len, sum));
			EXPECT_FALSE(libcrypto_verifies(pkey, sum, der, (size_t)len));
			OPENSSL_free(der);
			ECDSA_SIG_free(parts);
		}
	}
	for (int i = 0; i < 5; i++)
		BN_free(numbers[i]);
	kt_fast_key_free(key);
	EVP_PKEY_free(pkey);
}

/* Of a point. As a peer's is, it is decoded from DER. */
static EVP_PKEY *key_of(const EC_GROUP *curve, const EC_POINT *point)
{
	static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
				       0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
				       0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
	uint8_t spki[sizeof head + 65];
	const uint8_t *at = spki;

	memcpy(spki, head, sizeof head);
	ASSERT_EQ(65, EC_POINT_point2oct(curve, point, POINT_CONVERSION_UNCOMPRESSED,
					 spki + sizeof head, 65, NULL));
	return d2i_PUBKEY(NULL, &at, sizeof spki);
}

/* The key for which r, s, of a point whose x is that, are right with a sum of zeros. */
static EVP_PKEY *key_for(const EC_GROUP *curve, const BIGNUM *x, const BIGNUM *r, const BIGNUM *s)
{
	const BIGNUM *order = EC_GROUP_get0_order(curve);
	EC_POINT *point = EC_POINT_new(curve);
	BN_CTX *numbers = BN_CTX_new();
	EVP_PKEY *pkey = NULL;
	BIGNUM *factor = BN_new();

	if (EC_POINT_set_compressed_coordinates(curve, point, x, 0, numbers) == 1) {
		ASSERT_NE(NULL, BN_mod_inverse(factor, r, order, numbers));
		ASSERT_EQ(1, BN_mod_mul(factor, factor, s, order, numbers));
		ASSERT_EQ(1, EC_POINT_mul(curve, point, NULL, point, factor, numbers));
		pkey = key_of(curve, point);
		ASSERT_NE(NULL, pkey);
	}
	EC_POINT_free(point);
	BN_CTX_free(numbers);
	BN_free(factor);
	return pkey;
}

static bool are_right(EVP_PKEY *pkey, const BIGNUM *r, const BIGNUM *s)
{
	const uint8_t sum[KT_FAST_KEY_SUM_LEN] = {0};
	struct kt_fast_key *key = kt_fast_key_new(pkey);
	ECDSA_SIG *parts = ECDSA_SIG_new();
	uint8_t *der = NULL;
	bool right;
	int len;

	ASSERT_EQ(1, ECDSA_SIG_set0(parts, BN_dup(r), BN_dup(s)));
	len = i2d_ECDSA_SIG(parts, &der);
	ASSERT_GT(len, 0);
	right = kt_fast_key_verify(key, der, (size_t)len, sum);
	EXPECT_EQ(libcrypto_verifies(pkey, sum, der, (size_t)len), right);
	OPENSSL_free(der);
	ECDSA_SIG_free(parts);
	kt_fast_key_free(key);
	return right;
}

/* A point's x may be the order and more: r is what is left. One signature in 2^130 is such. */
TEST(tables_find_right_where_x_is_beyond_the_order)
{
	EC_GROUP *curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	const BIGNUM *order = EC_GROUP_get0_order(curve);
	BIGNUM *x = BN_dup(order), *r = BN_new(), *s = BN_dup(order);
	int found = 0;

	for (int beyond = 1; beyond < 20; beyond++) {
		EVP_PKEY *pkey;

		BN_add_word(x, 1);
		BN_add_word(r, 1);
		BN_sub_word(s, 1);
		pkey = key_for(curve, x, r, s);
		if (!pkey)
			continue; /* it is no point's */
		EXPECT_TRUE(are_right(pkey, r, s));
		EXPECT_FALSE(are_right(pkey, x, s));
		found++;
		EVP_PKEY_free(pkey);
	}
	EXPECT_LT(3, found);
	BN_free(x);
	BN_free(r);
	BN_free(s);
	EC_GROUP_free(curve);
}

TEST(other_keys_have_no_tables)
{
	EVP_PKEY *keys[] = {make_key("P-384"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
			    EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		EXPECT_FALSE(kt_fast_key_may_be(keys[i]));
		EVP_PKEY_free(keys[i]);
	}
}

static struct kt_fast_keys_stats fast_keys(void)
{
	struct kt_fast_keys_stats stats;

	kt_fast_keys_get_stats(&stats);
	return stats;
}

/* As a handshake would: true where tables were there. */
static bool come_by(EVP_PKEY *pkey)
{
	struct kt_fast_key *key = kt_fast_keys_get(pkey);

	if (key)
		kt_fast_keys_put(key, true);
	return key;
}

static void come_until_made(EVP_PKEY *pkey, uint64_t made)
{
	for (int i = 1; i < KT_FAST_KEYS_AFTER; i++)
		ASSERT_FALSE(come_by(pkey));
	ASSERT_EQ(made - 1, fast_keys().made);
	while (fast_keys().made < made) /* bounded by the harness */
		come_by(pkey);
	ASSERT_TRUE(come_by(pkey));
}

static struct {
	pthread_t test;
	_Atomic unsigned int others; /* locks that were taken by other threads than the test's */
} locks;

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	if (!pthread_equal(pthread_self(), locks.test))
		locks.others++;
	return __real_pthread_mutex_lock(lock);
}

static _Atomic int asked_policy; /* of whoever last asked for one */

int __wrap_sched_setscheduler(pid_t pid, int policy, const struct sched_param *param);

/* Where others keep the processors busy, an idle thread would not be done before a test's limit. */
int __wrap_sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	(void)pid;
	(void)param;
	asked_policy = policy;
	errno = EPERM;
	return -1;
}

/* Who makes them may be without a processor for long, and handshakes must not wait with it. */
TEST(tables_are_made_without_a_lock)
{
	EVP_PKEY *pkey = make_key("P-256");

	locks.test = pthread_self();
	locks.others = 0;
	asked_policy = SCHED_OTHER;
	ASSERT_EQ(0, kt_fast_keys_start(1));
	come_until_made(pkey, fast_keys().made + 1);
	kt_fast_keys_stop();
	EXPECT_EQ(0, +locks.others);
	EXPECT_EQ(SCHED_IDLE, +asked_policy);
	EVP_PKEY_free(pkey);
}

TEST(tables_are_made_for_those_that_come_often_and_are_bounded)
{
	EVP_PKEY *a = make_key("P-256"), *b = make_key("P-256"), *c = make_key("P-256");
	uint64_t made;

	EXPECT_FALSE(come_by(a)); /* not started */
	ASSERT_EQ(0, kt_fast_keys_start(2));
	made = fast_keys().made;
	come_until_made(a, made + 1);
	come_until_made(b, made + 2);
	EXPECT_EQ(2, fast_keys().keys);
	/* Both were used since nobody waited: the first that waits finds no room, the next one
	 * does. */
	while (fast_keys().made < made + 3) {
		come_by(c);
		EXPECT_GE(2, fast_keys().keys);
		ASSERT_TRUE(come_by(a));
	}
	EXPECT_EQ(2, fast_keys().keys);
	EXPECT_TRUE(come_by(a));
	EXPECT_TRUE(come_by(c));
	EXPECT_FALSE(come_by(b));
	kt_fast_keys_stop();
	EXPECT_EQ(0, fast_keys().keys);
	EXPECT_FALSE(come_by(a));
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	EVP_PKEY_free(c);
}

#define MANY 100

/*
 * Of so many, some have a place in common, by chance: were there one for each, at 1024 places, some
 * five, and none with a chance of 1 in 130.
 */
TEST(keys_do_not_stand_in_each_others_way)
{
	EVP_PKEY *keys[MANY];
	uint64_t made;

	ASSERT_EQ(0, kt_fast_keys_start(MANY));
	made = fast_keys().made;
	for (int i = 0; i < MANY; i++)
		keys[i] = make_key("P-256");
	while (fast_keys().made < made + MANY) { /* bounded by the harness */
		for (int i = 0; i < MANY; i++)
			come_by(keys[i]);
		sched_yield();
	}
	for (int i = 0; i < MANY; i++)
		EXPECT_TRUE(come_by(keys[i]));
	kt_fast_keys_stop();
	for (int i = 0; i < MANY; i++)
		EVP_PKEY_free(keys[i]);
}

/* ---- CertificateVerify ----------------------------------------------------------------------- */

#define SIGNED_LEN 130

/* As libssl asks. */
static int ask_libssl_way(EVP_PKEY *pkey, const uint8_t *signature, size_t len, const uint8_t *data)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey_context;
	int ret =
		EVP_DigestVerifyInit_ex(context, &pkey_context, "SHA2-256", NULL, NULL, pkey, NULL);

	if (ret == 1)
		ret = EVP_DigestVerify(context, signature, len, data, SIGNED_LEN);
	EVP_MD_CTX_free(context);
	return ret;
}

FIXTURE(known)
{
	struct lab lab;
	struct kt_tls_certificates *certificates;
	X509 *x509;
	EVP_PKEY *pkey; /* its public key, decoded once */
	uint8_t data[SIGNED_LEN], signature[80];
	size_t len;
};

FIXTURE_SETUP(known)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const uint8_t *der;

	lab_init(&self->lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	der = self->lab.client->der;
	self->x509 = d2i_X509(NULL, &der, (long)self->lab.client->der_len);
	ASSERT_NE(NULL, self->x509);
	ASSERT_EQ(0, kt_tls_certificates_new(0, &self->certificates));
	kt_decoded_keep(self->certificates, self->x509);
	self->pkey = X509_get0_pubkey(self->x509);
	RAND_bytes(self->data, sizeof self->data);
	self->len = sizeof self->signature;
	ASSERT_EQ(1, EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL,
					   self->lab.client->key, NULL));
	ASSERT_EQ(1, EVP_DigestSign(context, self->signature, &self->len, self->data,
				    sizeof self->data));
	EVP_MD_CTX_free(context);
	ASSERT_EQ(0, kt_fast_keys_start(4));
}

FIXTURE_TEARDOWN(known)
{
	kt_fast_keys_stop();
	X509_free(self->x509);
	kt_tls_certificates_free(self->certificates);
	lab_fini(&self->lab);
}

/* A handshake's part that is looked at here: the certificate arrives, and the signature. */
static int arrive(FIXTURE_DATA(known) * self)
{
	const uint8_t *der = self->lab.client->der;
	struct kt_decoded_look look = {0};
	X509 *x509;
	int ret;

	kt_decoded_begin(self->certificates, &look);
	x509 = d2i_X509(NULL, &der, (long)self->lab.client->der_len);
	ret = ask_libssl_way(X509_get0_pubkey(x509), self->signature, self->len, self->data);
	kt_decoded_end();
	X509_free(x509);
	return ret;
}

static void arrive_until_there_are_tables(FIXTURE_DATA(known) * self)
{
	uint64_t checks = fast_keys().checks;

	while (fast_keys().checks == checks)
		ASSERT_EQ(1, arrive(self));
}

TEST_F(known, wrong_signature_is_refused_with_tables_and_without)
{
	for (int with_tables = 0; with_tables < 2; with_tables++) {
		uint64_t checks;

		if (with_tables)
			arrive_until_there_are_tables(self);
		checks = fast_keys().checks;
		EXPECT_EQ(1, arrive(self));
		EXPECT_EQ(checks + (uint64_t)with_tables, fast_keys().checks);
		self->data[7] ^= 1;
		EXPECT_EQ(0, arrive(self));
		self->data[7] ^= 1;
		self->signature[self->len - 1] ^= 1;
		EXPECT_EQ(0, arrive(self));
		self->signature[self->len - 1] ^= 1;
		self->signature[0] ^= 1;
		EXPECT_NE(1, arrive(self));
		self->signature[0] ^= 1;
		EXPECT_EQ(checks + (uint64_t)with_tables, fast_keys().checks);
	}
}

/* Outside of a handshake, or where it is switched off, libcrypto answers. */
TEST_F(known, tables_are_for_handshakes_that_want_them)
{
	uint64_t checks;

	arrive_until_there_are_tables(self);
	checks = fast_keys().checks;
	EXPECT_EQ(1, ask_libssl_way(self->pkey, self->signature, self->len, self->data));
	kt_shortcuts_turn(false);
	EXPECT_EQ(1, arrive(self));
	kt_shortcuts_turn(true);
	EXPECT_EQ(checks, fast_keys().checks);
	EXPECT_EQ(1, arrive(self));
	EXPECT_EQ(checks + 1, fast_keys().checks);
}

/* A key that is decoded anew each time may have the address of another that is gone. */
TEST_F(known, keys_that_do_not_stay_are_not_counted)
{
	uint64_t made = fast_keys().made;

	for (int i = 0; i < 3 * KT_FAST_KEYS_AFTER; i++)
		ASSERT_EQ(1, ask_libssl_way(self->pkey, self->signature, self->len, self->data));
	EXPECT_EQ(NULL, kt_fast_keys_get(self->pkey));
	EXPECT_EQ(made, fast_keys().made);
}

TEST(libssl_has_signatures_checked_by_tables)
{
	struct kt_tls_certificates *certificates;
	struct kt_tls_context_options options;
	struct kt_tls_context *usual;
	struct kt_error error = {0};
	uint64_t checks = fast_keys().checks;
	struct lab lab;

	lab_init(&lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	ASSERT_EQ(0, kt_tls_certificates_new(0, &certificates));
	options = (struct kt_tls_context_options){.credentials = lab.credentials,
						  .client_auth = KT_CLIENT_AUTH_REQUIRE,
						  .pool = lab.pool,
						  .certificates = certificates};
	usual = lab.context;
	ASSERT_EQ(0, kt_tls_context_new(&options, &lab.context, &error));
	ASSERT_EQ(0, kt_fast_keys_start(4));
	while (fast_keys().checks == checks)
		lab_shake_hands(&lab);
	kt_tls_context_free(lab.context);
	lab.context = usual;
	kt_fast_keys_stop();
	kt_tls_certificates_free(certificates);
	lab_fini(&lab);
}

TEST_HARNESS_MAIN
