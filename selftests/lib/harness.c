/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the tests that a program's constructors registered.
 *
 * The runner (parent) has one thread. A test's process and whatever it forks write what they found
 * into a page shared with the runner, so that a check that fails in a grandchild counts, and an
 * exit(0) in the middle of a test is told from its end.
 */
#include "harness_state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KSFT_SKIP   4
#define NAME_LEN    256
#define MAX_FILTERS 32
#define OUTPUT_MAX  (1U << 20) /* bytes of a test's output that are kept */

struct item {
	const struct kt_test_fixture *fixture;
	const struct kt_test_variant *variant; /* NULL: none */
	const struct kt_test_case *test;
	char name[NAME_LEN];
};

enum outcome { PASSED, FAILED, SKIPPED };

struct kt_test_fixture kt_test_plain;

static struct kt_test_fixture *fixtures;
struct kt_test_shared *kt_test_shared;
pid_t kt_test_pid;
jmp_buf kt_test_end;

static struct {
	const char *filters[MAX_FILTERS];
	size_t filter_count;
	const char *without; /* NULL: nothing is left out */
	unsigned int timeout_scale;
	bool name_skips;
	bool list;
} options = {.timeout_scale = 1};

/* The running test's process group; a signal to the runner must not leave it behind. */
static volatile sig_atomic_t running_group;

/* ---- Registration: lists keep the order of the source -------------------------------------- */

void kt_test_add_fixture(struct kt_test_fixture *fixture)
{
	struct kt_test_fixture **end = &fixtures;

	while (*end)
		end = &(*end)->next;
	*end = fixture;
}

void kt_test_add_variant(struct kt_test_fixture *fixture, struct kt_test_variant *variant)
{
	struct kt_test_variant **end = &fixture->variants;

	while (*end)
		end = &(*end)->next;
	*end = variant;
}

void kt_test_add_case(struct kt_test_fixture *fixture, struct kt_test_case *test)
{
	struct kt_test_case **end = &fixture->tests;

	while (*end)
		end = &(*end)->next;
	*end = test;
}

/* ---- The test's process -------------------------------------------------------------------- */

