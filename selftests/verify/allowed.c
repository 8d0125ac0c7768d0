/* SPDX-License-Identifier: BSD-2-Clause */
/* Verdicts ask the allow rules each time, whatever is remembered of a chain. */
#include <ktrust/allow.h>

#include "../harness.h"
#include "world.h"

FIXTURE(allowed)
{
	struct world world;
	struct kt_snapshot *snapshot;
	struct kt_verify_cache *cache;
	struct kt_verifier *verifier;
	struct kt_der der;
	struct kt_chain chain;
	struct kt_query query;
	struct kt_verdict verdict;
};

FIXTURE_VARIANT(allowed)
{
	bool cached;
};

FIXTURE_VARIANT_ADD(allowed, cached){.cached = true};
FIXTURE_VARIANT_ADD(allowed, anew){.cached = false};

FIXTURE_SETUP(allowed)
{
	static const enum cert anchors[] = {ROOT_A, NONE}, sent[] = {LEAF_EMAIL_URI, NONE};
	struct kt_verifier_options options = {0};

	world_init(&self->world);
	self->snapshot = world_snapshot(&self->world, anchors, 2, 1);
	ASSERT_EQ(0, kt_verify_cache_new(NULL, &self->cache));
	if (variant->cached)
		options.cache = self->cache;
	self->verifier = kt_verifier_new(&options);
	ASSERT_NE(NULL, self->verifier);
	self->chain = (struct kt_chain){&self->der, world_chain(&self->world, sent, 1, &self->der)};
	self->query = (struct kt_query){.role = KT_ROLE_CLIENT, .time = pki_now()};
}

FIXTURE_TEARDOWN(allowed)
{
	(void)variant;
	kt_verifier_free(self->verifier);
	kt_verify_cache_free(self->cache);
	kt_snapshot_free(self->snapshot);
	world_free(&self->world);
}

static struct kt_allow *make(const char *rule)
{
	struct kt_error error = {0};
	struct kt_allow *allow = NULL;

	ASSERT_EQ(0, kt_allow_new(&rule, 1, &allow, &error))
	{
		TH_LOG("%s: %s", error.where, error.text);
	}
	return allow;
}

static enum kt_verdict_code ask(FIXTURE_DATA(allowed) * self, const char *rule)
{
	struct kt_allow *allow = rule ? make(rule) : NULL;
	enum kt_verdict_code code;

	self->query.allow = allow;
	code = kt_verify(self->verifier, self->snapshot, &self->chain, &self->query,
			 &self->verdict);
	kt_allow_free(allow);
	return code;
}

static void expect_not_allowed(FIXTURE_DATA(allowed) * self, const char *rule)
{
	static const uint8_t zeros[KT_DIGEST_LEN];

	EXPECT_EQ(KT_NOT_ALLOWED, ask(self, rule))
	{
		TH_LOG("%s", rule);
	}
	EXPECT_EQ(0, self->verdict.depth);
	EXPECT_STREQ("not_allowed", self->verdict.rule->name);
	EXPECT_EQ(0, memcmp(zeros, self->verdict.anchor, sizeof zeros));
	EXPECT_STREQ("", self->verdict.anchor_name);
}

/* More often than it takes to be remembered. */
TEST_F(allowed, the_same_chain_is_asked_with_other_rules)
{
	struct kt_verify_cache_stats stats;

	for (int round = 0; round < 4; round++) {
		expect_not_allowed(self, "dns:good.test");
		EXPECT_EQ(KT_ACCEPTED, ask(self, "uri:spiffe://good.test/*"));
		expect_not_allowed(self, "subject:CN=bad.test");
		EXPECT_EQ(KT_ACCEPTED, ask(self, "subject:CN=good.test"));
		expect_not_allowed(self, "email:you@good.test");
		EXPECT_EQ(KT_ACCEPTED, ask(self, "email:@good.test"));
		EXPECT_EQ(KT_ACCEPTED, ask(self, NULL));
	}
	kt_verify_cache_get_stats(self->cache, &stats);
	EXPECT_EQ(variant->cached, stats.chain_hits > 20);
}

TEST_F(allowed, rules_are_asked_last)
{
	self->query.name_type = KT_NAME_URI;
	self->query.name = "spiffe://good.test/y";
	for (int round = 0; round < 4; round++)
		EXPECT_EQ(KT_NAME_MISMATCH, ask(self, "dns:bad.test"));
	self->query.name = "spiffe://good.test/x";
	expect_not_allowed(self, "dns:bad.test");
	EXPECT_EQ(KT_ACCEPTED, ask(self, "email:me@good.test"));
	self->query.time += 100LL * 365 * 86400;
	EXPECT_EQ(KT_EXPIRED, ask(self, "dns:bad.test"));
}

static void count(const struct kt_attempt *attempt, void *arg)
{
	EXPECT_EQ(KT_ACCEPTED, attempt->code);
	++*(int *)arg;
}

TEST_F(allowed, explaining_asks_them_too)
{
	struct kt_allow *allow = make("dns:good.test");
	int attempts = 0;

	(void)variant;
	self->query.allow = allow;
	EXPECT_EQ(KT_NOT_ALLOWED,
		  kt_verify_explain(self->verifier, self->snapshot, &self->chain, &self->query,
				    count, &attempts, &self->verdict));
	EXPECT_EQ(1, attempts);
	kt_allow_free(allow);
}

TEST_HARNESS_MAIN
