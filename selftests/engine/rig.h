/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the engine share: an engine in this process with a listener, a backend that the
 * test plays itself, and clients that are plain OpenSSL over a socket whose bytes the test sees.
 *
 * Set-up that fails ends the test (ASSERT). Waiting ends after WAIT_LIMIT_MS. Threads: one a rig,
 * but peers may be used by a thread each.
 */
#ifndef KTRUST_SELFTESTS_ENGINE_RIG_H
#define KTRUST_SELFTESTS_ENGINE_RIG_H

#include <openssl/ssl.h>

#include "../../src/engine/engine.h"
#include "../harness.h"
#include "../lib/ktls_support.h"
#include "../tls/keys.h"
#include "../tls/lab.h"

#define WAIT_LIMIT_MS 20000

struct rig_options {
	enum kt_ktls_mode ktls;
	enum kt_client_auth client_auth;
	unsigned int workers; /* 0: 1 */
	unsigned int handshake_timeout_ms, connect_timeout_ms, idle_timeout_ms, hold_timeout_ms;
	unsigned int connections_max, handshakes_max, handshakes_address_max;
	bool unix_backend;
	bool no_backend;	     /* nobody listens at its address */
	bool no_start;		     /* leave the engine unstarted */
	struct kt_address *address;  /* listen there instead of on any port */
	unsigned int backend_rcvbuf; /* bytes; 0: the kernel's */
	/* Instead of the rig's own; an address of length 0 stands for that. */
	struct kt_address *backends;
	size_t backend_count;
	/* As in struct kt_listener_options; the pools may be filled once the rig's PKI is there. */
	const struct kt_pool_for *pools;
	size_t pool_count;
	int (*choose_pool)(const struct kt_hello *hello, void *choose_arg,
			   struct kt_pool **ret_pool, struct kt_error *error);
	void *choose_arg;
	enum kt_ca_names ca_names;
	const struct kt_network *proxy_from;
	size_t proxy_from_count;
	enum kt_proxy_protocol proxy_protocol;
	/* Instead of backends: connections go to a receiver at a path in the rig's directory. */
	bool handoff;
	uid_t handoff_user;
	unsigned int handoff_queue;
	const uint8_t *alpn;
	size_t alpn_len;
	/* An origin: what are backends above are its targets, verified against the lab's pool. */
	bool origin;
	const char *target_name; /* NULL: "server.test" */
	enum kt_name_type target_name_type;
	const struct kt_upstream_options *upstream; /* no address: the rig's backend plays it */
	struct kt_credentials *own;
	struct kt_credentials_slot *own_slot;
	uint64_t key_records_max;
};

struct rig {
	struct lab lab;
	struct kt_engine *engine;
	struct kt_address address; /* of the engine */
	struct kt_address backend_address;
	char backend_path[108];
	char handoff_path[108]; /* nobody listens there until the test does */
	int backend;		/* listening */
	unsigned int fds;
};

/*
 * Before all else: a network of its own for this process, whose sockets have these limits
 * (net.ipv4.tcp_wmem; tcp(7)). False: it may have none.
 */
bool rig_own_network(const char *wmem);

void rig_init(struct rig *rig, const struct rig_options *options);

/* A second engine; its errno, or 0. */
int rig_make_engine(struct rig *rig, const struct rig_options *options, struct kt_engine **ret);

/* Drains at once, frees all, and expects all descriptors back. */
void rig_fini(struct rig *rig);

/* The backend's side of the next connection. */
int rig_accept(struct rig *rig);

/*
 * A listening socket whose queue is full drops what comes, as a host that is down does. The test
 * closes what is queued.
 */
#define QUEUED 4
void fill_queue(int listening, const struct kt_address *address, int queued[static QUEUED]);

/* Counters by name; waiting until they are as wanted (at least), with a limit. */
uint64_t rig_outcomes(struct rig *rig, const char *name);
uint64_t rig_ends(struct rig *rig, const char *name);
void rig_await_outcomes(struct rig *rig, const char *name, uint64_t count);
void rig_await_ends(struct rig *rig, const char *name, uint64_t count);
struct kt_engine_stats rig_stats(struct rig *rig);

/* For other conditions: WAIT_UNTIL(condition) in a test. */
bool wait_a_moment(unsigned int *turns);
#define WAIT_UNTIL(condition)                                                                      \
	for (unsigned int turns_ = 0; !(condition);)                                               \
	ASSERT_TRUE(wait_a_moment(&turns_))

/* ---- Clients --------------------------------------------------------------------------------- */

struct peer {
	struct client client;
	int fd;
};

/* What peer_read says besides numbers of bytes. */
enum {
	PEER_CLOSED = 0, /* close_notify */
	PEER_EOF = -1,	 /* FIN without it */
	PEER_RESET = -2,
	PEER_SILENT = -3,
	PEER_FAILED = -4, /* client.alert says which alert came */
};

int tcp_connect(const struct kt_address *address);
void peer_connect(struct peer *peer, const struct rig *rig, SSL_CTX *context);
/* 1: done; else what peer_read says. */
int peer_handshake(struct peer *peer);
/* The peer as a server on a connected socket, which becomes its own: peer_handshake shakes hands.
 */
void peer_serve(struct peer *peer, int fd, SSL_CTX *context);
/* Up to the client's last flight, which is left in client.out. */
void peer_hold_last_flight(struct peer *peer);
/* Everything that was said and not sent. */
void peer_flush(struct peer *peer);
void peer_write(struct peer *peer, const void *data, size_t len);
ssize_t peer_read(struct peer *peer, void *buf, size_t size);
/* Exactly len bytes. */
void peer_read_all(struct peer *peer, void *buf, size_t len);
void peer_close_notify(struct peer *peer);
/* Until the engine has read everything that the peer sent: asks the engine's end of the socket. */
void peer_await_read(const struct peer *peer);
void peer_fini(struct peer *peer);

/* ---- Sockets --------------------------------------------------------------------------------- */

/* A port of 127.0.0.1; nobody listens at it until the test does. */
int bind_port(struct kt_address *ret_address);
void send_all(int fd, const void *data, size_t len);
void recv_exactly(int fd, void *buf, size_t len);
/* The end of a stream: 0, or -errno. */
int recv_end(int fd);
void abort_fd(int fd);

/* Bytes of a pattern that differs by position and seed. */
void pattern(uint8_t *buf, size_t len, size_t at, uint8_t seed);

#endif
