/* SPDX-License-Identifier: BSD-2-Clause */
#include "revocation.h"

#include <stdlib.h>
#include <string.h>

#include "crl_scope.h"
#include "crl_serials.h"

struct slot {
	uint8_t fingerprint[KT_DIGEST_LEN];
	struct kt_crl_serials *serials; /* NULL: not looked at yet */
	struct kt_scan_crl crl;		/* once serials are there; into the DER below */
	const uint8_t *der;		/* where the CRL was; only compared */
	uint8_t *spki;			/* of the key that is known to have signed it; NULL: none */
	size_t spki_len;
};

/*
 * A slot for each CRL of the snapshot that was asked about last, in its order, which is that of
 * fingerprints: no two ever share one, however many there are.
 */
struct kt_revocation {
	uint8_t digest[KT_DIGEST_LEN]; /* of that snapshot */
	struct slot *slots;
	size_t count;
};

/* One question under way. */
struct question {
	struct kt_revocation *revocation;
	struct kt_signer *signer;
	bool use_cache;
	const struct kt_cert *cert;
	const struct kt_cert *issuer;
	int64_t time;
	enum kt_crl_policy policy;
};

struct kt_revocation *kt_revocation_new(void)
{
	return calloc(1, sizeof(struct kt_revocation));
}

static void free_slots(struct slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		kt_crl_serials_free(slots[i].serials);
		free(slots[i].spki);
	}
	free(slots);
}

