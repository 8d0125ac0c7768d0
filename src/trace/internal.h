/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the trace room: the tracer's parts and what its files call of each other.
 */
#ifndef KT_TRACE_INTERNAL_H
#define KT_TRACE_INTERNAL_H

#include <bpf/libbpf.h>

#include "ends.h"
#include "trace.h"

/* After trace.h: it speaks of bpf/event.h's types. */
#include "bpf/ktrust.skel.h"

#define KT_TRACE_PROBES	 5
#define KT_TRACE_MISSING 8

struct kt_trace {
	struct ktrust_bpf *bpf;
	struct bpf_link *probes[KT_TRACE_PROBES]; /* NULL: the file has no such probe */
	struct bpf_link *socket_state;
	struct bpf_link *ktls_enter; /* both or neither */
	struct bpf_link *ktls_return;
	struct ring_buffer *ring;
	struct kt_trace_ends *ends;

	/* The kernel's side of kTLS. */
	bool ktls_wanted;      /* kprobes exist here: keep looking for the module */
	bool ktls_in_module;   /* attached while /sys/module/tls was there: watch it go */
	bool ktls_failed;      /* told that attaching failed, though the module is there */
	uint64_t next_look_ns; /* CLOCK_MONOTONIC */

	uint64_t end_hold_ns;
	bool stopped;

	/* While kt_trace_read runs. */
	kt_trace_event_fn show;
	void *show_arg;
	int64_t clock_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	int shown;
	bool enough;

	unsigned int n_missing;
	char missing[KT_TRACE_MISSING][256];
};

/* trace.c */
uint64_t kt_trace_now_ns(void);

/* kernel.c: what is asked of the kernel beside the probes; all of it optional. */
void kt_trace_kernel_select(struct kt_trace *trace, const struct kt_trace_options *options);
/*
 * Where the kernel has no BTF: a file that takes its place, empty, as a descriptor to be closed
 * after loading, and its path. Else, or without memory: -1, and the path is untouched.
 */
int kt_trace_kernel_types(char *ret_path, size_t size);
void kt_trace_kernel_attach(struct kt_trace *trace);
/* Look for the tls module if it is time, or now. */
void kt_trace_kernel_look(struct kt_trace *trace, bool now);
void kt_trace_kernel_detach(struct kt_trace *trace);
void kt_trace_note_missing(struct kt_trace *trace, const char *fmt, ...) KT_PRINTF(2, 3);

/* why.c: libbpf's log, kept instead of printed, and what failure means. */
void kt_trace_log_start(void);
/* The most telling line of the log; empty if there is none. Valid until the next start. */
const char *kt_trace_log_line(void);
/* Write into error why `what` failed with err (positive) and what to do. Returns -errno. */
int kt_trace_explain(int err, const char *where, const char *what, struct kt_error *error);

#endif
