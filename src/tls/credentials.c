/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "connection.h"

#define FILE_MAX (1L << 20) /* bytes of a chain or key file */

struct text {
	char *data;
	size_t len;
};

static void text_wipe(struct text *text)
{
	OPENSSL_clear_free(text->data, text->len);
	*text = (struct text){0};
}

static int read_all(int fd, struct text *text, const char *path, struct kt_error *error)
{
	size_t have = 0;

	while (have < text->len) {
		ssize_t n = read(fd, text->data + have, text->len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kt_error_set(error, errno, path, 0, "cannot read it: %m");
		if (!n)
			return kt_error_set(error, EBADMSG, path, 0,
					    "it shrank while it was read (try again)");
		have += n;
	}
	return 0;
}

static int read_file(const char *path, struct text *ret_text, struct kt_error *error)
{
	struct text text = {0};
	struct stat st;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return kt_error_set(error, errno, path, 0, "cannot open it: %m");
	err = -EBADMSG;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FILE_MAX) {
		kt_error_set(error, EBADMSG, path, 0,
			     "not a regular file of 1 byte to %ld KiB (give a PEM file)",
			     FILE_MAX >> 10);
		goto close;
	}
	text.len = st.st_size;
	text.data = OPENSSL_malloc(text.len);
	if (!text.data) {
		err = kt_error_set(error, ENOMEM, path, 0, "out of memory");
		goto close;
	}
	err = read_all(fd, &text, path, error);
	if (err)
		text_wipe(&text);
	else
		*ret_text = text;
close:
	close(fd);
	return err;
}

/* OpenSSL would ask at the terminal; a daemon has nobody to ask. */
static int refuse_password(char *buf, int size, int writing, void *arg)
{
	bool *asked = arg;

	(void)buf;
	(void)size;
	(void)writing;
	*asked = true;
	return -1;
}

static bool at_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static int add_certificate(struct kt_credentials *credentials, X509 *x509)
{
	if (!credentials->leaf) {
		credentials->leaf = x509;
		return 0;
	}
	if (sk_X509_num(credentials->chain) < KT_CHAIN_MAX - 1 &&
	    sk_X509_push(credentials->chain, x509))
		return 0;
	X509_free(x509);
	return -E2BIG;
}

static int parse_chain(struct kt_credentials *credentials, BIO *bio, const char *path,
		       struct kt_error *error)
{
	bool asked = false;
	X509 *x509;

	while ((x509 = PEM_read_bio_X509(bio, NULL, refuse_password, &asked)))
		if (add_certificate(credentials, x509))
			return kt_error_set(error, EBADMSG, path, 0,
					    "more than %d certificates (leave the leaf and its "
					    "intermediates only)",
					    KT_CHAIN_MAX);
	if (!at_end_of_pem())
		return kt_error_set(error, EBADMSG, path, 0,
				    "certificate %d is malformed or cut off",
				    sk_X509_num(credentials->chain) + 1 + !!credentials->leaf);
	if (!credentials->leaf)
		return kt_error_set(error, EBADMSG, path, 0,
				    "no certificate in it (give a PEM chain, leaf first)");
	return 0;
}

static bool usable_kind(const EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
	case EVP_PKEY_EC:
	case EVP_PKEY_ED25519:
	case EVP_PKEY_ED448:
		return true;
	default:
		return false;
	}
}

static int parse_key(struct kt_credentials *credentials, BIO *bio, const char *path,
		     struct kt_error *error)
{
	bool asked = false;

	credentials->key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, &asked);
	if (asked)
		return kt_error_set(error, EKEYREJECTED, path, 0,
				    "the key is encrypted (decrypt it: openssl pkey -in …)");
	if (!credentials->key)
		return kt_error_set(error, EBADMSG, path, 0, "no well-formed PEM private key");
	if (!usable_kind(credentials->key))
		return kt_error_set(error, EKEYREJECTED, path, 0,
				    "a kind of key that TLS cannot use (use ECDSA, RSA or EdDSA)");
	return 0;
}

