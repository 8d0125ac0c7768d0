/* SPDX-License-Identifier: BSD-2-Clause */
/* The roots that a program carries, with their limits. */
#include "gather.h"

#include <errno.h>

#include <ktrust/roots.h>

int kt_source_add_embedded(struct kt_gather *gather, const char *rest, struct kt_error *error)
{
	const struct kt_roots *roots = gather->options->embedded;

	(void)rest;
	if (!roots)
		return kt_error_set(error, ENOENT, gather->source, 0,
				    "this program carries no embedded roots (build it with "
				    "EMBEDDED_ROOTS=yes, or name a file)");
	for (size_t i = 0; i < roots->count; i++) {
		struct kt_constraints constraints = roots->roots[i].constraints;
		int ret;

		constraints.purposes = gather->purposes;
		ret = kt_anchor_set_add(gather->set, roots->roots[i].der, roots->roots[i].der_len,
					&constraints, roots->roots[i].label, 0, error);
		if (ret)
			return ret;
		gather->found++;
	}
	if (roots->count == 0)
		return kt_error_set(error, ENODATA, gather->source, 0,
				    "this program's list of embedded roots is empty");
	return 0;
}
