/* SPDX-License-Identifier: BSD-2-Clause */
#include "x509.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "anchor_cache.h"
#include "decode.h"
#include "library.h"
#include "limits.h"
#include "names.h"
#include "path.h"
#include "revocation.h"
#include "rules.h"

struct kt_verifier {
	struct kt_anchor_cache *cache;
	struct kt_crl_cache *crls;
	struct kt_library library;
};

/* One decision under way. */
struct decision {
	struct kt_verifier *verifier;
	const struct kt_snapshot *snapshot;
	const struct kt_query *query;
	struct kt_verdict *verdict;
};

struct kt_verifier *kt_verifier_new(void)
{
	struct kt_verifier *verifier = calloc(1, sizeof *verifier);

	if (!verifier)
		return NULL;
	verifier->cache = kt_anchor_cache_new();
	verifier->crls = kt_crl_cache_new();
	if (!verifier->cache || !verifier->crls || kt_library_init(&verifier->library))
		goto free_verifier;
	return verifier;
free_verifier:
	kt_crl_cache_free(verifier->crls);
	kt_anchor_cache_free(verifier->cache);
	free(verifier);
	ERR_clear_error();
	return NULL;
}

void kt_verifier_free(struct kt_verifier *verifier)
{
	if (!verifier)
		return;
	kt_library_fini(&verifier->library);
	kt_crl_cache_free(verifier->crls);
	kt_anchor_cache_free(verifier->cache);
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
	struct kt_verdict verdict = {.code = KT_INTERNAL, .depth = -1, .duration_ns = now_ns()};
	struct kt_snapshot_info info;

	ERR_clear_error();
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

static enum kt_verdict_code finish(struct kt_verdict *verdict, struct kt_verdict *ret_verdict)
{
	/*
	 * Without memory OpenSSL may refuse under any name. Seldom it leaves no trace in the queue
	 * (inside a signature check, say): then that name stays.
	 */
	if (memory_ran_out() && verdict->code != KT_ACCEPTED) {
		verdict->code = KT_INTERNAL;
		verdict->depth = -1;
	}
	verdict->duration_ns = now_ns() - verdict->duration_ns;
	*ret_verdict = *verdict;
	return verdict->code;
}

static void refuse(struct kt_verdict *verdict, enum kt_verdict_code code, int depth)
{
	verdict->code = code;
	verdict->depth = depth;
}

static void accept_path(struct kt_verdict *verdict, const struct kt_path *path)
{
	verdict->code = KT_ACCEPTED;
	verdict->depth = path->count;
	memcpy(verdict->anchor, path->fingerprint, KT_DIGEST_LEN);
	kt_names_print_subject(path->anchor, verdict->anchor_name, sizeof verdict->anchor_name);
}

/* ---- Deciding -------------------------------------------------------------------------------- */

/* What costs least comes first; revocation last, since only then the issuers' keys are known good.
 */
static enum kt_verdict_code check_path(struct decision *decision, const struct kt_path *path,
				       int *ret_depth)
{
	const struct kt_query *query = decision->query;
	enum kt_verdict_code code = kt_rules_check_path(path, query->role, ret_depth);

	if (code == KT_ACCEPTED)
		code = kt_limits_check(path, query->role, ret_depth);
	if (code == KT_ACCEPTED)
		code = kt_library_check(&decision->verifier->library, path, decision->snapshot,
					query, ret_depth);
	if (code == KT_ACCEPTED)
		code = kt_revocation_check(decision->verifier->crls, path, decision->snapshot,
					   query->time, ret_depth);
	return code;
}

/*
 * Of several paths that fail, the first one's reason is told; but a signature that does not
 * verify mostly means that the path was none (another key of the same name), so any other reason
 * goes before it.
 */
static bool try_path(const struct kt_path *path, void *context)
{
	struct decision *decision = context;
	struct kt_verdict *verdict = decision->verdict;
	enum kt_verdict_code code;
	int depth;

	code = check_path(decision, path, &depth);
	if (code == KT_ACCEPTED) {
		accept_path(verdict, path);
		return true;
	}
	if (verdict->code == KT_INTERNAL ||
	    (verdict->code == KT_BAD_SIGNATURE && code != KT_BAD_SIGNATURE))
		refuse(verdict, code, depth);
	return false;
}

static void explain_no_path(struct kt_verdict *verdict, const struct kt_path_end *end)
{
	if (end->cut)
		refuse(verdict, KT_CHAIN_TOO_LONG, -1);
	else
		refuse(verdict, end->self_signed ? KT_SELF_SIGNED : KT_UNKNOWN_ISSUER, end->depth);
}

/* The peer's other certificates, each once; those whose extensions do not parse lead nowhere. */
static size_t gather_others(X509 *leaf, STACK_OF(X509) * untrusted, X509 **others)
{
	size_t count = 0;

	for (int i = 0; i < sk_X509_num(untrusted); i++) {
		X509 *x509 = sk_X509_value(untrusted, i);
		bool known = !x509 || X509_check_purpose(x509, -1, 0) != 1 || !X509_cmp(x509, leaf);

		for (size_t j = 0; !known && j < count; j++)
			known = !X509_cmp(x509, others[j]);
		if (!known)
			others[count++] = x509;
	}
	return count;
}

static void find_path(struct decision *decision, X509 *leaf, STACK_OF(X509) * untrusted)
{
	X509 *others[KT_CHAIN_MAX];
	struct kt_path_input input = {.snapshot = decision->snapshot,
				      .cache = decision->verifier->cache,
				      .leaf = leaf,
				      .others = others,
				      .other_count = gather_others(leaf, untrusted, others),
				      .time = decision->query->time};
	struct kt_path_end end;

	kt_path_search(&input, try_path, decision, &end);
	if (!end.attempts)
		explain_no_path(decision->verdict, &end);
}

static void decide(struct decision *decision, X509 *leaf, STACK_OF(X509) * untrusted)
{
	struct kt_verdict *verdict = decision->verdict;
	enum kt_verdict_code code;

	if (X509_check_purpose(leaf, -1, 0) != 1) {
		refuse(verdict, KT_MALFORMED, 0);
		return;
	}
	find_path(decision, leaf, untrusted);
	if (verdict->code != KT_ACCEPTED)
		return;
	code = kt_names_match(leaf, decision->query);
	if (code == KT_ACCEPTED)
		return;
	refuse(verdict, code, 0);
	memset(verdict->anchor, 0, sizeof verdict->anchor);
	memset(verdict->anchor_name, 0, sizeof verdict->anchor_name);
}

enum kt_verdict_code kt_verify_x509(struct kt_verifier *verifier,
				    const struct kt_snapshot *snapshot, X509 *leaf,
				    STACK_OF(X509) * untrusted, const struct kt_query *query,
				    struct kt_verdict *ret_verdict)
{
	struct kt_verdict verdict = begin(snapshot);
	struct decision decision = {verifier, snapshot, query, &verdict};

	if (!snapshot)
		verdict.code = KT_NO_ANCHORS;
	else if (!leaf)
		verdict.code = KT_NO_CERTIFICATE;
	else if (sk_X509_num(untrusted) > KT_CHAIN_MAX)
		verdict.code = KT_CHAIN_TOO_LONG;
	else
		decide(&decision, leaf, untrusted);
	return finish(&verdict, ret_verdict);
}

/* ---- From DER -------------------------------------------------------------------------------- */

static bool decode_chain(const struct kt_chain *chain, STACK_OF(X509) * certs,
			 struct kt_verdict *verdict)
{
	for (size_t i = 0; i < chain->count; i++) {
		X509 *x509 = kt_decode_certificate(chain->certs[i].data, chain->certs[i].len);

		if (!x509) {
			refuse(verdict, KT_MALFORMED, (int)i);
			return false;
		}
		/* Room was reserved: this cannot fail. */
		sk_X509_push(certs, x509);
	}
	return true;
}

static void decide_der(struct decision *decision, const struct kt_chain *chain)
{
	STACK_OF(X509) *certs = sk_X509_new_reserve(NULL, (int)chain->count);

	if (!certs)
		return; /* as it began: KT_INTERNAL */
	if (decode_chain(chain, certs, decision->verdict))
		decide(decision, sk_X509_value(certs, 0), certs);
	sk_X509_pop_free(certs, X509_free);
}

enum kt_verdict_code kt_verify(struct kt_verifier *verifier, const struct kt_snapshot *snapshot,
			       const struct kt_chain *chain, const struct kt_query *query,
			       struct kt_verdict *ret_verdict)
{
	struct kt_verdict verdict = begin(snapshot);
	struct decision decision = {verifier, snapshot, query, &verdict};

	if (!snapshot)
		verdict.code = KT_NO_ANCHORS;
	else if (!chain || !chain->count)
		verdict.code = KT_NO_CERTIFICATE;
	else if (chain->count > KT_CHAIN_MAX)
		verdict.code = KT_CHAIN_TOO_LONG;
	else
		decide_der(&decision, chain);
	return finish(&verdict, ret_verdict);
}
