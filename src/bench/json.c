/* SPDX-License-Identifier: BSD-2-Clause */
/* A report for programs: one object on a line; a side that a case lacks is null. */
#include "bench.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

#define DIGITS 6 /* that count; more would be noise */

static json_t *figure(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *peers_of(const struct kt_bench_result *result)
{
	json_t *peers = json_object();

	for (size_t side = KT_BENCH_FIRST_PEER; side < KT_BENCH_SIDES; side++)
		if (result->of->measure[side])
			json_object_set_new(peers, kt_bench_side_name(result->of, side),
					    figure(result->medians[side]));
	return peers;
}

static json_t *result_of(const struct kt_bench_result *result)
{
	const double *medians = result->medians;

	return json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:o}", "case", result->of->name, "threads",
			 (int)result->of->threads, "unit", result->of->unit, "ours",
			 figure(medians[KT_BENCH_OURS]), "stock", figure(medians[KT_BENCH_STOCK]),
			 "limit", figure(medians[KT_BENCH_LIMIT]), "peers", peers_of(result));
}

int kt_bench_write_json(const struct kt_bench_report *report, FILE *to)
{
	json_t *results = json_array(), *whole;
	int ret = 0;

	for (size_t i = 0; i < report->count; i++)
		ret |= json_array_append_new(results, result_of(&report->results[i]));
	whole = json_pack("{s:s, s:s, s:s, s:o}", "bench", report->suite->name, "openssl",
			  report->openssl, "cpu", report->cpu, "results", results);
	/* What json_dumpf fails to write shows in the stream, as with the other writers. */
	if (ret == 0 && whole)
		json_dumpf(whole, to, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
	fputc('\n', to);
	ret = ret || !whole ? -ENOMEM : 0;
	json_decref(whole);
	return ret;
}
