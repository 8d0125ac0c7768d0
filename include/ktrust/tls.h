/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TLS handshake without IO: bytes in, bytes out, done / again / failed.
 *
 *   struct kt_tls_context  what a listener or a client offers; used by one thread
 *   struct kt_tls          one connection
 *   struct kt_tls_certificates  certificates of peers seen before, decoded; may be shared
 *
 * What a side proves itself with is in <ktrust/credentials.h>. A server in an epoll loop, and a
 * client, are among the examples (tools/examples).
 *
 * Way of a connection:
 *
 *   kt_tls_new ─► a client only: kt_tls_start, send kt_tls_output
 *     ─► loop: read at most kt_tls_want() bytes ─► kt_tls_input ─► send kt_tls_output
 *        until kt_tls_input says KT_TLS_DONE or KT_TLS_FAILED; send the output in both cases
 *        (an alert is output too), and only then
 *     a) kt_tls_export ─► keys to the kernel ─► kt_tls_free          (offload), or
 *     b) kt_tls_input / kt_tls_read, kt_tls_write / kt_tls_output    (userspace records)
 *
 * kt_tls_want() keeps invariant 7 of the design: once the peer may send application data, it never
 * asks for more than the rest of the record being read, so that at KT_TLS_DONE not one byte of
 * what follows has been read. Feeding more than it said is refused (-EMSGSIZE). A context that never
 * exports (no_export) has no such care to take: it asks for whatever there is, and what came behind
 * the handshake waits for kt_tls_read, which then has to be asked before more is read.
 *
 * Which pool judges the peer is settled once a handshake, when the hello is known: the context's,
 * or what choose_pool says. The peer's chain is verified in kt_tls_input, against the snapshot of
 * that pool that is current then, inside one read section; the verdict keeps that snapshot's
 * version.
 *
 * Threads: a context and its connections belong to one thread.
 * Nothing here touches a socket or a log. Time comes from kt_tls_context_options.now.
 * What this does not do (yet): session tickets and resumption (off), 0-RTT (never), renegotiation
 * (refused), proving later what name a request is for: a client chooses the pool that judges it by
 * the SNI it sends, and may name another host inside (RFC 9110 §7.4), so whoever serves several
 * names to clients of several pools compares the two.
 */
#ifndef KTRUST_TLS_H
#define KTRUST_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <ktrust/credentials.h>
#include <ktrust/error.h>
#include <ktrust/pool.h>
#include <ktrust/traffic.h>
#include <ktrust/verify.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- Certificates that stay decoded ---------------------------------------------------------- */

/*
 * Certificates of accepted peers, decoded: libssl decodes what a peer sends in each handshake anew,
 * which with OpenSSL 3.0 takes longer than the handshake's signatures. libssl has no way to be
 * given a decoded certificate: it calls d2i_X509, so only a program that defines d2i_X509 itself
 * can answer from here. ktrustd does (src/tls/asn1_x509.c); everywhere else nothing is ever found,
 * and the context's `certificates` should stay NULL. Decides nothing: what is found was decoded
 * from the same bytes.
 *
 * Threads: shared by any number of contexts, in any threads.
 */
struct kt_tls_certificates;

/*
 * most: certificates kept, 0 for 4096, rounded up to a multiple of 4; each takes its DER (at most
 * 8 KiB, or it is not kept) and, decoded, some 5 KiB. -EINVAL: more than 1 << 20; -ENOMEM; -EIO: no
 * random numbers.
 */
KT_WARN_UNUSED int kt_tls_certificates_new(size_t most,
					   struct kt_tls_certificates **ret_certificates);
/* No context uses them any more. NULL is fine. */
void kt_tls_certificates_free(struct kt_tls_certificates *certificates);

struct kt_tls_certificates_stats {
	uint64_t hits; /* certificates that were not decoded again */
	uint64_t misses;
	uint64_t inserts;
	uint64_t certificates; /* now */
	uint64_t der_bytes;    /* of these */
};

void kt_tls_certificates_get_stats(const struct kt_tls_certificates *certificates,
				   struct kt_tls_certificates_stats *ret_stats);

/* ---- Context --------------------------------------------------------------------------------- */

enum kt_client_auth {
	KT_CLIENT_AUTH_NONE,	 /* no CertificateRequest */
	KT_CLIENT_AUTH_OPTIONAL, /* none is fine; one that is sent must verify */
	KT_CLIENT_AUTH_REQUIRE,
};

/* What a server says in CertificateRequest of the CAs it takes (RFC 8446 §4.2.4, RFC 5246 §7.4.4)
 */
