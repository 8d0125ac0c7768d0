/* SPDX-License-Identifier: BSD-2-Clause */
/* What anchors are limited to, and what the CRLs beside them say. */
#include <stdlib.h>
#include <string.h>

#include <ktrust/verify.h>

#include "../harness.h"
#include "../lib/pki.h"

#define DAY 86400

FIXTURE(anchors)
{
	struct pki *pki;
	struct kt_verifier *verifier;
	struct kt_anchor_set *set;
	const struct pki_cert *root;
};

FIXTURE_SETUP(anchors)
{
	self->pki = pki_new();
	self->verifier = kt_verifier_new(NULL);
	self->set = kt_anchor_set_new();
	ASSERT_TRUE(self->verifier && self->set);
	self->root = pki_make_ca(self->pki, NULL, "Root");
}

FIXTURE_TEARDOWN(anchors)
{
	kt_anchor_set_free(self->set);
	kt_verifier_free(self->verifier);
	pki_free(self->pki);
}

static void add_limited(FIXTURE_DATA(anchors) * self, const struct pki_cert *cert,
			struct kt_constraints limits)
{
	ASSERT_EQ(0, kt_anchor_set_add(self->set, cert->der, cert->der_len, &limits, "", 0, NULL));
}

static void add_crl(FIXTURE_DATA(anchors) * self, const struct pki_cert *issuer,
		    struct pki_crl options)
{
	struct pki_der crl = pki_make_crl(issuer, &options);

	ASSERT_EQ(0, kt_anchor_set_add_crl(self->set, crl.data, crl.len, "", 0, NULL));
	free(crl.data);
}

static struct kt_verdict verdict_on(FIXTURE_DATA(anchors) * self, const struct pki_cert *leaf,
				    const struct pki_cert *intermediate, struct kt_query query)
{
	const struct kt_der certs[] = {{leaf->der, leaf->der_len},
				       {intermediate ? intermediate->der : NULL,
					intermediate ? intermediate->der_len : 0}};
	const struct kt_chain chain = {certs, intermediate ? 2 : 1};
	struct kt_snapshot *snapshot;
	struct kt_verdict verdict;

	ASSERT_EQ(0, kt_snapshot_build(self->set, "test", "", 1, &snapshot, NULL));
	if (!query.time)
		query.time = pki_now();
	kt_verify(self->verifier, snapshot, &chain, &query, &verdict);
	kt_snapshot_free(snapshot);
	return verdict;
}

static struct kt_verdict client(FIXTURE_DATA(anchors) * self, const struct pki_cert *leaf)
{
	return verdict_on(self, leaf, NULL, (struct kt_query){.role = KT_ROLE_CLIENT});
}

static struct kt_verdict server(FIXTURE_DATA(anchors) * self, const struct pki_cert *leaf,
				const char *name)
{
	return verdict_on(self, leaf, NULL,
			  (struct kt_query){.role = KT_ROLE_SERVER,
					    .name_type = KT_NAME_DNS,
					    .name = name,
					    .policy.profile = KT_PROFILE_RFC5280});
}

/* ---- Limits -------------------------------------------------------------------------------- */

TEST_F(anchors, anchor_vouches_for_what_it_was_granted)
{
	const struct pki_cert *leaf =
		pki_make_leaf(self->pki, self->root, "leaf", "good.test", NULL);

	add_limited(self, self->root,
		    (struct kt_constraints){KT_PURPOSE_SERVER, KT_DISTRUST_NEVER, NULL});
	EXPECT_EQ(KT_ACCEPTED, server(self, leaf, "good.test").code);
	EXPECT_EQ(KT_WRONG_PURPOSE, client(self, leaf).code);
	EXPECT_EQ(1, client(self, leaf).depth);
	add_limited(self, self->root,
		    (struct kt_constraints){KT_PURPOSE_CLIENT, KT_DISTRUST_NEVER, NULL});
	EXPECT_EQ(KT_ACCEPTED, client(self, leaf).code);
	EXPECT_EQ(KT_ACCEPTED, server(self, leaf, "good.test").code);
}

/* One that may not vouch for clients does not stand in the way of one that may. */
TEST_F(anchors, another_path_is_taken_around_a_limited_anchor)
{
	const struct pki_cert *other =
		pki_make(self->pki, NULL,
			 &(struct pki_options){.cn = "Root", .ca = true, .key_of = self->root});
	const struct pki_cert *leaf = pki_make_leaf(self->pki, self->root, "leaf", NULL, NULL);

	add_limited(self, self->root,
		    (struct kt_constraints){KT_PURPOSE_SERVER, KT_DISTRUST_NEVER, NULL});
	EXPECT_EQ(KT_WRONG_PURPOSE, client(self, leaf).code);
	add_limited(self, other, KT_CONSTRAINTS_NONE);
	EXPECT_EQ(KT_ACCEPTED, client(self, leaf).code);
}

