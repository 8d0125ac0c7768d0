/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules.h"

#include "limits.h"
#include "name_constraints.h"
#include "web.h"

/* Names compared with constraints in one path; OpenSSL allows 1 << 20. */
#define NAMES_MAX (1u << 16)

static bool is_web(const struct kt_query *query)
{
	if (query->policy.profile == KT_PROFILE_BY_ROLE)
		return query->role == KT_ROLE_SERVER;
	return query->policy.profile == KT_PROFILE_WEB;
}

static const struct kt_cert *cert_at(const struct kt_path *path, int depth)
{
	return depth < path->count ? path->certs[depth] : path->anchor;
}

/* ---- One certificate ------------------------------------------------------------------------- */

static bool usage_allows(const struct kt_cert *cert, enum kt_role role)
{
	uint32_t wanted = role == KT_ROLE_CLIENT ? KT_EKU_CLIENT : KT_EKU_SERVER;

	return !kt_cert_has(cert, KT_EXT_EXTENDED_KEY_USAGE) || (cert->extended_key_usage & wanted);
}

static bool policies_are_whole(const struct kt_cert *cert)
{
	return !kt_cert_has(cert, KT_EXT_POLICY_CONSTRAINTS) || kt_cert_has(cert, KT_EXT_POLICIES);
}

static enum kt_rule_id check_common(const struct kt_cert *cert, enum kt_role role)
{
	if (!usage_allows(cert, role))
		return KT_RULE_EXTENDED_KEY_USAGE;
	if (!policies_are_whole(cert))
		return KT_RULE_POLICIES_PART;
	if (cert->critical & KT_EXT_UNKNOWN)
		return KT_RULE_UNKNOWN_CRITICAL;
	return cert->key.type == KT_KEY_UNKNOWN ? KT_RULE_WEAK_KEY : KT_RULE_NONE;
}

static enum kt_rule_id check_leaf(const struct kt_cert *leaf, enum kt_role role)
{
	if (leaf->ca)
		return KT_RULE_LEAF_IS_CA;
	if (kt_cert_has(leaf, KT_EXT_KEY_USAGE) && (leaf->key_usage & KT_KU_KEY_CERT_SIGN))
		return KT_RULE_LEAF_MAY_SIGN;
	if (kt_cert_has(leaf, KT_EXT_NAME_CONSTRAINTS))
		return KT_RULE_LEAF_NAME_CONSTRAINTS;
	if (!(leaf->key_usage & KT_KU_DIGITAL_SIGNATURE))
		return KT_RULE_LEAF_KEY_USAGE;
	return check_common(leaf, role);
}

static enum kt_rule_id check_issuer(const struct kt_cert *issuer, enum kt_role role)
{
	if (!issuer->ca)
		return KT_RULE_NOT_A_CA;
	if (!(issuer->key_usage & KT_KU_KEY_CERT_SIGN))
		return KT_RULE_MAY_NOT_SIGN;
	return check_common(issuer, role);
}

/* Both ends count (RFC 5280 §4.1.2.5). */
static struct kt_finding check_time(const struct kt_cert *cert, int64_t time, int depth)
{
	if (time > cert->not_after)
		return kt_found(KT_RULE_EXPIRED, depth);
	if (time < cert->not_before)
		return kt_found(KT_RULE_NOT_YET_VALID, depth);
	return KT_FINE;
}

/* ---- The path -------------------------------------------------------------------------------- */

static struct kt_finding check_each(const struct kt_path *path, enum kt_role role)
{
	enum kt_rule_id rule = check_leaf(path->certs[0], role);
	int depth = 0;

	while (rule == KT_RULE_NONE && depth < path->count)
		rule = check_issuer(cert_at(path, ++depth), role);
	if (rule != KT_RULE_NONE)
		return kt_found(rule, depth);
	/* What the anchor signed itself with is nobody's concern. */
	for (depth = 0; depth < path->count; depth++)
		if (path->certs[depth]->algorithm == KT_SIG_UNKNOWN)
			return kt_found(KT_RULE_WEAK_SIGNATURE, depth);
	return KT_FINE;
}

/* Self-issued intermediates do not count (RFC 5280 §4.2.1.9). */
static uint32_t count_below(const struct kt_path *path, int depth)
{
	uint32_t count = 0;

	while (--depth > 0)
		count += !path->certs[depth]->self_issued;
	return count;
}

static struct kt_finding check_path_lengths(const struct kt_path *path)
{
	for (int depth = 1; depth <= path->count; depth++) {
		uint32_t most = cert_at(path, depth)->path_len;

		if (most != KT_SKIP_NEVER && count_below(path, depth) > most)
			return kt_found(KT_RULE_PATH_LENGTH, depth);
	}
	return KT_FINE;
}

static struct kt_finding check_name_constraints(const struct kt_path *path)
{
	unsigned int budget = NAMES_MAX;
	struct kt_finding finding;
	const char *why;
	int depth;

	switch (kt_name_constraints_check(path->certs, (size_t)path->count, path->anchor, &budget,
					  &depth, &why)) {
	case KT_ACCEPTED:
		return KT_FINE;
	case KT_TOO_COMPLEX:
		return kt_found(KT_RULE_TOO_MANY_NAMES, depth);
	default:
		finding = kt_found(KT_RULE_NAME_CONSTRAINT, depth);
		finding.why = why;
		return finding;
	}
}

static struct kt_finding check_times(const struct kt_path *path, int64_t time)
{
	struct kt_finding finding = KT_FINE;

	for (int depth = path->count; depth >= 0 && kt_is_fine(finding); depth--)
		finding = check_time(cert_at(path, depth), time, depth);
	return finding;
}

struct kt_finding kt_rules_check(const struct kt_path *path, const struct kt_query *query)
{
	struct kt_finding finding = check_each(path, query->role);

	if (kt_is_fine(finding))
		finding = kt_limits_check(path, query->role);
	if (kt_is_fine(finding))
		finding = check_path_lengths(path);
	if (kt_is_fine(finding))
		finding = check_times(path, query->time);
	return finding;
}

struct kt_finding kt_rules_check_signed(const struct kt_path *path, const struct kt_query *query)
{
	struct kt_finding finding = check_name_constraints(path);

	if (kt_is_fine(finding))
		finding = kt_rules_check_policies(path);
	if (kt_is_fine(finding) && is_web(query))
		finding = kt_web_check(path);
	return finding;
}