enum kt_ca_names {
	/*
	 * The subjects of the anchors for clients that the chosen pool has at this moment; none,
	 * which means any, when they are more than KT_CA_NAMES_MAX or KT_CA_NAMES_BYTES_MAX.
	 */
	KT_CA_NAMES_AUTO,
	KT_CA_NAMES_OFF, /* none */
};

#define KT_CA_NAMES_MAX	      256	  /* names */
#define KT_CA_NAMES_BYTES_MAX (16U << 10) /* bytes on the wire, two of length a name included */

/* What is known when the pool is chosen. Everything is borrowed for the call. */
struct kt_hello {
	enum kt_role role; /* of the peer that the pool is to judge */
	/* KT_NAME_NONE: a client that named none. */
	enum kt_name_type name_type;
	/*
	 * The name a client asks for (SNI, RFC 6066 §3), as sent, but for what is not printable
	 * ASCII: '?'. Or our target's, as given to kt_tls_new. Never NULL.
	 */
	const char *name;
	/* A well-formed ProtocolNameList without its length (RFC 7301 §3.1); NULL: none offered. */
	const uint8_t *alpn;
	size_t alpn_len;
	/* As given to kt_tls_new; NULL: not given. */
	const struct sockaddr *local;
	const struct sockaddr *remote;
};

struct kt_tls_context;

struct kt_tls_context_options {
	/*
	 * Who the peers are. KT_ROLE_CLIENT (0): they are clients, and we a server. KT_ROLE_SERVER:
	 * we are a client, which verifies every server, by name.
	 */
	enum kt_role peer_role;
	struct kt_credentials *credentials; /* a reference is taken; a client may have none */
	/*
	 * Instead, where those are found that each connection has from kt_tls_new on; a client has
	 * the first of them. Borrowed for the context's life.
	 */
	struct kt_credentials_slot *credentials_slot;
	enum kt_client_auth client_auth; /* servers only */
	enum kt_ca_names ca_names;	 /* servers only */
	/*
	 * Servers: a ProtocolNameList (as in struct kt_hello), what is liked best first; copied.
	 * With a client that offers protocols the first of these that it offers is agreed on; if it
	 * offers none of them, it is refused with no_application_protocol (RFC 7301 §3.2). One that
	 * offers nothing goes on without. NULL: none is ever agreed on.
	 */
	const uint8_t *alpn;
	size_t alpn_len; /* at most 65,535 bytes */
	/* Borrowed for the context's life. NULL: choose_pool is set, or AUTH_NONE. */
	struct kt_pool *pool;
	/*
	 * Called once in each handshake that verifies its peer: on a server in kt_tls_input, when
	 * the ClientHello is there and before anything is answered, on a client in kt_tls_start.
	 * Returns 0 and a pool, which is borrowed and must outlive the connection; a pool and no
	 * snapshot, so that what is published meanwhile reaches the connection. Anything else ends
	 * the handshake under the name pool_refused; kt_tls_refusal then has the error, or one made
	 * for it when there was none: -errno, or neither pool nor error. On a server the peer is
	 * told (RFC 8446 §6.2):
	 *   -ENOENT          unrecognized_name: no server of that name is here
	 *   -EACCES, -EPERM  access_denied: it is, but not for this client
	 *   else             internal_error: nothing that the client could mend
	 * Must not block for long, nor call this connection's functions. NULL: always `pool`.
	 */
	int (*choose_pool)(const struct kt_hello *hello, void *choose_arg,
			   struct kt_pool **ret_pool, struct kt_error *error);
	void *choose_arg;
	uint16_t min_version; /* KT_TLS_1_2 or KT_TLS_1_3; 0: KT_TLS_1_2 */
	uint16_t max_version; /* 0: KT_TLS_1_3 */
	/* How peers are verified; copied, but for the cache. NULL: all zeros. */
	const struct kt_verifier_options *verifier;
	struct kt_tls_certificates *certificates; /* borrowed; NULL: none */
	struct kt_policy policy;
	/*
	 * Records stay in userspace, kt_tls_export is -EOPNOTSUPP: no traffic secret is taken from
	 * libssl, which offers them in hexadecimal only (6 % of a handshake's instructions), and
	 * flights are read whole instead of record by record. A
	 * TLS 1.3 server then cannot put access_denied in the place of libssl's certificate_unknown
	 * for peers that are not_allowed.
	 */
	bool no_export;
	/*
	 * Userspace records: how many full ones a key of AES-GCM protects at most. 0: as many as it
	 * may, KT_KEY_RECORDS_MAX. After three quarters of it TLS 1.3 goes on to the next key, ours
	 * by itself, the peer's by asking for it. A key that is used up all the same, as TLS 1.2's
	 * is some day, ends the connection under the name key_limit.
	 */
	uint64_t key_records_max;
	/* Seconds since the epoch, called for each verification. NULL: CLOCK_REALTIME. */
	int64_t (*now)(void *now_arg);
	void *now_arg;
};

