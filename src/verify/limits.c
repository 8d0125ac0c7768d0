/* SPDX-License-Identifier: BSD-2-Clause */
#include "limits.h"

#include "permitted_dns.h"

static unsigned int purpose_of(enum kt_role role)
{
	return role == KT_ROLE_CLIENT ? KT_PURPOSE_CLIENT : KT_PURPOSE_SERVER;
}

struct kt_finding kt_limits_check(const struct kt_path *path, enum kt_role role)
{
	const struct kt_constraints *limits = &path->origin->constraints;
	const struct kt_cert *leaf = path->certs[0];

	if (!(limits->purposes & purpose_of(role)))
		return kt_found(KT_RULE_ANCHOR_PURPOSE, path->count);
	if (leaf->not_before > limits->distrust_after)
		return kt_found(KT_RULE_ANCHOR_DATE, 0);
	if (limits->permitted_dns[0] &&
	    !kt_permitted_dns_allows(leaf->names, limits->permitted_dns))
		return kt_found(KT_RULE_ANCHOR_NAMES, 0);
	return KT_FINE;
}
