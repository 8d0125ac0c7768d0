/* SPDX-License-Identifier: BSD-2-Clause */
#include "crl_scope.h"

bool kt_crl_scope_has_kind(const struct kt_scan_crl *crl, const struct kt_cert *cert)
{
	return cert->ca ? !crl->only_leaves : !crl->only_cas;
}

static bool share_a_name(struct kt_der_view names, struct kt_der_view others)
{
	struct kt_der_item name, other;

	while (kt_der_read(&names, &name))
		for (struct kt_der_view rest = others; kt_der_read(&rest, &other);)
			if (kt_der_equal(name.tlv, other.tlv))
				return true;
	return false;
}

/* distributionPoint [0] { fullName [0] }, and neither reasons [1] nor cRLIssuer [2] */
static bool is_named(struct kt_der_view point, struct kt_der_view names)
{
	struct kt_der_item name, full;

	return kt_der_expect(&point, KT_DER_CONTEXT_CONS(0), &name) && !point.len &&
	       kt_der_expect(&name.content, KT_DER_CONTEXT_CONS(0), &full) &&
	       share_a_name(full.content, names);
}

bool kt_crl_scope_has_point(const struct kt_scan_crl *crl, const struct kt_cert *cert)
{
	struct kt_der_view points = cert->crl_points;
	struct kt_der_item point;

	if (!crl->point_names.len)
		return true;
	while (kt_der_expect(&points, KT_DER_SEQUENCE, &point))
		if (is_named(point.content, crl->point_names))
			return true;
	return false;
}