TEST_F(anchors, end_entity_issued_after_the_distrust_date_is_refused)
{
	static const struct {
		int64_t not_before; /* from the date, in seconds */
		enum kt_verdict_code code;
	} cases[] = {
		{-DAY, KT_ACCEPTED}, {0, KT_ACCEPTED}, {1, KT_DISTRUSTED}, {DAY, KT_DISTRUSTED}};

	add_limited(self, self->root,
		    (struct kt_constraints){KT_PURPOSE_ANY, pki_now() - 30 * DAY, NULL});
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct pki_cert *leaf = pki_make(
			self->pki, self->root,
			&(struct pki_options){.cn = "leaf",
					      .dns = {"good.test"},
					      .not_before = -30 * DAY + cases[i].not_before});

		EXPECT_EQ(cases[i].code, server(self, leaf, "good.test").code);
		EXPECT_EQ(cases[i].code, client(self, leaf).code);
		EXPECT_EQ(cases[i].code == KT_ACCEPTED ? 1 : 0, client(self, leaf).depth);
	}
}

TEST_F(anchors, names_outside_of_the_permitted_ones_are_refused)
{
	static const struct {
		struct pki_options leaf;
		enum kt_verdict_code code;
	} cases[] = {
		{{.cn = "x", .dns = {"gov.tr"}}, KT_ACCEPTED},
		{{.cn = "x", .dns = {"a.GOV.tr", "b.a.edu.tr"}}, KT_ACCEPTED},
		{{.cn = "x", .dns = {"*.gov.tr"}}, KT_ACCEPTED},
		{{.cn = "x", .dns = {"*.a.gov.tr"}}, KT_ACCEPTED},
		{{.cn = "x", .dns = {"a.gov.tr"}, .email = {"a@example.org"}}, KT_ACCEPTED},
		{{.cn = "x", .dns = {"*.tr"}}, KT_NAME_CONSTRAINT},
		{{.cn = "x", .dns = {"agov.tr"}}, KT_NAME_CONSTRAINT},
		{{.cn = "x", .dns = {"gov.tr.example"}}, KT_NAME_CONSTRAINT},
		{{.cn = "x", .dns = {"a.gov.tr", "example.org"}}, KT_NAME_CONSTRAINT},
		{{.cn = "x", .dns = {"a.gov.tr"}, .ip = {"192.0.2.1"}}, KT_NAME_CONSTRAINT},
		{{.cn = "a.gov.tr"}, KT_NAME_CONSTRAINT},
		{{.cn = "x", .email = {"a@gov.tr"}}, KT_NAME_CONSTRAINT},
	};

	add_limited(self, self->root,
		    (struct kt_constraints){KT_PURPOSE_ANY, KT_DISTRUST_NEVER, "edu.tr gov.tr"});
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		EXPECT_EQ(cases[i].code,
			  client(self, pki_make(self->pki, self->root, &cases[i].leaf)).code)
		{
			TH_LOG("case %zu", i);
		}
	}
}

/* ---- Revocation ---------------------------------------------------------------------------- */

TEST_F(anchors, revoked_leaf_is_refused_and_others_are_not)
{
	const struct pki_cert *bad = pki_make_leaf(self->pki, self->root, "bad", NULL, NULL);
	const struct pki_cert *good = pki_make_leaf(self->pki, self->root, "good", NULL, NULL);

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	EXPECT_EQ(KT_ACCEPTED, client(self, bad).code);
	add_crl(self, self->root, (struct pki_crl){.revoked = {bad}});
	EXPECT_EQ(KT_REVOKED, client(self, bad).code);
	EXPECT_EQ(0, client(self, bad).depth);
	/* twice: the second is from the cache */
	EXPECT_EQ(KT_ACCEPTED, client(self, good).code);
	EXPECT_EQ(KT_ACCEPTED, client(self, good).code);
	EXPECT_EQ(KT_REVOKED, client(self, bad).code);
}

