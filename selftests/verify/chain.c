/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verdicts as data: anchors, chain, question, expected answer. Each case is asked of ours and of
 * OpenSSL as it is out of the box; where the two differ, the case says so.
 */
#include <ktrust/verify.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "../harness.h"
#include "world.h"

#define DAY	    86400
#define ANCHORS_MAX 5
#define SENT_MAX    (KT_CHAIN_MAX + 2)

/* Each case is asked of all of these. */
enum { BOTH, OWN, BOTH_CACHED, OWN_CACHED, VERIFIERS };

enum stock {
	SAME,
	STOCK_ACCEPTS,
	STOCK_REFUSES,
	STOCK_GUESSES, /* which of several it takes depends on how its store sorts */
};

FIXTURE(chain) {
	struct world world;
	struct kt_snapshot *snapshot;
	struct kt_verifier *verifiers[VERIFIERS];
	struct kt_verify_cache *cache;
	struct kt_der der[SENT_MAX];
	struct kt_chain chain;
	struct kt_query query;
};

FIXTURE_VARIANT(chain) {
	enum cert anchors[ANCHORS_MAX];
	enum cert sent[SENT_MAX];
	enum kt_role role;
	enum kt_name_type name_type;
	const char *name;
	int64_t time; /* seconds from pki_now() */
	enum kt_verdict_code code;
	int depth;
	enum cert anchor; /* accepted: by which */
	enum stock stock;
};

FIXTURE_SETUP(chain)
{
	world_init(&self->world);
	self->snapshot = world_snapshot(&self->world, variant->anchors, ANCHORS_MAX, 7);
	ASSERT_EQ(0, kt_verify_cache_new(NULL, &self->cache));
	for (int i = 0; i < VERIFIERS; i++) {
		const struct kt_verifier_options options = {
			.mode = i == OWN || i == OWN_CACHED ? KT_VERIFIER_OWN : KT_VERIFIER_BOTH,
			.cache = i >= BOTH_CACHED ? self->cache : NULL};

		self->verifiers[i] = kt_verifier_new(&options);
		ASSERT_NE(NULL, self->verifiers[i]);
	}
	self->chain.certs = self->der;
	self->chain.count = world_chain(&self->world, variant->sent, SENT_MAX, self->der);
	self->query = (struct kt_query){.role = variant->role,
					.time = pki_now() + variant->time,
					.name_type = variant->name_type,
					.name = variant->name,
					.policy.profile = KT_PROFILE_RFC5280};
}

FIXTURE_TEARDOWN(chain)
{
	for (int i = 0; i < VERIFIERS; i++)
		kt_verifier_free(self->verifiers[i]);
	kt_verify_cache_free(self->cache);
	kt_snapshot_free(self->snapshot);
	world_free(&self->world);
}

static void expect_anchor(struct world *world, enum cert cert, const struct kt_verdict *verdict)
{
	uint8_t expected[KT_DIGEST_LEN] = {0};
	unsigned int len;

	if (cert != NONE)
		X509_digest(world_cert(world, cert)->x509, EVP_sha256(), expected, &len);
	EXPECT_EQ(0, memcmp(expected, verdict->anchor, sizeof expected));
	EXPECT_EQ(cert == NONE, verdict->anchor_name[0] == '\0');
}

static void expect_verdict(struct world *world, const struct kt_verdict *verdict,
			   enum kt_verdict_code code, int depth, enum cert anchor)
{
	EXPECT_STREQ(kt_verdict_name(code), kt_verdict_name(verdict->code));
	EXPECT_EQ(depth, verdict->depth);
	expect_anchor(world, anchor, verdict);
	EXPECT_EQ(7, verdict->pool_version);
	/* A rule belongs to one code, but for the one of OpenSSL's reasons. */
	EXPECT_EQ(code == KT_ACCEPTED, verdict->rule == NULL);
	if (verdict->rule && strcmp(verdict->rule->name, "openssl"))
		EXPECT_EQ(code, verdict->rule->code);
}

/* Each verifier several times: with cold caches, filling them, from them. */
TEST_F(chain, verdict)
{
	struct kt_verdict verdict;
	struct kt_snapshot_info info;

	kt_snapshot_describe(self->snapshot, &info);
	for (int round = 0; round < 4 * VERIFIERS; round++) {
		enum kt_verdict_code code;

		memset(&verdict, 0xee, sizeof verdict);
		code = kt_verify(self->verifiers[round % VERIFIERS], self->snapshot, &self->chain,
				 &self->query, &verdict);
		EXPECT_EQ(code, verdict.code);
		expect_verdict(&self->world, &verdict, variant->code, variant->depth,
			       variant->anchor);
		EXPECT_EQ(0, memcmp(info.digest, verdict.pool_digest, KT_DIGEST_LEN));
		EXPECT_EQ(0, ERR_peek_error());
	}
}

