/* SPDX-License-Identifier: BSD-2-Clause */
#include "signature.h"

#include <errno.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "file.h"

/* Nobody is asked for a password: a key that has one is no key here. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

static EVP_PKEY *decode(const char *text, size_t len, bool private)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	EVP_PKEY *key = NULL;

	if (bio)
		key = private ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)
			      : PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

static int load_key(const char *path, bool private, EVP_PKEY **ret_key, struct kt_error *error)
{
	char text[KT_MANIFEST_KEY_MAX + 1];
	EVP_PKEY *key;
	size_t len;
	int ret = kt_file_read(path, text, sizeof text, &len, error);

	if (ret)
		return ret;
	key = decode(text, len, private);
	explicit_bzero(text, sizeof text);
	if (!key || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		return kt_error_set(error, ENOKEY, path, 0,
				    "no %s Ed25519 key in it (expected: PEM, as openssl genpkey "
				    "-algorithm ed25519 %s)",
				    private ? "private" : "public",
				    private ? "writes it" : "and openssl pkey -pubout write it");
	}
	*ret_key = key;
	return 0;
}

int kt_signature_check(const char *key_path, const void *text, size_t len,
		       const uint8_t signature[KT_MANIFEST_SIGNATURE_LEN], const char *where,
		       struct kt_error *error)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *key = NULL;
	int ret;

	ret = load_key(key_path, false, &key, error);
	if (ret)
		goto free_context;
	if (!context || EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestVerify(context, signature, KT_MANIFEST_SIGNATURE_LEN, text, len) != 1)
		ret = kt_error_set(error, EKEYREJECTED, where, 0,
				   "not signed by the key in %s, or changed since", key_path);
	EVP_PKEY_free(key);
free_context:
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return ret;
}

int kt_signature_make(const char *key_path, const void *text, size_t len,
		      uint8_t ret_signature[KT_MANIFEST_SIGNATURE_LEN], struct kt_error *error)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t signature_len = KT_MANIFEST_SIGNATURE_LEN;
	EVP_PKEY *key = NULL;
	int ret;

	ret = load_key(key_path, true, &key, error);
	if (ret)
		goto free_context;
	if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(context, ret_signature, &signature_len, text, len) != 1)
		ret = kt_error_set(error, ENOMEM, key_path, 0, "cannot sign");
	EVP_PKEY_free(key);
free_context:
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return ret;
}