TEST_F(anchors, revoked_intermediate_is_refused)
{
	const struct pki_cert *intermediate = pki_make_ca(self->pki, self->root, "Int");
	const struct pki_cert *leaf = pki_make_leaf(self->pki, intermediate, "leaf", NULL, NULL);
	const struct kt_query query = {.role = KT_ROLE_CLIENT};

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	/* of an issuer that is not asked about */
	add_crl(self, pki_make_ca(self->pki, NULL, "Other"), (struct pki_crl){0});
	EXPECT_EQ(KT_ACCEPTED, verdict_on(self, leaf, intermediate, query).code);
	add_crl(self, self->root, (struct pki_crl){.revoked = {intermediate}});
	EXPECT_EQ(KT_REVOKED, verdict_on(self, leaf, intermediate, query).code);
	EXPECT_EQ(1, verdict_on(self, leaf, intermediate, query).depth);
}

TEST_F(anchors, crl_past_its_next_update_is_worth_what_the_policy_says)
{
	const struct pki_cert *bad = pki_make_leaf(self->pki, self->root, "bad", NULL, NULL);
	const struct pki_cert *good = pki_make_leaf(self->pki, self->root, "good", NULL, NULL);

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	add_crl(self, self->root,
		(struct pki_crl){.revoked = {bad}, .this_update = -2 * DAY, .next_update = -DAY});
	EXPECT_EQ(KT_CRL_EXPIRED, client(self, good).code);
	/* what it says holds all the same */
	EXPECT_EQ(KT_REVOKED, client(self, bad).code);
	kt_anchor_set_crl_policy(self->set, KT_CRL_WARN);
	EXPECT_EQ(KT_ACCEPTED, client(self, good).code);
	EXPECT_EQ(KT_REVOKED, client(self, bad).code);
	/* a current one beside it is enough */
	kt_anchor_set_crl_policy(self->set, KT_CRL_REFUSE);
	add_crl(self, self->root, (struct pki_crl){0});
	EXPECT_EQ(KT_ACCEPTED, client(self, good).code);
}

TEST_F(anchors, crl_holds_until_its_next_update_and_not_before_its_begin)
{
	const struct pki_cert *good = pki_make_leaf(self->pki, self->root, "good", NULL, NULL);
	struct kt_query query = {.role = KT_ROLE_CLIENT};

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	add_crl(self, self->root, (struct pki_crl){.this_update = 10, .next_update = 20});
	for (int64_t at = 9; at <= 21; at++) {
		query.time = pki_now() + at;
		EXPECT_EQ(at < 10   ? KT_CRL_INVALID
			  : at > 20 ? KT_CRL_EXPIRED
				    : KT_ACCEPTED,
			  verdict_on(self, good, NULL, query).code);
	}
}

/* Nothing that is remembered outlasts the certificates, the anchor or the CRLs it came from. */
static void expect_window(FIXTURE_DATA(anchors) * self, const struct pki_cert *leaf, int64_t from,
			  enum kt_verdict_code before, int64_t to, enum kt_verdict_code after)
{
	struct kt_query query = {.role = KT_ROLE_CLIENT};
	struct kt_verifier *verifier = self->verifier;
	struct kt_verify_cache *cache;
	struct kt_verify_cache_stats stats;

	ASSERT_EQ(0, kt_verify_cache_new(NULL, &cache));
	self->verifier = kt_verifier_new(
		&(struct kt_verifier_options){.mode = KT_VERIFIER_OWN, .cache = cache});
	ASSERT_NE(NULL, self->verifier);
	for (int64_t at = from; at <= to; at++) {
		query.time = pki_now() + at;
		EXPECT_EQ(KT_ACCEPTED, verdict_on(self, leaf, NULL, query).code);
	}
	kt_verify_cache_get_stats(cache, &stats);
	EXPECT_EQ(to - from - 1, stats.chain_hits);
	query.time = pki_now() + from - 1;
	EXPECT_EQ(before, verdict_on(self, leaf, NULL, query).code);
	query.time = pki_now() + to + 1;
	EXPECT_EQ(after, verdict_on(self, leaf, NULL, query).code);
	kt_verifier_free(self->verifier);
	kt_verify_cache_free(cache);
	self->verifier = verifier;
}

