/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Benchmarks: cases that are measured on several sides in one interleaved run, and how the medians
 * are told.
 *
 *   struct kt_bench_suite   what `ktrust bench WHAT` names: a title and its cases
 *   struct kt_bench_case    one thing to measure: ours, stock (what users of OpenSSL have), limit
 *                           (what nothing that does the same work can pass), and others by name
 *   struct kt_bench_report  the medians of a run, for a table, JSON or a picture
 *
 * Of each case, run after run, every side is measured once before any is measured again, so that
 * a machine that slows down does so for all sides.
 *
 * Threads: kt_bench_run in one thread; a case may start more, and ends them before it returns.
 *
 * What it does not do: it pins no threads and sets no frequencies; it does not judge a figure.
 */
#ifndef KT_BENCH_BENCH_H
#define KT_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <ktrust/error.h>

struct kt_roots;

struct kt_bench_options {
	unsigned int runs; /* of each side of each case; medians are of these */
	/* At least so long a measurement repeats what is short; 0: the suite's own. */
	double seconds;
	const char *only;		 /* glob of case names; NULL: all */
	const char *roots;		 /* PEM file of Mozilla's roots; NULL: the embedded ones */
	const struct kt_roots *embedded; /* NULL: the program carries none; then the system's */
	const char *ktrustd;		 /* its file; NULL: beside this program, else in PATH */
	/* Where the peers' settings and programs are; NULL: "peers" beside this program. */
	const char *peers;
	bool show_progress; /* on stderr */
};

struct kt_bench_case;

/* One measurement, in the unit of its case. */
typedef int kt_bench_measure(const struct kt_bench_case *of, void *state,
			     const struct kt_bench_options *options, double *ret_value,
			     struct kt_error *error);

enum kt_bench_side { KT_BENCH_OURS, KT_BENCH_STOCK, KT_BENCH_LIMIT, KT_BENCH_FIRST_PEER };

#define KT_BENCH_PEERS_MAX 5
#define KT_BENCH_SIDES	   (KT_BENCH_FIRST_PEER + KT_BENCH_PEERS_MAX)

#define KT_BENCH_NOTE_MAX 320 /* bytes, NUL included */

struct kt_bench_case {
	const char *name;
	const char *unit;
	unsigned int threads;
	bool more_is_better; /* of rates; else the lower figure is the better one */
	/*
	 * What the case works on, made before its first run and freed after its last. Neighbours
	 * with the same prepare and size share it. NULL: state is NULL.
	 */
	int (*prepare)(size_t size, const struct kt_bench_options *options, void **ret_state,
		       struct kt_error *error);
	void (*finish)(void *state);
	/*
	 * Asked of each side that has a measure, once prepared: is it on this machine? True: the
	 * note is the version of what is measured, or empty; false: why not, and the side is left
	 * out. NULL: all sides are there.
	 */
	bool (*is_there)(void *state, size_t side, char note[static KT_BENCH_NOTE_MAX]);
	size_t size;				   /* for prepare */
	unsigned int variant;			   /* for measure: what to do with the state */
	kt_bench_measure *measure[KT_BENCH_SIDES]; /* NULL: there is no such side */
	const char *peers[KT_BENCH_PEERS_MAX];	   /* names of the sides from FIRST_PEER on */
};

struct kt_bench_suite {
	const char *name;
	const char *title;
	const struct kt_bench_case *cases;
	size_t count;
	double seconds; /* where the options name none */
};

extern const struct kt_bench_suite kt_bench_handshake, kt_bench_idle, kt_bench_pool,
	kt_bench_relay, kt_bench_swaps, kt_bench_verify;

struct kt_bench_result {
	const struct kt_bench_case *of;
	double medians[KT_BENCH_SIDES]; /* NaN: there is no such side, or it was left out */
	char notes[KT_BENCH_SIDES][KT_BENCH_NOTE_MAX]; /* as of is_there */
};

struct kt_bench_report {
	const struct kt_bench_suite *suite;
	unsigned int runs;
	char cpu[96];
	char openssl[32];
	struct kt_bench_result *results; /* of the cases that options->only let in */
	size_t count;
};

/*
 * Measure. Errors: -ENOENT no case has a name that matches, -ENOMEM, and those of the cases. The
 * report is freed by kt_bench_report_fini.
 */
KT_WARN_UNUSED int kt_bench_run(const struct kt_bench_suite *suite,
				const struct kt_bench_options *options,
				struct kt_bench_report *ret_report, struct kt_error *error);
void kt_bench_report_fini(struct kt_bench_report *report);

/* How many times better ours is than that side; NaN: one of them is missing. */
double kt_bench_ratio(const struct kt_bench_result *result, size_t side);

/* The name of a side in tables and JSON. */
const char *kt_bench_side_name(const struct kt_bench_case *of, size_t side);

/*
 * The report as a table, as one JSON object on a line, as an SVG picture. Of what is written, the
 * caller checks the stream (ferror); kt_bench_write_json: -ENOMEM.
 */
void kt_bench_write_table(const struct kt_bench_report *report, FILE *to);
KT_WARN_UNUSED int kt_bench_write_json(const struct kt_bench_report *report, FILE *to);
void kt_bench_write_svg(const struct kt_bench_report *report, FILE *to);

/* A line for each side that was left out, and why; nothing if none was. */
void kt_bench_write_absent(const struct kt_bench_report *report, FILE *to);

#endif
