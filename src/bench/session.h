/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes of a session, whatever their parents: a server with its workers, when each server
 * was started as the leader of a session of its own.
 */
#ifndef KT_BENCH_SESSION_H
#define KT_BENCH_SESSION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ktrust/error.h>

#define KT_BENCH_SESSION_MAX 64 /* processes that are looked at */

/* The processes of it that live; zombies do not. Returns how many. */
size_t kt_bench_session_pids(pid_t session, pid_t pids[static KT_BENCH_SESSION_MAX]);

/*
 * The CPU time that they have used so far, all threads that they have or ever had (those of
 * io_uring in the kernel among them), in nanoseconds. -ESRCH: none lives.
 */
KT_WARN_UNUSED int kt_bench_session_cpu_ns(pid_t session, uint64_t *ret_ns);

/*
 * Their memory: of each page they use, its share among all that use it (PSS, proc_pid_smaps(5)), in
 * bytes. -ESRCH: none lives; -EACCES.
 */
KT_WARN_UNUSED int kt_bench_session_memory(pid_t session, uint64_t *ret_bytes);

#endif
