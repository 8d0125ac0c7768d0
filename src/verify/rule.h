/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reasons to refuse (rules.def), and what a check found.
 *
 * A check returns a struct kt_finding by value: KT_FINE, or the first rule that was broken. Pure
 * data, any thread.
 */
#ifndef KTRUST_VERIFY_RULE_H
#define KTRUST_VERIFY_RULE_H

#include <stdbool.h>

#include <ktrust/verify.h>

enum kt_rule_id {
	KT_RULE_NONE, /* nothing was broken */
#define RULE(id, name, code, text, source) KT_RULE_##id,
#include "rules.def"
#undef RULE
	KT_RULE_COUNT
};

struct kt_finding {
	enum kt_rule_id rule;
	enum kt_verdict_code code; /* the rule's, or the one OpenSSL's reason stands for */
	int depth;		   /* as in struct kt_verdict */
	const char *why;	   /* static storage; NULL: the rule's text */
};

#define KT_FINE ((struct kt_finding){KT_RULE_NONE, KT_ACCEPTED, 0, NULL})

struct kt_finding kt_found(enum kt_rule_id rule, int depth);

static inline bool kt_is_fine(struct kt_finding finding)
{
	return finding.rule == KT_RULE_NONE;
}

/* NULL for KT_RULE_NONE. */
const struct kt_rule *kt_rule_of(enum kt_rule_id rule);

#endif
