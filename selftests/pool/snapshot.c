/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots built from anchor sets, and what is read from them. */
#include "roots.h"

#include <errno.h>
#include <time.h>

#include <openssl/evp.h>

FIXTURE(snapshot)
{
	struct roots roots;
};

FIXTURE_SETUP(snapshot)
{
	roots_init(&self->roots);
}

FIXTURE_TEARDOWN(snapshot)
{
	roots_fini(&self->roots);
}

static struct kt_snapshot *build_from(struct kt_anchor_set *set)
{
	struct kt_snapshot *snapshot = build(set, 1);

	kt_anchor_set_free(set);
	return snapshot;
}

static struct kt_snapshot_info describe(const struct kt_snapshot *snapshot)
{
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	return info;
}

static bool same_digest(const struct kt_snapshot *a, const struct kt_snapshot *b)
{
	return memcmp(describe(a).digest, describe(b).digest, KT_DIGEST_LEN) == 0;
}

static struct kt_anchor anchor_at(const struct kt_snapshot *snapshot, size_t index)
{
	struct kt_anchor anchor = {0};

	ASSERT_EQ(0, kt_snapshot_anchor(snapshot, index, &anchor));
	return anchor;
}

/* ---- Building ------------------------------------------------------------------------------ */

TEST_F(snapshot, says_what_it_was_built_from)
{
	struct timespec before, after;
	struct kt_snapshot_info info;
	struct kt_snapshot *snapshot;

	clock_gettime(CLOCK_REALTIME, &before);
	snapshot = build_from(roots_set(&self->roots, 1, 3));
	clock_gettime(CLOCK_REALTIME, &after);
	info = describe(snapshot);
	EXPECT_STREQ("clients", info.pool);
	EXPECT_STREQ("file:roots.pem", info.source);
	EXPECT_EQ(1, info.version);
	EXPECT_EQ(3, info.anchors);
	EXPECT_LE((uint64_t)before.tv_sec * 1000000000u + (uint64_t)before.tv_nsec,
		  info.created_ns);
	EXPECT_GE((uint64_t)after.tv_sec * 1000000000u + (uint64_t)after.tv_nsec, info.created_ns);
	kt_snapshot_free(snapshot);
}

static int try_build(struct kt_anchor_set *set, const char *pool, const char *source,
		     uint64_t version)
{
	struct kt_snapshot *snapshot = NULL;
	struct kt_error error = {0};
	int ret = kt_snapshot_build(set, pool, source, version, &snapshot, &error);

	EXPECT_EQ(-ret, error.err);
	EXPECT_EQ(ret == 0, snapshot != NULL);
	kt_snapshot_free(snapshot);
	return ret;
}

TEST_F(snapshot, names_of_pools_are_checked)
{
	static const char *const good[] = {"a", "A.b-c_9", "_", "9",
					   "1234567890123456789012345678901"};
	static const char *const bad[] = {"",	 ".a",	     "-a",
					  "a/b", "a b",	     "a\n",
					  "..",	 "\xc3\xb6", "12345678901234567890123456789012"};
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 1);

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		EXPECT_EQ(0, try_build(set, good[i], "", 1));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_EQ(-EINVAL, try_build(set, bad[i], "", 1));
	kt_anchor_set_free(set);
}

TEST_F(snapshot, version_zero_and_too_long_a_source_are_einval)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 1);
	char source[KT_SOURCE_MAX + 2];

	EXPECT_EQ(-EINVAL, try_build(set, "a", "", 0));
	memset(source, 's', sizeof source);
	source[KT_SOURCE_MAX + 1] = '\0';
	EXPECT_EQ(-EINVAL, try_build(set, "a", source, 1));
	source[KT_SOURCE_MAX] = '\0';
	EXPECT_EQ(0, try_build(set, "a", source, 1));
	kt_anchor_set_free(set);
}

TEST_F(snapshot, of_an_empty_set_is_enodata)
{
	struct kt_anchor_set *set = kt_anchor_set_new();

	ASSERT_NE(NULL, set);
	EXPECT_EQ(-ENODATA, try_build(set, "a", "", 1));
	kt_anchor_set_free(set);
}

