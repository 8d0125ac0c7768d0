/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define DEFAULT_NOT_BEFORE (-3600)
#define DEFAULT_NOT_AFTER  (10 * 365 * 86400LL)

/* Under the arc of documentation examples (RFC 5612's enterprise number): nobody implements it. */
#define UNKNOWN_EXTENSION_OID "1.3.6.1.4.1.32473.1"

struct node {
	struct pki_cert cert;
	struct node *next;
};

struct pki {
	struct node *nodes;
};

static void die(const char *what)
{
	fprintf(stderr, "pki: %s\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

#define need(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			die(#condition);                                                           \
	} while (0)

int64_t pki_now(void)
{
	static int64_t now;

	if (!now)
		now = time(NULL);
	return now;
}

struct pki *pki_new(void)
{
	struct pki *pki = calloc(1, sizeof *pki);

	need(pki);
	return pki;
}

void pki_free(struct pki *pki)
{
	if (!pki)
		return;
	while (pki->nodes) {
		struct node *node = pki->nodes;

		pki->nodes = node->next;
		X509_free(node->cert.x509);
		EVP_PKEY_free(node->cert.key);
		free((void *)node->cert.der);
		free((void *)node->cert.pem);
		free((void *)node->cert.key_pem);
		free((void *)node->cert.chain_pem);
		free(node);
	}
	free(pki);
}

static struct pki_cert *add_cert(struct pki *pki, X509 *x509, EVP_PKEY *key)
{
	struct node *node = calloc(1, sizeof *node);

	need(node);
	node->cert.x509 = x509;
	node->cert.key = key;
	node->next = pki->nodes;
	pki->nodes = node;
	return &node->cert;
}

/* ---- Text forms ------------------------------------------------------------------------------ */

/* Takes the memory BIO; returns its content NUL-terminated. */
static char *bio_text(BIO *bio)
{
	char *data, *text;
	long len = BIO_get_mem_data(bio, &data);

	text = strndup(len ? data : "", (size_t)len);
	need(text);
	BIO_free(bio);
	return text;
}

static bool is_self_issued(X509 *x509)
{
	return X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
}

static char *chain_text(const struct pki_cert *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	need(bio);
	need(PEM_write_bio_X509(bio, cert->x509));
	for (cert = cert->issuer; cert && !is_self_issued(cert->x509); cert = cert->issuer)
		need(PEM_write_bio_X509(bio, cert->x509));
	return bio_text(bio);
}

static void fill_forms(struct pki_cert *cert)
{
	uint8_t *der = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	int len = i2d_X509(cert->x509, &der);

	need(bio && len > 0);
	need(PEM_write_bio_X509(bio, cert->x509));
	cert->pem = bio_text(bio);
	/* malloc'ed anew, so that a sanitizer sees a read past the end. */
	cert->der = malloc((size_t)len);
	need(cert->der);
	memcpy((void *)cert->der, der, (size_t)len);
	cert->der_len = (size_t)len;
	OPENSSL_free(der);
	cert->chain_pem = chain_text(cert);
	if (!cert->key)
		return;
	bio = BIO_new(BIO_s_mem());
	need(bio);
	need(PEM_write_bio_PKCS8PrivateKey(bio, cert->key, NULL, NULL, 0, NULL, NULL));
	cert->key_pem = bio_text(bio);
}

/* ---- Parts of a certificate ------------------------------------------------------------------ */

static EVP_PKEY *make_key(const struct pki_options *options)
{
	EVP_PKEY *key = NULL;

	if (options->key_of) {
		key = options->key_of->key;
		need(EVP_PKEY_up_ref(key));
		return key;
	}
	switch (options->key) {
	case PKI_P256:
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		break;
	case PKI_RSA2048:
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
		break;
	case PKI_ED25519:
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	case PKI_RSA1024:
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
		break;
	}
	need(key);
	return key;
}

static void set_serial(X509 *x509, uint64_t serial)
{
	if (!serial) {
		need(RAND_bytes((uint8_t *)&serial, sizeof serial) == 1);
		serial = (serial >> 1) | 1;
	}
	need(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial));
}

static void set_validity(X509 *x509, const struct pki_options *options)
{
	int64_t from = options->not_before ? options->not_before : DEFAULT_NOT_BEFORE;
	int64_t to = options->not_after ? options->not_after : DEFAULT_NOT_AFTER;

	need(ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)(pki_now() + from)));
	need(ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)(pki_now() + to)));
}

