/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program answers libssl in libcrypto's place. This program is linked as ktrustd is; what
 * libcrypto itself says, found behind it, is the oracle.
 */
#include "lab.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "../../src/tls/credentials.h"
#include "../../src/tls/shortcuts.h"
#include "../../src/tls/tls13_kdf.h"

#define OUT_MAX 64

/* ---- Steps of the key schedule --------------------------------------------------------------- */

struct step {
	int mode;
	const char *digest;
	size_t key_len, salt_len, label_len, data_len; /* SIZE_MAX: the parameter is left out */
	size_t out_len;
	bool no_prefix, with_properties;
};

/* The parameters as libssl builds them; bytes is what they point to, filled by chance. */
struct asked {
	OSSL_PARAM params[9];
	uint8_t key[64], salt[64], label[300], data[64];
	int mode;
};

static OSSL_PARAM *add(OSSL_PARAM *end, const char *name, uint8_t *bytes, size_t len)
{
	if (len == SIZE_MAX)
		return end;
	RAND_bytes(bytes, (int)len);
	*end = OSSL_PARAM_construct_octet_string(name, bytes, len);
	return end + 1;
}

static void ask(const struct step *step, struct asked *asked)
{
	OSSL_PARAM *end = asked->params;

	asked->mode = step->mode;
	*end++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &asked->mode);
	*end++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)step->digest, 0);
	end = add(end, OSSL_KDF_PARAM_KEY, asked->key, step->key_len);
	end = add(end, OSSL_KDF_PARAM_SALT, asked->salt, step->salt_len);
	if (!step->no_prefix)
		*end++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, "tls13 ", 6);
	end = add(end, OSSL_KDF_PARAM_LABEL, asked->label, step->label_len);
	end = add(end, OSSL_KDF_PARAM_DATA, asked->data, step->data_len);
	if (step->with_properties)
		*end++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_PROPERTIES,
							  "provider=default", 0);
	*end = OSSL_PARAM_construct_end();
}

/* What libcrypto says, asked past this program. */
static int libcrypto_says(const struct asked *asked, uint8_t *ret_out, size_t len)
{
	int (*derive)(EVP_KDF_CTX *, unsigned char *, size_t, const OSSL_PARAM *);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	int ret;

	*(void **)&derive = dlsym(RTLD_NEXT, "EVP_KDF_derive");
	ASSERT_NE(NULL, (void *)derive);
	ret = derive(context, ret_out, len, asked->params);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return ret;
}

static int program_says(const char *name, const struct asked *asked, uint8_t *ret_out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	int ret = EVP_KDF_derive(context, ret_out, len, asked->params);

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return ret;
}

#define NONE SIZE_MAX

static const struct {
	const char *digest;
	size_t len;
} hashes[] = {{"SHA2-256", 32}, {"SHA2-384", 48}, {"SHA256", 32}, {"sha384", 48}};

TEST(steps_have_the_answers_of_libcrypto)
{
	for (int round = 0; round < 400; round++) {
		size_t which = (size_t)round % 4, len = hashes[which].len;
		const size_t lens[] = {12, 16, 32, len, 1};
		struct step step = {
			.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
			.digest = hashes[which].digest,
			.key_len = len,
			.salt_len = NONE,
			.label_len = (size_t)round % 250,
			.data_len = round % 3 ? len : (round % 2 ? NONE : (size_t)round % 32),
			.out_len = lens[round % 5],
		};
		struct asked asked;
		uint8_t ours[OUT_MAX] = {0}, theirs[OUT_MAX] = {0};
		uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_KEY_SCHEDULE);

		if (round % 5 == 4) {
			step.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
			step.key_len = round % 2 ? NONE : 1 + (size_t)round % 64;
			step.salt_len = round % 3 ? len : NONE;
			step.data_len = NONE;
			step.out_len = len;
		}
		ask(&step, &asked);
		ASSERT_EQ(1, libcrypto_says(&asked, theirs, step.out_len));
		ASSERT_EQ(before, kt_shortcuts_taken(KT_SHORTCUT_KEY_SCHEDULE));
		ASSERT_EQ(1, program_says("TLS13-KDF", &asked, ours, step.out_len));
		ASSERT_EQ(before + 1, kt_shortcuts_taken(KT_SHORTCUT_KEY_SCHEDULE));
		ASSERT_EQ(0, memcmp(ours, theirs, sizeof ours))
		{
			TH_LOG("round %d", round);
		}
	}
}

