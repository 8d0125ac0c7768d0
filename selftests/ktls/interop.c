/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cipher table against an independent implementation: OpenSSL makes a handshake in memory,
 * then one end's records go to the kernel under keys derived here from OpenSSL's key log, and the
 * other end stays with OpenSSL in userspace.
 */
#include <ktrust/ktls.h>

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

#define BULK_BYTES 100000

enum { CLIENT, SERVER };

/* Secrets of one connection as the key log names them. */
struct secrets {
	uint8_t traffic[2][48]; /* TLS 1.3, what each side sends under */
	uint8_t master[48];	/* TLS 1.2 */
};

struct peer {
	SSL *ssl;
	BIO *in, *out;
	uint8_t nonce[8]; /* explicit nonce of the last record sent (TLS 1.2 GCM) */
	int fd;
};

FIXTURE(ktls_interop)
{
	struct peer peers[2];
	struct secrets secrets;
};
FIXTURE_VARIANT(ktls_interop)
{
	uint16_t version;
	enum kt_cipher cipher;
	const char *suite;
	int in_kernel; /* CLIENT or SERVER */
};
#define BOTH_ROLES(name, version, cipher, suite)                                                   \
	FIXTURE_VARIANT_ADD(ktls_interop, name##_client){version, cipher, suite, CLIENT};          \
	FIXTURE_VARIANT_ADD(ktls_interop, name##_server)                                           \
	{                                                                                          \
		version, cipher, suite, SERVER                                                     \
	}
BOTH_ROLES(tls12_aes_128_gcm, KT_TLS_1_2, KT_AES_128_GCM, "ECDHE-ECDSA-AES128-GCM-SHA256");
BOTH_ROLES(tls13_aes_128_gcm, KT_TLS_1_3, KT_AES_128_GCM, "TLS_AES_128_GCM_SHA256");
BOTH_ROLES(tls12_aes_256_gcm, KT_TLS_1_2, KT_AES_256_GCM, "ECDHE-ECDSA-AES256-GCM-SHA384");
BOTH_ROLES(tls13_aes_256_gcm, KT_TLS_1_3, KT_AES_256_GCM, "TLS_AES_256_GCM_SHA384");
BOTH_ROLES(tls12_chacha20_poly1305, KT_TLS_1_2, KT_CHACHA20_POLY1305,
	   "ECDHE-ECDSA-CHACHA20-POLY1305");
BOTH_ROLES(tls13_chacha20_poly1305, KT_TLS_1_3, KT_CHACHA20_POLY1305,
	   "TLS_CHACHA20_POLY1305_SHA256");

/* ---- Handshake in memory ----------------------------------------------------------------- */

static void read_hex(const char *hex, uint8_t *to, size_t room)
{
	unsigned int byte;

	for (size_t i = 0; i < room && sscanf(hex + 2 * i, "%2x", &byte) == 1; i++)
		to[i] = (uint8_t)byte;
}

static void take_secret(const SSL *ssl, const char *line)
{
	struct secrets *secrets = SSL_get_app_data(ssl);
	const char *secret = strrchr(line, ' ') + 1;

	if (!strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24))
		read_hex(secret, secrets->traffic[CLIENT], sizeof secrets->traffic[CLIENT]);
	else if (!strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24))
		read_hex(secret, secrets->traffic[SERVER], sizeof secrets->traffic[SERVER]);
	else if (!strncmp(line, "CLIENT_RANDOM ", 14))
		read_hex(secret, secrets->master, sizeof secrets->master);
}

static void use_own_certificate(SSL_CTX *ctx)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	ASSERT_TRUE(key && cert);
	ASSERT_EQ(1, X509_set_version(cert, 2));
	ASSERT_EQ(1, ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
	ASSERT_TRUE(X509_gmtime_adj(X509_getm_notBefore(cert), -60));
	ASSERT_TRUE(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
	ASSERT_EQ(1, X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"test",
						-1, -1, 0));
	ASSERT_EQ(1, X509_set_issuer_name(cert, name));
	ASSERT_EQ(1, X509_set_pubkey(cert, key));
	ASSERT_LT(0, X509_sign(cert, key, EVP_sha256()));
	ASSERT_EQ(1, SSL_CTX_use_certificate(ctx, cert));
	ASSERT_EQ(1, SSL_CTX_use_PrivateKey(ctx, key));
	X509_free(cert);
	EVP_PKEY_free(key);
}