static void become_test(const struct item *item, int output)
{
	const struct rlimit no_core = {0};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	kt_test_pid = getpid();
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (item->test->signal) /* a sanitizer may have its own handler */
		signal(item->test->signal, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	close(null);
	close(output);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static void *self;
static bool set_up;

static void run_phases(const struct item *item)
{
	const struct kt_test_fixture *fixture = item->fixture;
	const void *variant = item->variant ? item->variant->data : NULL;

	if (!setjmp(kt_test_end)) {
		if (fixture->setup)
			fixture->setup(self, variant);
		if (atomic_load(&kt_test_shared->skipped))
			return;
		set_up = true;
		item->test->run(self, variant);
	}
	if (set_up && fixture->teardown && !setjmp(kt_test_end))
		fixture->teardown(self, variant);
}

static _Noreturn void test_process(const struct item *item, int output)
{
	become_test(item, output);
	if (item->fixture->self_size) {
		self = calloc(1, item->fixture->self_size);
		if (!self)
			exit(EXIT_FAILURE);
	}
	run_phases(item);
	if (getpid() != kt_test_pid) {
		atomic_store(&kt_test_shared->failed, true);
		dprintf(STDERR_FILENO, "a process forked by the test returned from it\n");
		_exit(EXIT_FAILURE);
	}
	free(self);
	self = NULL;
	atomic_store(&kt_test_shared->finished, true);
	exit(atomic_load(&kt_test_shared->failed) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* ---- The runner: what a test prints -------------------------------------------------------- */

/* Turns bytes into "# " lines; keeps the state of an unfinished line between reads. */
struct prefixer {
	bool in_line;
	size_t seen;
};

static void prefix(struct prefixer *state, const char *bytes, size_t len)
{
	state->seen += len;
	if (state->seen > OUTPUT_MAX)
		return;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (!state->in_line)
			fputs("# ", stdout);
		state->in_line = c != '\n';
		putchar(c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f) ? c : '?');
	}
}

static void finish_output(struct prefixer *state)
{
	if (state->in_line)
		putchar('\n');
	if (state->seen > OUTPUT_MAX)
		printf("# of %zu bytes of output, the first were kept\n", state->seen);
}

/*
 * Copies a piece, so that a test that never stops printing cannot keep us past its time limit.
 * False when the pipe's writers are gone.
 */
static bool copy_output(int fd, struct prefixer *state)
{
	char buf[16384];
	ssize_t n = read(fd, buf, sizeof buf);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	prefix(state, buf, (size_t)n);
	return n > 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the process ends; false when its time was up first. */
static bool watch(int pidfd, int output, struct prefixer *state, int64_t limit_ms)
{
	struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};
	int64_t end_ms = now_ms() + limit_ms;

	for (;;) {
		int64_t left_ms = end_ms - now_ms();

		if (left_ms <= 0)
			return false;
		if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
			return false;
		if (fds[1].revents && !copy_output(output, state))
			fds[1].fd = -1;
		if (fds[0].revents)
			return true;
	}
}

/* ---- The runner: a test -------------------------------------------------------------------- */

static enum outcome judge(const struct item *item, int status, bool in_time, unsigned int limit_s)
{
	int expected = item->test->signal;

	if (!in_time) {
		printf("# timed out after %u s\n", limit_s);
		return FAILED;
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == expected)
		return atomic_load(&kt_test_shared->failed) ? FAILED : PASSED;
	if (WIFSIGNALED(status)) {
		printf("# ended by SIG%s\n", sigabbrev_np(WTERMSIG(status)));
		return FAILED;
	}
	if (atomic_load(&kt_test_shared->failed))
		return FAILED;
	if (!atomic_load(&kt_test_shared->finished)) {
		printf("# the process left with status %d before the test's end\n",
		       WEXITSTATUS(status));
		return FAILED;
	}
	if (WEXITSTATUS(status)) {
		printf("# the process left with status %d after the test's end\n",
		       WEXITSTATUS(status));
		return FAILED;
	}
	if (atomic_load(&kt_test_shared->skipped))
		return SKIPPED;
	if (expected) {
		printf("# was to be ended by SIG%s\n", sigabbrev_np(expected));
		return FAILED;
	}
	return PASSED;
}

/* Ends what the test left in its group, and what made itself a session: we are the subreaper. */
static void end_descendants(pid_t group)
{
	char path[64];
	int pid;

	kill(-group, SIGKILL);
	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	for (;;) {
		FILE *children = fopen(path, "re");

		if (!children)
			return;
		while (fscanf(children, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		fclose(children);
		if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
			return;
	}
}

static enum outcome run_item(const struct item *item)
{
	unsigned int limit_s = item->test->timeout_s * options.timeout_scale;
	struct prefixer state = {0};
	int output[2], status, pidfd;
	bool in_time;
	pid_t pid;

	memset(kt_test_shared, 0, sizeof *kt_test_shared);
	fflush(stdout);
	if (pipe2(output, O_CLOEXEC) < 0) {
		printf("# pipe: %s\n", strerror(errno));
		return FAILED;
	}
	pid = fork();
	if (pid == 0) {
		close(output[0]);
		test_process(item, output[1]);
	}
	close(output[1]);
	if (pid < 0) {
		printf("# fork: %s\n", strerror(errno));
		close(output[0]);
		return FAILED;
	}
	setpgid(pid, pid); /* here too: the limit may pass before the test's process runs */
	running_group = pid;
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	in_time = watch(pidfd, output[0], &state, (int64_t)limit_s * 1000);
	if (!in_time)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	running_group = 0;
	end_descendants(pid);
	while (copy_output(output[0], &state) && poll(&(struct pollfd){output[0], POLLIN, 0}, 1, 0))
		;
	finish_output(&state);
	close(pidfd);
	close(output[0]);
	return judge(item, status, in_time, limit_s);
}

/* ---- The runner: a program ----------------------------------------------------------------- */

static bool wanted(const char *name)
{
	if (options.without && !fnmatch(options.without, name, 0))
		return false;
	for (size_t i = 0; i < options.filter_count; i++)
		if (!fnmatch(options.filters[i], name, 0))
			return true;
	return !options.filter_count;
}

static size_t add_item(struct item *items, size_t count, const struct kt_test_fixture *fixture,
		       const struct kt_test_variant *variant, const struct kt_test_case *test)
{
	struct item item = {.fixture = fixture, .variant = variant, .test = test};

	snprintf(item.name, sizeof item.name, "%s%s%s%s%s", fixture->name ? fixture->name : "",
		 fixture->name ? "." : "", variant ? variant->name : "", variant ? "." : "",
		 test->name);
	if (!wanted(item.name))
		return count;
	if (items)
		items[count] = item;
	return count + 1;
}

/* With items NULL: only counts. */
static size_t collect(struct item *items)
{
	size_t count = 0;

	kt_test_plain.next = fixtures;
	for (const struct kt_test_fixture *f = &kt_test_plain; f; f = f->next) {
		const struct kt_test_variant *v = f->variants;

		do {
			for (const struct kt_test_case *t = f->tests; t; t = t->next)
				count = add_item(items, count, f, v, t);
			v = v ? v->next : NULL;
		} while (v);
	}
	return count;
}

/*
 * Skipped tests are held back until one ran: if none did, the plan is an empty one with its reason,
 * which prove shows.
 */
struct tally {
	size_t count;
	size_t held;	/* skipped before anything ran */
	bool plan_said; /* nothing is held back any more */
	bool failed;
	char reason[REASON_LEN]; /* of the first skipped test */
	char (*reasons)[REASON_LEN];
};

static void say_plan(struct tally *tally, const struct item *items)
{
	if (tally->plan_said)
		return;
	tally->plan_said = true;
	printf("1..%zu\n", tally->count);
	for (size_t i = 0; i < tally->held; i++)
		printf("ok %zu %s # SKIP %s\n", i + 1, items[i].name, tally->reasons[i]);
}

static void say_result(struct tally *tally, const struct item *items, size_t i,
		       enum outcome outcome)
{
	char *reason = tally->reasons[i];

	if (outcome == SKIPPED) {
		snprintf(reason, REASON_LEN, "%s", kt_test_shared->reason);
		for (char *c = reason; *c; c++)
			if (iscntrl((unsigned char)*c))
				*c = ' ';
		if (!tally->plan_said && !options.name_skips) {
			tally->held++;
			return;
		}
	}
	say_plan(tally, items);
	if (outcome == FAILED)
		tally->failed = true;
	printf("%s %zu %s%s%s\n", outcome == FAILED ? "not ok" : "ok", i + 1, items[i].name,
	       outcome == SKIPPED ? " # SKIP " : "", outcome == SKIPPED ? reason : "");
	fflush(stdout);
}

static int run_items(const struct item *items, size_t count)
{
	struct tally tally = {.count = count};
	size_t skipped = 0;

	tally.reasons = calloc(count, sizeof *tally.reasons);
	if (!tally.reasons)
		return EXIT_FAILURE;
	for (size_t i = 0; i < count; i++) {
		enum outcome outcome = run_item(&items[i]);

		skipped += outcome == SKIPPED;
		say_result(&tally, items, i, outcome);
	}
	if (!tally.plan_said) {
		for (size_t i = 0; i < count; i++)
			printf("# skipped %s: %s\n", items[i].name, tally.reasons[i]);
		printf("1..0 # SKIP %s\n", tally.reasons[0]);
	}
	free(tally.reasons);
	if (tally.failed)
		return EXIT_FAILURE;
	return skipped == count && getenv("KSFT_EXIT_SKIP") ? KSFT_SKIP : EXIT_SUCCESS;
}

static void end_group(int signal_no)
{
	if (running_group)
		kill(-running_group, SIGKILL);
	signal(signal_no, SIG_DFL);
	raise(signal_no);
}

static bool read_environment(void)
{
	const char *scale = getenv("KT_TEST_TIMEOUT_SCALE");
	char *end = NULL;

	options.name_skips = getenv("KT_TEST_NAME_SKIPS") != NULL;
	options.without = getenv("KT_TEST_WITHOUT");
	if (!scale)
		return true;
	options.timeout_scale = (unsigned int)strtoul(scale, &end, 10);
	if (*end || !options.timeout_scale || options.timeout_scale > 1000) {
		fprintf(stderr, "KT_TEST_TIMEOUT_SCALE: not a whole number from 1 to 1000\n");
		return false;
	}
	return true;
}

static bool read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "lt:")) != -1) {
		if (option == 'l')
			options.list = true;
		else if (option == 't' && options.filter_count < MAX_FILTERS)
			options.filters[options.filter_count++] = optarg;
		else
			return false;
	}
	return optind == argc;
}

