/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for alerts that end a connection. */
#include "../ktls/alert_names.h"
#include "conn.h"

#include <ktrust/probe.h>

#define NAME(description, name, rest) [description] = "alert_" name,
#define FITS(description, name, rest)                                                              \
	_Static_assert(sizeof("alert_" name) <= KT_PROBE_NAME_LEN, "events hold it whole");

KTLS_ALERT_NAMES(FITS)

static const char *const names[256] = {KTLS_ALERT_NAMES(NAME)};

const char *kt_alert_end(int description)
{
	const char *name = description >= 0 && description < 256 ? names[description] : NULL;

	return name ? name : "peer_alert";
}