struct told {
	int count;
	enum kt_verdict_code last;
};

static void hear(const struct kt_attempt *attempt, void *arg)
{
	struct told *told = arg;

	told->count++;
	told->last = attempt->code;
	EXPECT_NE(NULL, attempt->why);
	EXPECT_EQ(attempt->code == KT_ACCEPTED, attempt->rule == NULL);
}

/* Explaining changes nothing, and an acceptance is the last thing told. */
TEST_F(chain, explained)
{
	struct kt_verdict verdict;
	struct told told = {0};

	kt_verify_explain(self->verifiers[OWN_CACHED], self->snapshot, &self->chain, &self->query,
			  hear, &told, &verdict);
	expect_verdict(&self->world, &verdict, variant->code, variant->depth, variant->anchor);
	if (variant->code == KT_ACCEPTED)
		EXPECT_EQ(KT_ACCEPTED, told.last);
	if (variant->code == KT_UNKNOWN_ISSUER)
		EXPECT_GT(told.count, 0);
}

/* The stock library as a careful program uses it: purpose, name, time, security level. */
static bool stock_accepts(struct world *world, const enum cert *anchors, const enum cert *sent,
			  const struct kt_query *query)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	X509_VERIFY_PARAM *param;
	bool accepts;

	for (int i = 0; i < ANCHORS_MAX && anchors[i] != NONE; i++)
		ASSERT_EQ(1, X509_STORE_add_cert(store, world_cert(world, anchors[i])->x509));
	for (int i = 1; i < SENT_MAX && sent[i] != NONE; i++)
		ASSERT_NE(0, sk_X509_push(others, world_cert(world, sent[i])->x509));
	ASSERT_EQ(1, X509_STORE_CTX_init(context, store, world_cert(world, sent[0])->x509, others));
	X509_STORE_CTX_set_purpose(context, query->role == KT_ROLE_CLIENT
						    ? X509_PURPOSE_SSL_CLIENT
						    : X509_PURPOSE_SSL_SERVER);
	param = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_time(param, (time_t)query->time);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	if (query->name_type == KT_NAME_DNS)
		X509_VERIFY_PARAM_set1_host(param, query->name, 0);
	else if (query->name_type == KT_NAME_IP)
		X509_VERIFY_PARAM_set1_ip_asc(param, query->name);
	accepts = X509_verify_cert(context) == 1;
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	sk_X509_free(others);
	ERR_clear_error();
	return accepts;
}

TEST_F(chain, stock_agrees_or_the_case_says_so)
{
	bool ours = variant->code == KT_ACCEPTED;
	bool stock = variant->stock == SAME ? ours : variant->stock == STOCK_ACCEPTS;

	if (variant->sent[0] == NONE || variant->stock == STOCK_GUESSES)
		return;
	/* A difference that is none would hide a real one later. */
	EXPECT_TRUE(variant->stock == SAME || stock != ours);
	EXPECT_EQ(stock, stock_accepts(&self->world, variant->anchors, variant->sent, &self->query));
}

#define CASE(id, ...) FIXTURE_VARIANT_ADD(chain, id) {__VA_ARGS__}
#define ANCHORS(...)  .anchors = {__VA_ARGS__}
#define SENT(...)     .sent = {__VA_ARGS__}
#define CLIENT	      .role = KT_ROLE_CLIENT
#define SERVER(host)  .role = KT_ROLE_SERVER, .name_type = KT_NAME_DNS, .name = host
#define ADDRESS(ip)   .role = KT_ROLE_SERVER, .name_type = KT_NAME_IP, .name = ip
#define BY(which, at) .code = KT_ACCEPTED, .anchor = which, .depth = at
#define REFUSED(as, at) .code = as, .depth = at

/* ---- Paths --------------------------------------------------------------------------------- */

