/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

#include "connection.h"
#include "derive.h"

static const struct kt_tls_suite suites[] = {
	/* RFC 8446 appendix B.4 */
	{0x1301, KT_TLS_1_3, KT_AES_128_GCM, "SHA256", 16, 12},
	{0x1302, KT_TLS_1_3, KT_AES_256_GCM, "SHA384", 32, 12},
	{0x1303, KT_TLS_1_3, KT_CHACHA20_POLY1305, "SHA256", 32, 12},
	/* RFC 5289 §3.2, RFC 7905 §2: ECDHE_ECDSA, then ECDHE_RSA */
	{0xc02b, KT_TLS_1_2, KT_AES_128_GCM, "SHA256", 16, 4},
	{0xc02f, KT_TLS_1_2, KT_AES_128_GCM, "SHA256", 16, 4},
	{0xc02c, KT_TLS_1_2, KT_AES_256_GCM, "SHA384", 32, 4},
	{0xc030, KT_TLS_1_2, KT_AES_256_GCM, "SHA384", 32, 4},
	{0xcca9, KT_TLS_1_2, KT_CHACHA20_POLY1305, "SHA256", 32, 12},
	{0xcca8, KT_TLS_1_2, KT_CHACHA20_POLY1305, "SHA256", 32, 12},
};

const struct kt_tls_suite *kt_tls_current_suite(const struct kt_tls *tls)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
	uint16_t id = cipher ? SSL_CIPHER_get_protocol_id(cipher) : 0;

	for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

/*
 * The kernel fills its records up to 16 KiB, whatever maximum the peer asked for (RFC 6066 §4), and
 * libssl grants each such wish. Such a connection stays with those who keep to it.
 */
static bool records_are_limited(const struct kt_tls *tls)
{
	const SSL_SESSION *session = SSL_get_session(tls->ssl);

	return SSL_SESSION_get_max_fragment_length(session) != TLSEXT_max_fragment_length_DISABLED;
}

/* NULL: the kernel cannot go on with this connection. */
static const struct kt_tls_suite *exportable_suite(const struct kt_tls *tls)
{
	const struct kt_tls_suite *suite = kt_tls_current_suite(tls);

	return suite && !tls->context->no_export && !records_are_limited(tls) ? suite : NULL;
}

int kt_tls_cipher(const struct kt_tls *tls, uint16_t *ret_version, enum kt_cipher *ret_cipher)
{
	const struct kt_tls_suite *suite = exportable_suite(tls);

	if (!suite)
		return -EOPNOTSUPP;
	*ret_version = suite->version;
	*ret_cipher = suite->cipher;
	return 0;
}

/* ---- What only the handshake sees ----------------------------------------------------------- */

static bool is_label(const char *line, const char *label)
{
	size_t len = strlen(label);

	return !strncmp(line, label, len) && line[len] == ' ';
}

/* Lines as in the NSS key log: label, client random, secret, the last two in hexadecimal. */
void kt_tls_keep_secret(const SSL *ssl, const char *line)
{
	struct kt_tls *tls = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');
	enum kt_tls_side side;

	if (is_label(line, "CLIENT_TRAFFIC_SECRET_0"))
		side = KT_TLS_CLIENT;
	else if (is_label(line, "SERVER_TRAFFIC_SECRET_0"))
		side = KT_TLS_SERVER;
	else
		return;
	if (!OPENSSL_hexstr2buf_ex(tls->secret[side], sizeof tls->secret[side],
				   &tls->secret_len[side], hex + 1, '\0'))
		tls->secret_len[side] = 0;
}

/*
 * With GCM in TLS 1.2, OpenSSL starts the explicit nonces at a random number, which goes out in the
 * clear with our Finished: the last record of the output, behind ChangeCipherSpec. Whoever takes
 * over must go on from there, or may use a nonce twice (RFC 5288 §3).
 */