/* Whatever is not one of libssl's steps is left to libcrypto, whose answer it is. */
TEST(what_is_no_step_of_tls_is_left_to_libcrypto)
{
	static const struct step steps[] = {
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-512", 64, NONE, 3, NONE, 16, false, false},
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 31, NONE, 3, NONE, 16, false, false},
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 32, NONE, 3, NONE, 33, false, false},
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 32, NONE, 3, 33, 16, false, false},
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 32, 32, 3, NONE, 16, false, false},
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 32, NONE, 251, NONE, 16, false, false},
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 32, NONE, NONE, NONE, 16, false, false},
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 32, NONE, 3, NONE, 16, true, false},
		{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", 32, NONE, 3, NONE, 16, false, true},
		{EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "SHA2-256", 32, 16, 7, NONE, 32, false, false},
		{EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "SHA2-256", 32, 32, 7, NONE, 16, false, false},
		{EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, "SHA2-256", 32, NONE, 3, NONE, 16, false,
		 false},
	};

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct asked asked;
		uint8_t ours[OUT_MAX] = {0}, theirs[OUT_MAX] = {0};
		uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_KEY_SCHEDULE);
		int answer;

		ask(&steps[i], &asked);
		EXPECT_FALSE(kt_tls13_kdf(asked.params, ours, steps[i].out_len));
		answer = libcrypto_says(&asked, theirs, steps[i].out_len);
		EXPECT_EQ(answer, program_says("TLS13-KDF", &asked, ours, steps[i].out_len));
		EXPECT_EQ(0, memcmp(ours, theirs, sizeof ours));
		EXPECT_EQ(before, kt_shortcuts_taken(KT_SHORTCUT_KEY_SCHEDULE));
	}
	EXPECT_FALSE(kt_tls13_kdf(NULL, NULL, 0));
}

/* HKDF by its own name, which takes other parameters, or the same with another meaning. */
TEST(other_functions_are_left_to_libcrypto)
{
	const struct step step = {.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
				  .digest = "SHA2-256",
				  .key_len = 32,
				  .salt_len = NONE,
				  .label_len = 3,
				  .data_len = NONE,
				  .out_len = 16};
	uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_KEY_SCHEDULE);
	struct asked asked;
	uint8_t out[OUT_MAX];

	ask(&step, &asked);
	EXPECT_EQ(1, program_says("HKDF", &asked, out, 16));
	EXPECT_EQ(before, kt_shortcuts_taken(KT_SHORTCUT_KEY_SCHEDULE));
}

/* ---- In handshakes --------------------------------------------------------------------------- */

static void count_taken(uint64_t *ret_taken)
{
	for (int which = 0; which < KT_SHORTCUT_COUNT; which++)
		ret_taken[which] = kt_shortcuts_taken((enum kt_shortcut)which);
}

/* Not where it was linked to ask itself (ld's -Bsymbolic). */
static bool libcrypto_asks(void)
{
	uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_KIND);
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

	EXPECT_EQ(0, EVP_PKEY_is_a(pkey, "EC"));
	EVP_PKEY_free(pkey);
	return kt_shortcuts_taken(KT_SHORTCUT_KIND) > before;
}

static bool is_libcryptos_question(int which)
{
	return which == KT_SHORTCUT_NAMES || which == KT_SHORTCUT_KIND;
}

TEST(libssl_asks_this_program_unless_it_is_switched_off)
{
	uint64_t before[KT_SHORTCUT_COUNT], after[KT_SHORTCUT_COUNT];
	struct lab_options options = {.client_auth = KT_CLIENT_AUTH_REQUIRE};
	struct lab lab;

	ASSERT_EQ(0, kt_tls_certificates_new(0, &options.certificates));
	lab_init(&lab, &options);
	lab_shake_hands(&lab); /* some are known from then on */
	lab_shake_hands(&lab); /* and this one leaves a certificate unused */
	count_taken(before);
	lab_shake_hands(&lab);
	count_taken(after);
	for (int which = 0; which < KT_SHORTCUT_COUNT; which++)
		EXPECT_TRUE(after[which] > before[which] ||
			    (is_libcryptos_question(which) && !libcrypto_asks()))
		{
			TH_LOG("shortcut %d", which);
		}
	/* Both ends are here: early, handshake and master secret, and what hangs on each. */
	EXPECT_GE(after[KT_SHORTCUT_KEY_SCHEDULE], before[KT_SHORTCUT_KEY_SCHEDULE] + 30);
	kt_shortcuts_turn(false);
	lab_shake_hands(&lab);
	count_taken(before);
	EXPECT_EQ(0, memcmp(before, after, sizeof before));
	kt_shortcuts_turn(true);
	lab_fini(&lab);
	kt_tls_certificates_free(options.certificates);
}

static void note_the_end(void *parent, void *ended, CRYPTO_EX_DATA *data, int index, long argl,
			 void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	if (ended)
		*(bool *)ended = true;
}

/* What was begun with a key would hold it for ever. */
TEST(key_goes_with_its_credentials)
{
	int index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EVP_PKEY, 0, NULL, NULL, NULL,
					    note_the_end);
	uint64_t before;
	bool ended = false;
	struct lab lab;

	ASSERT_LE(0, index);
	lab_init(&lab, &(struct lab_options){0});
	ASSERT_EQ(1, EVP_PKEY_set_ex_data(lab.credentials->key, index, &ended));
	lab_shake_hands(&lab);
	before = kt_shortcuts_taken(KT_SHORTCUT_SIGNATURE);
	lab_shake_hands(&lab);
	EXPECT_EQ(before + 1, kt_shortcuts_taken(KT_SHORTCUT_SIGNATURE));
	EXPECT_FALSE(ended);
	lab_fini(&lab);
	EXPECT_TRUE(ended);
}

TEST_HARNESS_MAIN
