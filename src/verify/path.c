/* SPDX-License-Identifier: BSD-2-Clause */
#include "path.h"

#include <string.h>

#include "../pool/find.h"
#include "../pool/name.h"

static const struct kt_cert *top_of(const struct kt_path_search *search)
{
	return search->path.certs[search->path.count - 1];
}

static bool is_valid_now(const struct kt_path_search *search, const struct kt_cert *cert)
{
	return cert->not_before <= search->input->time && search->input->time <= cert->not_after;
}

static void cut(struct kt_path_search *search, enum kt_rule_id rule)
{
	if (search->cut == KT_RULE_NONE)
		search->cut = rule;
}

/* ---- Signatures ------------------------------------------------------------------------------ */

static struct kt_link *find_link(struct kt_path_search *search, const struct kt_cert *cert,
				 const struct kt_cert *issuer)
{
	for (int i = 0; i < search->signatures; i++)
		if (search->checked[i].cert == cert->der.data &&
		    kt_der_equal(search->checked[i].spki, issuer->key.spki))
			return &search->checked[i];
	return NULL;
}

/* NULL: the budget is spent. */
static struct kt_link *check_link(struct kt_path_search *search, const struct kt_cert *cert,
				  const struct kt_cert *issuer)
{
	struct kt_link *link = find_link(search, cert, issuer);
	struct kt_signed object = kt_signed_of(cert);

	if (link)
		return link;
	if (search->signatures == KT_SIGNATURES_MAX) {
		cut(search, KT_RULE_TOO_MANY_SIGNATURES);
		return NULL;
	}
	link = &search->checked[search->signatures++];
	*link = (struct kt_link){cert->der.data, issuer->key.spki,
				 kt_signer_check(search->input->signer, &object, &issuer->key,
						 search->input->use_cache)};
	return link;
}

struct kt_finding kt_path_check_signature(struct kt_path_search *search, const struct kt_cert *cert,
					  const struct kt_cert *issuer, int depth)
{
	struct kt_link *link = check_link(search, cert, issuer);
	struct kt_finding finding;

	if (!link)
		return kt_found(KT_RULE_TOO_MANY_SIGNATURES, -1);
	switch (link->signature.result) {
	case KT_SIGNATURE_RIGHT:
		return KT_FINE;
	case KT_SIGNATURE_WRONG:
		return kt_found(KT_RULE_BAD_SIGNATURE, depth);
	case KT_SIGNATURE_NO_KEY:
		finding = kt_found(KT_RULE_NO_ISSUER, depth);
		finding.why = "the key of its issuer cannot be decoded";
		return finding;
	default:
		return kt_found(KT_RULE_INTERNAL, -1);
	}
}

