/* SPDX-License-Identifier: BSD-2-Clause */
/* What there is to be said of credentials, and the names they are chosen by. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "../verify/x509_der.h"
#include "connection.h"

int64_t kt_asn1_seconds(const ASN1_TIME *asn1)
{
	struct tm tm;

	if (!asn1 || !ASN1_TIME_to_tm(asn1, &tm))
		return INT64_MIN;
	return timegm(&tm);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* A whole host name, or "*." and one: nothing else can be asked for. */
static bool is_chosen_by(const char *name, size_t len)
{
	if (len > 2 && name[0] == '*' && name[1] == '.') {
		name += 2;
		len -= 2;
	}
	return kt_hello_is_host_name(name, len);
}

static int add_name(struct kt_credentials *credentials, const ASN1_STRING *text)
{
	const char *data = (const char *)ASN1_STRING_get0_data(text);
	int len = ASN1_STRING_length(text);
	char *name;

	if (len <= 0 || !is_chosen_by(data, (size_t)len))
		return 0;
	name = OPENSSL_strndup(data, (size_t)len);
	if (!name)
		return -ENOMEM;
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	credentials->names[credentials->info.names++] = name;
	return 0;
}

static int add_names(struct kt_credentials *credentials, const GENERAL_NAMES *names)
{
	int count = sk_GENERAL_NAME_num(names), err = 0;

	credentials->names = OPENSSL_zalloc(((size_t)count + 1) * sizeof *credentials->names);
	if (!credentials->names)
		return -ENOMEM;
	for (int i = 0; i < count && !err; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			err = add_name(credentials, name->d.dNSName);
	}
	return err;
}

static int read_names(struct kt_credentials *credentials, const char *path, struct kt_error *error)
{
	int critical; /* or why there is nothing; >= 0: it could not be decoded */
	GENERAL_NAMES *names =
		X509_get_ext_d2i(credentials->leaf, NID_subject_alt_name, &critical, NULL);
	int err = names ? add_names(credentials, names) : 0;

	GENERAL_NAMES_free(names);
	if (!names && critical != -1)
		return kt_error_set(error, EBADMSG, path, 0,
				    "the leaf's subjectAltName cannot be read");
	return err ? kt_error_set(error, -err, path, 0, "out of memory") : 0;
}

const char *kt_credentials_name(const struct kt_credentials *credentials, size_t index)
{
	return index < credentials->info.names ? credentials->names[index] : NULL;
}

/* ---- The rest -------------------------------------------------------------------------------- */

static void name_subject(struct kt_credentials *credentials)
{
	char *subject = credentials->info.subject;

	kt_peer_common_name(credentials->leaf, subject, sizeof credentials->info.subject);
	if (!subject[0] && credentials->info.names)
		snprintf(subject, sizeof credentials->info.subject, "%s", credentials->names[0]);
}

static void name_key(const EVP_PKEY *key, char *buf, size_t size)
{
	char curve[32] = "";
	const char *nist = NULL;

	switch (kt_key_kind(key)) {
	case KT_KEY_ECDSA:
		if (EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL))
			nist = EC_curve_nid2nist(OBJ_txt2nid(curve));
		snprintf(buf, size, "ECDSA %.23s", nist ? nist : curve);
		return;
	case KT_KEY_RSA:
		snprintf(buf, size, "RSA %d", EVP_PKEY_get_bits(key));
		return;
	case KT_KEY_RSA_PSS:
		snprintf(buf, size, "RSA-PSS %d", EVP_PKEY_get_bits(key));
		return;
	default:
		snprintf(buf, size, "%s", kt_key_kind(key) == KT_KEY_ED448 ? "Ed448" : "Ed25519");
	}
}

/* Its DER stays with it: it is sent in every handshake. */
static bool add_certificate(EVP_MD_CTX *sum, X509 *x509)
{
	struct kt_der der;

	if (!kt_x509_keep_der(x509))
		return false;
	der = kt_x509_kept_der(x509);
	return EVP_DigestUpdate(sum, der.data, der.len);
}

int kt_credentials_sum_up(struct kt_credentials *credentials)
{
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	bool done = sum && EVP_DigestInit_ex2(sum, EVP_sha256(), NULL) &&
		    add_certificate(sum, credentials->leaf);

	for (int i = 0; done && i < sk_X509_num(credentials->chain); i++)
		done = add_certificate(sum, sk_X509_value(credentials->chain, i));
	if (done && credentials->staple)
		done = EVP_DigestUpdate(sum, credentials->staple, credentials->staple_len);
	done = done && EVP_DigestFinal_ex(sum, credentials->info.digest, NULL);
	EVP_MD_CTX_free(sum);
	return done ? 0 : -ENOMEM;
}

int kt_credentials_look(struct kt_credentials *credentials, const char *path,
			struct kt_error *error)
{
	struct kt_credentials_info *info = &credentials->info;
	int err = read_names(credentials, path, error);

	if (err)
		return err;
	name_subject(credentials);
	name_key(credentials->key, info->key_type, sizeof info->key_type);
	info->not_before = kt_asn1_seconds(X509_get0_notBefore(credentials->leaf));
	info->not_after = kt_asn1_seconds(X509_get0_notAfter(credentials->leaf));
	if (!X509_digest(credentials->leaf, EVP_sha256(), info->fingerprint, NULL) ||
	    kt_credentials_sum_up(credentials))
		return kt_error_set(error, ENOMEM, path, 0, "out of memory");
	return 0;
}

void kt_credentials_forget(struct kt_credentials *credentials)
{
	for (size_t i = 0; i < credentials->info.names; i++)
		OPENSSL_free(credentials->names[i]);
	OPENSSL_free(credentials->names);
}

void kt_credentials_describe(const struct kt_credentials *credentials,
			     struct kt_credentials_info *ret_info)
{
	*ret_info = credentials->info;
}
