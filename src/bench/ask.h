/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What our server is asked and told through its control socket, which is "ours.sock" in the
 * directory of its settings. Threads: one at a time for each socket.
 */
#ifndef KT_BENCH_ASK_H
#define KT_BENCH_ASK_H

#include <stdint.h>

#include <ktrust/error.h>

struct kt_control;

/* Freed by kt_control_free. */
KT_WARN_UNUSED int kt_bench_ask_begin(const char *dir, struct kt_control **ret_control,
				      struct kt_error *error);

/* One of the numbers of `ktrust stats`. -EPROTO: it tells no such number. */
KT_WARN_UNUSED int kt_bench_ask_number(struct kt_control *control, const char *name,
				       uint64_t *ret_number, struct kt_error *error);

/*
 * Have the pool "clients" loaded from this file instead, which is published before this returns.
 * -EPROTO: there was nothing to publish.
 */
KT_WARN_UNUSED int kt_bench_ask_publish(struct kt_control *control, const char *path,
					struct kt_error *error);

#endif
