/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plain relay on libssl as one would write it: one thread, epoll, one SSL_CTX, nothing kept from
 * one connection to the next. For a process of its own.
 *
 * What it does not do: it limits neither the time nor the number of connections.
 */
#ifndef KT_BENCH_SERVE_STOCK_H
#define KT_BENCH_SERVE_STOCK_H

#include "fill.h"

/* values: struct kt_bench_values. Serves until it is killed; returns, having said why, if it
 * cannot. */
int kt_bench_serve_stock(void *values);

#endif
