/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC  1000000000
#define NSEC_PER_MSEC 1000000

/* Events shown in one call of kt_trace_read, so that a flood cannot hold the caller for good. */
#define READ_LIMIT 4096

uint64_t kt_trace_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static int64_t clock_offset_ns(void)
{
	struct timespec real;
	uint64_t monotonic_ns = kt_trace_now_ns();

	clock_gettime(CLOCK_REALTIME, &real);
	return (int64_t)real.tv_sec * NSEC_PER_SEC + real.tv_nsec - (int64_t)monotonic_ns;
}

/* ---- Open ------------------------------------------------------------------------------------ */

/* The kernel wants a power of two that is whole pages. */
static size_t ring_bytes(size_t wanted)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);

	while (bytes < wanted)
		bytes *= 2;
	return bytes;
}

static unsigned int kinds_of(const struct kt_trace_options *options)
{
	const unsigned int ends =
		KT_EVENT_BIT(KT_EVENT_CONN_END) | KT_EVENT_BIT(KT_EVENT_SOCKET_END);
	unsigned int kinds = options->kinds ? options->kinds : KT_EVENT_ALL;

	return kinds & ends ? kinds | ends : kinds;
}

static int check_options(const struct kt_trace_options *options, struct kt_error *error)
{
	if (options->buffer_bytes > KT_TRACE_BUFFER_MAX_BYTES)
		return kt_error_set(error, EINVAL, "buffer", 0, "larger than %u bytes",
				    KT_TRACE_BUFFER_MAX_BYTES);
	if (options->kinds & ~KT_EVENT_ALL)
		return kt_error_set(error, EINVAL, "kinds", 0, "unknown kind of event");
	if (options->pid < 0 || (options->pid && kill(options->pid, 0) && errno == ESRCH))
		return kt_error_set(error, ESRCH, "", 0, "no process %d", (int)options->pid);
	if (access(options->binary, R_OK))
		return kt_error_set(error, errno, options->binary, 0, "cannot be read: %s",
				    strerror(errno));
	return 0;
}

/* So that events carry the numbers which the caller knows processes by. */
static void set_pid_namespace(struct ktrust_bpf *bpf)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st))
		return;
	bpf->rodata->pidns_dev = st.st_dev;
	bpf->rodata->pidns_ino = st.st_ino;
}

static int set_up(struct kt_trace *trace, const struct kt_trace_options *options)
{
	size_t bytes = options->buffer_bytes ? options->buffer_bytes : KT_TRACE_BUFFER_BYTES;

	bpf_map__set_max_entries(trace->bpf->maps.events, (uint32_t)ring_bytes(bytes));
	trace->bpf->rodata->wanted = kinds_of(options);
	set_pid_namespace(trace->bpf);
	kt_trace_kernel_select(trace, options);
	return ktrust_bpf__load(trace->bpf);
}

static int load(struct kt_trace *trace, const struct kt_trace_options *options,
		struct kt_error *error)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	char types[32] = "";
	int types_fd = kt_trace_kernel_types(types, sizeof types);
	int rc;

	if (types[0])
		opts.btf_custom_path = types;
	trace->bpf = ktrust_bpf__open_opts(&opts);
	rc = trace->bpf ? set_up(trace, options) : -errno;
	if (types_fd >= 0)
		close(types_fd);
	if (rc)
		return kt_trace_explain(-rc, "", "load the BPF programs", error);
	return 0;
}

/* A file of another version may lack a probe: that is told, and is no failure if others are there.
 */
static int attach_probes(struct kt_trace *trace, const struct kt_trace_options *options,
			 struct kt_error *error)
{
	const struct {
		const char *name;
		struct bpf_program *program;
	} probes[KT_TRACE_PROBES] = {
		{"handshake", trace->bpf->progs.on_handshake},
		{"conn_end", trace->bpf->progs.on_conn_end},
		{"publish", trace->bpf->progs.on_publish},
		{"reclaim", trace->bpf->progs.on_reclaim},
		{"refuse", trace->bpf->progs.on_refuse},
	};
	unsigned int absent = 0;

