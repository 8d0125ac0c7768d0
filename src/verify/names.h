/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names: does the leaf have the one that was asked for, and what to call an anchor.
 *
 * The peer's name is looked for in the subjectAltName only (RFC 9525 §6.3; no CN fallback). A
 * wildcard is the whole leftmost label or none. No state, any thread.
 */
#ifndef KTRUST_VERIFY_NAMES_H
#define KTRUST_VERIFY_NAMES_H

#include <ktrust/verify.h>
#include <openssl/types.h>

/*
 * KT_ACCEPTED, KT_NAME_MISMATCH or KT_INTERNAL. Without a name to look for: KT_ACCEPTED for a
 * client, KT_NAME_MISMATCH for a server. A name that is no DNS name or IP address matches nothing.
 */
enum kt_verdict_code kt_names_match(X509 *leaf, const struct kt_query *query);

/*
 * The subject's common name, else its organizational unit, else its organization, else "?", as
 * UTF-8 without control characters, NUL-terminated; cut between characters to fit size bytes.
 */
void kt_names_print_subject(const X509 *x509, char *buf, size_t size);

#endif
