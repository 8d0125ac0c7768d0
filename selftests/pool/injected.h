/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that are made to fail, one after the other. The linker leads a program's calls to the
 * __wrap_… functions that it defines by WRAP, and to those below (see the Makefile).
 *
 * One thread.
 */
#ifndef KTRUST_SELFTESTS_POOL_INJECTED_H
#define KTRUST_SELFTESTS_POOL_INJECTED_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "../harness.h"

/* While armed, calls are counted, and the one with this number fails; 0: none. */
static unsigned int failing;
static unsigned int calls;
static bool armed;

static inline bool fails(void)
{
	return armed && ++calls == failing;
}

#define WRAP(type, name, failure, parameters, arguments)                                           \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		if (!fails())                                                                      \
			return __real_##name arguments;                                            \
		errno = ENOMEM;                                                                    \
		return failure;                                                                    \
	}

WRAP(void *, malloc, NULL, (size_t len), (len))
WRAP(void *, calloc, NULL, (size_t count, size_t len), (count, len))
WRAP(void *, realloc, NULL, (void *old, size_t len), (old, len))
WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, NULL, (void), ())
WRAP(int, EVP_DigestInit_ex2, 0,
     (EVP_MD_CTX * context, const EVP_MD *md, const OSSL_PARAM params[]), (context, md, params))
WRAP(int, EVP_DigestUpdate, 0, (EVP_MD_CTX * context, const void *data, size_t len),
     (context, data, len))
WRAP(int, EVP_DigestFinal_ex, 0, (EVP_MD_CTX * context, unsigned char *sum, unsigned int *len),
     (context, sum, len))

/* The lowest free number tells whether a descriptor was left open. */
static inline int lowest_descriptor(void)
{
	int fd = dup(0);

	ASSERT_LE(0, fd);
	close(fd);
	return fd;
}

#endif
