/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The anchor set: entries, their DER in one growing run, and a hash table over fingerprints.
 *
 * The table is open addressing with linear probing, filled at most half, keyed by the first bytes
 * of the fingerprint, which is evenly spread by itself. It always is what inserting the entries in
 * order gives, so that taking back the latest entry is emptying its place.
 *
 * A merge rewrites an entry; what it was is kept in `merges`, so that going back can restore it.
 */
#include "set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "constraints.h"
#include "digest.h"
#include "run.h"
#include "scan.h"

#define TABLE_LEN_MIN 64

struct merge {
	uint32_t number; /* of the entry */
	struct kt_image_entry was;
};

struct kt_anchor_set {
	struct kt_run entries; /* struct kt_image_entry */
	struct kt_run der;     /* bytes */
	struct kt_run names;   /* bytes */
	struct kt_run crls;    /* struct kt_image_crl */
	struct kt_run crl_der; /* bytes */
	struct kt_run merges;  /* struct merge */
	uint32_t *table;       /* number of the entry plus one; 0: empty */
	size_t table_len;      /* a power of two */
	enum kt_crl_policy crl_policy;
	struct kt_digest digest;
};

static struct kt_image_entry *entry_at(const struct kt_anchor_set *set, size_t index)
{
	return (struct kt_image_entry *)set->entries.items + index;
}

/* ---- Making and looking -------------------------------------------------------------------- */

struct kt_anchor_set *kt_anchor_set_new(void)
{
	struct kt_anchor_set *set = calloc(1, sizeof *set);

	if (!set)
		return NULL;
	if (kt_digest_init(&set->digest)) {
		free(set);
		return NULL;
	}
	return set;
}

void kt_anchor_set_free(struct kt_anchor_set *set)
{
	if (!set)
		return;
	kt_digest_fini(&set->digest);
	free(set->table);
	kt_run_fini(&set->merges);
	kt_run_fini(&set->crl_der);
	kt_run_fini(&set->crls);
	kt_run_fini(&set->names);
	kt_run_fini(&set->der);
	kt_run_fini(&set->entries);
	free(set);
}

size_t kt_anchor_set_count(const struct kt_anchor_set *set)
{
	return set->entries.count;
}

size_t kt_anchor_set_crls(const struct kt_anchor_set *set)
{
	return set->crls.count;
}

void kt_anchor_set_crl_policy(struct kt_anchor_set *set, enum kt_crl_policy policy)
{
	set->crl_policy = policy;
}

enum kt_crl_policy kt_set_crl_policy(const struct kt_anchor_set *set)
{
	return set->crl_policy;
}

const struct kt_image_entry *kt_set_entry(const struct kt_anchor_set *set, size_t index)
{
	return entry_at(set, index);
}

const struct kt_image_crl *kt_set_crl(const struct kt_anchor_set *set, size_t index)
{
	return (const struct kt_image_crl *)set->crls.items + index;
}

struct kt_set_bytes kt_set_bytes(const struct kt_anchor_set *set)
{
	return (struct kt_set_bytes){
		.der = set->der.items,
		.der_len = set->der.count,
		.names = set->names.items,
		.crl_der = set->crl_der.items,
		.crl_der_len = set->crl_der.count,
	};
}

const char *kt_set_names(const struct kt_anchor_set *set, const struct kt_image_entry *entry)
{
	return entry->names_len ? (const char *)set->names.items + entry->names_offset : "";
}

/* ---- The table ----------------------------------------------------------------------------- */

/* The place of this fingerprint, or the empty one it would take. */
static size_t find_place(const uint32_t *table, size_t table_len, const struct kt_run *entries,
			 const uint8_t *fingerprint)
{
	const struct kt_image_entry *all = entries->items;
	uint64_t key;
	size_t place;

	memcpy(&key, fingerprint, sizeof key);
	for (place = key & (table_len - 1); table[place]; place = (place + 1) & (table_len - 1))
		if (memcmp(all[table[place] - 1].fingerprint, fingerprint, KT_DIGEST_LEN) == 0)
			break;
	return place;
}

static int grow_table(struct kt_anchor_set *set)
{
	size_t len = set->table_len ? set->table_len * 2 : TABLE_LEN_MIN;
	uint32_t *table = calloc(len, sizeof *table);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < set->entries.count; i++)
		table[find_place(table, len, &set->entries, entry_at(set, i)->fingerprint)] =
			(uint32_t)i + 1;
	free(set->table);
	set->table = table;
	set->table_len = len;
	return 0;
}

