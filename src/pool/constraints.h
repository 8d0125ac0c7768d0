/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The form of constraints, and what two sets of them on one certificate come to.
 *
 * Pure functions; any thread.
 */
#ifndef KT_POOL_CONSTRAINTS_H
#define KT_POOL_CONSTRAINTS_H

#include <ktrust/anchor.h>
#include <ktrust/error.h>

/* NULL, or what is wrong with their form (the rules are in ktrust/anchor.h). */
const char *kt_constraints_check(const struct kt_constraints *constraints);

/*
 * What both lists of names permit, in the form of kt_constraints.permitted_dns; an empty list
 * permits everything. -EBADMSG: they have no name in common; -E2BIG: the result is too long. Both
 * must be in their form.
 */
KT_WARN_UNUSED int kt_constraints_meet(const char *left, const char *right,
				       char ret_names[KT_PERMITTED_DNS_MAX + 1]);

#endif