CASE(leaf_under_root, ANCHORS(ROOT_A), SENT(LEAF_A), CLIENT, BY(ROOT_A, 1));
CASE(root_sent_too, ANCHORS(ROOT_A), SENT(LEAF_A, ROOT_A), CLIENT, BY(ROOT_A, 1));
CASE(leaf_sent_twice, ANCHORS(ROOT_A), SENT(LEAF_A, LEAF_A), CLIENT, BY(ROOT_A, 1));
CASE(intermediate, ANCHORS(ROOT_A), SENT(LEAF_INT_A, INT_A), CLIENT, BY(ROOT_A, 2));
CASE(intermediate_and_root, ANCHORS(ROOT_A), SENT(LEAF_INT_A, INT_A, ROOT_A), CLIENT,
     BY(ROOT_A, 2));
CASE(unrelated_intermediates, ANCHORS(ROOT_A), SENT(LEAF_INT_B, ROOT_A, INT_A), CLIENT,
     REFUSED(KT_UNKNOWN_ISSUER, 0));
CASE(shuffled, ANCHORS(ROOT_A),
     SENT(LEAF_OF_DEEP_7, DEEP_3, DEEP_1, DEEP_7, DEEP_5, DEEP_2, DEEP_6, DEEP_4), CLIENT,
     BY(ROOT_A, 8));
CASE(duplicates, ANCHORS(ROOT_A), SENT(LEAF_INT_A, INT_A, INT_A, ROOT_A, INT_A, ROOT_A, LEAF_INT_A),
     CLIENT, BY(ROOT_A, 2));
CASE(irrelevant_extras, ANCHORS(ROOT_A), SENT(LEAF_INT_A, LEAF_B, INT_B, ROOT_B, INT_A, LEAF_SELF),
     CLIENT, BY(ROOT_A, 2));
CASE(many_anchors, ANCHORS(ROOT_B, ROOT_OLD, ROOT_A, ROOT_RSA2048), SENT(LEAF_A), CLIENT,
     BY(ROOT_A, 1));
CASE(wrong_ca, ANCHORS(ROOT_B), SENT(LEAF_A), CLIENT, REFUSED(KT_UNKNOWN_ISSUER, 0));
CASE(wrong_ca_intermediate, ANCHORS(ROOT_B), SENT(LEAF_INT_A, INT_A), CLIENT,
     REFUSED(KT_UNKNOWN_ISSUER, 1));
CASE(intermediate_missing, ANCHORS(ROOT_A), SENT(LEAF_INT_A), CLIENT,
     REFUSED(KT_UNKNOWN_ISSUER, 0));
CASE(own_root_sent, ANCHORS(ROOT_B), SENT(LEAF_A, ROOT_A), CLIENT, REFUSED(KT_SELF_SIGNED, 1));
CASE(own_root_sent_below_intermediate, ANCHORS(ROOT_B), SENT(LEAF_INT_A, INT_A, ROOT_A), CLIENT,
     REFUSED(KT_SELF_SIGNED, 2));
CASE(self_signed, ANCHORS(ROOT_A), SENT(LEAF_SELF), CLIENT, REFUSED(KT_SELF_SIGNED, 0));
CASE(self_signed_ca, ANCHORS(ROOT_A), SENT(LEAF_SELF_CA), CLIENT, REFUSED(KT_SELF_SIGNED, 0));
/* An anchor issues; it is never the end entity itself. */
CASE(pinned_self_signed_leaf, ANCHORS(LEAF_SELF), SENT(LEAF_SELF), CLIENT,
     REFUSED(KT_NOT_A_CA, 1), .stock = STOCK_ACCEPTS);
CASE(pinned_leaf, ANCHORS(LEAF_A), SENT(LEAF_A), CLIENT, REFUSED(KT_UNKNOWN_ISSUER, 0));
CASE(pinned_self_signed_ca, ANCHORS(LEAF_SELF_CA), SENT(LEAF_SELF_CA), CLIENT,
     REFUSED(KT_CA_AS_LEAF, 0), .stock = STOCK_ACCEPTS);
/* What is in the pool is an anchor, self-signed or not. */
CASE(anchor_is_intermediate, ANCHORS(INT_A), SENT(LEAF_INT_A, INT_A), CLIENT, BY(INT_A, 1),
     .stock = STOCK_REFUSES);
CASE(anchor_is_intermediate_not_sent, ANCHORS(INT_A), SENT(LEAF_INT_A), CLIENT, BY(INT_A, 1),
     .stock = STOCK_REFUSES);
CASE(nearest_anchor_is_reported, ANCHORS(ROOT_A, INT_A), SENT(LEAF_INT_A, INT_A, ROOT_A), CLIENT,
     BY(INT_A, 1));