typedef int parse_pem(struct kt_credentials *credentials, BIO *bio, const char *path,
		      struct kt_error *error);

static int load(struct kt_credentials *credentials, parse_pem *parse, const char *path,
		struct kt_error *error)
{
	struct text text = {0};
	BIO *bio;
	int err;

	err = read_file(path, &text, error);
	if (err)
		return err;
	bio = BIO_new_mem_buf(text.data, (int)text.len);
	if (bio)
		err = parse(credentials, bio, path, error);
	else
		err = kt_error_set(error, ENOMEM, path, 0, "out of memory");
	BIO_free(bio);
	text_wipe(&text);
	return err;
}

int kt_credentials_use(const struct kt_credentials *credentials, SSL_CTX *context)
{
	/* The level that judges our own keys; not left to the machine's openssl.cnf. */
	SSL_CTX_set_security_level(context, KT_TLS_SECURITY_LEVEL);
	if (SSL_CTX_use_cert_and_key(context, credentials->leaf, credentials->key,
				     credentials->chain, 1) == 1)
		return 0;
	return -EKEYREJECTED;
}

/* Refuse here what every context would refuse later: weak keys, curves that TLS lacks. */
static int try_out(const struct kt_credentials *credentials, const char *path,
		   struct kt_error *error)
{
	const char *why;
	SSL_CTX *context;
	int err;

	if (X509_check_private_key(credentials->leaf, credentials->key) != 1)
		return kt_error_set(error, EKEYREJECTED, path, 0,
				    "the key does not belong to the first certificate of the chain "
				    "(leaf first; check that the files are a pair)");
	context = SSL_CTX_new(TLS_server_method());
	if (!context)
		return kt_error_set(error, ENOMEM, path, 0, "out of memory");
	err = kt_credentials_use(credentials, context);
	if (err) {
		why = ERR_reason_error_string(ERR_peek_last_error());
		kt_error_set(error, -err, path, 0, "TLS cannot use this key or chain: %s",
			     why ? why : "unknown reason");
	}
	SSL_CTX_free(context);
	return err;
}

static void credentials_free(struct kt_credentials *credentials)
{
	X509_free(credentials->leaf);
	EVP_PKEY_free(credentials->key);
	sk_X509_pop_free(credentials->chain, X509_free);
	OPENSSL_free(credentials);
}

int kt_credentials_load(const char *chain_path, const char *key_path,
			struct kt_credentials **ret_credentials, struct kt_error *error)
{
	struct kt_credentials *credentials;
	int err;

	ERR_clear_error();
	credentials = OPENSSL_zalloc(sizeof *credentials);
	if (!credentials)
		return kt_error_set(error, ENOMEM, chain_path, 0, "out of memory");
	credentials->references = 1;
	credentials->chain = sk_X509_new_null();
	if (!credentials->chain) {
		err = kt_error_set(error, ENOMEM, chain_path, 0, "out of memory");
		goto free;
	}
	err = load(credentials, parse_chain, chain_path, error);
	if (err)
		goto free;
	err = load(credentials, parse_key, key_path, error);
	if (err)
		goto free;
	err = try_out(credentials, key_path, error);
	if (err)
		goto free;
	*ret_credentials = credentials;
	ERR_clear_error();
	return 0;
free:
	credentials_free(credentials);
	ERR_clear_error();
	return err;
}

struct kt_credentials *kt_credentials_get(struct kt_credentials *credentials)
{
	__atomic_add_fetch(&credentials->references, 1, __ATOMIC_RELAXED);
	return credentials;
}

void kt_credentials_put(struct kt_credentials *credentials)
{
	/* release: our use comes before the free; acquire: the free sees everybody's use */
	if (credentials && !__atomic_sub_fetch(&credentials->references, 1, __ATOMIC_ACQ_REL))
		credentials_free(credentials);
}
