/* SPDX-License-Identifier: BSD-2-Clause */
#include "x509.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "allowed.h"
#include "cache.h"
#include "decision.h"
#include "match.h"

struct kt_verifier {
	enum kt_verifier_mode mode;
	struct kt_verify_cache *cache; /* NULL: none */
	struct kt_judges judges;
};

struct kt_verifier *kt_verifier_new(const struct kt_verifier_options *options)
{
	static const struct kt_verifier_options defaults;
	struct kt_verifier *verifier = calloc(1, sizeof *verifier);
	struct kt_judges *judges;

	if (!verifier)
		return NULL;
	if (!options)
		options = &defaults;
	verifier->mode = options->mode;
	verifier->cache = options->cache;
	judges = &verifier->judges;
	judges->signer = kt_signer_new(options->cache);
	judges->revocation = kt_revocation_new();
	/* What is no mode asks for both. */
	if (options->mode != KT_VERIFIER_OWN)
		judges->both = kt_both_new();
	if (judges->signer && judges->revocation &&
	    (judges->both || options->mode == KT_VERIFIER_OWN))
		return verifier;
	kt_verifier_free(verifier);
	ERR_clear_error();
	return NULL;
}

void kt_verifier_free(struct kt_verifier *verifier)
{
	if (!verifier)
		return;
	kt_both_free(verifier->judges.both);
	kt_revocation_free(verifier->judges.revocation);
	kt_signer_free(verifier->judges.signer);
	free(verifier);
}

/* ---- The frame around a decision ------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Starts as "could not decide", so that nothing left out can accept. duration_ns: the start. */
static struct kt_verdict begin(const struct kt_snapshot *snapshot)
{
	struct kt_verdict verdict = {.code = KT_INTERNAL,
				     .depth = -1,
				     .duration_ns = now_ns(),
				     .rule = kt_rule_of(KT_RULE_INTERNAL)};
	struct kt_snapshot_info info;

	if (!snapshot)
		return verdict;
	kt_snapshot_describe(snapshot, &info);
	verdict.pool_version = info.version;
	memcpy(verdict.pool_digest, info.digest, KT_DIGEST_LEN);
	return verdict;
}

/* Empties the queue; does any error in it say that memory ran out? */
static bool memory_ran_out(void)
{
	bool ran_out = false;
	unsigned long err;

	while ((err = ERR_get_error()))
		ran_out |= ERR_GET_REASON(err) == ERR_R_MALLOC_FAILURE;
	return ran_out;
}

static void refuse(struct kt_verdict *verdict, struct kt_finding finding)
{
	verdict->code = finding.code;
	verdict->depth = finding.depth;
	verdict->rule = kt_rule_of(finding.rule);
}

static enum kt_verdict_code finish(struct kt_verdict *verdict, struct kt_verdict *ret_verdict)
{
	verdict->duration_ns = now_ns() - verdict->duration_ns;
	*ret_verdict = *verdict;
	return verdict->code;
}

/* ---- Asking the cache ------------------------------------------------------------------------ */

static struct kt_verdict_key key_of(const struct kt_verifier *verifier, const struct kt_case *asked)
{
	const struct kt_query *query = asked->query;
	struct kt_verdict_key key = {.chain = asked->chain,
				     .role = query->role,
				     .profile = query->policy.profile,
				     .path_max = query->policy.path_max,
				     .mode = verifier->mode};
	struct kt_snapshot_info info;

	kt_snapshot_describe(asked->snapshot, &info);
	memcpy(key.digest, info.digest, KT_DIGEST_LEN);
	if (query->intermediates) {
		kt_snapshot_describe(query->intermediates, &info);
		memcpy(key.intermediates, info.digest, KT_DIGEST_LEN);
	}
	return key;
}

static uint32_t offset_in(struct kt_der_view outer, struct kt_der_view inner)
{
	return inner.len ? (uint32_t)(inner.data - outer.data) : 0;
}

static struct kt_cached_verdict to_cache(const struct kt_decision *decision)
{
	struct kt_cached_verdict cached = {
		.not_before = decision->window.from,
		.not_after = decision->window.to,
		.depth = decision->depth,
		.names_offset = offset_in(decision->leaf, decision->names),
		.names_len = (uint32_t)decision->names.len,
		.subject_offset = offset_in(decision->leaf, decision->subject),
		.subject_len = (uint32_t)decision->subject.len,
	};

	memcpy(cached.anchor, decision->anchor, sizeof cached.anchor);
	memcpy(cached.anchor_name, decision->anchor_name, sizeof cached.anchor_name);
	return cached;
}

/* ---- Deciding -------------------------------------------------------------------------------- */

/*
 * The path is good; is it whom we asked for, and one of those who may? Nothing of this is
 * remembered: the same chain may be asked with other names and other rules next.
 */
static struct kt_finding check_names(const struct kt_case *asked,
				     const struct kt_cached_verdict *found)
{
	const struct kt_query *query = asked->query;
	const uint8_t *leaf = asked->chain->certs[0].data;
	const struct kt_der_view names = {leaf + found->names_offset, found->names_len};
	const struct kt_der_view subject = {leaf + found->subject_offset, found->subject_len};

	if (kt_match_names(names, query) != KT_ACCEPTED)
		return kt_found(KT_RULE_NAME_MISMATCH, 0);
	if (query->allow && !kt_allow_admits(query->allow, names, subject))
		return kt_found(KT_RULE_NOT_ALLOWED, 0);
	return KT_FINE;
}

