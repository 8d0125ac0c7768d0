/* SPDX-License-Identifier: BSD-2-Clause */
/* How often the entries of a CRL are gone through; what CRLs say: anchors.c, cases/crls.cases. */
#include <stdlib.h>

#include <ktrust/verify.h>

#include "../../src/verify/crl_memory.h"
#include "../harness.h"
#include "../lib/pki.h"

#define POOLS (KT_CRL_SNAPSHOTS + 1)

/* ---- Counting -------------------------------------------------------------------------------- */

static unsigned int sorts;

struct kt_crl_serials *__real_kt_crl_serials_new(struct kt_der_view entries);
struct kt_crl_serials *__wrap_kt_crl_serials_new(struct kt_der_view entries);

struct kt_crl_serials *__wrap_kt_crl_serials_new(struct kt_der_view entries)
{
	sorts++;
	return __real_kt_crl_serials_new(entries);
}

/* ---- Pools of one CA ------------------------------------------------------------------------- */

FIXTURE(revocation)
{
	struct pki *pki;
	struct kt_verifier *verifier;
	const struct pki_cert *root;
	const struct pki_cert *good, *bad;
	struct kt_snapshot *pools[POOLS];
};

FIXTURE_SETUP(revocation)
{
	self->pki = pki_new();
	self->verifier = kt_verifier_new(NULL);
	ASSERT_NE(NULL, self->verifier);
	self->root = pki_make_ca(self->pki, NULL, "Root");
	self->good = pki_make_leaf(self->pki, self->root, "good", NULL, NULL);
	self->bad = pki_make_leaf(self->pki, self->root, "bad", NULL, NULL);
	sorts = 0;
}

FIXTURE_TEARDOWN(revocation)
{
	for (size_t i = 0; i < POOLS; i++)
		kt_snapshot_free(self->pools[i]);
	kt_verifier_free(self->verifier);
	pki_free(self->pki);
}

/* The root, and these CRLs. */
static struct kt_snapshot *pool_of(FIXTURE_DATA(revocation) * self, const struct pki_der *crls,
				   size_t count)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot;

	ASSERT_NE(NULL, set);
	ASSERT_EQ(0, kt_anchor_set_add_der(set, self->root->der, self->root->der_len, "", 0, NULL));
	for (size_t i = 0; i < count; i++)
		ASSERT_EQ(0, kt_anchor_set_add_crl(set, crls[i].data, crls[i].len, "", 0, NULL));
	ASSERT_EQ(0, kt_snapshot_build(set, "pool", "made", 1, &snapshot, NULL));
	kt_anchor_set_free(set);
	return snapshot;
}

static struct pki_der crl_of(FIXTURE_DATA(revocation) * self, const struct pki_cert *revoked)
{
	return pki_make_crl(self->root, &(struct pki_crl){.revoked = {revoked}});
}

static enum kt_verdict_code ask(FIXTURE_DATA(revocation) * self, size_t pool,
				const struct pki_cert *leaf)
{
	const struct kt_der der = {leaf->der, leaf->der_len};
	const struct kt_chain chain = {&der, 1};
	const struct kt_query query = {.role = KT_ROLE_CLIENT, .time = pki_now()};
	struct kt_verdict verdict;

	return kt_verify(self->verifier, self->pools[pool], &chain, &query, &verdict);
}

/* Each with a CRL of its own: no two signatures are the same. */
static void make_pools(FIXTURE_DATA(revocation) * self, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct pki_der crl = crl_of(self, self->bad);

		self->pools[i] = pool_of(self, &crl, 1);
		free(crl.data);
	}
}

static void ask_in_turn(FIXTURE_DATA(revocation) * self, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		EXPECT_EQ(KT_ACCEPTED, ask(self, i, self->good));
		EXPECT_EQ(KT_REVOKED, ask(self, i, self->bad));
	}
}

/* ---- What is sorted -------------------------------------------------------------------------- */

TEST_F(revocation, pools_in_turn_sort_once_each)
{
	make_pools(self, KT_CRL_SNAPSHOTS);
	for (int round = 0; round < 3; round++)
		ask_in_turn(self, KT_CRL_SNAPSHOTS);
	EXPECT_EQ(KT_CRL_SNAPSHOTS, sorts);
}

/* What nobody asks about any more goes, the oldest first. */
TEST_F(revocation, one_pool_too_many_displaces_the_oldest)
{
	make_pools(self, POOLS);
	ask_in_turn(self, KT_CRL_SNAPSHOTS);
	EXPECT_EQ(KT_ACCEPTED, ask(self, 0, self->good));
	EXPECT_EQ(KT_CRL_SNAPSHOTS, sorts);
	EXPECT_EQ(KT_REVOKED, ask(self, KT_CRL_SNAPSHOTS, self->bad));
	EXPECT_EQ(KT_CRL_SNAPSHOTS + 1, sorts);
	EXPECT_EQ(KT_REVOKED, ask(self, 0, self->bad));
	EXPECT_EQ(KT_CRL_SNAPSHOTS + 1, sorts);
	EXPECT_EQ(KT_REVOKED, ask(self, 1, self->bad));
	EXPECT_EQ(KT_CRL_SNAPSHOTS + 2, sorts);
}

/* A swap that leaves a CRL alone, however many there are, whatever comes and goes beside it. */
TEST_F(revocation, a_crl_that_stays_is_sorted_once)
{
	const struct pki_cert *other = pki_make_leaf(self->pki, self->root, "other", NULL, NULL);
	struct pki_der crls[] = {crl_of(self, self->bad), {NULL, 0}};

	for (unsigned int swap = 0; swap < 3 * KT_CRL_SNAPSHOTS; swap++) {
		crls[1] = crl_of(self, other);
		self->pools[0] = pool_of(self, crls, 2);
		free(crls[1].data);
		EXPECT_EQ(KT_ACCEPTED, ask(self, 0, self->good));
		EXPECT_EQ(KT_REVOKED, ask(self, 0, self->bad));
		EXPECT_EQ(KT_REVOKED, ask(self, 0, other));
		EXPECT_EQ(2 + swap, sorts);
		kt_snapshot_free(self->pools[0]);
		self->pools[0] = NULL;
	}
	free(crls[0].data);
}

/* Of another kind or point, not begun, not signed by the issuer: no serial number is asked for. */
TEST_F(revocation, a_crl_that_does_not_count_is_not_sorted)
{
	const struct pki_crl asides[] = {
		{.distribution_point = "critical,onlyCA:TRUE"},
		{.distribution_point = "critical,fullname:URI:http://crl.test/"},
		{.this_update = 3600, .next_update = 7200},
		{.signer = pki_make_ca(self->pki, NULL, "Root")}};
	struct pki_der crls[sizeof asides / sizeof asides[0]];
	size_t count = sizeof crls / sizeof crls[0];

	for (size_t i = 0; i < count; i++)
		crls[i] = pki_make_crl(self->root, &asides[i]);
	self->pools[0] = pool_of(self, crls, count);
	EXPECT_EQ(KT_CRL_INVALID, ask(self, 0, self->good));
	EXPECT_EQ(0, sorts);
	for (size_t i = 0; i < count; i++)
		free(crls[i].data);
}

TEST_HARNESS_MAIN
