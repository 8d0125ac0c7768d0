/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Public Suffix List (publicsuffix.org): domains below which anybody may register.
 *
 * It is the list that libpsl was built with, its ICANN and its PRIVATE section; a top-level domain
 * that it does not have is a suffix by its default rule "*". Nothing is loaded at run time.
 *
 * Any thread.
 */
#ifndef KTRUST_VERIFY_PUBLIC_SUFFIX_H
#define KTRUST_VERIFY_PUBLIC_SUFFIX_H

#include "../pool/der.h"

/*
 * Is a host name (host.h; A-labels, any case) a public suffix? What is no host name counts as one,
 * and so does everything where libpsl has no list: who asks wants to know what is too wide.
 */
bool kt_public_suffix_is(struct kt_der_view domain);

#endif
