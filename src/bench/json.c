/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A report for programs: one object on a line; a side that a case lacks is null, a peer that is not
 * on this machine is absent.
 */
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
		if (!isnan(result->medians[side]))
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

/* Of the sides that have one, whatever the case. */
static json_t *versions_of(const struct kt_bench_report *report)
{
	json_t *versions = json_object();

	for (size_t i = 0; i < report->count; i++) {
		const struct kt_bench_result *result = &report->results[i];

		for (size_t side = 0; side < KT_BENCH_SIDES; side++)
			if (!isnan(result->medians[side]) && result->notes[side][0])
				json_object_set_new(versions, kt_bench_side_name(result->of, side),
						    json_string(result->notes[side]));
	}
	return versions;
}

int kt_bench_write_json(const struct kt_bench_report *report, FILE *to)
{
	json_t *results = json_array(), *versions = versions_of(report), *whole;
	int ret = 0;

	for (size_t i = 0; i < report->count; i++)
		ret |= json_array_append_new(results, result_of(&report->results[i]));
	whole = json_pack("{s:s, s:s, s:s, s:o}", "bench", report->suite->name, "openssl",
			  report->openssl, "cpu", report->cpu, "results", results);
	/* Only where there are any: the other suites have nothing of others. */
	if (json_object_size(versions))
		ret |= json_object_set(whole, "versions", versions);
	json_decref(versions);
	/* What json_dumpf fails to write shows in the stream, as with the other writers. */
	if (ret == 0 && whole)
		json_dumpf(whole, to, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
	fputc('\n', to);
	ret = ret || !whole ? -ENOMEM : 0;
	json_decref(whole);
	return ret;
}
