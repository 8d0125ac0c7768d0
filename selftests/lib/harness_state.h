/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of the harness share: harness.c, which runs tests, and harness_checks.c,
 * which a test's own code calls.
 */
#ifndef KT_SELFTESTS_HARNESS_STATE_H
#define KT_SELFTESTS_HARNESS_STATE_H

#include <setjmp.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "../harness.h"

#define REASON_LEN 256

/* A page that the runner, the test's process and whatever that forks have in common. */
struct kt_test_shared {
	atomic_bool failed;
	atomic_bool skipped;
	atomic_bool finished;
	char reason[REASON_LEN]; /* why skipped; written before `skipped` */
};

extern struct kt_test_shared *kt_test_shared;

/* In a test's process: its main thread, and the way out of a failed ASSERT. */
extern pid_t kt_test_pid;
extern jmp_buf kt_test_end;

#endif