static SSL_CTX *make_context(int role, uint16_t version, const char *suite)
{
	SSL_CTX *ctx = SSL_CTX_new(role == SERVER ? TLS_server_method() : TLS_client_method());

	ASSERT_TRUE(ctx);
	ASSERT_EQ(1, SSL_CTX_set_min_proto_version(ctx, version));
	ASSERT_EQ(1, SSL_CTX_set_max_proto_version(ctx, version));
	if (version == KT_TLS_1_3)
		ASSERT_EQ(1, SSL_CTX_set_ciphersuites(ctx, suite));
	else
		ASSERT_EQ(1, SSL_CTX_set_cipher_list(ctx, suite));
	/* A ticket would be a record that the sequence numbers below do not count. */
	ASSERT_EQ(1, SSL_CTX_set_num_tickets(ctx, 0));
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_keylog_callback(ctx, take_secret);
	if (role == SERVER)
		use_own_certificate(ctx);
	return ctx;
}

static void open_peer(struct peer *peer, int role, uint16_t version, const char *suite,
		      struct secrets *secrets)
{
	SSL_CTX *ctx = make_context(role, version, suite);

	peer->ssl = SSL_new(ctx);
	peer->in = BIO_new(BIO_s_mem());
	peer->out = BIO_new(BIO_s_mem());
	ASSERT_TRUE(peer->ssl && peer->in && peer->out);
	SSL_CTX_free(ctx);
	SSL_set_bio(peer->ssl, peer->in, peer->out);
	SSL_set_app_data(peer->ssl, secrets);
	if (role == SERVER)
		SSL_set_accept_state(peer->ssl);
	else
		SSL_set_connect_state(peer->ssl);
}

/* The nonce that the last of these whole records carries in the clear. */
static void note_nonce(struct peer *peer, const uint8_t *records, size_t len)
{
	while (len >= 5 + 8) {
		size_t record_len = 5 + ((size_t)records[3] << 8 | records[4]);

		ASSERT_LE(record_len, len);
		memcpy(peer->nonce, records + 5, sizeof peer->nonce);
		records += record_len;
		len -= record_len;
	}
}

static void step(struct peer *peer, struct peer *other)
{
	uint8_t buf[16384];
	int rc = SSL_do_handshake(peer->ssl);
	int len;

	ASSERT_TRUE(rc == 1 || SSL_get_error(peer->ssl, rc) == SSL_ERROR_WANT_READ);
	while ((len = BIO_read(peer->out, buf, sizeof buf)) > 0) {
		note_nonce(peer, buf, (size_t)len);
		ASSERT_EQ(len, BIO_write(other->in, buf, len));
	}
}

static void shake_hands(struct peer peers[2])
{
	for (int i = 0; i < 10; i++) {
		if (SSL_is_init_finished(peers[CLIENT].ssl) &&
		    SSL_is_init_finished(peers[SERVER].ssl))
			return;
		step(&peers[i & 1], &peers[!(i & 1)]);
	}
	ASSERT_TRUE(false);
}

/* ---- Keys from secrets ------------------------------------------------------------------- */

static void derive(const char *kdf_name, const OSSL_PARAM *params, uint8_t *to, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

	ASSERT_TRUE(kdf && ctx);
	ASSERT_EQ(1, EVP_KDF_derive(ctx, to, len, params));
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static const EVP_MD *digest_of(const struct peer *peer)
{
	return SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(peer->ssl));
}

