/* SPDX-License-Identifier: BSD-2-Clause */
#define OPENSSL_SUPPRESS_DEPRECATED /* see keys.h */

#include "keys.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* Issuers in use at once; a pool has a few hundred roots, of which a few dozen do all the work. */
#define KEPT 512

struct slot {
	uint64_t hash;
	uint8_t *spki; /* a copy; NULL: the slot is free */
	size_t len;
	struct kt_public_key key;
};

struct kt_keys {
	EC_GROUP *p256, *p384, *p521;
	struct slot kept[KEPT]; /* by hash, each in one of two places */
	struct slot guests[KT_KEYS_GUESTS];
	size_t next_guest;
};

static void clear(struct slot *slot)
{
	EC_KEY_free(slot->key.ec);
	RSA_free(slot->key.rsa);
	EVP_PKEY_free(slot->key.evp);
	free(slot->spki);
	*slot = (struct slot){0};
}

struct kt_keys *kt_keys_new(void)
{
	struct kt_keys *keys = calloc(1, sizeof *keys);

	if (!keys)
		return NULL;
	keys->p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	keys->p384 = EC_GROUP_new_by_curve_name(NID_secp384r1);
	keys->p521 = EC_GROUP_new_by_curve_name(NID_secp521r1);
	if (keys->p256 && keys->p384 && keys->p521)
		return keys;
	kt_keys_free(keys);
	return NULL;
}

void kt_keys_free(struct kt_keys *keys)
{
	if (!keys)
		return;
	kt_keys_settle(keys);
	for (size_t i = 0; i < KEPT; i++)
		clear(&keys->kept[i]);
	EC_GROUP_free(keys->p256);
	EC_GROUP_free(keys->p384);
	EC_GROUP_free(keys->p521);
	free(keys);
}

/* ---- Decoding -------------------------------------------------------------------------------- */

static EC_KEY *decode_point(const EC_GROUP *group, struct kt_der_view point)
{
	EC_KEY *key = EC_KEY_new();

	/* EC_KEY_oct2key refuses a point that is not on the curve. */
	if (key && EC_KEY_set_group(key, group) == 1 &&
	    EC_KEY_oct2key(key, point.data, point.len, NULL) == 1)
		return key;
	EC_KEY_free(key);
	return NULL;
}

static RSA *decode_rsa(struct kt_der_view bytes)
{
	const uint8_t *at = bytes.data;

	return d2i_RSAPublicKey(NULL, &at, (long)bytes.len);
}

static EVP_PKEY *decode_other(const struct kt_key *key)
{
	const uint8_t *at = key->spki.data;

	if (key->type == KT_KEY_ED25519)
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes.data,
						   key->bytes.len);
	return d2i_PUBKEY(NULL, &at, (long)key->spki.len);
}

static bool decode(const struct kt_keys *keys, const struct kt_key *key, struct kt_public_key *made)
{
	made->type = key->type;
	switch (key->type) {
	case KT_KEY_UNKNOWN:
		return false;
	case KT_KEY_P256:
		made->ec = decode_point(keys->p256, key->bytes);
		break;
	case KT_KEY_P384:
		made->ec = decode_point(keys->p384, key->bytes);
		break;
	case KT_KEY_P521:
		made->ec = decode_point(keys->p521, key->bytes);
		break;
	case KT_KEY_RSA:
		made->rsa = decode_rsa(key->bytes);
		break;
	default:
		made->evp = decode_other(key);
	}
	return made->ec || made->rsa || made->evp;
}

/* ---- Keeping --------------------------------------------------------------------------------- */

/* FNV-1a. What is kept was vouched for, so nobody chooses keys to collide without a CA's help. */
static uint64_t hash_of(struct kt_der_view spki)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < spki.len; i++)
		hash = (hash ^ spki.data[i]) * 0x100000001b3;
	return hash;
}

static bool holds(const struct slot *slot, uint64_t hash, struct kt_der_view spki)
{
	return slot->spki && slot->hash == hash && slot->len == spki.len &&
	       !memcmp(slot->spki, spki.data, spki.len);
}

/* Two places a hash: the second is the first's neighbour. */
static struct slot *place(struct kt_keys *keys, uint64_t hash, size_t which)
{
	return &keys->kept[((hash >> 32) ^ which) % KEPT];
}

static struct slot *find_kept(struct kt_keys *keys, uint64_t hash, struct kt_der_view spki)
{
	for (size_t which = 0; which < 2; which++)
		if (holds(place(keys, hash, which), hash, spki))
			return place(keys, hash, which);
	return NULL;
}

static struct slot *find_guest(struct kt_keys *keys, uint64_t hash, struct kt_der_view spki)
{
	for (size_t i = 0; i < KT_KEYS_GUESTS; i++)
		if (holds(&keys->guests[i], hash, spki))
			return &keys->guests[i];
	return NULL;
}

const struct kt_public_key *kt_keys_get(struct kt_keys *keys, const struct kt_key *key)
{
	uint64_t hash = hash_of(key->spki);
	struct slot *slot = find_kept(keys, hash, key->spki);
	struct slot made = {.hash = hash, .len = key->spki.len};

	if (!slot)
		slot = find_guest(keys, hash, key->spki);
	if (slot)
		return &slot->key;
	made.spki = malloc(key->spki.len);
	if (!made.spki)
		ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE);
	if (!made.spki || !decode(keys, key, &made.key)) {
		clear(&made);
		return NULL;
	}
	memcpy(made.spki, key->spki.data, key->spki.len);
	slot = &keys->guests[keys->next_guest++ % KT_KEYS_GUESTS];
	clear(slot);
	*slot = made;
	return &slot->key;
}

void kt_keys_keep(struct kt_keys *keys, const struct kt_key *key)
{
	uint64_t hash = hash_of(key->spki);
	struct slot *guest, *free_place;

	if (find_kept(keys, hash, key->spki))
		return;
	guest = find_guest(keys, hash, key->spki);
	if (!guest)
		return;
	free_place = place(keys, hash, 0)->spki ? place(keys, hash, 1) : place(keys, hash, 0);
	clear(free_place);
	*free_place = *guest;
	*guest = (struct slot){0};
}

void kt_keys_settle(struct kt_keys *keys)
{
	for (size_t i = 0; i < KT_KEYS_GUESTS && keys->next_guest; i++)
		clear(&keys->guests[i]);
	keys->next_guest = 0;
}
