/* SPDX-License-Identifier: BSD-2-Clause */
#include "decision.h"

#include <string.h>

#include <openssl/x509.h>

#include "../pool/scan.h"
#include "rules.h"
#include "subject.h"

/* Under way. */
struct work {
	const struct kt_judges *judges;
	const struct kt_case *asked;
	struct kt_decision *decision;
	/* What can be read of the chain, each once, the leaf first. */
	struct kt_cert certs[KT_CHAIN_MAX];
	X509 *x509s[KT_CHAIN_MAX]; /* the same, references; NULL: not decoded */
	size_t count;
	struct kt_path_search search;
};

/* ---- Reading the chain ----------------------------------------------------------------------- */

static bool is_known(const struct work *work, const struct kt_der *der)
{
	struct kt_der_view view = {der->data, der->len};

	for (size_t i = 0; i < work->count; i++)
		if (kt_der_equal(work->certs[i].der, view))
			return true;
	return false;
}

static struct kt_finding malformed(const char *why, size_t depth)
{
	struct kt_finding finding = kt_found(KT_RULE_MALFORMED, (int)depth);

	finding.why = why;
	return finding;
}

/*
 * Bytes that are no certificate refuse the chain, wherever they stand. Of the others but the leaf,
 * one that cannot be read, as its extensions are malformed, leads nowhere, and is left out.
 */
static struct kt_finding read_one(struct work *work, size_t index)
{
	const struct kt_der *der = &work->asked->chain->certs[index];
	struct kt_scan scan;
	const char *why;

	if (is_known(work, der))
		return KT_FINE;
	why = kt_cert_read(der->data, der->len, &work->certs[work->count]);
	if (why && (!index || kt_scan_fields(der->data, der->len, &scan)))
		return malformed(why, index);
	if (why)
		return KT_FINE;
	work->x509s[work->count] = NULL;
	if (work->asked->x509s && work->asked->x509s[index] &&
	    X509_up_ref(work->asked->x509s[index]))
		work->x509s[work->count] = work->asked->x509s[index];
	work->count++;
	return KT_FINE;
}

static struct kt_finding read_chain(struct work *work)
{
	struct kt_finding finding = KT_FINE;

	for (size_t i = 0; i < work->asked->chain->count && kt_is_fine(finding); i++)
		finding = read_one(work, i);
	return finding;
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void tell(const struct work *work, const struct kt_path *path, struct kt_finding finding)
{
	const struct kt_rule *rule = kt_rule_of(finding.rule);
	struct kt_attempt attempt = {.count = (size_t)path->count,
				     .anchor = path->origin,
				     .code = finding.code,
				     .depth = rule ? finding.depth : path->count,
				     .rule = rule,
				     .why = finding.why};

	if (!work->asked->tell)
		return;
	if (!attempt.why)
		attempt.why = rule ? rule->text : "accepted";
	for (int i = 0; i < path->count; i++)
		attempt.certs[i] =
			(struct kt_der){path->certs[i]->der.data, path->certs[i]->der.len};
	work->asked->tell(&attempt, work->asked->tell_arg);
}

static void tell_dead_end(const struct kt_path *path, struct kt_finding finding, void *context)
{
	tell(context, path, finding);
}

/* ---- One path -------------------------------------------------------------------------------- */

static const struct kt_cert *issuer_of(const struct kt_path *path, int depth)
{
	return depth + 1 < path->count ? path->certs[depth + 1] : path->anchor;
}

static struct kt_finding check_signatures(struct work *work, const struct kt_path *path)
{
	struct kt_finding finding = KT_FINE;

	for (int depth = path->count - 1; depth >= 0 && kt_is_fine(finding); depth--)
		finding = kt_path_check_signature(&work->search, path->certs[depth],
						  issuer_of(path, depth), depth);
	return finding;
}

static struct kt_finding ask_both(struct work *work, const struct kt_path *path)
{
	struct kt_both_input input = {.certs = work->certs,
				      .x509s = work->x509s,
				      .count = work->count,
				      .snapshot = work->asked->snapshot,
				      .query = work->asked->query};

