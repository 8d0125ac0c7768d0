/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocations fail one after the other, OpenSSL's and our own (the Makefile wraps malloc and
 * calloc): a verdict may become `internal`, never `accepted`; the verifier is as good as before, and
 * nothing is lost to a leak checker.
 */
#include <ktrust/verify.h>

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "../harness.h"
#include "world.h"

static long fail_at; /* the allocation to fail, counted down; 0: none */
static bool from_then_on;
static bool failed; /* did one? */

static bool refuse_memory(void)
{
	if (!fail_at)
		return false;
	if (fail_at > 1) {
		fail_at--;
		return false;
	}
	fail_at = from_then_on ? 1 : 0;
	failed = true;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
	return refuse_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return refuse_memory() ? NULL : __real_calloc(count, size);
}

static void *test_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(size);
}

/*
 * With nothing to enlarge, OpenSSL's own takes the way of CRYPTO_malloc, which (since 3.2) is what
 * says that memory ran out. It does not look there for one that was put in its place.
 */
static void *test_realloc(void *data, size_t size, const char *file, int line)
{
	if (!data)
		return CRYPTO_malloc(size, file, line);
	return refuse_memory() ? NULL : realloc(data, size);
}

static void test_free(void *data, const char *file, int line)
{
	(void)file;
	(void)line;
	free(data);
}

/* Before OpenSSL's first allocation, which fixes the functions. */
static __attribute__((constructor)) void take_over_memory(void)
{
	if (!CRYPTO_set_mem_functions(test_malloc, test_realloc, test_free))
		abort();
}

/* Of some thousand allocations each seventh: a prime, so that loops are met all over. */
#define STRIDE 7

FIXTURE(memory)
{
	struct world world;
	struct kt_snapshot *snapshot;
	struct kt_der der[2];
	struct kt_chain chain;
	struct kt_query query;
};

FIXTURE_VARIANT(memory)
{
	enum cert sent[2];
	enum cert anchor;
	enum kt_verdict_code code;
	enum kt_verifier_mode mode;
	bool from_then_on;
	long stride;
};

FIXTURE_VARIANT_ADD(memory, one_failure_accepted){{LEAF_INT_A, INT_A}, ROOT_A, KT_ACCEPTED,
						  KT_VERIFIER_BOTH,    false,  STRIDE};
FIXTURE_VARIANT_ADD(memory, all_failures_accepted){{LEAF_INT_A, INT_A}, ROOT_A, KT_ACCEPTED,
						   KT_VERIFIER_BOTH,	true,	STRIDE};
FIXTURE_VARIANT_ADD(memory, one_failure_accepted_by_own){{LEAF_INT_A, INT_A}, ROOT_A, KT_ACCEPTED,
							 KT_VERIFIER_OWN,     false,  1};
FIXTURE_VARIANT_ADD(memory, all_failures_accepted_by_own){{LEAF_INT_A, INT_A}, ROOT_A, KT_ACCEPTED,
							  KT_VERIFIER_OWN,     true,   1};
FIXTURE_VARIANT_ADD(memory, one_failure_bad_signature){{LEAF_A},	ROOT_A_NOKID, KT_BAD_SIGNATURE,
						       KT_VERIFIER_OWN, false,	 1};

FIXTURE_SETUP(memory)
{
	const enum cert anchors[] = {variant->anchor, NONE};

	world_init(&self->world);
	self->snapshot = world_snapshot(&self->world, anchors, 2, 1);
	self->chain.certs = self->der;
	self->chain.count = world_chain(&self->world, variant->sent, 2, self->der);
	self->query = (struct kt_query){.role = KT_ROLE_SERVER,
					.time = pki_now(),
					.name_type = KT_NAME_DNS,
					.name = "good.test",
					.policy.profile = KT_PROFILE_RFC5280};
}

FIXTURE_TEARDOWN(memory)
{
	kt_snapshot_free(self->snapshot);
	world_free(&self->world);
}

TEST_F_TIMEOUT(memory, running_out_refuses, 300)
{
	const struct kt_verifier_options options = {.mode = variant->mode};
	struct kt_verdict verdict;
	long internals = 0, misnamed = 0, at = 0;

	from_then_on = variant->from_then_on;
	do {
		struct kt_verifier *verifier = kt_verifier_new(&options);
		enum kt_verdict_code code;

		ASSERT_NE(NULL, verifier);
		failed = false;
		fail_at = at += variant->stride;
		code = kt_verify(verifier, self->snapshot, &self->chain, &self->query, &verdict);
		fail_at = 0;
		EXPECT_TRUE(code != KT_ACCEPTED || variant->code == KT_ACCEPTED)
		{
			TH_LOG("allocation %ld", at);
		}
		/* OpenSSL keeps to itself that it was memory, seldom: 3.5 where a stack grows. */
		misnamed += code != KT_INTERNAL && code != variant->code;
		EXPECT_EQ(0, ERR_peek_error());
		internals += code == KT_INTERNAL;
		/* The same verifier has not been harmed. */
		EXPECT_EQ(variant->code, kt_verify(verifier, self->snapshot, &self->chain,
						   &self->query, &verdict));
		kt_verifier_free(verifier);
	} while (failed && at < 10000);
	EXPECT_LT(at, 10000);
	EXPECT_GT(internals, 10);
	EXPECT_LT(misnamed * 20, internals);
	TH_LOG("%ld allocations failed: %ld internal, %ld misnamed", at / variant->stride - 1,
	       internals, misnamed);
}

