/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrypto's d2i_X509 and i2d_X509, as shortcuts.h has it: libssl asks the first for every
 * certificate that a peer sends, the second for each of its own, with a look first at what is
 * decoded already (decoded.h), or encoded (x509_der.h).
 *
 * As d2i_X509(3) has it: *in moves behind what was read; with a certificate in *a, that one is
 * freed (it would be overwritten) and the found one put in its place. *out moves behind what was
 * written, or is set to memory for the caller to free.
 */
#include <string.h>

#include "../verify/x509_der.h"
#include "decoded.h"
#include "shortcuts.h"

__attribute__((visibility("default"))) X509 *d2i_X509(X509 **a, const unsigned char **in, long len)
{
	static void *found;
	X509 *(*next)(X509 **, const unsigned char **, long);
	X509 *x509 = len > 0 ? kt_decoded_find(*in, (size_t)len) : NULL;

	if (!x509) {
		*(void **)&next = kt_behind_us("d2i_X509", &found);
		return next(a, in, len);
	}
	*in += len;
	if (a) {
		X509_free(*a);
		*a = x509;
	}
	return x509;
}

static int put(struct kt_der der, unsigned char **out)
{
	unsigned char *to = *out ? *out : OPENSSL_malloc(der.len);

	if (!to)
		return -1;
	memcpy(to, der.data, der.len);
	*out = *out ? to + der.len : to;
	return (int)der.len;
}

__attribute__((visibility("default"))) int i2d_X509(const X509 *x509, unsigned char **out)
{
	static void *found;
	int (*next)(const X509 *, unsigned char **);
	struct kt_der der = {.data = NULL};

	if (x509 && kt_shortcuts_are_on())
		der = kt_x509_kept_der(x509);
	if (!der.data) {
		*(void **)&next = kt_behind_us("i2d_X509", &found);
		return next(x509, out);
	}
	kt_shortcut_took(KT_SHORTCUT_ENCODING);
	return out ? put(der, out) : (int)der.len;
}
