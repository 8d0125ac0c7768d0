/* SPDX-License-Identifier: BSD-2-Clause */
/* One chain and its key: read, put in order, tried out, counted. */
#include <errno.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "credentials.h"
#include "signing.h"

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

static int parse_chain(STACK_OF(X509) * certificates, BIO *bio, const char *path,
		       struct kt_error *error)
{
	bool asked = false;
	X509 *x509;

	while ((x509 = PEM_read_bio_X509(bio, NULL, refuse_password, &asked))) {
		if (sk_X509_num(certificates) < KT_CHAIN_MAX && sk_X509_push(certificates, x509))
			continue;
		X509_free(x509);
		return kt_error_set(error, EBADMSG, path, 0,
				    "more than %d certificates (leave the leaf and its "
				    "intermediates only)",
				    KT_CHAIN_MAX);
	}
	if (!at_end_of_pem())
		return kt_error_set(error, EBADMSG, path, 0,
				    "certificate %d is malformed or cut off",
				    sk_X509_num(certificates) + 1);
	if (!sk_X509_num(certificates))
		return kt_error_set(error, EBADMSG, path, 0,
				    "no certificate in it (give a PEM chain)");
	return 0;
}

enum kt_key_kind kt_key_kind(const EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return KT_KEY_RSA;
	case EVP_PKEY_RSA_PSS:
		return KT_KEY_RSA_PSS;
	case EVP_PKEY_EC:
		return KT_KEY_ECDSA;
	case EVP_PKEY_ED25519:
		return KT_KEY_ED25519;
	case EVP_PKEY_ED448:
		return KT_KEY_ED448;
	default:
		return KT_KEY_KINDS;
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
	if (kt_key_kind(credentials->key) == KT_KEY_KINDS)
		return kt_error_set(error, EKEYREJECTED, path, 0,
				    "a kind of key that TLS cannot use (use ECDSA, RSA or EdDSA)");
	return 0;
}

static int read_chain(STACK_OF(X509) * certificates, const char *path, struct kt_error *error)
{
	struct kt_secret_file file;
	int err = kt_secret_file_read(path, "give a PEM file", &file, error);
	BIO *bio;

	if (err)
		return err;
	bio = BIO_new_mem_buf(file.data, (int)file.len);
	err = bio ? parse_chain(certificates, bio, path, error)
		  : kt_error_set(error, ENOMEM, path, 0, "out of memory");
	BIO_free(bio);
	/* There may be a key in it as well. */
	kt_secret_file_wipe(&file);
	return err;
}

static int read_key(struct kt_credentials *credentials, const char *path, struct kt_error *error)
{
	struct kt_secret_file file;
	int err = kt_secret_file_read(path, "give a PEM file", &file, error);
	BIO *bio;

	if (err)
		return err;
	credentials->info.exposed = file.mode & S_IROTH;
	bio = BIO_new_mem_buf(file.data, (int)file.len);
	err = bio ? parse_key(credentials, bio, path, error)
		  : kt_error_set(error, ENOMEM, path, 0, "out of memory");
	BIO_free(bio);
	kt_secret_file_wipe(&file);
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
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	int err;

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
	kt_credentials_forget(credentials);
	X509_free(credentials->leaf);
	X509_free(credentials->issuer);
	EVP_PKEY_free(credentials->key);
	sk_X509_pop_free(credentials->chain, X509_free);
	kt_signing_free(credentials->signing);
	OPENSSL_free(credentials->staple);
	OPENSSL_free(credentials);
}

static int load(struct kt_credentials *credentials, const char *chain_path, const char *key_path,
		struct kt_error *error)
{
	STACK_OF(X509) *file = sk_X509_new_null();
	int err;

	if (!file)
		return kt_error_set(error, ENOMEM, chain_path, 0, "out of memory");
	err = read_chain(file, chain_path, error);
	if (!err)
		err = read_key(credentials, key_path, error);
	if (!err)
		err = kt_chain_put_in_order(credentials, file, chain_path, key_path, error);
	if (!err)
		err = try_out(credentials, key_path, error);
	if (!err)
		err = kt_credentials_look(credentials, chain_path, error);
	sk_X509_pop_free(file, X509_free);
	return err;
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
	err = load(credentials, chain_path, key_path, error);
	if (err)
		credentials_free(credentials);
	else
		*ret_credentials = credentials;
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