/* What the rules refuse at first sight, or where no path leads, costs nothing. */
TEST(other_refusals_need_none)
{
	static const struct {
		enum cert sent[2];
		enum kt_verdict_code code;
	} cases[] = {
		{{LEAF_B, NONE}, KT_UNKNOWN_ISSUER},
		{{LEAF_OLD, NONE}, KT_EXPIRED},
	};
	static const enum cert anchors[] = {ROOT_A, NONE};
	const struct kt_query query = {.role = KT_ROLE_CLIENT, .time = pki_now()};
	struct kt_verifier *verifier = kt_verifier_new(NULL);
	struct kt_snapshot *snapshot;
	struct kt_verdict verdict;
	struct world world;

	ASSERT_NE(NULL, verifier);
	world_init(&world);
	snapshot = world_snapshot(&world, anchors, 2, 1);
	from_then_on = true;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kt_der der[2];
		const struct kt_chain chain = {der, world_chain(&world, cases[i].sent, 2, der)};

		failed = false;
		fail_at = 1;
		EXPECT_EQ(cases[i].code, kt_verify(verifier, snapshot, &chain, &query, &verdict));
		fail_at = 0;
		EXPECT_FALSE(failed);
	}
	kt_verifier_free(verifier);
	kt_snapshot_free(snapshot);
	world_free(&world);
}

/*
 * A CRL that could not be checked is not one that does not count: an older one beside it, which
 * does not list the leaf, must not let it in; neither then nor later, when there is memory again.
 */
static void expect_revoked_stays_out(enum kt_verifier_mode mode, enum pki_key key)
{
	struct pki *pki = pki_new();
	const struct pki_cert *root =
		pki_make(pki, NULL, &(struct pki_options){.cn = "R", .ca = true, .key = key});
	const struct pki_cert *leaf = pki_make_leaf(pki, root, "l", "l.test", "clientAuth");
	struct pki_der before = pki_make_crl(root, &(struct pki_crl){.this_update = -7200});
	struct pki_der after = pki_make_crl(root, &(struct pki_crl){.revoked = {leaf}});
	const struct kt_der der = {leaf->der, leaf->der_len};
	const struct kt_chain chain = {&der, 1};
	const struct kt_query query = {.role = KT_ROLE_CLIENT, .time = pki_now()};
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_verify_cache *cache;
	struct kt_snapshot *snapshot;
	struct kt_verdict verdict;
	long at = 0, internals = 0;

	ASSERT_EQ(0, kt_anchor_set_add_der(set, root->der, root->der_len, "", 0, NULL));
	ASSERT_EQ(0, kt_anchor_set_add_crl(set, before.data, before.len, "", 0, NULL));
	ASSERT_EQ(0, kt_anchor_set_add_crl(set, after.data, after.len, "", 0, NULL));
	ASSERT_EQ(0, kt_snapshot_build(set, "test", "", 1, &snapshot, NULL));
	from_then_on = false;
	do {
		struct kt_verifier_options options = {.mode = mode};
		struct kt_verifier *verifier;
		enum kt_verdict_code code;

		ASSERT_EQ(0, kt_verify_cache_new(NULL, &cache));
		options.cache = cache;
		verifier = kt_verifier_new(&options);
		ASSERT_NE(NULL, verifier);
		failed = false;
		fail_at = ++at;
		code = kt_verify(verifier, snapshot, &chain, &query, &verdict);
		fail_at = 0;
		EXPECT_NE(KT_ACCEPTED, code)
		{
			TH_LOG("allocation %ld", at);
		}
		internals += code == KT_INTERNAL;
		for (int again = 0; again < 3; again++)
			EXPECT_EQ(KT_REVOKED,
				  kt_verify(verifier, snapshot, &chain, &query, &verdict));
		kt_verifier_free(verifier);
		kt_verify_cache_free(cache);
	} while (failed && at < 10000);
	EXPECT_LT(at, 10000);
	EXPECT_GT(internals, 10);
	kt_snapshot_free(snapshot);
	kt_anchor_set_free(set);
	free(before.data);
	free(after.data);
	pki_free(pki);
}

TEST(revoked_stays_out_ours)
{
	expect_revoked_stays_out(KT_VERIFIER_OWN, PKI_P256);
	expect_revoked_stays_out(KT_VERIFIER_OWN, PKI_RSA2048);
}

TEST(revoked_stays_out_both)
{
	expect_revoked_stays_out(KT_VERIFIER_BOTH, PKI_P256);
}

/* OpenSSL does without some of what it asks for; without a verifier nobody does. */
TEST(a_verifier_is_made_whole_or_not_at_all)
{
	struct kt_verifier *verifier = kt_verifier_new(NULL);
	long at = 0, refused = 0;

	/* Where the library's own start was cut short, it stays so: that is over here. */
	ASSERT_NE(NULL, verifier);
	kt_verifier_free(verifier);
	do {
		failed = false;
		fail_at = ++at;
		verifier = kt_verifier_new(NULL);
		fail_at = 0;
		EXPECT_TRUE(verifier || failed);
		EXPECT_EQ(0, ERR_peek_error());
		refused += !verifier;
		kt_verifier_free(verifier);
	} while (failed && at < 10000);
	EXPECT_LT(at, 10000);
	EXPECT_GT(refused, 10);
	EXPECT_LT((at - refused) * 10, at);
}

TEST_HARNESS_MAIN
