/* SPDX-License-Identifier: BSD-2-Clause */
/* As tls/between: what is asked of kinds of keys, to begin signatures, and for certificates. */
#include "between.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "../../src/tls/credentials.h"
#include "../../src/tls/decoded.h"
#include "../../src/tls/shortcuts.h"
#include "../../src/tls/signing.h"

/* ---- EVP_KEYMGMT_names_do_all, EVP_KEYMGMT_is_a ---------------------------------------------- */

#define NAMES_SIZE 512

static void add_name(const char *name, void *arg)
{
	char *names = arg;
	size_t len = strlen(names);

	snprintf(names + len, NAMES_SIZE - len, "%s ", name);
}

/* Did the program answer? */
static bool compare_names(OSSL_LIB_CTX *library, const char *kind)
{
	static const char *const names[] = {
		"EC",	   "ec",  "id-ecPublicKey", "1.2.840.10045.2.1", "rsaEncryption", "RSA",
		"RSA-PSS", "DH",  "X25519",	    "ED25519",		 "none",	  "",
		"dhX",	   "SM2", "X9.42 DH",	    "RSASSA-PSS",
	};
	EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(library, kind, NULL);
	int (*ask)(const EVP_KEYMGMT *, void (*)(const char *, void *), void *);
	int (*ask_whether)(const EVP_KEYMGMT *, const char *);
	uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_NAMES);
	char ours[NAMES_SIZE] = "", theirs[NAMES_SIZE] = "";
	bool taken;

	ASSERT_NE(NULL, keymgmt);
	*(void **)&ask = libcrypto("EVP_KEYMGMT_names_do_all");
	*(void **)&ask_whether = libcrypto("EVP_KEYMGMT_is_a");
	EXPECT_EQ(ask(keymgmt, add_name, theirs),
		  EVP_KEYMGMT_names_do_all(keymgmt, add_name, ours));
	EXPECT_STREQ(theirs, ours);
	taken = kt_shortcuts_taken(KT_SHORTCUT_NAMES) > before;
	before = kt_shortcuts_taken(KT_SHORTCUT_KIND);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		EXPECT_EQ(ask_whether(keymgmt, names[i]), EVP_KEYMGMT_is_a(keymgmt, names[i]))
		{
			TH_LOG("%s, %s", kind, names[i]);
		}
	EXPECT_EQ(before + (taken ? sizeof names / sizeof names[0] : 0),
		  kt_shortcuts_taken(KT_SHORTCUT_KIND));
	EVP_KEYMGMT_free(keymgmt);
	return taken;
}

TEST(kinds_of_keys_have_the_names_of_libcrypto)
{
	static const char *const kinds[] = {"EC", "RSA", "X25519", "RSA-PSS", "ED25519", "DHX"};

	for (size_t i = 0; i < 2 * sizeof kinds / sizeof kinds[0]; i++)
		EXPECT_TRUE(compare_names(NULL, kinds[i / 2]));
	kt_shortcuts_turn(false);
	EXPECT_FALSE(compare_names(NULL, "EC"));
	kt_shortcuts_turn(true);
	EXPECT_EQ(0, EVP_KEYMGMT_is_a(NULL, "EC"));
}

/*
 * What is known goes by its address, under which there must never be another: libraries come and
 * go here, as nowhere else, each with kinds of its own at the addresses of those before. When there
 * is no more room, the others are asked for each time.
 */
TEST(kinds_of_a_library_that_is_gone_keep_their_names)
{
	static const char *const kinds[] = {"EC", "RSA", "X25519", "DH", "ED448"};
	OSSL_LIB_CTX *other;
	bool taken = true;

	EXPECT_TRUE(compare_names(NULL, "EC"));
	for (size_t i = 0; i < 100; i++) {
		other = OSSL_LIB_CTX_new();
		taken = compare_names(other, kinds[i % (sizeof kinds / sizeof kinds[0])]);
		OSSL_LIB_CTX_free(other);
	}
	EXPECT_FALSE(taken);
	EXPECT_TRUE(compare_names(NULL, "EC"));
}

/* ---- EVP_DigestSignInit_ex ------------------------------------------------------------------- */

static const uint8_t text[] = "a text";
static bool copying_fails;

int __real_EVP_MD_CTX_copy_ex(EVP_MD_CTX *to, const EVP_MD_CTX *from);
int __wrap_EVP_MD_CTX_copy_ex(EVP_MD_CTX *to, const EVP_MD_CTX *from);

