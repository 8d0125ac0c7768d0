/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every case of selftests/verify/cases, asked of ours, of both, of both with a cache, and of
 * OpenSSL out of the box: the verdict, the rule and the depth are the case's, and each disagreement
 * with OpenSSL is explained (case_file.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "../harness.h"
#include "case_file.h"
#include "case_openssl.h"

#define SAID_MAX 128
#define ROUNDS	 4 /* cold caches, filling them, from them, and once more */

/* Each case is asked of all of these. */
enum { BOTH, OWN, BOTH_CACHED, OWN_CACHED, VERIFIERS };

static const struct verify_case *all;

FIXTURE(cases)
{
	struct kt_snapshot *snapshot; /* NULL: no pool */
	struct kt_snapshot *known;    /* NULL: no intermediates */
	struct kt_verify_cache *cache;
	struct kt_verifier *verifiers[VERIFIERS];
	struct kt_der sent[CASE_SENT_MAX];
	struct kt_chain chain;
	struct kt_query query;
};

FIXTURE_VARIANT(cases)
{
	const struct verify_case *of;
};

static struct kt_snapshot *build(struct case_thing *const *anchors, size_t anchor_count,
				 struct case_thing *const *crls, size_t crl_count,
				 enum kt_crl_policy policy)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot = NULL;
	struct kt_error error = {0};

	ASSERT_NE(NULL, set);
	for (size_t i = 0; i < anchor_count; i++)
		ASSERT_EQ(0, kt_anchor_set_add(set, anchors[i]->der.data, anchors[i]->der.len,
					       &anchors[i]->limits, "case", 0, &error))
		{
			TH_LOG("%s: %s", anchors[i]->name, error.text);
		}
	for (size_t i = 0; i < crl_count; i++)
		ASSERT_EQ(0, kt_anchor_set_add_crl(set, crls[i]->der.data, crls[i]->der.len, "case",
						   0, &error))
		{
			TH_LOG("%s: %s", crls[i]->name, error.text);
		}
	kt_anchor_set_crl_policy(set, policy);
	ASSERT_EQ(0, kt_snapshot_build(set, "cases", "made", 7, &snapshot, &error));
	kt_anchor_set_free(set);
	return snapshot;
}

FIXTURE_SETUP(cases)
{
	const struct kt_verify_cache_options small = {.chains = 8, .signatures = 64};
	const struct verify_case *asked = variant->of;

	case_make_all(asked);
	if (!asked->no_pool)
		self->snapshot = build(asked->anchors, asked->anchor_count, asked->crls,
				       asked->crl_count, asked->crl_policy);
	if (asked->known_count)
		self->known = build(asked->known, asked->known_count, NULL, 0, KT_CRL_REFUSE);
	ASSERT_EQ(0, kt_verify_cache_new(&small, &self->cache));
	for (int i = 0; i < VERIFIERS; i++) {
		const struct kt_verifier_options options = {
			.mode = i == OWN || i == OWN_CACHED ? KT_VERIFIER_OWN : KT_VERIFIER_BOTH,
			.cache = i >= BOTH_CACHED ? self->cache : NULL};

		self->verifiers[i] = kt_verifier_new(&options);
		ASSERT_NE(NULL, self->verifiers[i]);
	}
	for (size_t i = 0; i < asked->sent_count; i++)
		self->sent[i] = asked->sent[i]->der;
	self->chain = (struct kt_chain){self->sent, asked->sent_count};
	self->query = asked->query;
	self->query.intermediates = self->known;
}

FIXTURE_TEARDOWN(cases)
{
	for (int i = 0; i < VERIFIERS; i++)
		kt_verifier_free(self->verifiers[i]);
	kt_verify_cache_free(self->cache);
	kt_snapshot_free(self->known);
	kt_snapshot_free(self->snapshot);
}

/* ---- What was said --------------------------------------------------------------------------- */

