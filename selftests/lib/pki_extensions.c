/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/x509v3.h>

/* Under the arc of documentation examples (RFC 5612's enterprise number): nobody implements it. */
#define UNKNOWN_EXTENSION "critical,1.3.6.1.4.1.32473.1=0500"

/* A certificate in the making. */
struct work {
	X509 *x509;
	X509 *issuer; /* itself where it is self-signed */
	CONF *conf;
};

static CONF *read_conf(const char *text)
{
	CONF *conf = NCONF_new(NULL);
	BIO *bio = BIO_new_mem_buf(text ? text : "", -1);
	long line;

	need(conf && bio && NCONF_load_bio(conf, bio, &line) > 0);
	BIO_free(bio);
	return conf;
}

/* ---- One extension --------------------------------------------------------------------------- */

/* In OpenSSL's own words. NULL: none. */
static void add_words(const struct work *work, int nid, const char *words)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	if (!words)
		return;
	X509V3_set_ctx(&context, work->issuer, work->x509, NULL, NULL, 0);
	X509V3_set_nconf(&context, work->conf);
	extension = X509V3_EXT_nconf_nid(work->conf, &context, nid, words);
	need(extension && X509_add_ext(work->x509, extension, -1));
	X509_EXTENSION_free(extension);
}

/* The empty words are none, too. */
static void add_critical(const struct work *work, int nid, const char *words)
{
	char *text;

	if (!words || !*words)
		return;
	need(asprintf(&text, "critical,%s", words) > 0);
	add_words(work, nid, text);
	free(text);
}

/* "2.5.29.19=3000", "critical,2.5.29.19=3000" */
static void add_raw(const struct work *work, const char *text)
{
	bool critical = !strncmp(text, "critical,", strlen("critical,"));
	char *oid = strdup(critical ? strchr(text, ',') + 1 : text), *hex;
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;
	ASN1_OBJECT *object;
	uint8_t *bytes;
	long len;

	need(oid && value);
	hex = strchr(oid, '=');
	pki_need(hex, text);
	*hex++ = '\0';
	object = OBJ_txt2obj(oid, 1);
	bytes = OPENSSL_hexstr2buf(hex, &len);
	need(object && bytes && ASN1_OCTET_STRING_set(value, bytes, (int)len));
	extension = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value);
	need(extension && X509_add_ext(work->x509, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
	OPENSSL_free(bytes);
	free(oid);
}

/* Of each extension that the list names. */
static void set_critical(X509 *x509, const char *list, bool critical)
{
	char *copy = strdup(list ? list : ""), *rest = copy, *name;

	need(copy);
	while ((name = strsep(&rest, ","))) {
		int at = *name ? X509_get_ext_by_NID(x509, OBJ_txt2nid(name), -1) : -1;

		pki_need(!*name || at >= 0, name);
		if (*name)
			need(X509_EXTENSION_set_critical(X509_get_ext(x509, at), critical));
	}
	free(copy);
}

/* ---- Each ------------------------------------------------------------------------------------ */

static void add_basic_constraints(const struct work *work, const struct pki_options *options)
{
	char text[64] = "critical,CA:FALSE";

	if (options->no_basic_constraints)
		return;
	if (options->ca)
		snprintf(text, sizeof text, "critical,CA:TRUE");
	if (options->has_pathlen)
		snprintf(text + strlen(text), sizeof text - strlen(text), ",pathlen:%d",
			 options->pathlen);
	add_words(work, NID_basic_constraints, text);
}

static void add_usages(const struct work *work, const struct pki_options *options)
{
	const char *usage = options->key_usage;
	EXTENDED_KEY_USAGE *none;

	if (!usage)
		usage = options->ca ? "keyCertSign,cRLSign" : "digitalSignature";
	add_critical(work, NID_key_usage, usage);
	if (!options->eku || *options->eku) {
		add_words(work, NID_ext_key_usage, options->eku);
		return;
	}
	none = sk_ASN1_OBJECT_new_null();
	need(none &&
	     X509_add1_ext_i2d(work->x509, NID_ext_key_usage, none, 0, X509V3_ADD_APPEND) == 1);
	EXTENDED_KEY_USAGE_free(none);
}

static void push_names(GENERAL_NAMES *names, int type, const char *const *values)
{
	for (; *values; values++) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_STRING *value;

		if (type == GEN_IPADD) {
			value = a2i_IPADDRESS(*values);
		} else {
			value = ASN1_IA5STRING_new();
			need(value && ASN1_STRING_set(value, *values, -1));
		}
		need(name && value);
		GENERAL_NAME_set0_value(name, type, value);
		need(sk_GENERAL_NAME_push(names, name));
	}
}

/* Critical where the subject is empty (RFC 5280 §4.2.1.6). */
static void add_san(const struct work *work, const struct pki_options *options)
{
	bool critical = X509_NAME_entry_count(X509_get_subject_name(work->x509)) == 0;
	GENERAL_NAMES *names;

	if (options->san) {
		(critical ? add_critical : add_words)(work, NID_subject_alt_name, options->san);
		return;
	}
	names = GENERAL_NAMES_new();
	need(names);
	push_names(names, GEN_DNS, options->dns);
	push_names(names, GEN_IPADD, options->ip);
	push_names(names, GEN_URI, options->uri);
	push_names(names, GEN_EMAIL, options->email);
	if (sk_GENERAL_NAME_num(names) > 0)
		need(X509_add1_ext_i2d(work->x509, NID_subject_alt_name, names, critical,
				       X509V3_ADD_APPEND) == 1);
	GENERAL_NAMES_free(names);
}

static void add_policies(const struct work *work, const struct pki_options *options)
{
	add_words(work, NID_certificate_policies, options->policies);
	add_words(work, NID_policy_mappings, options->policy_mappings);
	add_critical(work, NID_policy_constraints, options->policy_constraints);
	add_critical(work, NID_inhibit_any_policy, options->inhibit_any_policy);
}

static void add_key_ids(const struct work *work, const struct pki_options *options)
{
	if (!options->no_skid)
		add_words(work, NID_subject_key_identifier, "hash");
	if (options->akid)
		add_words(work, NID_authority_key_identifier, options->akid);
	/* An issuer without SKID gives nothing to refer to. */
	else if (!options->no_akid &&
		 X509_get_ext_by_NID(work->issuer, NID_subject_key_identifier, -1) >= 0)
		add_words(work, NID_authority_key_identifier, "keyid:always");
}

void pki_add_extensions(X509 *x509, X509 *issuer, const struct pki_options *options)
{
	struct work work = {x509, issuer ? issuer : x509, read_conf(options->conf)};

	add_basic_constraints(&work, options);
	add_usages(&work, options);
	add_san(&work, options);
	add_critical(&work, NID_name_constraints, options->name_constraints);
	add_policies(&work, options);
	if (options->unknown_critical)
		add_raw(&work, UNKNOWN_EXTENSION);
	add_words(&work, NID_crl_distribution_points, options->crl_points);
	add_key_ids(&work, options);
	for (int i = 0; i < PKI_RAW_MAX && options->raw[i]; i++)
		add_raw(&work, options->raw[i]);
	set_critical(x509, options->critical, true);
	set_critical(x509, options->not_critical, false);
	NCONF_free(work.conf);
}
