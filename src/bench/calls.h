/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many system calls the processes of a session make: counted by the kernel at its tracepoint
 * raw_syscalls:sys_enter, for the threads that there are and those that they start. Calls through
 * an io_uring are one for all that are handed over at once, as they are for the CPU.
 *
 * It takes CAP_PERFMON (or root, or kernel.perf_event_paranoid=-1), a kernel with
 * CONFIG_FTRACE_SYSCALLS, and tracefs where it is mounted as a rule.
 *
 * Threads: one.
 */
#ifndef KT_BENCH_CALLS_H
#define KT_BENCH_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ktrust/error.h>

#define KT_BENCH_CALLS_MAX 256 /* threads that are looked at */

struct kt_bench_calls {
	int fds[KT_BENCH_CALLS_MAX];
	size_t count;
};

/* Whether it can be done here; else why not, as an error says it. */
KT_WARN_UNUSED int kt_bench_calls_check(struct kt_error *error);

/* Count from now on. -ESRCH: no process of it lives; -EACCES, -ENOENT, -ENFILE. */
KT_WARN_UNUSED int kt_bench_calls_begin(pid_t session, struct kt_bench_calls *ret_calls,
					struct kt_error *error);

/* How many they were. Nothing is counted any more, also after an error. */
KT_WARN_UNUSED int kt_bench_calls_end(struct kt_bench_calls *calls, uint64_t *ret_count,
				      struct kt_error *error);

#endif
