/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TLS handshake without IO: bytes in, bytes out, done / again / failed.
 *
 *   struct kt_credentials  a certificate chain and its key; immutable, counted references
 *   struct kt_tls_context  what a listener offers; immutable once made, used by one thread
 *   struct kt_tls          one connection
 *
 * Way of a server connection:
 *
 *   kt_tls_new ─► loop: read at most kt_tls_want() bytes ─► kt_tls_input ─► send kt_tls_output
 *        until kt_tls_input says KT_TLS_DONE or KT_TLS_FAILED; send the output in both cases
 *        (an alert is output too), and only then
 *     a) kt_tls_export ─► keys to the kernel ─► kt_tls_free          (offload), or
 *     b) kt_tls_input / kt_tls_read, kt_tls_write / kt_tls_output    (userspace records)
 *
 * kt_tls_want() keeps invariant 7 of the design: once the peer may send application data, it never
 * asks for more than the rest of the record being read, so that at KT_TLS_DONE not one byte of
 * what follows has been read. Feeding more than it said is refused (-EMSGSIZE).
 *
 * The peer's chain is verified in kt_tls_input, against the snapshot that is current then, inside
 * one read section of the pool; the verdict keeps that snapshot's version.
 *
 * Threads: credentials may be shared; a context and its connections belong to one thread.
 * Nothing here touches a socket or a log. Time comes from kt_tls_context_options.now.
 * What this does not do (yet): session tickets and resumption (off), 0-RTT (never), renegotiation
 * (refused), several credentials by name, the client side.
 */
#ifndef KTRUST_TLS_H
#define KTRUST_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ktrust/error.h>
#include <ktrust/pool.h>
#include <ktrust/traffic.h>
#include <ktrust/verify.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- Credentials ----------------------------------------------------------------------------- */

struct kt_credentials;

/*
 * Read a PEM chain (leaf first) and its unencrypted PEM key. Blocks on file IO. Errors: errno of
 * the files; -EBADMSG malformed; -EKEYREJECTED the key does not belong to the leaf, is encrypted,
 * or is of a kind TLS cannot use. The caller holds one reference.
 */
KT_WARN_UNUSED int kt_credentials_load(const char *chain_path, const char *key_path,
				       struct kt_credentials **ret_credentials,
				       struct kt_error *error);
struct kt_credentials *kt_credentials_get(struct kt_credentials *credentials);
void kt_credentials_put(struct kt_credentials *credentials); /* NULL is fine */

/* ---- Context --------------------------------------------------------------------------------- */

enum kt_client_auth {
	KT_CLIENT_AUTH_NONE,	 /* no CertificateRequest */
	KT_CLIENT_AUTH_OPTIONAL, /* none is fine; one that is sent must verify */
	KT_CLIENT_AUTH_REQUIRE,
};

struct kt_tls_context;

struct kt_tls_context_options {
	struct kt_credentials *credentials; /* a reference is taken */
	enum kt_client_auth client_auth;
	struct kt_pool *pool; /* borrowed for the context's life; NULL only with AUTH_NONE */
	uint16_t min_version; /* KT_TLS_1_2 or KT_TLS_1_3; 0: KT_TLS_1_2 */
	uint16_t max_version; /* 0: KT_TLS_1_3 */
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

/* A server connection; -ENOMEM. Freed by kt_tls_free, which wipes all secrets and accepts NULL. */
KT_WARN_UNUSED int kt_tls_new(struct kt_tls_context *context, struct kt_tls **ret_tls);
void kt_tls_free(struct kt_tls *tls);

enum kt_tls_status {
	KT_TLS_AGAIN = 0, /* send the output, read kt_tls_want() bytes more */
	KT_TLS_DONE = 1,  /* handshake complete; send the output */
	KT_TLS_FAILED = 2 /* kt_tls_failure says why; send the output (an alert), then close */
};

/*
 * At most so many bytes may be read and fed next. Never 0 during the handshake; after KT_TLS_DONE 0
 * means that so much waits undecrypted that kt_tls_read has to take some first.
 */
size_t kt_tls_want(const struct kt_tls *tls);

/*
 * Feed bytes from the peer. During the handshake returns an enum kt_tls_status; after KT_TLS_DONE
 * it only takes the bytes, for kt_tls_read, and returns KT_TLS_DONE. -EMSGSIZE: more than
 * kt_tls_want(); -ENOMEM.
 */
KT_WARN_UNUSED int kt_tls_input(struct kt_tls *tls, const void *data, size_t len);

/*
 * The peer ended its stream during the handshake: names the failure (peer_closed) and returns
 * KT_TLS_FAILED.
 */
int kt_tls_input_eof(struct kt_tls *tls);

/*
 * Bytes to send: returns their number and sets *ret_data, valid until the next call with this
 * connection. kt_tls_output_done says how many were sent.
 */
size_t kt_tls_output(struct kt_tls *tls, const uint8_t **ret_data);
void kt_tls_output_done(struct kt_tls *tls, size_t len);

/*
 * Why the handshake failed: a stable lower-case name: a verdict's ("unknown_issuer"), or one of
 * "peer_closed", "peer_alert", "plain_http", "not_tls", "protocol_error", "no_shared_version",
 * "no_shared_cipher", "too_much_data", "internal". Static storage. NULL unless failed.
 */
const char *kt_tls_failure(const struct kt_tls *tls);

/* The alert the peer sent, when kt_tls_failure is "peer_alert"; else -1. */
int kt_tls_peer_alert(const struct kt_tls *tls);

struct kt_tls_info {
	uint16_t version;	 /* 0: not agreed on yet */
	uint16_t cipher_suite;	 /* IANA value; 0: not agreed on yet */
	const char *cipher_name; /* standard name ("TLS_AES_128_GCM_SHA256"); static; never NULL */
	char sni[256];		 /* empty: none */
	bool verified;		 /* a chain was judged: verdict is meaningful */
	struct kt_verdict verdict;
	char peer[128]; /* first URI, DNS or email SAN, else common name; printable; empty: none */
};

void kt_tls_describe(const struct kt_tls *tls, struct kt_tls_info *ret_info);

/*
 * Keys and sequence numbers for the next record each way. Only after KT_TLS_DONE, with all output
 * sent and nothing read or written as application data (-EBUSY); -EOPNOTSUPP: the cipher is not in
 * enum kt_cipher, or the peer negotiated a max_fragment_length (RFC 6066 §4), which the kernel's
 * records do not keep to and userspace records do. After success the connection may only be freed;
 * after an error it is as it was. The caller wipes ret_traffic.
 */
KT_WARN_UNUSED int kt_tls_export(struct kt_tls *tls, struct kt_traffic *ret_traffic);

/*
 * Which cipher would be exported; for asking kt_ktls_supports before the point of no return.
 * -EOPNOTSUPP as kt_tls_export, or nothing is agreed on yet.
 */
KT_WARN_UNUSED int kt_tls_cipher(const struct kt_tls *tls, uint16_t *ret_version,
				 enum kt_cipher *ret_cipher);

/* ---- Userspace records ----------------------------------------------------------------------- */

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
