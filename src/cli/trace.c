/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NSEC_PER_SEC  1000000000u
#define NSEC_PER_MSEC 1000000u

/* kt_trace_read wants to be called at least so often. */
#define READ_INTERVAL_NS NSEC_PER_SEC
/* A flood of losses is told so often, not at each batch. */
#define LOST_INTERVAL_NS NSEC_PER_SEC

#define KINDS_END (KT_EVENT_BIT(KT_EVENT_CONN_END) | KT_EVENT_BIT(KT_EVENT_SOCKET_END))
#define KINDS_DEFAULT                                                                              \
	(KT_EVENT_BIT(KT_EVENT_HANDSHAKE) | KT_EVENT_BIT(KT_EVENT_PUBLISH) |                       \
	 KT_EVENT_BIT(KT_EVENT_REFUSE) | KINDS_END)

struct run {
	struct kt_trace_options options;
	const struct kt_cli_trace_output *output;
	char binary[PATH_MAX];
	uint64_t count;	      /* 0: no end */
	uint64_t duration_ns; /* 0: no end */
	bool summarize;

	struct kt_trace *trace;
	uint64_t shown;
	uint64_t end_ns; /* CLOCK_MONOTONIC */
	uint64_t next_lost_ns;
	unsigned int missing_told;
	struct kt_cli_trace_lost told; /* losses that were told already */
	struct kt_cli_trace_summary summary;
	int exit_code;
};

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	(void)number;
	signalled = 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* ---- Options --------------------------------------------------------------------------------- */

static int wrong(const char *option, const char *value, const char *expected)
{
	fprintf(stderr, "ktrust: trace: --%s '%s': not %s (ktrust trace --help)\n", option, value,
		expected);
	return -EINVAL;
}

static int parse_number(const char *option, const char *text, uint64_t max, uint64_t *ret_number)
{
	char expected[64], *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !number || number > max) {
		snprintf(expected, sizeof expected, "a whole number from 1 to %" PRIu64, max);
		return wrong(option, text, expected);
	}
	*ret_number = number;
	return 0;
}

static int parse_duration(const char *text, uint64_t *ret_ns)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end || !(seconds > 0 && seconds <= 1e9))
		return wrong("duration", text, "a number of seconds, above 0");
	*ret_ns = (uint64_t)(seconds * NSEC_PER_SEC);
	return 0;
}

static int parse_kinds(const char *text, unsigned int *ret_kinds)
{
	static const struct {
		const char *name;
		unsigned int kinds;
	} words[] = {
		{"handshake", KT_EVENT_BIT(KT_EVENT_HANDSHAKE)},
		{"publish", KT_EVENT_BIT(KT_EVENT_PUBLISH)},
		{"end", KINDS_END},
		{"reclaim", KT_EVENT_BIT(KT_EVENT_RECLAIM)},
		{"refuse", KT_EVENT_BIT(KT_EVENT_REFUSE)},
	};
	unsigned int kinds = 0;

	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ","), i = 0;

		while (i < sizeof words / sizeof words[0] &&
		       (strlen(words[i].name) != len || strncmp(words[i].name, at, len)))
			i++;
		if (i == sizeof words / sizeof words[0])
			return wrong("only", text,
				     "a list of handshake, publish, refuse, end, reclaim");
		kinds |= words[i].kinds;
		at += len;
		if (!*at)
			break;
	}
	*ret_kinds = kinds;
	return 0;
}

static int set_binary(struct run *run, const char *path)
{
	if ((size_t)snprintf(run->binary, sizeof run->binary, "%s", path) >= sizeof run->binary ||
	    !*path)
		return wrong("binary", path, "a path");
	return 0;
}

