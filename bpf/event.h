/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs hand to userspace: records of the ring buffer, and counts.
 *
 * Plain data, the same layout on both sides, built together from one tree: this is no stable
 * interface; that is <ktrust/probe.h>, whose structs are embedded as they came. Strings in them
 * are NUL-terminated whatever the traced program wrote.
 */
#ifndef KTRUST_EVENT_H
#define KTRUST_EVENT_H

#include <ktrust/probe.h>

enum kt_event_kind {
	KT_EVENT_HANDSHAKE,
	KT_EVENT_CONN_END,
	KT_EVENT_PUBLISH,
	KT_EVENT_RECLAIM,
	KT_EVENT_REFUSE,
	KT_EVENT_SOCKET_END, /* the kernel closed an accepted connection that had not ended yet */
	KT_EVENT_KINDS
};

#define KT_EVENT_BIT(kind) (1u << (kind))
#define KT_EVENT_ALL	   (KT_EVENT_BIT(KT_EVENT_KINDS) - 1)

struct kt_event_header {
	__u64 ktime_ns; /* CLOCK_MONOTONIC */
	__u32 kind;	/* enum kt_event_kind */
	__u32 pid;	/* of the traced process, as the tracer's PID namespace numbers it */
	__u32 tid;	/* 0 in KT_EVENT_SOCKET_END */
	__u32 cpu;
};

struct kt_event_handshake {
	struct kt_event_header header;
	__u32 kernel_known; /* 1: the kernel's side of kTLS was watched since before the accept */
	__u32 kernel_ktls;  /* KT_PROBE_KTLS_TX | KT_PROBE_KTLS_RX, as the kernel accepted them */
	struct kt_probe_handshake probe;
};

struct kt_event_conn_end {
	struct kt_event_header header;
	struct kt_probe_conn_end probe;
};

struct kt_event_publish {
	struct kt_event_header header;
	struct kt_probe_publish probe;
};

struct kt_event_reclaim {
	struct kt_event_header header;
	struct kt_probe_reclaim probe;
};

struct kt_event_refuse {
	struct kt_event_header header;
	struct kt_probe_refuse probe;
};

/* An accepted connection, kept by socket cookie from its handshake to its end. */
struct kt_event_conn {
	__u64 conn;
	__u64 cookie;
	__u64 start_ns;
	__u64 pool_version;
	__u32 pid;
	__u32 reserved;
	char pool[KT_PROBE_NAME_LEN];
};

struct kt_event_socket_end {
	struct kt_event_header header; /* pid: of the handshake */
	struct kt_event_conn conn;
};

/* By kind. Each hit was delivered to the ring buffer, or is counted in one of the others. */
struct kt_event_counts {
	__u64 hits[KT_EVENT_KINDS];
	__u64 lost[KT_EVENT_KINDS];	  /* the ring buffer was full */
	__u64 unreadable[KT_EVENT_KINDS]; /* the probe's struct could not be read */
};

#endif