CASE(anchor_is_expired_intermediate, ANCHORS(INT_A_OLD), SENT(LEAF_INT_A), CLIENT,
     REFUSED(KT_EXPIRED, 1));
CASE(anchor_is_no_ca, ANCHORS(LEAF_A), SENT(LEAF_OF_LEAF), CLIENT, REFUSED(KT_NOT_A_CA, 1));
CASE(path_of_eight, ANCHORS(ROOT_A),
     SENT(LEAF_OF_DEEP_7, DEEP_7, DEEP_6, DEEP_5, DEEP_4, DEEP_3, DEEP_2, DEEP_1), CLIENT,
     BY(ROOT_A, 8));
CASE(path_of_nine, ANCHORS(ROOT_A),
     SENT(LEAF_OF_DEEP_8, DEEP_8, DEEP_7, DEEP_6, DEEP_5, DEEP_4, DEEP_3, DEEP_2, DEEP_1), CLIENT,
     REFUSED(KT_CHAIN_TOO_LONG, -1), .stock = STOCK_ACCEPTS);
CASE(as_many_as_allowed, ANCHORS(ROOT_A),
     SENT(LEAF_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A,
	  ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A),
     CLIENT, BY(ROOT_A, 1));
CASE(too_many_certificates, ANCHORS(ROOT_A),
     SENT(LEAF_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A,
	  ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A, ROOT_A),
     CLIENT, REFUSED(KT_CHAIN_TOO_LONG, -1), .stock = STOCK_ACCEPTS);
CASE(no_certificate, ANCHORS(ROOT_A), SENT(NONE), CLIENT, REFUSED(KT_NO_CERTIFICATE, -1));

/* ---- Several ways up ----------------------------------------------------------------------- */

CASE(twin_by_key_identifier, ANCHORS(ROOT_A, ROOT_A_TWIN), SENT(LEAF_A), CLIENT, BY(ROOT_A, 1));
CASE(twin_alone_by_key_identifier, ANCHORS(ROOT_A_TWIN), SENT(LEAF_A), CLIENT,
     REFUSED(KT_UNKNOWN_ISSUER, 0));
/* The twin's own lack of an identifier makes it possible by name: the signature tells. */
CASE(twin_without_identifier, ANCHORS(ROOT_A_NOKID), SENT(LEAF_A), CLIENT,
     REFUSED(KT_BAD_SIGNATURE, 0));
CASE(twins_without_identifier, ANCHORS(ROOT_PLAIN, ROOT_PLAIN_TWIN, ROOT_PLAIN_ED),
     SENT(LEAF_OF_ROOT_PLAIN), CLIENT, BY(ROOT_PLAIN, 1), .stock = STOCK_GUESSES);
CASE(expired_twin, ANCHORS(ROOT_PLAIN_OLD, ROOT_PLAIN), SENT(LEAF_OF_ROOT_PLAIN), CLIENT,
     BY(ROOT_PLAIN, 1));
CASE(reissued_root, ANCHORS(ROOT_A_NEW), SENT(LEAF_A, ROOT_A), CLIENT, BY(ROOT_A_NEW, 1));
CASE(cross_signed, ANCHORS(ROOT_B), SENT(LEAF_INT_A, INT_A_BY_B), CLIENT, BY(ROOT_B, 2));
CASE(cross_signed_both_sent, ANCHORS(ROOT_B), SENT(LEAF_INT_A, INT_A, INT_A_BY_B), CLIENT,
     BY(ROOT_B, 2), .stock = STOCK_REFUSES);
CASE(cross_signed_other_order, ANCHORS(ROOT_B), SENT(LEAF_INT_A, INT_A_BY_B, INT_A), CLIENT,
     BY(ROOT_B, 2));
CASE(cross_signed_to_the_other, ANCHORS(ROOT_A), SENT(LEAF_INT_A, INT_A_BY_B, INT_A), CLIENT,
     BY(ROOT_A, 2), .stock = STOCK_REFUSES);
CASE(cross_signed_root, ANCHORS(ROOT_A), SENT(LEAF_INT_B, INT_B, ROOT_B, ROOT_B_BY_A), CLIENT,
     BY(ROOT_A, 3), .stock = STOCK_REFUSES);
CASE(expired_copy_before_valid, ANCHORS(ROOT_A), SENT(LEAF_INT_A, INT_A_OLD, INT_A), CLIENT,
     BY(ROOT_A, 2));