TEST_F(snapshot, costs_no_descriptor_and_at_most_256_bytes_an_anchor)
{
	struct kt_snapshot *snapshots[64];
	int before = dup(0);

	close(before);
	for (size_t i = 0; i < 64; i++)
		snapshots[i] = build_from(roots_set(&self->roots, 1, 100));
	EXPECT_EQ(before, dup(0));
	EXPECT_GE(100 * (self->roots.template_len + 256), describe(snapshots[0]).image_len);
	for (size_t i = 0; i < 64; i++)
		kt_snapshot_free(snapshots[i]);
}

TEST_SIGNAL(snapshot_write_faults, SIGSEGV)
{
	struct roots roots;
	struct kt_snapshot *snapshot;

	roots_init(&roots);
	snapshot = build_from(roots_set(&roots, 1, 1));
	*(volatile uint8_t *)snapshot = 0;
}

/* ---- Digest -------------------------------------------------------------------------------- */

static void add_be(EVP_MD_CTX *context, uint64_t value, size_t len)
{
	for (size_t i = len; i > 0; i--) {
		uint8_t byte = (uint8_t)(value >> 8 * (i - 1));

		ASSERT_EQ(1, EVP_DigestUpdate(context, &byte, 1));
	}
}

static void add_anchor(EVP_MD_CTX *context, const struct kt_anchor *anchor)
{
	const struct kt_constraints *limits = &anchor->constraints;
	size_t names_len = strlen(limits->permitted_dns);

	ASSERT_EQ(1, EVP_DigestUpdate(context, anchor->fingerprint, KT_DIGEST_LEN));
	add_be(context, (uint64_t)limits->distrust_after, 8);
	add_be(context, limits->purposes, 4);
	add_be(context, names_len, 4);
	ASSERT_EQ(1, EVP_DigestUpdate(context, limits->permitted_dns, names_len));
}

static struct kt_anchor_set *set_with_all(struct roots *roots)
{
	const struct kt_constraints limits = {KT_PURPOSE_SERVER, -1, "example.org"};
	const struct pki_cert *ca = pki_make_ca(roots->pki, NULL, "Revoker");
	struct pki_der crl = pki_make_crl(ca, &(struct pki_crl){0});
	struct kt_anchor_set *set = roots_set(roots, 1, 20);

	ASSERT_EQ(0, kt_anchor_set_add(set, roots_numbered(roots, 21), roots->template_len, &limits,
				       "", 0, NULL));
	ASSERT_EQ(0, kt_anchor_set_add_crl(set, crl.data, crl.len, "", 0, NULL));
	kt_anchor_set_crl_policy(set, KT_CRL_WARN);
	free(crl.data);
	return set;
}

TEST_F(snapshot, digest_is_that_of_sorted_anchors_with_constraints_then_crls)
{
	struct kt_snapshot *snapshot = build_from(set_with_all(&self->roots));
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t expected[KT_DIGEST_LEN];
	struct kt_crl crl;

	ASSERT_EQ(1, EVP_DigestInit_ex(context, EVP_sha256(), NULL));
	add_be(context, 21, 4);
	add_be(context, 1, 4);
	for (size_t i = 0; i < 21; i++) {
		struct kt_anchor anchor = anchor_at(snapshot, i);
		uint8_t sum[KT_DIGEST_LEN];

		ASSERT_EQ(1, EVP_Digest(anchor.der, anchor.der_len, sum, NULL, EVP_sha256(), NULL));
		EXPECT_EQ(0, memcmp(sum, anchor.fingerprint, sizeof sum));
		if (i > 0)
			EXPECT_GT(0, memcmp(anchor_at(snapshot, i - 1).fingerprint,
					    anchor.fingerprint, KT_DIGEST_LEN));
		add_anchor(context, &anchor);
	}
	add_be(context, KT_CRL_WARN, 4);
	ASSERT_EQ(0, kt_snapshot_crl(snapshot, 0, &crl));
	ASSERT_EQ(1, EVP_DigestUpdate(context, crl.fingerprint, KT_DIGEST_LEN));
	ASSERT_EQ(1, EVP_DigestFinal_ex(context, expected, NULL));
	EXPECT_EQ(0, memcmp(expected, describe(snapshot).digest, sizeof expected));
	EVP_MD_CTX_free(context);
	kt_snapshot_free(snapshot);
}

