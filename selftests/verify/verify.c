/* SPDX-License-Identifier: BSD-2-Clause */
/* How a verifier behaves over time, and over processes; verdicts as such: cases. */
#include "verifier.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "../../src/verify/library.h"
#include "../../src/verify/x509.h"
#include "../../src/verify/x509_der.h"

/* ---- Snapshots ------------------------------------------------------------------------------- */

TEST_F(verifier, no_snapshot_means_no_anchors)
{
	static const uint8_t zeros[KT_DIGEST_LEN];

	EXPECT_EQ(KT_NO_ANCHORS, ask(self, NULL, LIST(LEAF_A)));
	EXPECT_EQ(-1, self->verdict.depth);
	EXPECT_EQ(0, self->verdict.pool_version);
	EXPECT_EQ(0, memcmp(zeros, self->verdict.pool_digest, sizeof zeros));
	EXPECT_EQ(KT_NO_ANCHORS,
		  kt_verify(self->verifier, NULL, NULL, &self->query, &self->verdict));
	EXPECT_EQ(KT_NO_ANCHORS,
		  kt_verify_x509(self->verifier, NULL, NULL, NULL, &self->query, &self->verdict));
}

TEST_F(verifier, no_chain_means_no_certificate)
{
	EXPECT_EQ(KT_NO_CERTIFICATE,
		  kt_verify(self->verifier, self->a, NULL, &self->query, &self->verdict));
	EXPECT_EQ(1, self->verdict.pool_version);
	EXPECT_EQ(KT_NO_CERTIFICATE, kt_verify_x509(self->verifier, self->a, NULL, NULL,
						    &self->query, &self->verdict));
}

TEST_F(verifier, a_warm_cache_accepts_nobody_the_snapshot_does_not_know)
{
	for (int round = 0; round < 3; round++) {
		EXPECT_EQ(KT_ACCEPTED, ask(self, self->a, LIST(LEAF_A)));
		EXPECT_EQ(1, self->verdict.pool_version);
		EXPECT_EQ(KT_UNKNOWN_ISSUER, ask(self, self->b, LIST(LEAF_A)));
		EXPECT_EQ(2, self->verdict.pool_version);
		EXPECT_EQ(KT_SELF_SIGNED, ask(self, self->b, LIST(LEAF_A, ROOT_A)));
		EXPECT_EQ(KT_ACCEPTED, ask(self, self->b, LIST(LEAF_B)));
		EXPECT_EQ(KT_UNKNOWN_ISSUER, ask(self, self->a, LIST(LEAF_B)));
	}
}

TEST_F(verifier, a_warm_cache_does_not_stand_in_for_a_twin)
{
	struct kt_snapshot *twin = world_snapshot(&self->world, LIST(ROOT_PLAIN_TWIN), NO_LIMIT, 4);
	struct kt_snapshot *plain = world_snapshot(&self->world, LIST(ROOT_PLAIN), NO_LIMIT, 3);

	for (int round = 0; round < 3; round++) {
		EXPECT_EQ(KT_ACCEPTED, ask(self, plain, LIST(LEAF_OF_ROOT_PLAIN)));
		EXPECT_EQ(KT_BAD_SIGNATURE, ask(self, twin, LIST(LEAF_OF_ROOT_PLAIN)));
	}
	kt_snapshot_free(twin);
	kt_snapshot_free(plain);
}

