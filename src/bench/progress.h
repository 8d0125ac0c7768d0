/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far a run is, as one line on stderr that is written over again and again and is gone at the
 * end. One run at a time, one thread. Nothing is written unless options->show_progress.
 */
#ifndef KT_BENCH_PROGRESS_H
#define KT_BENCH_PROGRESS_H

#include "bench.h"

void kt_progress_case(const struct kt_bench_case *of, const struct kt_bench_options *options);
void kt_progress_run(unsigned int run); /* this many are done */
void kt_progress_done(void);		/* with the case */

#endif
