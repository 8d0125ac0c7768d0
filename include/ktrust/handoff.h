/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking connections over from ktrustd: it verifies the client and gives the records to the kernel,
 * then hands the socket, with a description of the client, to a program that serves it without
 * knowing anything of TLS. This is that program's side; <ktrust/stream.h> is what it reads and
 * writes with.
 *
 *   kt_handoff_listen ─► kt_handoff_link ─► kt_handoff_accept ─► kt_recv, kt_send, kt_close
 *      a Unix socket       one of ktrustd's     a connection,
 *      at a path           workers              with its description
 *
 * On the wire, for programs without this library: the receiver listens on a Unix socket of type
 * SOCK_SEQPACKET, and each worker of ktrustd connects to it and stays. Nothing is ever sent to
 * ktrustd. Each message is one connection: exactly one descriptor (SCM_RIGHTS), a TCP socket whose
 * records the kernel has both ways and of which not a byte of application data was read or written;
 * and at most KT_HANDOFF_TEXT_MAX bytes of UTF-8, one flat JSON object (values are strings, whole
 * numbers, booleans or null), without a newline or NUL behind it:
 *
 *   {"handoff":1,"conn":7,"cookie":12,"listener":"https","peer_addr":"192.0.2.1:40000",
 *    "local_addr":"192.0.2.9:443","verified":true,"peer":"spiffe://example.org/a",
 *    "peer_san":"uri:spiffe://example.org/a","sni":"www.example.org","alpn":"h2","pool":"clients",
 *    "pool_version":3,"pool_digest":"…","anchor_name":"Example CA","anchor":"…",
 *    "protocol":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256"}
 *
 * "handoff" is the version of this format, and its members are those below; what is not known is
 * null. Later members may come to version 1: what a reader does not know it passes over. Another
 * version is refused.
 *
 * ktrustd keeps nothing of a connection that it has handed over, no copy of the socket and no
 * secret. A receiver that dies takes its connections with it, and those that it had not accepted
 * yet; no client takes that for a clean end, as none gets a close_notify.
 *
 * Threads: no shared state. Several threads or processes may accept from one listening socket, and
 * each link belongs to one at a time.
 */
#ifndef KTRUST_HANDOFF_H
#define KTRUST_HANDOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ktrust/error.h>
#include <ktrust/pool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_HANDOFF_VERSION  1
#define KT_HANDOFF_TEXT_MAX 12288 /* bytes of a description; more than any has */

/*
 * A connection, and who it is. Texts are UTF-8; empty: none, or not known. They come from
 * certificates and hellos: whoever prints or passes them on escapes them for where they go.
 */
struct kt_handoff {
	int fd;		     /* yours to close; blocking, close-on-exec */
	uint64_t conn;	     /* in ktrustd's events: counts up from 1 while it runs */
	uint64_t cookie;     /* SO_COOKIE of the socket */
	char listener[32];   /* of ktrustd */
	char peer_addr[64];  /* "192.0.2.1:40000", "[2001:db8::1]:40000": the client's, as a PROXY
				header said it if one did */
	char local_addr[64]; /* what it connected to */
	bool verified;	     /* it has a certificate that was accepted; if not, all from peer to
				peer_san, and from pool_version to anchor, is empty */
	char peer[128];	     /* first URI, DNS or email SAN, else common name; printable; cut */
	char peer_san[512];  /* "uri:", "dns:" or "email:" and that SAN, never cut: to decide by */
	char sni[256];	     /* the name that it asked for */
	char alpn[256];	     /* what was agreed on */
	char pool[KT_POOL_NAME_MAX + 1]; /* that judged it */
	uint64_t pool_version;		 /* of the snapshot that let it in */
	uint8_t pool_digest[KT_DIGEST_LEN];
	char anchor_name[64];
	uint8_t anchor[KT_DIGEST_LEN]; /* SHA-256 of the anchor's certificate */
	uint16_t version;	       /* KT_TLS_1_2 or KT_TLS_1_3 of <ktrust/traffic.h> */
	char cipher[64];	       /* standard name */
};

/*
 * Listen at a path, which gets these permissions (0600: nobody but our user and root connects). A
 * socket that nobody listens on any more is removed first. Two receivers that start at one path in
 * the same moment may both do so: have something start one. -EADDRINUSE: somebody listens there;
 * -EEXIST: what is there is no socket; -ENAMETOOLONG: more than 107 bytes; else an errno of socket,
 * bind, chmod or listen. The caller unlinks the path when it leaves, if it wants to.
 */
KT_WARN_UNUSED int kt_handoff_listen(const char *path, mode_t mode, int *ret_fd,
				     struct kt_error *error);

/*
 * The next of ktrustd's workers to connect (accept4: close-on-exec, blocking), which must run as
 * this user (SO_PEERCRED). -EACCES: another did, which is not connected any more: go on. Else the
 * -errno of accept4: -EAGAIN, -EINTR, -ECONNABORTED, -EMFILE …
 */
KT_WARN_UNUSED int kt_handoff_link(int listen_fd, uid_t sender, int *ret_link);

/*
 * The next connection: 1, and it is there; 0, the worker has left: close the link. text: room for
 * the description as it came, NUL-terminated, for what struct kt_handoff does not have; NULL: not
 * wanted. Nothing is taken on an error, and what came is closed:
 *   -EAGAIN, -EINTR, …  recvmsg's (-EAGAIN: the link is non-blocking, fcntl)
 *   -EPROTO             not exactly one descriptor (or this process has no room for one more)
 *   -ENOTSOCK           it is no TCP socket whose records the kernel has both ways. (The kernel
 * says which directions it has to CAP_NET_ADMIN, or since Linux 6.15, and within one network
 * namespace; else that TLS is attached has to do.) -EPROTONOSUPPORT    a description of another
 * version -EBADMSG            a description that is none After each of these but the first the link
 * is good for the next one.
 */
KT_WARN_UNUSED int kt_handoff_accept(int link, struct kt_handoff *ret_handoff,
				     char text[KT_HANDOFF_TEXT_MAX + 1]);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
