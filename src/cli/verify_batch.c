/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many cases, a line each; the answers come in the same order.
 *
 * Threads: with several workers, lines are read a round at a time, each worker takes a run of
 * neighbours (which often have the same anchors), and answers are printed when all are done. A
 * worker's judge is its own. With one, each line is answered before the next is read.
 */
#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define LINE_MAX_LEN (64u << 20) /* bytes, the newline not counted */
#define ROUND_BYTES  (64u << 20) /* after that no more lines are read for a round */
#define WORKER_LINES 64		 /* of a round */
#define WORKERS_MAX  64

struct line {
	char *text;
	size_t len;
	unsigned int number;
	bool too_long; /* text is NULL */
	struct kt_cli_case_result result;
};

struct worker {
	struct kt_cli_judge *judge;
	struct run *run;
	struct line *lines;
	size_t count;
	pthread_t thread;
	bool started;
};

struct run {
	const struct kt_cli_batch *batch;
	FILE *file;
	const char *where;
	unsigned int number; /* of the last line read */
	struct line lines[WORKERS_MAX * WORKER_LINES];
	size_t count;
	struct worker workers[WORKERS_MAX];
	/* Of all lines so far. */
	uint64_t outcomes[KT_CLI_CASE_UNDECIDED + 1];
	uint64_t unexpected;
};

/* ---- Reading --------------------------------------------------------------------------------- */

/* Up to its newline. False: out of memory; else ret->too_long where there was too much of it. */
static bool read_text(FILE *file, int first, struct line *ret)
{
	size_t room = 4096;
	char *text = malloc(room), *more;
	int c = first;

	for (ret->len = 0; text && c != EOF && c != '\n'; c = getc_unlocked(file)) {
		if (ret->len == LINE_MAX_LEN)
			ret->too_long = true;
		if (ret->too_long)
			continue;
		if (ret->len == room) {
			room *= 2;
			more = realloc(text, room);
			if (!more)
				free(text);
			text = more;
			if (!text)
				break;
		}
		text[ret->len++] = (char)c;
	}
	ret->text = text;
	return text != NULL;
}

static bool is_blank(const struct line *line)
{
	for (size_t i = 0; i < line->len; i++)
		if (!strchr(" \t\r", line->text[i]))
			return false;
	return true;
}

/* 1: there is one; 0: the file is at its end; -ENOMEM. Blank lines do not count as cases. */
static int read_line(struct run *run, struct line *ret_line)
{
	struct line line = {0};
	int first;

	for (;;) {
		first = getc_unlocked(run->file);
		if (first == EOF)
			return 0;
		line = (struct line){.number = ++run->number};
		if (!read_text(run->file, first, &line))
			return -ENOMEM;
		if (line.too_long || !is_blank(&line))
			break;
		free(line.text);
	}
	*ret_line = line;
	return 1;
}

/* As many lines as a round has. */
static int read_round(struct run *run, struct kt_error *error)
{
	size_t most = run->batch->threads > 1 ? run->batch->threads * WORKER_LINES : 1, bytes = 0;
	int ret = 1;

	run->count = 0;
	while (run->count < most && bytes < ROUND_BYTES && ret > 0) {
		ret = read_line(run, &run->lines[run->count]);
		if (ret > 0)
			bytes += run->lines[run->count++].len;
	}
	if (ret < 0)
		return kt_error_set(error, -ret, run->where, run->number, "out of memory");
	if (ret == 0 && ferror(run->file))
		return kt_error_set(error, errno ? errno : EIO, run->where, 0, "cannot be read: %s",
				    strerror(errno));
	return 0;
}

/* ---- Working --------------------------------------------------------------------------------- */

static void judge(struct worker *worker, struct line *line)
{
	struct kt_cli_case_result *result = &line->result;

	if (!line->too_long) {
		kt_cli_judge_line(worker->judge, line->text, line->len, worker->run->where,
				  line->number, result);
		return;
	}
	*result = (struct kt_cli_case_result){.outcome = KT_CLI_CASE_UNDECIDED};
	kt_error_set(&result->error, EMSGSIZE, worker->run->where, line->number,
		     "this line has more than %u bytes", LINE_MAX_LEN);
	result->answer = json_pack("{s:n, s:s}", "id", "error", "this line is too long");
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (size_t i = 0; i < worker->count; i++)
		judge(worker, &worker->lines[i]);
	return NULL;
}

