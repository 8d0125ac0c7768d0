/* SPDX-License-Identifier: BSD-2-Clause */
#include "pki_parts.h"

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

struct node {
	struct pki_cert cert;
	struct node *next;
};

struct pki {
	struct node *nodes;
};

void pki_need(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "pki: %s\n", what);
	ERR_print_errors_fp(stderr);
	abort();
}

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

static EVP_PKEY *key_for(const struct pki_options *options)
{
	if (!options->key_of)
		return pki_new_key(options->key);
	need(EVP_PKEY_up_ref(options->key_of->key));
	return options->key_of->key;
}

static void set_serial_hex(X509 *x509, const char *hex)
{
	BIGNUM *number = NULL;

	need(BN_hex2bn(&number, hex));
	need(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)));
	BN_free(number);
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

/* ---- Making ---------------------------------------------------------------------------------- */

const struct pki_cert *pki_make(struct pki *pki, const struct pki_cert *issuer,
				const struct pki_options *options)
{
	struct pki_cert *cert = add_cert(pki, X509_new(), key_for(options));
	X509 *x509 = cert->x509, *issuer_x509 = issuer ? issuer->x509 : NULL;

	need(x509);
	cert->issuer = issuer;
	need(X509_set_version(x509, options->version1 || options->version1_extended
					    ? X509_VERSION_1
					    : X509_VERSION_3));
	need(X509_set_pubkey(x509, cert->key));
	if (options->serial_hex)
		set_serial_hex(x509, options->serial_hex);
	else
		set_serial(x509, options->serial);
	set_validity(x509, options);
	pki_set_names(x509, issuer_x509, options);
	if (!options->version1)
		pki_add_extensions(x509, issuer_x509, options);
	if (options->signed_by)
		issuer = options->signed_by;
	pki_sign(x509, issuer ? issuer->key : cert->key, options);
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
