/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection: a client's socket, later a backend's, and what stands between them.
 *
 * An origin's is the same turned round: what is called the client is the side that speaks TLS,
 * which then is the server that we connect to, and what is called the backend is the plain side,
 * the socket that was accepted. Which of them it is matters until the relay begins and nowhere
 * after it, but for names.
 *
 *   accept ──► PROXY             from those alone who may send a PROXY header;
 *      │         │               failed: as in HANDSHAKE
 *      ▼         ▼
 *      └─────► HANDSHAKE ──────► CONNECT ──────► RELAY ─┐
 *   (origin: accept ──► REACH ──► HANDSHAKE ──► RELAY)  │
 *                  │                │              │    │ both sides said they are done, or
 *     failed ──────┤   unreachable ─┤   one broke ─┤    │ one broke
 *                  ▼                ▼              ▼    │
 *                CLOSING ◄──────────────────────────────┘   last words are sent, backend closed
 *                  │
 *                  ▼
 *               LINGERING    our FIN is out; what the client still sends is read and dropped
 *                  │         until its FIN, so that no RST destroys our last words (bounded)
 *                  ▼
 *                DYING       nothing is started any more; pending operations are cancelled
 *                  │
 *                  ▼
 *                freed       in kt_conn_settle, when no operation is pending
 *
 * Where the listener hands connections over, HANDOFF stands for CONNECT and RELAY: from there to
 * DYING once the message is with the receiver, to CLOSING when it cannot be.
 *
 * Any state may go to DYING at once: deadline, drain, a broken client.
 *
 * Each kind of operation is pending at most once a connection; `busy` has a bit for each. Memory
 * and descriptors that an operation uses stay until its completion has been seen: this is what
 * `busy` is for, and the only thing that delays freeing.
 *
 * Threads and memory: a connection belongs to its worker, and its memory is of the worker's slab.
 * What kt_engine_each_conn shows is immutable while the connection is in the worker's `live` list,
 * but for the two byte counts and `suspect`, which are atomic.
 */
#ifndef KTRUST_ENGINE_CONN_H
#define KTRUST_ENGINE_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "engine.h"
#include "keys.h"
#include "list.h"
#include "proxy_v2.h"
#include "tickets.h"
#include "upstream_proxy.h"

struct kt_worker;
struct kt_door;
struct kt_handing;

/* What a completion belongs to: the low bits of user_data, beside the pointer. */
enum kt_op {
	KT_OP_CLIENT_RECV,
	KT_OP_CLIENT_SEND,
	KT_OP_CLIENT_CANCEL,
	KT_OP_CLIENT_CONNECT, /* of an origin */
	KT_OP_BACKEND_CONNECT,
	KT_OP_BACKEND_RECV,
	KT_OP_BACKEND_SEND,
	KT_OP_BACKEND_CANCEL,
	KT_OP_HANDOFF,
	KT_OP_HANDOFF_CANCEL,
	KT_OP_CLIENT_POLL, /* of an offloaded socket, from its first read on */
	KT_OP_ACCEPT,	   /* from here on the pointer is no connection's */
	KT_OP_ACCEPT_CANCEL,
	KT_OP_WAKE,
};

#define KT_OP_MASK 15u /* pointers are aligned to 16 bytes by malloc */

#define KT_OPS_CLIENT                                                                              \
	(1u << KT_OP_CLIENT_RECV | 1u << KT_OP_CLIENT_SEND | 1u << KT_OP_CLIENT_CANCEL |           \
	 1u << KT_OP_CLIENT_CONNECT | 1u << KT_OP_CLIENT_POLL)
#define KT_OPS_BACKEND                                                                             \
	(1u << KT_OP_BACKEND_CONNECT | 1u << KT_OP_BACKEND_RECV | 1u << KT_OP_BACKEND_SEND |       \
	 1u << KT_OP_BACKEND_CANCEL)
#define KT_OPS_MOVING                                                                              \
	(1u << KT_OP_CLIENT_RECV | 1u << KT_OP_CLIENT_SEND | 1u << KT_OP_BACKEND_RECV |            \
	 1u << KT_OP_BACKEND_SEND)