void kt_set_expect(struct kt_anchor_set *set, size_t der_len)
{
	/* Without that memory there may still be enough for what does come. */
	if (der_len >= KT_RUN_LARGE && kt_run_reserve(&set->der, 1, der_len))
		return;
}

/* Room for one more certificate, so that entering it cannot fail. */
static int make_room(struct kt_anchor_set *set, const struct kt_image_entry *entry)
{
	int ret = kt_run_reserve(&set->entries, sizeof(struct kt_image_entry), 1);

	if (ret == 0 && (set->entries.count + 1) * 2 > set->table_len)
		ret = grow_table(set);
	if (ret == 0)
		ret = kt_run_reserve(&set->der, 1, entry->der_len);
	if (ret == 0)
		ret = kt_run_reserve(&set->names, 1, entry->names_len + 1);
	return ret;
}

/* ---- Entering certificates ----------------------------------------------------------------- */

static int digest_identity(struct kt_anchor_set *set, const uint8_t *der, const char *names,
			   struct kt_image_entry *entry)
{
	struct kt_image_identity identity;

	kt_image_identify(der, entry, names, &identity);
	return kt_digest_of(&set->digest, identity.parts, 4, entry->identity);
}

static void place_names(struct kt_anchor_set *set, const char *names, struct kt_image_entry *entry)
{
	if (entry->names_len)
		entry->names_offset = kt_run_push(&set->names, 1, names, entry->names_len + 1);
}

/* A certificate that is new here; room was made. */
static int enter(struct kt_anchor_set *set, const uint8_t *der, const char *names,
		 struct kt_image_entry *entry, size_t place)
{
	int ret;

	if (set->entries.count == KT_ANCHORS_MAX)
		return -E2BIG;
	ret = digest_identity(set, der, names, entry);
	if (ret)
		return ret;
	place_names(set, names, entry);
	entry->der_offset = kt_run_push(&set->der, 1, der, entry->der_len);
	kt_run_push(&set->entries, sizeof *entry, entry, 1);
	set->table[place] = (uint32_t)set->entries.count;
	return 0;
}

/* One that is here already, with constraints of its own. */
static int merge(struct kt_anchor_set *set, const char *names, const struct kt_image_entry *more,
		 uint32_t number)
{
	struct kt_image_entry *entry = entry_at(set, number), merged = *entry;
	struct merge was = {number, *entry};
	char both[KT_PERMITTED_DNS_MAX + 1];
	int ret = kt_constraints_meet(kt_set_names(set, entry), names, both);

	if (ret)
		return ret == -E2BIG ? -EBADMSG : ret;
	merged.purposes |= more->purposes;
	if (more->distrust_after < merged.distrust_after)
		merged.distrust_after = more->distrust_after;
	merged.names_len = (uint32_t)strlen(both);
	if (merged.purposes == entry->purposes && merged.distrust_after == entry->distrust_after &&
	    strcmp(both, kt_set_names(set, entry)) == 0)
		return 0;
	ret = kt_run_reserve(&set->merges, sizeof was, 1);
	if (ret == 0)
		ret = kt_run_reserve(&set->names, 1, sizeof both);
	if (ret == 0)
		ret = digest_identity(set, (uint8_t *)set->der.items + entry->der_offset, both,
				      &merged);
	if (ret)
		return ret;
	place_names(set, both, &merged);
	kt_run_push(&set->merges, sizeof was, &was, 1);
	*entry = merged;
	return 0;
}

static int add(struct kt_anchor_set *set, const uint8_t *der, const char *names,
	       struct kt_image_entry *entry)
{
	const struct kt_der_view whole = {der, entry->der_len};
	size_t place;
	int ret = make_room(set, entry);

	if (ret == 0)
		ret = kt_digest_of(&set->digest, &whole, 1, entry->fingerprint);
	if (ret)
		return ret;
	place = find_place(set->table, set->table_len, &set->entries, entry->fingerprint);
	if (set->table[place])
		return merge(set, names, entry, set->table[place] - 1);
	return enter(set, der, names, entry, place);
}

static int explain(int ret, const char *where, unsigned int line, struct kt_error *error)
{
	switch (ret) {
	case 0:
		return 0;
	case -E2BIG:
		return kt_error_set(error, E2BIG, where, line,
				    "more than %u anchors, or %u CRLs (use fewer)", KT_ANCHORS_MAX,
				    KT_CRLS_MAX);
	case -EBADMSG:
		return kt_error_set(error, EBADMSG, where, line,
				    "two sources limit this certificate to names that do not go "
				    "together (take one of them out)");
	case -ENOMEM:
		return kt_error_set(error, ENOMEM, where, line, "out of memory");
	default:
		return kt_error_set(error, -ret, where, line, "SHA-256 failed");
	}
}