CASE(future_copy_before_valid, ANCHORS(ROOT_A), SENT(LEAF_INT_A, INT_A_FUTURE, INT_A), CLIENT,
     BY(ROOT_A, 2));
CASE(intermediates_of_one_name, ANCHORS(ROOT_A), SENT(LEAF_INT_PLAIN, INT_PLAIN_TWIN, INT_PLAIN),
     CLIENT, BY(ROOT_A, 2), .stock = STOCK_REFUSES);
CASE(twin_intermediate, ANCHORS(ROOT_A), SENT(LEAF_INT_A, INT_A_TWIN), CLIENT,
     REFUSED(KT_BAD_SIGNATURE, 0));

/* ---- Time ---------------------------------------------------------------------------------- */

CASE(expired_leaf, ANCHORS(ROOT_A), SENT(LEAF_OLD), CLIENT, REFUSED(KT_EXPIRED, 0));
CASE(expired_intermediate, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_OLD, INT_OLD), CLIENT,
     REFUSED(KT_EXPIRED, 1));
CASE(expired_anchor, ANCHORS(ROOT_OLD), SENT(LEAF_OF_ROOT_OLD), CLIENT, REFUSED(KT_EXPIRED, 1));
CASE(future_leaf, ANCHORS(ROOT_A), SENT(LEAF_FUTURE), CLIENT, REFUSED(KT_NOT_YET_VALID, 0));
CASE(future_intermediate, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_FUTURE, INT_FUTURE), CLIENT,
     REFUSED(KT_NOT_YET_VALID, 1));
CASE(future_anchor, ANCHORS(ROOT_FUTURE), SENT(LEAF_OF_ROOT_FUTURE), CLIENT,
     REFUSED(KT_NOT_YET_VALID, 1));
CASE(time_is_the_querys, ANCHORS(ROOT_A), SENT(LEAF_A), CLIENT, .time = 4000 * DAY,
     REFUSED(KT_EXPIRED, 1));
CASE(first_second, ANCHORS(ROOT_A), SENT(LEAF_A), CLIENT, .time = -3600, BY(ROOT_A, 1));
CASE(second_before_the_first, ANCHORS(ROOT_A), SENT(LEAF_A), CLIENT, .time = -3601,
     REFUSED(KT_NOT_YET_VALID, 1));
CASE(last_second, ANCHORS(ROOT_A), SENT(LEAF_A), CLIENT, .time = 3650 * DAY - 1, BY(ROOT_A, 1));

/* ---- Authority of issuers ------------------------------------------------------------------ */

CASE(issuer_no_ca, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_NOT_CA, INT_NOT_CA), CLIENT,
     REFUSED(KT_NOT_A_CA, 1));
CASE(issuer_is_a_leaf, ANCHORS(ROOT_A), SENT(LEAF_OF_LEAF, LEAF_A), CLIENT,
     REFUSED(KT_NOT_A_CA, 1));
CASE(issuer_no_certsign, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_NO_CERTSIGN, INT_NO_CERTSIGN), CLIENT,
     REFUSED(KT_NOT_A_CA, 1));
CASE(issuer_v1, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_V1, INT_V1), CLIENT, REFUSED(KT_NOT_A_CA, 1));
CASE(anchor_v1, ANCHORS(ROOT_V1), SENT(LEAF_OF_ROOT_V1), CLIENT, REFUSED(KT_NOT_A_CA, 1),
     .stock = STOCK_ACCEPTS);
CASE(anchor_without_basic_constraints, ANCHORS(ROOT_NO_BC), SENT(LEAF_OF_ROOT_NO_BC), CLIENT,
     REFUSED(KT_NOT_A_CA, 1), .stock = STOCK_ACCEPTS);
CASE(anchor_no_certsign, ANCHORS(ROOT_NO_CERTSIGN), SENT(LEAF_OF_ROOT_NO_CERTSIGN), CLIENT,
     REFUSED(KT_NOT_A_CA, 1));
CASE(path_length, ANCHORS(ROOT_A),
     SENT(LEAF_OF_INT_UNDER_PATHLEN0, INT_UNDER_PATHLEN0, INT_PATHLEN0), CLIENT,
     REFUSED(KT_PATH_LENGTH, 2));
CASE(path_length_kept, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_PATHLEN0, INT_PATHLEN0), CLIENT,
     BY(ROOT_A, 2));
