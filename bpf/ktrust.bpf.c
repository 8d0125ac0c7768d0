// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From the probes of ktrust into a ring buffer, with what only the kernel knows beside it.
 *
 *   usdt handshake, conn_end, publish, reclaim,
 *   refuse                                        copy the probe's struct out of the program
 *   kprobe and kretprobe on tls_setsockopt        which socket the kernel took TLS keys for
 *   tp_btf inet_sock_set_state                    that an accepted connection's socket is closed
 *
 * The first group needs uprobes only. The others are optional, for userspace to leave out where
 * the kernel has no kprobes or no BTF. No fentry here: on a module's function it has crashed
 * kernels, and the tls functions' signatures move between versions; the first three arguments of
 * tls_setsockopt are those of struct proto's callback.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include "core_types.h"
#include "event.h"

#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

#define SOL_TLS	  282
#define TLS_TX	  1
#define TLS_RX	  2
#define TCP_CLOSE 7

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading. */
const volatile __u32 wanted = KT_EVENT_ALL; /* kinds that are to be delivered */
const volatile __u64 pidns_dev = 0;	    /* the tracer's PID namespace; 0: not known */
const volatile __u64 pidns_ino = 0;

/* Since when tls_setsockopt has been watched, CLOCK_MONOTONIC; 0: it is not. Userspace writes. */
__u64 kernel_since_ns = 0;

/* Not per CPU: these programs can be preempted, so they would need the atomic all the same. */
struct kt_event_counts counts = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* userspace sets the real size */
} events SEC(".maps");

/* By socket cookie. LRU: what is never cleaned up makes room by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct kt_event_conn);
} conns SEC(".maps");

/* By socket cookie: directions the kernel took keys for, until the handshake's probe asks. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} kernel_ktls SEC(".maps");

struct ktls_call {
	__u64 cookie;
	__u32 direction;
	__u32 reserved;
};

/* By thread: a call of tls_setsockopt between its entry and its return. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct ktls_call);
} ktls_calls SEC(".maps");

static __always_inline void count(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/* A thread of another PID namespace keeps the number the kernel itself uses. */
static __always_inline void fill_task(struct kt_event_header *header)
{
	struct bpf_pidns_info ns = {};
	__u64 both = bpf_get_current_pid_tgid();

	header->pid = both >> 32;
	header->tid = (__u32)both;
	if (pidns_ino && !bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &ns, sizeof ns)) {
		header->pid = ns.tgid;
		header->tid = ns.pid;
	}
}

static __always_inline void fill_header(struct kt_event_header *header, __u32 kind)
{
	header->ktime_ns = bpf_ktime_get_ns();
	header->kind = kind;
	header->cpu = bpf_get_smp_processor_id();
}

/* A macro, since the verifier wants the size to be a constant at the call. */
#define RESERVE(kind, type)                                                                        \
	({                                                                                         \
		type *event_ = NULL;                                                               \
		if (wanted & KT_EVENT_BIT(kind)) {                                                 \
			count(&counts.hits[kind]);                                                 \
			event_ = bpf_ringbuf_reserve(&events, sizeof(type), 0);                    \
			if (!event_)                                                               \
				count(&counts.lost[kind]);                                         \
		}                                                                                  \
		event_;                                                                            \
	})

#define TERMINATE(string) ((string)[sizeof(string) - 1] = '\0')

/* Fills a reserved record from the probe's struct, or gives it back: 0 or negative. */
#define FILL(event, kind_, pointer)                                                                \
	({                                                                                         \
		long rc_ = bpf_probe_read_user(&(event)->probe, sizeof((event)->probe), pointer);  \
		if (rc_) {                                                                         \
			count(&counts.unreadable[kind_]);                                          \
			bpf_ringbuf_discard(event, 0);                                             \
		} else {                                                                           \
			fill_header(&(event)->header, kind_);                                      \
			fill_task(&(event)->header);                                               \
		}                                                                                  \
		rc_;                                                                               \
	})

static __always_inline const void *pointer_argument(struct pt_regs *ctx, int n)
{
	long value = 0;

	bpf_usdt_arg(ctx, n, &value);
	return (const void *)value;
}

/* What the kernel said about the socket, taken out of the map: it is asked once. */
static __always_inline void ask_kernel(struct kt_event_handshake *event)
{
	__u64 cookie = event->probe.cookie;
	__u64 since_ns = *(volatile __u64 *)&kernel_since_ns;
	__u32 *found = bpf_map_lookup_elem(&kernel_ktls, &cookie);

	event->kernel_ktls = found ? *found : 0;
	event->kernel_known = since_ns && event->probe.start_ns >= since_ns;
	if (found)
		bpf_map_delete_elem(&kernel_ktls, &cookie);
}

/* Also when the event itself is lost or not wanted: the end is an event of its own. */
static __always_inline void remember(const struct kt_probe_handshake *probe)
{
	struct kt_event_conn conn = {};
	struct kt_event_header task = {};
	__u8 accepted = 0;

	if (bpf_probe_read_user(&accepted, sizeof accepted, &probe->accepted) || !accepted)
		return;
	if (bpf_probe_read_user(&conn.cookie, sizeof conn.cookie, &probe->cookie) || !conn.cookie)
		return;
	bpf_probe_read_user(&conn.conn, sizeof conn.conn, &probe->conn);
	bpf_probe_read_user(&conn.start_ns, sizeof conn.start_ns, &probe->start_ns);
	bpf_probe_read_user(&conn.pool_version, sizeof conn.pool_version, &probe->pool_version);
	bpf_probe_read_user(conn.pool, sizeof conn.pool, probe->pool);
	TERMINATE(conn.pool);
	fill_task(&task);
	conn.pid = task.pid;
	bpf_map_update_elem(&conns, &conn.cookie, &conn, BPF_ANY);
}

