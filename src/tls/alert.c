/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The alert that libssl does not know how to send for a certificate: access_denied (RFC 8446 §6.2).
 *
 * Whoever judges a peer's certificate in libssl's place names one of its X509_V_ERR_*, for which it
 * looks up the alert in a table (ssl_x509err2alert), where none leads to this. So what it wrote is
 * written anew, before any of it is taken: the last record of the output. In TLS 1.2 it is in the
 * clear. In TLS 1.3 it is the first that a server sends under the keys of application data; it is
 * opened, which shows that this is so, and sealed again. Only one record under its nonce leaves.
 *
 * A client of TLS 1.3 sends its alert under keys of the handshake, which are not kept: there, and
 * wherever else the record is not what it should be, libssl's alert stays.
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "connection.h"

#define TAG_LEN	   16 /* bytes, of each of these ciphers */
#define FATAL	   2  /* AlertLevel */
#define ALERT_LEN  2  /* level, description */
#define SEALED_LEN (ALERT_LEN + 1 /* the content's type */ + TAG_LEN)

static const EVP_CIPHER *cipher_of(enum kt_cipher cipher)
{
	switch (cipher) {
	case KT_AES_128_GCM:
		return EVP_aes_128_gcm();
	case KT_AES_256_GCM:
		return EVP_aes_256_gcm();
	case KT_CHACHA20_POLY1305:
		return EVP_chacha20_poly1305();
	default:
		return NULL;
	}
}

/* Sealed or open, in place. The first under its key: the IV is its nonce (RFC 8446 §5.3). */
struct record {
	uint8_t *header;
	uint8_t *text;
	uint8_t *tag;
};

#define TEXT_LEN (SEALED_LEN - TAG_LEN)

static bool crypt(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const struct kt_traffic_key *key,
		  const struct record *record, bool seal)
{
	int len;

	if (!EVP_CipherInit_ex(ctx, cipher, NULL, key->key, key->iv, seal) ||
	    !EVP_CipherUpdate(ctx, NULL, &len, record->header, KT_RECORD_HEADER_LEN) ||
	    !EVP_CipherUpdate(ctx, record->text, &len, record->text, TEXT_LEN))
		return false;
	if (!seal && !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, record->tag))
		return false;
	if (!EVP_CipherFinal_ex(ctx, record->text + TEXT_LEN, &len))
		return false;
	return !seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, record->tag);
}

/* sealed: all of the record. True: it was a fatal alert, and is this one now. */
static bool reseal(uint8_t sealed[static KT_RECORD_HEADER_LEN + SEALED_LEN],
		   const EVP_CIPHER *cipher, const struct kt_traffic_key *key, uint8_t alert)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *text = sealed + KT_RECORD_HEADER_LEN;
	const struct record record = {sealed, text, text + TEXT_LEN};
	bool done = false;

	if (ctx && crypt(ctx, cipher, key, &record, false) && text[0] == FATAL &&
	    text[ALERT_LEN] == KT_RECORD_ALERT) {
		text[1] = alert;
		done = crypt(ctx, cipher, key, &record, true);
	}
	EVP_CIPHER_CTX_free(ctx);
	return done;
}

static void replace_sealed(const struct kt_tls *tls, uint8_t *out, size_t len, uint8_t alert)
{
	static const uint8_t header[] = {KT_RECORD_DATA, 3, 3, 0, SEALED_LEN};
	const struct kt_tls_suite *suite = kt_tls_current_suite(tls);
	uint8_t sealed[sizeof header + SEALED_LEN];
	struct kt_traffic_key key = {.seq = 0};

	if (len < sizeof sealed || !suite || kt_tls_our_side(tls) != KT_TLS_SERVER)
		return;
	out += len - sizeof sealed;
	memcpy(sealed, out, sizeof sealed);
	if (!memcmp(sealed, header, sizeof header) && !kt_tls_first_key(tls, KT_TLS_SERVER, &key) &&
	    reseal(sealed, cipher_of(suite->cipher), &key, alert))
		memcpy(out, sealed, sizeof sealed);
	OPENSSL_cleanse(&key, sizeof key);
}

static void replace_plain(uint8_t *out, size_t len, uint8_t alert)
{
	static const uint8_t record[] = {KT_RECORD_ALERT, 3, 3, 0, ALERT_LEN, FATAL};

	if (len > sizeof record && !memcmp(out + len - 1 - sizeof record, record, sizeof record))
		out[len - 1] = alert;
}

void kt_tls_replace_alert(struct kt_tls *tls, uint8_t alert)
{
	char *out = NULL;
	long len = BIO_get_mem_data(tls->out, &out);

	if (len <= 0)
		return;
	if (SSL_version(tls->ssl) == TLS1_3_VERSION)
		replace_sealed(tls, (uint8_t *)out, (size_t)len, alert);
	else
		replace_plain((uint8_t *)out, (size_t)len, alert);
	ERR_clear_error();
}
