/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracing contract: USDT probes of provider "ktrust".
 *
 *   handshake(conn id, accepted (0/1), pool version, struct kt_probe_handshake *)
 *       once a handshake, when its outcome is final and records are where they will stay (kernel
 *       or userspace)
 *   conn_end(conn id, pool version, struct kt_probe_conn_end *)
 *       once for each accepted handshake, when its sockets are being closed
 *   publish(old version, new version, struct kt_probe_publish *)
 *       when a snapshot became current
 *   reclaim(version, struct kt_probe_reclaim *)
 *       when a snapshot's grace period is over, before it is freed or goes into the history
 *   refuse(version that stays, struct kt_probe_refuse *)
 *       when a candidate for a pool was refused: its source failed, or a guard spoke against it
 *
 * The structs are plain data without pointers or holes, in host byte order but for addresses, the
 * same for every program that reads them (BPF, bpftrace, gdb); they live on the stack of the thread
 * that fires. Strings are NUL-terminated. Fields are only ever added at the end. No field ever
 * holds a key or a secret.
 *
 * A probe nobody listens to costs a test of its semaphore: fill the struct only when
 * KT_PROBE_ENABLED says so. The file that fires a probe says KT_PROBE_DEFINE(name) once.
 *
 * Times are CLOCK_MONOTONIC in nanoseconds, which is what bpf_ktime_get_ns() counts.
 */
#ifndef KTRUST_PROBE_H
#define KTRUST_PROBE_H

#include <linux/types.h>

#define KT_PROBE_NAME_LEN 32 /* bytes, NUL included: pools, listeners, outcomes, reasons */

#define KT_PROBE_KTLS_TX 1u
#define KT_PROBE_KTLS_RX 2u

struct kt_probe_handshake {
	__u64 conn;	    /* counts up within a process, from 1 */
	__u64 cookie;	    /* SO_COOKIE of the socket that speaks TLS */
	__u64 start_ns;	    /* accepted by the listening socket */
	__u64 handshake_ns; /* from there to the outcome */
	__u64 verify_ns;    /* of that, deciding about the peer's chain; 0: no chain */
	/* Of the snapshot in whose read section the verdict was taken; 0: no verdict was taken. */
	__u64 pool_version;
	__u32 worker;
	__u16 protocol;	  /* 0x0303, 0x0304; 0: not agreed on */
	__u16 cipher;	  /* IANA cipher suite; 0: not agreed on */
	__u16 peer_port;  /* host byte order */
	__u8 peer_family; /* 4, 6; 0: not an IP peer */
	__u8 ktls;	  /* KT_PROBE_KTLS_TX | KT_PROBE_KTLS_RX, as the engine set it up */
	__u8 accepted;
	__u8 verdict; /* enum kt_verdict_code, meaningful when pool_version or verify_ns is set */
	__u8 peer_is_server; /* 1: the listener is an origin, the peer a server it connected to */
	__u8 reserved;
	/* IPv4: the first 4 bytes. What a PROXY header said, if one came. */
	__u8 peer_addr[16];
	__u8 anchor[32];		 /* SHA-256 of the anchor's certificate; zeros: none */
	char outcome[KT_PROBE_NAME_LEN]; /* "accepted", a verdict's name or a failure's name */
	char pool[KT_PROBE_NAME_LEN];	 /* empty: the listener asks for no certificate */
	char listener[KT_PROBE_NAME_LEN];
	char anchor_name[64];
	char peer[128]; /* first URI, DNS or email SAN, else the common name; empty: no certificate
			 */
	char sni[64];
};

struct kt_probe_conn_end {
	__u64 conn;
	__u64 cookie;
	__u64 pool_version; /* as in the handshake's event */
	__u64 age_ns;	    /* since start_ns of the handshake's event */
	__u64 bytes_in;	    /* application bytes from the peer, delivered */
	__u64 bytes_out;    /* application bytes to the peer, handed to the record layer */
	char reason[KT_PROBE_NAME_LEN]; /* "closed", or the name of what ended it */
	char pool[KT_PROBE_NAME_LEN];
};

struct kt_probe_publish {
	__u64 old_version; /* 0: none before */
	__u64 new_version;
	__u32 anchors;
	__u32 added;
	__u32 removed;
	__u32 reserved;
	__u8 digest[32];
	char pool[KT_PROBE_NAME_LEN];
	char source[128]; /* cut when longer */
};

struct kt_probe_reclaim {
	__u64 version;
	char pool[KT_PROBE_NAME_LEN];
};

struct kt_probe_refuse {
	__u64 version; /* the one that stays; 0: none is published */
	__u32 err;     /* positive errno of the reason */
	__u32 reserved;
	char pool[KT_PROBE_NAME_LEN];
	char source[128]; /* cut when longer */
	char why[256];	  /* likewise: where and what, for people */
};

#ifndef __bpf__

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

/* The semaphore counts listeners; the kernel raises it while a uprobe is attached. */
#define KT_PROBE_DEFINE(name)                                                                      \
	__extension__ unsigned short ktrust_##name##_semaphore                                     \
		__attribute__((unused, used, section(".probes"), visibility("hidden"))) = 0

#define KT_PROBE_ENABLED(name)                                                                     \
	__builtin_expect(*(volatile unsigned short *)&ktrust_##name##_semaphore, 0)

#define KT_PROBE_HANDSHAKE(event)                                                                  \
	DTRACE_PROBE4(ktrust, handshake, (event)->conn, (event)->accepted, (event)->pool_version,  \
		      (event))
#define KT_PROBE_CONN_END(event)                                                                   \
	DTRACE_PROBE3(ktrust, conn_end, (event)->conn, (event)->pool_version, (event))
#define KT_PROBE_PUBLISH(event)                                                                    \
	DTRACE_PROBE3(ktrust, publish, (event)->old_version, (event)->new_version, (event))
#define KT_PROBE_RECLAIM(event) DTRACE_PROBE2(ktrust, reclaim, (event)->version, (event))
#define KT_PROBE_REFUSE(event)	DTRACE_PROBE2(ktrust, refuse, (event)->version, (event))

#endif /* __bpf__ */

#endif
