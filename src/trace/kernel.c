/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/btf.h>

#define LOOK_INTERVAL_NS 1000000000u

/*
 * The tls module's setsockopt. Static, but never inlined, and never with its arguments changed,
 * since struct proto points to it. The inner function is the same call for level SOL_TLS alone.
 */
#define KTLS_FUNCTION "tls_setsockopt"
#define KTLS_MODULE   "/sys/module/tls"

void kt_trace_note_missing(struct kt_trace *trace, const char *fmt, ...)
{
	va_list args;

	if (trace->n_missing == KT_TRACE_MISSING)
		return;
	va_start(args, fmt);
	vsnprintf(trace->missing[trace->n_missing++], sizeof trace->missing[0], fmt, args);
	va_end(args);
}

static bool have_kprobes(void)
{
	return !access("/sys/bus/event_source/devices/kprobe/type", R_OK);
}

static bool have_btf(void)
{
	return !access("/sys/kernel/btf/vmlinux", R_OK);
}

/*
 * libbpf wants the kernel's types as soon as one program of the object looks into them, whether it
 * will be loaded or not. Where there are none, a set without any of them is as good for the rest.
 */
int kt_trace_kernel_types(char *ret_path, size_t size)
{
	struct btf *btf;
	const void *data;
	uint32_t len = 0;
	int fd = -1;

	if (have_btf())
		return -1;
	btf = btf__new_empty();
	if (!btf)
		return -1;
	btf__add_int(btf, "int", sizeof(int), BTF_INT_SIGNED);
	data = btf__raw_data(btf, &len);
	if (data)
		fd = memfd_create("ktrust-no-btf", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, data, len) == (ssize_t)len)
		snprintf(ret_path, size, "/proc/self/fd/%d", fd);
	btf__free(btf);
	return fd;
}

void kt_trace_kernel_select(struct kt_trace *trace, const struct kt_trace_options *options)
{
	bool btf = have_btf();
	bool kprobes = have_kprobes();
	bool ask = !options->probes_only;

	trace->ktls_wanted = ask && btf && kprobes;
	bpf_program__set_autoload(trace->bpf->progs.on_socket_state, ask && btf);
	bpf_program__set_autoload(trace->bpf->progs.on_tls_setsockopt, trace->ktls_wanted);
	bpf_program__set_autoload(trace->bpf->progs.on_tls_setsockopt_return, trace->ktls_wanted);
	if (ask && !btf)
		kt_trace_note_missing(trace, "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF): kTLS "
					     "is shown as ktrustd claims it, and connections that "
					     "end without ktrustd's doing are not seen");
	else if (ask && !kprobes)
		kt_trace_note_missing(trace, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS): "
					     "kTLS is shown as ktrustd claims it");
}

static void detach_ktls(struct kt_trace *trace)
{
	__atomic_store_n(&trace->bpf->bss->kernel_since_ns, 0, __ATOMIC_RELAXED);
	bpf_link__destroy(trace->ktls_enter);
	bpf_link__destroy(trace->ktls_return);
	trace->ktls_enter = NULL;
	trace->ktls_return = NULL;
}

/* Without the module there is nothing to attach to, which is no failure. Told once. */
static void note_failure(struct kt_trace *trace)
{
	if (trace->ktls_failed || access(KTLS_MODULE, F_OK))
		return;
	trace->ktls_failed = true;
	kt_trace_note_missing(trace,
			      "cannot attach to " KTLS_FUNCTION
			      " (%s): kTLS is shown as ktrustd claims it",
			      kt_trace_log_line());
}

static void attach_ktls(struct kt_trace *trace)
{
	/* The return first: an entry without its return would be taken for a call that runs. */
	kt_trace_log_start();
	trace->ktls_return = bpf_program__attach_kprobe(trace->bpf->progs.on_tls_setsockopt_return,
							true, KTLS_FUNCTION);
	if (trace->ktls_return)
		trace->ktls_enter = bpf_program__attach_kprobe(trace->bpf->progs.on_tls_setsockopt,
							       false, KTLS_FUNCTION);
	if (!trace->ktls_enter) {
		note_failure(trace);
		detach_ktls(trace);
		return;
	}
	trace->ktls_in_module = !access(KTLS_MODULE, F_OK);
	__atomic_store_n(&trace->bpf->bss->kernel_since_ns, kt_trace_now_ns(), __ATOMIC_RELAXED);
}

void kt_trace_kernel_look(struct kt_trace *trace, bool now)
{
	uint64_t now_ns = kt_trace_now_ns();

	if (!trace->ktls_wanted || (!now && now_ns < trace->next_look_ns))
		return;
	trace->next_look_ns = now_ns + LOOK_INTERVAL_NS;
	/* The kernel drops probes with the module, and does not bring them back with it. */
	if (trace->ktls_enter && trace->ktls_in_module && access(KTLS_MODULE, F_OK))
		detach_ktls(trace);
	if (!trace->ktls_enter)
		attach_ktls(trace);
}

void kt_trace_kernel_attach(struct kt_trace *trace)
{
	kt_trace_kernel_look(trace, true);
	if (!bpf_program__autoload(trace->bpf->progs.on_socket_state))
		return;
	kt_trace_log_start();
	trace->socket_state = bpf_program__attach_trace(trace->bpf->progs.on_socket_state);
	if (!trace->socket_state)
		kt_trace_note_missing(trace,
				      "cannot attach to inet_sock_set_state (%s): connections that "
				      "end without ktrustd's doing are not seen",
				      kt_trace_log_line());
}

void kt_trace_kernel_detach(struct kt_trace *trace)
{
	bpf_link__destroy(trace->socket_state);
	trace->socket_state = NULL;
	if (trace->bpf && trace->bpf->bss)
		detach_ktls(trace);
}
