/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki_parts.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* ---- Keys ------------------------------------------------------------------------------------ */

static const struct {
	const char *type;
	const char *group;
	int bits;
	const char *point; /* the form of a public point; NULL: uncompressed */
	bool explicit_curve;
} kinds[PKI_KEYS] = {
	[PKI_P256] = {"EC", .group = "P-256"},
	[PKI_RSA2048] = {"RSA", .bits = 2048},
	[PKI_ED25519] = {.type = "ED25519"},
	[PKI_RSA1024] = {"RSA", .bits = 1024},
	[PKI_RSA2047] = {"RSA", .bits = 2047},
	[PKI_RSA2052] = {"RSA", .bits = 2052},
	[PKI_RSA3072] = {"RSA", .bits = 3072},
	[PKI_RSA_PSS] = {"RSA-PSS", .bits = 2048},
	[PKI_P224] = {"EC", .group = "P-224"},
	[PKI_P384] = {"EC", .group = "P-384"},
	[PKI_P521] = {"EC", .group = "P-521"},
	[PKI_SECP256K1] = {"EC", .group = "secp256k1"},
	[PKI_P256_COMPRESSED] = {"EC", .group = "P-256", .point = "compressed"},
	[PKI_P256_EXPLICIT] = {"EC", .group = "P-256", .explicit_curve = true},
	[PKI_ED448] = {.type = "ED448"},
};

EVP_PKEY *pki_new_key(enum pki_key kind)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kinds[kind].type, NULL);
	EVP_PKEY *key = NULL;

	need(context && EVP_PKEY_keygen_init(context) == 1);
	if (kinds[kind].bits)
		need(EVP_PKEY_CTX_set_rsa_keygen_bits(context, kinds[kind].bits) == 1);
	if (kinds[kind].group)
		need(EVP_PKEY_CTX_set_group_name(context, kinds[kind].group) == 1);
	if (kinds[kind].explicit_curve)
		need(EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_EXPLICIT_CURVE) == 1);
	need(EVP_PKEY_keygen(context, &key) == 1);
	if (kinds[kind].point)
		need(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
						    kinds[kind].point));
	EVP_PKEY_CTX_free(context);
	return key;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void add_attribute(X509_NAME *name, const char *field, int type, const char *value)
{
	if (value)
		need(X509_NAME_add_entry_by_txt(name, field, type, (const uint8_t *)value, -1, -1,
						0));
}

static int string_type(const char *word)
{
	static const struct {
		const char *word;
		int type;
	} types[] = {{"utf8", V_ASN1_UTF8STRING},
		     {"printable", V_ASN1_PRINTABLESTRING},
		     {"t61", V_ASN1_T61STRING},
		     {"ia5", V_ASN1_IA5STRING}};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (!strcmp(word, types[i].word))
			return types[i].type;
	pki_need(false, word);
	return 0;
}

/* "CN=x" or "CN:printable=x"; cuts it to pieces. */
static void add_written(X509_NAME *name, char *attribute)
{
	char *value = strchr(attribute, '='), *type;

	pki_need(value, attribute);
	*value++ = '\0';
	type = strchr(attribute, ':');
	if (type)
		*type++ = '\0';
	add_attribute(name, attribute, type ? string_type(type) : MBSTRING_UTF8, value);
}

static void write_name(X509_NAME *name, const char *text)
{
	char *copy = strdup(text), *rest = copy, *attribute;

	need(copy);
	while ((attribute = strsep(&rest, "/")))
		if (*attribute)
			add_written(name, attribute);
	free(copy);
}

void pki_set_names(X509 *x509, X509 *issuer, const struct pki_options *options)
{
	X509_NAME *subject = X509_get_subject_name(x509);

	if (options->subject) {
		write_name(subject, options->subject);
	} else {
		add_attribute(subject, "O", MBSTRING_UTF8, options->org);
		add_attribute(subject, "CN", MBSTRING_UTF8, options->cn);
	}
	need(X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer) : subject));
}

/* ---- Signatures ------------------------------------------------------------------------------ */

static bool has_digest(const EVP_PKEY *key)
{
	return !EVP_PKEY_is_a(key, "ED25519") && !EVP_PKEY_is_a(key, "ED448");
}

static void set_pss(EVP_PKEY_CTX *context, const struct pki_options *options)
{
	int salt = options->pss_salt ? options->pss_salt : RSA_PSS_SALTLEN_DIGEST;

	need(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1);
	need(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt) == 1);
	if (options->pss_mask)
		need(EVP_PKEY_CTX_set_rsa_mgf1_md(context,
						  EVP_get_digestbyname(options->pss_mask)) == 1);
}

/* By hand: from version 3.5 on, OpenSSL makes whatever it signs with extensions one of version 3.
 */
static void sign_as_version_1(X509 *x509, EVP_PKEY *key, const EVP_MD *digest)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const ASN1_BIT_STRING *place;
	uint8_t *tbs = NULL, signature[1024];
	size_t len = sizeof signature;
	int tbs_len;

	need(X509_set_version(x509, X509_VERSION_1));
	tbs_len = i2d_re_X509_tbs(x509, &tbs);
	need(context && tbs_len > 0);
	need(EVP_DigestSignInit(context, NULL, digest, NULL, key) == 1);
	need(EVP_DigestSign(context, signature, &len, tbs, (size_t)tbs_len) == 1);
	X509_get0_signature(&place, NULL, x509);
	need(ASN1_STRING_set((ASN1_BIT_STRING *)place, signature, (int)len));
	OPENSSL_free(tbs);
	EVP_MD_CTX_free(context);
}

void pki_sign(X509 *x509, EVP_PKEY *key, const struct pki_options *options)
{
	const EVP_MD *digest = NULL;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_context;

	need(context && key);
	if (has_digest(key)) {
		digest = EVP_get_digestbyname(options->digest ? options->digest : "SHA256");
		need(digest);
	}
	need(EVP_DigestSignInit(context, &key_context, digest, NULL, key) == 1);
	if (options->pss)
		set_pss(key_context, options);
	need(X509_sign_ctx(x509, context) > 0);
	if (options->version1_extended)
		sign_as_version_1(x509, key, digest);
	EVP_MD_CTX_free(context);
}