enum kt_conn_state {
	KT_CONN_PROXY,
	KT_CONN_REACH, /* of an origin: to a target, which may be behind a proxy */
	KT_CONN_HANDSHAKE,
	KT_CONN_CONNECT,
	KT_CONN_HANDOFF,
	KT_CONN_RELAY,
	KT_CONN_CLOSING,
	KT_CONN_LINGERING,
	KT_CONN_DYING,
};

/* One direction of the relay. */
enum kt_flow_state {
	KT_FLOW_OPEN,
	KT_FLOW_ENDING, /* source is done; its end is being passed on */
	KT_FLOW_DONE,	/* the end was passed on */
	KT_FLOW_BROKEN, /* its sink takes nothing any more */
};

struct kt_flow {
	uint8_t *buf;	/* a block (blocks.h), from a read until the next; NULL: none */
	uint32_t len;	/* bytes in buf */
	uint32_t off;	/* of these, bytes taken by the sink */
	uint16_t block; /* its number */
	uint8_t state;	/* enum kt_flow_state */
};

#define KT_OUT_LEN (16384 + 256) /* bytes: one whole record in one send */

/*
 * Who a connection turned out to be; filled when the handshake is accepted. Of its verdict what
 * there is to tell of an accepted one.
 */
struct kt_conn_identity {
	const char *cipher_name;
	const struct kt_pool *pool; /* that the verdict is of; NULL: no certificate was asked for */
	uint64_t pool_version;
	uint64_t duration_ns; /* of the decision */
	uint8_t pool_digest[KT_DIGEST_LEN];
	uint8_t anchor[KT_DIGEST_LEN];
	uint16_t version;
	int8_t depth;
	bool verified;
	char anchor_name[sizeof((struct kt_verdict *)0)->anchor_name];
	char peer[sizeof((struct kt_tls_info *)0)->peer];
};

#define KT_CONTROL_MAX 8 /* bytes of a control record of ours: an alert, a KeyUpdate */

/* A control record that goes out of an offloaded socket. */
struct kt_control_message {
	struct msghdr msg;
	struct iovec iov;
	_Alignas(struct cmsghdr) uint8_t control[KT_KTLS_CONTROL_LEN];
	uint8_t content[KT_CONTROL_MAX];
};

enum kt_timer {
	KT_TIMER_HANDSHAKE,
	KT_TIMER_IDLE,
	KT_TIMER_LINGER,
	KT_TIMER_CONNECT, /* and the next: a backend's share, by how many the listener has */
	KT_TIMER_COUNT = KT_TIMER_CONNECT + KT_BACKENDS_MAX
};

static inline enum kt_timer kt_timer_connect(unsigned int backends)
{
	return (enum kt_timer)(KT_TIMER_CONNECT + backends - 1);
}

