/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading certificate and key: what is taken, what is refused and why. */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>

FIXTURE(files)
{
	struct pki *pki;
	const struct pki_cert *ca, *leaf, *other;
	char dir[64], chain[80], key[80];
	struct kt_credentials *credentials;
	struct kt_error error;
};

FIXTURE_SETUP(files)
{
	self->pki = pki_new();
	self->ca = pki_make_ca(self->pki, NULL, "CA");
	self->leaf = pki_make_leaf(self->pki, self->ca, "server", "server.test", "serverAuth");
	self->other = pki_make_leaf(self->pki, self->ca, "other", "other.test", "serverAuth");
	snprintf(self->dir, sizeof self->dir, "/tmp/ktrust-cred-XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir) != NULL);
	snprintf(self->chain, sizeof self->chain, "%s/chain", self->dir);
	snprintf(self->key, sizeof self->key, "%s/key", self->dir);
}

FIXTURE_TEARDOWN(files)
{
	kt_credentials_put(self->credentials);
	unlink(self->chain);
	unlink(self->key);
	rmdir(self->chain);
	rmdir(self->dir);
	pki_free(self->pki);
}

static void put(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	ASSERT_TRUE(file != NULL);
	ASSERT_EQ(len, fwrite(text, 1, len, file));
	fclose(file);
}

static int load(FIXTURE_DATA(files) * self, const char *chain, const char *key)
{
	put(self->chain, chain, strlen(chain));
	put(self->key, key, strlen(key));
	return kt_credentials_load(self->chain, self->key, &self->credentials, &self->error);
}

static void expect_error(FIXTURE_DATA(files) * self, int err, const char *where, const char *words)
{
	EXPECT_NULL(self->credentials);
	EXPECT_EQ(err, self->error.err);
	EXPECT_STREQ(where, self->error.where);
	EXPECT_TRUE(strstr(self->error.text, words) != NULL)
	{
		TH_LOG("%s", self->error.text);
	}
}

TEST_F(files, that_belong_together_load)
{
	EXPECT_EQ(0, load(self, self->leaf->chain_pem, self->leaf->key_pem));
	EXPECT_TRUE(self->credentials != NULL);
}

TEST_F(files, may_hold_text_around_the_blocks)
{
	char text[8192];

	snprintf(text, sizeof text, "subject: x\n%s\nissuer: y\n%s", self->leaf->pem,
		 self->ca->pem);
	EXPECT_EQ(0, load(self, text, self->leaf->key_pem));
}

TEST_F(files, missing_are_named)
{
	put(self->chain, self->leaf->pem, strlen(self->leaf->pem));
	EXPECT_EQ(-ENOENT, kt_credentials_load("/nonexistent/chain", self->key, &self->credentials,
					       &self->error));
	expect_error(self, ENOENT, "/nonexistent/chain", "open");
	EXPECT_EQ(-ENOENT,
		  kt_credentials_load(self->chain, self->key, &self->credentials, &self->error));
	expect_error(self, ENOENT, self->key, "open");
}

TEST_F(files, that_are_none_are_refused)
{
	ASSERT_EQ(0, mkdir(self->chain, 0700));
	EXPECT_EQ(-EBADMSG,
		  kt_credentials_load(self->chain, self->key, &self->credentials, &self->error));
	expect_error(self, EBADMSG, self->chain, "regular file");
}

TEST_F(files, larger_than_any_chain_are_refused)
{
	put(self->chain, "x", 1);
	ASSERT_EQ(0, truncate(self->chain, (1 << 20) + 1));
	EXPECT_EQ(-EBADMSG,
		  kt_credentials_load(self->chain, self->key, &self->credentials, &self->error));
	expect_error(self, EBADMSG, self->chain, "1024 KiB");
}

TEST_F(files, without_a_certificate_are_refused)
{
	EXPECT_EQ(-EBADMSG, load(self, "nothing here\n", self->leaf->key_pem));
	expect_error(self, EBADMSG, self->chain, "no certificate");
	EXPECT_EQ(-EBADMSG, load(self, "", self->leaf->key_pem));
}

TEST_F(files, with_a_malformed_certificate_are_refused)
{
	char text[8192];

	/* the second is cut in the middle */
	snprintf(text, sizeof text, "%s%.*s", self->leaf->pem, (int)strlen(self->ca->pem) / 2,
		 self->ca->pem);
	EXPECT_EQ(-EBADMSG, load(self, text, self->leaf->key_pem));
	expect_error(self, EBADMSG, self->chain, "certificate 2 is malformed");
}

TEST_F(files, with_too_many_certificates_are_refused)
{
	size_t len = strlen(self->ca->pem);
	char *text = calloc(20, len + 2000);

	strcpy(text, self->leaf->pem);
	for (int i = 1; i < KT_CHAIN_MAX; i++)
		strcat(text, self->ca->pem);
	EXPECT_EQ(0, load(self, text, self->leaf->key_pem));
	kt_credentials_put(self->credentials);
	self->credentials = NULL;
	strcat(text, self->ca->pem);
	EXPECT_EQ(-EBADMSG, load(self, text, self->leaf->key_pem));
	expect_error(self, EBADMSG, self->chain, "more than 16");
	free(text);
}

TEST_F(files, with_a_malformed_key_are_refused)
{
	EXPECT_EQ(-EBADMSG, load(self, self->leaf->pem, "no key\n"));
	expect_error(self, EBADMSG, self->key, "private key");
}

TEST_F(files, of_different_pairs_are_refused)
{
	EXPECT_EQ(-EKEYREJECTED, load(self, self->leaf->pem, self->other->key_pem));
	expect_error(self, EKEYREJECTED, self->key, "does not belong");
}

TEST_F(files, with_an_encrypted_key_are_refused_without_asking)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char text[4096] = "";

	ASSERT_TRUE(PEM_write_bio_PKCS8PrivateKey(bio, self->leaf->key, EVP_aes_256_cbc(),
						  (char *)"secret", 6, NULL, NULL));
	ASSERT_LT(0, BIO_read(bio, text, sizeof text - 1));
	BIO_free(bio);
	EXPECT_EQ(-EKEYREJECTED, load(self, self->leaf->pem, text));
	expect_error(self, EKEYREJECTED, self->key, "encrypted");
}

