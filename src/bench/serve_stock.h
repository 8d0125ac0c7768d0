/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plainest relay that libssl makes: one connection after the other, each read and written until
 * both its ends are through, nothing kept from one to the next. For a process of its own.
 */
#ifndef KT_BENCH_SERVE_STOCK_H
#define KT_BENCH_SERVE_STOCK_H

#include "fill.h"

/* values: struct kt_bench_values. Serves until it is killed; returns, having said why, if it
 * cannot. */
int kt_bench_serve_stock(void *values);

#endif