TEST_F(anchors, a_remembered_acceptance_ends_with_what_it_stands_on)
{
	const struct pki_cert *brief =
		pki_make(self->pki, self->root,
			 &(struct pki_options){.cn = "b", .not_before = 5, .not_after = 15});
	const struct pki_cert *lasting = pki_make_leaf(self->pki, self->root, "l", NULL, NULL);
	const struct pki_cert *brief_root = pki_make(
		self->pki, NULL,
		&(struct pki_options){.cn = "R", .ca = true, .not_before = 3, .not_after = 12});
	const struct pki_cert *below = pki_make_leaf(self->pki, brief_root, "l", NULL, NULL);

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	add_limited(self, brief_root, KT_CONSTRAINTS_NONE);
	expect_window(self, brief, 5, KT_NOT_YET_VALID, 15, KT_EXPIRED);
	expect_window(self, below, 3, KT_NOT_YET_VALID, 12, KT_EXPIRED);
	add_crl(self, self->root, (struct pki_crl){.this_update = 7, .next_update = 20});
	expect_window(self, lasting, 7, KT_CRL_INVALID, 20, KT_CRL_EXPIRED);
	expect_window(self, brief, 7, KT_CRL_INVALID, 15, KT_EXPIRED);
	/* one that begins later lists it */
	add_crl(self, self->root,
		(struct pki_crl){.revoked = {lasting}, .this_update = 14, .next_update = DAY});
	expect_window(self, lasting, 7, KT_CRL_INVALID, 13, KT_REVOKED);
}

TEST_F(anchors, crl_without_next_update_never_ages)
{
	const struct pki_cert *good = pki_make_leaf(self->pki, self->root, "good", NULL, NULL);

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	add_crl(self, self->root,
		(struct pki_crl){.this_update = -4000 * DAY, .no_next_update = true});
	EXPECT_EQ(KT_ACCEPTED, client(self, good).code);
}

/* Whoever can write into the pool's sources can write a CRL, but not sign it for the CA. */
TEST_F(anchors, crl_by_another_key_does_not_count)
{
	const struct pki_cert *other = pki_make_ca(self->pki, NULL, "Root");
	const struct pki_cert *leaf = pki_make_leaf(self->pki, self->root, "leaf", NULL, NULL);

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	add_crl(self, self->root, (struct pki_crl){.revoked = {leaf}, .signer = other});
	EXPECT_EQ(KT_CRL_INVALID, client(self, leaf).code);
	add_crl(self, self->root, (struct pki_crl){0});
	EXPECT_EQ(KT_ACCEPTED, client(self, leaf).code);
}

/* More CRLs than any table would have room for, two of them of one issuer, and a swap between. */
TEST_F(anchors, each_of_many_crls_keeps_its_say)
{
	const struct pki_cert *bad = pki_make_leaf(self->pki, self->root, "bad", NULL, NULL);
	const struct pki_cert *good = pki_make_leaf(self->pki, self->root, "good", NULL, NULL);
	const struct pki_cert *other = pki_make_ca(self->pki, NULL, "Other");

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	for (int i = 0; i < 100; i++)
		add_crl(self, other, (struct pki_crl){.next_update = DAY + i});
	add_crl(self, self->root, (struct pki_crl){.next_update = DAY});
	add_crl(self, self->root, (struct pki_crl){.revoked = {bad}});
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(KT_REVOKED, client(self, bad).code);
		EXPECT_EQ(KT_ACCEPTED, client(self, good).code);
		EXPECT_EQ(1, client(self, good).depth);
		/* another snapshot: what is known of the CRLs that stay goes on */
		add_crl(self, other, (struct pki_crl){.next_update = 2 * DAY + i});
	}
}

/* The memory of which key signed a CRL must not speak for another key of the same name. */
TEST_F(anchors, verified_crl_does_not_count_for_a_twin_of_its_issuer)
{
	const struct pki_cert *twin = pki_make_ca(self->pki, NULL, "Root");
	const struct pki_cert *of_root = pki_make_leaf(self->pki, self->root, "r", NULL, NULL);
	const struct pki_cert *of_twin = pki_make_leaf(self->pki, twin, "t", NULL, NULL);

	add_limited(self, self->root, KT_CONSTRAINTS_NONE);
	add_limited(self, twin, KT_CONSTRAINTS_NONE);
	add_crl(self, self->root, (struct pki_crl){0});
	EXPECT_EQ(KT_ACCEPTED, client(self, of_root).code);
	EXPECT_EQ(KT_CRL_INVALID, client(self, of_twin).code);
	EXPECT_EQ(KT_ACCEPTED, client(self, of_root).code);
}

TEST_F(anchors, issuer_that_may_not_sign_crls_has_none)
{
	const struct pki_cert *root = pki_make(
		self->pki, NULL,
		&(struct pki_options){.cn = "Certs only", .ca = true, .key_usage = "keyCertSign"});
	const struct pki_cert *leaf = pki_make_leaf(self->pki, root, "leaf", NULL, NULL);

	add_limited(self, root, KT_CONSTRAINTS_NONE);
	EXPECT_EQ(KT_ACCEPTED, client(self, leaf).code);
	add_crl(self, root, (struct pki_crl){0});
	EXPECT_EQ(KT_CRL_INVALID, client(self, leaf).code);
}

TEST_HARNESS_MAIN