/* More anchors than the cache has slots, so that every slot changes hands. */
TEST_F(verifier, a_full_cache_changes_no_verdict)
{
	enum { ROOTS = 300, ROUNDS = 2 };
	struct pki *pki = self->world.pki;
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot;
	struct kt_der leaves[ROOTS];
	struct kt_error error;

	for (int i = 0; i < ROOTS; i++) {
		const struct pki_cert *root, *leaf;
		char cn[32];

		snprintf(cn, sizeof cn, "Root %d", i);
		root = pki_make_ca(pki, NULL, cn);
		leaf = pki_make_leaf(pki, root, "leaf", "leaf.test", "clientAuth");
		leaves[i] = (struct kt_der){leaf->der, leaf->der_len};
		ASSERT_EQ(0, kt_anchor_set_add_der(set, root->der, root->der_len, cn, 0, &error));
	}
	ASSERT_EQ(0, kt_snapshot_build(set, "many", "made", 9, &snapshot, &error));
	kt_anchor_set_free(set);
	for (int i = 0; i < ROOTS * ROUNDS; i++) {
		struct kt_chain chain = {&leaves[i % ROOTS], 1};
		char cn[32];

		snprintf(cn, sizeof cn, "Root %d", i % ROOTS);
		ASSERT_EQ(KT_ACCEPTED, kt_verify(self->verifier, snapshot, &chain, &self->query,
						 &self->verdict));
		ASSERT_STREQ(cn, self->verdict.anchor_name);
		ASSERT_EQ(KT_UNKNOWN_ISSUER,
			  kt_verify(self->verifier, self->a, &chain, &self->query, &self->verdict));
	}
	kt_snapshot_free(snapshot);
}

/* Snapshots order anchors by fingerprint, which is chance: go on until both orders were met. */
TEST_F(verifier, twins_are_told_apart_in_both_orders)
{
	bool met[2] = {false, false};

	for (int tries = 0; tries < 64 && !(met[0] && met[1]); tries++) {
		struct world world;
		struct kt_snapshot *twins;
		struct kt_anchor first;
		struct kt_der der;
		struct kt_chain chain = {&der, 1};
		const struct pki_cert *right;

		world_init(&world);
		twins = world_snapshot(&world, LIST(ROOT_PLAIN, ROOT_PLAIN_TWIN), NO_LIMIT, 1);
		right = world_cert(&world, ROOT_PLAIN);
		ASSERT_EQ(0, kt_snapshot_anchor(twins, 0, &first));
		met[first.der_len == right->der_len &&
		    !memcmp(first.der, right->der, first.der_len)] = true;
		world_chain(&world, LIST(LEAF_OF_ROOT_PLAIN), 1, &der);
		EXPECT_EQ(KT_ACCEPTED,
			  kt_verify(self->verifier, twins, &chain, &self->query, &self->verdict));
		kt_snapshot_free(twins);
		world_free(&world);
	}
	EXPECT_TRUE(met[0] && met[1]);
}

/* A wrong key costs one signature, so that many of a name leave room for the right one. */
TEST_F(verifier, the_right_key_is_found_among_forty_of_its_name)
{
	struct pki *pki = self->world.pki;
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot;
	struct kt_error error;
	const struct pki_cert *leaf = NULL;
	struct pki_options options = {.cn = "Dev", .ca = true, .no_akid = true, .no_skid = true};

	for (int i = 0; i < 40; i++) {
		const struct pki_cert *root = pki_make(pki, NULL, &options);

		ASSERT_EQ(0,
			  kt_anchor_set_add_der(set, root->der, root->der_len, "dev", 0, &error));
		leaf = pki_make_leaf(pki, root, "leaf", "leaf.test", "clientAuth");
	}
	ASSERT_EQ(0, kt_snapshot_build(set, "dev", "made", 1, &snapshot, &error));
	kt_anchor_set_free(set);
	struct kt_der der = {leaf->der, leaf->der_len};
	struct kt_chain chain = {&der, 1};

	EXPECT_EQ(KT_ACCEPTED,
		  kt_verify(self->verifier, snapshot, &chain, &self->query, &self->verdict));
	kt_snapshot_free(snapshot);
}

