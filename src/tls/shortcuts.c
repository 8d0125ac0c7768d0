/* SPDX-License-Identifier: BSD-2-Clause */
#include "shortcuts.h"

#include <dlfcn.h>
#include <stdlib.h>

static bool off; /* atomic */
static _Thread_local uint64_t taken[KT_SHORTCUT_COUNT];

void kt_shortcuts_turn(bool on)
{
	__atomic_store_n(&off, !on, __ATOMIC_RELAXED);
}

bool kt_shortcuts_are_on(void)
{
	return !__atomic_load_n(&off, __ATOMIC_RELAXED);
}

void kt_shortcut_took(enum kt_shortcut which)
{
	taken[which]++;
}

uint64_t kt_shortcuts_taken(enum kt_shortcut which)
{
	return taken[which];
}

void *kt_behind_us(const char *name, void **known)
{
	void *found = __atomic_load_n(known, __ATOMIC_RELAXED); /* the same whoever finds it */

	if (found)
		return found;
	found = dlsym(RTLD_NEXT, name);
	/* This program is linked with it, or would not have been started. */
	if (!found)
		abort();
	__atomic_store_n(known, found, __ATOMIC_RELAXED);
	return found;
}
