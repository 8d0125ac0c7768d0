/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each function of libcrypto's that a program answers in its place (shortcuts.h), asked of both:
 * what libcrypto itself says, found behind this program, is the oracle. tls/between_keys has those
 * of keys, signatures and certificates, tls/shortcuts steps of the key schedule and handshakes,
 * tls/fast_keys tables of keys.
 */
#include "between.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "../../src/tls/shortcuts.h"

/* ---- EVP_KDF_fetch --------------------------------------------------------------------------- */

#define STEP_PARAMS 6

/* A step of the key schedule. */
static void make_step(OSSL_PARAM ret_params[static STEP_PARAMS])
{
	static uint8_t key[32] = {1};
	static int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;

	ret_params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	ret_params[1] =
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA2-256", 0);
	ret_params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, sizeof key);
	ret_params[3] =
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (char *)"tls13 ", 6);
	ret_params[4] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (char *)"key", 3);
	ret_params[5] = OSSL_PARAM_construct_end();
}

/* The first one makes it known. */
static void make_kdf_known(void)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[STEP_PARAMS];
	uint8_t out[32];

	make_step(params);
	ASSERT_EQ(1, EVP_KDF_derive(context, out, sizeof out, params));
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

TEST(functions_are_found_as_libcrypto_finds_them)
{
	EVP_KDF *(*fetch)(OSSL_LIB_CTX *, const char *, const char *);
	OSSL_LIB_CTX *other = OSSL_LIB_CTX_new();
	const struct {
		OSSL_LIB_CTX *library;
		const char *name, *properties;
		bool taken;
	} rows[] = {
		{NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL, true},
		{NULL, OSSL_KDF_NAME_TLS1_3_KDF, "provider=default", false},
		{NULL, OSSL_KDF_NAME_TLS1_3_KDF, "provider=none-such", false},
		{NULL, OSSL_KDF_NAME_HKDF, NULL, false},
		{other, OSSL_KDF_NAME_TLS1_3_KDF, NULL, false},
	};

	*(void **)&fetch = libcrypto("EVP_KDF_fetch");
	make_kdf_known();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_KDF);
		EVP_KDF *theirs = fetch(rows[i].library, rows[i].name, rows[i].properties);
		EVP_KDF *ours = EVP_KDF_fetch(rows[i].library, rows[i].name, rows[i].properties);

		EXPECT_EQ(theirs, ours);
		EXPECT_EQ(before + rows[i].taken, kt_shortcuts_taken(KT_SHORTCUT_KDF));
		EVP_KDF_free(theirs);
		EVP_KDF_free(ours);
	}
	ERR_clear_error();
	OSSL_LIB_CTX_free(other);
}

/* ---- EVP_KDF_CTX_new, EVP_KDF_CTX_free ------------------------------------------------------- */

/* What was set in a context is not in the next one, which may be the same. */
TEST(contexts_of_the_key_schedule_come_empty)
{
	int (*derive)(EVP_KDF_CTX *, unsigned char *, size_t, const OSSL_PARAM *);
	OSSL_PARAM params[STEP_PARAMS];
	uint8_t out[32];
	uint64_t before;
	EVP_KDF_CTX *first, *second;
	EVP_KDF *kdf;

	*(void **)&derive = libcrypto("EVP_KDF_derive");
	make_kdf_known();
	make_step(params);
	kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	before = kt_shortcuts_taken(KT_SHORTCUT_STEP);
	first = EVP_KDF_CTX_new(kdf);
	second = EVP_KDF_CTX_new(kdf);
	EXPECT_NE(first, second);
	EXPECT_EQ(before + 1, kt_shortcuts_taken(KT_SHORTCUT_STEP));
	for (int round = 0; round < 2; round++) {
		EXPECT_EQ(kdf, EVP_KDF_CTX_kdf(first));
		EXPECT_NE(1, derive(first, out, sizeof out, NULL));
		ASSERT_EQ(1, EVP_KDF_CTX_set_params(first, params));
		EXPECT_EQ(1, derive(first, out, sizeof out, NULL));
		EVP_KDF_CTX_free(first);
		first = EVP_KDF_CTX_new(kdf);
	}
	EXPECT_EQ(before + 3, kt_shortcuts_taken(KT_SHORTCUT_STEP));
	EVP_KDF_CTX_free(first);
	EVP_KDF_CTX_free(second);
	EVP_KDF_CTX_free(NULL);
	EVP_KDF_free(kdf);
	ERR_clear_error();
}