/* One of more keys than are tried could have been the right one: that is said. */
TEST_F(verifier, a_key_that_was_not_tried_is_told)
{
	struct pki *pki = self->world.pki;
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct pki_options options = {.cn = "Dev", .ca = true, .no_akid = true, .no_skid = true};
	const struct pki_cert *leaf =
		pki_make_leaf(pki, pki_make(pki, NULL, &options), "leaf", NULL, "clientAuth");
	struct kt_der der = {leaf->der, leaf->der_len};
	struct kt_chain chain = {&der, 1};
	struct kt_snapshot *snapshot;

	for (int i = 0; i < 70; i++) {
		const struct pki_cert *root = pki_make(pki, NULL, &options);

		ASSERT_EQ(0, kt_anchor_set_add_der(set, root->der, root->der_len, "", 0, NULL));
	}
	ASSERT_EQ(0, kt_snapshot_build(set, "dev", "made", 1, &snapshot, NULL));
	EXPECT_EQ(KT_TOO_COMPLEX,
		  kt_verify(self->verifier, snapshot, &chain, &self->query, &self->verdict));
	EXPECT_STREQ("too_many_signatures", self->verdict.rule->name);
	kt_snapshot_free(snapshot);
	kt_anchor_set_free(set);
}

/* Who forges chains cannot have names compared with constraints, policies followed, hosts looked
 * up. */
TEST_F(verifier, what_nobody_signed_costs_no_names)
{
	struct pki *pki = self->world.pki;
	const struct pki_cert *root = world_cert(&self->world, ROOT_A);
	struct pki_options options = {.cn = "Int",
				      .ca = true,
				      .no_skid = true,
				      .name_constraints = "excluded;DNS:l.test"};
	const struct pki_cert *intermediate = pki_make(pki, root, &options);
	const struct pki_cert *forger = pki_make(pki, NULL, &options);
	const struct pki_cert *leaf = pki_make(
		pki, forger, &(struct pki_options){.cn = "l", .dns = {"l.test"}, .no_akid = true});
	const struct pki_cert *honest =
		pki_make(pki, intermediate,
			 &(struct pki_options){.cn = "l", .dns = {"l.test"}, .no_akid = true});
	struct kt_der der[] = {{leaf->der, leaf->der_len},
			       {intermediate->der, intermediate->der_len}};
	struct kt_chain chain = {der, 2};

	EXPECT_EQ(KT_BAD_SIGNATURE,
		  kt_verify(self->verifier, self->a, &chain, &self->query, &self->verdict));
	der[0] = (struct kt_der){honest->der, honest->der_len};
	EXPECT_EQ(KT_NAME_CONSTRAINT,
		  kt_verify(self->verifier, self->a, &chain, &self->query, &self->verdict));
}

TEST_F(verifier, certificates_without_bytes_are_malformed)
{
	struct kt_der der[] = {{NULL, 5}, {NULL, 0}};
	struct kt_chain chain = {der, 1};
	struct kt_verify_cache *cache;
	struct kt_verifier *verifier;

	ASSERT_EQ(0, kt_verify_cache_new(NULL, &cache));
	verifier = kt_verifier_new(&(struct kt_verifier_options){.cache = cache});
	ASSERT_NE(NULL, verifier);
	EXPECT_EQ(KT_MALFORMED, kt_verify(verifier, self->a, &chain, &self->query, &self->verdict));
	EXPECT_EQ(0, self->verdict.depth);
	chain.count = 2;
	world_chain(&self->world, LIST(LEAF_A), 1, der);
	EXPECT_EQ(KT_MALFORMED, kt_verify(verifier, self->a, &chain, &self->query, &self->verdict));
	EXPECT_EQ(1, self->verdict.depth);
	kt_verifier_free(verifier);
	kt_verify_cache_free(cache);
}

