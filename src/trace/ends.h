/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One end for each connection, out of two reports that come in any order.
 *
 * The kernel's report is held until a deadline. The program's report for the same connection,
 * when it comes, replaces it; when it comes after the kernel's was shown, it is dropped. The
 * memory is a ring of fixed size: when it is full, the oldest held report is due at once, and the
 * oldest shown one forgotten.
 *
 * Threads: one at a time. Knows no clock: the caller says what time it is.
 */
#ifndef KT_TRACE_ENDS_H
#define KT_TRACE_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/event.h"

#define KT_TRACE_ENDS 8192u /* a power of two */

struct kt_trace_ends;

struct kt_trace_ends *kt_trace_ends_new(void); /* NULL: no memory */
void kt_trace_ends_free(struct kt_trace_ends *ends);

/* No room for one more: show what kt_trace_ends_due says with now_ns UINT64_MAX first. */
bool kt_trace_ends_full(const struct kt_trace_ends *ends);

/* The kernel's report, to be held until due_ns. Only if not full. */
void kt_trace_ends_hold(struct kt_trace_ends *ends, const struct kt_event_socket_end *event,
			uint64_t due_ns);

/* The program's report: true if it is to be shown, false if the kernel's was shown already. */
bool kt_trace_ends_claim(struct kt_trace_ends *ends, uint32_t pid, uint64_t conn);

/*
 * The next held report that is due, which thereby counts as shown, or NULL. Valid until the next
 * call.
 */
const struct kt_event_socket_end *kt_trace_ends_due(struct kt_trace_ends *ends, uint64_t now_ns);

#endif