/* What no thread could be started for is done here. */
static void work_round(struct run *run)
{
	size_t share = (run->count + run->batch->threads - 1) / run->batch->threads, begun = 0;

	for (size_t i = 0; i < run->batch->threads; i++) {
		struct worker *worker = &run->workers[i];
		size_t left = run->count - begun;

		worker->lines = &run->lines[begun];
		worker->count = left < share ? left : share;
		begun += worker->count;
		worker->started = run->batch->threads > 1 && worker->count &&
				  !pthread_create(&worker->thread, NULL, work, worker);
		if (!worker->started)
			work(worker);
	}
	for (size_t i = 0; i < run->batch->threads; i++)
		if (run->workers[i].started)
			pthread_join(run->workers[i].thread, NULL);
}

/* KT_EXIT_OK, or KT_EXIT_TROUBLE: the answers do not get out. */
static int tell_round(struct run *run)
{
	int status = KT_EXIT_OK;

	for (size_t i = 0; i < run->count; i++) {
		struct line *line = &run->lines[i];

		run->outcomes[line->result.outcome]++;
		run->unexpected += line->result.unexpected;
		if (line->result.error.err)
			kt_complain(&line->result.error);
		if (kt_print_json(line->result.answer))
			status = KT_EXIT_TROUBLE;
		free(line->text);
	}
	return status;
}

/* ---- The batch ------------------------------------------------------------------------------- */

static double seconds_since(const struct timespec *begun)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begun->tv_sec) + (double)(now.tv_nsec - begun->tv_nsec) / 1e9;
}

static void tell_totals(const struct run *run, double seconds)
{
	const uint64_t *outcomes = run->outcomes;
	uint64_t cases = outcomes[KT_CLI_CASE_ACCEPTED] + outcomes[KT_CLI_CASE_REFUSED] +
			 outcomes[KT_CLI_CASE_UNDECIDED];

	fprintf(stderr,
		"%" PRIu64 " cases: %" PRIu64 " accepted, %" PRIu64 " refused, %" PRIu64
		" not decided; %" PRIu64 " unexpected; %.0f a second\n",
		cases, outcomes[KT_CLI_CASE_ACCEPTED], outcomes[KT_CLI_CASE_REFUSED],
		outcomes[KT_CLI_CASE_UNDECIDED], run->unexpected,
		seconds > 0 ? (double)cases / seconds : 0.0);
}

static int status_of(const struct run *run)
{
	if (run->outcomes[KT_CLI_CASE_UNDECIDED])
		return KT_EXIT_TROUBLE;
	return run->unexpected ? KT_EXIT_NO : KT_EXIT_OK;
}

static int do_rounds(struct run *run)
{
	struct timespec begun;
	struct kt_error error;
	int status = KT_EXIT_OK, ret;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	do {
		ret = read_round(run, &error);
		work_round(run);
		status = tell_round(run);
	} while (!ret && !status && run->count);
	tell_totals(run, seconds_since(&begun));
	if (ret)
		kt_complain(&error);
	return ret || status ? KT_EXIT_TROUBLE : status_of(run);
}

static int start_workers(struct run *run, struct kt_error *error)
{
	for (size_t i = 0; i < run->batch->threads; i++) {
		run->workers[i].run = run;
		run->workers[i].judge = kt_cli_judge_new(run->batch);
		if (!run->workers[i].judge)
			return kt_error_set(error, ENOMEM, run->where, 0, "out of memory");
	}
	return 0;
}

static int open_file(struct run *run, struct kt_error *error)
{
	bool is_stdin = !strcmp(run->batch->path, "-");

	run->where = is_stdin ? "standard input" : run->batch->path;
	run->file = is_stdin ? stdin : fopen(run->batch->path, "re");
	if (run->file)
		return 0;
	return kt_error_set(error, errno, run->where, 0, "cannot be opened: %s", strerror(errno));
}

int kt_cli_verify_batch(const struct kt_cli_batch *batch)
{
	struct run *run = calloc(1, sizeof *run);
	int status = KT_EXIT_TROUBLE;
	struct kt_error error = {0};

	if (!run)
		return KT_EXIT_TROUBLE;
	run->batch = batch;
	/* Before there are threads: jansson's hash wants a seed. */
	json_object_seed(0);
	if (open_file(run, &error) || start_workers(run, &error))
		kt_complain(&error);
	else
		status = do_rounds(run);
	for (size_t i = 0; i < batch->threads; i++)
		kt_cli_judge_free(run->workers[i].judge);
	if (run->file && run->file != stdin)
		fclose(run->file);
	free(run);
	return status;
}
