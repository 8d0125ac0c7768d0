/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest.h"

#include <errno.h>
#include <pthread.h>

#include <openssl/err.h>
#include <openssl/evp.h>

/*
 * Written once under fetch_once, then only read. Never freed: libcrypto drops it with the process,
 * and threads may still be digesting while others run exit handlers.
 */
static EVP_MD *sha256;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
}

int kt_digest_init(struct kt_digest *digest)
{
	EVP_MD_CTX *context;

	pthread_once(&fetch_once, fetch);
	ERR_clear_error();
	if (!sha256)
		return -EOPNOTSUPP;
	context = EVP_MD_CTX_new();
	ERR_clear_error();
	if (!context)
		return -ENOMEM;
	digest->context = context;
	return 0;
}

void kt_digest_fini(struct kt_digest *digest)
{
	EVP_MD_CTX_free(digest->context);
	digest->context = NULL;
}

static int translate(int ok)
{
	if (ok)
		return 0;
	ERR_clear_error();
	return -EIO;
}

int kt_digest_begin(struct kt_digest *digest)
{
	return translate(EVP_DigestInit_ex2(digest->context, sha256, NULL));
}

int kt_digest_add(struct kt_digest *digest, const void *data, size_t len)
{
	return translate(EVP_DigestUpdate(digest->context, data, len));
}

int kt_digest_end(struct kt_digest *digest, uint8_t ret_sum[KT_DIGEST_LEN])
{
	return translate(EVP_DigestFinal_ex(digest->context, ret_sum, NULL));
}

int kt_digest_of(struct kt_digest *digest, const struct kt_der_view *parts, size_t count,
		 uint8_t ret_sum[KT_DIGEST_LEN])
{
	int ret = kt_digest_begin(digest);

	for (size_t i = 0; i < count && ret == 0; i++)
		ret = kt_digest_add(digest, parts[i].data, parts[i].len);
	return ret ? ret : kt_digest_end(digest, ret_sum);
}