/* Constraints and CRLs are content: with other ones it is another state. */
TEST_F(snapshot, constraints_and_crls_change_the_digest)
{
	const struct kt_constraints limits = {KT_PURPOSE_ANY, 0, NULL};
	struct kt_anchor_set *set = set_with_all(&self->roots);
	struct kt_snapshot *a = build_from(set_with_all(&self->roots)), *b, *c;

	b = build(set, 1);
	/* the same roots; both revokers were made for themselves */
	EXPECT_FALSE(same_digest(a, b));
	ASSERT_EQ(0, kt_anchor_set_add(set, roots_numbered(&self->roots, 1),
				       self->roots.template_len, &limits, "", 0, NULL));
	c = build(set, 1);
	EXPECT_FALSE(same_digest(b, c));
	kt_snapshot_free(b);
	kt_anchor_set_crl_policy(set, KT_CRL_REFUSE);
	b = build_from(set);
	EXPECT_FALSE(same_digest(b, c));
	kt_snapshot_free(a);
	kt_snapshot_free(b);
	kt_snapshot_free(c);
}

TEST_F(snapshot, digest_depends_on_content_only)
{
	struct kt_anchor_set *backwards = kt_anchor_set_new();
	struct kt_snapshot *a, *b, *c, *d;

	ASSERT_NE(NULL, backwards);
	for (unsigned int i = 20; i > 0; i--)
		add_der(backwards, roots_numbered(&self->roots, i), self->roots.template_len);
	a = build_from(roots_set(&self->roots, 1, 20));
	b = build(backwards, 7);
	kt_anchor_set_free(backwards);
	c = build_from(roots_set(&self->roots, 1, 19));
	d = build_from(roots_set(&self->roots, 2, 21));
	EXPECT_TRUE(same_digest(a, b));
	EXPECT_FALSE(same_digest(a, c));
	EXPECT_FALSE(same_digest(a, d));
	kt_snapshot_free(a);
	kt_snapshot_free(b);
	kt_snapshot_free(c);
	kt_snapshot_free(d);
}

TEST_F(snapshot, identity_outlives_a_new_issue_but_not_a_new_key)
{
	struct pki *pki = self->roots.pki;
	const struct pki_cert *root = pki_make_ca(pki, NULL, "Root");
	const struct pki_cert *again = pki_make(
		pki, NULL, &(struct pki_options){.cn = "Root", .ca = true, .key_of = root});
	const struct pki_cert *rekeyed = pki_make_ca(pki, NULL, "Root");
	const struct pki_cert *certs[] = {root, again, rekeyed};
	/* no date, any purpose */
	static const uint8_t unlimited[] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0,    0,    0,	  3};
	uint8_t identities[3][KT_DIGEST_LEN];

	for (size_t i = 0; i < 3; i++) {
		struct kt_anchor_set *set = kt_anchor_set_new();
		struct kt_snapshot *snapshot;
		struct kt_anchor anchor;
		uint8_t sum[KT_DIGEST_LEN];
		uint8_t both[4096];

		ASSERT_NE(NULL, set);
		add_cert(set, certs[i]);
		snapshot = build_from(set);
		anchor = anchor_at(snapshot, 0);
		ASSERT_GE(sizeof both, anchor.subject_len + anchor.spki_len + sizeof unlimited);
		memcpy(both, anchor.subject, anchor.subject_len);
		memcpy(both + anchor.subject_len, anchor.spki, anchor.spki_len);
		memcpy(both + anchor.subject_len + anchor.spki_len, unlimited, sizeof unlimited);
		ASSERT_EQ(1,
			  EVP_Digest(both, anchor.subject_len + anchor.spki_len + sizeof unlimited,
				     sum, NULL, EVP_sha256(), NULL));
		EXPECT_EQ(0, memcmp(sum, anchor.identity, sizeof sum));
		memcpy(identities[i], anchor.identity, KT_DIGEST_LEN);
		kt_snapshot_free(snapshot);
	}
	EXPECT_EQ(0, memcmp(identities[0], identities[1], KT_DIGEST_LEN));
	EXPECT_NE(0, memcmp(identities[0], identities[2], KT_DIGEST_LEN));
}

