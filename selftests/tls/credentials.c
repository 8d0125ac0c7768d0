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

/* ---- The order of a chain ------------------------------------------------------------------- */

/* root ─► outer ─► inner ─► leaf; a second leaf, and a second way up: other_root ─► outer. */
FIXTURE(chain)
{
	FIXTURE_DATA(files) files;
	const struct pki_cert *root, *outer, *inner, *leaf, *other_root, *cross, *foreign;
	struct kt_credentials_info info;
};

FIXTURE_SETUP(chain)
{
	struct pki *pki;

	files_fixture_setup(&self->files, NULL);
	pki = self->files.pki;
	self->root = pki_make_ca(pki, NULL, "Root");
	self->outer = pki_make_ca(pki, self->root, "Outer");
	self->inner = pki_make_ca(pki, self->outer, "Inner");
	self->leaf = pki_make_leaf(pki, self->inner, "leaf", "leaf.test", "serverAuth");
	self->other_root = pki_make_ca(pki, NULL, "Other Root");
	self->cross =
		pki_make(pki, self->other_root,
			 &(struct pki_options){.cn = "Outer", .ca = true, .key_of = self->outer});
	self->foreign = pki_make_ca(pki, NULL, "Foreign");
}

FIXTURE_TEARDOWN(chain)
{
	files_fixture_teardown(&self->files, NULL);
}

/* Certificates up to a NULL, as they stand in the file. */
static int load_these(FIXTURE_DATA(chain) * self, const struct pki_cert *const *certs)
{
	char text[16384] = "";

	for (; *certs; certs++)
		strcat(text, (*certs)->pem);
	kt_credentials_put(self->files.credentials);
	self->files.credentials = NULL;
	return load(&self->files, text, self->leaf->key_pem);
}

#define LOAD(...) load_these(self, (const struct pki_cert *const[]){__VA_ARGS__, NULL})

/* What a client is sent. */
static void expect_sent(FIXTURE_DATA(chain) * self, const struct pki_cert *const *certs)
{
	struct kt_tls_context *context;
	SSL_CTX *peer = client_context(&(struct client_options){0});
	STACK_OF(X509) * sent;
	struct client client;
	struct link link;
	int count = 0;

	ASSERT_EQ(0,
		  kt_tls_context_new(
			  &(struct kt_tls_context_options){.credentials = self->files.credentials},
			  &context, NULL));
	link_establish(&link, &client, context, peer);
	sent = SSL_get_peer_cert_chain(client.ssl);
	for (; certs[count]; count++)
		EXPECT_EQ(0, X509_cmp(certs[count]->x509, sk_X509_value(sent, count)))
		{
			TH_LOG("certificate %d", count + 1);
		}
	EXPECT_EQ(count, sk_X509_num(sent));
	kt_credentials_describe(self->files.credentials, &self->info);
	EXPECT_EQ((size_t)count, self->info.sent);
	link_fini(&link);
	client_fini(&client);
	SSL_CTX_free(peer);
	kt_tls_context_free(context);
}

#define EXPECT_SENT(...) expect_sent(self, (const struct pki_cert *const[]){__VA_ARGS__, NULL})

TEST_F(chain, in_order_stays_as_it_is)
{
	ASSERT_EQ(0, LOAD(self->leaf, self->inner, self->outer));
	EXPECT_SENT(self->leaf, self->inner, self->outer);
	EXPECT_FALSE(self->info.reordered);
	EXPECT_EQ(0, self->info.left_out);
}

TEST_F(chain, in_any_other_order_is_mended)
{
	ASSERT_EQ(0, LOAD(self->outer, self->leaf, self->inner));
	EXPECT_SENT(self->leaf, self->inner, self->outer);
	EXPECT_TRUE(self->info.reordered);
	ASSERT_EQ(0, LOAD(self->leaf, self->outer, self->inner));
	EXPECT_SENT(self->leaf, self->inner, self->outer);
	EXPECT_TRUE(self->info.reordered);
	ASSERT_EQ(0, LOAD(self->outer, self->inner, self->leaf));
	EXPECT_SENT(self->leaf, self->inner, self->outer);
}

TEST_F(chain, doubles_and_roots_are_left_out)
{
	ASSERT_EQ(0,
		  LOAD(self->root, self->leaf, self->leaf, self->inner, self->outer, self->inner));
	EXPECT_SENT(self->leaf, self->inner, self->outer);
	EXPECT_EQ(3, self->info.left_out);
}

TEST_F(chain, incomplete_is_sent_as_far_as_it_goes)
{
	ASSERT_EQ(0, LOAD(self->leaf));
	EXPECT_SENT(self->leaf);
}

TEST_F(chain, with_two_ways_up_has_the_second_behind_the_first)
{
	ASSERT_EQ(0, LOAD(self->leaf, self->cross, self->inner, self->outer, self->other_root));
	EXPECT_SENT(self->leaf, self->inner, self->cross, self->outer);
	EXPECT_EQ(1, self->info.left_out);
}

