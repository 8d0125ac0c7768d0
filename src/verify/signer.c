/* SPDX-License-Identifier: BSD-2-Clause */
#define OPENSSL_SUPPRESS_DEPRECATED /* see keys.h */

#include "signer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>

#include "cache.h"
#include "ecdsa.h"

#define RSA_BYTES_MAX 1024 /* 8,192 bits: algorithm.c lets no larger key through */

enum hash { NO_HASH = -1, SHA256, SHA384, SHA512, HASHES };

enum scheme { ECDSA, PKCS1, PSS, WHOLE };

/* Of each algorithm: how, and with which hash. WHOLE: the scheme hashes by itself. */
static const struct {
	enum scheme scheme;
	enum hash hash;
	int nid; /* of the hash, for PKCS #1 */
} algorithms[KT_SIG_COUNT] = {
	[KT_SIG_UNKNOWN] = {WHOLE, NO_HASH, 0},
	[KT_SIG_ECDSA_SHA256] = {ECDSA, SHA256, 0},
	[KT_SIG_ECDSA_SHA384] = {ECDSA, SHA384, 0},
	[KT_SIG_ECDSA_SHA512] = {ECDSA, SHA512, 0},
	[KT_SIG_RSA_SHA256] = {PKCS1, SHA256, NID_sha256},
	[KT_SIG_RSA_SHA384] = {PKCS1, SHA384, NID_sha384},
	[KT_SIG_RSA_SHA512] = {PKCS1, SHA512, NID_sha512},
	[KT_SIG_PSS_SHA256] = {PSS, SHA256, 0},
	[KT_SIG_PSS_SHA384] = {PSS, SHA384, 0},
	[KT_SIG_PSS_SHA512] = {PSS, SHA512, 0},
	[KT_SIG_ED25519] = {WHOLE, NO_HASH, 0},
	[KT_SIG_ML_DSA_44] = {WHOLE, NO_HASH, 0},
	[KT_SIG_ML_DSA_65] = {WHOLE, NO_HASH, 0},
	[KT_SIG_ML_DSA_87] = {WHOLE, NO_HASH, 0},
};

struct hasher {
	EVP_MD *md;
	EVP_MD_CTX *context; /* for this hash alone, so that none is looked up again */
};

struct kt_signer {
	struct kt_verify_cache *cache;
	struct kt_keys *keys;
	struct hasher hashers[HASHES];
	EVP_MD_CTX *whole;
	ECDSA_SIG *ecdsa; /* owns r and s; the one that is being checked */
	BIGNUM *r, *s;
};

/* What was signed, hashed. */
struct sum {
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned int len;
};

static bool init_hasher(struct hasher *hasher, const char *name)
{
	hasher->md = EVP_MD_fetch(NULL, name, NULL);
	hasher->context = EVP_MD_CTX_new();
	return hasher->md && hasher->context &&
	       EVP_DigestInit_ex2(hasher->context, hasher->md, NULL) == 1;
}

static bool init_ecdsa(struct kt_signer *signer)
{
	signer->ecdsa = ECDSA_SIG_new();
	signer->r = BN_new();
	signer->s = BN_new();
	if (signer->ecdsa && signer->r && signer->s &&
	    ECDSA_SIG_set0(signer->ecdsa, signer->r, signer->s))
		return true;
	BN_free(signer->r);
	BN_free(signer->s);
	return false;
}

struct kt_signer *kt_signer_new(struct kt_verify_cache *cache)
{
	static const char *const names[HASHES] = {"SHA256", "SHA384", "SHA512"};
	struct kt_signer *signer = calloc(1, sizeof *signer);

	if (!signer)
		return NULL;
	signer->cache = cache;
	signer->keys = kt_keys_new();
	signer->whole = EVP_MD_CTX_new();
	if (!signer->keys || !signer->whole || !init_ecdsa(signer))
		goto free_signer;
	for (int i = 0; i < HASHES; i++)
		if (!init_hasher(&signer->hashers[i], names[i]))
			goto free_signer;
	return signer;
free_signer:
	kt_signer_free(signer);
	return NULL;
}

void kt_signer_free(struct kt_signer *signer)
{
	if (!signer)
		return;
	for (int i = 0; i < HASHES; i++) {
		EVP_MD_CTX_free(signer->hashers[i].context);
		EVP_MD_free(signer->hashers[i].md);
	}
	EVP_MD_CTX_free(signer->whole);
	ECDSA_SIG_free(signer->ecdsa);
	kt_keys_free(signer->keys);
	free(signer);
}

struct kt_keys *kt_signer_keys(struct kt_signer *signer)
{
	return signer->keys;
}

static bool hash_parts(struct hasher *hasher, const struct kt_der_view *parts, size_t count,
		       struct sum *ret_sum)
{
	if (EVP_DigestInit_ex2(hasher->context, NULL, NULL) != 1)
		return false;
	for (size_t i = 0; i < count; i++)
		if (EVP_DigestUpdate(hasher->context, parts[i].data, parts[i].len) != 1)
			return false;
	return EVP_DigestFinal_ex(hasher->context, ret_sum->bytes, &ret_sum->len) == 1;
}

