/* SPDX-License-Identifier: BSD-2-Clause */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init and its like: a state without allocation */

#include "tls13_kdf.h"

#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/sha.h>

#define HASH_MAX   SHA384_DIGEST_LENGTH
#define BLOCK_MAX  SHA512_CBLOCK
#define LABEL_MAX  255 /* with its prefix: opaque label<7..255> */
#define PARTS_MAX  3
#define NOT_A_MODE (-1)

enum hash { NO_HASH, SHA2_256, SHA2_384 };

struct bytes {
	const uint8_t *data;
	size_t len;
};

struct step {
	int mode;
	enum hash hash;
	struct bytes key, salt, prefix, label, data;
};

static size_t hash_len(enum hash hash)
{
	return hash == SHA2_256 ? SHA256_DIGEST_LENGTH : SHA384_DIGEST_LENGTH;
}

static size_t block_len(enum hash hash)
{
	return hash == SHA2_256 ? SHA256_CBLOCK : SHA512_CBLOCK;
}

static void digest(enum hash hash, const struct bytes parts[PARTS_MAX], uint8_t *ret_sum)
{
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha384;
	} state;

	if (hash == SHA2_256) {
		SHA256_Init(&state.sha256);
		for (int i = 0; i < PARTS_MAX; i++)
			SHA256_Update(&state.sha256, parts[i].data, parts[i].len);
		SHA256_Final(ret_sum, &state.sha256);
	} else {
		SHA384_Init(&state.sha384);
		for (int i = 0; i < PARTS_MAX; i++)
			SHA384_Update(&state.sha384, parts[i].data, parts[i].len);
		SHA384_Final(ret_sum, &state.sha384);
	}
	OPENSSL_cleanse(&state, sizeof state);
}

/* RFC 2104. The key is of a block at most; ret_sum may be where a part is. */
static void hmac(enum hash hash, struct bytes key, struct bytes first, struct bytes second,
		 uint8_t *ret_sum)
{
	size_t block = block_len(hash), len = hash_len(hash);
	uint8_t pad[BLOCK_MAX] = {0}, inner[HASH_MAX];

	if (key.len)
		memcpy(pad, key.data, key.len);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36;
	digest(hash, (const struct bytes[PARTS_MAX]){{pad, block}, first, second}, inner);
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	digest(hash, (const struct bytes[PARTS_MAX]){{pad, block}, {inner, len}, {NULL, 0}},
	       ret_sum);
	OPENSSL_cleanse(pad, sizeof pad);
	OPENSSL_cleanse(inner, sizeof inner);
}

/* HKDF-Expand-Label, of one block of output at most (RFC 8446 §7.1, RFC 5869 §2.3). */
static void expand(const struct step *step, struct bytes key, struct bytes data, uint8_t *ret_out,
		   size_t len)
{
	uint8_t info[2 + 1 + LABEL_MAX + 1], out[HASH_MAX];
	uint8_t last[1 + HASH_MAX + 1];
	size_t at = 0, end = 0;

	info[at++] = 0; /* len, as uint16: it is less than a byte holds */
	info[at++] = (uint8_t)len;
	info[at++] = (uint8_t)(step->prefix.len + step->label.len);
	memcpy(info + at, step->prefix.data, step->prefix.len);
	at += step->prefix.len;
	memcpy(info + at, step->label.data, step->label.len);
	at += step->label.len;
	last[end++] = (uint8_t)data.len;
	if (data.len)
		memcpy(last + end, data.data, data.len);
	end += data.len;
	last[end++] = 1; /* HKDF's counter */
	hmac(step->hash, key, (struct bytes){info, at}, (struct bytes){last, end}, out);
	memcpy(ret_out, out, len);
	OPENSSL_cleanse(out, sizeof out);
}

