/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The limits of an anchor (struct kt_constraints), applied to a path that ends in it.
 *
 *   purposes         an anchor vouches for the roles it was granted for
 *   distrust_after   an end entity that was issued later is refused, for both roles
 *   permitted_dns    the end entity has DNS names, each of them is at or below one that is
 * permitted
 *                    ("*.gov.tr" counts as gov.tr), and it has no IP addresses. Stricter than a
 * name constraint of RFC 5280 §4.2.1.10, which says nothing of names of other types and of
 * certificates without names: such a limit is about whom a root may speak for, and those it could
 * not mean
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_LIMITS_H
#define KTRUST_VERIFY_LIMITS_H

#include "path.h"

struct kt_finding kt_limits_check(const struct kt_path *path, enum kt_role role);

#endif
