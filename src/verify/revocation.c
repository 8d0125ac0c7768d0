/* SPDX-License-Identifier: BSD-2-Clause */
#include "revocation.h"

#include <stdlib.h>

#include "crl_memory.h"
#include "crl_scope.h"

struct kt_revocation {
	struct kt_crl_memory memory;
};

/* One question under way. */
struct question {
	const struct kt_crl_holder *crls; /* of the snapshot */
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

void kt_revocation_free(struct kt_revocation *revocation)
{
	if (!revocation)
		return;
	kt_crl_memory_fini(&revocation->memory);
	free(revocation);
}

/* ---- One CRL --------------------------------------------------------------------------------- */

/* Did the issuer's key sign it? */
static struct kt_finding verify(const struct question *question, struct kt_known_crl *known,
				bool *ret_signed)
{
	const struct kt_scan_crl *crl = &known->crl;
	const struct kt_key *key = &question->issuer->key;
	struct kt_signed object = {kt_algorithm_of_signature(crl->algorithm),
				   crl->tbs,
				   {crl->signature.data + 1, crl->signature.len - 1}};
	struct kt_signer_answer signature;

	*ret_signed = false;
	if (!(question->issuer->key_usage & KT_KU_CRL_SIGN) || crl->signature.data[0] != 0)
		return KT_FINE;
	if (kt_known_crl_is_signed_by(known, key->spki)) {
		*ret_signed = true;
		return KT_FINE;
	}
	signature = kt_signer_check(question->signer, &object, key, question->use_cache);
	if (signature.result == KT_SIGNATURE_FAILED)
		return kt_found(KT_RULE_INTERNAL, -1);
	*ret_signed = signature.result == KT_SIGNATURE_RIGHT;
	kt_signer_remember(question->signer, &signature, true);
	if (*ret_signed)
		kt_known_crl_note(known, key->spki);
	return KT_FINE;
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
	struct kt_known_crl *known = kt_crl_memory_get(question->crls, found);
	const struct kt_scan_crl *crl;
	struct kt_finding finding;
	bool is_signed, is_listed;

	if (!known)
		return kt_found(KT_RULE_INTERNAL, -1);
	crl = &known->crl;
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
	finding = verify(question, known, &is_signed);
	if (!kt_is_fine(finding) || !is_signed)
		return finding;
	if (!kt_known_crl_lists(known, question->cert->serial, &is_listed))
		return kt_found(KT_RULE_INTERNAL, -1);
	findings->verified = true;
	findings->revoked |= is_listed;
	if (window->from < crl->this_update)
		window->from = crl->this_update;
	if (findings->last < crl->next_update)
		findings->last = crl->next_update;
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
	const struct kt_crl_holder *crls;
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	if (!info.crls)
		return finding;
	crls = kt_crl_memory_follow(&revocation->memory, snapshot);
	if (!crls)
		return kt_found(KT_RULE_INTERNAL, -1);
	for (int depth = 0; kt_is_fine(finding) && depth < path->count; depth++) {
		struct question question = {
			.crls = crls,
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