CASE(path_length_of_anchor, ANCHORS(ROOT_PATHLEN0),
     SENT(LEAF_OF_INT_UNDER_ROOT_PATHLEN0, INT_UNDER_ROOT_PATHLEN0), CLIENT,
     REFUSED(KT_PATH_LENGTH, 2));
CASE(policy_kept, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_POLICY, INT_POLICY), CLIENT, BY(ROOT_A, 2));
CASE(policy_missing, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_POLICY_NONE, INT_POLICY), CLIENT,
     REFUSED(KT_WRONG_PURPOSE, 0), .stock = STOCK_ACCEPTS);
CASE(policy_constraints_without_policy, ANCHORS(ROOT_A),
     SENT(LEAF_OF_INT_BARE_POLICY, INT_BARE_POLICY), CLIENT, REFUSED(KT_WRONG_PURPOSE, 1),
     .stock = STOCK_ACCEPTS);

/* ---- Purpose ------------------------------------------------------------------------------- */

CASE(client_eku_for_client, ANCHORS(ROOT_A), SENT(LEAF_CLIENT), CLIENT, BY(ROOT_A, 1));
CASE(client_eku_for_server, ANCHORS(ROOT_A), SENT(LEAF_CLIENT), SERVER("good.test"),
     REFUSED(KT_WRONG_PURPOSE, 0));
CASE(server_eku_for_client, ANCHORS(ROOT_A), SENT(LEAF_SERVER), CLIENT,
     REFUSED(KT_WRONG_PURPOSE, 0));
CASE(server_eku_for_server, ANCHORS(ROOT_A), SENT(LEAF_SERVER), SERVER("good.test"),
     BY(ROOT_A, 1));
CASE(any_eku, ANCHORS(ROOT_A), SENT(LEAF_ANY_EKU), CLIENT, REFUSED(KT_WRONG_PURPOSE, 0));
CASE(empty_eku, ANCHORS(ROOT_A), SENT(LEAF_EMPTY_EKU), CLIENT, REFUSED(KT_WRONG_PURPOSE, 0));
CASE(no_eku_for_client, ANCHORS(ROOT_A), SENT(LEAF_NO_EKU), CLIENT, BY(ROOT_A, 1));
CASE(no_eku_for_server, ANCHORS(ROOT_A), SENT(LEAF_NO_EKU), SERVER("good.test"), BY(ROOT_A, 1));
CASE(server_gated_crypto, ANCHORS(ROOT_A), SENT(LEAF_SGC), SERVER("good.test"),
     REFUSED(KT_WRONG_PURPOSE, 0), .stock = STOCK_ACCEPTS);
CASE(issuer_eku, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_SERVERS, INT_SERVERS), CLIENT,
     REFUSED(KT_WRONG_PURPOSE, 1));
CASE(issuer_eku_kept, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_SERVERS, INT_SERVERS),
     SERVER("good.test"), BY(ROOT_A, 2));
CASE(issuer_any_eku, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_ANY_EKU, INT_ANY_EKU), CLIENT,
     REFUSED(KT_WRONG_PURPOSE, 1));
CASE(issuer_empty_eku, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_EMPTY_EKU, INT_EMPTY_EKU), CLIENT,
     REFUSED(KT_WRONG_PURPOSE, 1));
CASE(anchor_eku, ANCHORS(ROOT_CLIENTS), SENT(LEAF_OF_ROOT_CLIENTS), SERVER("good.test"),
     REFUSED(KT_WRONG_PURPOSE, 1));
CASE(anchor_eku_kept, ANCHORS(ROOT_CLIENTS), SENT(LEAF_OF_ROOT_CLIENTS), CLIENT,
     BY(ROOT_CLIENTS, 1));
CASE(no_key_usage, ANCHORS(ROOT_A), SENT(LEAF_NO_KU), CLIENT, BY(ROOT_A, 1));
CASE(key_agreement_only, ANCHORS(ROOT_A), SENT(LEAF_KEY_AGREEMENT), CLIENT,
     REFUSED(KT_WRONG_PURPOSE, 0), .stock = STOCK_ACCEPTS);
CASE(key_encipherment_only, ANCHORS(ROOT_A), SENT(LEAF_KEY_ENCIPHERMENT), SERVER("good.test"),
     REFUSED(KT_WRONG_PURPOSE, 0), .stock = STOCK_ACCEPTS);
