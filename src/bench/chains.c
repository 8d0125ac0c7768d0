/* SPDX-License-Identifier: BSD-2-Clause */
#include "chains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "keys.h"
#include "roots.h"

#define SERIAL 0x4b54000000000000u /* eight bytes, positive */

_Static_assert(KT_BENCH_STRANGERS + 3 <= KT_BENCH_KEYS, "root, known, leaves: a key each");

/* What makes certificates: one under work, whose serial is counted on. */
struct press {
	struct kt_bench_keys keys;
	uint64_t serial;
};

static const struct kt_bench_kind root_kind = {kt_bench_root_extensions, "Benchmark CA",
					       "20260101000000Z", "20460101000000Z"};
static const struct kt_bench_kind intermediate_kind = {kt_bench_intermediate_extensions,
						       "Benchmark Intermediate %u",
						       "20260201000000Z", "20310201000000Z"};
static const struct kt_bench_kind leaf_kind = {kt_bench_server_extensions, KT_BENCH_HOST,
					       "20260501000000Z", "20260701000000Z"};

/* ---- One certificate ------------------------------------------------------------------------- */

/* Of a certificate that is filled in; NULL: libcrypto failed. */
static X509 *draft(const struct kt_bench_kind *kind, const struct kt_bench_cert *issuer,
		   unsigned int number, EVP_PKEY *key)
{
	const uint8_t *der = issuer ? issuer->der : NULL;
	X509 *by = issuer ? d2i_X509(NULL, &der, (long)issuer->len) : NULL;
	X509 *x509 = issuer && !by ? NULL : kt_bench_kind_draft(kind, by, number, key);

	X509_free(by);
	return x509;
}

/* The signed part and the signature are the first and the last in the DER. */
static bool find_parts(const X509 *x509, struct kt_bench_cert *cert)
{
	const uint8_t *inner = cert->der;
	const ASN1_BIT_STRING *signature;
	int tag, class, tbs_len;
	long content;

	X509_get0_signature(&signature, NULL, x509);
	if (ASN1_get_object(&inner, &content, &tag, &class, (long)cert->len) & 0x80)
		return false;
	cert->tbs = inner;
	if (ASN1_get_object(&inner, &content, &tag, &class, content) & 0x80)
		return false;
	tbs_len = (int)(inner - cert->tbs) + (int)content;
	cert->tbs_len = (size_t)tbs_len;
	cert->signature_len = (size_t)signature->length;
	cert->signature = cert->der + cert->len - cert->signature_len;
	return memcmp(cert->signature, signature->data, cert->signature_len) == 0;
}

/* A draft becomes a certificate with the next serial number. False: libcrypto failed. */
static bool issue(struct press *press, X509 *x509, EVP_PKEY *by, struct kt_bench_cert *cert)
{
	const EVP_MD *digest = press->keys.algorithm == KT_BENCH_ED25519 ? NULL : EVP_sha256();
	int len;

	if (!x509 ||
	    !ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), SERIAL + press->serial++))
		return false;
	if (X509_sign(x509, by, digest) <= 0)
		return false;
	len = i2d_X509(x509, &cert->der);
	if (len <= 0)
		return false;
	cert->len = (size_t)len;
	return find_parts(x509, cert);
}

/* ---- All of them ----------------------------------------------------------------------------- */

static bool make_ca(struct press *press, const struct kt_bench_kind *kind, unsigned int number,
		    const struct kt_bench_cert *issuer, struct kt_bench_cert *cert)
{
	X509 *x509 = NULL;
	bool done;

	cert->issuer = issuer;
	cert->key = kt_bench_keys_next(&press->keys);
	if (cert->key)
		x509 = draft(kind, issuer, number, cert->key);
	done = issue(press, x509, issuer ? issuer->key : cert->key, cert);
	X509_free(x509);
	return done;
}

/* count leaves, the first and each step further. */
static bool make_leaves(struct press *press, EVP_PKEY *key, const struct kt_bench_cert *issuer,
			struct kt_bench_cert *leaves, unsigned int count, unsigned int step)
{
	X509 *x509 = draft(&leaf_kind, issuer, 0, key);
	bool done = x509 != NULL;

	for (unsigned int i = 0; done && i < count; i++) {
		leaves[i * step].issuer = issuer;
		done = issue(press, x509, issuer->key, &leaves[i * step]);
	}
	X509_free(x509);
	return done;
}

