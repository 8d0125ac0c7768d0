/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests that ask libcrypto itself what the program answers in its place. */
#ifndef KTRUST_SELFTESTS_TLS_BETWEEN_H
#define KTRUST_SELFTESTS_TLS_BETWEEN_H

#include <dlfcn.h>

#include "lab.h"

static inline void *libcrypto(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	ASSERT_NE(NULL, found);
	return found;
}

#endif
