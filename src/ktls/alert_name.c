/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/stream.h>

#include "alert_names.h"

#define NAME(description, name, rest) [description] = name rest,

static const char *const names[] = {KTLS_ALERT_NAMES(NAME)};

const char *kt_alert_name(int description)
{
	const int count = sizeof names / sizeof names[0];

	if (description < 0 || description >= count || !names[description])
		return "alert";
	return names[description];
}
