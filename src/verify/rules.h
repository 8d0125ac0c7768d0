/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where we are stricter than OpenSSL's X509_verify_cert: rules on a path that need no signature.
 *
 *   - the leaf is no CA; name constraints do not stand in a leaf (RFC 5280 §4.2.1.10); a v1
 *     certificate has no extensions (§4.1.2.1)
 *   - each issuer, anchor included, says CA:TRUE in basicConstraints: no v1 CAs, no CAs by key
 *     usage or by Netscape's extension alone
 *   - an EKU that is present names the very purpose, in leaf and intermediates; an empty one names
 *     none; neither anyExtendedKeyUsage nor server-gated crypto stands for it
 *   - key usage that is present allows digitalSignature in the leaf (RFC 8446 §4.4.2.2, §4.4.2.3)
 *   - a wildcard SAN does not reach around an excluded name
 *   - policy constraints come with policies: alone they ask for what no path can give (or for
 *     nothing), and OpenSSL 3.0 leaks memory at each such certificate
 *
 * X509_V_FLAG_X509_STRICT is not used: it refuses roots and private PKIs in wide use for formal
 * reasons (no AKID, basicConstraints not critical) that change nobody's authority.
 *
 * A leaf without EKU is accepted for both roles: RFC 5280 §4.2.1.12 limits only what is present.
 *
 * No state; any thread, as long as the certificates belong to it.
 */
#ifndef KTRUST_VERIFY_RULES_H
#define KTRUST_VERIFY_RULES_H

#include <ktrust/verify.h>

#include "path.h"

/*
 * KT_ACCEPTED, or the code of the first rule broken; ret_depth is then the certificate's.
 * KT_INTERNAL and -1: what a rule is about could not be read.
 */
enum kt_verdict_code kt_rules_check_path(const struct kt_path *path, enum kt_role role,
					 int *ret_depth);

/*
 * Validity at `time` (seconds since the epoch): KT_ACCEPTED, KT_EXPIRED, KT_NOT_YET_VALID or
 * KT_MALFORMED. As in OpenSSL, notAfter itself is no longer valid.
 */
enum kt_verdict_code kt_rules_check_time(const X509 *x509, int64_t time);

#endif