int __wrap_EVP_MD_CTX_copy_ex(EVP_MD_CTX *to, const EVP_MD_CTX *from)
{
	if (!copying_fails)
		return __real_EVP_MD_CTX_copy_ex(to, from);
	ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE);
	return 0;
}

static size_t sign(EVP_PKEY *key, const char *digest, EVP_MD_CTX *context,
		   uint8_t ret_signature[512])
{
	EVP_PKEY_CTX *of_key = NULL;
	size_t len = 512;

	if (EVP_DigestSignInit_ex(context, &of_key, digest, NULL, NULL, key, NULL) != 1)
		return 0;
	EXPECT_NE(NULL, of_key);
	EXPECT_EQ(of_key, EVP_MD_CTX_get_pkey_ctx(context));
	EXPECT_EQ(key, EVP_PKEY_CTX_get0_pkey(of_key));
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		EXPECT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING));
	return EVP_DigestSign(context, ret_signature, &len, text, sizeof text) == 1 ? len : 0;
}

static bool is_right(EVP_PKEY *key, const char *digest, const uint8_t *signature, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *of_key;
	bool right;

	ASSERT_EQ(1, EVP_DigestVerifyInit_ex(context, &of_key, digest, NULL, NULL, key, NULL));
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		EXPECT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING));
	right = EVP_DigestVerify(context, signature, len, text, sizeof text) == 1;
	EVP_MD_CTX_free(context);
	return right;
}

static void expect_signature(EVP_PKEY *key, const char *digest, bool taken)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_SIGNATURE);
	uint8_t signature[512];
	size_t len = sign(key, digest, context, signature);

	EXPECT_LT(0, len);
	EXPECT_TRUE(is_right(key, digest, signature, len));
	EXPECT_EQ(before + taken, kt_shortcuts_taken(KT_SHORTCUT_SIGNATURE));
	EVP_MD_CTX_free(context);
}

FIXTURE(signing)
{
	struct kt_credentials *credentials;
	struct kt_credentials_group group;
	const struct kt_credentials_group *present;
	EVP_PKEY *key;
};

FIXTURE_VARIANT(signing)
{
	enum pki_key key;
};

FIXTURE_VARIANT_ADD(signing, ecdsa){.key = PKI_P256};
FIXTURE_VARIANT_ADD(signing, rsa){.key = PKI_RSA2048};

FIXTURE_SETUP(signing)
{
	struct lab lab;

	lab_init(&lab, &(struct lab_options){.server_key = variant->key});
	self->credentials = lab.credentials;
	__atomic_add_fetch(&self->credentials->references, 1, __ATOMIC_RELAXED);
	lab_fini(&lab);
	self->key = self->credentials->key;
	self->group.of[kt_key_kind(self->key)] = self->credentials;
	self->present = &self->group;
	kt_signing_begin(&self->present);
}

FIXTURE_TEARDOWN(signing)
{
	kt_signing_end();
	kt_credentials_put(self->credentials);
}

TEST_F(signing, goes_on_from_what_was_begun)
{
	(void)variant;
	expect_signature(self->key, "SHA2-256", false);
	for (int round = 0; round < 3; round++)
		expect_signature(self->key, "SHA2-256", true);
	/* libcrypto's to find out that it is the same, and that this is another */
	expect_signature(self->key, "SHA256", false);
	expect_signature(self->key, "SHA384", false);
	expect_signature(self->key, "SHA2-256", true);
	kt_shortcuts_turn(false);
	expect_signature(self->key, "SHA2-256", false);
	kt_shortcuts_turn(true);
}

TEST_F(signing, is_of_the_handshakes_keys_alone)
{
	EVP_PKEY *other = EVP_PKEY_dup(self->key);

	(void)variant;
	for (int round = 0; round < 2; round++)
		expect_signature(other, "SHA2-256", false);
	EVP_PKEY_free(other);
	expect_signature(self->key, "SHA2-256", false);
	self->present = NULL;
	expect_signature(self->key, "SHA2-256", false);
	self->present = &self->group;
	expect_signature(self->key, "SHA2-256", true);
	kt_signing_end();
	expect_signature(self->key, "SHA2-256", false);
}

