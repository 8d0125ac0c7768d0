/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two signatures of a path and nothing else: the issuers' keys are decoded, what is signed and
 * the signatures are at hand. Who remembers a signature does less, and may pass it.
 */
#include "verify.h"

#include <errno.h>

#include <openssl/err.h>
#include <openssl/evp.h>

static int begin(const struct kt_bench_round *round, void **ret_own, struct kt_error *error)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	(void)round;
	if (!context)
		return kt_error_set(error, ENOMEM, "EVP_MD_CTX", 0, "out of memory");
	*ret_own = context;
	return 0;
}

static bool check(EVP_MD_CTX *context, const struct kt_bench_cert *cert)
{
	EVP_PKEY *key = cert->issuer->key;
	const EVP_MD *digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();

	return EVP_MD_CTX_reset(context) &&
	       EVP_DigestVerifyInit(context, NULL, digest, NULL, key) > 0 &&
	       EVP_DigestVerify(context, cert->signature, cert->signature_len, cert->tbs,
				cert->tbs_len) == 1;
}

static const char *verify(void *own, const struct kt_bench_cert *leaf)
{
	if (check(own, leaf) && check(own, leaf->issuer))
		return NULL;
	ERR_clear_error();
	return "bad signature";
}

static void end(void *own)
{
	EVP_MD_CTX_free(own);
}

const struct kt_bench_way kt_bench_way_limit = {begin, verify, end};