struct kt_conn {
	struct kt_worker *worker;
	struct kt_door *door;
	struct kt_list link;	  /* in worker->conns */
	struct kt_list live_link; /* in worker->live: accepted, under worker->lock */
	struct kt_list timer_link;
	struct kt_list wait_link; /* in worker->starved, or in a backend's queue (backend.h) */
	uint64_t deadline_ns;	  /* CLOCK_MONOTONIC */
	uint64_t id;
	uint64_t cookie;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	/* The client's, as a PROXY header said it, if one did. */
	union kt_peer_address peer;
	int fd;		       /* the client; -1: an origin has no target yet */
	int backend_fd;	       /* -1: none */
	uint16_t busy;	       /* 1 << enum kt_op: pending operations */
	uint16_t starved;      /* of these, reads that wait for a block */
	uint8_t state;	       /* enum kt_conn_state */
	uint8_t ktls;	       /* KT_KTLS_TX | KT_KTLS_RX */
	bool accepted;	       /* the handshake was, so an end is owed (conn_end) */
	bool client_eof;       /* its FIN was read */
	bool backend_unwanted; /* backend_fd is closed as soon as its operations are gone */
	bool backend_reset;    /* … by a reset: it must not take what it got for the whole */
	bool up_stalled;       /* the client is not read until it takes what it was answered */
	bool attached;	       /* the client's socket has "tls" attached, with keys or without */
	bool late;	       /* REACH: fd is closed as soon as its operations are gone */
	bool in_flight;	       /* it has one of the worker's places for handshakes … */
	bool in_flight_here;   /* … and one of its address's: peer stays as it is until then */
	_Atomic bool suspect;  /* the watchdog has made it deaf: the worker judges it */
	uint8_t alert_due;     /* CLOSING: description of the fatal alert to send; 0: none */
	uint8_t warnings;      /* warning alerts since the last data */
	uint8_t empty_reads;   /* reads that took empty records, and had nothing else */
	bool told;	       /* poll told of something since a read of a record was begun … */
	bool dozes;	       /* … which found none, and is pending here alone until it does */
	int tls_status;	       /* what the last input of the handshake gave */
	const char *reason;    /* static storage: how it ended, once decided */
	struct kt_tls *tls;    /* NULL in PROXY and REACH, and once the records are the kernel's */
	struct kt_flow up;     /* client to backend; its buf also takes bytes of the handshake */
	struct kt_flow down;   /* backend to client */
	uint8_t *out;	       /* records on their way to the client; NULL: none */
	uint32_t out_len;
	uint32_t out_off;
	uint32_t recv_max;	/* bytes that the pending read of TLS records may bring */
	uint32_t dropped;	/* bytes read only to be thrown away */
	uint32_t ktls_send_max; /* bytes of one send that surely fit a writable socket */
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t bytes_out;
	/* When the watchdog was wrong: bytes that had come, and their content; 0: it never was. */
	uint64_t explained_bytes;
	uint64_t explained_content;
	/* On its way to another process; NULL: it stays here. */
	struct kt_handing *handing;
	uint8_t *proxy;	    /* a PROXY header: the client's being read, or the backend's; NULL */
	uint16_t proxy_len; /* bytes of it, or so far */
	uint16_t proxy_off; /* of these, bytes that the backend has */
	uint8_t backend;    /* index of the one that backend_fd is of */
	uint8_t backends_tried;		  /* bits: 1 << index */
	uint8_t cipher;			  /* enum kt_cipher of an offloaded socket */
	struct kt_conn_identity identity; /* meaningful once accepted */
	struct kt_upstream *upstream;	  /* REACH: what is said to the proxy; NULL */
	union {
		/* What the client connected to; AF_UNSPEC where nobody asks (identify_socket). */
		union kt_peer_address local;
		/* An origin, which has no use for that: of its server, on an offloaded socket. */
		struct kt_tickets tickets;
	};
	struct kt_control_message *control; /* on its way, or sent; NULL: none was ever */
	struct kt_conn_rekey *rekey;	    /* NULL: its keys cannot be replaced */
	uint64_t key_used[2];		    /* of an offloaded socket, see kt_key_cost; [TX, RX] */
	struct msghdr recv_msg;
	struct iovec recv_iov;
	_Alignas(struct cmsghdr) uint8_t recv_control[KT_KTLS_CONTROL_LEN];
};

/* ---- conn.c: life ---------------------------------------------------------------------------- */

/* Take over an accepted socket and begin. Without memory the socket is closed and counted. */
void kt_conn_new(struct kt_worker *worker, struct kt_door *door, int fd);

/*
 * An operation has ended, as its completion says (io_uring(7)). The connection may be gone
 * afterwards.
 */
void kt_conn_complete(struct kt_conn *conn, enum kt_op op, int res, uint32_t flags);

/* Its deadline has passed; the timer is disarmed already. May free the connection. */
void kt_conn_expire(struct kt_conn *conn);

/*
 * Take a place among its address's handshakes in flight (budget.h): NULL, or the outcome that
 * refuses it. Of an origin's, and of who has no address any more, all are taken.
 */
const char *kt_conn_enter_address(struct kt_conn *conn);

/* Accepted, or gone: give its places back. */
void kt_conn_leave(struct kt_conn *conn);

/* End it now, without ceremony, under this name; returns whether it was still in use. */
bool kt_conn_cut(struct kt_conn *conn, const char *reason);

/* Into DYING: cancel what is pending. Idempotent. Freed by kt_conn_settle. */
void kt_conn_die(struct kt_conn *conn);

/* Close what can be closed, free the connection if nothing is left. Ends every event. */
void kt_conn_settle(struct kt_conn *conn);

/* ---- conn_io.c: operations ------------------------------------------------------------------- */