/* ---- The memory of what was right ------------------------------------------------------------ */

/* No two cases have the same bytes: each part but the last comes with its length. */
static bool name_of(struct kt_signer *signer, const struct kt_signed *object,
		    const struct kt_key *issuer, const struct sum *sum,
		    uint8_t ret_name[KT_DIGEST_LEN])
{
	const uint32_t head[] = {(uint32_t)object->algorithm, (uint32_t)issuer->spki.len, sum->len};
	const struct kt_der_view parts[] = {{(const uint8_t *)head, sizeof head},
					    issuer->spki,
					    {sum->bytes, sum->len},
					    object->signature};
	struct sum name;

	if (!hash_parts(&signer->hashers[SHA256], parts, 4, &name))
		return false;
	memcpy(ret_name, name.bytes, KT_DIGEST_LEN);
	return true;
}

/* ---- Checking -------------------------------------------------------------------------------- */

static bool check_ecdsa(struct kt_signer *signer, EC_KEY *key, const struct sum *sum,
			struct kt_der_view signature)
{
	return kt_ecdsa_read(signature, signer->r, signer->s) &&
	       ECDSA_do_verify(sum->bytes, (int)sum->len, signer->ecdsa, key) == 1;
}

static bool check_pkcs1(RSA *key, int nid, const struct sum *sum, struct kt_der_view signature)
{
	return RSA_verify(nid, sum->bytes, sum->len, signature.data, (unsigned int)signature.len,
			  key) == 1;
}

static bool check_pss(RSA *key, const EVP_MD *md, const struct sum *sum,
		      struct kt_der_view signature)
{
	uint8_t encoded[RSA_BYTES_MAX];

	if (signature.len != (size_t)RSA_size(key) || signature.len > sizeof encoded)
		return false;
	return RSA_public_decrypt((int)signature.len, signature.data, encoded, key,
				  RSA_NO_PADDING) == (int)signature.len &&
	       RSA_verify_PKCS1_PSS_mgf1(key, sum->bytes, md, md, encoded, (int)sum->len) == 1;
}

static bool check_whole(struct kt_signer *signer, EVP_PKEY *key, const struct kt_signed *object)
{
	return EVP_MD_CTX_reset(signer->whole) == 1 &&
	       EVP_DigestVerifyInit(signer->whole, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(signer->whole, object->signature.data, object->signature.len,
				object->tbs.data, object->tbs.len) == 1;
}

static bool check(struct kt_signer *signer, const struct kt_signed *object,
		  const struct kt_public_key *key, const struct sum *sum)
{
	enum hash hash = algorithms[object->algorithm].hash;

	switch (algorithms[object->algorithm].scheme) {
	case ECDSA:
		return check_ecdsa(signer, key->ec, sum, object->signature);
	case PKCS1:
		return check_pkcs1(key->rsa, algorithms[object->algorithm].nid, sum,
				   object->signature);
	case PSS:
		return check_pss(key->rsa, signer->hashers[hash].md, sum, object->signature);
	default:
		return check_whole(signer, key->evp, object);
	}
}

/* The check itself, where no cache knows. */
static enum kt_signature_result check_anew(struct kt_signer *signer, const struct kt_signed *object,
					   const struct kt_key *issuer, const struct sum *sum)
{
	const struct kt_public_key *key = kt_keys_get(signer->keys, issuer);

	if (!key)
		return KT_SIGNATURE_NO_KEY;
	return check(signer, object, key, sum) ? KT_SIGNATURE_RIGHT : KT_SIGNATURE_WRONG;
}

struct kt_signer_answer kt_signer_check(struct kt_signer *signer, const struct kt_signed *object,
					const struct kt_key *issuer, bool use_cache)
{
	enum hash hash = algorithms[object->algorithm].hash;
	struct kt_signer_answer signature = {.result = KT_SIGNATURE_FAILED};
	struct sum sum = {.len = 0};

	if (!kt_algorithm_fits(object->algorithm, issuer->type)) {
		signature.result = KT_SIGNATURE_WRONG;
		return signature;
	}
	use_cache = use_cache && signer->cache;
	/* Where the scheme hashes by itself, the cache alone wants a sum. */
	if ((hash != NO_HASH || use_cache) &&
	    !hash_parts(&signer->hashers[hash == NO_HASH ? SHA256 : hash], &object->tbs, 1, &sum))
		return signature;
	if (use_cache) {
		if (!name_of(signer, object, issuer, &sum, signature.name))
			return signature;
		if (kt_signature_memo_find(signer->cache, signature.name)) {
			signature.result = KT_SIGNATURE_RIGHT;
			return signature;
		}
	}
	signature.result = check_anew(signer, object, issuer, &sum);
	signature.named = use_cache && signature.result == KT_SIGNATURE_RIGHT;
	return signature;
}

void kt_signer_remember(struct kt_signer *signer, const struct kt_signer_answer *signature,
			bool lasting)
{
	if (signature->named)
		kt_signature_memo_put(signer->cache, signature->name, lasting);
}
