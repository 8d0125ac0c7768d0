/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the CA/Browser Baseline Requirements (BR) ask of the names in a server's certificate.
 *
 *   - a subjectAltName, critical if and only if the subject is empty (BR 7.1.2.7.12, RFC 5280
 *     §4.2.1.6), of dNSName and iPAddress alone
 *   - each dNSName: labels of letters, digits and hyphens, the last not of digits alone; of those
 *     with hyphens third and fourth only the A-labels "xn--…" (BR 7.1.2.7.12). Whether such a label
 *     decodes is not looked at.
 *   - a wildcard is "*." in front of such a name, which is no public suffix (BR 3.2.2.6)
 *   - a commonName is the only one (BR 7.1.4.1), and is, byte for byte, a dNSName or the text of an
 *     iPAddress that is in the subjectAltName (BR 7.1.4.3), in UTF8String or PrintableString (BR
 *     7.1.4.2)
 *
 * Names of one label and reserved addresses, which no CA may certify in public, are taken: who has
 * them has a CA of one's own, and they are nobody else's.
 *
 * Pure: any thread.
 */
#ifndef KTRUST_VERIFY_WEB_NAMES_H
#define KTRUST_VERIFY_WEB_NAMES_H

#include "cert.h"

/* NULL, or what is wrong in a few words (static storage). */
const char *kt_web_names_check(const struct kt_cert *leaf);

#endif
