/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does the subjectAltName have the name that was asked for (RFC 9525 §6)?
 *
 *   DNS     Asked for: labels of letters, digits, '-', '_', perhaps a final dot, the last label not
 *           of digits alone. Presented: the same without a final dot; or "*." in front of two
 *           labels or more, all without '_', which stands for exactly one label without '_', an
 *           A-label included. No other wildcard is one.
 *   IP      Asked for: as inet_pton reads it. Presented: an iPAddress of the same bytes, never the
 *           text in a dNSName. An IPv4 address mapped into IPv6 is an IPv6 address.
 *   EMAIL   mailbox.h; not SmtpUTF8Mailbox (RFC 9598), not the subject's emailAddress
 *   URI     uri.h; both well-formed
 *
 * The subject is not looked at. Whether the names presented are what a CA should have certified
 * (public suffixes, form), other files say: web_names.h.
 *
 * Pure: any thread.
 */
#ifndef KTRUST_VERIFY_MATCH_H
#define KTRUST_VERIFY_MATCH_H

#include <ktrust/verify.h>

#include "../pool/der.h"

/*
 * KT_ACCEPTED or KT_NAME_MISMATCH. names: what is in the SEQUENCE of GeneralNames, len 0 where
 * there is none; malformed ones have no name at all. KT_NAME_NONE: accepted for a client, a
 * mismatch for a server. What is no name of the type asked for matches nothing.
 */
enum kt_verdict_code kt_match_names(struct kt_der_view names, const struct kt_query *query);

#endif
