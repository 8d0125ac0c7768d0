/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIGINT, SIGTERM and SIGHUP end a benchmark that has processes to end: between begin and end they
 * are noted instead of killing the program, and whoever waits looks here. One user at a time.
 */
#ifndef KT_BENCH_INTERRUPT_H
#define KT_BENCH_INTERRUPT_H

#include <stdbool.h>

#include <ktrust/error.h>

void kt_bench_interrupt_begin(void);
void kt_bench_interrupt_end(void);

/* What they do by default: for a child, which nobody asks whether one came. */
void kt_bench_interrupt_child(void);

/* -EINTR and an error if one came since begin, else 0. */
KT_WARN_UNUSED int kt_bench_interrupted(struct kt_error *error);

#endif
