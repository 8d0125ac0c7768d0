/* SPDX-License-Identifier: BSD-2-Clause */
#include "public_suffix.h"

#include <libpsl.h>

#include "host.h"

bool kt_public_suffix_is(struct kt_der_view domain)
{
	const psl_ctx_t *list = psl_builtin();
	char name[KT_HOST_MAX + 1];

	if (!list || !kt_host_is_name(domain))
		return true;
	kt_host_copy_lower(domain, name);
	return psl_is_public_suffix2(list, name, PSL_TYPE_ANY);
}
