/* SPDX-License-Identifier: BSD-2-Clause */
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

#define SIGNALS (sizeof signals / sizeof signals[0])

static volatile sig_atomic_t caught;
static struct sigaction before[SIGNALS], pipe_before;

static void note(int number)
{
	caught = number;
}

void kt_bench_interrupt_begin(void)
{
	struct sigaction action = {.sa_handler = note}, ignore = {.sa_handler = SIG_IGN};

	caught = 0;
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &action, &before[i]);
	/* A server may end while it is written to. */
	sigaction(SIGPIPE, &ignore, &pipe_before);
}

void kt_bench_interrupt_end(void)
{
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
	sigaction(SIGPIPE, &pipe_before, NULL);
}

void kt_bench_interrupt_child(void)
{
	for (size_t i = 0; i < SIGNALS; i++)
		signal(signals[i], SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
}

int kt_bench_interrupted(struct kt_error *error)
{
	if (!caught)
		return 0;
	return kt_error_set(error, EINTR, "", 0, "ended by SIG%s", sigabbrev_np(caught));
}
