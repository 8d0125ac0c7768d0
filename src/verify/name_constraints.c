/* SPDX-License-Identifier: BSD-2-Clause */
#include "name_constraints.h"

#include "../pool/name.h"
#include "subtree.h"

#define NAME_BYTES_A_STEP 64

static const uint8_t oid_email_address[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
					    0x0d, 0x01, 0x09, 0x01}; /* RFC 5280 §4.1.2.6 */

/* One certificate's subtrees on their way down. */
struct check {
	const struct kt_cert *issuer;
	unsigned int *budget;
	const char *why;
};

/* What the subtrees of one kind are to a name. */
struct finding {
	bool any_of_type;
	bool holds;
};

/* ---- A name ---------------------------------------------------------------------------------- */

/* A base is read for every name; both are gone through where they are compared. */
static bool spend(struct check *check, const struct kt_general_name *base,
		  const struct kt_subtree_name *name)
{
	unsigned int steps = 1;

	if (base->type == KT_GENERAL_DIRECTORY) {
		steps += (unsigned int)(base->content.len / NAME_BYTES_A_STEP);
		if (name->type == base->type)
			steps += (unsigned int)(name->value.len / NAME_BYTES_A_STEP);
	}
	if (*check->budget < steps) {
		*check->budget = 0;
		check->why = "too many names to compare with name constraints";
		return false;
	}
	*check->budget -= steps;
	return true;
}

typedef bool holds_fn(const struct kt_general_name *base, const struct kt_subtree_name *name);

/* False: the budget is used up. */
static bool look(struct check *check, struct kt_der_view subtrees, holds_fn *holds,
		 const struct kt_subtree_name *name, struct finding *finding)
{
	struct kt_general_name base;

	*finding = (struct finding){0};
	while (kt_subtree_read(&subtrees, &base)) {
		if (!spend(check, &base, name))
			return false;
		if (base.type != name->type)
			continue;
		finding->any_of_type = true;
		if (name->comparable && holds(&base, name))
			finding->holds = true;
	}
	return true;
}

static enum kt_verdict_code refuse(struct check *check, const char *why)
{
	check->why = why;
	return KT_NAME_CONSTRAINT;
}

static enum kt_verdict_code check_name(struct check *check, const struct kt_subtree_name *name)
{
	struct finding excluded, permitted;

	if (!look(check, check->issuer->excluded, kt_subtree_holds_any, name, &excluded) ||
	    !look(check, check->issuer->permitted, kt_subtree_holds_all, name, &permitted))
		return KT_TOO_COMPLEX;
	if (!name->comparable && (excluded.any_of_type || permitted.any_of_type))
		return refuse(check, "a name that cannot be compared with name constraints");
	if (excluded.holds)
		return refuse(check,
			      "a name is in an excluded subtree, or may stand for one that is");
	if (permitted.any_of_type && !permitted.holds)
		return refuse(check, "a name is in no permitted subtree");
	return KT_ACCEPTED;
}

/* ---- A certificate --------------------------------------------------------------------------- */

static bool is_email_address(const struct kt_name_attribute *attribute)
{
	return kt_der_equal(attribute->type,
			    (struct kt_der_view){oid_email_address, sizeof oid_email_address});
}

/* In another type of text than that of an rfc822Name it is nothing to compare. */
static struct kt_subtree_name email_in(const struct kt_name_attribute *attribute)
{
	const struct kt_general_name name = {KT_GENERAL_EMAIL, attribute->value.content};

	if (attribute->value.tag != KT_DER_IA5_STRING)
		return (struct kt_subtree_name){.type = KT_GENERAL_EMAIL};
	return kt_subtree_name_of(&name);
}

static enum kt_verdict_code check_subject(struct check *check, struct kt_der_view subject)
{
	const struct kt_general_name whole = {KT_GENERAL_DIRECTORY, subject};
	struct kt_subtree_name name = kt_subtree_name_of(&whole);
	struct kt_name_walk walk = kt_name_walk(subject);
	struct kt_name_attribute attribute;
	enum kt_verdict_code code = check_name(check, &name);

	while (code == KT_ACCEPTED && kt_name_walk_next(&walk, &attribute)) {
		if (!is_email_address(&attribute))
			continue;
		name = email_in(&attribute);
		code = check_name(check, &name);
	}
	return code;
}

static enum kt_verdict_code check_alt_names(struct check *check, struct kt_der_view names)
{
	enum kt_verdict_code code = KT_ACCEPTED;
	struct kt_general_name general;
	struct kt_subtree_name name;

	while (code == KT_ACCEPTED && names.len > 0) {
		if (!kt_general_name_read(&names, &general))
			return refuse(check, "a malformed name under name constraints");
		name = kt_subtree_name_of(&general);
		code = check_name(check, &name);
	}
	return code;
}

static bool is_empty_name(struct kt_der_view name)
{
	struct kt_der_item item;

	return kt_der_expect(&name, KT_DER_SEQUENCE, &item) && item.content.len == 0 &&
	       name.len == 0;
}

static enum kt_verdict_code check_cert(struct check *check, const struct kt_cert *cert)
{
	enum kt_verdict_code code = KT_ACCEPTED;

	if (!is_empty_name(cert->subject))
		code = check_subject(check, cert->subject);
	if (code == KT_ACCEPTED)
		code = check_alt_names(check, cert->names);
	return code;
}

/* ---- The path -------------------------------------------------------------------------------- */

/* The subtrees of the certificate at `top`, on all that are below it. */
static enum kt_verdict_code check_below(struct check *check, const struct kt_cert *const *path,
					size_t top, int *ret_depth)
{
	enum kt_verdict_code code = KT_ACCEPTED;
	const char *fault = kt_subtrees_fault(check->issuer->permitted);
	size_t depth = top;

	*ret_depth = (int)top;
	if (!fault)
		fault = kt_subtrees_fault(check->issuer->excluded);
	if (fault)
		return refuse(check, fault);
	while (code == KT_ACCEPTED && depth-- > 0) {
		*ret_depth = (int)depth;
		if (depth == 0 || !path[depth]->self_issued)
			code = check_cert(check, path[depth]);
	}
	return code;
}

enum kt_verdict_code kt_name_constraints_check(const struct kt_cert *const *path, size_t count,
					       const struct kt_cert *anchor, unsigned int *budget,
					       int *ret_depth, const char **ret_why)
{
	struct check check = {.budget = budget};
	enum kt_verdict_code code = KT_ACCEPTED;
	int depth = 0;

	for (size_t top = count; code == KT_ACCEPTED && top > 0; top--) {
		check.issuer = top == count ? anchor : path[top];
		if (check.issuer->permitted.len > 0 || check.issuer->excluded.len > 0)
			code = check_below(&check, path, top, &depth);
	}
	if (code != KT_ACCEPTED) {
		*ret_depth = depth;
		*ret_why = check.why;
	}
	return code;
}