/* ---- CRLs and key identifiers -------------------------------------------------------------- */

TEST_F(snapshot, finds_crls_by_issuer)
{
	struct pki *pki = self->roots.pki;
	const struct pki_cert *a = pki_make_ca(pki, NULL, "A"), *b = pki_make_ca(pki, NULL, "B");
	struct pki_der crls[] = {pki_make_crl(a, &(struct pki_crl){.next_update = 100}),
				 pki_make_crl(b, &(struct pki_crl){.no_next_update = true}),
				 pki_make_crl(a, &(struct pki_crl){.next_update = 200})};
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot;
	struct kt_anchor anchor;
	struct kt_crl crl;
	size_t cursor = 0, found = 0;

	add_cert(set, a);
	for (size_t i = 0; i < 3; i++) {
		ASSERT_EQ(0, kt_anchor_set_add_crl(set, crls[i].data, crls[i].len, "", 0, NULL));
		/* once more is no more */
		ASSERT_EQ(0, kt_anchor_set_add_crl(set, crls[i].data, crls[i].len, "", 0, NULL));
		free(crls[i].data);
	}
	EXPECT_EQ(3, kt_anchor_set_crls(set));
	snapshot = build_from(set);
	EXPECT_EQ(3, describe(snapshot).crls);
	anchor = anchor_at(snapshot, 0);
	for (; !kt_snapshot_find_crl(snapshot, anchor.subject, anchor.subject_len, &cursor, &crl);
	     found++)
		EXPECT_EQ(0, (crl.next_update - pki_now()) % 100);
	EXPECT_EQ(2, found);
	EXPECT_EQ(-ERANGE, kt_snapshot_crl(snapshot, 3, &crl));
	kt_snapshot_free(snapshot);
}

TEST_F(snapshot, finds_anchors_by_key_id)
{
	struct pki *pki = self->roots.pki;
	const struct pki_cert *root = pki_make_ca(pki, NULL, "Root");
	const struct pki_cert *again = pki_make(
		pki, NULL, &(struct pki_options){.cn = "Again", .ca = true, .key_of = root});
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 30);
	struct kt_snapshot *snapshot;
	struct kt_anchor anchor, found;
	size_t cursor = 0, same = 0;

	add_cert(set, root);
	add_cert(set, again);
	add_cert(set, pki_make(pki, NULL,
			       &(struct pki_options){.cn = "None", .ca = true, .no_skid = true}));
	snapshot = build_from(set);
	for (size_t i = 0; i < describe(snapshot).anchors; i++) {
		anchor = anchor_at(snapshot, i);
		cursor = same = 0;
		while (!kt_snapshot_find_key_id(snapshot, anchor.key_id, anchor.key_id_len, &cursor,
						&found)) {
			EXPECT_EQ(anchor.key_id_len, found.key_id_len);
			EXPECT_EQ(0, memcmp(anchor.key_id, found.key_id, found.key_id_len));
			same++;
		}
		/* all of roots.h's have one key, the two named ones another; one has none */
		EXPECT_EQ(!anchor.key_id ? 0 : same == 2 ? 2 : 30, same);
	}
	cursor = 0;
	EXPECT_EQ(-ENOENT,
		  kt_snapshot_find_key_id(snapshot, (const uint8_t *)"x", 1, &cursor, &found));
	kt_snapshot_free(snapshot);
}

/* ---- Finding ------------------------------------------------------------------------------- */

TEST_F(snapshot, anchor_beyond_the_last_is_erange)
{
	struct kt_snapshot *snapshot = build_from(roots_set(&self->roots, 1, 2));
	struct kt_anchor anchor = {.der_len = 99};

	EXPECT_EQ(-ERANGE, kt_snapshot_anchor(snapshot, 2, &anchor));
	EXPECT_EQ(-ERANGE, kt_snapshot_anchor(snapshot, SIZE_MAX, &anchor));
	EXPECT_EQ(99, anchor.der_len);
	kt_snapshot_free(snapshot);
}

