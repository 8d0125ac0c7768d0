/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers that take connections, shake hands, offload records, and relay to a plain backend or hand
 * the connection over to another process; or, the other way round, take plain connections and relay
 * to a server over TLS, which they verify.
 *
 * Threads. An engine has `workers` threads, each with its own io_uring, its own listening socket
 * for each listener (SO_REUSEPORT), its own TLS contexts and its own connections. Nothing is
 * shared on a connection's way but the pools. The functions below are for one controlling thread;
 * the kt_engine_each_* and kt_engine_get_stats may be called from any thread at any time between
 * start and free, and never hold up a worker for longer than it takes to copy.
 *
 * Lifetimes. Pools and slots of credentials in the options, and every pool that choose_pool
 * returns, must outlive the engine; everything else in the options is copied by kt_engine_new.
 *
 * What it does not do: look into what it relays. Where pools are chosen by name, a client that one
 * pool lets in may name another host inside (HTTP's Host); that the two agree is for the backend to
 * see to.
 */
#ifndef KTRUST_ENGINE_H
#define KTRUST_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ktrust/error.h>
#include <ktrust/ktls.h>
#include <ktrust/pool.h>
#include <ktrust/tls.h>

#include "upstream_proxy.h"

/* ---- Addresses (address.c) ------------------------------------------------------------------- */

struct kt_address {
	struct sockaddr_storage addr;
	socklen_t len; /* bytes; 0: unset */
};

#define KT_ADDRESS_TEXT_MAX 128 /* bytes, NUL included */

/*
 * "HOST:PORT" (HOST numeric, a name, or empty for all addresses), "[v6]:PORT", "unix:PATH". Names
 * are resolved (blocks), to the first of their addresses. -EINVAL, -ENAMETOOLONG, -EHOSTUNREACH
 * (name does not resolve).
 */
KT_WARN_UNUSED int kt_address_parse(const char *text, struct kt_address *ret_address,
				    struct kt_error *error);
/*
 * The same, with all addresses that a name has, in the resolver's order (RFC 6724), each once;
 * `room` of them at most, which is 1 or more. A name may well have one where nobody listens: that
 * "localhost" is ::1 as well is the rule.
 */
KT_WARN_UNUSED int kt_addresses_parse(const char *text, size_t room,
				      struct kt_address *ret_addresses, size_t *ret_count,
				      struct kt_error *error);
/*
 * The parts of "HOST:PORT" or "[v6]:PORT", the host without brackets. Nothing is resolved. -EINVAL
 * also: an empty host, port 0.
 */
#define KT_HOST_SIZE 256 /* bytes, NUL included (RFC 1035 §2.3.4) */
KT_WARN_UNUSED int kt_address_split(const char *text, char ret_host[static KT_HOST_SIZE],
				    uint16_t *ret_port, struct kt_error *error);
/* The same notation back; returns buf. */
char *kt_address_format(const struct kt_address *address, char buf[static KT_ADDRESS_TEXT_MAX]);

/* ---- Networks (network.c) -------------------------------------------------------------------- */

struct kt_network {
	uint8_t addr[16]; /* IPv6, or IPv4-mapped */
	uint8_t bits;	  /* of these, from the first */
};

/* "10.0.0.0/8", "fd00::/8", or one address. -EINVAL: none, or one with bits behind its length. */
KT_WARN_UNUSED int kt_network_parse(const char *text, struct kt_network *ret_network,
				    struct kt_error *error);

/* An IPv4 address and its IPv4-mapped form are the same. Others than these two families: false. */
bool kt_network_has(const struct kt_network *network, const struct sockaddr *address);

/* ---- Making ---------------------------------------------------------------------------------- */

enum kt_ktls_mode {
	KT_KTLS_AUTO,	 /* kernel records where the kernel can, else userspace records */
	KT_KTLS_REQUIRE, /* kernel records, or the connection (at start: the engine) is refused */
	KT_KTLS_OFF,
};

/* ---- Pools by name (names.c) ----------------------------------------------------------------- */

struct kt_pool_for {
	const char *pattern;
	struct kt_pool *pool;
};

#define KT_PATTERN_MAX 253 /* bytes, without the terminating NUL */

/*
 * A pattern is a host name (A-labels, any case, no final dot), or "*." and one, which stands for
 * exactly one label, as in a certificate (RFC 9525 §6.3). -EINVAL: it is not one.
 */
KT_WARN_UNUSED int kt_pattern_check(const char *pattern, struct kt_error *error);

#define KT_BACKENDS_MAX	  8  /* of one listener */
#define KT_PROXY_FROM_MAX 64 /* likewise: each connection is compared with all of them */

enum kt_proxy_protocol {
	KT_PROXY_OFF,
	KT_PROXY_V2, /* a header before the client's first byte (proxy_v2.h) */
};

enum kt_listener_mode {
	KT_MODE_SERVER, /* clients over TLS in, to a plain backend */
	KT_MODE_ORIGIN, /* plain clients in, over TLS to a target that is verified */
};

/* A server that connections go out to. Texts are copied. */
struct kt_target {
	struct kt_address address; /* not looked at where there is a proxy */
	/* For a proxy, which resolves it: a name, or an address as text without brackets. */
	const char *host;
	uint16_t port;
	/* That its certificate must prove; see struct kt_tls_options. */
	const char *name;
	enum kt_name_type name_type;
};

/* A proxy on the way to all targets. Copied. */
struct kt_upstream_options {
	enum kt_upstream_kind kind;
	struct kt_address address;
	struct kt_upstream_login login;
};

struct kt_listener_options {
	const char *name; /* for events; at most 31 bytes */
	enum kt_listener_mode mode;
	struct kt_address listen;
	/*
	 * KT_MODE_ORIGIN only, instead of backends and like these. Of what follows, `pool` (which
	 * must be there) and `policy` are then about servers, credentials may be missing and are
	 * our own as a client, `alpn` is what we offer, and all else must be zero.
	 */
	const struct kt_target *targets;
	size_t target_count;
	const struct kt_upstream_options *upstream; /* NULL: none */
	/*
	 * The best first: tried in this order until one connects (backend.c). 1 to KT_BACKENDS_MAX;
	 * none with a handoff.
	 */
	const struct kt_address *backends;
	size_t backend_count;
	/* One of the two: the same for all clients, or where connections find theirs (by name). */
	struct kt_credentials *credentials;
	struct kt_credentials_slot *credentials_slot;
	const uint8_t *alpn; /* as in struct kt_tls_context_options; NULL: none is agreed on */
	size_t alpn_len;
	enum kt_client_auth client_auth;
	/*
	 * That clients are verified against: NULL only with KT_CLIENT_AUTH_NONE, or where
	 * choose_pool is set. Those that send an SNI which a pattern matches (a whole name before a
	 * pattern, case does not count) have that pattern's pool. With KT_CLIENT_AUTH_NONE there
	 * must be none.
	 */
	struct kt_pool *pool;
	const struct kt_pool_for *pools; /* no two patterns alike */
	size_t pool_count;
	/*
	 * Instead of both: asked in each handshake, by all workers at the same time. See struct
	 * kt_tls_context_options; what it refuses has the outcome pool_refused.
	 */
	int (*choose_pool)(const struct kt_hello *hello, void *choose_arg,
			   struct kt_pool **ret_pool, struct kt_error *error);
	void *choose_arg;
	enum kt_ca_names ca_names;
	struct kt_policy policy; /* of clients' certificates */
	/*
	 * From these networks a connection begins with a PROXY header (version 2), or is refused;
	 * what that says is the client's address from then on, and our own. From anywhere else a
	 * header is none. Copied.
	 */
	const struct kt_network *proxy_from;
	size_t proxy_from_count;
	enum kt_proxy_protocol proxy_protocol; /* that backends are told the client by */
	/*
	 * Instead of backends: the path of a Unix socket (SOCK_SEQPACKET) where another process
	 * takes connections over, whose records are the kernel's by then (<ktrust/handoff.h>): the
	 * kernel must have kTLS for every cipher. Length 0: none.
	 */
	struct kt_address handoff;
	uid_t handoff_user; /* whom that process must run as */
	/*
	 * Connections that may wait for it, of each worker, for connect_timeout_ms at most; the
	 * others are refused while nobody listens there, or takes no more.
	 */
	unsigned int handoff_queue;
};

struct kt_engine_options {
	const struct kt_listener_options *listeners;
	size_t listener_count;
	unsigned int workers; /* threads; 0: one a CPU this process may run on */
	enum kt_ktls_mode ktls;
	/* Accept to Finished, or for an origin from the connected target on; 0: 10,000 */
	unsigned int handshake_timeout_ms;
	/*
	 * To a backend, or a target and through the proxy: each of a listener's has an equal share
	 * of it. 0: 5,000
	 */
	unsigned int connect_timeout_ms;
	unsigned int idle_timeout_ms; /* no byte delivered either way; 0: 3,600,000 */
	/*
	 * While reads wait because all blocks (blocks.h) are in use: who has had one for so long
	 * is ended as "stalled", one after the other. 0: 10,000.
	 */
	unsigned int hold_timeout_ms;
	unsigned int connections_max; /* live in the whole engine; accepting pauses; 0: 65,536 */
	/*
	 * Connections of each worker that are not accepted yet, and the refused that are not gone
	 * yet, at most 1,000,000, and of these those of one address (IPv6: /64; behind a PROXY
	 * header the one that it tells; not of an origin). More are reset when they come. 0: 8,192;
	 * 1,024
	 */
	unsigned int handshakes_max;
	unsigned int handshakes_address_max;
	enum kt_verifier_mode verifier;
	bool forget_verdicts; /* no cache: every client's chain is decided anew */
	struct kt_verify_cache_options cache;
	/* Clients' certificates that stay decoded (struct kt_tls_certificates); 0: none. */
	size_t certificates_max;
	/* Full records that an AES-GCM key protects at most (struct kt_tls_context_options); 0: all
	 * that it may. */
	uint64_t key_records_max;
};

struct kt_engine;

/*
 * Probe the kernel, make rings, bind and listen. Nothing is accepted yet. Errors: -EADDRINUSE (also
 * when another engine holds the port with SO_REUSEPORT), -EPERM io_uring is forbidden (seccomp,
 * kernel.io_uring_disabled), -EOPNOTSUPP kTLS required (by a handoff too) and missing, also for one
 * cipher only,
 * bind's errno, -ENOMEM.
 */
KT_WARN_UNUSED int kt_engine_new(const struct kt_engine_options *options,
				 struct kt_engine **ret_engine, struct kt_error *error);

/* Start the workers. -EAGAIN threads. Signals are blocked in them. */
KT_WARN_UNUSED int kt_engine_start(struct kt_engine *engine, struct kt_error *error);

/*
 * Stop accepting (the listening sockets are closed), let the connections end, close those that are
 * left after timeout_ms (reason "drained"), and stop the workers. Blocks. Returns how many were
 * cut.
 */
size_t kt_engine_drain(struct kt_engine *engine, unsigned int timeout_ms);

/* After drain, or when never started. NULL is fine. */
void kt_engine_free(struct kt_engine *engine);

/* ---- Looking --------------------------------------------------------------------------------- */

/* What kt_ktls_probe found at start, and whether records go to the kernel. */
const struct kt_ktls_support *kt_engine_ktls(const struct kt_engine *engine);

/* The address a listener really got (port 0 in its options). -ERANGE. */
KT_WARN_UNUSED int kt_engine_address(const struct kt_engine *engine, size_t listener,
				     struct kt_address *ret_address);

struct kt_engine_stats {
	uint64_t accepted; /* TCP connections taken */
	/* Accepting rested: … for as long as connections_max are live; while clients wait */
	uint64_t pauses_full;
	/* … for 100 ms, because it failed: EMFILE or ENFILE; ENOMEM or ENOBUFS; something else */
	uint64_t pauses_no_descriptors;
	uint64_t pauses_no_memory;
	uint64_t pauses_other;
	uint64_t accept_pauses; /* sum of these three */
	uint64_t handshakes_ok;
	uint64_t handshakes_failed; /* each with an outcome, see kt_engine_each_outcome */
	uint64_t handshaking;	    /* now */
	uint64_t live;		    /* accepted handshakes whose sockets are open now */
	uint64_t ended;
	uint64_t ktls_tx; /* connections offloaded in this direction */
	uint64_t ktls_rx;
	uint64_t bytes_in;	  /* application bytes from clients, delivered to backends */
	uint64_t bytes_out;	  /* application bytes from backends, handed to the record layer */
	uint64_t bytes_copied;	  /* what sockets gave and took, of clients and of backends */
	uint64_t block_waits;	  /* reads that waited, for all blocks were in use */
	uint64_t handed_off;	  /* connections that another process took over */
	uint64_t handoff_refused; /* … or did not, so that they were ended */
	uint64_t handoff_waiting; /* now, for that process */
};

void kt_engine_get_stats(const struct kt_engine *engine, struct kt_engine_stats *ret_stats);

/* Of the cache of verdicts; zeros where there is none. */
void kt_engine_get_cache_stats(const struct kt_engine *engine,
			       struct kt_verify_cache_stats *ret_stats);

/* Of the certificates that stay decoded; zeros where there are none. */
void kt_engine_get_certificates_stats(const struct kt_engine *engine,
				      struct kt_tls_certificates_stats *ret_stats);

/*
 * Handshakes by outcome, one for each TCP connection taken: "accepted", a name of kt_verdict_name
 * or of kt_tls_failure, or
 *   too_many_handshakes, too_many_from_address
 *                      beyond what may be in flight: reset unheard
 *   proxy_timeout      no whole PROXY header in the time that a handshake has
 *   handshake_timeout  not done in time (silence, dribbling)
 *   peer_reset         the client reset the connection
 *   peer_closed        also: kTLS is required, and the client had ended its side (FIN) before it
 *                      was answered for the first time; the kernel attaches no such socket
 *   ktls_unsupported   kTLS is required, and this kernel does not know the cipher
 *   ktls_failed        the kernel took no key, after the point where userspace could go on; or kTLS
 *                      is required and could not be attached
 *   proxy_invalid      who must send a PROXY header sent none, or a malformed one
 *   proxy_too_long     … one of more than 1,024 bytes after the first 16
 *   drained            cut by kt_engine_drain
 *   io_error, internal
 * and of an origin's, whose client is reset in all these cases,
 *   target_unreachable, target_timeout
 *                      no target could be connected to; of several, what the last one said. Or the
 *                      proxy says that it cannot
 *   upstream_unreachable, upstream_timeout
 *                      the proxy
 *   upstream_auth, upstream_refused, upstream_closed, upstream_invalid
 *                      the proxy's answer (upstream_proxy.h)
 *   no_descriptors, no_socket
 */
void kt_engine_each_outcome(const struct kt_engine *engine,
			    void (*fn)(const char *outcome, uint64_t count, void *arg), void *arg);

/*
 * Accepted handshakes by pool version. Bounded: the newest 256 versions of each pool a worker has
 * seen are kept apart, older ones are added up under version 0.
 */
void kt_engine_each_version(const struct kt_engine *engine,
			    void (*fn)(const char *pool, uint64_t version, uint64_t count,
				       void *arg),
			    void *arg);

/*
 * Connections by how they ended; one for each accepted handshake. What one side says is passed on
 * as what it was, never as more: the backend gets FIN for the client's close_notify only, the
 * client gets close_notify for the backend's FIN only. In all other cases the backend is reset,
 * and the client gets FIN without close_notify, before it on an offloaded socket the fatal alert
 * internal_error. (A backend on a Unix socket cannot be reset: it sees an end.)
 *   closed              both sides ended theirs, or the client left after it had all there was
 *   truncated           the client's FIN came without close_notify
 *   reset, timed_out, killed, io_error
 *                       the client's socket broke (killed: by SOCK_DESTROY)
 *   alert_…             the client sent this fatal alert, by its name in RFC 8446 §6
 *                       (alert_bad_certificate, …); peer_alert: one without a name
 *   bad_record          an offloaded socket met a record that does not authenticate; userspace
 *                       records call it protocol_error
 *   protocol_error      a record or message that has no place here
 *   key_update          the client changed its key on an offloaded socket, and the kernel cannot
 *                       follow: one older than Linux 6.14, or the message came in pieces (userspace
 *                       records and newer kernels go on)
 *   key_update_flood    … again and again, with little else in between
 *   empty_record_flood  a read of its records kept the worker, and what came was hardly content;
 *                       or 33 reads in a row found no content (records in the kernel)
 *   rekey_failed        the kernel did not take the next key
 *   key_limit           a key has protected all it may (RFC 8446 §5.5: some 390 GB with AES-GCM),
 *                       and cannot be replaced: TLS 1.2, an older kernel, a client that does not
 *                       update its own when asked
 *   backend_unreachable, backend_timeout, no_descriptors, no_socket
 *                       it could not be connected to; of several, what the last one said
 *   backend_reset       it broke; what it had sent was delivered
 *   backend_closed      it ended its side, then took no more
 *   backend_error       its socket broke in another way
 *   handed_off          another process has it now; how it ends is not known here
 *   receiver_gone, receiver_busy, receiver_refused
 *                       none has taken it: nobody listens; it takes no more; it is another user's,
 *                       or lets us not in. no_descriptors: too many are under way
 *   idle_timeout        no byte was delivered either way for so long
 *   stalled             it kept a block for hold_timeout_ms while other reads waited for one
 *   drained             cut by kt_engine_drain
 *   internal            no memory
 * Of an origin "the client" above is the server, and the backend is our plain client, whose names
 * are client_reset, client_closed and client_error.
 */
void kt_engine_each_end(const struct kt_engine *engine,
			void (*fn)(const char *reason, uint64_t count, void *arg), void *arg);

struct kt_conn_info {
	uint64_t conn;	 /* counts up within the engine, from 1 */
	uint64_t cookie; /* SO_COOKIE of the socket that speaks TLS */
	const char *listener;
	enum kt_role peer_role; /* KT_ROLE_SERVER: the listener is an origin */
	struct kt_address peer; /* of an origin the target's, or the proxy's */
	const char *pool;	/* that judged it; NULL: the listener asks for no certificate */
	uint16_t version;	/* KT_TLS_1_2 … */
	const char *cipher_name;
	unsigned int ktls; /* KT_KTLS_TX | KT_KTLS_RX */
	bool verified;
	struct kt_verdict verdict;
	const char *peer_name;
	uint64_t age_ns;
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/*
 * Live connections, as a copy of one moment a worker. The strings are valid during the call of fn
 * only. fn must not call the engine.
 */
KT_WARN_UNUSED int kt_engine_each_conn(struct kt_engine *engine,
				       void (*fn)(const struct kt_conn_info *info, void *arg),
				       void *arg);

#endif