/* All issuers of all: the search is cut, named, and quick. */
TEST_F(verifier, a_maze_of_certificates_is_cut)
{
	struct pki *pki = self->world.pki;
	struct pki_options options = {.cn = "Maze", .ca = true, .no_akid = true, .no_skid = true};
	const struct pki_cert *above = pki_make(
		pki, NULL, &(struct pki_options){.cn = "Above", .ca = true, .no_skid = true});
	struct kt_der der[KT_CHAIN_MAX];
	struct kt_chain chain = {der, KT_CHAIN_MAX};
	const struct pki_cert *cert = pki_make(pki, above, &options), *leaf;

	leaf = pki_make_leaf(pki, cert, "leaf", "leaf.test", "clientAuth");
	der[0] = (struct kt_der){leaf->der, leaf->der_len};
	for (int i = 1; i < KT_CHAIN_MAX; i++) {
		/* Its key identifier keeps OpenSSL from calling it self-signed. */
		options.serial = (uint64_t)i;
		options.key_of = cert;
		cert = pki_make(pki, i % 2 ? above : cert, &options);
		der[i] = (struct kt_der){cert->der, cert->der_len};
	}
	EXPECT_NE(KT_ACCEPTED,
		  kt_verify(self->verifier, self->a, &chain, &self->query, &self->verdict));
	EXPECT_LT(self->verdict.duration_ns, UINT64_C(5000000000));
}

/* A search gone wrong: the last check stands by itself. */
TEST_F(verifier, an_anchor_outside_the_snapshot_fails_closed)
{
	uint8_t fingerprint[KT_DIGEST_LEN];
	struct kt_library_path path = {.certs = {world_cert(&self->world, LEAF_A)->x509},
				       .count = 1,
				       .anchor = world_cert(&self->world, ROOT_A)->x509,
				       .fingerprint = fingerprint};
	struct kt_library library;
	unsigned int len;

	X509_digest(path.anchor, EVP_sha256(), fingerprint, &len);
	ASSERT_EQ(0, kt_library_init(&library));
	EXPECT_EQ(KT_ACCEPTED, kt_library_check(&library, &path, self->a, &self->query).code);
	EXPECT_EQ(KT_INTERNAL, kt_library_check(&library, &path, self->b, &self->query).code);
	/* The decoded anchor is not the one the snapshot was asked for. */
	fingerprint[0] ^= 1;
	EXPECT_EQ(KT_INTERNAL, kt_library_check(&library, &path, self->a, &self->query).code);
	kt_library_fini(&library);
}

/*
 * libssl checks CertificateVerify with the key it decoded. Here it holds another one than the bytes
 * have: by OpenSSL's own means, which leave the bytes it keeps of the certificate alone.
 */
TEST_F(verifier, a_key_that_is_not_the_one_in_the_bytes_is_malformed)
{
	X509 *leaf = X509_dup(world_cert(&self->world, LEAF_A)->x509);
	X509_PUBKEY *held = X509_get_X509_PUBKEY(leaf);
	X509_PUBKEY *other = X509_get_X509_PUBKEY(world_cert(&self->world, LEAF_B)->x509);
	const uint8_t *bytes;
	uint8_t *copy;
	int len;

	EXPECT_EQ(KT_ACCEPTED, kt_verify_x509(self->verifier, self->a, leaf, NULL, &self->query,
					      &self->verdict));
	ASSERT_EQ(1, X509_PUBKEY_get0_param(NULL, &bytes, &len, NULL, other));
	copy = OPENSSL_memdup(bytes, (size_t)len);
	ASSERT_EQ(1,
		  X509_PUBKEY_set0_param(held, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
					 OBJ_nid2obj(NID_X9_62_prime256v1), copy, len));
	EXPECT_EQ(KT_MALFORMED, kt_verify_x509(self->verifier, self->a, leaf, NULL, &self->query,
					       &self->verdict));
	EXPECT_EQ(0, self->verdict.depth);
	EXPECT_EQ(1, self->verdict.pool_version);
	/* Bytes that are kept are not compared again. */
	EXPECT_FALSE(kt_x509_keep_der(leaf));
	EXPECT_NULL(kt_x509_kept_der(leaf).data);
	X509_free(leaf);
}