TEST_F(snapshot, every_anchor_is_found_by_fingerprint_and_by_subject)
{
	struct kt_snapshot *snapshot = build_from(roots_set(&self->roots, 1, 300));

	for (size_t i = 0; i < 300; i++) {
		struct kt_anchor anchor = anchor_at(snapshot, i), found;
		size_t cursor = 0;

		ASSERT_EQ(0, kt_snapshot_find_fingerprint(snapshot, anchor.fingerprint, &found));
		EXPECT_EQ(anchor.der, found.der);
		ASSERT_EQ(0, kt_snapshot_find_subject(snapshot, anchor.subject, anchor.subject_len,
						      &cursor, &found));
		EXPECT_EQ(anchor.der, found.der);
		EXPECT_EQ(-ENOENT, kt_snapshot_find_subject(snapshot, anchor.subject,
							    anchor.subject_len, &cursor, &found));
	}
	kt_snapshot_free(snapshot);
}

TEST_F(snapshot, what_is_not_there_is_enoent)
{
	struct kt_snapshot *few = build_from(roots_set(&self->roots, 1, 50));
	struct kt_snapshot *others = build_from(roots_set(&self->roots, 51, 100));
	struct kt_anchor found = {.der_len = 99};
	uint8_t ends[2][KT_DIGEST_LEN];
	size_t cursor = 0;

	for (size_t i = 0; i < 50; i++) {
		struct kt_anchor anchor = anchor_at(others, i);

		EXPECT_EQ(-ENOENT, kt_snapshot_find_fingerprint(few, anchor.fingerprint, &found));
		EXPECT_EQ(-ENOENT, kt_snapshot_find_subject(few, anchor.subject, anchor.subject_len,
							    &cursor, &found));
	}
	memset(ends[0], 0, KT_DIGEST_LEN);
	memset(ends[1], 0xff, KT_DIGEST_LEN);
	EXPECT_EQ(-ENOENT, kt_snapshot_find_fingerprint(few, ends[0], &found));
	EXPECT_EQ(-ENOENT, kt_snapshot_find_fingerprint(few, ends[1], &found));
	EXPECT_EQ(-ENOENT, kt_snapshot_find_subject(few, NULL, 0, &cursor, &found));
	EXPECT_EQ(0, cursor);
	EXPECT_EQ(99, found.der_len);
	kt_snapshot_free(few);
	kt_snapshot_free(others);
}

TEST_F(snapshot, all_anchors_of_one_name_are_found)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 40);
	const uint8_t *seen[20] = {NULL};
	struct kt_snapshot *snapshot;
	struct kt_anchor anchor;
	size_t cursor = 0, count = 0;

	for (unsigned int key = 1; key < 20; key++)
		add_der(set, roots_keyed(&self->roots, 40, key), self->roots.template_len);
	add_der(set, roots_keyed(&self->roots, 40, 20), self->roots.template_len);
	snapshot = build_from(set);
	ASSERT_EQ(60, describe(snapshot).anchors);
	for (size_t i = 0; i < 60; i++) {
		anchor = anchor_at(snapshot, i);
		if (memmem(anchor.subject, anchor.subject_len, "00000040", 8))
			break;
	}

	const uint8_t *name = anchor.subject;
	size_t name_len = anchor.subject_len;

	while (kt_snapshot_find_subject(snapshot, name, name_len, &cursor, &anchor) == 0) {
		ASSERT_LT(count, 21);
		EXPECT_NE(NULL, memmem(anchor.subject, anchor.subject_len, "00000040", 8));
		for (size_t i = 0; i < count && i < 20; i++)
			EXPECT_NE(seen[i], anchor.der);
		if (count < 20)
			seen[count] = anchor.der;
		count++;
	}
	EXPECT_EQ(21, count);
	kt_snapshot_free(snapshot);
}