KT_WARN_UNUSED int kt_tls_context_new(const struct kt_tls_context_options *options,
				      struct kt_tls_context **ret_context, struct kt_error *error);
/* All its connections must be gone. NULL is fine. */
void kt_tls_context_free(struct kt_tls_context *context);

/* ---- One connection -------------------------------------------------------------------------- */

struct kt_tls;

/* May be all zeros on a server. */
struct kt_tls_options {
	/* For choose_pool, which alone looks at them; borrowed until the handshake is over. */
	const struct sockaddr *local;
	const struct sockaddr *remote;
	/*
	 * Clients: whom to speak with, which the server's certificate must prove. A DNS name
	 * (A-labels; a final dot is dropped) is also sent as SNI, an IP address is not (RFC 6066
	 * §3).
	 */
	enum kt_name_type name_type;
	const char *name; /* copied */
	/* Clients: a ProtocolNameList as in struct kt_hello, to be offered; copied. NULL: none. */
	const uint8_t *alpn;
	size_t alpn_len; /* at most 65,535 bytes */
};

/*
 * A connection of the context's side; options may be NULL on a server. -ENOMEM; -EINVAL: a client
 * without a name, with one that is neither a host name nor an address, or with a malformed list of
 * protocols. Freed by kt_tls_free, which wipes all secrets and accepts NULL.
 */
KT_WARN_UNUSED int kt_tls_new(struct kt_tls_context *context, const struct kt_tls_options *options,
			      struct kt_tls **ret_tls);
void kt_tls_free(struct kt_tls *tls);

enum kt_tls_status {
	KT_TLS_AGAIN = 0, /* send the output, read kt_tls_want() bytes more */
	KT_TLS_DONE = 1,  /* handshake complete; send the output */
	KT_TLS_FAILED = 2 /* kt_tls_failure says why; send the output (an alert), then close */
};

/*
 * A client's first step, once: choose the pool and put the ClientHello into the output. Returns an
 * enum kt_tls_status (KT_TLS_FAILED with nothing to send: pool_refused). -EINVAL: a server, or
 * started already.
 */
KT_WARN_UNUSED int kt_tls_start(struct kt_tls *tls);

/*
 * At most so many bytes may be read and fed next. Never 0 during the handshake; after KT_TLS_DONE 0
 * means that so much waits undecrypted that kt_tls_read has to take some first.
 */
size_t kt_tls_want(const struct kt_tls *tls);

/*
 * Feed bytes from the peer. During the handshake returns an enum kt_tls_status; after KT_TLS_DONE
 * it only takes the bytes, for kt_tls_read, and returns KT_TLS_DONE. -EMSGSIZE: more than
 * kt_tls_want(); -EINVAL: a client that was not started; -ENOMEM.
 */
KT_WARN_UNUSED int kt_tls_input(struct kt_tls *tls, const void *data, size_t len);

/*
 * The peer ended its stream during the handshake: names the failure (peer_closed) and returns
 * KT_TLS_FAILED. After KT_TLS_DONE it changes nothing and returns KT_TLS_DONE: an end of the stream
 * that comes before kt_tls_read has returned 0 is one that was cut, which is for the caller to say.
 */
int kt_tls_input_eof(struct kt_tls *tls);

/*
 * Bytes to send: returns their number and sets *ret_data, valid until the next call with this
 * connection. kt_tls_output_done says how many were sent. All is kept until it is sent: whoever
 * reads and writes on while the peer does not read keeps as much as the peer likes, so read nothing
 * while there is output.
 */
size_t kt_tls_output(struct kt_tls *tls, const uint8_t **ret_data);
void kt_tls_output_done(struct kt_tls *tls, size_t len);

/*
 * Why the handshake failed: a stable lower-case name: a verdict's ("unknown_issuer"), or one of
 * "peer_closed", "peer_alert", "plain_http", "not_tls", "protocol_error", "no_shared_version",
 * "no_shared_cipher", "no_shared_protocol" (ALPN), "pool_refused", "too_much_data" (256 KiB before
 * Finished, 64 KiB of certificates), "too_many_records" (4,096 before Finished), "key_limit",
 * "internal".
 * Static storage. NULL unless failed.
 */
const char *kt_tls_failure(const struct kt_tls *tls);

/* What choose_pool said when kt_tls_failure is "pool_refused"; else NULL. The connection's own. */
const struct kt_error *kt_tls_refusal(const struct kt_tls *tls);

