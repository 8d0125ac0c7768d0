/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial numbers of a CRL, in order: a CRL may list a million.
 *
 * Threads: immutable once made.
 */
#ifndef KTRUST_VERIFY_CRL_SERIALS_H
#define KTRUST_VERIFY_CRL_SERIALS_H

#include "../pool/der.h"

struct kt_crl_serials;

/* entries: as in kt_scan_crl, whose form has been checked. NULL: no memory. */
struct kt_crl_serials *kt_crl_serials_new(struct kt_der_view entries);
void kt_crl_serials_free(struct kt_crl_serials *serials); /* NULL is fine */

/* entries: the same bytes, wherever they are now. serial: content of the INTEGER. */
bool kt_crl_serials_have(const struct kt_crl_serials *serials, struct kt_der_view entries,
			 struct kt_der_view serial);

#endif