TEST(contexts_of_other_functions_are_libcryptos)
{
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL), *kdf;
	EVP_KDF_CTX *first, *second, *context;
	uint64_t before;

	make_kdf_known();
	kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	first = EVP_KDF_CTX_new(kdf); /* none is left over now */
	before = kt_shortcuts_taken(KT_SHORTCUT_STEP);
	for (int round = 0; round < 2; round++) {
		context = EVP_KDF_CTX_new(hkdf);
		EXPECT_EQ(hkdf, EVP_KDF_CTX_kdf(context));
		EVP_KDF_CTX_free(context);
	}
	EXPECT_EQ(NULL, EVP_KDF_CTX_new(NULL));
	second = EVP_KDF_CTX_new(kdf);
	EXPECT_EQ(kdf, EVP_KDF_CTX_kdf(second));
	EXPECT_EQ(before, kt_shortcuts_taken(KT_SHORTCUT_STEP));
	EVP_KDF_CTX_free(first);
	EVP_KDF_CTX_free(second);
	EVP_KDF_free(kdf);
	EVP_KDF_free(hkdf);
	ERR_clear_error();
}

/* ---- EVP_Q_mac ------------------------------------------------------------------------------- */

typedef unsigned char *q_mac(OSSL_LIB_CTX *, const char *, const char *, const char *,
			     const OSSL_PARAM *, const void *, size_t, const unsigned char *,
			     size_t, unsigned char *, size_t, size_t *);

struct mac {
	const char *name, *digest;
	size_t key_len, len, room;
	bool taken;
	const char *properties;
};

static void compare_macs(const struct mac *mac)
{
	uint8_t key[64], data[64], ours[64] = {0}, theirs[64] = {0};
	size_t our_len = 0, their_len = 0;
	uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_MAC);
	q_mac *ask;

	*(void **)&ask = libcrypto("EVP_Q_mac");
	RAND_bytes(key, sizeof key);
	RAND_bytes(data, sizeof data);
	EXPECT_EQ(!ask(NULL, mac->name, mac->properties, mac->digest, NULL, key, mac->key_len, data,
		       mac->len, theirs, mac->room, &their_len),
		  !EVP_Q_mac(NULL, mac->name, mac->properties, mac->digest, NULL, key, mac->key_len,
			     data, mac->len, ours, mac->room, &our_len));
	EXPECT_EQ(their_len, our_len);
	EXPECT_EQ(0, memcmp(ours, theirs, sizeof ours));
	EXPECT_EQ(before + mac->taken, kt_shortcuts_taken(KT_SHORTCUT_MAC));
	ERR_clear_error();
}

TEST(macs_have_the_answers_of_libcrypto)
{
	static const struct mac macs[] = {
		{"HMAC", "SHA2-256", 32, 32, 64, true, NULL},
		{"HMAC", "SHA256", 32, 32, 32, true, NULL},
		{"hmac", "SHA384", 48, 48, 64, true, NULL},
		{"HMAC", "SHA2-256", 32, 31, 64, false, NULL},
		{"HMAC", "SHA2-256", 31, 32, 64, false, NULL},
		{"HMAC", "SHA2-256", 0, 32, 64, false, NULL},
		{"HMAC", "SHA2-256", 32, 0, 64, false, NULL},
		{"HMAC", "SHA2-256", 32, 32, 31, false, NULL},
		{"HMAC", "SHA2-512", 64, 64, 64, false, NULL},
		{"HMAC", "none-such", 32, 32, 64, false, NULL},
		{"HMAC", "SHA2-256", 32, 32, 64, false, "provider=default"},
		{"KMAC-128", NULL, 32, 32, 64, false, NULL},
		{"KMAC-128", "SHA2-256", 32, 32, 64, false, NULL},
	};

	make_kdf_known();
	for (size_t i = 0; i < sizeof macs / sizeof macs[0]; i++)
		compare_macs(&macs[i]);
	kt_shortcuts_turn(false);
	compare_macs(&(struct mac){"HMAC", "SHA2-256", 32, 32, 64, false, NULL});
	kt_shortcuts_turn(true);
}