/* Where it cannot be copied libcrypto begins it, and nobody learns that there was an error. */
TEST_F(signing, that_cannot_be_copied_is_begun_anew)
{
	(void)variant;
	copying_fails = true;
	for (int round = 0; round < 2; round++)
		expect_signature(self->key, "SHA2-256", false);
	copying_fails = false;
	expect_signature(self->key, "SHA2-256", false);
	copying_fails = true;
	expect_signature(self->key, "SHA2-256", false);
	EXPECT_EQ(0, ERR_peek_error());
	copying_fails = false;
	expect_signature(self->key, "SHA2-256", true);
}

/* A context that signed before, parameters, or a request that libcrypto refuses. */
TEST_F(signing, that_is_not_a_plain_beginning_is_libcryptos)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *of_key = NULL;
	const OSSL_PARAM none[] = {OSSL_PARAM_construct_end()};
	uint8_t signature[512];
	uint64_t before;
	size_t len;

	(void)variant;
	expect_signature(self->key, "SHA2-256", false);
	before = kt_shortcuts_taken(KT_SHORTCUT_SIGNATURE);
	EXPECT_LT(0, sign(self->key, "SHA2-256", context, signature));
	EXPECT_EQ(before + 1, kt_shortcuts_taken(KT_SHORTCUT_SIGNATURE));
	len = sign(self->key, "SHA2-256", context, signature);
	EXPECT_TRUE(is_right(self->key, "SHA2-256", signature, len));
	EVP_MD_CTX_reset(context);
	EXPECT_EQ(1,
		  EVP_DigestSignInit_ex(context, &of_key, "SHA2-256", NULL, NULL, self->key, none));
	EVP_MD_CTX_reset(context);
	EXPECT_NE(1, EVP_DigestSignInit_ex(context, &of_key, "SHA2-256", NULL, "provider=none",
					   self->key, NULL));
	EVP_MD_CTX_reset(context);
	EXPECT_NE(1, EVP_DigestSignInit_ex(context, &of_key, "none", NULL, NULL, self->key, NULL));
	EXPECT_EQ(before + 1, kt_shortcuts_taken(KT_SHORTCUT_SIGNATURE));
	EVP_MD_CTX_free(context);
	ERR_clear_error();
}

/* ---- X509_new_ex, d2i_X509 ------------------------------------------------------------------- */

/* As libssl reads one: into a new certificate. */
static X509 *read_into_new(const struct pki_cert *cert)
{
	X509 *x509 = X509_new_ex(NULL, NULL), *got;
	const uint8_t *in = cert->der;

	ASSERT_NE(NULL, x509);
	got = d2i_X509(&x509, &in, (long)cert->der_len);
	EXPECT_EQ(x509, got);
	EXPECT_EQ(cert->der + cert->der_len, in);
	return x509;
}

TEST(certificates_that_were_not_needed_are_the_next_ones)
{
	struct kt_tls_certificates *certificates;
	struct kt_decoded_look look = {0};
	uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_BLANK);
	X509 *first, *second, *other, *mine;
	const uint8_t *in;
	struct lab lab;

	lab_init(&lab, &(struct lab_options){0});
	ASSERT_EQ(0, kt_tls_certificates_new(4, &certificates));
	kt_decoded_begin(certificates, &look);
	first = read_into_new(lab.client);
	kt_decoded_keep(certificates, first);
	EXPECT_EQ(before, kt_shortcuts_taken(KT_SHORTCUT_BLANK));
	for (uint64_t round = 0; round < 3; round++) {
		second = read_into_new(lab.client);
		EXPECT_EQ(first, second);
		X509_free(second);
		EXPECT_EQ(before + round, kt_shortcuts_taken(KT_SHORTCUT_BLANK));
	}
	/* The one that was left over takes another's content, and is whole. */
	other = read_into_new(lab.server);
	EXPECT_NE(first, other);
	EXPECT_EQ(before + 3, kt_shortcuts_taken(KT_SHORTCUT_BLANK));
	EXPECT_EQ((int)lab.server->der_len, i2d_X509(other, NULL));
	/* One with content that gives way is freed, not left over; the caller's own reference
	 * stays. */
	EXPECT_EQ(1, X509_up_ref(other));
	mine = other;
	in = lab.client->der;
	EXPECT_EQ(first, d2i_X509(&mine, &in, (long)lab.client->der_len));
	EXPECT_EQ((int)lab.server->der_len, i2d_X509(other, NULL));
	X509_free(mine);
	mine = X509_new_ex(NULL, NULL);
	EXPECT_NE(other, mine);
	EXPECT_EQ(before + 3, kt_shortcuts_taken(KT_SHORTCUT_BLANK));
	X509_free(mine);
	X509_free(other);
	X509_free(first);
	kt_decoded_end();
	kt_tls_certificates_free(certificates);
	lab_fini(&lab);
}

