/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may come in, of all that a pool's anchors vouch for: rules on the names in a peer's own
 * certificate. A peer that one of the rules names is allowed; the others are refused as
 * KT_NOT_ALLOWED. Rules are asked last, of a peer that everything else accepts.
 *
 * A rule is a text:
 *
 *   dns:NAME             a dNSName of the subjectAltName is NAME, but for case
 *   dns:*.NAME           one has exactly one label in front of NAME; or is the wildcard *.NAME:
 *                        a wildcard is allowed only by the rule for all that it covers
 *   uri:spiffe://TD/PATH the SPIFFE ID is this one, byte for byte. In PATH, "*" stands for
 *                        exactly one segment, "**" at the end for one or more; neither stands
 *                        for a part of a segment
 *   uri:URI              of other schemes: a URI is this one; scheme and host but for case, all
 *                        else byte for byte (RFC 5280 §7.4). No patterns
 *   email:LOCAL@HOST     an rfc822Name is this one; HOST but for case (RFC 5280 §7.5)
 *   email:@HOST          one is at this very host
 *   subject:TYPE=VALUE   an attribute of the subject, any of that TYPE, has this VALUE, compared
 *                        as in names (RFC 5280 §7.1): but for case and white space. CN, O, OU, C,
 *                        L, ST, serialNumber or UID; all behind "=" is VALUE, in UTF-8
 *
 * Host names are ASCII (A-labels), without a final dot. A subjectAltName that is malformed has no
 * name at all. What is no SPIFFE ID of a workload (SPIFFE-ID §2.1, §2.2: capitals in the trust
 * domain, a port, other characters, no path, a slash at its end, "..") matches no rule, nor does
 * one that stands beside another URI (X509-SVID §2).
 *
 * Threads: a struct kt_allow is immutable, any number of threads.
 *
 * What this does not do: it trusts nobody (anchors do); it joins no two rules into one ("O and
 * OU"); it does not ask which of several CAs gave a subject its attributes: that is for the pool to
 * see to.
 */
#ifndef KTRUST_ALLOW_H
#define KTRUST_ALLOW_H

#include <stddef.h>

#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_ALLOW_RULES_MAX 256
#define KT_ALLOW_RULE_MAX  2052 /* bytes: a SPIFFE ID of 2048 (SPIFFE-ID §2.3) behind "uri:" */

struct kt_allow;

/*
 * Make a list of rules; the texts are copied. -EINVAL: one is malformed, which error names with
 * what would be right, or there are none, or too many; -ENOMEM. Freed by kt_allow_free, when nobody
 * uses it any more.
 */
KT_WARN_UNUSED int kt_allow_new(const char *const *rules, size_t count, struct kt_allow **ret_allow,
				struct kt_error *error);
void kt_allow_free(struct kt_allow *allow); /* NULL is fine */

/* Is it a rule? -EINVAL as above. */
KT_WARN_UNUSED int kt_allow_check(const char *rule, struct kt_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
