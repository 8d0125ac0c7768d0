/* SPDX-License-Identifier: BSD-2-Clause */
#include "stats.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

double kt_bench_median(double *values, size_t count)
{
	if (count == 0)
		return NAN;
	qsort(values, count, sizeof *values, compare);
	if (count % 2)
		return values[count / 2];
	return (values[count / 2 - 1] + values[count / 2]) / 2;
}

double kt_bench_quantile(double *values, size_t count, double share)
{
	double rank;

	if (count == 0)
		return NAN;
	qsort(values, count, sizeof *values, compare);
	rank = ceil(share * (double)count);
	return values[rank < 1 ? 0 : (size_t)rank - 1];
}
