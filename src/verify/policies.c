/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certificate policies (RFC 5280 §6.1). Since mappings are inhibited, the valid policy tree is a
 * set of policies that shrinks from the anchor to the leaf.
 */
#include <string.h>

#include "rules.h"

/* Certificates name one or two. Beyond this a path has none: it can only be refused for that. */
#define POLICIES_MAX 32

static const uint8_t any_policy[] = {0x55, 0x1d, 0x20, 0x00};

struct policies {
	bool any; /* every policy, besides those named */
	struct kt_der_view oids[POLICIES_MAX];
	size_t count;
};

/* What §6.1.2 calls explicit_policy and inhibit_anyPolicy. */
struct counters {
	uint32_t explicit_policy;
	uint32_t inhibit_any;
};

static bool is_any(struct kt_der_view oid)
{
	return oid.len == sizeof any_policy && !memcmp(oid.data, any_policy, sizeof any_policy);
}

static bool is_named(const struct policies *policies, struct kt_der_view oid)
{
	for (size_t i = 0; i < policies->count; i++)
		if (kt_der_equal(policies->oids[i], oid))
			return true;
	return false;
}

static void add(struct policies *policies, struct kt_der_view oid)
{
	if (policies->count < POLICIES_MAX && !is_named(policies, oid))
		policies->oids[policies->count++] = oid;
}

static void remove_named(struct policies *policies, struct kt_der_view oid)
{
	for (size_t i = 0; i < policies->count; i++)
		if (kt_der_equal(policies->oids[i], oid))
			policies->oids[i--] = policies->oids[--policies->count];
}

/* The form was checked when the certificate was read. */
static bool next_policy(struct kt_der_view *list, struct kt_der_view *ret_oid)
{
	struct kt_der_item information, oid;

	if (!kt_der_expect(list, KT_DER_SEQUENCE, &information) ||
	    !kt_der_expect(&information.content, KT_DER_OID, &oid))
		return false;
	*ret_oid = oid.content;
	return true;
}

/* §6.1.3 (d), (e) */
static void narrow(struct policies *valid, const struct kt_cert *cert, bool any_counts)
{
	struct policies before = *valid;
	struct kt_der_view list = cert->policies, oid;

	*valid = (struct policies){0};
	while (next_policy(&list, &oid)) {
		if (!is_any(oid)) {
			if (before.any || is_named(&before, oid))
				add(valid, oid);
			continue;
		}
		if (!any_counts)
			continue;
		valid->any = before.any;
		for (size_t i = 0; i < before.count; i++)
			add(valid, before.oids[i]);
	}
}

/* §6.1.4 (b)(2): what would be mapped to another policy is none. */
static void drop_mapped(struct policies *valid, struct kt_der_view mappings)
{
	struct kt_der_item pair, from;

	while (kt_der_expect(&mappings, KT_DER_SEQUENCE, &pair) &&
	       kt_der_expect(&pair.content, KT_DER_OID, &from))
		remove_named(valid, from.content);
}

static void count_down(uint32_t *counter)
{
	if (*counter && *counter != KT_SKIP_NEVER)
		--*counter;
}

static void lower(uint32_t *counter, uint32_t to)
{
	if (to < *counter)
		*counter = to;
}

/* §6.1.4 (h) - (j), §6.1.5 (a), (b): behind the leaf nothing but 0 counts */
static void count(struct counters *counters, const struct kt_cert *cert, bool is_leaf)
{
	if (is_leaf || !cert->self_issued) {
		count_down(&counters->explicit_policy);
		count_down(&counters->inhibit_any);
	}
	lower(&counters->explicit_policy, cert->require_explicit_policy);
	lower(&counters->inhibit_any, cert->inhibit_any_policy);
}

static bool is_asked_for(const struct kt_path *path)
{
	for (int depth = 0; depth < path->count; depth++)
		if (path->certs[depth]->require_explicit_policy != KT_SKIP_NEVER)
			return true;
	return false;
}

static bool is_empty(const struct policies *policies)
{
	return !policies->any && !policies->count;
}

struct kt_finding kt_rules_check_policies(const struct kt_path *path)
{
	struct counters counters = {KT_SKIP_NEVER, KT_SKIP_NEVER};
	struct policies valid = {.any = true};

	if (!is_asked_for(path))
		return KT_FINE;
	for (int depth = path->count - 1; depth >= 0; depth--) {
		const struct kt_cert *cert = path->certs[depth];
		bool any_counts = counters.inhibit_any || (depth && cert->self_issued);

		narrow(&valid, cert, any_counts);
		/* §6.1.3 (f) */
		if (!counters.explicit_policy && is_empty(&valid))
			return kt_found(KT_RULE_POLICY_REQUIRED, depth);
		if (depth)
			drop_mapped(&valid, cert->policy_mappings);
		count(&counters, cert, depth == 0);
	}
	/* §6.1.5 (g) */
	if (!counters.explicit_policy && is_empty(&valid))
		return kt_found(KT_RULE_POLICY_REQUIRED, 0);
	return KT_FINE;
}