	return work->judges->both ? kt_both_check(work->judges->both, &input, path) : KT_FINE;
}

static struct kt_finding check_path(struct work *work, const struct kt_path *path,
				    struct kt_window *window)
{
	const struct kt_case *asked = work->asked;
	struct kt_finding finding = kt_rules_check(path, asked->query);

	if (kt_is_fine(finding))
		finding = check_signatures(work, path);
	if (kt_is_fine(finding))
		finding = kt_rules_check_signed(path, asked->query);
	if (kt_is_fine(finding))
		finding = ask_both(work, path);
	if (kt_is_fine(finding))
		finding = kt_revocation_check(work->judges->revocation, work->judges->signer, path,
					      asked->snapshot, asked->query->time, !asked->tell,
					      window);
	return finding;
}

static struct kt_window validity_of(const struct kt_path *path)
{
	struct kt_window window = {path->anchor->not_before, path->anchor->not_after};

	for (int i = 0; i < path->count; i++) {
		if (window.from < path->certs[i]->not_before)
			window.from = path->certs[i]->not_before;
		if (window.to > path->certs[i]->not_after)
			window.to = path->certs[i]->not_after;
	}
	return window;
}

static void accept(struct work *work, const struct kt_path *path, struct kt_window window)
{
	struct kt_decision *decision = work->decision;

	decision->depth = path->count;
	decision->window = window;
	decision->leaf = work->certs[0].der;
	decision->names = work->certs[0].names;
	decision->subject = work->certs[0].subject;
	memcpy(decision->anchor, path->origin->fingerprint, KT_DIGEST_LEN);
	kt_subject_print(path->anchor->subject, decision->anchor_name,
			 sizeof decision->anchor_name);
	if (!work->asked->tell)
		kt_path_remember(&work->search, path);
}

/*
 * Of several paths that fail, the first one's reason is told; but a signature that does not
 * verify mostly means that the path was none (another key of the same name), so any other reason
 * goes before it.
 */
static bool try_path(struct kt_path_search *search, const struct kt_path *path, void *context)
{
	struct work *work = context;
	struct kt_decision *decision = work->decision;
	struct kt_window window = validity_of(path);
	struct kt_finding finding = check_path(work, path, &window);
	bool is_first = search->attempts == 1;

	tell(work, path, finding);
	if (kt_is_fine(finding))
		accept(work, path, window);
	if (kt_is_fine(finding) || is_first ||
	    (decision->finding.rule == KT_RULE_BAD_SIGNATURE &&
	     finding.rule != KT_RULE_BAD_SIGNATURE))
		decision->finding = finding;
	return kt_is_fine(finding);
}

static void search(struct work *work)
{
	const struct kt_query *query = work->asked->query;
	struct kt_path_input input = {.snapshot = work->asked->snapshot,
				      .intermediates = query->intermediates,
				      .leaf = &work->certs[0],
				      .others = &work->certs[1],
				      .other_count = work->count - 1,
				      .time = query->time,
				      .path_max = query->policy.path_max && query->policy.path_max <
										    KT_PATH_MAX
							  ? query->policy.path_max
							  : KT_PATH_MAX,
				      .signer = work->judges->signer,
				      .use_cache = !work->asked->tell,
				      .attempt = try_path,
				      .dead_end = work->asked->tell ? tell_dead_end : NULL,
				      .context = work};
	struct kt_finding finding = kt_path_search(&work->search, &input);

	if (!kt_is_fine(finding))
		work->decision->finding = finding;
	/* Wrong keys were found, and not all that bear the name were tried. */
	else if (work->search.cut != KT_RULE_NONE &&
		 work->decision->finding.rule == KT_RULE_BAD_SIGNATURE)
		work->decision->finding = kt_found(work->search.cut, -1);
	kt_keys_settle(kt_signer_keys(work->judges->signer));
}

void kt_decide(const struct kt_judges *judges, const struct kt_case *asked,
	       struct kt_decision *ret_decision)
{
	struct work work;

	/* The rest is filled as far as count says. */
	work.judges = judges;
	work.asked = asked;
	work.decision = ret_decision;
	work.count = 0;
	ret_decision->finding = read_chain(&work);
	if (kt_is_fine(ret_decision->finding)) {
		ret_decision->finding = kt_found(KT_RULE_INTERNAL, -1);
		search(&work);
	}
	kt_both_release(work.x509s, work.count);
}
