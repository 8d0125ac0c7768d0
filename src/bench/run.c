/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run of a suite: case by case, run by run, side by side.
 */
#include "bench.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "progress.h"
#include "stats.h"

/* The state of a case, kept for the neighbours that share it. */
struct prepared {
	const struct kt_bench_case *by; /* NULL: there is none */
	void *state;
};

static void drop(struct prepared *prepared)
{
	if (prepared->by && prepared->by->finish)
		prepared->by->finish(prepared->state);
	*prepared = (struct prepared){0};
}

static int prepare(struct prepared *prepared, const struct kt_bench_case *of,
		   const struct kt_bench_options *options, struct kt_error *error)
{
	int ret;

	if (prepared->by && prepared->by->prepare == of->prepare && prepared->by->size == of->size)
		return 0;
	drop(prepared);
	if (of->prepare) {
		ret = of->prepare(of->size, options, &prepared->state, error);
		if (ret)
			return ret;
	}
	prepared->by = of;
	return 0;
}

/* Which sides of a case are measured. */
struct sides {
	bool there[KT_BENCH_SIDES];
};

static struct sides look(const struct kt_bench_case *of, void *state,
			 char notes[static KT_BENCH_SIDES][KT_BENCH_NOTE_MAX])
{
	struct sides sides;

	for (size_t side = 0; side < KT_BENCH_SIDES; side++) {
		notes[side][0] = '\0';
		sides.there[side] = of->measure[side] != NULL;
		if (of->measure[side] && of->is_there)
			sides.there[side] = of->is_there(state, side, notes[side]);
	}
	return sides;
}

/* samples: runs values for each side, one side behind the other. */
static int measure_sides(const struct kt_bench_case *of, void *state, const struct sides *sides,
			 const struct kt_bench_options *options, unsigned int run, double *samples,
			 struct kt_error *error)
{
	int ret = 0;

	for (size_t side = 0; side < KT_BENCH_SIDES && ret == 0; side++)
		if (sides->there[side])
			ret = of->measure[side](of, state, options,
						&samples[side * options->runs + run], error);
	return ret;
}

static int measure_case(const struct kt_bench_case *of, void *state,
			const struct kt_bench_options *options, struct kt_bench_result *ret_result,
			struct kt_error *error)
{
	double *samples = calloc((size_t)options->runs * KT_BENCH_SIDES, sizeof *samples);
	struct sides sides;
	int ret = 0;

	if (!samples)
		return kt_error_set(error, ENOMEM, of->name, 0, "out of memory");
	sides = look(of, state, ret_result->notes);
	for (unsigned int run = 0; run < options->runs && ret == 0; run++) {
		kt_progress_run(run);
		ret = measure_sides(of, state, &sides, options, run, samples, error);
	}
	ret_result->of = of;
	for (size_t side = 0; side < KT_BENCH_SIDES && ret == 0; side++)
		ret_result->medians[side] =
			sides.there[side]
				? kt_bench_median(&samples[side * options->runs], options->runs)
				: NAN;
	free(samples);
	return ret;
}

static bool is_wanted(const struct kt_bench_case *of, const struct kt_bench_options *options)
{
	return !options->only || fnmatch(options->only, of->name, 0) == 0;
}

static int measure_all(const struct kt_bench_suite *suite, const struct kt_bench_options *options,
		       struct kt_bench_report *report, struct kt_error *error)
{
	struct prepared prepared = {0};
	int ret = 0;

	for (size_t i = 0; i < suite->count && ret == 0; i++) {
		const struct kt_bench_case *of = &suite->cases[i];

		if (!is_wanted(of, options))
			continue;
		kt_progress_case(of, options);
		ret = prepare(&prepared, of, options, error);
		if (ret == 0)
			ret = measure_case(of, prepared.state, options,
					   &report->results[report->count], error);
		kt_progress_done();
		report->count += ret == 0;
	}
	drop(&prepared);
	if (ret == 0 && report->count == 0)
		return kt_error_set(error, ENOENT, suite->name, 0, "no case is named like \"%s\"",
				    options->only);
	return ret;
}

int kt_bench_run(const struct kt_bench_suite *suite, const struct kt_bench_options *options,
		 struct kt_bench_report *ret_report, struct kt_error *error)
{
	struct kt_bench_report report = {.suite = suite, .runs = options->runs};
	struct kt_bench_options with = *options;
	int ret;

	if (with.seconds == 0)
		with.seconds = suite->seconds;
	report.results = calloc(suite->count, sizeof *report.results);
	if (!report.results)
		return kt_error_set(error, ENOMEM, suite->name, 0, "out of memory");
	kt_machine_cpu(report.cpu, sizeof report.cpu);
	kt_machine_openssl(report.openssl, sizeof report.openssl);
	ret = measure_all(suite, &with, &report, error);
	if (ret) {
		kt_bench_report_fini(&report);
		return ret;
	}
	*ret_report = report;
	return 0;
}

void kt_bench_report_fini(struct kt_bench_report *report)
{
	free(report->results);
	report->results = NULL;
}

double kt_bench_ratio(const struct kt_bench_result *result, size_t side)
{
	double ours = result->medians[KT_BENCH_OURS], other = result->medians[side];

	return result->of->more_is_better ? ours / other : other / ours;
}

const char *kt_bench_side_name(const struct kt_bench_case *of, size_t side)
{
	static const char *const names[KT_BENCH_FIRST_PEER] = {"ours", "stock", "limit"};

	return side < KT_BENCH_FIRST_PEER ? names[side] : of->peers[side - KT_BENCH_FIRST_PEER];
}