static const char *anchor_named(const struct verify_case *asked, const uint8_t *fingerprint,
				const struct kt_snapshot *snapshot)
{
	struct kt_anchor anchor;

	if (kt_snapshot_find_fingerprint(snapshot, fingerprint, &anchor))
		return "?";
	for (size_t i = 0; i < asked->anchor_count; i++)
		if (asked->anchors[i]->der.len == anchor.der_len &&
		    !memcmp(asked->anchors[i]->der.data, anchor.der, anchor.der_len))
			return asked->anchors[i]->name;
	return "?";
}

/* As a case writes it: "accepted 2 by=A", "expired 1", "openssl 1 both=not_a_ca@1". */
static void say(const FIXTURE_DATA(cases) * self, const struct verify_case *asked,
		const struct kt_verdict *verdict, char ret_said[static SAID_MAX])
{
	const char *rule = verdict->rule ? verdict->rule->name : "?";

	if (verdict->code == KT_ACCEPTED)
		snprintf(ret_said, SAID_MAX, "accepted %d by=%s", verdict->depth,
			 anchor_named(asked, verdict->anchor, self->snapshot));
	else if (!strcmp(rule, "openssl"))
		snprintf(ret_said, SAID_MAX, "both=%s@%d", kt_verdict_name(verdict->code),
			 verdict->depth);
	else
		snprintf(ret_said, SAID_MAX, "%s %d", rule, verdict->depth);
}

static void expected(const struct verify_case *asked, bool both, char ret_said[static SAID_MAX])
{
	if (both && asked->both_refuses)
		snprintf(ret_said, SAID_MAX, "both=%s@%d", kt_verdict_name(asked->both_code),
			 asked->both_depth);
	else if (asked->rule)
		snprintf(ret_said, SAID_MAX, "%s %d", asked->rule->name, asked->depth);
	else
		snprintf(ret_said, SAID_MAX, "accepted %d by=%s", asked->depth, asked->by->name);
}

/* Which snapshot was asked; no pool: none. */
static void expect_pool(const FIXTURE_DATA(cases) * self, const struct kt_verdict *verdict)
{
	static const uint8_t none[KT_DIGEST_LEN];
	struct kt_snapshot_info info = {.digest = none};

	if (self->snapshot)
		kt_snapshot_describe(self->snapshot, &info);
	EXPECT_EQ(info.version, verdict->pool_version);
	EXPECT_EQ(0, memcmp(info.digest, verdict->pool_digest, KT_DIGEST_LEN));
}

static bool tells_no_anchor(const struct kt_verdict *verdict)
{
	static const uint8_t none[KT_DIGEST_LEN];

	return !memcmp(verdict->anchor, none, sizeof none) && !verdict->anchor_name[0];
}

static void expect_verdict(const FIXTURE_DATA(cases) * self, const struct verify_case *asked,
			   bool both, const struct kt_verdict *verdict)
{
	char want[SAID_MAX], said[SAID_MAX];

	expected(asked, both, want);
	say(self, asked, verdict, said);
	EXPECT_STREQ(want, said);
	EXPECT_EQ(verdict->code == KT_ACCEPTED, verdict->rule == NULL);
	expect_pool(self, verdict);
	if (verdict->code != KT_ACCEPTED)
		EXPECT_TRUE(tells_no_anchor(verdict));
	/* A rule belongs to one code, but for the one of OpenSSL's reasons. */
	if (verdict->rule && strcmp(verdict->rule->name, "openssl"))
		EXPECT_EQ(verdict->rule->code, verdict->code);
}

/* ---- Ours ------------------------------------------------------------------------------------ */

struct told {
	unsigned int count;
	const struct kt_rule *last;
};

static void hear(const struct kt_attempt *attempt, void *arg)
{
	struct told *told = arg;

	told->count++;
	told->last = attempt->rule;
	EXPECT_NE(NULL, attempt->why);
	EXPECT_EQ(attempt->code == KT_ACCEPTED, attempt->rule == NULL);
}

