/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include <stdint.h>

#include "clock.h"

#define BAR_LEN	 20
#define NEW_LINE "\r\033[K" /* to the first column, and clear */

/* Of the one run. */
static struct {
	const struct kt_bench_case *of;
	unsigned int runs;
	uint64_t begun_ns; /* the first measurement of the case */
	bool shown;
} now;

void kt_progress_case(const struct kt_bench_case *of, const struct kt_bench_options *options)
{
	now.of = of;
	now.runs = options->runs;
	now.shown = options->show_progress;
	if (now.shown)
		fprintf(stderr, NEW_LINE "%-24s preparing", of->name);
}

static void draw(unsigned int run)
{
	unsigned int full = run * BAR_LEN / now.runs;

	fprintf(stderr, NEW_LINE "%-24s [", now.of->name);
	for (unsigned int i = 0; i < BAR_LEN; i++)
		fputc(i < full ? '#' : '.', stderr);
	fprintf(stderr, "] %u of %u", run, now.runs);
}

void kt_progress_run(unsigned int run)
{
	double each_s;

	if (!now.shown)
		return;
	if (run == 0)
		now.begun_ns = kt_bench_now_ns();
	draw(run);
	if (run == 0)
		return;
	each_s = (double)(kt_bench_now_ns() - now.begun_ns) / 1e9 / run;
	fprintf(stderr, ", %.1f s each, %.0f s left", each_s, each_s * (now.runs - run));
}

void kt_progress_done(void)
{
	if (now.shown)
		fprintf(stderr, NEW_LINE);
}
