/* SPDX-License-Identifier: BSD-2-Clause */
#define OPENSSL_SUPPRESS_DEPRECATED /* EC_GROUP_precompute_mult has no successor */

#include "fast_key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include "../verify/ecdsa.h"
#include "provider.h"

#define POINT_MAX      65 /* bytes, uncompressed */
#define GROUP_NAME_MAX 16

struct kt_fast_key {
	EC_GROUP *curve;     /* P-256 */
	EC_GROUP *multiples; /* the same with the key as its generator, and tables of it */
	const BIGNUM *order; /* curve's */
	BIGNUM *order_less_2;
	unsigned int refs; /* atomic */
};

/* The numbers of one check: FIPS 186-5 §6.4.2 has the names. */
struct check {
	BN_CTX *numbers;
	BIGNUM *r, *s, *e, *w, *u, *v, *x;
	EC_POINT *by_generator, *by_key;
};

bool kt_fast_key_may_be(const EVP_PKEY *pkey)
{
	char name[GROUP_NAME_MAX];
	size_t len;

	return kt_provider_is_default(EVP_PKEY_get0_provider(pkey)) && EVP_PKEY_is_a(pkey, "EC") &&
	       EVP_PKEY_get_group_name(pkey, name, sizeof name, &len) == 1 &&
	       !strcmp(name, SN_X9_62_prime256v1);
}

static bool read_point(const EVP_PKEY *pkey, const EC_GROUP *curve, EC_POINT *point)
{
	uint8_t bytes[POINT_MAX];
	size_t len;

	return EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof bytes,
					       &len) == 1 &&
	       EC_POINT_oct2point(curve, point, bytes, len, NULL) == 1 &&
	       EC_POINT_is_on_curve(curve, point, NULL) == 1 &&
	       !EC_POINT_is_at_infinity(curve, point);
}

static bool make_tables(struct kt_fast_key *key, const EVP_PKEY *pkey)
{
	EC_POINT *point = EC_POINT_new(key->curve);
	bool made =
		point && read_point(pkey, key->curve, point) &&
		EC_GROUP_set_generator(key->multiples, point, key->order, BN_value_one()) == 1 &&
		EC_GROUP_precompute_mult(key->multiples, NULL) == 1 &&
		EC_GROUP_have_precompute_mult(key->multiples) == 1;

	EC_POINT_free(point);
	return made;
}

struct kt_fast_key *kt_fast_key_new(const EVP_PKEY *pkey)
{
	struct kt_fast_key *key = calloc(1, sizeof *key);

	if (!key)
		return NULL;
	key->refs = 1;
	key->curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	key->multiples = key->curve ? EC_GROUP_dup(key->curve) : NULL;
	key->order = key->curve ? EC_GROUP_get0_order(key->curve) : NULL;
	key->order_less_2 = key->order ? BN_dup(key->order) : NULL;
	if (key->multiples && key->order_less_2 && BN_sub_word(key->order_less_2, 2) == 1 &&
	    make_tables(key, pkey))
		return key;
	ERR_clear_error();
	kt_fast_key_free(key);
	return NULL;
}

struct kt_fast_key *kt_fast_key_ref(struct kt_fast_key *key)
{
	__atomic_fetch_add(&key->refs, 1, __ATOMIC_RELAXED);
	return key;
}

void kt_fast_key_free(struct kt_fast_key *key)
{
	if (!key || __atomic_sub_fetch(&key->refs, 1, __ATOMIC_ACQ_REL))
		return;
	BN_free(key->order_less_2);
	EC_GROUP_free(key->multiples);
	EC_GROUP_free(key->curve);
	free(key);
}

/* ---- Checking -------------------------------------------------------------------------------- */

static bool begin(struct check *check, const struct kt_fast_key *key)
{
	check->numbers = BN_CTX_new();
	if (!check->numbers)
		return false;
	BN_CTX_start(check->numbers);
	check->r = BN_CTX_get(check->numbers);
	check->s = BN_CTX_get(check->numbers);
	check->e = BN_CTX_get(check->numbers);
	check->w = BN_CTX_get(check->numbers);
	check->u = BN_CTX_get(check->numbers);
	check->v = BN_CTX_get(check->numbers);
	check->x = BN_CTX_get(check->numbers); /* NULL, if one before is */
	check->by_generator = EC_POINT_new(key->curve);
	check->by_key = EC_POINT_new(key->curve);
	return check->x && check->by_generator && check->by_key;
}

static void end(struct check *check)
{
	EC_POINT_free(check->by_generator);
	EC_POINT_free(check->by_key);
	if (check->numbers)
		BN_CTX_end(check->numbers);
	BN_CTX_free(check->numbers);
}

static bool is_in_range(const BIGNUM *number, const BIGNUM *order)
{
	return !BN_is_zero(number) && !BN_is_negative(number) && BN_cmp(number, order) < 0;
}

/*
 * w = 1 / s modulo the order, which is a prime: s^(order - 2), by Fermat's little theorem. Every
 * number here is public. BN_mod_inverse(3), Euclid's way, takes half as long again for so few bits.
 */
static bool invert(struct check *check, const struct kt_fast_key *key)
{
	return BN_mod_exp_mont(check->w, check->s, key->order_less_2, key->order, check->numbers,
			       EC_GROUP_get_mont_data(key->curve));
}

/* u = e / s, v = r / s modulo the order; the point u * generator + v * key has r as its x. */
static bool is_right(struct check *check, const struct kt_fast_key *key)
{
	BN_CTX *numbers = check->numbers;

	return invert(check, key) &&
	       BN_mod_mul(check->u, check->e, check->w, key->order, numbers) &&
	       BN_mod_mul(check->v, check->r, check->w, key->order, numbers) &&
	       EC_POINT_mul(key->curve, check->by_generator, check->u, NULL, NULL, numbers) &&
	       EC_POINT_mul(key->multiples, check->by_key, check->v, NULL, NULL, numbers) &&
	       EC_POINT_add(key->curve, check->by_generator, check->by_generator, check->by_key,
			    numbers) &&
	       !EC_POINT_is_at_infinity(key->curve, check->by_generator) &&
	       EC_POINT_get_affine_coordinates(key->curve, check->by_generator, check->x, NULL,
					       numbers) &&
	       BN_nnmod(check->x, check->x, key->order, numbers) && BN_cmp(check->x, check->r) == 0;
}

bool kt_fast_key_verify(const struct kt_fast_key *key, const uint8_t *signature, size_t len,
			const uint8_t sum[KT_FAST_KEY_SUM_LEN])
{
	struct check check = {0};
	bool right = begin(&check, key) &&
		     kt_ecdsa_read((struct kt_der_view){signature, len}, check.r, check.s) &&
		     is_in_range(check.r, key->order) && is_in_range(check.s, key->order) &&
		     BN_bin2bn(sum, KT_FAST_KEY_SUM_LEN, check.e) && is_right(&check, key);

	end(&check);
	if (!right)
		ERR_clear_error();
	return right;
}