	for (size_t i = 0; i < KT_TRACE_PROBES; i++) {
		kt_trace_log_start();
		trace->probes[i] = bpf_program__attach_usdt(
			probes[i].program, options->pid ? options->pid : -1, options->binary,
			"ktrust", probes[i].name, NULL);
		if (trace->probes[i])
			continue;
		if (errno != ENOENT)
			return kt_trace_explain(errno, options->binary, "attach to its probes",
						error);
		kt_trace_note_missing(trace, "%s has no probe ktrust:%s: such events are not shown",
				      options->binary, probes[i].name);
		absent++;
	}
	if (absent == KT_TRACE_PROBES)
		return kt_error_set(error, ENOENT, options->binary, 0,
				    "has none of the probes of ktrust (name the file of ktrustd)");
	return 0;
}

static int on_record(void *arg, void *data, size_t size);

static int open_ring(struct kt_trace *trace, struct kt_error *error)
{
	trace->ring =
		ring_buffer__new(bpf_map__fd(trace->bpf->maps.events), on_record, trace, NULL);
	if (!trace->ring)
		return kt_trace_explain(errno, "", "map the ring buffer", error);
	return 0;
}

int kt_trace_open(const struct kt_trace_options *options, struct kt_trace **ret_trace,
		  struct kt_error *error)
{
	struct kt_trace *trace;
	int rc;

	rc = check_options(options, error);
	if (rc)
		return rc;
	trace = calloc(1, sizeof *trace);
	if (!trace)
		return kt_error_set(error, ENOMEM, "", 0, "out of memory");
	trace->end_hold_ns = (uint64_t)NSEC_PER_MSEC *
			     (options->end_hold_ms ? options->end_hold_ms : KT_TRACE_END_HOLD_MS);
	trace->ends = kt_trace_ends_new();
	rc = trace->ends ? 0 : kt_error_set(error, ENOMEM, "", 0, "out of memory");
	kt_trace_log_start();
	if (!rc)
		rc = load(trace, options, error);
	if (!rc)
		rc = open_ring(trace, error);
	if (!rc) {
		/* The kernel's side first: what it saw must be there when a probe asks. */
		kt_trace_kernel_attach(trace);
		rc = attach_probes(trace, options, error);
	}
	if (rc) {
		kt_trace_close(trace);
		return rc;
	}
	*ret_trace = trace;
	return 0;
}

int kt_trace_fd(const struct kt_trace *trace)
{
	return ring_buffer__epoll_fd(trace->ring);
}

/* ---- Read ------------------------------------------------------------------------------------ */

static void show(struct kt_trace *trace, struct kt_trace_event *event)
{
	event->time_ns = (int64_t)event->header->ktime_ns + trace->clock_offset_ns;
	trace->shown++;
	if (!trace->show(event, trace->show_arg) || trace->shown >= READ_LIMIT)
		trace->enough = true;
}

static enum kt_trace_kernel compare_ktls(const struct kt_event_handshake *event)
{
	/* Seen in full is known, whenever the watching began. */
	if (event->probe.ktls && event->probe.ktls == event->kernel_ktls)
		return KT_TRACE_KERNEL_AGREES;
	if (!event->kernel_known)
		return KT_TRACE_KERNEL_UNKNOWN;
	return event->probe.ktls == event->kernel_ktls ? KT_TRACE_KERNEL_AGREES
						       : KT_TRACE_KERNEL_DIFFERS;
}

static void on_handshake(struct kt_trace *trace, const struct kt_event_handshake *record)
{
	struct kt_trace_event event = {
		.kind = KT_EVENT_HANDSHAKE,
		.header = &record->header,
		.handshake = &record->probe,
		.kernel = compare_ktls(record),
		.kernel_ktls = (uint8_t)record->kernel_ktls,
	};

	show(trace, &event);
	if (record->probe.ktls && event.kernel == KT_TRACE_KERNEL_UNKNOWN)
		kt_trace_kernel_look(trace, true);
}

static void on_conn_end(struct kt_trace *trace, const struct kt_event_conn_end *record)
{
	struct kt_trace_event event = {
		.kind = KT_EVENT_CONN_END,
		.header = &record->header,
		.conn_end = &record->probe,
	};

	if (kt_trace_ends_claim(trace->ends, record->header.pid, record->probe.conn))
		show(trace, &event);
}

