/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of a verifier: one without a cache, beside two snapshots that have no anchor in
 * common.
 *
 * Set-up that fails ends the test. One thread.
 */
#ifndef KTRUST_SELFTESTS_VERIFY_VERIFIER_H
#define KTRUST_SELFTESTS_VERIFY_VERIFIER_H

#include <ktrust/verify.h>

#include "../harness.h"
#include "world.h"

#define LIST(...) ((const enum cert[]){__VA_ARGS__, NONE})
#define NO_LIMIT  64

FIXTURE(verifier)
{
	struct world world;
	struct kt_snapshot *a; /* version 1: {ROOT_A} */
	struct kt_snapshot *b; /* version 2: {ROOT_B} */
	struct kt_verifier *verifier;
	struct kt_query query;
	struct kt_verdict verdict;
};

FIXTURE_SETUP(verifier)
{
	world_init(&self->world);
	self->a = world_snapshot(&self->world, LIST(ROOT_A), NO_LIMIT, 1);
	self->b = world_snapshot(&self->world, LIST(ROOT_B), NO_LIMIT, 2);
	self->verifier = kt_verifier_new(NULL);
	ASSERT_NE(NULL, self->verifier);
	self->query = (struct kt_query){.role = KT_ROLE_CLIENT, .time = pki_now()};
}

FIXTURE_TEARDOWN(verifier)
{
	kt_verifier_free(self->verifier);
	kt_snapshot_free(self->a);
	kt_snapshot_free(self->b);
	world_free(&self->world);
}

static inline enum kt_verdict_code ask(FIXTURE_DATA(verifier) * self,
				       const struct kt_snapshot *snapshot, const enum cert *certs)
{
	struct kt_der der[KT_CHAIN_MAX];
	struct kt_chain chain = {der, world_chain(&self->world, certs, KT_CHAIN_MAX, der)};

	return kt_verify(self->verifier, snapshot, &chain, &self->query, &self->verdict);
}

static inline enum kt_verdict_code ask_bytes(FIXTURE_DATA(verifier) * self, const uint8_t *data,
					     size_t len)
{
	struct kt_der der = {data, len};
	struct kt_chain chain = {&der, 1};

	return kt_verify(self->verifier, self->a, &chain, &self->query, &self->verdict);
}

#endif