/* Explaining changes nothing, and an acceptance is the last thing told. */
static void expect_explained(FIXTURE_DATA(cases) * self, const struct verify_case *asked)
{
	struct told told = {0};
	struct kt_verdict verdict;

	kt_verify_explain(self->verifiers[OWN_CACHED], self->snapshot, &self->chain, &self->query,
			  hear, &told, &verdict);
	expect_verdict(self, asked, false, &verdict);
	if (verdict.code == KT_ACCEPTED)
		EXPECT_TRUE(told.count && !told.last);
	if (verdict.code == KT_UNKNOWN_ISSUER)
		EXPECT_GT(told.count, 0u);
}

static void expect_verdicts(FIXTURE_DATA(cases) * self, const struct verify_case *asked)
{
	struct kt_verdict verdict;

	for (int i = 0; i < ROUNDS * VERIFIERS; i++) {
		int which = i % VERIFIERS;

		memset(&verdict, 0xee, sizeof verdict);
		kt_verify(self->verifiers[which], self->snapshot, &self->chain, &self->query,
			  &verdict);
		expect_verdict(self, asked, which == BOTH || which == BOTH_CACHED, &verdict);
		EXPECT_EQ(0, ERR_peek_error());
	}
}

/* ---- OpenSSL's ------------------------------------------------------------------------------- */

static void expect_openssl(const struct verify_case *asked)
{
	const struct case_difference *difference = asked->difference;
	bool ours = asked->rule == NULL, accepts;
	const char *why;

	if (difference && difference->openssl == OPENSSL_DEPENDS)
		return;
	/* A difference that is none would hide a real one later. */
	if (difference)
		EXPECT_EQ(ours, difference->openssl == OPENSSL_REFUSES);
	accepts = case_openssl_accepts(asked, &why);
	EXPECT_EQ(difference ? !ours : ours, accepts)
	{
		TH_LOG("OpenSSL: %s", why);
	}
}

TEST_F(cases, holds)
{
	expect_verdicts(self, variant->of);
	expect_explained(self, variant->of);
	expect_openssl(variant->of);
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* Those no file of cases can reach, and where else they are met. */
static const char *const elsewhere[] = {
	"internal",	       /* memory: verify/memory */
	"too_many_links",      /* hundreds of certificates: verify/verify */
	"too_many_signatures", /* likewise */
	"too_many_names",      /* likewise: verify/name_constraints_path */
	"not_allowed",	       /* rules of who asks, not of kt_verify */
};

static bool is_met(const struct kt_rule *rule)
{
	for (const struct verify_case *asked = all; asked; asked = asked->next)
		if (asked->rule == rule || (asked->both_refuses && !strcmp(rule->name, "openssl")))
			return true;
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
		if (!strcmp(elsewhere[i], rule->name))
			return true;
	return false;
}

TEST(every_rule_has_a_case)
{
	const struct kt_rule *rule;

	for (size_t i = 0; (rule = kt_rule_at(i)); i++)
		EXPECT_TRUE(is_met(rule))
		{
			TH_LOG("no case ends with %s", rule->name);
		}
}

TEST(every_explained_difference_is_met)
{
	for (const struct case_difference *difference = case_differences(); difference;
	     difference = difference->next) {
		EXPECT_GT(difference->cases, 0u)
		{
			TH_LOG("no case has openssl=%s", difference->kind);
		}
		printf("%zu cases: openssl=%s\n", difference->cases, difference->kind);
	}
}

static void add_variant(const struct verify_case *asked)
{
	struct kt_test_variant *variant = calloc(1, sizeof *variant);
	FIXTURE_VARIANT(cases) *data = calloc(1, sizeof *data);

	if (!variant || !data)
		abort();
	data->of = asked;
	*variant = (struct kt_test_variant){.name = asked->title, .data = data};
	kt_test_add_variant(&cases_fixture, variant);
}

int main(int argc, char **argv)
{
	all = case_read_all();
	for (const struct verify_case *asked = all; asked; asked = asked->next)
		add_variant(asked);
	return kt_test_main(argc, argv);
}
