/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounts that nobody else sees: a mount namespace for the process of one test, which goes with it.
 */
#ifndef KTRUST_SELFTESTS_LIB_MOUNTS_H
#define KTRUST_SELFTESTS_LIB_MOUNTS_H

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>

/* NULL, or why this process cannot have one, for SKIP. */
static inline const char *mounts_of_our_own(void)
{
	if (unshare(CLONE_NEWNS))
		return "needs root (a mount namespace)";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return errno == EINVAL ? "in a chroot, where / is no mount point"
				       : "/ cannot be made private";
	return NULL;
}

#endif
