/* SPDX-License-Identifier: BSD-2-Clause */
#include "shortcuts.h"

static bool off; /* atomic */

void kt_shortcuts_turn(bool on)
{
	__atomic_store_n(&off, !on, __ATOMIC_RELAXED);
}

bool kt_shortcuts_are_on(void)
{
	return !__atomic_load_n(&off, __ATOMIC_RELAXED);
}
