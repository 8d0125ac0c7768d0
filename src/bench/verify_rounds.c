/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads: the first share is the calling thread's own, the others have threads that end with the
 * round. All begin at a barrier, when everybody has warmed up.
 */
#include "verify.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "clock.h"

#define THREADS_MAX 2
#define REPEATS	    65536u /* of one chain in a round */
#define LOOK_EVERY  8	   /* verifications between two looks at the clock */

struct share {
	const struct kt_bench_way *way;
	const struct kt_bench_round *round;
	const struct kt_bench_cert *leaves;
	unsigned int step;  /* 0: the first one again and again */
	unsigned int count; /* at most */
	uint64_t limit_ns;
	pthread_barrier_t *barrier;
	/* Results */
	uint64_t verified;
	uint64_t took_ns;
	int ret;
	struct kt_error error;
};

/* So far. */
struct tally {
	uint64_t verified[THREADS_MAX];
	uint64_t took_ns[THREADS_MAX];
};

/* ---- One thread ------------------------------------------------------------------------------ */

static int verify(struct share *share, void *own, const struct kt_bench_cert *leaf)
{
	const char *why = share->way->verify(own, leaf);

	if (!why)
		return 0;
	return kt_error_set(&share->error, EBADMSG, "verify", 0,
			    "a chain that is to be accepted was refused: %s", why);
}

static int warm_up(struct share *share, void *own)
{
	const struct kt_bench_chains *chains = share->round->chains;
	bool repeat = share->round->scenario == KT_BENCH_REPEAT;
	int ret = 0;

	for (unsigned int i = 0; i < KT_BENCH_WARM_UP && ret == 0; i++)
		ret = verify(share, own,
			     repeat ? share->leaves : &chains->primers[i % KT_BENCH_PRIMERS]);
	return ret;
}

static int work(struct share *share, void *own)
{
	uint64_t begun = kt_bench_now_ns(), now = begun;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < share->count && ret == 0; i++) {
		if (i % LOOK_EVERY == 0 && (now = kt_bench_now_ns()) - begun >= share->limit_ns)
			break;
		ret = verify(share, own, &share->leaves[(size_t)i * share->step]);
	}
	share->took_ns = kt_bench_now_ns() - begun;
	share->verified = i;
	return ret;
}

static void *run_share(void *arg)
{
	struct share *share = arg;
	void *own = NULL;

	share->ret = share->way->begin(share->round, &own, &share->error);
	if (share->ret == 0)
		share->ret = warm_up(share, own);
	/* Also after a failure: others wait here. */
	pthread_barrier_wait(share->barrier);
	if (share->ret == 0)
		share->ret = work(share, own);
	share->way->end(own);
	return NULL;
}

/* ---- A round --------------------------------------------------------------------------------- */

static const struct kt_bench_cert *leaves_of(const struct kt_bench_round *round,
					     unsigned int number, unsigned int *ret_count)
{
	const struct kt_bench_chains *chains = round->chains;

	switch (round->scenario) {
	case KT_BENCH_COLD:
		*ret_count = KT_BENCH_STRANGERS;
		return &chains->of_strangers[number % KT_BENCH_ROUNDS * KT_BENCH_STRANGERS];
	case KT_BENCH_KNOWN:
		*ret_count = KT_BENCH_LEAVES;
		return chains->of_known;
	default:
		*ret_count = REPEATS;
		return chains->of_known;
	}
}

/* Neighbours take neighbouring parts. */
static void divide(const struct kt_bench_round *round, unsigned int number, struct share *shares,
		   unsigned int threads)
{
	unsigned int count;
	const struct kt_bench_cert *leaves = leaves_of(round, number, &count);
	bool repeat = round->scenario == KT_BENCH_REPEAT;

	for (unsigned int i = 0; i < threads; i++) {
		shares[i].count = count / threads;
		shares[i].step = repeat ? 0 : 1;
		shares[i].leaves = repeat ? leaves : leaves + i * shares[i].count;
	}
}

static int run_shares(struct share *shares, unsigned int threads, struct kt_error *error)
{
	pthread_t other;
	int err;

	_Static_assert(THREADS_MAX == 2, "one that cannot be started leaves nobody at the barrier");
	if (threads > 1) {
		err = pthread_create(&other, NULL, run_share, &shares[1]);
		if (err)
			return kt_error_set(error, err, "pthread_create", 0, "%s", strerror(err));
	}
	run_share(&shares[0]);
	if (threads > 1)
		pthread_join(other, NULL);
	for (unsigned int i = 0; i < threads; i++) {
		if (shares[i].ret) {
			*error = shares[i].error;
			return shares[i].ret;
		}
	}
	return 0;
}

static int run_round(const struct kt_bench_way *way, const struct kt_bench_round *round,
		     unsigned int number, unsigned int threads, uint64_t limit_ns,
		     struct tally *tally, struct kt_error *error)
{
	struct share shares[THREADS_MAX] = {0};
	pthread_barrier_t barrier;
	int ret;

	pthread_barrier_init(&barrier, NULL, threads);
	for (unsigned int i = 0; i < threads; i++) {
		shares[i].way = way;
		shares[i].round = round;
		shares[i].limit_ns = limit_ns;
		shares[i].barrier = &barrier;
	}
	divide(round, number, shares, threads);
	ret = run_shares(shares, threads, error);
	for (unsigned int i = 0; i < threads && ret == 0; i++) {
		tally->verified[i] += shares[i].verified;
		tally->took_ns[i] += shares[i].took_ns;
	}
	pthread_barrier_destroy(&barrier);
	return ret;
}

/* With the caches that the scenario asks for. */
static int prepare_round(const struct kt_bench_way *way, struct kt_bench_round *round,
			 unsigned int number, unsigned int threads, uint64_t limit_ns,
			 struct tally *tally, struct kt_error *error)
{
	int ret;

	round->cache = NULL;
	if (round->scenario != KT_BENCH_COLD) {
		ret = kt_verify_cache_new(NULL, &round->cache);
		if (ret)
			return kt_error_set(error, -ret, "cache", 0, "%s", strerror(-ret));
	}
	ret = run_round(way, round, number, threads, limit_ns, tally, error);
	kt_verify_cache_free(round->cache);
	return ret;
}

int kt_bench_verify_rate(const struct kt_bench_way *way, const struct kt_bench_chains *chains,
			 enum kt_bench_scenario scenario, unsigned int threads, double seconds,
			 double *ret_rate, struct kt_error *error)
{
	struct kt_bench_round round = {.chains = chains, .scenario = scenario};
	uint64_t limit_ns = (uint64_t)(seconds * 1e9);
	struct tally tally = {0};
	double rate = 0;
	int ret = 0;

	for (unsigned int number = 0; ret == 0 && tally.took_ns[0] < limit_ns; number++)
		ret = prepare_round(way, &round, number, threads, limit_ns - tally.took_ns[0],
				    &tally, error);
	for (unsigned int i = 0; i < threads && ret == 0; i++)
		rate += (double)tally.verified[i] * 1e9 / (double)tally.took_ns[i];
	if (ret == 0)
		*ret_rate = rate;
	return ret;
}
