/* SPDX-License-Identifier: BSD-2-Clause */
/* Roots made for benchmarks: what both sides must be able to load. */
#include "../harness.h"

#include <errno.h>
#include <openssl/x509v3.h>

#include <ktrust/pool.h>

#include "../../src/bench/roots.h"

#define COUNT 300

FIXTURE(roots)
{
	struct kt_bench_roots roots;
};

FIXTURE_SETUP(roots)
{
	ASSERT_EQ(0, kt_bench_roots_make(&self->roots, COUNT, NULL));
}

FIXTURE_TEARDOWN(roots)
{
	kt_bench_roots_fini(&self->roots);
}

static X509 *root_number(const struct kt_bench_roots *roots, size_t number)
{
	const uint8_t *der = roots->der + number * roots->der_len;
	const uint8_t *end = der + roots->der_len;
	X509 *cert = d2i_X509(NULL, &der, (long)roots->der_len);

	ASSERT_NE(NULL, cert);
	EXPECT_EQ(end, der);
	return cert;
}

TEST_F(roots, are_distinct_authorities_with_true_keys)
{
	X509 *before = NULL;

	for (size_t i = 0; i < COUNT; i++) {
		X509 *cert = root_number(&self->roots, i);

		/* Not NULL: the point is on its curve. */
		ASSERT_NE(NULL, X509_get0_pubkey(cert));
		EXPECT_EQ(1, X509_check_ca(cert));
		EXPECT_EQ(0,
			  X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)));
		if (before) {
			EXPECT_NE(0, X509_NAME_cmp(X509_get_subject_name(before),
						   X509_get_subject_name(cert)));
			EXPECT_EQ(0, EVP_PKEY_eq(X509_get0_pubkey(before), X509_get0_pubkey(cert)));
			EXPECT_NE(0, ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(before),
							   X509_get0_subject_key_id(cert)));
			EXPECT_NE(0, ASN1_INTEGER_cmp(X509_get0_serialNumber(before),
						      X509_get0_serialNumber(cert)));
		}
		X509_free(before);
		before = cert;
	}
	X509_free(before);
}

TEST_F(roots, are_the_same_each_time)
{
	struct kt_bench_roots again;

	ASSERT_EQ(0, kt_bench_roots_make(&again, COUNT, NULL));
	ASSERT_EQ(self->roots.der_len, again.der_len);
	EXPECT_EQ(0, memcmp(self->roots.der, again.der, COUNT * again.der_len));
	EXPECT_EQ(0, memcmp(self->roots.pem, again.pem, COUNT * again.pem_len));
	kt_bench_roots_fini(&again);
}

static size_t anchors(struct kt_anchor_set *set)
{
	size_t count = kt_anchor_set_count(set);

	kt_anchor_set_free(set);
	return count;
}

TEST_F(roots, are_as_many_anchors_from_pem_and_from_der)
{
	struct kt_anchor_set *set = kt_anchor_set_new();

	EXPECT_EQ(0, kt_anchor_set_add_pem(set, self->roots.pem, COUNT * self->roots.pem_len, "",
					   NULL));
	EXPECT_EQ(COUNT, kt_anchor_set_count(set));
	/* The same again are no more. */
	for (size_t i = 0; i < COUNT; i++)
		EXPECT_EQ(0, kt_anchor_set_add_der(set, self->roots.der + i * self->roots.der_len,
						   self->roots.der_len, "", 1, NULL));
	EXPECT_EQ(COUNT, anchors(set));
}

TEST_F(roots, in_pem_are_blocks_of_one_length)
{
	struct kt_anchor_set *set = kt_anchor_set_new();

	EXPECT_EQ(0,
		  kt_anchor_set_add_pem(set, self->roots.pem, 7 * self->roots.pem_len, "", NULL));
	EXPECT_EQ(7, anchors(set));
}

TEST(none_and_too_many_are_einval)
{
	struct kt_bench_roots roots = {0};

	EXPECT_EQ(-EINVAL, kt_bench_roots_make(&roots, 0, NULL));
	EXPECT_EQ(-EINVAL, kt_bench_roots_make(&roots, 100000000, NULL));
	EXPECT_EQ(NULL, roots.der);
}

TEST_HARNESS_MAIN