/* HKDF-Expand-Label with an empty context (RFC 8446 §7.1) */
static void expand(const EVP_MD *md, uint8_t *secret, const char *label, uint8_t *to, size_t len)
{
	uint8_t info[32];
	size_t label_len = strlen(label);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;

	info[0] = 0;
	info[1] = (uint8_t)len;
	info[2] = (uint8_t)(6 + label_len);
	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, label_len);
	info[9 + label_len] = 0;

	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int("mode", &mode),
		OSSL_PARAM_construct_utf8_string("digest", (char *)EVP_MD_get0_name(md), 0),
		OSSL_PARAM_construct_octet_string("key", secret, (size_t)EVP_MD_get_size(md)),
		OSSL_PARAM_construct_octet_string("info", info, 10 + label_len),
		OSSL_PARAM_construct_end(),
	};

	derive("HKDF", params, to, len);
}

static size_t key_len(enum kt_cipher cipher)
{
	return cipher == KT_AES_128_GCM ? 16 : 32;
}

/* What `side` sends under in TLS 1.2 (RFC 5246 §6.3). Finished was its record 0. */
static void tls12_key(const struct peer *peers, const struct secrets *secrets,
		      enum kt_cipher cipher, int side, struct kt_traffic_key *key)
{
	const size_t k = key_len(cipher), v = cipher == KT_CHACHA20_POLY1305 ? 12 : 4;
	uint8_t seed[13 + 64] = "key expansion", master[48], block[2 * (32 + 12)];
	const SSL *ssl = peers[CLIENT].ssl;

	memcpy(master, secrets->master, sizeof master);
	SSL_get_server_random(ssl, seed + 13, 32);
	SSL_get_client_random(ssl, seed + 45, 32);

	const char *md = EVP_MD_get0_name(digest_of(&peers[CLIENT]));
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", (char *)md, 0),
		OSSL_PARAM_construct_octet_string("secret", master, sizeof master),
		OSSL_PARAM_construct_octet_string("seed", seed, sizeof seed),
		OSSL_PARAM_construct_end(),
	};

	derive("TLS1-PRF", params, block, 2 * (k + v));
	memcpy(key->key, block + (size_t)side * k, k);
	memcpy(key->iv, block + 2 * k + (size_t)side * v, v);
	key->seq = 1;
	if (cipher == KT_CHACHA20_POLY1305)
		return;
	/* OpenSSL counts on from a random explicit nonce: the next is one more. */
	memcpy(key->iv + 4, peers[side].nonce, 8);
	for (int i = 11; i >= 4 && ++key->iv[i] == 0; i--)
		;
}

static void tls13_key(const struct peer *peers, struct secrets *secrets, enum kt_cipher cipher,
		      int side, struct kt_traffic_key *key)
{
	const EVP_MD *md = digest_of(&peers[side]);

	expand(md, secrets->traffic[side], "key", key->key, key_len(cipher));
	expand(md, secrets->traffic[side], "iv", key->iv, sizeof key->iv);
	key->seq = 0;
}

/* ---- The test ---------------------------------------------------------------------------- */

FIXTURE_SETUP(ktls_interop)
{
	int fds[2];

	if (!test_have_ktls())
		SKIP(return, "no kTLS in this kernel");
	for (int side = CLIENT; side <= SERVER; side++)
		open_peer(&self->peers[side], side, variant->version, variant->suite,
			  &self->secrets);
	shake_hands(self->peers);

	test_pair(TEST_INET, fds);
	for (int side = CLIENT; side <= SERVER; side++)
		self->peers[side].fd = fds[side];

	int fd = fds[variant->in_kernel];

	ASSERT_EQ(0, kt_ktls_attach(fd));
	for (int side = CLIENT; side <= SERVER; side++) {
		struct kt_traffic_key key = {0};

		if (variant->version == KT_TLS_1_3)
			tls13_key(self->peers, &self->secrets, variant->cipher, side, &key);
		else
			tls12_key(self->peers, &self->secrets, variant->cipher, side, &key);
		ASSERT_EQ(0, kt_ktls_install(fd, side == variant->in_kernel ? KT_TX : KT_RX,
					     variant->version, variant->cipher, &key));
	}
}

