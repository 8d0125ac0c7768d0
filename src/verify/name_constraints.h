/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Name constraints over a path (RFC 5280 §4.2.1.10, §6.1.3 b and c, §6.1.4 g).
 *
 * The subtrees of every certificate, the anchor's too, hold for every certificate below it, but for
 * a self-issued one that is not the leaf. Of such a certificate: its subject, unless empty; each
 * emailAddress in its subject; each name in its subjectAltName. A name must not be in an excluded
 * subtree, and in one of those that are permitted for its type, if there are any.
 *
 * What cannot be compared (subtree.h) is refused where there is any subtree of its type. Malformed
 * names are refused where there is any subtree, malformed subtrees always.
 *
 * What is not done here: whether constraints may be where they are, are critical, are empty; the
 * common name is no host name here (web_names.h wants it to be in the subjectAltName).
 *
 * Pure: any thread.
 */
#ifndef KTRUST_VERIFY_NAME_CONSTRAINTS_H
#define KTRUST_VERIFY_NAME_CONSTRAINTS_H

#include <ktrust/verify.h>

#include "cert.h"

/*
 * KT_ACCEPTED; or KT_NAME_CONSTRAINT or KT_TOO_COMPLEX, with the depth of the certificate whose
 * name it is, or whose subtrees are malformed, and why in a few words (static storage). path: the
 * leaf first, without the anchor. *budget: what may be compared; each name takes one for each
 * subtree it is held against, Names one more for each 64 bytes of the subtree's base, and of the
 * name where the two are compared. Where it does not suffice, it is left at 0.
 */
enum kt_verdict_code kt_name_constraints_check(const struct kt_cert *const *path, size_t count,
					       const struct kt_cert *anchor, unsigned int *budget,
					       int *ret_depth, const char **ret_why);

#endif