CASE(ca_as_leaf, ANCHORS(ROOT_A), SENT(LEAF_CA), CLIENT, REFUSED(KT_CA_AS_LEAF, 0),
     .stock = STOCK_ACCEPTS);
CASE(root_as_leaf, ANCHORS(ROOT_A), SENT(ROOT_A), CLIENT, REFUSED(KT_CA_AS_LEAF, 0));

/* ---- Extensions and form ------------------------------------------------------------------- */

CASE(leaf_critical, ANCHORS(ROOT_A), SENT(LEAF_CRITICAL), CLIENT,
     REFUSED(KT_UNKNOWN_CRITICAL, 0));
CASE(issuer_critical, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_CRITICAL, INT_CRITICAL), CLIENT,
     REFUSED(KT_UNKNOWN_CRITICAL, 1));
CASE(anchor_critical, ANCHORS(ROOT_CRITICAL), SENT(LEAF_OF_ROOT_CRITICAL), CLIENT,
     REFUSED(KT_UNKNOWN_CRITICAL, 1));
CASE(leaf_v1_as_client, ANCHORS(ROOT_A), SENT(LEAF_V1), CLIENT, BY(ROOT_A, 1));
CASE(leaf_v1_with_extensions, ANCHORS(ROOT_A), SENT(LEAF_V1_EXTENDED), CLIENT,
     REFUSED(KT_MALFORMED, 0), .stock = STOCK_ACCEPTS);

/* ---- Strength ------------------------------------------------------------------------------ */

CASE(rsa2048, ANCHORS(ROOT_RSA2048), SENT(LEAF_OF_ROOT_RSA2048), CLIENT, BY(ROOT_RSA2048, 1));
CASE(leaf_rsa2048, ANCHORS(ROOT_A), SENT(LEAF_RSA2048), CLIENT, BY(ROOT_A, 1));
CASE(leaf_rsa1024, ANCHORS(ROOT_A), SENT(LEAF_RSA1024), CLIENT, REFUSED(KT_WEAK_ALGORITHM, 0));
CASE(issuer_rsa1024, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_RSA1024, INT_RSA1024), CLIENT,
     REFUSED(KT_WEAK_ALGORITHM, 1));
CASE(anchor_rsa1024, ANCHORS(ROOT_RSA1024), SENT(LEAF_OF_ROOT_RSA1024), CLIENT,
     REFUSED(KT_WEAK_ALGORITHM, 1));
CASE(leaf_sha1, ANCHORS(ROOT_A), SENT(LEAF_SHA1), CLIENT, REFUSED(KT_WEAK_ALGORITHM, 0));
CASE(issuer_sha1, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_SHA1, INT_SHA1), CLIENT,
     REFUSED(KT_WEAK_ALGORITHM, 1));
/* Nobody relies on an anchor's own signature. */
CASE(anchor_sha1, ANCHORS(ROOT_SHA1), SENT(LEAF_OF_ROOT_SHA1), CLIENT, BY(ROOT_SHA1, 1));
CASE(leaf_ed25519, ANCHORS(ROOT_A), SENT(LEAF_ED25519), CLIENT, BY(ROOT_A, 1));
CASE(issuer_ed25519, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_ED25519, INT_ED25519), CLIENT,
     BY(ROOT_A, 2));

/* ---- Name constraints ---------------------------------------------------------------------- */

CASE(permitted, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_PERMIT, INT_PERMIT), CLIENT, BY(ROOT_A, 2));
CASE(not_permitted, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_PERMIT_OTHER, INT_PERMIT), CLIENT,
     REFUSED(KT_NAME_CONSTRAINT, 0));
CASE(not_permitted_asked_for_another, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_PERMIT_OTHER, INT_PERMIT),
     SERVER("other.test"), REFUSED(KT_NAME_CONSTRAINT, 0));
CASE(permitted_address, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_PERMIT_IP, INT_PERMIT_IP), CLIENT,
     BY(ROOT_A, 2));
CASE(address_not_permitted, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_PERMIT_IP_OTHER, INT_PERMIT_IP),
     CLIENT, REFUSED(KT_NAME_CONSTRAINT, 0));
CASE(wildcard_around_excluded, ANCHORS(ROOT_A), SENT(LEAF_OF_INT_EXCLUDE_WILD, INT_EXCLUDE),
     SERVER("secret.good.test"), REFUSED(KT_NAME_CONSTRAINT, 0), .stock = STOCK_ACCEPTS);
