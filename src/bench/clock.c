/* SPDX-License-Identifier: BSD-2-Clause */
#include "clock.h"

#include <time.h>

#include "stats.h"

#define REPEATS_MAX 1024

uint64_t kt_bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int kt_bench_repeat(int (*once)(void *arg, double *ret_value, struct kt_error *error), void *arg,
		    double seconds, double *ret_median, struct kt_error *error)
{
	uint64_t end = kt_bench_now_ns() + (uint64_t)(seconds * 1e9);
	double values[REPEATS_MAX];
	size_t count = 0;

	do {
		int ret = once(arg, &values[count], error);

		if (ret)
			return ret;
		count++;
	} while (count < REPEATS_MAX && kt_bench_now_ns() < end);
	*ret_median = kt_bench_median(values, count);
	return 0;
}
