/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define DEFAULT_THIS_UPDATE (-3600)
#define DEFAULT_NEXT_UPDATE (30 * 86400LL)

static ASN1_TIME *time_at(int64_t seconds)
{
	ASN1_TIME *made = ASN1_TIME_set(NULL, (time_t)(pki_now() + seconds));

	need(made);
	return made;
}

static void set_times(X509_CRL *crl, const struct pki_crl *options)
{
	ASN1_TIME *at = time_at(options->this_update ? options->this_update : DEFAULT_THIS_UPDATE);

	need(X509_CRL_set1_lastUpdate(crl, at));
	ASN1_TIME_free(at);
	if (options->no_next_update)
		return;
	at = time_at(options->next_update ? options->next_update : DEFAULT_NEXT_UPDATE);
	need(X509_CRL_set1_nextUpdate(crl, at));
	ASN1_TIME_free(at);
}

static void revoke(X509_CRL *crl, const struct pki_cert *cert)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *at = time_at(DEFAULT_THIS_UPDATE);

	need(entry && X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert->x509)) &&
	     X509_REVOKED_set_revocationDate(entry, at) && X509_CRL_add0_revoked(crl, entry));
	ASN1_TIME_free(at);
}

static void add_extension(X509_CRL *crl, const char *oid)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	need(object && value && ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x30\x00", 2));
	extension = X509_EXTENSION_create_by_OBJ(NULL, object, 1, value);
	need(extension && X509_CRL_add_ext(crl, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
}

static void add_distribution_point(X509_CRL *crl, const char *words)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, NULL, NULL, NULL, crl, 0);
	X509V3_set_ctx_nodb(&context);
	extension = X509V3_EXT_nconf_nid(NULL, &context, NID_issuing_distribution_point, words);
	need(extension && X509_CRL_add_ext(crl, extension, -1));
	X509_EXTENSION_free(extension);
}

static const EVP_MD *digest_for(const EVP_PKEY *key, const char *name)
{
	if (EVP_PKEY_is_a(key, "ED25519"))
		return NULL;
	return EVP_get_digestbyname(name ? name : "SHA256");
}

struct pki_der pki_make_crl(const struct pki_cert *issuer, const struct pki_crl *options)
{
	const struct pki_cert *signer = options->signer ? options->signer : issuer;
	X509_CRL *crl = X509_CRL_new();
	struct pki_der der = {0};
	int len;

	need(crl && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
	     X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509)));
	set_times(crl, options);
	for (size_t i = 0; options->revoked[i]; i++)
		revoke(crl, options->revoked[i]);
	if (options->critical_extension)
		add_extension(crl, options->critical_extension);
	if (options->distribution_point)
		add_distribution_point(crl, options->distribution_point);
	need(X509_CRL_sort(crl) &&
	     X509_CRL_sign(crl, signer->key, digest_for(signer->key, options->digest)));
	len = i2d_X509_CRL(crl, &der.data);
	need(len > 0);
	der.len = (size_t)len;
	X509_CRL_free(crl);
	return der;
}