static bool make_strangers(struct press *press, struct kt_bench_chains *chains)
{
	bool done = true;

	for (unsigned int i = 0; done && i < KT_BENCH_STRANGERS; i++)
		done = make_ca(press, &intermediate_kind, i + 1, &chains->root,
			       &chains->strangers[i]) &&
		       make_leaves(press, chains->leaf_key, &chains->strangers[i],
				   &chains->of_strangers[i], KT_BENCH_ROUNDS, KT_BENCH_STRANGERS);
	return done;
}

static bool make_known(struct press *press, struct kt_bench_chains *chains)
{
	return make_ca(press, &intermediate_kind, 0, &chains->root, &chains->known) &&
	       make_leaves(press, chains->leaf_key, &chains->known, chains->of_known,
			   KT_BENCH_LEAVES, 1) &&
	       make_leaves(press, chains->leaf_key, &chains->known, chains->primers,
			   KT_BENCH_PRIMERS, 1);
}

static bool make_all(struct kt_bench_chains *chains)
{
	struct press press = {0};
	bool done = kt_bench_keys_init(&press.keys, chains->algorithm) &&
		    (chains->leaf_key = kt_bench_keys_next(&press.keys)) &&
		    make_ca(&press, &root_kind, 0, NULL, &chains->root) &&
		    make_strangers(&press, chains) && make_known(&press, chains);

	kt_bench_keys_fini(&press.keys);
	return done;
}

/* ---- The pool -------------------------------------------------------------------------------- */

static int add_root(struct kt_bench_chains *chains, struct kt_anchor_set *set, const uint8_t *der,
		    size_t len, struct kt_error *error)
{
	const uint8_t *end = der;
	X509 *x509 = d2i_X509(NULL, &end, (long)len);
	bool added = x509 && X509_STORE_add_cert(chains->store, x509);

	X509_free(x509);
	if (!added)
		return kt_error_set(error, EIO, "X509_STORE", 0, "a root could not be added");
	return kt_anchor_set_add_der(set, der, len, "roots", 0, error);
}

static int add_roots(struct kt_bench_chains *chains, struct kt_anchor_set *set, size_t others,
		     struct kt_error *error)
{
	struct kt_bench_roots roots = {0};
	int ret = add_root(chains, set, chains->root.der, chains->root.len, error);

	if (ret == 0 && others)
		ret = kt_bench_roots_make(&roots, others, error);
	for (size_t i = 0; i < others && ret == 0; i++)
		ret = add_root(chains, set, roots.der + i * roots.der_len, roots.der_len, error);
	kt_bench_roots_fini(&roots);
	return ret;
}

static int make_pool(struct kt_bench_chains *chains, size_t roots, struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	int ret;

	chains->store = X509_STORE_new();
	if (!set || !chains->store)
		ret = kt_error_set(error, ENOMEM, "roots", 0, "out of memory");
	else
		ret = add_roots(chains, set, roots - 1, error);
	if (ret == 0)
		ret = kt_snapshot_build(set, "benchmark", "", 1, &chains->snapshot, error);
	kt_anchor_set_free(set);
	return ret;
}

int kt_bench_chains_make(enum kt_bench_algorithm algorithm, size_t roots,
			 struct kt_bench_chains **ret_chains, struct kt_error *error)
{
	struct kt_bench_chains *chains = calloc(1, sizeof *chains);
	int ret;

	if (!chains)
		return kt_error_set(error, ENOMEM, "chains", 0, "out of memory");
	chains->algorithm = algorithm;
	if (make_all(chains))
		ret = make_pool(chains, roots, error);
	else
		ret = kt_error_set(error, EIO, "chains", 0, "chains could not be made");
	ERR_clear_error();
	if (ret) {
		kt_bench_chains_free(chains);
		return ret;
	}
	*ret_chains = chains;
	return 0;
}

static void free_certs(struct kt_bench_cert *certs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		OPENSSL_free(certs[i].der);
		EVP_PKEY_free(certs[i].key);
	}
}

void kt_bench_chains_free(struct kt_bench_chains *chains)
{
	if (!chains)
		return;
	X509_STORE_free(chains->store);
	kt_snapshot_free(chains->snapshot);
	free_certs(&chains->root, 1);
	free_certs(&chains->known, 1);
	free_certs(chains->strangers, KT_BENCH_STRANGERS);
	free_certs(chains->of_strangers, KT_BENCH_ROUNDS * KT_BENCH_STRANGERS);
	free_certs(chains->of_known, KT_BENCH_LEAVES);
	free_certs(chains->primers, KT_BENCH_PRIMERS);
	EVP_PKEY_free(chains->leaf_key);
	free(chains);
}
