/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define TAG 16

static size_t key_len(enum kt_cipher cipher)
{
	return cipher == KT_AES_128_GCM ? 16 : 32;
}

static enum kt_cipher cipher_of(const SSL *ssl)
{
	const char *name = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));

	if (strstr(name, "CHACHA20"))
		return KT_CHACHA20_POLY1305;
	return strstr(name, "AES_256") ? KT_AES_256_GCM : KT_AES_128_GCM;
}

static const EVP_MD *digest_of(enum kt_cipher cipher)
{
	return cipher == KT_AES_256_GCM ? EVP_sha384() : EVP_sha256();
}

/* ---- Key schedules -------------------------------------------------------------------------- */

/* RFC 8446 §7.1: the output fits one block of HKDF-Expand, which is one HMAC. */
static void expand(const EVP_MD *md, const uint8_t *secret, size_t secret_len, const char *label,
		   uint8_t *ret_out, size_t len)
{
	uint8_t info[64], block[EVP_MAX_MD_SIZE];
	int n = snprintf((char *)info + 3, sizeof info - 3, "tls13 %s", label);

	info[0] = 0;
	info[1] = (uint8_t)len;
	info[2] = (uint8_t)n;
	info[3 + n] = 0; /* context */
	info[4 + n] = 1; /* block number */
	ASSERT_TRUE(HMAC(md, secret, (int)secret_len, info, 5 + n, block, NULL) != NULL);
	memcpy(ret_out, block, len);
}

/* P_hash of RFC 5246 §5 */
static void prf(const EVP_MD *md, const uint8_t master[static 48], const uint8_t *seed,
		size_t seed_len, uint8_t *ret_out, size_t len)
{
	uint8_t a[EVP_MAX_MD_SIZE + 128], block[EVP_MAX_MD_SIZE];
	size_t md_len = EVP_MD_get_size(md);

	HMAC(md, master, 48, seed, seed_len, a, NULL);
	while (len) {
		size_t n = len < md_len ? len : md_len;

		memcpy(a + md_len, seed, seed_len);
		HMAC(md, master, 48, a, md_len + seed_len, block, NULL);
		memcpy(ret_out, block, n);
		ret_out += n;
		len -= n;
		HMAC(md, master, 48, a, md_len, block, NULL);
		memcpy(a, block, md_len);
	}
}

void client_next_secret(struct client *client, bool servers)
{
	uint8_t *secret = servers ? client->server_secret : client->client_secret;
	uint8_t next[sizeof client->client_secret];

	expand(digest_of(cipher_of(client->ssl)), secret, client->secret_len, "traffic upd", next,
	       client->secret_len);
	memcpy(secret, next, client->secret_len);
}

static void keys_1_2(const struct client *client, struct kt_traffic *traffic)
{
	size_t klen = key_len(traffic->cipher);
	size_t ivlen = traffic->cipher == KT_CHACHA20_POLY1305 ? 12 : 4;
	uint8_t seed[13 + 64] = "key expansion", block[88];

	SSL_get_server_random(client->ssl, seed + 13, 32);
	SSL_get_client_random(client->ssl, seed + 45, 32);
	prf(digest_of(traffic->cipher), client->master, seed, sizeof seed, block,
	    2 * (klen + ivlen));
	memcpy(traffic->rx.key, block, klen);
	memcpy(traffic->tx.key, block + klen, klen);
	memcpy(traffic->rx.iv, block + 2 * klen, ivlen);
	memcpy(traffic->tx.iv, block + 2 * klen + ivlen, ivlen);
	traffic->rx.seq = traffic->tx.seq = 1;
}

static void keys_1_3(const struct client *client, struct kt_traffic *traffic)
{
	const EVP_MD *md = digest_of(traffic->cipher);
	size_t klen = key_len(traffic->cipher), slen = client->secret_len;

	expand(md, client->client_secret, slen, "key", traffic->rx.key, klen);
	expand(md, client->client_secret, slen, "iv", traffic->rx.iv, 12);
	expand(md, client->server_secret, slen, "key", traffic->tx.key, klen);
	expand(md, client->server_secret, slen, "iv", traffic->tx.iv, 12);
}

void keys_of_client(const struct client *client, struct kt_traffic *ret_traffic)
{
	memset(ret_traffic, 0, sizeof *ret_traffic);
	ret_traffic->version = (uint16_t)SSL_version(client->ssl);
	/* before the server's Finished only the pending one is known */
	ret_traffic->cipher = cipher_of(client->ssl);
	if (ret_traffic->version == KT_TLS_1_3)
		keys_1_3(client, ret_traffic);
	else
		keys_1_2(client, ret_traffic);
}

/* ---- Records -------------------------------------------------------------------------------- */

