/* SPDX-License-Identifier: BSD-2-Clause */
/* A report for people: a line for each case, and below it one for each peer. */
#include "bench.h"

#include <math.h>
#include <string.h>

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

/* Below a case, in the columns of what it is compared with. */
static void write_peers(const struct kt_bench_result *result, FILE *to)
{
	for (size_t side = KT_BENCH_FIRST_PEER; side < KT_BENCH_SIDES; side++) {
		char name[KT_BENCH_NOTE_MAX + 32];

		if (isnan(result->medians[side]))
			continue;
		snprintf(name, sizeof name, "  %s %s", kt_bench_side_name(result->of, side),
			 result->notes[side]);
		fprintf(to, "%-26s %7s %-9s %*s", name, "", "", WIDTH, "");
		write_figure(result->medians[side], WIDTH, to);
		fprintf(to, " %*s", WIDTH, "");
		write_ratio(kt_bench_ratio(result, side), to);
		fputc('\n', to);
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
		write_ratio(kt_bench_ratio(result, KT_BENCH_STOCK), to);
		fputc('\n', to);
		write_peers(result, to);
	}
}

/* Whether an earlier case has said the same of this side. */
static bool was_said(const struct kt_bench_report *report, size_t index, size_t side)
{
	const char *note = report->results[index].notes[side];

	for (size_t i = 0; i < index; i++)
		if (report->results[i].of->measure[side] &&
		    isnan(report->results[i].medians[side]) &&
		    strcmp(report->results[i].notes[side], note) == 0)
			return true;
	return false;
}

void kt_bench_write_absent(const struct kt_bench_report *report, FILE *to)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct kt_bench_result *result = &report->results[i];

		for (size_t side = 0; side < KT_BENCH_SIDES; side++)
			if (result->of->measure[side] && isnan(result->medians[side]) &&
			    !was_said(report, i, side))
				fprintf(to, "ktrust: %s: left out: %s\n",
					kt_bench_side_name(result->of, side), result->notes[side]);
	}
}