/* user_data of an operation. */
static inline uint64_t kt_op_data(const void *object, enum kt_op op)
{
	return (uint64_t)(uintptr_t)object | op;
}

static inline bool kt_conn_busy(const struct kt_conn *conn, unsigned int ops)
{
	return conn->busy & ops;
}

/*
 * Reads, into a block that becomes the flow's buf; what it had before is given back first, so all
 * of that must have been delivered.
 *
 * Bytes from the client's socket as they are (TLS records while the kernel holds no key), at most
 * so many; those at hand are enough.
 */
void kt_client_recv(struct kt_conn *conn, size_t max);

/* One stretch of decrypted bytes, or one control record, out of an offloaded socket: recv_msg. */
void kt_client_recv_record(struct kt_conn *conn);

/* It gave nothing: it took empty records, or had none that is whole. */
bool kt_client_gave_nothing(const struct kt_conn *conn, int res);
bool kt_client_took_empty(const struct kt_conn *conn);
/* … and so it is begun anew: at once, or when poll tells of something. */
void kt_client_recv_again(struct kt_conn *conn);
/* KT_OP_CLIENT_POLL has told of something; more: it may again. */
void kt_client_told(struct kt_conn *conn, bool more);

/* FIN, and no empty record. */
bool kt_client_is_eof(const struct kt_conn *conn, int res);

void kt_backend_recv(struct kt_conn *conn);

/* There may be blocks again: begin the reads that wait for them. */
void kt_conn_feed(struct kt_conn *conn);

/* Give a flow's block back, if it has one. */
void kt_flow_drop(struct kt_worker *worker, struct kt_flow *flow);

/* Bytes to the client's socket: records, or on an offloaded socket their content. */
void kt_client_send(struct kt_conn *conn, const void *buf, size_t len);

/* What the kernel says of a record it cannot take, and nothing else does. */
bool kt_client_is_bad_record(const struct kt_conn *conn, int err);

/* A control record on an offloaded socket: at most KT_CONTROL_MAX bytes, or an alert. */
void kt_client_send_control(struct kt_conn *conn, uint8_t type, const void *content, size_t len);
void kt_client_send_alert(struct kt_conn *conn, uint8_t level, uint8_t description);

/*
 * Begin to send what the TLS engine has to say. True: something is on its way, and
 * KT_OP_CLIENT_SEND will tell; false: nothing is left.
 */
bool kt_client_flush(struct kt_conn *conn);

/* KT_OP_CLIENT_SEND of kt_client_flush has ended. True: it goes on sending. -errno: broken. */
KT_WARN_UNUSED int kt_client_flushed(struct kt_conn *conn, int res);

void kt_backend_send(struct kt_conn *conn); /* the rest of up.buf */

/* Cancel everything that is pending on the client's or the backend's socket. */
void kt_client_cancel(struct kt_conn *conn);
void kt_backend_cancel(struct kt_conn *conn);

/* Close the backend's socket once its operations are gone; reset: by RST. */
void kt_backend_drop(struct kt_conn *conn, bool reset);
/* The other side must not take what it got, be it nothing, for the whole. */
void kt_reset_when_closed(int fd);
void kt_close_by_reset(int fd);

/* ---- proxy.c --------------------------------------------------------------------------------- */

/* Does the listener take a PROXY header from where this connection comes from? */
bool kt_proxy_is_due(const struct kt_conn *conn);

/* In PROXY: read the header. When it was good, the handshake is started. */
void kt_proxy_start(struct kt_conn *conn);
void kt_proxy_received(struct kt_conn *conn, int res);

/*
 * Make the header that the listener's backends get, if they get one, while the TLS engine knows
 * whom it is about. -ENOMEM.
 */
KT_WARN_UNUSED int kt_proxy_compose(struct kt_conn *conn, const struct kt_tls_info *info);

void kt_proxy_drop(struct kt_conn *conn);

/* ---- target.c -------------------------------------------------------------------------------- */

bool kt_conn_is_origin(const struct kt_conn *conn);

/* A name for what the plain side did. Both are static storage. */
const char *kt_plain_side(const struct kt_conn *conn, const char *of_backend,
			  const char *of_client);