static void add_name_entry(X509_NAME *name, const char *field, const char *value)
{
	if (value)
		need(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const uint8_t *)value,
						-1, -1, 0));
}

static void set_names(X509 *x509, X509 *issuer, const struct pki_options *options)
{
	X509_NAME *subject = X509_get_subject_name(x509);

	add_name_entry(subject, "O", options->org);
	add_name_entry(subject, "CN", options->cn);
	need(X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer) : subject));
}

/* One extension in OpenSSL's own words. */
static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&ctx, issuer ? issuer : x509, x509, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	need(extension);
	need(X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
}

static void add_critical(X509 *x509, int nid, const char *value)
{
	char text[256];

	if (!value || !*value)
		return;
	snprintf(text, sizeof text, "critical,%s", value);
	add_extension(x509, NULL, nid, text);
}

static void add_basic_constraints(X509 *x509, const struct pki_options *options)
{
	char text[64] = "critical,CA:FALSE";

	if (options->no_basic_constraints)
		return;
	if (options->ca)
		snprintf(text, sizeof text, "critical,CA:TRUE");
	if (options->has_pathlen)
		snprintf(text + strlen(text), sizeof text - strlen(text), ",pathlen:%d",
			 options->pathlen);
	add_extension(x509, NULL, NID_basic_constraints, text);
}

static void add_usages(X509 *x509, const struct pki_options *options)
{
	const char *usage = options->key_usage;

	if (!usage)
		usage = options->ca ? "keyCertSign,cRLSign" : "digitalSignature";
	add_critical(x509, NID_key_usage, usage);
	if (options->eku && *options->eku) {
		add_extension(x509, NULL, NID_ext_key_usage, options->eku);
	} else if (options->eku) {
		EXTENDED_KEY_USAGE *none = sk_ASN1_OBJECT_new_null();

		need(none);
		need(X509_add1_ext_i2d(x509, NID_ext_key_usage, none, 0, X509V3_ADD_APPEND) == 1);
		EXTENDED_KEY_USAGE_free(none);
	}
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

static void add_san(X509 *x509, const struct pki_options *options)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();

	need(names);
	push_names(names, GEN_DNS, options->dns);
	push_names(names, GEN_IPADD, options->ip);
	push_names(names, GEN_URI, options->uri);
	push_names(names, GEN_EMAIL, options->email);
	if (sk_GENERAL_NAME_num(names) > 0)
		need(X509_add1_ext_i2d(x509, NID_subject_alt_name, names, !options->cn,
				       X509V3_ADD_APPEND) == 1);
	GENERAL_NAMES_free(names);
}