static error_t set_option(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;
	uint64_t number;
	int rc = 0;

	switch (key) {
	case 'j':
		run->output = &kt_cli_trace_json;
		break;
	case 'p':
		rc = parse_number("pid", arg, INT_MAX, &number);
		run->options.pid = rc ? 0 : (pid_t)number;
		break;
	case 'b':
		rc = set_binary(run, arg);
		break;
	case 'o':
		rc = parse_kinds(arg, &run->options.kinds);
		break;
	case 'c':
		rc = parse_number("count", arg, UINT64_MAX, &run->count);
		break;
	case 'd':
		rc = parse_duration(arg, &run->duration_ns);
		break;
	case 'B':
		rc = parse_number("buffer", arg, KT_TRACE_BUFFER_MAX_BYTES, &number);
		run->options.buffer_bytes = rc ? 0 : number;
		break;
	case 's':
		run->summarize = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return -rc;
}

static const struct argp_option options[] = {
	{"json", 'j', NULL, 0, "One JSON object a line", 0},
	{"pid", 'p', "PID", 0, "Only this process", 0},
	{"binary", 'b', "PATH", 0,
	 "The file of ktrustd; else that of the running ktrustd, the one beside this program, or "
	 "the one in $PATH",
	 0},
	{"only", 'o', "LIST", 0,
	 "Of handshake, publish, refuse, end, reclaim; all but the last if not given", 0},
	{"count", 'c', "N", 0, "End after N lines", 0},
	{"duration", 'd', "SECONDS", 0, "End then", 0},
	{"buffer", 'B', "BYTES", 0, "Between kernel and reader; 4194304 if not given", 0},
	{"summary", 's', NULL, 0, "Totals at the end", 0},
	{0},
};

static const char doc[] =
	"Follow ktrustd through its probes: a line for each handshake, each publication of a pool "
	"and each end of a connection. ktrustd need not run yet, and may restart meanwhile. "
	"Nothing waits for the reader: what does not fit into the buffer is counted.\v"
	"ktls=tx,rx says that the kernel confirms it, tx,rx? that it could not be asked, tx,rx!tx "
	"that ktrustd claims the first and the kernel took keys for the second.\n\n"
	"Ends with SIGINT and SIGTERM. Exit status: 0 ended as asked, 1 the time was up before "
	"--count lines, 2 trouble. Needs root (CAP_SYS_ADMIN).";

/* ---- Following ------------------------------------------------------------------------------- */

static bool show(const struct kt_trace_event *event, void *arg)
{
	struct run *run = arg;

	if (run->count && run->shown == run->count)
		return false;
	run->output->event(stdout, event);
	run->shown++;
	if (run->summarize && kt_cli_trace_summary_add(&run->summary, event)) {
		fprintf(stderr, "ktrust: trace: out of memory: the summary misses an event\n");
		run->exit_code = KT_EXIT_TROUBLE;
	}
	return !run->count || run->shown < run->count;
}

static struct kt_cli_trace_lost lost_so_far(const struct kt_trace *trace)
{
	struct kt_cli_trace_lost lost = {};
	struct kt_event_counts counts;

	kt_trace_counts(trace, &counts);
	for (size_t i = 0; i < KT_EVENT_KINDS; i++) {
		lost.lost += counts.lost[i];
		lost.unreadable += counts.unreadable[i];
	}
	return lost;
}

static void tell_lost(struct run *run)
{
	struct kt_cli_trace_lost lost = lost_so_far(run->trace);
	uint64_t now = now_ns();

	if ((lost.lost == run->told.lost && lost.unreadable == run->told.unreadable) ||
	    now < run->next_lost_ns)
		return;
	run->output->lost(stdout, &lost);
	fprintf(stderr,
		"ktrust: trace: %" PRIu64 " events lost, %" PRIu64 " unreadable (a larger "
		"--buffer, or --only what is needed, loses less)\n",
		lost.lost, lost.unreadable);
	run->told = lost;
	run->next_lost_ns = now + LOST_INTERVAL_NS;
}

static int fail(struct run *run, const char *what, const char *why)
{
	fprintf(stderr, "ktrust: trace: %s: %s\n", what, why);
	run->exit_code = KT_EXIT_TROUBLE;
	return -EIO;
}

/* Each thing once, also those that only turn up on the way. */
static void tell_missing(struct run *run)
{
	const char *missing;

	while ((missing = kt_trace_missing(run->trace, run->missing_told))) {
		fprintf(stderr, "ktrust: trace: %s\n", missing);
		run->missing_told++;
	}
}

static int read_events(struct run *run)
{
	int rc = kt_trace_read(run->trace, show, run);

	if (rc < 0)
		return fail(run, "reading events", strerror(-rc));
	tell_missing(run);
	tell_lost(run);
	if (fflush(stdout) || ferror(stdout))
		return fail(run, "standard output", strerror(errno));
	return rc;
}

/* Signals are let in only here, so that none is missed between the look and the wait. */
static int wait_for_events(struct run *run, const sigset_t *let_in)
{
	struct pollfd pollfd = {.fd = kt_trace_fd(run->trace), .events = POLLIN};
	uint64_t wait_ns = READ_INTERVAL_NS, now = now_ns();
	struct timespec timeout;

	if (run->end_ns && now >= run->end_ns)
		return 0;
	if (run->end_ns && run->end_ns - now < wait_ns)
		wait_ns = run->end_ns - now;
	timeout.tv_sec = (time_t)(wait_ns / NSEC_PER_SEC);
	timeout.tv_nsec = (long)(wait_ns % NSEC_PER_SEC);
	if (ppoll(&pollfd, 1, &timeout, let_in) < 0 && errno != EINTR)
		return fail(run, "waiting for events", strerror(errno));
	return 1;
}

static bool is_over(const struct run *run)
{
	return signalled || run->exit_code == KT_EXIT_TROUBLE ||
	       (run->count && run->shown >= run->count);
}

/* What was in the buffer at the end is still shown: it happened in time. */
static void drain(struct run *run)
{
	int n;

	kt_trace_stop(run->trace);
	run->next_lost_ns = 0;
	do {
		n = read_events(run);
	} while (n > 0 && !(run->count && run->shown >= run->count));
}

static void follow(struct run *run, const sigset_t *let_in)
{
	int rc = 1;

	run->end_ns = run->duration_ns ? now_ns() + run->duration_ns : 0;
	while (rc > 0 && !is_over(run)) {
		rc = wait_for_events(run, let_in);
		if (rc > 0 && read_events(run) < 0)
			break;
	}
	if (run->exit_code != KT_EXIT_TROUBLE)
		drain(run);
	if (run->exit_code == KT_EXIT_OK && !signalled && run->count && run->shown < run->count)
		run->exit_code = KT_EXIT_NO;
}

static void finish(struct run *run)
{
	struct kt_cli_trace_lost lost = lost_so_far(run->trace);

	if (run->summarize)
		run->output->summary(stdout, &run->summary, &lost);
	if (fflush(stdout) || ferror(stdout))
		fail(run, "standard output", strerror(errno));
	fprintf(stderr, "traced %" PRIu64 " events, %" PRIu64 " lost, %" PRIu64 " unreadable\n",
		run->shown, lost.lost, lost.unreadable);
}

/* ---- Start ----------------------------------------------------------------------------------- */

static int attach(struct run *run)
{
	struct kt_error error;
	char line[sizeof error.where + sizeof error.text + 16];
	int rc = 0;

	if (!run->binary[0])
		rc = kt_trace_find_binary(run->options.pid, run->binary, sizeof run->binary,
					  &error);
	run->options.binary = run->binary;
	if (!rc)
		rc = kt_trace_open(&run->options, &run->trace, &error);
	if (rc) {
		fprintf(stderr, "ktrust: trace: %s\n", kt_error_format(&error, line, sizeof line));
		return rc;
	}
	tell_missing(run);
	run->output->attached(stdout, run->binary, run->options.pid, run->trace);
	fflush(stdout);
	fprintf(stderr, "tracing %s\n", run->binary);
	return 0;
}

static void catch_signals(sigset_t *ret_let_in)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, ret_let_in);
	sigdelset(ret_let_in, SIGINT);
	sigdelset(ret_let_in, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int kt_cli_trace(int argc, char **argv)
{
	struct run run = {.output = &kt_cli_trace_text, .options.kinds = KINDS_DEFAULT};
	static const struct argp argp = {options, set_option, NULL, doc, NULL, NULL, NULL};
	sigset_t let_in;

	if (argp_parse(&argp, argc, argv, 0, NULL, &run))
		return KT_EXIT_TROUBLE;
	catch_signals(&let_in);
	if (attach(&run))
		return KT_EXIT_TROUBLE;
	follow(&run, &let_in);
	finish(&run);
	kt_cli_trace_summary_fini(&run.summary);
	kt_trace_close(run.trace);
	return run.exit_code;
}