TEST_F(chain, refuses_what_does_not_belong)
{
	EXPECT_EQ(-EBADMSG, LOAD(self->leaf, self->inner, self->foreign));
	expect_error(&self->files, EBADMSG, self->files.chain, "certificate 3 (CN=Foreign)");
	/* above a gap */
	EXPECT_EQ(-EBADMSG, LOAD(self->leaf, self->outer));
	expect_error(&self->files, EBADMSG, self->files.chain, "certificate 2 (CN=Outer)");
	/* the right name, another's key */
	EXPECT_EQ(-EBADMSG, LOAD(self->leaf, pki_make_ca(self->files.pki, self->outer, "Inner")));
	expect_error(&self->files, EBADMSG, self->files.chain, "certificate 2 (CN=Inner)");
	/* … and no key identifiers that would tell */
	EXPECT_EQ(-EBADMSG, LOAD(self->leaf, pki_make(self->files.pki, NULL,
						      &(struct pki_options){.cn = "Inner",
									    .ca = true,
									    .no_skid = true,
									    .no_akid = true})));
	expect_error(&self->files, EBADMSG, self->files.chain, "certificate 2 (CN=Inner)");
	/* another leaf of the same issuer */
	EXPECT_EQ(-EBADMSG,
		  LOAD(self->leaf, self->inner,
		       pki_make_leaf(self->files.pki, self->inner, "two", "b.test", "serverAuth")));
	expect_error(&self->files, EBADMSG, self->files.chain, "certificate 3 (CN=two)");
}

TEST_F(chain, of_a_self_signed_leaf_is_that_leaf)
{
	const struct pki_cert *self_signed = pki_make(
		self->files.pki, NULL, &(struct pki_options){.cn = "alone", .dns = {"a.test"}});

	ASSERT_EQ(0, load(&self->files, self_signed->pem, self_signed->key_pem));
	EXPECT_SENT(self_signed);
}

/* ---- What is said of them ------------------------------------------------------------------- */

TEST_F(files, are_described)
{
	const struct pki_cert *cert =
		pki_make(self->pki, self->ca,
			 &(struct pki_options){
				 .cn = "Shop",
				 .dns = {"Shop.Test", "*.shop.test", "f*.test", "a..b", "_x.y"},
				 .ip = {"10.0.0.1"},
				 .not_before = -60,
				 .not_after = 3600});
	uint8_t fingerprint[KT_DIGEST_LEN];
	struct kt_credentials_info info;

	ASSERT_EQ(0, load(self, cert->chain_pem, cert->key_pem));
	kt_credentials_describe(self->credentials, &info);
	EXPECT_STREQ("Shop", info.subject);
	EXPECT_STREQ("ECDSA P-256", info.key_type);
	ASSERT_TRUE(X509_digest(cert->x509, EVP_sha256(), fingerprint, NULL));
	EXPECT_EQ(0, memcmp(fingerprint, info.fingerprint, sizeof fingerprint));
	EXPECT_EQ(pki_now() - 60, info.not_before);
	EXPECT_EQ(pki_now() + 3600, info.not_after);
	EXPECT_FALSE(info.stapled);
	/* what no client can ask for is no name */
	ASSERT_EQ(3, info.names);
	EXPECT_STREQ("shop.test", kt_credentials_name(self->credentials, 0));
	EXPECT_STREQ("*.shop.test", kt_credentials_name(self->credentials, 1));
	EXPECT_STREQ("_x.y", kt_credentials_name(self->credentials, 2));
	EXPECT_NULL(kt_credentials_name(self->credentials, 3));
}

TEST_F(files, with_a_key_that_all_can_read_are_said_so)
{
	struct kt_credentials_info info;

	put(self->key, "", 0);
	ASSERT_EQ(0, chmod(self->key, 0640));
	ASSERT_EQ(0, load(self, self->leaf->chain_pem, self->leaf->key_pem));
	kt_credentials_describe(self->credentials, &info);
	EXPECT_FALSE(info.exposed);
	kt_credentials_put(self->credentials);
	self->credentials = NULL;
	ASSERT_EQ(0, chmod(self->key, 0644));
	ASSERT_EQ(0, load(self, self->leaf->chain_pem, self->leaf->key_pem));
	kt_credentials_describe(self->credentials, &info);
	EXPECT_TRUE(info.exposed);
}

TEST_F(files, with_names_that_cannot_be_read_are_refused)
{
	const struct pki_cert *broken =
		pki_make(self->pki, self->ca,
			 &(struct pki_options){.cn = "x", .raw = {"2.5.29.17=30058203612e"}});

	EXPECT_EQ(-EBADMSG, load(self, broken->pem, broken->key_pem));
	expect_error(self, EBADMSG, self->chain, "subjectAltName");
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