void kt_path_remember(struct kt_path_search *search, const struct kt_path *path)
{
	struct kt_signer *signer = search->input->signer;

	for (int depth = 0; depth < path->count; depth++) {
		const struct kt_cert *issuer =
			depth + 1 < path->count ? path->certs[depth + 1] : path->anchor;
		const struct kt_link *link = find_link(search, path->certs[depth], issuer);

		kt_keys_keep(kt_signer_keys(signer), &issuer->key);
		if (link)
			kt_signer_remember(signer, &link->signature, depth > 0);
	}
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* False: what is left does not suffice. */
static bool spend(struct kt_path_search *search, size_t bytes)
{
	if (bytes <= KT_NAME_BYTES_MAX - search->name_bytes) {
		search->name_bytes += bytes;
		return true;
	}
	cut(search, KT_RULE_TOO_MANY_LINKS);
	return false;
}

static bool know(struct kt_path_search *search, struct kt_der_view name, struct kt_path_hash *hash)
{
	if (hash->known)
		return true;
	if (!spend(search, name.len))
		return false;
	*hash = (struct kt_path_hash){true, kt_name_hash(name)};
	return true;
}

/* Is the name of the top's issuer the subject of other number `index`? */
static bool is_named(struct kt_path_search *search, struct kt_path_hash *issuer, size_t index)
{
	struct kt_der_view name = top_of(search)->issuer;
	struct kt_der_view subject = search->input->others[index].subject;
	struct kt_path_hash *hash = &search->subjects[index];

	return know(search, name, issuer) && know(search, subject, hash) &&
	       issuer->hash == hash->hash && spend(search, name.len + subject.len) &&
	       kt_name_equal(name, subject);
}

/* The next of a snapshot that bears the name of the top's issuer. */
static bool find_issuer(struct kt_path_search *search, const struct kt_snapshot *snapshot,
			struct kt_path_hash *issuer, size_t *cursor, struct kt_anchor *ret_found)
{
	struct kt_der_view name = top_of(search)->issuer;

	return know(search, name, issuer) && spend(search, name.len) &&
	       !kt_snapshot_find_hashed(snapshot, name, issuer->hash, cursor, ret_found);
}

/* ---- Links ----------------------------------------------------------------------------------- */

/* RFC 5280 §4.2.1.1: where both sides name a key, they name the same. */
static bool key_ids_agree(const struct kt_cert *cert, const struct kt_cert *issuer)
{
	return !cert->authority_key_id.len || !issuer->key_id.len ||
	       kt_der_equal(cert->authority_key_id, issuer->key_id);
}

/* Could issuer, whose name is known to be right, have signed the top of the path? */
static bool may_link(struct kt_path_search *search, const struct kt_cert *issuer)
{
	const struct kt_cert *top = top_of(search);
	struct kt_link *link;

	if (!key_ids_agree(top, issuer))
		return false;
	/* Algorithms that are unknown, or keys, make a path that is refused under its own name. */
	if (top->algorithm != KT_SIG_UNKNOWN && issuer->key.type != KT_KEY_UNKNOWN &&
	    !kt_algorithm_fits(top->algorithm, issuer->key.type))
		return false;
	if (!search->attempts)
		return true;
	link = check_link(search, top, issuer);
	return link && link->signature.result == KT_SIGNATURE_RIGHT;
}

static bool take_link(struct kt_path_search *search)
{
	if (search->links < KT_LINKS_MAX) {
		search->links++;
		return true;
	}
	cut(search, KT_RULE_TOO_MANY_LINKS);
	return false;
}

/* ---- Anchors --------------------------------------------------------------------------------- */

static bool try_anchor(struct kt_path_search *search, const struct kt_anchor *anchor, bool valid)
{
	struct kt_cert cert;
	bool done;

	if (kt_cert_read(anchor->der, anchor->der_len, &cert) ||
	    is_valid_now(search, &cert) != valid || !may_link(search, &cert))
		return false;
	if (search->attempts == KT_ATTEMPTS_MAX) {
		cut(search, KT_RULE_TOO_MANY_SIGNATURES);
		return false;
	}
	search->attempts++;
	search->ends++;
	search->path.anchor = &cert;
	search->path.origin = anchor;
	done = search->input->attempt(search, &search->path, search->input->context);
	search->path.anchor = NULL;
	search->path.origin = NULL;
	return done;
}

static bool try_anchors(struct kt_path_search *search, struct kt_path_hash *issuer, bool valid)
{
	struct kt_anchor anchor;
	size_t cursor = 0;

	while (find_issuer(search, search->input->snapshot, issuer, &cursor, &anchor)) {
		if (!take_link(search))
			return false;
		if (try_anchor(search, &anchor, valid))
			return true;
	}
	return false;
}

/* ---- Other certificates ---------------------------------------------------------------------- */

static bool in_path(const struct kt_path_search *search, const struct kt_cert *cert)
{
	for (int i = 0; i < search->path.count; i++)
		if (kt_der_equal(search->path.certs[i]->key.spki, cert->key.spki) &&
		    kt_der_equal(search->path.certs[i]->subject, cert->subject))
			return true;
	return false;
}

static bool extend(struct kt_path_search *search, struct kt_path_hash *issuer);

/* issuer: of the name of the other's. */
static bool try_other(struct kt_path_search *search, const struct kt_cert *other,
		      struct kt_path_hash *issuer, bool valid)
{
	struct kt_path *path = &search->path;
	bool done;

	if (is_valid_now(search, other) != valid || in_path(search, other) ||
	    !may_link(search, other))
		return false;
	if ((unsigned int)path->count == search->input->path_max) {
		cut(search, KT_RULE_PATH_TOO_LONG);
		return false;
	}
	path->certs[path->count++] = other;
	done = extend(search, issuer);
	path->count--;
	return done;
}

static bool try_others(struct kt_path_search *search, struct kt_path_hash *issuer, bool valid)
{
	const struct kt_path_input *input = search->input;

	for (size_t i = 0; i < input->other_count; i++) {
		if (!take_link(search))
			return false;
		if (is_named(search, issuer, i) &&
		    try_other(search, &input->others[i], &search->issuers[i], valid))
			return true;
	}
	return false;
}

static bool try_intermediates(struct kt_path_search *search, struct kt_path_hash *issuer,
			      bool valid)
{
	struct kt_anchor found;
	struct kt_cert cert;
	size_t cursor = 0;

	if (!search->input->intermediates)
		return false;
	while (find_issuer(search, search->input->intermediates, issuer, &cursor, &found)) {
		struct kt_path_hash above = {0};

		if (!take_link(search))
			return false;
		if (!kt_cert_read(found.der, found.der_len, &cert) &&
		    try_other(search, &cert, &above, valid))
			return true;
	}
	return false;
}

/* ---- The search ------------------------------------------------------------------------------ */

static void note_dead_end(struct kt_path_search *search)
{
	const struct kt_path_input *input = search->input;
	const struct kt_cert *top = top_of(search);
	int depth = search->path.count - 1;
	bool self_signed = top->self_issued && key_ids_agree(top, top);

	search->ends++;
	if (depth > search->depth) {
		search->depth = depth;
		search->self_signed = self_signed;
	}
	if (input->dead_end)
		input->dead_end(
			&search->path,
			kt_found(self_signed ? KT_RULE_SELF_SIGNED : KT_RULE_NO_ISSUER, depth),
			input->context);
}

/*
 * Go on from the top of the path, whose issuer's name this is the hash of; true: the search is
 * over. Recursion ends at KT_PATH_MAX.
 */
static bool extend(struct kt_path_search *search, struct kt_path_hash *issuer)
{
	int ends = search->ends;

	if (try_anchors(search, issuer, true) || try_anchors(search, issuer, false) ||
	    try_others(search, issuer, true) || try_intermediates(search, issuer, true) ||
	    try_others(search, issuer, false) || try_intermediates(search, issuer, false))
		return true;
	if (ends == search->ends)
		note_dead_end(search);
	return false;
}

struct kt_finding kt_path_search(struct kt_path_search *search, const struct kt_path_input *input)
{
	search->input = input;
	search->path = (struct kt_path){.certs = {input->leaf}, .count = 1};
	search->attempts = search->ends = search->links = search->signatures = 0;
	search->name_bytes = 0;
	search->leaf_issuer.known = false;
	memset(search->subjects, 0, input->other_count * sizeof search->subjects[0]);
	memset(search->issuers, 0, input->other_count * sizeof search->issuers[0]);
	search->cut = KT_RULE_NONE;
	search->depth = -1;
	search->self_signed = false;
	extend(search, &search->leaf_issuer);
	if (search->attempts)
		return KT_FINE;
	if (search->cut != KT_RULE_NONE)
		return kt_found(search->cut, -1);
	return kt_found(search->self_signed ? KT_RULE_SELF_SIGNED : KT_RULE_NO_ISSUER,
			search->depth);
}
