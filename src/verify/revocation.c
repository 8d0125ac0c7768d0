/* SPDX-License-Identifier: BSD-2-Clause */
#include "revocation.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum signed_by { UNASKED, SIGNED, NOT_SIGNED };

struct slot {
	uint8_t fingerprint[KT_DIGEST_LEN];
	X509_CRL *crl; /* NULL: not decoded, or (tried) cannot be */
	bool tried;
	uint8_t key[KT_DIGEST_LEN]; /* SHA-256 of the key bits that were asked about last */
	enum signed_by key_signed;
};

/*
 * A slot for each CRL of the snapshot that was asked about last, in its order, which is that of
 * fingerprints: no two ever share one, however many there are.
 */
struct kt_crl_cache {
	uint8_t digest[KT_DIGEST_LEN]; /* of that snapshot */
	struct slot *slots;
	size_t count;
};

struct kt_crl_cache *kt_crl_cache_new(void)
{
	return calloc(1, sizeof(struct kt_crl_cache));
}

static void free_slots(struct slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		X509_CRL_free(slots[i].crl);
	free(slots);
}

void kt_crl_cache_free(struct kt_crl_cache *cache)
{
	if (!cache)
		return;
	free_slots(cache->slots, cache->count);
	free(cache);
}

static struct slot *find(struct slot *slots, size_t count, const uint8_t *fingerprint)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int way = memcmp(slots[middle].fingerprint, fingerprint, KT_DIGEST_LEN);

		if (way == 0)
			return &slots[middle];
		if (way < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Slots for this snapshot's CRLs; what is known of those that were in the one before stays. */
static bool follow(struct kt_crl_cache *cache, const struct kt_snapshot *snapshot,
		   const struct kt_snapshot_info *info)
{
	struct slot *slots;
	struct kt_crl crl;

	if (cache->slots && !memcmp(cache->digest, info->digest, KT_DIGEST_LEN))
		return true;
	slots = calloc(info->crls, sizeof *slots);
	if (!slots)
		return false;
	for (size_t i = 0; i < info->crls && !kt_snapshot_crl(snapshot, i, &crl); i++) {
		struct slot *before = find(cache->slots, cache->count, crl.fingerprint);

		if (before) {
			slots[i] = *before;
			before->crl = NULL;
		}
		memcpy(slots[i].fingerprint, crl.fingerprint, KT_DIGEST_LEN);
	}
	free_slots(cache->slots, cache->count);
	cache->slots = slots;
	cache->count = info->crls;
	memcpy(cache->digest, info->digest, KT_DIGEST_LEN);
	return true;
}

static X509_CRL *decode(const struct kt_crl *crl)
{
	const uint8_t *der = crl->der;
	X509_CRL *decoded = d2i_X509_CRL(NULL, &der, (long)crl->der_len);

	if (decoded && der == crl->der + crl->der_len)
		return decoded;
	X509_CRL_free(decoded);
	return NULL;
}

/* A lack of memory passes: what failed for it is to be tried again. */
static bool memory_ran_out(void)
{
	return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

/* NULL: OpenSSL cannot read it, which is not tried again. */
static struct slot *get(struct kt_crl_cache *cache, const struct kt_crl *crl)
{
	struct slot *slot = find(cache->slots, cache->count, crl->fingerprint);

	if (slot && !slot->tried) {
		slot->crl = decode(crl);
		slot->tried = slot->crl || !memory_ran_out();
	}
	return slot && slot->crl ? slot : NULL;
}

/* Did this issuer sign it? The answer is remembered, for this key. */
static bool verifies(struct slot *slot, X509 *issuer)
{
	uint8_t key[EVP_MAX_MD_SIZE];
	unsigned int len;

	/* All bits set: the extension is absent. */
	if (!(X509_get_key_usage(issuer) & KU_CRL_SIGN))
		return false;
	if (X509_pubkey_digest(issuer, EVP_sha256(), key, &len) != 1 || len != KT_DIGEST_LEN)
		return false;
	if (slot->key_signed != UNASKED && !memcmp(slot->key, key, KT_DIGEST_LEN))
		return slot->key_signed == SIGNED;
	slot->key_signed =
		X509_CRL_verify(slot->crl, X509_get0_pubkey(issuer)) == 1 ? SIGNED : NOT_SIGNED;
	if (slot->key_signed == NOT_SIGNED && memory_ran_out())
		slot->key_signed = UNASKED;
	memcpy(slot->key, key, KT_DIGEST_LEN);
	return slot->key_signed == SIGNED;
}

/* What the CRLs of one issuer come to for one certificate. */
struct findings {
	bool any;      /* there is one of that name */
	bool verified; /* signed by the issuer, and begun */
	bool current;
	bool revoked;
};

static void look(struct kt_crl_cache *cache, const struct kt_crl *crl, X509 *cert, X509 *issuer,
		 int64_t time, enum kt_crl_policy policy, struct findings *findings)
{
	struct slot *slot = get(cache, crl);
	X509_REVOKED *entry;

	findings->any = true;
	if (!slot || time < crl->this_update || !verifies(slot, issuer))
		return;
	findings->verified = true;
	if (time <= crl->next_update || policy == KT_CRL_WARN)
		findings->current = true;
	if (X509_CRL_get0_by_cert(slot->crl, &entry, cert))
		findings->revoked = true;
}

static enum kt_verdict_code conclude(const struct findings *findings)
{
	if (!findings->any)
		return KT_ACCEPTED;
	if (findings->revoked)
		return KT_REVOKED;
	if (!findings->verified)
		return KT_CRL_INVALID;
	return findings->current ? KT_ACCEPTED : KT_CRL_EXPIRED;
}

static enum kt_verdict_code check(struct kt_crl_cache *cache, const struct kt_snapshot *snapshot,
				  X509 *cert, X509 *issuer, int64_t time)
{
	struct findings findings = {0};
	struct kt_snapshot_info info;
	const uint8_t *name;
	size_t len, cursor = 0;
	struct kt_crl crl;

	kt_snapshot_describe(snapshot, &info);
	if (!X509_NAME_get0_der(X509_get_issuer_name(cert), &name, &len))
		return KT_INTERNAL;
	while (!kt_snapshot_find_crl(snapshot, name, len, &cursor, &crl))
		look(cache, &crl, cert, issuer, time, info.crl_policy, &findings);
	return conclude(&findings);
}

enum kt_verdict_code kt_revocation_check(struct kt_crl_cache *cache, const struct kt_path *path,
					 const struct kt_snapshot *snapshot, int64_t time,
					 int *ret_depth)
{
	enum kt_verdict_code code = KT_ACCEPTED;
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	if (!info.crls)
		return code;
	*ret_depth = -1;
	if (!follow(cache, snapshot, &info))
		return KT_INTERNAL;
	for (int i = 0; code == KT_ACCEPTED && i < path->count; i++) {
		X509 *issuer = i + 1 < path->count ? path->certs[i + 1] : path->anchor;

		code = check(cache, snapshot, path->certs[i], issuer, time);
		*ret_depth = code == KT_INTERNAL ? -1 : code == KT_ACCEPTED ? path->count : i;
	}
	return code;
}
