/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparison of distinguished names (RFC 5280 §7.1), and a hash that agrees with it.
 *
 * Two Names are equal when they have equal RDNs in the same order; RDNs are equal as sets of
 * attributes; attributes are equal when their types are and their values compare equal:
 *
 *   Values of the types UTF8String, PrintableString, IA5String, TeletexString (read as Latin-1),
 *   BMPString and UniversalString compare as text, whatever the type, code point by code point,
 *   after white space (space, \t, \n, \v, \f, \r) was dropped at both ends and each inner run of it
 *   became one space, and A-Z became a-z. Letters beyond ASCII are not folded. This is the
 *   comparison of OpenSSL's X509_NAME_cmp.
 *
 *   Values of other types, and text that its type cannot hold (bad UTF-8, surrogates), compare
 *   as DER.
 *
 * RDNs of more than KT_NAME_SET_MAX attributes are equal only if their DER is, so that a hostile
 * name costs linear time.
 *
 * Nothing is allocated, nothing can fail; any thread. Bytes that are not a Name (see
 * kt_scan_is_name) equal only themselves.
 */
#ifndef KT_POOL_NAME_H
#define KT_POOL_NAME_H

#include "der.h"

#define KT_NAME_SET_MAX 16

bool kt_name_equal(struct kt_der_view a, struct kt_der_view b);

/* Equal names have equal hashes. Unkeyed and the same on every host: it is stored in images. */
uint64_t kt_name_hash(struct kt_der_view name);

#endif
