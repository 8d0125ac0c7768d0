/* SPDX-License-Identifier: BSD-2-Clause */
/* The cases of `ktrust bench pool`. */
#include "pool.h"

#define MADE(roots)                                                                                \
	.prepare = kt_bench_material_make, .finish = kt_bench_material_free, .size = (roots),      \
	.threads = 1
#define READERS(count)                                                                             \
	.prepare = kt_bench_readers_make, .finish = kt_bench_readers_free, .size = (count),        \
	.threads = (count)

static const struct kt_bench_case cases[] = {
	{.name = "pem-10k",
	 .unit = "ms",
	 MADE(10000),
	 .measure = {kt_bench_pem_ours, kt_bench_pem_stock}},
	{.name = "der-10k",
	 .unit = "ms",
	 MADE(10000),
	 .measure = {kt_bench_der_ours, kt_bench_der_stock}},
	/* The stock library would take an hour: it sorts all it has at each addition. */
	{.name = "pem-100k", .unit = "ms", MADE(100000), .measure = {kt_bench_pem_ours}},
	{.name = "pem-100k-linearity",
	 .unit = "ratio",
	 MADE(100000),
	 .measure = {kt_bench_linearity_ours}},
	{.name = "bytes-per-root",
	 .unit = "bytes",
	 MADE(1000),
	 .measure = {kt_bench_bytes_ours, kt_bench_bytes_stock, kt_bench_bytes_limit}},
	{.name = "mozilla",
	 .unit = "ms",
	 .threads = 1,
	 .prepare = kt_bench_material_mozilla,
	 .finish = kt_bench_material_free,
	 .measure = {kt_bench_pem_ours, kt_bench_pem_stock}},
	{.name = "swap-reader",
	 .unit = "ns",
	 READERS(1),
	 .measure = {kt_bench_quiet_ours, kt_bench_quiet_stock}},
	{.name = "swap-reader-busy",
	 .unit = "ns",
	 READERS(1),
	 .measure = {kt_bench_busy_ours, kt_bench_busy_stock}},
	{.name = "swap-reader",
	 .unit = "ns",
	 READERS(2),
	 .measure = {kt_bench_quiet_ours, kt_bench_quiet_stock}},
	{.name = "swap-reader-busy",
	 .unit = "ns",
	 READERS(2),
	 .measure = {kt_bench_busy_ours, kt_bench_busy_stock}},
	{.name = "commit", .unit = "ms", READERS(2), .measure = {kt_bench_commit_median}},
	{.name = "commit-p99", .unit = "ms", READERS(2), .measure = {kt_bench_commit_p99}},
};

const struct kt_bench_suite kt_bench_pool = {
	.name = "pool",
	.title = "Pools of trust anchors: loading and reading",
	.cases = cases,
	.count = sizeof cases / sizeof cases[0],
	.seconds = 0.3,
};
