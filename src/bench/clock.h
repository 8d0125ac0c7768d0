/* SPDX-License-Identifier: BSD-2-Clause */
/* Time for benchmarks. */
#ifndef KT_BENCH_CLOCK_H
#define KT_BENCH_CLOCK_H

#include <stdint.h>

#include "bench.h"

/* CLOCK_MONOTONIC, in nanoseconds. */
uint64_t kt_bench_now_ns(void);

/*
 * Call once again and again for `seconds`, at least once, and give the median of what the calls
 * say they took. An error of a call ends it.
 */
KT_WARN_UNUSED int
kt_bench_repeat(int (*once)(void *arg, double *ret_value, struct kt_error *error), void *arg,
		double seconds, double *ret_median, struct kt_error *error);

#endif
