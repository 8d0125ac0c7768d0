/* SPDX-License-Identifier: BSD-2-Clause */
/* Order statistics of a few measurements. Pure functions but for the order they leave behind. */
#ifndef KT_BENCH_STATS_H
#define KT_BENCH_STATS_H

#include <stddef.h>

/* The middle value, of an even count the mean of both. Sorts values. count 0: NaN. */
double kt_bench_median(double *values, size_t count);

/*
 * The least value that at least this share (0 … 1) of all are not above (nearest rank). Sorts
 * values. count 0: NaN.
 */
double kt_bench_quantile(double *values, size_t count, double share);

#endif