static bool explicit_nonce(const struct kt_traffic *traffic)
{
	return traffic->version == KT_TLS_1_2 && traffic->cipher != KT_CHACHA20_POLY1305;
}

static void put_u64(uint8_t *out, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		out[i] = (uint8_t)value;
}

/* The nonce of the record with key->seq; `sent`: the explicit part that came with it. */
static void make_nonce(const struct kt_traffic *traffic, const struct kt_traffic_key *key,
		       const uint8_t *sent, uint8_t nonce[static 12])
{
	uint8_t seq[8];

	memcpy(nonce, key->iv, 12);
	if (explicit_nonce(traffic)) {
		memcpy(nonce + 4, sent, 8);
		return;
	}
	put_u64(seq, key->seq);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] ^= seq[i];
}

static size_t make_aad(const struct kt_traffic *traffic, uint64_t seq, uint8_t type,
		       const uint8_t *header, size_t plain_len, uint8_t aad[static 13])
{
	if (traffic->version == KT_TLS_1_3) {
		memcpy(aad, header, 5);
		return 5;
	}
	put_u64(aad, seq);
	aad[8] = type;
	aad[9] = aad[10] = 3;
	aad[11] = (uint8_t)(plain_len >> 8);
	aad[12] = (uint8_t)plain_len;
	return 13;
}

static const EVP_CIPHER *evp_cipher(enum kt_cipher cipher)
{
	if (cipher == KT_CHACHA20_POLY1305)
		return EVP_chacha20_poly1305();
	return cipher == KT_AES_256_GCM ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
}

struct aead {
	const struct kt_traffic *traffic;
	const struct kt_traffic_key *key;
	uint8_t nonce[12], aad[13];
	size_t aad_len;
};

static bool aead(const struct aead *a, bool encrypt, uint8_t *data, size_t len, uint8_t *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, ok;

	ok = EVP_CipherInit_ex(ctx, evp_cipher(a->traffic->cipher), NULL, a->key->key, a->nonce,
			       encrypt);
	ok &= EVP_CipherUpdate(ctx, NULL, &n, a->aad, (int)a->aad_len);
	ok &= EVP_CipherUpdate(ctx, data, &n, data, (int)len);
	if (!encrypt)
		ok &= EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag);
	ok = ok && EVP_CipherFinal_ex(ctx, data + n, &n) > 0;
	if (encrypt)
		ok &= EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

static void step(struct kt_traffic_key *key)
{
	key->seq++;
	for (int i = 11; i >= 4 && !++key->iv[i]; i--)
		;
}

size_t record_seal(const struct kt_traffic *traffic, struct kt_traffic_key *key, uint8_t type,
		   const void *data, size_t len, uint8_t ret_record[static RECORD_MAX])
{
	bool is_1_3 = traffic->version == KT_TLS_1_3;
	size_t prefix = explicit_nonce(traffic) ? 8 : 0;
	size_t plain = len + is_1_3, body = prefix + plain + TAG;
	const uint8_t header[5] = {is_1_3 ? KT_RECORD_DATA : type, 3, 3, body >> 8, body & 0xff};
	struct aead a = {.traffic = traffic, .key = key};
	uint8_t *at = ret_record + 5;

	memcpy(ret_record, header, 5);
	memcpy(at, key->iv + 4, prefix);
	make_nonce(traffic, key, at, a.nonce);
	at += prefix;
	memcpy(at, data, len);
	if (is_1_3)
		at[len] = type;
	a.aad_len = make_aad(traffic, key->seq, type, header, len, a.aad);
	ASSERT_TRUE(aead(&a, true, at, plain, at + plain));
	if (prefix)
		step(key);
	else
		key->seq++;
	return 5 + body;
}

int record_open(const struct kt_traffic *traffic, struct kt_traffic_key *key, const uint8_t *record,
		uint8_t *ret_type, uint8_t *ret_content)
{
	size_t prefix = explicit_nonce(traffic) ? 8 : 0;
	size_t body = record[3] << 8 | record[4], len;
	struct aead a = {.traffic = traffic, .key = key};
	uint8_t tag[TAG];

	if (body < prefix + TAG)
		return -1;
	len = body - prefix - TAG;
	make_nonce(traffic, key, record + 5, a.nonce);
	a.aad_len = make_aad(traffic, key->seq, record[0], record, len, a.aad);
	memcpy(ret_content, record + 5 + prefix, len);
	memcpy(tag, record + 5 + prefix + len, TAG);
	if (!aead(&a, false, ret_content, len, tag))
		return -1;
	key->seq++;
	*ret_type = record[0];
	if (traffic->version == KT_TLS_1_3) {
		while (len && !ret_content[len - 1])
			len--;
		if (!len)
			return -1;
		*ret_type = ret_content[--len];
	}
	return (int)len;
}