/* Derive-Secret(., "derived", "") and HKDF-Extract: from one secret of the schedule to the next. */
static void extract(const struct step *step, uint8_t *ret_out)
{
	static const uint8_t zeros[HASH_MAX];
	const struct bytes nothing = {NULL, 0};
	size_t len = hash_len(step->hash);
	struct bytes salt = nothing, key = step->key;
	uint8_t empty[HASH_MAX], derived[HASH_MAX];

	if (step->salt.data) {
		digest(step->hash, (const struct bytes[PARTS_MAX]){nothing, nothing, nothing},
		       empty);
		expand(step, step->salt, (struct bytes){empty, len}, derived, len);
		salt = (struct bytes){derived, len};
	}
	if (!key.data)
		key = (struct bytes){zeros, len};
	hmac(step->hash, salt, key, nothing, ret_out);
	OPENSSL_cleanse(derived, sizeof derived);
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static bool read_mode(const OSSL_PARAM *param, struct step *step)
{
	if (param->data_type != OSSL_PARAM_INTEGER || param->data_size != sizeof step->mode)
		return false;
	memcpy(&step->mode, param->data, sizeof step->mode);
	return true;
}

/* By the names that libcrypto gives them. */
static enum hash hash_by_name(const char *name)
{
	if (name && (!strcasecmp(name, "SHA2-256") || !strcasecmp(name, "SHA256")))
		return SHA2_256;
	if (name && (!strcasecmp(name, "SHA2-384") || !strcasecmp(name, "SHA384")))
		return SHA2_384;
	return NO_HASH;
}

static bool read_hash(const OSSL_PARAM *param, struct step *step)
{
	if (param->data_type == OSSL_PARAM_UTF8_STRING)
		step->hash = hash_by_name(param->data);
	return step->hash != NO_HASH;
}

static bool read_bytes(const OSSL_PARAM *param, struct bytes *ret_bytes)
{
	*ret_bytes = (struct bytes){param->data, param->data_size};
	return param->data_type == OSSL_PARAM_OCTET_STRING && param->data;
}

static bool read_param(const OSSL_PARAM *param, struct step *step)
{
	if (!strcmp(param->key, OSSL_KDF_PARAM_MODE))
		return read_mode(param, step);
	if (!strcmp(param->key, OSSL_KDF_PARAM_DIGEST))
		return read_hash(param, step);
	if (!strcmp(param->key, OSSL_KDF_PARAM_KEY))
		return read_bytes(param, &step->key);
	if (!strcmp(param->key, OSSL_KDF_PARAM_SALT))
		return read_bytes(param, &step->salt);
	if (!strcmp(param->key, OSSL_KDF_PARAM_PREFIX))
		return read_bytes(param, &step->prefix);
	if (!strcmp(param->key, OSSL_KDF_PARAM_LABEL))
		return read_bytes(param, &step->label);
	if (!strcmp(param->key, OSSL_KDF_PARAM_DATA))
		return read_bytes(param, &step->data);
	return false;
}

static bool is_expand(const struct step *step, size_t len)
{
	return step->mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && !step->salt.data && len &&
	       len <= hash_len(step->hash) && step->key.len == hash_len(step->hash) &&
	       step->data.len <= hash_len(step->hash);
}

static bool is_extract(const struct step *step, size_t len)
{
	return step->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && !step->data.data &&
	       len == hash_len(step->hash) &&
	       (!step->salt.data || step->salt.len == hash_len(step->hash));
}

bool kt_tls13_kdf(const OSSL_PARAM *params, uint8_t *ret_out, size_t len)
{
	struct step step = {.mode = NOT_A_MODE};

	if (!params)
		return false;
	for (; params->key; params++)
		if (!read_param(params, &step))
			return false;
	if (step.hash == NO_HASH || !step.prefix.data || !step.label.data ||
	    step.prefix.len > LABEL_MAX || step.label.len > LABEL_MAX - step.prefix.len)
		return false;
	if (is_expand(&step, len))
		expand(&step, step.key, step.data, ret_out, len);
	else if (is_extract(&step, len))
		extract(&step, ret_out);
	else
		return false;
	return true;
}

bool kt_tls13_finished(const char *digest, const uint8_t *key, size_t key_len, const uint8_t *data,
		       size_t len, uint8_t *ret_out, size_t size, size_t *ret_len)
{
	enum hash hash = hash_by_name(digest);
	size_t sum_len = hash_len(hash);

	if (hash == NO_HASH || !key || !data || key_len != sum_len || len != sum_len || !ret_out ||
	    size < sum_len)
		return false;
	hmac(hash, (struct bytes){key, key_len}, (struct bytes){data, len}, (struct bytes){NULL, 0},
	     ret_out);
	if (ret_len)
		*ret_len = sum_len;
	return true;
}
