/* SPDX-License-Identifier: BSD-2-Clause */
#include "rule.h"

static const struct kt_rule rules[] = {
#define RULE(id, name, code, text, source) {name, KT_##code, text, source},
#include "rules.def"
#undef RULE
};

const struct kt_rule *kt_rule_of(enum kt_rule_id rule)
{
	return rule == KT_RULE_NONE ? NULL : &rules[rule - 1];
}

const struct kt_rule *kt_rule_at(size_t index)
{
	return index < sizeof rules / sizeof rules[0] ? &rules[index] : NULL;
}

struct kt_finding kt_found(enum kt_rule_id rule, int depth)
{
	return (struct kt_finding){rule, kt_rule_of(rule)->code, depth, NULL};
}