void kt_revocation_free(struct kt_revocation *revocation)
{
	if (!revocation)
		return;
	free_slots(revocation->slots, revocation->count);
	free(revocation);
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
static bool follow(struct kt_revocation *revocation, const struct kt_snapshot *snapshot,
		   const struct kt_snapshot_info *info)
{
	struct slot *slots;
	struct kt_crl crl;

	if (revocation->slots && !memcmp(revocation->digest, info->digest, KT_DIGEST_LEN))
		return true;
	slots = calloc(info->crls, sizeof *slots);
	if (!slots)
		return false;
	for (size_t i = 0; i < info->crls && !kt_snapshot_crl(snapshot, i, &crl); i++) {
		struct slot *before = find(revocation->slots, revocation->count, crl.fingerprint);

		if (before) {
			slots[i] = *before;
			*before = (struct slot){0};
		}
		memcpy(slots[i].fingerprint, crl.fingerprint, KT_DIGEST_LEN);
	}
	free_slots(revocation->slots, revocation->count);
	revocation->slots = slots;
	revocation->count = info->crls;
	memcpy(revocation->digest, info->digest, KT_DIGEST_LEN);
	return true;
}

/* ---- One CRL --------------------------------------------------------------------------------- */

static bool is_signed_by(const struct slot *slot, struct kt_der_view spki)
{
	return slot->spki && slot->spki_len == spki.len && !memcmp(slot->spki, spki.data, spki.len);
}

/* Only that it signed; not remembered where there is no memory for it. */
static void note_answer(struct slot *slot, struct kt_der_view spki)
{
	uint8_t *copy = malloc(spki.len);

	if (!copy)
		return;
	memcpy(copy, spki.data, spki.len);
	free(slot->spki);
	slot->spki = copy;
	slot->spki_len = spki.len;
}

/* Did the issuer's key sign it? */
static struct kt_finding verify(const struct question *question, struct slot *slot,
				bool *ret_signed)
{
	const struct kt_scan_crl *crl = &slot->crl;
	const struct kt_key *key = &question->issuer->key;
	struct kt_signed object = {kt_algorithm_of_signature(crl->algorithm),
				   crl->tbs,
				   {crl->signature.data + 1, crl->signature.len - 1}};
	struct kt_signer_answer signature;

	*ret_signed = false;
	if (!(question->issuer->key_usage & KT_KU_CRL_SIGN) || crl->signature.data[0] != 0)
		return KT_FINE;
	if (is_signed_by(slot, key->spki)) {
		*ret_signed = true;
		return KT_FINE;
	}
	signature = kt_signer_check(question->signer, &object, key, question->use_cache);
	if (signature.result == KT_SIGNATURE_FAILED)
		return kt_found(KT_RULE_INTERNAL, -1);
	*ret_signed = signature.result == KT_SIGNATURE_RIGHT;
	kt_signer_remember(question->signer, &signature, true);
	if (*ret_signed)
		note_answer(slot, key->spki);
	return KT_FINE;
}

static void move_view(struct kt_der_view *view, const uint8_t *from, const uint8_t *to)
{
	if (view->data)
		view->data = to + (view->data - from);
}

/* The same bytes elsewhere, in the image of another snapshot. */
static void move(struct slot *slot, const uint8_t *to)
{
	struct kt_scan_crl *crl = &slot->crl;

	move_view(&crl->tbs, slot->der, to);
	move_view(&crl->algorithm, slot->der, to);
	move_view(&crl->signature, slot->der, to);
	move_view(&crl->entries, slot->der, to);
	move_view(&crl->issuer, slot->der, to);
	move_view(&crl->point_names, slot->der, to);
	slot->der = to;
}

/* A large CRL is gone through once. False: no memory; a snapshot holds no CRL that does not scan.
 */
static bool read_crl(struct slot *slot, const struct kt_crl *found)
{
	if (slot->serials) {
		move(slot, found->der);
		return true;
	}
	if (kt_scan_crl(found->der, found->der_len, &slot->crl))
		return false;
	slot->serials = kt_crl_serials_new(slot->crl.entries);
	slot->der = found->der;
	return slot->serials != NULL;
}

/* ---- The CRLs of one issuer ------------------------------------------------------------------ */

/* What they come to for one certificate. */
struct findings {
	bool any;      /* one of them is about certificates of its kind */
	bool verified; /* signed by the issuer, for its distribution point, begun */
	bool revoked;
	int64_t last; /* the latest nextUpdate of the verified */
};

static struct kt_finding look(const struct question *question, const struct kt_crl *found,
			      struct findings *findings, struct kt_window *window)
{
	struct slot *slot =
		find(question->revocation->slots, question->revocation->count, found->fingerprint);
	const struct kt_scan_crl *crl;
	struct kt_finding finding;
	bool is_signed;

	if (!slot || !read_crl(slot, found))
		return kt_found(KT_RULE_INTERNAL, -1);
	crl = &slot->crl;
	if (!kt_crl_scope_has_kind(crl, question->cert))
		return KT_FINE;
	findings->any = true;
	if (!kt_crl_scope_has_point(crl, question->cert))
		return KT_FINE;
	if (question->time < crl->this_update) {
		if (window->to >= crl->this_update)
			window->to = crl->this_update - 1;
		return KT_FINE;
	}
	finding = verify(question, slot, &is_signed);
	if (!kt_is_fine(finding) || !is_signed)
		return finding;
	findings->verified = true;
	if (window->from < crl->this_update)
		window->from = crl->this_update;
	if (findings->last < crl->next_update)
		findings->last = crl->next_update;
	findings->revoked |=
		kt_crl_serials_have(slot->serials, crl->entries, question->cert->serial);
	return KT_FINE;
}

static enum kt_rule_id conclude(const struct question *question, const struct findings *findings,
				struct kt_window *window)
{
	if (!findings->any)
		return KT_RULE_NONE;
	if (findings->revoked)
		return KT_RULE_REVOKED;
	if (!findings->verified)
		return KT_RULE_CRL_INVALID;
	if (question->policy == KT_CRL_WARN)
		return KT_RULE_NONE;
	if (question->time > findings->last)
		return KT_RULE_CRL_EXPIRED;
	if (window->to > findings->last)
		window->to = findings->last;
	return KT_RULE_NONE;
}

static struct kt_finding ask(const struct question *question, const struct kt_snapshot *snapshot,
			     int depth, struct kt_window *window)
{
	struct kt_der_view name = question->cert->issuer;
	struct findings findings = {.last = INT64_MIN};
	struct kt_finding finding;
	enum kt_rule_id rule;
	struct kt_crl crl;
	size_t cursor = 0;

	while (!kt_snapshot_find_crl(snapshot, name.data, name.len, &cursor, &crl)) {
		finding = look(question, &crl, &findings, window);
		if (!kt_is_fine(finding))
			return finding;
	}
	rule = conclude(question, &findings, window);
	return rule == KT_RULE_NONE ? KT_FINE : kt_found(rule, depth);
}

struct kt_finding kt_revocation_check(struct kt_revocation *revocation, struct kt_signer *signer,
				      const struct kt_path *path,
				      const struct kt_snapshot *snapshot, int64_t time,
				      bool use_cache, struct kt_window *window)
{
	struct kt_finding finding = KT_FINE;
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	if (!info.crls)
		return finding;
	if (!follow(revocation, snapshot, &info))
		return kt_found(KT_RULE_INTERNAL, -1);
	for (int depth = 0; kt_is_fine(finding) && depth < path->count; depth++) {
		struct question question = {
			.revocation = revocation,
			.signer = signer,
			.use_cache = use_cache,
			.cert = path->certs[depth],
			.issuer = depth + 1 < path->count ? path->certs[depth + 1] : path->anchor,
			.time = time,
			.policy = info.crl_policy};

		finding = ask(&question, snapshot, depth, window);
	}
	return finding;
}