/* The alert the peer sent, when kt_tls_failure is "peer_alert"; else -1. */
int kt_tls_peer_alert(const struct kt_tls *tls);

struct kt_tls_info {
	uint16_t version;	 /* 0: not agreed on yet */
	uint16_t cipher_suite;	 /* IANA value; 0: not agreed on yet */
	const char *cipher_name; /* standard name ("TLS_AES_128_GCM_SHA256"); static; never NULL */
	char sni[256];		 /* empty: none */
	char alpn[256];		 /* what was agreed on, of what the client offered; empty: none */
	bool verified;		 /* a chain was judged: verdict is meaningful */
	struct kt_verdict verdict;
	/* The peer's judge, borrowed; NULL: none is needed, or it is not chosen (yet). */
	struct kt_pool *pool;
	char peer[128]; /* first URI, DNS or email SAN, else common name; printable; empty: none */
};

void kt_tls_describe(const struct kt_tls *tls, struct kt_tls_info *ret_info);

/* What certificates say, for whoever tells others that decide by it: whole, or not at all. */
struct kt_tls_names {
	/* "uri:", "dns:" or "email:" and the first such SAN; empty: none, too long, not plain ASCII */
	char peer_san[512];
	/* UTF-8, the most specific one; empty: none, too long, with control characters */
	char peer_common_name[256];
	/* Of the certificate that a server showed; empty: not known. */
	const char *own_signature; /* "ecdsa-with-SHA256"; static */
	char own_key[16];	   /* "EC256", "RSA2048", "ED25519" */
};

/* After KT_TLS_DONE, before anything else is done with the connection. */
void kt_tls_describe_names(const struct kt_tls *tls, struct kt_tls_names *ret_names);

/*
 * Keys and sequence numbers for the next record each way. Only after KT_TLS_DONE, with all output
 * sent and nothing read or written as application data (-EBUSY); -EOPNOTSUPP: the cipher is not in
 * enum kt_cipher, or the peer negotiated a max_fragment_length (RFC 6066 §4), which the kernel's
 * records do not keep to and userspace records do. After success the connection may only be freed;
 * after an error it is as it was. The caller wipes ret_traffic.
 *
 * A client's rx begins where a TLS 1.3 server may send NewSessionTickets (RFC 8446 §4.6.1):
 * handshake records, which whoever reads on has to take and may drop.
 */
KT_WARN_UNUSED int kt_tls_export(struct kt_tls *tls, struct kt_traffic *ret_traffic);

/*
 * What the keys after those are made of (kt_traffic_update), for whoever wants to follow KeyUpdates
 * (<ktrust/rekey.h>): to be asked before kt_tls_export, which wipes it here. -EOPNOTSUPP as there,
 * or it is TLS 1.2, whose keys last as long as the connection; -EBUSY as there. The caller wipes
 * ret_secrets.
 */
KT_WARN_UNUSED int kt_tls_secrets(const struct kt_tls *tls, struct kt_traffic_secrets *ret_secrets);

/*
 * Which cipher would be exported; for asking kt_ktls_supports before the point of no return.
 * -EOPNOTSUPP as kt_tls_export, or nothing is agreed on yet.
 */
KT_WARN_UNUSED int kt_tls_cipher(const struct kt_tls *tls, uint16_t *ret_version,
				 enum kt_cipher *ret_cipher);

/* ---- Userspace records ----------------------------------------------------------------------- */

/*
 * A turn of the loop: send the output; kt_tls_read; if that is -EAGAIN, read at most kt_tls_want()
 * bytes from the socket and feed them. In this order, for decrypted bytes may wait when the socket
 * has none, and no poll or epoll tells of them.
 */

/*
 * Decrypted bytes: > 0 their number, 0 the peer's close_notify, -EAGAIN feed more first, -EPROTO a
 * record that does not authenticate, a fatal alert or another breach (kt_tls_failure names it).
 * There may be output to send after any call (alerts, KeyUpdate answers).
 * -EINVAL: size is 0.
 */
KT_WARN_UNUSED ssize_t kt_tls_read(struct kt_tls *tls, void *buf, size_t size);

/*
 * Encrypt all of it into the output. -EPROTO after a failure, -EPIPE after kt_tls_close_notify,
 * -ENOMEM.
 */
KT_WARN_UNUSED int kt_tls_write(struct kt_tls *tls, const void *data, size_t len);

/* Put a close_notify into the output (once); nothing can be written after it. Reading goes on. */
KT_WARN_UNUSED int kt_tls_close_notify(struct kt_tls *tls);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