/* ---- What a verdict carries ------------------------------------------------------------------ */

TEST_F(verifier, the_duration_is_taken)
{
	ask(self, self->a, LIST(LEAF_A));
	EXPECT_GT(self->verdict.duration_ns, 1000);
	EXPECT_LT(self->verdict.duration_ns, UINT64_C(10000000000));
}

TEST_F(verifier, the_error_queue_is_empty_afterwards)
{
	static const enum cert leaves[] = {LEAF_A, LEAF_B, LEAF_OLD, LEAF_CRITICAL,
					   LEAF_OF_ROOT_PLAIN};

	for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
		/* Of another's making: neither kept nor misread */
		ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
		EXPECT_NE(KT_INTERNAL, ask(self, self->a, LIST(leaves[i])));
		EXPECT_EQ(0, ERR_peek_error());
	}
	ask_bytes(self, (const uint8_t *)"junk", 4);
	EXPECT_EQ(0, ERR_peek_error());
}

static void expect_anchor_name(FIXTURE_DATA(verifier) * self, const struct pki_options *options,
			       const char *expected)
{
	struct pki *pki = self->world.pki;
	const struct pki_cert *root = pki_make(pki, NULL, options);
	const struct pki_cert *leaf = pki_make_leaf(pki, root, "leaf", "leaf.test", "clientAuth");
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot;
	struct kt_error error;
	struct kt_der der = {leaf->der, leaf->der_len};
	struct kt_chain chain = {&der, 1};

	ASSERT_EQ(0, kt_anchor_set_add_der(set, root->der, root->der_len, "root", 0, &error));
	ASSERT_EQ(0, kt_snapshot_build(set, "name", "made", 1, &snapshot, &error));
	kt_anchor_set_free(set);
	EXPECT_EQ(KT_ACCEPTED,
		  kt_verify(self->verifier, snapshot, &chain, &self->query, &self->verdict));
	EXPECT_STREQ(expected, self->verdict.anchor_name);
	kt_snapshot_free(snapshot);
}

TEST_F(verifier, an_anchors_name_is_printable)
{
	expect_anchor_name(self, &(struct pki_options){.cn = "Plain", .ca = true}, "Plain");
	expect_anchor_name(self, &(struct pki_options){.cn = "Főtanúsítvány", .ca = true},
			   "Főtanúsítvány");
	expect_anchor_name(self, &(struct pki_options){.cn = "a\033[2Jb\x7f\nc", .ca = true},
			   "a?[2Jb??c");
	expect_anchor_name(self, &(struct pki_options){.cn = "c1\302\233x", .ca = true}, "c1?x");
	expect_anchor_name(self, &(struct pki_options){.org = "An Org", .ca = true}, "An Org");
	/* 64 bytes do not fit, and the cut falls inside a character. */
	expect_anchor_name(self,
			   &(struct pki_options){.cn = "12345678901234567890123456789012345678901"
						       "234567890123456789012ő",
						 .ca = true},
			   "12345678901234567890123456789012345678901234567890123456789012");
}

/* ---- Decoded certificates -------------------------------------------------------------------- */

TEST_F(verifier, decoded_certificates_get_the_same_verdicts)
{
	struct world *world = &self->world;
	STACK_OF(X509) *sent = sk_X509_new_null();
	X509 *leaf = world_cert(world, LEAF_INT_A)->x509;

	/* As libssl has it: the leaf is in the list too. */
	sk_X509_push(sent, leaf);
	sk_X509_push(sent, world_cert(world, INT_A)->x509);
	EXPECT_EQ(KT_ACCEPTED, kt_verify_x509(self->verifier, self->a, leaf, sent, &self->query,
					      &self->verdict));
	EXPECT_EQ(2, self->verdict.depth);
	EXPECT_EQ(KT_UNKNOWN_ISSUER, kt_verify_x509(self->verifier, self->b, leaf, sent,
						    &self->query, &self->verdict));
	EXPECT_EQ(1, self->verdict.depth);
	EXPECT_EQ(KT_UNKNOWN_ISSUER, kt_verify_x509(self->verifier, self->a, leaf, NULL,
						    &self->query, &self->verdict));
	while (sk_X509_num(sent) <= KT_CHAIN_MAX)
		sk_X509_push(sent, leaf);
	EXPECT_EQ(KT_CHAIN_TOO_LONG, kt_verify_x509(self->verifier, self->a, leaf, sent,
						    &self->query, &self->verdict));
	sk_X509_free(sent);
}

