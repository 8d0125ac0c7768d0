/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust bench */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ktrust/roots.h>

#include "../bench/bench.h"

enum { OPT_KTRUSTD = 256, OPT_ONLY, OPT_PEERS, OPT_PLOT, OPT_ROOTS, OPT_RUNS, OPT_SECONDS };

#define RUNS_MAX    1000
#define SECONDS_MAX 3600

static const struct kt_bench_suite *const suites[] = {&kt_bench_handshake, &kt_bench_idle,
						      &kt_bench_pool,	   &kt_bench_relay,
						      &kt_bench_swaps,	   &kt_bench_verify};
#define SUITES "handshake, idle, pool, relay, swaps, verify"

struct request {
	const struct kt_bench_suite *suite;
	struct kt_bench_options options;
	const char *plot; /* file; NULL: none */
	bool json;
};

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "Print JSON", 0},
	{"ktrustd", OPT_KTRUSTD, "FILE", 0,
	 "The ktrustd to measure, instead of the one beside this program or in PATH", 0},
	{"only", OPT_ONLY, "GLOB", 0, "Only cases whose names match", 0},
	{"peers", OPT_PEERS, "DIR", 0,
	 "Where the settings and programs of other servers are, instead of peers/ beside this "
	 "program",
	 0},
	{"plot", OPT_PLOT, "FILE", 0, "Draw the figures too, as SVG", 0},
	{"roots", OPT_ROOTS, "FILE", 0, "PEM file of Mozilla's roots, instead of the embedded ones",
	 0},
	{"runs", OPT_RUNS, "N", 0, "Measure each side of each case so often (default 5)", 0},
	{"seconds", OPT_SECONDS, "S", 0,
	 "Repeat what is short for so long in each run (default 0.3, of verify 0.2, of relay 0.5, "
	 "of handshake 1, of swaps 3)",
	 0},
	{0},
};

static void parse_runs(const char *arg, struct argp_state *state, unsigned int *ret_runs)
{
	char *end;
	unsigned long runs = strtoul(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || runs < 1 || runs > RUNS_MAX)
		argp_error(state, "--runs %s: a number from 1 to %d is expected", arg, RUNS_MAX);
	else
		*ret_runs = (unsigned int)runs;
}

static void parse_seconds(const char *arg, struct argp_state *state, double *ret_seconds)
{
	char *end;
	double seconds = strtod(arg, &end);

	if (end == arg || *end || !(seconds > 0 && seconds <= SECONDS_MAX))
		argp_error(state, "--seconds %s: more than 0 and at most %d are expected", arg,
			   SECONDS_MAX);
	else
		*ret_seconds = seconds;
}

static void parse_suite(const char *arg, struct argp_state *state, struct request *request)
{
	if (request->suite)
		argp_error(state, "one WHAT at a time");
	for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
		if (strcmp(suites[i]->name, arg) == 0)
			request->suite = suites[i];
	if (!request->suite)
		argp_error(state, "%s: there is no such benchmark (" SUITES ")", arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case 'j':
		request->json = true;
		return 0;
	case OPT_KTRUSTD:
		request->options.ktrustd = arg;
		return 0;
	case OPT_ONLY:
		request->options.only = arg;
		return 0;
	case OPT_PEERS:
		request->options.peers = arg;
		return 0;
	case OPT_PLOT:
		request->plot = arg;
		return 0;
	case OPT_ROOTS:
		request->options.roots = arg;
		return 0;
	case OPT_RUNS:
		parse_runs(arg, state, &request->options.runs);
		return 0;
	case OPT_SECONDS:
		parse_seconds(arg, state, &request->options.seconds);
		return 0;
	case ARGP_KEY_ARG:
		parse_suite(arg, state, request);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "what is to be measured? (" SUITES ")");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "WHAT",
	.doc = "Measure ktrust beside the stock library and other programs in one interleaved run, "
	       "and print medians. WHAT is handshake: the CPU time of handshakes through ktrustd "
	       "and through other servers; idle: their memory for silent connections; pool: "
	       "loading pools of roots, and reading them while "
	       "they are replaced; relay: bulk data through ktrustd and other servers; swaps: how "
	       "long "
	       "handshakes take while a pool is replaced; or verify: verifying chains.",
};

static int complain_of(const char *path)
{
	fprintf(stderr, "ktrust: %s: cannot be written: %s\n", path, strerror(errno));
	return KT_EXIT_TROUBLE;
}

static int plot(const struct kt_bench_report *report, FILE *file, const char *path)
{
	bool failed;

	kt_bench_write_svg(report, file);
	failed = ferror(file);
	failed |= fclose(file) != 0;
	return failed ? complain_of(path) : KT_EXIT_OK;
}

static int print(const struct kt_bench_report *report, bool json)
{
	if (!json)
		kt_bench_write_table(report, stdout);
	else if (kt_bench_write_json(report, stdout))
		return KT_EXIT_TROUBLE;
	return kt_print_end();
}

int kt_cli_bench(int argc, char **argv)
{
	struct request request = {.options = {.runs = 5, .show_progress = isatty(STDERR_FILENO)}};
	struct kt_bench_report report;
	struct kt_error error = {0};
	FILE *picture = NULL;
	int status;

#if KT_EMBEDDED_ROOTS
	request.options.embedded = &kt_embedded_roots;
#endif
	if (argp_parse(&argp, argc, argv, 0, NULL, &request))
		return KT_EXIT_TROUBLE;
	/* Opened first: minutes of measuring are not to end in a file that cannot be written. */
	if (request.plot && !(picture = fopen(request.plot, "we")))
		return complain_of(request.plot);
	if (kt_bench_run(request.suite, &request.options, &report, &error)) {
		kt_complain(&error);
		if (picture)
			fclose(picture);
		return KT_EXIT_TROUBLE;
	}
	kt_bench_write_absent(&report, stderr);
	status = print(&report, request.json);
	if (picture && plot(&report, picture, request.plot))
		status = KT_EXIT_TROUBLE;
	kt_bench_report_fini(&report);
	return status;
}
