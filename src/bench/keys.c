/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define PRIME_BITS 1024
#define EXPONENT   65537

/* p - 1 has no factor in common with the exponent, which is a prime. */
static bool find_prime(BIGNUM *prime)
{
	do {
		if (!BN_generate_prime_ex(prime, PRIME_BITS, 0, NULL, NULL, NULL))
			return false;
	} while (BN_mod_word(prime, EXPONENT) == 1);
	return true;
}

bool kt_bench_keys_init(struct kt_bench_keys *keys, enum kt_bench_algorithm algorithm)
{
	*keys = (struct kt_bench_keys){.algorithm = algorithm};
	if (algorithm != KT_BENCH_RSA2048)
		return true;
	for (unsigned int i = 0; i < KT_BENCH_PRIMES; i++) {
		keys->primes[i] = BN_new();
		if (!keys->primes[i] || !find_prime(keys->primes[i]))
			return false;
	}
	return true;
}

void kt_bench_keys_fini(struct kt_bench_keys *keys)
{
	for (unsigned int i = 0; i < KT_BENCH_PRIMES; i++)
		BN_free(keys->primes[i]);
}

/* ---- RSA ------------------------------------------------------------------------------------- */

/* All in one context's frame. */
struct parts {
	BIGNUM *n, *e, *d, *dp, *dq, *inverse;
};

static bool compute(const BIGNUM *p, const BIGNUM *q, struct parts *parts, BN_CTX *context)
{
	BIGNUM *p1 = BN_CTX_get(context), *q1 = BN_CTX_get(context), *phi = BN_CTX_get(context);

	return phi && BN_mul(parts->n, p, q, context) && BN_set_word(parts->e, EXPONENT) &&
	       BN_sub(p1, p, BN_value_one()) && BN_sub(q1, q, BN_value_one()) &&
	       BN_mul(phi, p1, q1, context) && BN_mod_inverse(parts->d, parts->e, phi, context) &&
	       BN_mod(parts->dp, parts->d, p1, context) &&
	       BN_mod(parts->dq, parts->d, q1, context) &&
	       BN_mod_inverse(parts->inverse, q, p, context);
}

static EVP_PKEY *build(const BIGNUM *p, const BIGNUM *q, const struct parts *parts)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (bld && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, parts->n) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, parts->e) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_D, parts->d) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_FACTOR1, p) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_FACTOR2, q) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_EXPONENT1, parts->dp) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_EXPONENT2, parts->dq) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, parts->inverse))
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params && context && EVP_PKEY_fromdata_init(context) > 0 &&
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) <= 0)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(context);
	return key;
}

/* The modulus of two primes; the larger one first, as OpenSSL's signing likes it. */
static EVP_PKEY *multiply(const BIGNUM *p, const BIGNUM *q)
{
	BN_CTX *context = BN_CTX_new();
	struct parts parts;
	EVP_PKEY *key = NULL;

	if (!context)
		return NULL;
	if (BN_cmp(p, q) < 0) {
		const BIGNUM *larger = q;

		q = p;
		p = larger;
	}
	BN_CTX_start(context);
	parts = (struct parts){BN_CTX_get(context), BN_CTX_get(context), BN_CTX_get(context),
			       BN_CTX_get(context), BN_CTX_get(context), BN_CTX_get(context)};
	if (parts.inverse && compute(p, q, &parts, context))
		key = build(p, q, &parts);
	BN_CTX_end(context);
	BN_CTX_free(context);
	return key;
}

/* Pair number `number`: (0,1), (0,2), (1,2), (0,3) … */
static EVP_PKEY *make_rsa(const struct kt_bench_keys *keys, unsigned int number)
{
	unsigned int higher = 1;

	while (number >= higher)
		number -= higher++;
	return multiply(keys->primes[number], keys->primes[higher]);
}

EVP_PKEY *kt_bench_keys_next(struct kt_bench_keys *keys)
{
	switch (keys->algorithm) {
	case KT_BENCH_P256:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	case KT_BENCH_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case KT_BENCH_RSA2048:
		return make_rsa(keys, keys->made++);
	}
	return NULL;
}