static void keep_finished_nonce(struct kt_tls *tls)
{
	static const uint8_t start[] = {
		KT_RECORD_CHANGE_CIPHER_SPEC,	    3, 3, 0, 1, 1, KT_RECORD_HANDSHAKE, 3, 3, 0,
		8 + 4 + KT_TLS_VERIFY_DATA_12 + 16,
	};
	const size_t tail = sizeof start + start[sizeof start - 1];
	const uint8_t *out;
	size_t len = kt_tls_output(tls, &out);

	if (len < tail || memcmp(out + len - tail, start, sizeof start))
		return;
	memcpy(tls->finished_nonce, out + len - tail + sizeof start, sizeof tls->finished_nonce);
	tls->has_finished_nonce = true;
}

static bool has_explicit_nonces(const struct kt_tls_suite *suite)
{
	return suite->version == KT_TLS_1_2 && suite->cipher != KT_CHACHA20_POLY1305;
}

/* Before a suite is agreed on there is no Finished, whatever our random bytes look like. */
void kt_tls_export_watch(struct kt_tls *tls)
{
	const struct kt_tls_suite *suite;

	if (kt_tls_our_side(tls) != KT_TLS_CLIENT || tls->has_finished_nonce)
		return;
	suite = kt_tls_current_suite(tls);
	if (suite && has_explicit_nonces(suite))
		keep_finished_nonce(tls);
}

bool kt_tls_export_prepare(struct kt_tls *tls)
{
	const struct kt_tls_suite *suite = kt_tls_current_suite(tls);

	if (!suite || tls->context->no_export)
		return true; /* userspace records only */
	if (suite->version == KT_TLS_1_3)
		return tls->secret_len[KT_TLS_CLIENT] && tls->secret_len[KT_TLS_SERVER];
	if (!has_explicit_nonces(suite))
		return true;
	if (kt_tls_our_side(tls) == KT_TLS_SERVER)
		keep_finished_nonce(tls);
	return tls->has_finished_nonce;
}

/* ---- Key schedules -------------------------------------------------------------------------- */

static int derive_1_3(const struct kt_tls *tls, const struct kt_tls_suite *suite,
		      enum kt_tls_side side, struct kt_traffic_key *key)
{
	return kt_tls_derive_key(tls->context->hkdf, suite->cipher, tls->secret[side], key);
}

int kt_tls_first_key(const struct kt_tls *tls, enum kt_tls_side side,
		     struct kt_traffic_key *ret_key)
{
	const struct kt_tls_suite *suite = kt_tls_current_suite(tls);
	struct kt_traffic_key key = {.seq = 0};
	int err = -ENOENT;

	if (suite && suite->version == KT_TLS_1_3 && tls->secret_len[side])
		err = derive_1_3(tls, suite, side, &key);
	if (!err)
		*ret_key = key;
	OPENSSL_cleanse(&key, sizeof key);
	return err;
}

struct key_block {
	uint8_t bytes[2 * (32 + 12)];
};

/* RFC 5246 §6.3 */
static int derive_key_block(const struct kt_tls *tls, const struct kt_tls_suite *suite,
			    struct key_block *block)
{
	static const char label[] = "key expansion";
	uint8_t master[SSL_MAX_MASTER_KEY_LENGTH];
	uint8_t server_random[SSL3_RANDOM_SIZE], client_random[SSL3_RANDOM_SIZE];
	const OSSL_PARAM params[] = {
		kt_tls_text_param(OSSL_KDF_PARAM_DIGEST, suite->digest),
		kt_tls_bytes_param(OSSL_KDF_PARAM_SECRET, master, sizeof master),
		kt_tls_bytes_param(OSSL_KDF_PARAM_SEED, label, sizeof label - 1),
		kt_tls_bytes_param(OSSL_KDF_PARAM_SEED, server_random, sizeof server_random),
		kt_tls_bytes_param(OSSL_KDF_PARAM_SEED, client_random, sizeof client_random),
		OSSL_PARAM_END,
	};
	const SSL_SESSION *session = SSL_get_session(tls->ssl);
	int err;

	SSL_get_server_random(tls->ssl, server_random, sizeof server_random);
	SSL_get_client_random(tls->ssl, client_random, sizeof client_random);
	if (SSL_SESSION_get_master_key(session, master, sizeof master) != sizeof master)
		err = -EOPNOTSUPP; /* RFC 5246 §8.1 knows no other length */
	else
		err = kt_tls_derive(tls->context->tls1_prf, params, block->bytes,
				    2 * (suite->key_len + suite->iv_len));
	OPENSSL_cleanse(master, sizeof master);
	return err;
}