FIXTURE_TEARDOWN(ktls_interop)
{
	for (int side = CLIENT; side <= SERVER; side++) {
		SSL_free(self->peers[side].ssl);
		close(self->peers[side].fd);
	}
}

/* What OpenSSL wants sent goes out through its own plain socket. */
static void push(struct peer *peer)
{
	uint8_t buf[16384];
	int len;

	while ((len = BIO_read(peer->out, buf, sizeof buf)) > 0)
		ASSERT_EQ(len, send(peer->fd, buf, (size_t)len, MSG_NOSIGNAL));
}

/* SSL_read that waits for bytes from the socket; SSL_read's result when it is not "more input". */
static int pull(struct peer *peer, uint8_t *to, size_t size)
{
	for (;;) {
		uint8_t buf[16384];
		int len = SSL_read(peer->ssl, to, (int)size);

		if (len > 0 || SSL_get_error(peer->ssl, len) != SSL_ERROR_WANT_READ)
			return len;

		ssize_t got = recv(peer->fd, buf, sizeof buf, 0);

		ASSERT_LT(0, got);
		ASSERT_EQ(got, BIO_write(peer->in, buf, (int)got));
	}
}

static void fill_random(uint8_t *to, size_t len)
{
	for (size_t at = 0; at < len; at += 250)
		ASSERT_EQ(250, getrandom(to + at, 250, 0));
}

/* In pieces that socket buffers hold, so that one thread can play both ends. */
#define PIECE_BYTES 10000

TEST_F_TIMEOUT(ktls_interop, openssl_reads_what_the_kernel_sends, 60)
{
	struct peer *user = &self->peers[!variant->in_kernel];
	int fd = self->peers[variant->in_kernel].fd;
	uint8_t sent[PIECE_BYTES], received[PIECE_BYTES];

	for (size_t at = 0; at < BULK_BYTES; at += PIECE_BYTES) {
		fill_random(sent, sizeof sent);
		ASSERT_EQ(PIECE_BYTES, send(fd, sent, sizeof sent, MSG_NOSIGNAL));
		for (size_t have = 0; have < sizeof received;) {
			int len = pull(user, received + have, sizeof received - have);

			ASSERT_LT(0, len);
			have += (size_t)len;
		}
		ASSERT_EQ(0, memcmp(sent, received, sizeof sent));
	}
	ASSERT_EQ(0, kt_ktls_send_alert(fd, 1, KT_ALERT_CLOSE_NOTIFY));
	EXPECT_EQ(0, pull(user, received, sizeof received));
	EXPECT_EQ(SSL_RECEIVED_SHUTDOWN, SSL_get_shutdown(user->ssl));
}

TEST_F_TIMEOUT(ktls_interop, kernel_reads_what_openssl_sends, 60)
{
	struct peer *user = &self->peers[!variant->in_kernel];
	int fd = self->peers[variant->in_kernel].fd;
	uint8_t sent[PIECE_BYTES], received[PIECE_BYTES];
	int type = 0;

	for (size_t at = 0; at < BULK_BYTES; at += PIECE_BYTES) {
		fill_random(sent, sizeof sent);
		ASSERT_EQ(PIECE_BYTES, SSL_write(user->ssl, sent, sizeof sent));
		push(user);
		ASSERT_EQ(PIECE_BYTES, recv(fd, received, sizeof received, MSG_WAITALL));
		ASSERT_EQ(0, memcmp(sent, received, sizeof sent));
	}
	EXPECT_EQ(0, SSL_shutdown(user->ssl));
	push(user);
	ASSERT_EQ(KT_ALERT_LEN, test_recv(fd, received, sizeof received, &type));
	EXPECT_EQ(KT_RECORD_ALERT, type);
	EXPECT_EQ(1, received[0]);
	EXPECT_EQ(KT_ALERT_CLOSE_NOTIFY, received[1]);
}

TEST_HARNESS_MAIN
