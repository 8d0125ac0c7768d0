/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Follow the probes of <ktrust/probe.h> in a running, restarted or not yet started ktrustd.
 *
 *   kt_trace_open ─► loop: poll kt_trace_fd (1 s at most) ─► kt_trace_read ─► kt_trace_stop
 *        ─► kt_trace_read ─► kt_trace_close
 *
 * Probes are attached to the program's file, so that every process running it is seen, unless one
 * is asked for. A file put in its place later is another file: open again for that.
 *
 * Beside the probes the kernel is asked, where it can be, which sockets it took TLS keys for
 * (kprobes) and when accepted sockets closed (BTF). kt_trace_missing says what could not be had.
 * The tls module need not be loaded yet: kt_trace_read looks for it again each second and after
 * each handshake that claims kTLS. Connections accepted before it was found are "not known".
 *
 * An end is reported once for each connection. The program's own event, which has the byte counts,
 * goes before the kernel's, which is held back for end_hold_ms and shown if no other came.
 *
 * Losing events: the kernel never waits for the reader; kt_trace_counts says what was missed.
 *
 * Threads: one at a time for a struct kt_trace; kt_trace_open not in two threads at once (libbpf
 * has one log hook a process). No function here logs. Several tracers may follow one program.
 * What this does not do: start the program, load modules, name a PID of a namespace the caller is
 * not in (the kernel's own number then stands in pid).
 */
#ifndef KT_TRACE_H
#define KT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ktrust/error.h>

#include "../../bpf/event.h"

#define KT_TRACE_BUFFER_BYTES	  (4u << 20)
#define KT_TRACE_BUFFER_MAX_BYTES (1u << 30)
#define KT_TRACE_END_HOLD_MS	  2000u

struct kt_trace;

struct kt_trace_options {
	const char *binary;  /* the program's file; borrowed for the call */
	pid_t pid;	     /* only this process, which must be running; 0: all */
	size_t buffer_bytes; /* rounded up to a power of two of pages; 0: KT_TRACE_BUFFER_BYTES */
	unsigned int kinds;  /* KT_EVENT_BIT(…) of what is wanted; 0: all. CONN_END and SOCKET_END
				go together: wanting one is wanting both */
	unsigned int end_hold_ms; /* 0: KT_TRACE_END_HOLD_MS */
	bool probes_only;	  /* do not ask the kernel, as on a machine where one cannot */
};

/* What the kernel says about a socket's kTLS beside what the program claims. */
enum kt_trace_kernel {
	KT_TRACE_KERNEL_UNKNOWN, /* not watched, or not since before the accept */
	KT_TRACE_KERNEL_AGREES,
	KT_TRACE_KERNEL_DIFFERS,
};

/* Borrowed by the function it is shown to, for the call. */
struct kt_trace_event {
	enum kt_event_kind kind;
	int64_t time_ns; /* CLOCK_REALTIME, by the offset between the clocks when it was read */
	const struct kt_event_header *header;
	union { /* by kind */
		const struct kt_probe_handshake *handshake;
		const struct kt_probe_conn_end *conn_end;
		const struct kt_probe_publish *publish;
		const struct kt_probe_reclaim *reclaim;
		const struct kt_probe_refuse *refuse;
		const struct kt_event_conn *socket_end;
	};
	/* Handshakes only. */
	enum kt_trace_kernel kernel;
	uint8_t kernel_ktls; /* KT_PROBE_KTLS_…; means nothing while UNKNOWN */
};

/* Returns false to stop reading after this event. */
typedef bool (*kt_trace_event_fn)(const struct kt_trace_event *event, void *arg);

/*
 * Load and attach; events count from the return on. Blocks for some 100 ms. On failure *ret_trace
 * is untouched and error says what to do: -EPERM rights; -ENOENT no such file, or it has none of
 * the probes; -ESRCH no such process; -EINVAL an option, or not an ELF file; -EOPNOTSUPP this
 * kernel cannot; -ENOMEM.
 */
KT_WARN_UNUSED int kt_trace_open(const struct kt_trace_options *options,
				 struct kt_trace **ret_trace, struct kt_error *error);

/* Readable when there are events; for poll, until kt_trace_close. */
int kt_trace_fd(const struct kt_trace *trace);

/*
 * Show what has arrived, at most some thousand events a call, without blocking. Returns the number
 * shown, or a negative errno. To be called at least each second.
 */
KT_WARN_UNUSED int kt_trace_read(struct kt_trace *trace, kt_trace_event_fn show, void *arg);

/*
 * Detach: no new events. What is in the buffer can still be read, until kt_trace_read returns 0;
 * ends that were held back are shown then without waiting.
 */
void kt_trace_stop(struct kt_trace *trace);

/*
 * Exact after kt_trace_stop: for each kind hits = shown (or still in the buffer) + lost +
 * unreadable. Ends of one connection seen from both sides are two hits and shown once.
 */
void kt_trace_counts(const struct kt_trace *trace, struct kt_event_counts *ret_counts);

/*
 * What could not be had, as text with what to do, or NULL: n from 0 until NULL. Valid until
 * kt_trace_close. kt_trace_read may add to it. The tls module's absence is none, since it may come.
 */
const char *kt_trace_missing(const struct kt_trace *trace, unsigned int n);

void kt_trace_close(struct kt_trace *trace); /* NULL is fine */

/*
 * Find the file to trace: that of process pid if not 0, else of the one running ktrustd, else
 * `ktrustd` beside the calling program's own file, else in $PATH. For a running process whose file
 * has no name here (replaced, or in a container) path is /proc/PID/exe. Only files of root or the
 * caller are taken from running processes. -ENOENT none; -ESRCH no process pid; -ENOTUNIQ several
 * different ones are running; -EACCES.
 */
KT_WARN_UNUSED int kt_trace_find_binary(pid_t pid, char *ret_path, size_t size,
					struct kt_error *error);

#endif
