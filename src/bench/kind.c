/* SPDX-License-Identifier: BSD-2-Clause */
#include "kind.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

const struct kt_bench_extension kt_bench_root_extensions[] = {
	{NID_basic_constraints, "critical,CA:TRUE"},
	{NID_key_usage, "critical,keyCertSign,cRLSign"},
	{NID_subject_key_identifier, "hash"},
	{0, NULL},
};
const struct kt_bench_extension kt_bench_intermediate_extensions[] = {
	{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
	{NID_key_usage, "critical,keyCertSign,cRLSign"},
	{NID_ext_key_usage, "serverAuth,clientAuth"},
	{NID_subject_key_identifier, "hash"},
	{NID_authority_key_identifier, "keyid:always"},
	{0, NULL},
};
const struct kt_bench_extension kt_bench_server_extensions[] = {
	{NID_basic_constraints, "critical,CA:FALSE"},
	{NID_key_usage, "critical,digitalSignature"},
	{NID_ext_key_usage, "serverAuth"},
	{NID_subject_key_identifier, "hash"},
	{NID_authority_key_identifier, "keyid:always"},
	{NID_subject_alt_name, "DNS:" KT_BENCH_HOST},
	{0, NULL},
};
const struct kt_bench_extension kt_bench_client_extensions[] = {
	{NID_basic_constraints, "critical,CA:FALSE"},
	{NID_key_usage, "critical,digitalSignature"},
	{NID_ext_key_usage, "clientAuth"},
	{NID_subject_key_identifier, "hash"},
	{NID_authority_key_identifier, "keyid:always"},
	{NID_subject_alt_name, "URI:spiffe://example.org/client"},
	{0, NULL},
};

static bool add_extensions(X509 *x509, X509 *issuer, const struct kt_bench_extension *extensions)
{
	bool done = true;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer ? issuer : x509, x509, NULL, NULL, 0);
	for (; done && extensions->value; extensions++) {
		X509_EXTENSION *extension =
			X509V3_EXT_conf_nid(NULL, &context, extensions->nid, extensions->value);

		done = extension && X509_add_ext(x509, extension, -1);
		X509_EXTENSION_free(extension);
	}
	return done;
}

static bool fill(X509 *x509, const struct kt_bench_kind *kind, X509 *issuer, unsigned int number,
		 EVP_PKEY *key)
{
	X509_NAME *subject = X509_get_subject_name(x509);
	char name[64];

	/* One format at most takes the number. */
	snprintf(name, sizeof name, "%s", kind->name);
	if (strchr(kind->name, '%'))
		snprintf(strchr(name, '%'), 16, "%u", number);
	return X509_set_version(x509, X509_VERSION_3) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1,
					  -1, 0) &&
	       X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer) : subject) &&
	       ASN1_TIME_set_string_X509(X509_getm_notBefore(x509), kind->not_before) &&
	       ASN1_TIME_set_string_X509(X509_getm_notAfter(x509), kind->not_after) &&
	       X509_set_pubkey(x509, key) && add_extensions(x509, issuer, kind->extensions);
}

X509 *kt_bench_kind_draft(const struct kt_bench_kind *kind, X509 *issuer, unsigned int number,
			  EVP_PKEY *key)
{
	X509 *x509 = X509_new();

	if (x509 && fill(x509, kind, issuer, number, key))
		return x509;
	X509_free(x509);
	return NULL;
}
