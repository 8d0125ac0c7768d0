/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrypto's d2i_X509, asked by libssl for every certificate a peer sends, with a look first at
 * what is decoded already (decoded.h). For executables only, ahead of libcrypto in the dynamic
 * linker's order (ld.so(8)): a library that did this would do it to whoever loads it.
 *
 * As d2i_X509(3) has it: *in moves behind what was read; with a certificate in *a, that one is
 * freed (it would be overwritten) and the found one put in its place.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "decoded.h"

typedef X509 *decode(X509 **a, const unsigned char **in, long len);

static X509 *libcrypto_d2i_x509(X509 **a, const unsigned char **in, long len)
{
	static decode *next; /* the same whoever finds it */
	decode *found = __atomic_load_n(&next, __ATOMIC_RELAXED);

	if (!found) {
		*(void **)&found = dlsym(RTLD_NEXT, "d2i_X509");
		/* This program is linked with it, or would not have been started. */
		if (!found)
			abort();
		__atomic_store_n(&next, found, __ATOMIC_RELAXED);
	}
	return found(a, in, len);
}

__attribute__((visibility("default"))) X509 *d2i_X509(X509 **a, const unsigned char **in, long len)
{
	X509 *x509 = len > 0 ? kt_decoded_find(*in, (size_t)len) : NULL;

	if (!x509)
		return libcrypto_d2i_x509(a, in, len);
	*in += len;
	if (a) {
		X509_free(*a);
		*a = x509;
	}
	return x509;
}
