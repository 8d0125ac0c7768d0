/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of RFC 5280 §6.1 on a path, but for signatures and revocation, which cost more, and for
 * the name that was asked for; with what is ours where the RFC leaves it open:
 *
 *   - the leaf is no CA, may not sign certificates, and has no name constraints (§4.2.1.10)
 *   - each issuer, anchor included, says cA in basicConstraints (hence is of version 3: no other has
 *     extensions), and keyCertSign where it has a key usage; the anchor's validity, path length, usages and name
 *     constraints count as an intermediate's
 *   - an EKU that is present names the very purpose, in leaf, intermediates and anchor; an empty
 *     one names none; neither anyExtendedKeyUsage nor server-gated crypto stands for it. A leaf
 *     without EKU is accepted for both roles: §4.2.1.12 limits only what is present
 *   - key usage that is present allows digitalSignature in the leaf (RFC 8446 §4.4.2.2)
 *   - keys and signatures are of the kinds in algorithm.h
 *   - policies (§6.1.2 - §6.1.5): any policy is acceptable, mappings are inhibited from the start
 *     (initial-policy-mapping-inhibit); policy constraints come with policies
 *   - the limits of the anchor (limits.h)
 *
 * Forms that change nobody's authority (no AKID, basicConstraints not critical) are left to web.h.
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_RULES_H
#define KTRUST_VERIFY_RULES_H

#include "path.h"

/*
 * In two halves. The first looks at each certificate once: what it refuses costs less than a
 * signature. What the second costs grows with names, constraints and policies, so it is for paths
 * whose signatures are right: then none but a CA of the pool can make it cost.
 */
struct kt_finding kt_rules_check(const struct kt_path *path, const struct kt_query *query);
struct kt_finding kt_rules_check_signed(const struct kt_path *path, const struct kt_query *query);

/* §6.1.3 (d) - (f), §6.1.4 (a), (b), (h) - (j), §6.1.5 (a), (b), (g). The anchor's count not. */
struct kt_finding kt_rules_check_policies(const struct kt_path *path);

#endif
