/* SPDX-License-Identifier: BSD-2-Clause */
#include "permitted_dns.h"

#include <string.h>

#include "general_name.h"
#include "host.h"

static bool is_permitted(struct kt_der_view name, const char *list)
{
	kt_host_strip_wildcard(&name);
	if (!kt_host_is_loose_name(name))
		return false;
	while (*list) {
		struct kt_der_view permitted = {(const uint8_t *)list, strcspn(list, " ")};

		if (kt_host_is_within(name, permitted))
			return true;
		list += permitted.len + (list[permitted.len] == ' ');
	}
	return false;
}

bool kt_permitted_dns_allows(struct kt_der_view names, const char *list)
{
	struct kt_general_name name;
	bool any = false;

	if (!list[0])
		return true;
	while (names.len > 0) {
		if (!kt_general_name_read(&names, &name) || name.type == KT_GENERAL_IP ||
		    (name.type == KT_GENERAL_DNS && !is_permitted(name.content, list)))
			return false;
		any = any || name.type == KT_GENERAL_DNS;
	}
	return any;
}