TEST_F(verifier, freeing_nothing_is_fine)
{
	kt_verifier_free(NULL);
}

/* ---- Another process ------------------------------------------------------------------------- */

static void verify_mapped(int image, int out, const struct kt_chain *chain,
			  const struct kt_query *query)
{
	struct kt_verifier *verifier = kt_verifier_new(NULL);
	struct kt_verdict verdict;
	struct kt_snapshot *mapped;
	struct kt_error error;

	ASSERT_NE(NULL, verifier);
	ASSERT_EQ(0, kt_snapshot_map(image, &mapped, &error));
	memset(&verdict, 0, sizeof verdict);
	kt_verify(verifier, mapped, chain, query, &verdict);
	ASSERT_EQ(sizeof verdict, (size_t)write(out, &verdict, sizeof verdict));
	kt_verifier_free(verifier);
	kt_snapshot_free(mapped);
}

static void expect_equal(const struct kt_verdict *here, const struct kt_verdict *there)
{
	EXPECT_EQ(here->code, there->code);
	EXPECT_EQ(here->depth, there->depth);
	EXPECT_EQ(here->pool_version, there->pool_version);
	EXPECT_EQ(0, memcmp(here->pool_digest, there->pool_digest, KT_DIGEST_LEN));
	EXPECT_EQ(0, memcmp(here->anchor, there->anchor, KT_DIGEST_LEN));
	EXPECT_STREQ(here->anchor_name, there->anchor_name);
}

/* Only the memfd goes over: the child drops its copy of the snapshot before it maps the image. */
static void ask_child(FIXTURE_DATA(verifier) * self, const enum cert *certs,
		      struct kt_verdict *ret_verdict)
{
	struct kt_der der[KT_CHAIN_MAX];
	struct kt_chain chain = {der, world_chain(&self->world, certs, KT_CHAIN_MAX, der)};
	int image = kt_snapshot_to_memfd(self->a), pipe_fds[2], status;
	pid_t child;

	ASSERT_LE(0, image);
	ASSERT_EQ(0, pipe(pipe_fds));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		kt_snapshot_free(self->a);
		kt_snapshot_free(self->b);
		verify_mapped(image, pipe_fds[1], &chain, &self->query);
		_exit(0);
	}
	close(image);
	close(pipe_fds[1]);
	ASSERT_EQ(sizeof *ret_verdict, (size_t)read(pipe_fds[0], ret_verdict, sizeof *ret_verdict));
	close(pipe_fds[0]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
}

TEST_F(verifier, a_mapped_copy_in_another_process_gives_the_same_verdicts)
{
	static const struct {
		enum cert sent[3];
		enum kt_verdict_code code;
	} cases[] = {
		{{LEAF_A}, KT_ACCEPTED},
		{{LEAF_INT_A, INT_A}, KT_ACCEPTED},
		{{LEAF_B}, KT_UNKNOWN_ISSUER},
		{{LEAF_OLD}, KT_EXPIRED},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kt_verdict there;

		EXPECT_EQ(cases[i].code, ask(self, self->a, cases[i].sent));
		ask_child(self, cases[i].sent, &there);
		expect_equal(&self->verdict, &there);
	}
}

TEST_HARNESS_MAIN
