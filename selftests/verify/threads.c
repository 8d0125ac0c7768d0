/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads with a verifier each share snapshots. Meant to be run under ThreadSanitizer too. */
#include <ktrust/verify.h>

#include <pthread.h>

#include "../harness.h"
#include "world.h"

#define THREADS 2
#define ROUNDS	100

static const enum cert anchors[] = {ROOT_A, ROOT_PLAIN, ROOT_PLAIN_TWIN, NONE};

static const struct {
	enum cert sent[3];
	enum kt_verdict_code code;
} cases[] = {
	{{LEAF_A}, KT_ACCEPTED},
	{{LEAF_INT_A, INT_A}, KT_ACCEPTED},
	{{LEAF_OF_ROOT_PLAIN}, KT_ACCEPTED},
	{{LEAF_B}, KT_UNKNOWN_ISSUER},
	{{LEAF_OLD}, KT_EXPIRED},
};

#define CASES (sizeof cases / sizeof cases[0])

struct shared {
	const struct kt_snapshot *snapshot;
	struct kt_der der[CASES][2];
	struct kt_chain chains[CASES];
	pthread_barrier_t start;
};

static void *verify_all(void *arg)
{
	struct shared *shared = arg;
	struct kt_verifier *verifier = kt_verifier_new(NULL);
	struct kt_query query = {.role = KT_ROLE_CLIENT, .time = pki_now()};
	struct kt_verdict verdict;

	ASSERT_NE(NULL, verifier);
	pthread_barrier_wait(&shared->start);
	for (size_t i = 0; i < ROUNDS * CASES; i++)
		ASSERT_EQ(cases[i % CASES].code,
			  kt_verify(verifier, shared->snapshot, &shared->chains[i % CASES], &query,
				    &verdict));
	kt_verifier_free(verifier);
	return NULL;
}

TEST_TIMEOUT(threads_share_a_snapshot, 120)
{
	struct shared shared;
	struct world world;
	struct kt_snapshot *snapshot;
	pthread_t threads[THREADS];

	world_init(&world);
	snapshot = world_snapshot(&world, anchors, 4, 1);
	shared.snapshot = snapshot;
	for (size_t i = 0; i < CASES; i++)
		shared.chains[i] = (struct kt_chain){
			shared.der[i], world_chain(&world, cases[i].sent, 2, shared.der[i])};
	pthread_barrier_init(&shared.start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, verify_all, &shared));
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	pthread_barrier_destroy(&shared.start);
	kt_snapshot_free(snapshot);
	world_free(&world);
}

TEST_HARNESS_MAIN
