/* SPDX-License-Identifier: BSD-2-Clause */
#include "revocation.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* Direct-mapped: a collision costs a decode and a signature check, never a verdict. */
#define SLOTS 64

struct slot {
	uint8_t fingerprint[KT_DIGEST_LEN];
	X509_CRL *crl;		    /* NULL: empty */
	uint8_t key[KT_DIGEST_LEN]; /* SHA-256 of the key bits it verified with last */
	bool verified;		    /* key is one that signed it */
};

struct kt_crl_cache {
	struct slot slots[SLOTS];
};

struct kt_crl_cache *kt_crl_cache_new(void)
{
	return calloc(1, sizeof(struct kt_crl_cache));
}

void kt_crl_cache_free(struct kt_crl_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		X509_CRL_free(cache->slots[i].crl);
	free(cache);
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

/* NULL: OpenSSL cannot read it. */
static struct slot *get(struct kt_crl_cache *cache, const struct kt_crl *crl)
{
	/* A fingerprint is uniform: any of its bytes is a hash. */
	struct slot *slot = &cache->slots[crl->fingerprint[0] % SLOTS];
	X509_CRL *decoded;

	if (slot->crl && !memcmp(slot->fingerprint, crl->fingerprint, KT_DIGEST_LEN))
		return slot;
	decoded = decode(crl);
	if (!decoded)
		return NULL;
	X509_CRL_free(slot->crl);
	*slot = (struct slot){.crl = decoded};
	memcpy(slot->fingerprint, crl->fingerprint, KT_DIGEST_LEN);
	return slot;
}

/* Did this issuer sign it? A success is remembered, for this key. */
static bool verifies(struct slot *slot, X509 *issuer)
{
	uint8_t key[EVP_MAX_MD_SIZE];
	unsigned int len;

	/* All bits set: the extension is absent. */
	if (!(X509_get_key_usage(issuer) & KU_CRL_SIGN))
		return false;
	if (X509_pubkey_digest(issuer, EVP_sha256(), key, &len) != 1 || len != KT_DIGEST_LEN)
		return false;
	if (slot->verified && !memcmp(slot->key, key, KT_DIGEST_LEN))
		return true;
	if (X509_CRL_verify(slot->crl, X509_get0_pubkey(issuer)) != 1)
		return false;
	memcpy(slot->key, key, KT_DIGEST_LEN);
	slot->verified = true;
	return true;
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
	for (int i = 0; info.crls && code == KT_ACCEPTED && i < path->count; i++) {
		X509 *issuer = i + 1 < path->count ? path->certs[i + 1] : path->anchor;

		code = check(cache, snapshot, path->certs[i], issuer, time);
		*ret_depth = code == KT_INTERNAL ? -1 : i;
	}
	return code;
}
