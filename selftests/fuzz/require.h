/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold, or the fuzzer has found something: says where, and aborts. */
#ifndef KTRUST_FUZZ_REQUIRE_H
#define KTRUST_FUZZ_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

#define require(what) require_that(what, __FILE__, __LINE__, #what)

static inline void require_that(int holds, const char *file, int line, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

#endif