static bool show_socket_end(struct kt_trace *trace, uint64_t now_ns)
{
	const struct kt_event_socket_end *record = kt_trace_ends_due(trace->ends, now_ns);
	struct kt_trace_event event = {.kind = KT_EVENT_SOCKET_END};

	if (!record)
		return false;
	event.header = &record->header;
	event.socket_end = &record->conn;
	show(trace, &event);
	return true;
}

static void on_socket_end(struct kt_trace *trace, const struct kt_event_socket_end *record)
{
	if (kt_trace_ends_full(trace->ends))
		show_socket_end(trace, UINT64_MAX);
	kt_trace_ends_hold(trace->ends, record, record->header.ktime_ns + trace->end_hold_ns);
}

static int on_record(void *arg, void *data, size_t size)
{
	struct kt_trace *trace = arg;
	const struct kt_event_header *header = data;
	struct kt_trace_event event = {.kind = header->kind, .header = header};

	(void)size;
	switch (header->kind) {
	case KT_EVENT_HANDSHAKE:
		on_handshake(trace, data);
		break;
	case KT_EVENT_CONN_END:
		on_conn_end(trace, data);
		break;
	case KT_EVENT_SOCKET_END:
		on_socket_end(trace, data);
		break;
	case KT_EVENT_PUBLISH:
		event.publish = &((const struct kt_event_publish *)data)->probe;
		show(trace, &event);
		break;
	case KT_EVENT_REFUSE:
		event.refuse = &((const struct kt_event_refuse *)data)->probe;
		show(trace, &event);
		break;
	case KT_EVENT_RECLAIM:
		event.reclaim = &((const struct kt_event_reclaim *)data)->probe;
		show(trace, &event);
		break;
	}
	/* The record is taken out all the same; libbpf hands this value to our caller. */
	return trace->enough ? -ECANCELED : 0;
}

int kt_trace_read(struct kt_trace *trace, kt_trace_event_fn show_event, void *arg)
{
	uint64_t now_ns;
	int rc;

	trace->show = show_event;
	trace->show_arg = arg;
	trace->shown = 0;
	trace->enough = false;
	trace->clock_offset_ns = clock_offset_ns();
	if (!trace->stopped)
		kt_trace_kernel_look(trace, false);
	rc = ring_buffer__consume(trace->ring);
	if (rc < 0 && rc != -ECANCELED)
		return rc;
	now_ns = trace->stopped ? UINT64_MAX : kt_trace_now_ns();
	while (!trace->enough && show_socket_end(trace, now_ns))
		;
	return trace->shown;
}

/* ---- Counts and end -------------------------------------------------------------------------- */

void kt_trace_counts(const struct kt_trace *trace, struct kt_event_counts *ret_counts)
{
	const struct kt_event_counts *live = &trace->bpf->bss->counts;

	for (size_t i = 0; i < KT_EVENT_KINDS; i++) {
		ret_counts->hits[i] = __atomic_load_n(&live->hits[i], __ATOMIC_RELAXED);
		ret_counts->lost[i] = __atomic_load_n(&live->lost[i], __ATOMIC_RELAXED);
		ret_counts->unreadable[i] = __atomic_load_n(&live->unreadable[i], __ATOMIC_RELAXED);
	}
}

const char *kt_trace_missing(const struct kt_trace *trace, unsigned int n)
{
	return n < trace->n_missing ? trace->missing[n] : NULL;
}

void kt_trace_stop(struct kt_trace *trace)
{
	for (size_t i = 0; i < KT_TRACE_PROBES; i++) {
		bpf_link__destroy(trace->probes[i]);
		trace->probes[i] = NULL;
	}
	kt_trace_kernel_detach(trace);
	trace->stopped = true;
}

void kt_trace_close(struct kt_trace *trace)
{
	if (!trace)
		return;
	kt_trace_stop(trace);
	ring_buffer__free(trace->ring);
	ktrust_bpf__destroy(trace->bpf);
	kt_trace_ends_free(trace->ends);
	free(trace);
}
