/* SPDX-License-Identifier: BSD-2-Clause */
/* A report for people. */
#include "bench.h"

#include <math.h>

#define WIDTH 10 /* of a figure */

/* Three digits that count are what a median of five can be trusted with. */
static void write_figure(double value, int width, FILE *to)
{
	if (isnan(value))
		fprintf(to, " %*s", width, "-");
	else if (value >= 1000)
		fprintf(to, " %*.0f", width, value);
	else
		fprintf(to, " %*.3g", width, value);
}

static void write_ratio(double ratio, FILE *to)
{
	if (isnan(ratio))
		fprintf(to, " %9s", "-");
	else
		fprintf(to, " %8.*fx", ratio < 10 ? 1 : 0, ratio);
}

static void write_peers(const struct kt_bench_result *result, FILE *to)
{
	for (size_t side = KT_BENCH_FIRST_PEER; side < KT_BENCH_SIDES; side++) {
		if (!result->of->measure[side])
			continue;
		fprintf(to, "  %s", kt_bench_side_name(result->of, side));
		write_figure(result->medians[side], 1, to);
	}
}

void kt_bench_write_table(const struct kt_bench_report *report, FILE *to)
{
	fprintf(to, "%s\n%s, OpenSSL %s, medians of %u\n\n", report->suite->title, report->cpu,
		report->openssl, report->runs);
	fprintf(to, "%-26s %7s %-9s %10s %10s %10s %9s\n", "case", "threads", "unit", "ours",
		"stock", "limit", "better");
	for (size_t i = 0; i < report->count; i++) {
		const struct kt_bench_result *result = &report->results[i];

		fprintf(to, "%-26s %7u %-9s", result->of->name, result->of->threads,
			result->of->unit);
		write_figure(result->medians[KT_BENCH_OURS], WIDTH, to);
		write_figure(result->medians[KT_BENCH_STOCK], WIDTH, to);
		write_figure(result->medians[KT_BENCH_LIMIT], WIDTH, to);
		write_ratio(kt_bench_ratio(result), to);
		write_peers(result, to);
		fputc('\n', to);
	}
}
