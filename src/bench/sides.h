/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The servers that handshakes are measured on: ours, stock, and peers by the names of their
 * programs. A table says how each is found, asked for its version and started.
 */
#ifndef KT_BENCH_SIDES_H
#define KT_BENCH_SIDES_H

#include <stdbool.h>

#include "bench.h"
#include "fill.h"
#include "scratch.h"
#include "server.h"

#define KT_BENCH_PEER_NAMES "nginx", "haproxy", "hitch", "stunnel", "go"

struct kt_bench_found {
	char program[PATH_MAX];	      /* empty: stock, which is in this one */
	char peers[PATH_MAX];	      /* of a peer: the directory of its settings */
	bool named;		      /* that directory was, by the user */
	char note[KT_BENCH_NOTE_MAX]; /* the version; where it is left out, why */
};

/*
 * Look for a side on this machine. -ENOENT: it is not there, and the note says why. Without ours
 * there is nothing to measure: then error says it instead.
 */
KT_WARN_UNUSED int kt_bench_side_find(size_t side, const struct kt_bench_options *options,
				      struct kt_bench_found *ret_found, struct kt_error *error);

/*
 * Write its settings, start it and wait until it accepts. server->name, mark, ready, port and log are set
 * here; cpu as in struct kt_bench_command.
 *
 * -ENOTSUP: a peer that cannot be started here, and the note says why: it is to be left out like
 * one that was not found. It lacks a part that takes installing; or whatever else it does not start
 * for, unless the user named where its settings are, and is to hear of what is wrong with them.
 */
KT_WARN_UNUSED int kt_bench_side_start(size_t side, struct kt_bench_found *found,
				       const struct kt_bench_scratch *scratch,
				       const struct kt_bench_values *values, int cpu,
				       struct kt_bench_server *ret_server, struct kt_error *error);

#endif