CASE(wildcard_beside_excluded, ANCHORS(ROOT_A),
     SENT(LEAF_OF_INT_EXCLUDE_OTHER_WILD, INT_EXCLUDE), SERVER("secret.other.test"), BY(ROOT_A, 2));
CASE(constraints_in_leaf, ANCHORS(ROOT_A), SENT(LEAF_CONSTRAINED), CLIENT,
     REFUSED(KT_NAME_CONSTRAINT, 0), .stock = STOCK_ACCEPTS);

/* ---- Names --------------------------------------------------------------------------------- */

CASE(name, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("good.test"), BY(ROOT_A, 1));
CASE(name_in_capitals, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("GOOD.Test"), BY(ROOT_A, 1));
CASE(name_with_final_dot, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("good.test."), BY(ROOT_A, 1),
     .stock = STOCK_REFUSES);
CASE(name_for_client, ANCHORS(ROOT_A), SENT(LEAF_A), CLIENT, .name_type = KT_NAME_DNS,
     .name = "good.test", BY(ROOT_A, 1));
CASE(other_name_for_client, ANCHORS(ROOT_A), SENT(LEAF_A), CLIENT, .name_type = KT_NAME_DNS,
     .name = "bad.test", REFUSED(KT_NAME_MISMATCH, 0));
CASE(other_name, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("bad.test"), REFUSED(KT_NAME_MISMATCH, 0));
CASE(subdomain, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("a.good.test"),
     REFUSED(KT_NAME_MISMATCH, 0));
/* To X509_check_host this is "any subdomain of". */
CASE(leading_dot, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER(".wild.test"),
     REFUSED(KT_NAME_MISMATCH, 0), .stock = STOCK_ACCEPTS);
CASE(empty_name, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER(""), REFUSED(KT_NAME_MISMATCH, 0),
     .stock = STOCK_ACCEPTS);
CASE(null_name, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER(NULL), REFUSED(KT_NAME_MISMATCH, 0),
     .stock = STOCK_ACCEPTS);
CASE(server_without_name, ANCHORS(ROOT_A), SENT(LEAF_A), .role = KT_ROLE_SERVER,
     REFUSED(KT_NAME_MISMATCH, 0), .stock = STOCK_ACCEPTS);
CASE(wildcard, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("x.wild.test"), BY(ROOT_A, 1));
CASE(wildcard_bare, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("wild.test"),
     REFUSED(KT_NAME_MISMATCH, 0));
CASE(wildcard_two_labels, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("x.y.wild.test"),
     REFUSED(KT_NAME_MISMATCH, 0));
CASE(wildcard_asked_for, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("*.wild.test"),
     REFUSED(KT_NAME_MISMATCH, 0), .stock = STOCK_ACCEPTS);
CASE(wildcard_inside_label, ANCHORS(ROOT_A), SENT(LEAF_PARTIAL), SERVER("www.wild.test"),
     REFUSED(KT_NAME_MISMATCH, 0), .stock = STOCK_ACCEPTS);
CASE(common_name_is_no_name, ANCHORS(ROOT_A), SENT(LEAF_CN_ONLY), SERVER("good.test"),
     REFUSED(KT_NAME_MISMATCH, 0), .stock = STOCK_ACCEPTS);
CASE(common_name_beside_other_san, ANCHORS(ROOT_A), SENT(LEAF_EMAIL_URI), SERVER("good.test"),
     REFUSED(KT_NAME_MISMATCH, 0), .stock = STOCK_ACCEPTS);
CASE(address_v4, ANCHORS(ROOT_A), SENT(LEAF_A), ADDRESS("192.0.2.1"), BY(ROOT_A, 1));
CASE(address_v6, ANCHORS(ROOT_A), SENT(LEAF_A), ADDRESS("2001:DB8:0::1"), BY(ROOT_A, 1));
CASE(address_other, ANCHORS(ROOT_A), SENT(LEAF_A), ADDRESS("192.0.2.2"),
     REFUSED(KT_NAME_MISMATCH, 0));
CASE(address_as_host, ANCHORS(ROOT_A), SENT(LEAF_A), SERVER("192.0.2.1"),
     REFUSED(KT_NAME_MISMATCH, 0));
CASE(host_as_address, ANCHORS(ROOT_A), SENT(LEAF_A), ADDRESS("good.test"),
     REFUSED(KT_NAME_MISMATCH, 0), .stock = STOCK_ACCEPTS);

TEST_HARNESS_MAIN