SEC("usdt")
int on_handshake(struct pt_regs *ctx)
{
	const struct kt_probe_handshake *probe = pointer_argument(ctx, 3);
	struct kt_event_handshake *event;

	if (wanted & KT_EVENT_BIT(KT_EVENT_SOCKET_END))
		remember(probe);
	event = RESERVE(KT_EVENT_HANDSHAKE, struct kt_event_handshake);
	if (!event || FILL(event, KT_EVENT_HANDSHAKE, probe))
		return 0;
	TERMINATE(event->probe.outcome);
	TERMINATE(event->probe.pool);
	TERMINATE(event->probe.listener);
	TERMINATE(event->probe.anchor_name);
	TERMINATE(event->probe.peer);
	TERMINATE(event->probe.sni);
	ask_kernel(event);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("usdt")
int on_conn_end(struct pt_regs *ctx)
{
	const struct kt_probe_conn_end *probe = pointer_argument(ctx, 2);
	struct kt_event_conn_end *event;
	__u64 cookie = 0;

	/* From here on the kernel's view of its end is no news. */
	if (!bpf_probe_read_user(&cookie, sizeof cookie, &probe->cookie) && cookie)
		bpf_map_delete_elem(&conns, &cookie);
	event = RESERVE(KT_EVENT_CONN_END, struct kt_event_conn_end);
	if (!event || FILL(event, KT_EVENT_CONN_END, probe))
		return 0;
	TERMINATE(event->probe.reason);
	TERMINATE(event->probe.pool);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("usdt")
int on_publish(struct pt_regs *ctx)
{
	struct kt_event_publish *event = RESERVE(KT_EVENT_PUBLISH, struct kt_event_publish);

	if (!event || FILL(event, KT_EVENT_PUBLISH, pointer_argument(ctx, 2)))
		return 0;
	TERMINATE(event->probe.pool);
	TERMINATE(event->probe.source);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("usdt")
int on_reclaim(struct pt_regs *ctx)
{
	struct kt_event_reclaim *event = RESERVE(KT_EVENT_RECLAIM, struct kt_event_reclaim);

	if (!event || FILL(event, KT_EVENT_RECLAIM, pointer_argument(ctx, 1)))
		return 0;
	TERMINATE(event->probe.pool);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("usdt")
int on_refuse(struct pt_regs *ctx)
{
	struct kt_event_refuse *event = RESERVE(KT_EVENT_REFUSE, struct kt_event_refuse);

	if (!event || FILL(event, KT_EVENT_REFUSE, pointer_argument(ctx, 1)))
		return 0;
	TERMINATE(event->probe.pool);
	TERMINATE(event->probe.source);
	TERMINATE(event->probe.why);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* A socket whose cookie nobody asked for is none of ktrust's. */
SEC("kprobe")
int BPF_KPROBE(on_tls_setsockopt, struct sock *sk, int level, int optname)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct ktls_call call = {};

	if (level != SOL_TLS || (optname != TLS_TX && optname != TLS_RX))
		return 0;
	call.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	call.direction = optname == TLS_TX ? KT_PROBE_KTLS_TX : KT_PROBE_KTLS_RX;
	if (call.cookie)
		bpf_map_update_elem(&ktls_calls, &thread, &call, BPF_ANY);
	return 0;
}

SEC("kretprobe")
int BPF_KRETPROBE(on_tls_setsockopt_return, int ret)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct ktls_call *call = bpf_map_lookup_elem(&ktls_calls, &thread);
	__u32 *known, directions;

	if (!call)
		return 0;
	if (!ret) {
		known = bpf_map_lookup_elem(&kernel_ktls, &call->cookie);
		directions = call->direction | (known ? *known : 0);
		bpf_map_update_elem(&kernel_ktls, &call->cookie, &directions, BPF_ANY);
	}
	bpf_map_delete_elem(&ktls_calls, &thread);
	return 0;
}

/* Runs wherever the stack closes a socket, also in an interrupt: there is no task to speak of. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_socket_state, const struct sock *sk, int oldstate, int newstate)
{
	struct kt_event_socket_end *event;
	struct kt_event_conn *conn;
	__u64 cookie;

	if (newstate != TCP_CLOSE)
		return 0;
	cookie = sk->__sk_common.skc_cookie.counter;
	if (!cookie)
		return 0;
	conn = bpf_map_lookup_elem(&conns, &cookie);
	if (!conn)
		return 0;
	event = RESERVE(KT_EVENT_SOCKET_END, struct kt_event_socket_end);
	if (event) {
		fill_header(&event->header, KT_EVENT_SOCKET_END);
		event->header.pid = conn->pid;
		event->header.tid = 0;
		event->conn = *conn;
		bpf_ringbuf_submit(event, 0);
	}
	bpf_map_delete_elem(&conns, &cookie);
	return 0;
}
