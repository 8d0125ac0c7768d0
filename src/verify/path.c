/* SPDX-License-Identifier: BSD-2-Clause */
#include "path.h"

#include <string.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "rules.h"

/* Limits of one search; each is far above what an honest chain needs. */
#define ATTEMPTS_MAX   8    /* full validations */
#define LINKS_MAX      1000 /* pairs compared; 15 others at 8 levels, twice, are 240 */
#define SIGNATURES_MAX 64   /* checked outside an attempt */

struct search {
	const struct kt_path_input *input;
	kt_path_attempt *attempt;
	void *context;
	struct kt_path path;
	struct kt_path_end *end;
	int links;
	int signatures;
};

static bool take(int *used, int limit, struct kt_path_end *end)
{
	if (*used >= limit) {
		end->cut = true;
		return false;
	}
	++*used;
	return true;
}

static X509 *top_of(const struct search *search)
{
	return search->path.certs[search->path.count - 1];
}

/* Could issuer have signed the top of the path? */
static bool may_link(struct search *search, X509 *issuer)
{
	X509 *top = top_of(search);
	EVP_PKEY *key;
	int err;

	if (!take(&search->links, LINKS_MAX, search->end))
		return false;
	err = X509_check_issued(issuer, top);
	/* An issuer that must not sign is a path all the same, refused later under its own name. */
	if (err != X509_V_OK && err != X509_V_ERR_KEYUSAGE_NO_CERTSIGN)
		return false;
	if (!search->end->attempts)
		return true;
	if (!take(&search->signatures, SIGNATURES_MAX, search->end))
		return false;
	key = X509_get0_pubkey(issuer);
	return key && X509_verify(top, key) == 1;
}

static bool is_valid_now(const struct search *search, const X509 *x509)
{
	return kt_rules_check_time(x509, search->input->time) == KT_ACCEPTED;
}

static bool try_anchor(struct search *search, const struct kt_anchor *anchor, bool valid)
{
	X509 *x509 = kt_anchor_cache_get(search->input->cache, anchor);
	bool done = false;

	if (!x509)
		return false;
	if (is_valid_now(search, x509) == valid && may_link(search, x509) &&
	    take(&search->end->attempts, ATTEMPTS_MAX, search->end)) {
		search->path.anchor = x509;
		search->path.limits = &anchor->constraints;
		memcpy(search->path.fingerprint, anchor->fingerprint, KT_DIGEST_LEN);
		done = search->attempt(&search->path, search->context);
		search->path.anchor = NULL;
		search->path.limits = NULL;
	}
	X509_free(x509);
	return done;
}

static bool try_anchors(struct search *search, bool valid)
{
	const uint8_t *name;
	size_t len, cursor = 0;
	struct kt_anchor anchor;

	if (!X509_NAME_get0_der(X509_get_issuer_name(top_of(search)), &name, &len))
		return false;
	while (!kt_snapshot_find_subject(search->input->snapshot, name, len, &cursor, &anchor))
		if (!search->end->cut && try_anchor(search, &anchor, valid))
			return true;
	return false;
}

static bool in_path(const struct search *search, const X509 *x509)
{
	for (int i = 0; i < search->path.count; i++)
		if (!X509_cmp(search->path.certs[i], x509))
			return true;
	return false;
}

static bool extend(struct search *search);

static bool try_other(struct search *search, X509 *other, bool valid)
{
	struct kt_path *path = &search->path;
	bool done;

	if (is_valid_now(search, other) != valid || in_path(search, other) ||
	    !may_link(search, other))
		return false;
	/* Had it been an anchor, or a copy of one, the level below would have found that. */
	if (X509_self_signed(other, 0) == 1) {
		if (path->count > search->end->depth) {
			search->end->depth = path->count;
			search->end->self_signed = true;
		}
		return false;
	}
	if (path->count == KT_PATH_MAX) {
		search->end->cut = true;
		return false;
	}
	path->certs[path->count++] = other;
	done = extend(search);
	path->count--;
	return done;
}

static bool try_others(struct search *search, bool valid)
{
	for (size_t i = 0; i < search->input->other_count; i++)
		if (try_other(search, search->input->others[i], valid))
			return true;
	return false;
}

/* Go on from the top of the path; true: the search is over. Recursion ends at KT_PATH_MAX. */
static bool extend(struct search *search)
{
	if (search->path.count - 1 > search->end->depth) {
		search->end->depth = search->path.count - 1;
		search->end->self_signed = false;
	}
	return try_anchors(search, true) || try_anchors(search, false) ||
	       try_others(search, true) || try_others(search, false);
}

void kt_path_search(const struct kt_path_input *input, kt_path_attempt *attempt, void *context,
		    struct kt_path_end *ret_end)
{
	struct search search = {
		.input = input, .attempt = attempt, .context = context, .end = ret_end};

	*ret_end = (struct kt_path_end){.self_signed = X509_self_signed(input->leaf, 0) == 1};
	search.path.certs[0] = input->leaf;
	search.path.count = 1;
	extend(&search);
}