/* Of an origin: reach one of the targets, then shake hands. */
void kt_target_reach(struct kt_conn *conn);

/* In REACH: an operation has ended. */
void kt_target_complete(struct kt_conn *conn, enum kt_op op, int res);

/* In REACH: the target had its share of the time. */
void kt_target_expire(struct kt_conn *conn);

/* Whom to speak with; borrowed from the listener. */
void kt_target_describe(const struct kt_conn *conn, struct kt_tls_options *options);

void kt_target_drop_upstream(struct kt_conn *conn);

/* ---- handshake.c ----------------------------------------------------------------------------- */

/* Its addresses are known. */
void kt_handshake_start(struct kt_conn *conn);
void kt_handshake_received(struct kt_conn *conn, int res);
void kt_handshake_sent(struct kt_conn *conn, int res);

/* It ends here, unaccepted, under this name (static storage): counted, and told by the probe. */
void kt_handshake_fail(struct kt_conn *conn, const char *outcome);

/* The same of one that is not even heard: it is reset, and costs nothing any more. */
void kt_handshake_refuse(struct kt_conn *conn, const char *outcome);

/* The same for an error of the client's socket (-errno), which is of no use any more. */
void kt_handshake_break(struct kt_conn *conn, int err);

/* ---- backend.c ------------------------------------------------------------------------------- */

void kt_backend_connect(struct kt_conn *conn);

/*
 * A socket for the next one of the listener's backends, or targets, that is left, which is the
 * connection's then. -1: none is; *reason (static storage) says why, if it did not before.
 */
int kt_backend_next(struct kt_conn *conn, const char **reason);

/* The connection's backend, or target, rests: it was not to be reached. */
void kt_backend_rest(struct kt_conn *conn);

/* In CONNECT: an operation has ended. */
void kt_backend_complete(struct kt_conn *conn, enum kt_op op, int res);

/* In CONNECT: the backend had its share of the time. */
void kt_backend_expire(struct kt_conn *conn);

/* ---- handoff.c ------------------------------------------------------------------------------- */

/*
 * Make the message that the listener's receiver gets, if it has one, while the TLS engine knows
 * whom it is about. -ENOMEM.
 */
KT_WARN_UNUSED int kt_handoff_compose(struct kt_conn *conn, const struct kt_tls_info *info);

/* Its records are the kernel's: send it, or wait for a receiver, or end. */
void kt_handoff_start(struct kt_conn *conn);

/* In any state: KT_OP_HANDOFF has ended. */
void kt_handoff_complete(struct kt_conn *conn, int res);

/* In HANDOFF: it had its time. */
void kt_handoff_expire(struct kt_conn *conn);

/* Into DYING: do not wait, nor send. */
void kt_handoff_cancel(struct kt_conn *conn);
void kt_handoff_drop(struct kt_conn *conn);

/* ---- relay.c --------------------------------------------------------------------------------- */

void kt_relay_start(struct kt_conn *conn);
void kt_relay_complete(struct kt_conn *conn, enum kt_op op, int res);

/* ---- alerts.c -------------------------------------------------------------------------------- */

/* Name of an end by a fatal alert of the client (-1: none that is known); static storage. */
const char *kt_alert_end(int description);

#define KT_ALERT_UNEXPECTED_MESSAGE 10
#define KT_ALERT_BAD_RECORD_MAC	    20
#define KT_ALERT_INTERNAL_ERROR	    80

/* ---- close.c --------------------------------------------------------------------------------- */

/*
 * Ways to end, each with its name for the event (static storage):
 *   clean   both directions are done, close_notify has been sent
 *   abrupt  the client must not take it for a clean end: no close_notify, and on an offloaded
 *           socket a fatal alert (RFC 8446 §6.2; OpenSSL lets nobody send one of his own)
 *   gone    nothing reaches the client any more
 * The backend is reset in all cases but the first.
 */
void kt_close_clean(struct kt_conn *conn, const char *reason);
void kt_close_abrupt(struct kt_conn *conn, const char *reason, uint8_t alert);
void kt_close_gone(struct kt_conn *conn, const char *reason);

/* In CLOSING and LINGERING. */
void kt_close_complete(struct kt_conn *conn, enum kt_op op, int res);

#endif