TEST_F(files, with_a_kind_of_key_for_other_ends_are_refused)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	BIO *bio = BIO_new(BIO_s_mem());
	char text[4096] = "";

	ASSERT_TRUE(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	ASSERT_LT(0, BIO_read(bio, text, sizeof text - 1));
	BIO_free(bio);
	EVP_PKEY_free(key);
	EXPECT_EQ(-EKEYREJECTED, load(self, self->leaf->pem, text));
	expect_error(self, EKEYREJECTED, self->key, "kind of key");
}

TEST_F(files, with_a_weak_key_are_refused)
{
	const struct pki_cert *weak = pki_make(
		self->pki, self->ca, &(struct pki_options){.cn = "weak", .key = PKI_RSA1024});

	EXPECT_EQ(-EKEYREJECTED, load(self, weak->pem, weak->key_pem));
	expect_error(self, EKEYREJECTED, self->key, "cannot use");
}

FIXTURE(kind)
{
	struct lab lab;
};

FIXTURE_VARIANT(kind)
{
	enum pki_key key;
};

FIXTURE_VARIANT_ADD(kind, ecdsa){.key = PKI_P256};
FIXTURE_VARIANT_ADD(kind, rsa){.key = PKI_RSA2048};
FIXTURE_VARIANT_ADD(kind, ed25519){.key = PKI_ED25519};

FIXTURE_SETUP(kind)
{
	lab_init(&self->lab, &(struct lab_options){.server_key = variant->key});
}

FIXTURE_TEARDOWN(kind)
{
	lab_fini(&self->lab);
}

static void expect_handshake(struct kt_tls_context *tls_context)
{
	SSL_CTX *context = client_context(&(struct client_options){0});
	struct client client;
	struct link link;

	link_establish(&link, &client, tls_context, context);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(context);
}

TEST_F(kind, serves)
{
	expect_handshake(self->lab.context);
}

TEST_F(kind, is_shared_by_contexts_and_outlives_its_owner)
{
	struct kt_tls_context *second;

	ASSERT_EQ(0, kt_tls_context_new(
			     &(struct kt_tls_context_options){.credentials = self->lab.credentials},
			     &second, NULL));
	EXPECT_EQ(self->lab.credentials, kt_credentials_get(self->lab.credentials));
	kt_credentials_put(self->lab.credentials);
	kt_credentials_put(self->lab.credentials);
	self->lab.credentials = NULL;
	expect_handshake(self->lab.context);
	kt_tls_context_free(self->lab.context);
	self->lab.context = NULL;
	expect_handshake(second);
	kt_tls_context_free(second);
}

TEST_HARNESS_MAIN