int kt_anchor_set_add(struct kt_anchor_set *set, const uint8_t *der, size_t len,
		      const struct kt_constraints *constraints, const char *where,
		      unsigned int line, struct kt_error *error)
{
	const char *names = constraints->permitted_dns ? constraints->permitted_dns : "";
	const char *why = kt_constraints_check(constraints);
	struct kt_image_entry entry = {.distrust_after = constraints->distrust_after,
				       .purposes = constraints->purposes,
				       .names_len = (uint32_t)strnlen(names, KT_PERMITTED_DNS_MAX)};

	if (why)
		return kt_error_set(error, EINVAL, where, line, "%s", why);
	if (len > KT_CERTIFICATE_MAX)
		return kt_error_set(error, EFBIG, where, line,
				    "the certificate has %zu bytes, more than %u", len,
				    KT_CERTIFICATE_MAX);
	why = kt_image_describe(der, len, &entry);
	if (why)
		return kt_error_set(
			error, EBADMSG, where, line,
			"not a well-formed certificate: %s (replace it, or take it out)", why);
	return explain(add(set, der, names, &entry), where, line, error);
}

int kt_anchor_set_add_der(struct kt_anchor_set *set, const uint8_t *der, size_t len,
			  const char *where, unsigned int line, struct kt_error *error)
{
	return kt_anchor_set_add(set, der, len, &KT_CONSTRAINTS_NONE, where, line, error);
}

/* ---- Entering CRLs: few, so that they are looked for one by one ----------------------------- */

static bool has_crl(const struct kt_anchor_set *set, const uint8_t *fingerprint)
{
	for (size_t i = 0; i < set->crls.count; i++)
		if (memcmp(kt_set_crl(set, i)->fingerprint, fingerprint, KT_DIGEST_LEN) == 0)
			return true;
	return false;
}

static int add_crl(struct kt_anchor_set *set, const uint8_t *der, struct kt_image_crl *crl)
{
	const struct kt_der_view whole = {der, crl->der_len};
	int ret = kt_digest_of(&set->digest, &whole, 1, crl->fingerprint);

	if (ret || has_crl(set, crl->fingerprint))
		return ret;
	if (set->crls.count == KT_CRLS_MAX)
		return -E2BIG;
	ret = kt_run_reserve(&set->crls, sizeof *crl, 1);
	if (ret == 0)
		ret = kt_run_reserve(&set->crl_der, 1, crl->der_len);
	if (ret)
		return ret;
	crl->der_offset = kt_run_push(&set->crl_der, 1, der, crl->der_len);
	kt_run_push(&set->crls, sizeof *crl, crl, 1);
	return 0;
}

int kt_anchor_set_add_crl(struct kt_anchor_set *set, const uint8_t *der, size_t len,
			  const char *where, unsigned int line, struct kt_error *error)
{
	struct kt_image_crl crl = {0};
	const char *why;

	if (len > KT_CRL_LEN_MAX)
		return kt_error_set(error, EFBIG, where, line,
				    "the CRL has %zu bytes, more than %u", len, KT_CRL_LEN_MAX);
	why = kt_image_describe_crl(der, len, &crl);
	if (why)
		return kt_error_set(error, kt_scan_crl_is_unsupported(why) ? EOPNOTSUPP : EBADMSG,
				    where, line, "not a CRL that can be used: %s", why);
	return explain(add_crl(set, der, &crl), where, line, error);
}

/* ---- Going back ---------------------------------------------------------------------------- */

struct kt_set_mark kt_set_mark(const struct kt_anchor_set *set)
{
	return (struct kt_set_mark){set->entries.count, set->merges.count, set->crls.count,
				    set->names.count};
}

static void undo_merge(struct kt_anchor_set *set)
{
	const struct merge *merge = (const struct merge *)set->merges.items + --set->merges.count;

	*entry_at(set, merge->number) = merge->was;
}

static void drop_entry(struct kt_anchor_set *set)
{
	const struct kt_image_entry *last = entry_at(set, set->entries.count - 1);

	set->table[find_place(set->table, set->table_len, &set->entries, last->fingerprint)] = 0;
	set->der.count = last->der_offset;
	set->entries.count--;
}

void kt_set_go_back(struct kt_anchor_set *set, const struct kt_set_mark *mark)
{
	while (set->merges.count > mark->merges)
		undo_merge(set);
	while (set->entries.count > mark->anchors)
		drop_entry(set);
	while (set->crls.count > mark->crls)
		set->crl_der.count = kt_set_crl(set, --set->crls.count)->der_offset;
	set->names.count = mark->names;
}
