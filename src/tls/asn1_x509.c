/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrypto's X509_new_ex, d2i_X509 and i2d_X509, as shortcuts.h has it: libssl asks the first two
 * for every certificate that a peer sends, the third for each of its own, with a look first at what
 * is decoded already (decoded.h), or encoded (x509_der.h).
 *
 * As d2i_X509(3) has it: *in moves behind what was read; with a certificate in *a, that one is
 * given up (it would be overwritten) and the found one put in its place. *out moves behind what was
 * written, or is set to memory for the caller to free.
 */
#include <string.h>

#include "../verify/x509_der.h"
#include "decoded.h"
#include "shortcuts.h"

/*
 * A certificate that nothing was ever read into, for the next who asks for one; NULL: none. Atomic.
 * Only what this thread's last X509_new_ex gave can become that, when the next that is read gives
 * it way for one that was found. libssl asks for both in a row; so must whoever else reads
 * certificates within a handshake.
 */
static X509 *spare;
static _Thread_local const X509 *given;

__attribute__((visibility("default"))) X509 *X509_new_ex(OSSL_LIB_CTX *library,
							 const char *properties)
{
	static void *found;
	X509 *(*next)(OSSL_LIB_CTX *, const char *);
	bool by_default = !library && !properties && kt_shortcuts_are_on();
	X509 *x509 = by_default ? __atomic_exchange_n(&spare, NULL, __ATOMIC_ACQ_REL) : NULL;

	if (x509) {
		kt_shortcut_took(KT_SHORTCUT_BLANK);
	} else {
		*(void **)&next = kt_behind_us("X509_new_ex", &found);
		x509 = next(library, properties);
	}
	given = by_default ? x509 : NULL;
	return x509;
}

static void give_up(X509 *x509, bool is_blank)
{
	X509 *none = NULL;

	if (!is_blank || !__atomic_compare_exchange_n(&spare, &none, x509, false, __ATOMIC_ACQ_REL,
						      __ATOMIC_RELAXED))
		X509_free(x509);
}

__attribute__((visibility("default"))) X509 *d2i_X509(X509 **a, const unsigned char **in, long len)
{
	static void *found;
	X509 *(*next)(X509 **, const unsigned char **, long);
	X509 *x509 = len > 0 ? kt_decoded_find(*in, (size_t)len) : NULL;
	bool is_blank = a && *a && *a == given;

	given = NULL;
	if (!x509) {
		*(void **)&next = kt_behind_us("d2i_X509", &found);
		return next(a, in, len);
	}
	*in += len;
	if (a) {
		give_up(*a, is_blank);
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
