/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifying as users of OpenSSL do: the peer's certificates are decoded, and verified against a
 * store that was loaded before and is shared by all threads. Nothing is kept from one to the next.
 */
#include "verify.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static int begin(const struct kt_bench_round *round, void **ret_own, struct kt_error *error)
{
	(void)error;
	*ret_own = round->chains->store;
	return 0;
}

static X509 *decode(const struct kt_bench_cert *cert)
{
	const uint8_t *der = cert->der;

	return d2i_X509(NULL, &der, (long)cert->len);
}

static bool ask_for(X509_STORE_CTX *context)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);

	X509_VERIFY_PARAM_set_time(param, (time_t)KT_BENCH_TIME);
	return X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) &&
	       X509_VERIFY_PARAM_set1_host(param, KT_BENCH_HOST, 0);
}

static const char *judge(X509_STORE_CTX *context)
{
	if (X509_verify_cert(context) == 1)
		return NULL;
	return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
}

static const char *verify(void *own, const struct kt_bench_cert *leaf)
{
	const char *why = "libcrypto failed";
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	X509 *x509 = decode(leaf), *issuer = decode(leaf->issuer);

	if (context && others && x509 && issuer && sk_X509_push(others, issuer)) {
		issuer = NULL; /* the stack has it */
		if (X509_STORE_CTX_init(context, own, x509, others) && ask_for(context))
			why = judge(context);
	}
	X509_STORE_CTX_free(context);
	sk_X509_pop_free(others, X509_free);
	X509_free(issuer);
	X509_free(x509);
	if (why)
		ERR_clear_error();
	return why;
}

static void end(void *own)
{
	(void)own;
}

const struct kt_bench_way kt_bench_way_stock = {begin, verify, end};