/* ---- EVP_PKEY_derive_set_peer ---------------------------------------------------------------- */

typedef int set_peer(EVP_PKEY_CTX *, EVP_PKEY *);

/* How many bytes the secret has; 0: the peer's key, or what it leads to, is refused. */
static size_t agree(EVP_PKEY *own, EVP_PKEY *peer, set_peer *set, uint8_t *ret_secret, size_t room)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	size_t len = room;

	ASSERT_EQ(1, EVP_PKEY_derive_init(context));
	if (set(context, peer) != 1 || EVP_PKEY_derive(context, ret_secret, &len) != 1)
		len = 0;
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return len;
}

static void compare_secrets(EVP_PKEY *own, EVP_PKEY *peer, size_t want, bool taken)
{
	uint8_t ours[64] = {0}, theirs[64] = {0};
	uint64_t before = kt_shortcuts_taken(KT_SHORTCUT_PEER);
	set_peer *set;

	*(void **)&set = libcrypto("EVP_PKEY_derive_set_peer");
	EXPECT_EQ(want, agree(own, peer, set, theirs, sizeof theirs));
	EXPECT_EQ(want, agree(own, peer, EVP_PKEY_derive_set_peer, ours, sizeof ours));
	EXPECT_EQ(0, memcmp(ours, theirs, want));
	EXPECT_EQ(before + taken, kt_shortcuts_taken(KT_SHORTCUT_PEER));
}

TEST(secrets_of_x25519_are_those_of_libcrypto)
{
	/* Of small order: all lead to a secret of zeros (RFC 7748 §6.1). */
	static const uint8_t small[][32] = {{0}, {1}, {0xec, [1 ... 30] = 0xff, 0x7f}};
	EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), *peer;
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

	for (int round = 0; round < 20; round++) {
		uint8_t raw[32];

		RAND_bytes(raw, sizeof raw); /* on the curve, or on its twist */
		peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, raw, sizeof raw);
		compare_secrets(own, peer, 32, true);
		EVP_PKEY_free(peer);
	}
	for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
		peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, small[i], 32);
		compare_secrets(own, peer, 0, true);
		EVP_PKEY_free(peer);
	}
	compare_secrets(own, other, 0, false);
	EVP_PKEY_free(own);
	EVP_PKEY_free(other);
}

TEST(peers_keys_of_other_groups_are_examined)
{
	EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *peer = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

	compare_secrets(own, peer, 32, false);
	compare_secrets(own, x25519, 0, true); /* whose answer is no */
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(x25519);
}

/* ---- EVP_PKEY_digestsign_supports_digest ----------------------------------------------------- */

TEST(digests_are_supported_where_libcrypto_says_so)
{
	static const char *const digests[] = {"SHA256",	  "SHA384", "SHA512", "SHA1", "MD5",
					      "SHAKE256", "UNDEF",  NULL,     "none"};
	EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
			    EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"),
			    EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048),
			    EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
			    EVP_PKEY_Q_keygen(NULL, NULL, "X25519")};
	int (*ask)(EVP_PKEY *, OSSL_LIB_CTX *, const char *, const char *);

	*(void **)&ask = libcrypto("EVP_PKEY_digestsign_supports_digest");
	/* Twice: something may be known the second time. */
	for (size_t i = 0; i < 2 * sizeof keys / sizeof keys[0]; i++) {
		EVP_PKEY *key = keys[i / 2];

		for (size_t which = 0; which < sizeof digests / sizeof digests[0]; which++)
			EXPECT_EQ(ask(key, NULL, digests[which], NULL),
				  EVP_PKEY_digestsign_supports_digest(key, NULL, digests[which],
								      NULL))
			{
				TH_LOG("key %zu, %s", i / 2, digests[which]);
			}
		EXPECT_EQ(ask(key, NULL, "SHA256", "provider=none-such"),
			  EVP_PKEY_digestsign_supports_digest(key, NULL, "SHA256",
							      "provider=none-such"));
	}
	EXPECT_LT(0, kt_shortcuts_taken(KT_SHORTCUT_SUPPORTED));
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		EVP_PKEY_free(keys[i]);
	ERR_clear_error();
}

TEST_HARNESS_MAIN