static void add_unknown_critical(X509 *x509)
{
	static const uint8_t null_der[] = {0x05, 0x00};
	ASN1_OBJECT *oid = OBJ_txt2obj(UNKNOWN_EXTENSION_OID, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	need(oid && value && ASN1_OCTET_STRING_set(value, null_der, sizeof null_der));
	extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
	need(extension && X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
}

static void add_policy(X509 *x509, const char *oid)
{
	CERTIFICATEPOLICIES *policies = sk_POLICYINFO_new_null();
	POLICYINFO *policy = POLICYINFO_new();

	need(policies && policy);
	policy->policyid = OBJ_txt2obj(oid, 1);
	need(policy->policyid && sk_POLICYINFO_push(policies, policy));
	need(X509_add1_ext_i2d(x509, NID_certificate_policies, policies, 0, X509V3_ADD_APPEND) ==
	     1);
	CERTIFICATEPOLICIES_free(policies);
}

static void add_extensions(X509 *x509, X509 *issuer, const struct pki_options *options)
{
	add_basic_constraints(x509, options);
	add_usages(x509, options);
	add_san(x509, options);
	add_critical(x509, NID_name_constraints, options->name_constraints);
	if (options->policy)
		add_policy(x509, options->policy);
	add_critical(x509, NID_policy_constraints, options->policy_constraints);
	if (options->unknown_critical)
		add_unknown_critical(x509);
	if (!options->no_skid)
		add_extension(x509, NULL, NID_subject_key_identifier, "hash");
	/* An issuer without SKID gives nothing to refer to. */
	issuer = issuer ? issuer : x509;
	if (!options->no_akid && X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0)
		add_extension(x509, issuer, NID_authority_key_identifier, "keyid:always");
}

static void sign(X509 *x509, EVP_PKEY *key, const char *digest)
{
	const EVP_MD *md = NULL;

	need(key);
	if (!EVP_PKEY_is_a(key, "ED25519")) {
		md = EVP_get_digestbyname(digest ? digest : "SHA256");
		need(md);
	}
	need(X509_sign(x509, key, md) > 0);
}

/* ---- Making ---------------------------------------------------------------------------------- */

const struct pki_cert *pki_make(struct pki *pki, const struct pki_cert *issuer,
				const struct pki_options *options)
{
	struct pki_cert *cert = add_cert(pki, X509_new(), make_key(options));
	X509 *x509 = cert->x509, *issuer_x509 = issuer ? issuer->x509 : NULL;

	need(x509);
	cert->issuer = issuer;
	need(X509_set_version(x509, options->version1 || options->version1_extended
					    ? X509_VERSION_1
					    : X509_VERSION_3));
	need(X509_set_pubkey(x509, cert->key));
	set_serial(x509, options->serial);
	set_validity(x509, options);
	set_names(x509, issuer_x509, options);
	if (!options->version1)
		add_extensions(x509, issuer_x509, options);
	sign(x509, issuer ? issuer->key : cert->key, options->digest);
	fill_forms(cert);
	return cert;
}

const struct pki_cert *pki_make_ca(struct pki *pki, const struct pki_cert *issuer, const char *cn)
{
	return pki_make(pki, issuer, &(struct pki_options){.cn = cn, .ca = true});
}

const struct pki_cert *pki_make_leaf(struct pki *pki, const struct pki_cert *issuer, const char *cn,
				     const char *dns, const char *eku)
{
	return pki_make(pki, issuer, &(struct pki_options){.cn = cn, .dns = {dns}, .eku = eku});
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int write_file(const char *prefix, const char *suffix, const char *text, mode_t mode)
{
	char path[PATH_MAX];
	size_t len = strlen(text);
	ssize_t written;
	int fd, err = 0;

	if (snprintf(path, sizeof path, "%s%s", prefix, suffix) >= (int)sizeof path)
		return -ENAMETOOLONG;
	/* Anew: a file that was there might have kept a wider mode. */
	if (unlink(path) && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	written = write(fd, text, len);
	if (written < 0)
		err = -errno;
	else if ((size_t)written != len)
		err = -EIO;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int pki_save(const struct pki_cert *cert, const char *prefix)
{
	int err = write_file(prefix, ".pem", cert->pem, 0644);

	if (!err && cert->key_pem)
		err = write_file(prefix, ".key", cert->key_pem, 0600);
	if (!err)
		err = write_file(prefix, ".chain.pem", cert->chain_pem, 0644);
	return err;
}

static FILE *open_file(const char *prefix, const char *suffix)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s%s", prefix, suffix) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return fopen(path, "re");
}

static int load_key(const char *prefix, EVP_PKEY **ret_key)
{
	FILE *file = open_file(prefix, ".key");

	if (!file)
		return -errno;
	*ret_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	return *ret_key ? 0 : -EBADMSG;
}

int pki_load(struct pki *pki, const char *prefix, const struct pki_cert **ret_cert)
{
	struct pki_cert *first = NULL, *last = NULL;
	EVP_PKEY *key = NULL;
	X509 *x509;
	FILE *file;
	int err = load_key(prefix, &key);

	if (err)
		return err;
	file = open_file(prefix, ".chain.pem");
	if (!file) {
		err = -errno;
		EVP_PKEY_free(key);
		return err;
	}
	while ((x509 = PEM_read_X509(file, NULL, NULL, NULL))) {
		struct pki_cert *cert = add_cert(pki, x509, first ? NULL : key);

		if (last)
			last->issuer = cert;
		else
			first = cert;
		last = cert;
	}
	fclose(file);
	ERR_clear_error(); /* the end of the file is an error to PEM_read_X509 */
	if (!first) {
		EVP_PKEY_free(key);
		return -EBADMSG;
	}
	for (struct pki_cert *cert = first; cert; cert = (struct pki_cert *)cert->issuer)
		fill_forms(cert);
	if (!X509_check_private_key(first->x509, first->key)) {
		ERR_clear_error();
		return -EBADMSG;
	}
	*ret_cert = first;
	return 0;
}