TEST_F(snapshot, subject_is_found_despite_case_and_white_space)
{
	struct pki *pki = self->roots.pki;
	const char *names[] = {"My Root CA", "  my   root ca", "MY ROOT\tCA "};
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 30);
	struct kt_snapshot *snapshot, *asked;
	struct kt_anchor anchor, found;

	add_cert(set, pki_make_ca(pki, NULL, names[0]));
	snapshot = build_from(set);
	for (size_t i = 0; i < 3; i++) {
		size_t cursor = 0;

		set = kt_anchor_set_new();
		ASSERT_NE(NULL, set);
		add_cert(set, pki_make_ca(pki, NULL, names[i]));
		asked = build_from(set);
		anchor = anchor_at(asked, 0);
		ASSERT_EQ(0, kt_snapshot_find_subject(snapshot, anchor.subject, anchor.subject_len,
						      &cursor, &found));
		EXPECT_NE(NULL, memmem(found.subject, found.subject_len, names[0], 10));
		EXPECT_EQ(-ENOENT, kt_snapshot_find_subject(snapshot, anchor.subject,
							    anchor.subject_len, &cursor, &found));
		kt_snapshot_free(asked);
	}
	kt_snapshot_free(snapshot);
}

TEST_F(snapshot, anchor_without_key_id_has_none)
{
	struct pki *pki = self->roots.pki;
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_snapshot *snapshot;

	ASSERT_NE(NULL, set);
	add_cert(set, pki_make(pki, NULL,
			       &(struct pki_options){.cn = "R", .ca = true, .no_skid = true}));
	snapshot = build_from(set);
	EXPECT_EQ(NULL, anchor_at(snapshot, 0).key_id);
	EXPECT_EQ(0, anchor_at(snapshot, 0).key_id_len);
	kt_snapshot_free(snapshot);

	snapshot = build_from(roots_set(&self->roots, 1, 1));
	EXPECT_EQ(20, anchor_at(snapshot, 0).key_id_len);
	EXPECT_LT(anchor_at(snapshot, 0).der, anchor_at(snapshot, 0).key_id);
	kt_snapshot_free(snapshot);
}

/* ---- Difference ---------------------------------------------------------------------------- */

static void expect_diff(struct kt_snapshot *from, struct kt_snapshot *to, size_t added,
			size_t removed)
{
	size_t seen_added = 99, seen_removed = 99;

	kt_snapshot_diff(from, to, &seen_added, &seen_removed);
	EXPECT_EQ(added, seen_added);
	EXPECT_EQ(removed, seen_removed);
}

TEST_F(snapshot, diff_counts_what_came_and_what_went)
{
	struct kt_snapshot *a = build_from(roots_set(&self->roots, 1, 30));
	struct kt_snapshot *b = build_from(roots_set(&self->roots, 11, 35));
	struct kt_snapshot *c = build_from(roots_set(&self->roots, 100, 101));

	expect_diff(a, a, 0, 0);
	expect_diff(a, b, 5, 10);
	expect_diff(b, a, 10, 5);
	expect_diff(a, c, 2, 30);
	expect_diff(NULL, a, 30, 0);
	kt_snapshot_free(a);
	kt_snapshot_free(b);
	kt_snapshot_free(c);
}

TEST_F(snapshot, diff_goes_by_identity_each_once)
{
	struct pki *pki = self->roots.pki;
	const struct pki_cert *root = pki_make_ca(pki, NULL, "Root");
	const struct pki_cert *again = pki_make(
		pki, NULL, &(struct pki_options){.cn = "Root", .ca = true, .key_of = root});
	const struct pki_cert *rekeyed = pki_make_ca(pki, NULL, "Root");
	struct kt_anchor_set *old = roots_set(&self->roots, 1, 2), *both, *new;
	struct kt_snapshot *a, *b, *c;

	both = roots_set(&self->roots, 1, 2);
	new = roots_set(&self->roots, 1, 2);
	add_cert(old, root);
	add_cert(both, root);
	add_cert(both, again);
	add_cert(new, rekeyed);
	a = build_from(old);
	b = build_from(both);
	c = build_from(new);
	expect_diff(a, b, 0, 0);
	expect_diff(NULL, b, 3, 0);
	expect_diff(b, c, 1, 1);
	expect_diff(c, b, 1, 1);
	kt_snapshot_free(a);
	kt_snapshot_free(b);
	kt_snapshot_free(c);
}

TEST_HARNESS_MAIN