static void conclude(const struct kt_case *asked, const struct kt_cached_verdict *found,
		     struct kt_verdict *verdict)
{
	struct kt_finding finding = check_names(asked, found);

	if (!kt_is_fine(finding)) {
		refuse(verdict, finding);
		return;
	}
	verdict->code = KT_ACCEPTED;
	verdict->rule = NULL;
	verdict->depth = found->depth;
	memcpy(verdict->anchor, found->anchor, sizeof verdict->anchor);
	memcpy(verdict->anchor_name, found->anchor_name, sizeof verdict->anchor_name);
}

/* Returns whether it was accepted. */
static bool decide_anew(struct kt_verifier *verifier, const struct kt_case *asked,
			struct kt_verdict *verdict, struct kt_cached_verdict *ret_found)
{
	struct kt_decision decision;

	ERR_clear_error();
	kt_decide(&verifier->judges, asked, &decision);
	/*
	 * Without memory OpenSSL may call a right signature wrong. Of a certificate that refuses,
	 * under some name; but a CRL that does not count lets in, so nothing accepted then is
	 * believed either. Seldom it leaves no trace in the queue (inside a signature check, say):
	 * then that name stays.
	 */
	if (memory_ran_out())
		decision.finding = kt_found(KT_RULE_INTERNAL, -1);
	if (!kt_is_fine(decision.finding)) {
		refuse(verdict, decision.finding);
		return false;
	}
	*ret_found = to_cache(&decision);
	return true;
}

static void decide_cached(struct kt_verifier *verifier, const struct kt_case *asked,
			  struct kt_verdict *verdict)
{
	struct kt_verdict_key key = key_of(verifier, asked);
	uint64_t hash = kt_verdict_cache_hash(verifier->cache, &key);
	int64_t time = asked->query->time;
	struct kt_cached_verdict found;

	if (!kt_verdict_cache_find(verifier->cache, &key, hash, &found) ||
	    time < found.not_before || time > found.not_after) {
		if (!decide_anew(verifier, asked, verdict, &found))
			return;
		kt_verdict_cache_put(verifier->cache, &key, hash, &found);
	}
	conclude(asked, &found, verdict);
}

static void decide(struct kt_verifier *verifier, const struct kt_case *asked,
		   struct kt_verdict *verdict)
{
	struct kt_cached_verdict found;

	if (verifier->cache && !asked->tell)
		decide_cached(verifier, asked, verdict);
	else if (decide_anew(verifier, asked, verdict, &found))
		conclude(asked, &found, verdict);
}

/* What cannot even be looked at. depth: of the first such certificate. */
static bool is_readable(const struct kt_chain *chain, int *ret_depth)
{
	for (size_t i = 0; i < chain->count; i++) {
		const struct kt_der *der = &chain->certs[i];

		*ret_depth = (int)i;
		if (!der->data || !der->len || der->len > KT_CERTIFICATE_MAX)
			return false;
	}
	return true;
}

static enum kt_verdict_code verify(struct kt_verifier *verifier, const struct kt_case *asked,
				   struct kt_verdict *ret_verdict)
{
	struct kt_verdict verdict = begin(asked->snapshot);
	int depth;

	if (!asked->snapshot)
		refuse(&verdict, kt_found(KT_RULE_NO_ANCHORS, -1));
	else if (!asked->chain || !asked->chain->count)
		refuse(&verdict, kt_found(KT_RULE_NO_CERTIFICATE, -1));
	else if (asked->chain->count > KT_CHAIN_MAX)
		refuse(&verdict, kt_found(KT_RULE_TOO_MANY_CERTIFICATES, -1));
	else if (!is_readable(asked->chain, &depth))
		refuse(&verdict, kt_found(KT_RULE_MALFORMED, depth));
	else
		decide(verifier, asked, &verdict);
	return finish(&verdict, ret_verdict);
}

enum kt_verdict_code kt_verify(struct kt_verifier *verifier, const struct kt_snapshot *snapshot,
			       const struct kt_chain *chain, const struct kt_query *query,
			       struct kt_verdict *ret_verdict)
{
	struct kt_case asked = {.snapshot = snapshot, .chain = chain, .query = query};

	return verify(verifier, &asked, ret_verdict);
}

enum kt_verdict_code kt_verify_explain(struct kt_verifier *verifier,
				       const struct kt_snapshot *snapshot,
				       const struct kt_chain *chain, const struct kt_query *query,
				       kt_attempt_fn *tell, void *arg,
				       struct kt_verdict *ret_verdict)
{
	struct kt_case asked = {.snapshot = snapshot,
				.chain = chain,
				.query = query,
				.tell = tell,
				.tell_arg = arg};

	return verify(verifier, &asked, ret_verdict);
}

enum kt_verdict_code kt_verify_decoded(struct kt_verifier *verifier,
				       const struct kt_snapshot *snapshot,
				       const struct kt_chain *chain, X509 *const *x509s,
				       const struct kt_query *query, struct kt_verdict *ret_verdict)
{
	struct kt_case asked = {
		.snapshot = snapshot, .chain = chain, .x509s = x509s, .query = query};

	return verify(verifier, &asked, ret_verdict);
}