/* ---- Together -------------------------------------------------------------------------------- */

#define THREADS 4

struct together {
	const struct kt_credentials_group *present;
	struct kt_tls_certificates *certificates;
	const struct pki_cert *cert;
};

static void *ask_all(void *arg)
{
	const struct together *together = arg;
	EVP_PKEY *key = together->present->of[KT_KEY_ECDSA]->key;
	struct kt_decoded_look look = {0};
	char names[NAMES_SIZE];

	kt_signing_begin(&together->present);
	kt_decoded_begin(together->certificates, &look);
	for (int round = 0; round < 100; round++) {
		EVP_MD_CTX *context = EVP_MD_CTX_new();
		X509 *x509 = read_into_new(together->cert);
		EVP_KEYMGMT *keymgmt = EVP_KEYMGMT_fetch(NULL, round % 2 ? "EC" : "X25519", NULL);
		uint8_t signature[512];
		size_t len = sign(key, "SHA2-256", context, signature);

		EXPECT_TRUE(is_right(key, "SHA2-256", signature, len));
		names[0] = '\0';
		EXPECT_EQ(1, EVP_KEYMGMT_names_do_all(keymgmt, add_name, names));
		EXPECT_NE(NULL, strstr(names, round % 2 ? "EC " : "X25519 "));
		kt_decoded_keep(together->certificates, x509);
		X509_free(x509);
		EVP_KEYMGMT_free(keymgmt);
		EVP_MD_CTX_free(context);
	}
	kt_decoded_end();
	kt_signing_end();
	return NULL;
}

TEST(many_threads_ask_together)
{
	struct kt_credentials_group group = {.of = {NULL}};
	struct together together = {.present = &group};
	pthread_t threads[THREADS];
	struct lab lab;

	lab_init(&lab, &(struct lab_options){0});
	ASSERT_EQ(0, kt_tls_certificates_new(4, &together.certificates));
	group.of[KT_KEY_ECDSA] = lab.credentials;
	together.cert = lab.client;
	for (size_t i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, ask_all, &together));
	for (size_t i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	kt_tls_certificates_free(together.certificates);
	lab_fini(&lab);
}

/* ---- i2d_X509 -------------------------------------------------------------------------------- */

TEST(kept_encodings_are_those_of_libcrypto)
{
	int (*encode)(const X509 *, unsigned char **);
	struct kt_tls_certificates *certificates;
	struct lab lab;
	const uint8_t *in;
	uint8_t *theirs = NULL, *ours = NULL, room[4096], *at = room;
	uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_ENCODING);
	X509 *x509, *copy;
	int len;

	*(void **)&encode = libcrypto("i2d_X509");
	lab_init(&lab, &(struct lab_options){0});
	ASSERT_EQ(0, kt_tls_certificates_new(4, &certificates));
	in = lab.client->der;
	x509 = d2i_X509(NULL, &in, (long)lab.client->der_len);
	len = i2d_X509(x509, NULL);
	kt_decoded_keep(certificates, x509);
	EXPECT_EQ(before, kt_shortcuts_taken(KT_SHORTCUT_ENCODING));
	ASSERT_EQ(len, encode(x509, &theirs));
	EXPECT_EQ(len, i2d_X509(x509, NULL));
	ASSERT_EQ(len, i2d_X509(x509, &ours));
	EXPECT_EQ(0, memcmp(ours, theirs, (size_t)len));
	ASSERT_EQ(len, i2d_X509(x509, &at));
	EXPECT_EQ(room + len, at);
	EXPECT_EQ(0, memcmp(room, theirs, (size_t)len));
	EXPECT_EQ(before + 3, kt_shortcuts_taken(KT_SHORTCUT_ENCODING));
	/* What may be changed has none kept, and neither has nothing. */
	copy = X509_dup(x509);
	EXPECT_EQ(len, i2d_X509(copy, NULL));
	EXPECT_EQ(encode(NULL, NULL), i2d_X509(NULL, NULL));
	EXPECT_EQ(before + 3, kt_shortcuts_taken(KT_SHORTCUT_ENCODING));
	X509_free(copy);
	X509_free(x509);
	OPENSSL_free(ours);
	OPENSSL_free(theirs);
	ERR_clear_error();
	kt_tls_certificates_free(certificates);
	lab_fini(&lab);
}

TEST_HARNESS_MAIN