static bool complete(const struct kt_test_fixture *fixture)
{
	if (fixture->setup && fixture->teardown && fixture->tests)
		return true;
	printf("not ok 1 %s # lacks a set-up, a teardown or a test\n", fixture->name);
	return false;
}

int kt_test_main(int argc, char **argv)
{
	struct item *items;
	size_t count;
	int status;

	if (!read_options(argc, argv)) {
		fprintf(stderr, "usage: %s [-l] [-t GLOB]...\n", argv[0]);
		return 2;
	}
	if (!read_environment())
		return 2;
	count = collect(NULL);
	items = calloc(count + 1, sizeof *items);
	kt_test_shared = mmap(NULL, sizeof *kt_test_shared, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!items || kt_test_shared == MAP_FAILED)
		return 2;
	collect(items);
	status = EXIT_SUCCESS;
	if (options.list) {
		for (size_t i = 0; i < count; i++)
			puts(items[i].name);
		goto free_items;
	}
	puts("TAP version 13");
	status = EXIT_FAILURE;
	for (const struct kt_test_fixture *f = fixtures; f; f = f->next)
		if (!complete(f))
			goto free_items;
	if (!count) {
		puts("1..1\nnot ok 1 no test matches");
		goto free_items;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGINT, end_group);
	signal(SIGTERM, end_group);
	status = run_items(items, count);
free_items:
	free(items);
	return status;
}
