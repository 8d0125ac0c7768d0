/* SPDX-License-Identifier: BSD-2-Clause */
/* No byte of a certificate may be missing, too many, or another one. */
#include "verifier.h"

#include <stdlib.h>

TEST_F(verifier, trailing_bytes_are_refused)
{
	const struct pki_cert *leaf = world_cert(&self->world, LEAF_A);
	uint8_t *longer = malloc(leaf->der_len + 1);

	ASSERT_NE(NULL, longer);
	memcpy(longer, leaf->der, leaf->der_len);
	longer[leaf->der_len] = 0;
	EXPECT_EQ(KT_ACCEPTED, ask_bytes(self, longer, leaf->der_len));
	EXPECT_EQ(KT_MALFORMED, ask_bytes(self, longer, leaf->der_len + 1));
	EXPECT_EQ(0, self->verdict.depth);
	free(longer);
}

TEST_F(verifier, every_cut_is_refused)
{
	const struct pki_cert *leaf = world_cert(&self->world, LEAF_A);

	for (size_t len = 0; len < leaf->der_len; len++) {
		uint8_t *shorter = malloc(len + !len);

		ASSERT_NE(NULL, shorter);
		memcpy(shorter, leaf->der, len);
		EXPECT_EQ(KT_MALFORMED, ask_bytes(self, shorter, len));
		free(shorter);
	}
	EXPECT_EQ(KT_MALFORMED, ask_bytes(self, NULL, 0));
}

TEST_F(verifier, a_certificate_over_the_limit_is_refused)
{
	uint8_t *big = calloc(1, KT_CERTIFICATE_MAX + 1);

	ASSERT_NE(NULL, big);
	EXPECT_EQ(KT_MALFORMED, ask_bytes(self, big, KT_CERTIFICATE_MAX + 1));
	EXPECT_EQ(KT_MALFORMED, ask_bytes(self, big, SIZE_MAX));
	free(big);
}

TEST_F(verifier, a_malformed_intermediate_is_named_by_its_depth)
{
	const struct pki_cert *leaf = world_cert(&self->world, LEAF_A);
	struct kt_der der[] = {{leaf->der, leaf->der_len},
			       {leaf->der, leaf->der_len},
			       {(const uint8_t *)"junk", 4}};
	struct kt_chain chain = {der, 3};

	EXPECT_EQ(KT_MALFORMED,
		  kt_verify(self->verifier, self->a, &chain, &self->query, &self->verdict));
	EXPECT_EQ(2, self->verdict.depth);
}

/* Change one byte of certificate `at` in every way of `flips`; nothing may be let in. */
static void expect_every_byte_matters(FIXTURE_DATA(verifier) * self, const enum cert *certs,
				      size_t at)
{
	static const uint8_t flips[] = {0x01, 0x80, 0x20};
	struct kt_der der[KT_CHAIN_MAX];
	struct kt_chain chain = {der, world_chain(&self->world, certs, KT_CHAIN_MAX, der)};
	size_t len = der[at].len;
	uint8_t *copy = malloc(len);

	ASSERT_NE(NULL, copy);
	memcpy(copy, der[at].data, len);
	der[at].data = copy;
	ASSERT_EQ(KT_ACCEPTED,
		  kt_verify(self->verifier, self->a, &chain, &self->query, &self->verdict));
	for (size_t i = 0; i < len * sizeof flips; i++) {
		uint8_t flip = flips[i % sizeof flips];

		copy[i / sizeof flips] ^= flip;
		EXPECT_NE(KT_ACCEPTED,
			  kt_verify(self->verifier, self->a, &chain, &self->query, &self->verdict))
		{
			TH_LOG("byte %zu of %zu, flip 0x%02x", i / sizeof flips, len, flip);
		}
		EXPECT_NE(KT_INTERNAL, self->verdict.code)
		{
			TH_LOG("byte %zu of %zu, flip 0x%02x", i / sizeof flips, len, flip);
		}
		copy[i / sizeof flips] ^= flip;
	}
	free(copy);
}

TEST_F_TIMEOUT(verifier, every_byte_of_a_leaf_matters, 120)
{
	expect_every_byte_matters(self, LIST(LEAF_A), 0);
}

TEST_F_TIMEOUT(verifier, every_byte_of_an_intermediate_matters, 120)
{
	expect_every_byte_matters(self, LIST(LEAF_INT_A, INT_A), 1);
}

TEST_F(verifier, a_tampered_signature_is_named)
{
	const struct pki_cert *leaf = world_cert(&self->world, LEAF_ED25519);
	uint8_t *copy = malloc(leaf->der_len);

	ASSERT_NE(NULL, copy);
	memcpy(copy, leaf->der, leaf->der_len);
	/* The last byte of an ECDSA signature is within s. */
	copy[leaf->der_len - 1] ^= 1;
	EXPECT_EQ(KT_BAD_SIGNATURE, ask_bytes(self, copy, leaf->der_len));
	EXPECT_EQ(0, self->verdict.depth);
	free(copy);
}

TEST_HARNESS_MAIN