/* AEAD has no MAC keys: client key, server key, client IV, server IV. Both sent one record. */
static int derive_1_2(const struct kt_tls *tls, const struct kt_tls_suite *suite,
		      struct kt_traffic *traffic)
{
	bool client = kt_tls_our_side(tls) == KT_TLS_CLIENT;
	struct kt_traffic_key *of_client = client ? &traffic->tx : &traffic->rx;
	struct kt_traffic_key *of_server = client ? &traffic->rx : &traffic->tx;
	struct key_block block;
	const uint8_t *ivs = block.bytes + 2 * suite->key_len;
	int err = derive_key_block(tls, suite, &block);

	if (!err) {
		memcpy(of_client->key, block.bytes, suite->key_len);
		memcpy(of_server->key, block.bytes + suite->key_len, suite->key_len);
		memcpy(of_client->iv, ivs, suite->iv_len);
		memcpy(of_server->iv, ivs + suite->iv_len, suite->iv_len);
		traffic->rx.seq = 1;
		traffic->tx.seq = 1;
	}
	OPENSSL_cleanse(&block, sizeof block);
	return err;
}

/* The peer's nonces come with its records, so only ours is counted on. */
static void next_nonce(const struct kt_tls *tls, uint8_t nonce[static KT_TLS_GCM_NONCE_LEN])
{
	memcpy(nonce, tls->finished_nonce, KT_TLS_GCM_NONCE_LEN);
	for (int i = KT_TLS_GCM_NONCE_LEN - 1; i >= 0 && !++nonce[i]; i--)
		;
}

static int derive_all(const struct kt_tls *tls, const struct kt_tls_suite *suite,
		      struct kt_traffic *traffic)
{
	enum kt_tls_side ours = kt_tls_our_side(tls);
	enum kt_tls_side theirs = ours == KT_TLS_CLIENT ? KT_TLS_SERVER : KT_TLS_CLIENT;
	int err;

	traffic->version = suite->version;
	traffic->cipher = suite->cipher;
	if (suite->version == KT_TLS_1_3) {
		err = derive_1_3(tls, suite, theirs, &traffic->rx);
		return err ? err : derive_1_3(tls, suite, ours, &traffic->tx);
	}
	err = derive_1_2(tls, suite, traffic);
	if (!err && has_explicit_nonces(suite))
		next_nonce(tls, traffic->tx.iv + suite->iv_len);
	return err;
}

int kt_tls_secrets(const struct kt_tls *tls, struct kt_traffic_secrets *ret_secrets)
{
	const struct kt_tls_suite *suite = exportable_suite(tls);
	enum kt_tls_side ours = kt_tls_our_side(tls);
	enum kt_tls_side theirs = ours == KT_TLS_CLIENT ? KT_TLS_SERVER : KT_TLS_CLIENT;

	if (tls->state != KT_TLS_OPEN || tls->records_used)
		return -EBUSY;
	if (!suite || suite->version != KT_TLS_1_3)
		return -EOPNOTSUPP;
	ret_secrets->cipher = suite->cipher;
	memcpy(ret_secrets->tx, tls->secret[ours], sizeof ret_secrets->tx);
	memcpy(ret_secrets->rx, tls->secret[theirs], sizeof ret_secrets->rx);
	return 0;
}

int kt_tls_export(struct kt_tls *tls, struct kt_traffic *ret_traffic)
{
	const struct kt_tls_suite *suite = exportable_suite(tls);
	struct kt_traffic traffic = {0};
	int err;

	if (tls->state != KT_TLS_OPEN || tls->records_used || BIO_pending(tls->out))
		return -EBUSY;
	if (!suite)
		return -EOPNOTSUPP;
	err = derive_all(tls, suite, &traffic);
	ERR_clear_error();
	if (!err) {
		*ret_traffic = traffic;
		tls->state = KT_TLS_SPENT;
		OPENSSL_cleanse(tls->secret, sizeof tls->secret);
	}
	kt_traffic_wipe(&traffic);
	return err;
}
