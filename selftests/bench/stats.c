/* SPDX-License-Identifier: BSD-2-Clause */
/* Medians and quantiles of few values. */
#include "../harness.h"

#include <math.h>

#include "../../src/bench/stats.h"

TEST(median_of_an_odd_count_is_the_middle_value)
{
	double values[] = {9, 1, 5};

	EXPECT_TRUE(kt_bench_median(values, 3) == 5);
}

TEST(median_of_an_even_count_is_the_mean_of_both_in_the_middle)
{
	double values[] = {100, 4, 1, 2};

	EXPECT_TRUE(kt_bench_median(values, 4) == 3);
}

TEST(median_of_one_is_itself)
{
	double value = 7;

	EXPECT_TRUE(kt_bench_median(&value, 1) == 7);
}

TEST(median_of_nothing_is_no_number)
{
	EXPECT_TRUE(isnan(kt_bench_median(NULL, 0)));
	EXPECT_TRUE(isnan(kt_bench_quantile(NULL, 0, 0.5)));
}

TEST(median_is_moved_by_no_outlier)
{
	double values[] = {1, 2, 3, 4, 1e9};

	EXPECT_TRUE(kt_bench_median(values, 5) == 3);
}

TEST(quantile_is_the_nearest_rank)
{
	double values[100];

	for (int i = 0; i < 100; i++)
		values[i] = 100 - i;
	EXPECT_TRUE(kt_bench_quantile(values, 100, 0.99) == 99);
	EXPECT_TRUE(kt_bench_quantile(values, 100, 0.5) == 50);
	EXPECT_TRUE(kt_bench_quantile(values, 100, 1) == 100);
	EXPECT_TRUE(kt_bench_quantile(values, 100, 0) == 1);
}

TEST_HARNESS_MAIN
