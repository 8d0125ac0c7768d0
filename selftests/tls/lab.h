/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the tls room share: a small PKI with a pool, a client that is plain OpenSSL,
 * and a link between the client and the engine under test.
 *
 * The link stands for a socket: what the client sent lies in `up`, of which the server reads at
 * most kt_tls_want() bytes at a time and nothing beyond `split` until all before it is read. Each
 * read is checked against the record boundaries that the lab finds by itself.
 *
 * Set-up that fails ends the test (ASSERT). Threads: one a lab, if not said otherwise.
 */
#ifndef KTRUST_SELFTESTS_TLS_LAB_H
#define KTRUST_SELFTESTS_TLS_LAB_H

#include <openssl/ssl.h>

#include <ktrust/tls.h>

#include "../harness.h"
#include "../lib/pki.h"

/* ---- PKI, pool, server ---------------------------------------------------------------------- */

struct lab {
	struct pki *pki;
	const struct pki_cert *ca;	 /* the anchor of pool version 1 */
	const struct pki_cert *other_ca; /* not an anchor */
	const struct pki_cert *client;	 /* ca ─► client, SAN DNS client.test */
	const struct pki_cert *stranger; /* other_ca ─► stranger */
	const struct pki_cert *expired;	 /* ca ─► expired */
	const struct pki_cert *server;	 /* intermediate ─► server */
	const struct pki_cert *intermediate;
	struct kt_pool *pool;
	struct kt_credentials *credentials;
	struct kt_tls_context *context;
	char dir[64]; /* of the credentials' files */
};

struct lab_options {
	enum kt_client_auth client_auth;
	enum pki_key server_key;
	uint16_t min_version, max_version;
	int64_t (*now)(void *arg);
	void *now_arg;
	bool no_snapshot; /* leave the pool empty */
	uint64_t key_records_max;
	struct kt_tls_certificates *certificates; /* that stay decoded; NULL: none */
};

/* Through files, which are gone again: its chain without the root, its key. */
struct kt_credentials *credentials_of(const struct pki_cert *cert);

void lab_init(struct lab *lab, const struct lab_options *options);
void lab_fini(struct lab *lab);

/* Publish a set of one anchor; returns the version. */
uint64_t lab_commit(struct lab *lab, const struct pki_cert *anchor);

/* The same with several, into any pool. */
uint64_t pool_commit(struct kt_pool *pool, const struct pki_cert *const *anchors, size_t count);

/* A fresh context in place of the lab's. */
void lab_make_context(struct lab *lab, const struct lab_options *options);

/* ---- Client --------------------------------------------------------------------------------- */

struct client_options {
	uint16_t version;    /* only this one; 0: 1.2 and 1.3 */
	const char *ciphers; /* TLS 1.2 */
	const char *suites;  /* TLS 1.3 */
	const char *groups;
	const struct pki_cert *cert;
	bool weak;	    /* security level 0 */
	bool verify_server; /* without any anchor: refuses every server */
};

SSL_CTX *client_context(const struct client_options *options);

/* A plain OpenSSL server with the same options, for our own side to be the client of. */
SSL_CTX *server_context(const struct client_options *options);

struct client {
	SSL *ssl;
	BIO *in, *out;
	int alert; /* received; -1: none */
	/* from the key log */
	uint8_t client_secret[48], server_secret[48], master[48];
	uint8_t handshake_secret[48]; /* of TLS 1.3, the client's */
	size_t secret_len;
};

void client_init(struct client *client, SSL_CTX *context);
void client_fini(struct client *client);

/* ---- Link ----------------------------------------------------------------------------------- */

struct wire {
	uint8_t *data;
	size_t len;
	size_t read; /* taken by the server; for down: taken by the client */
};

void wire_append(struct wire *wire, const void *data, size_t len);

struct link {
	struct client *client;
	struct kt_tls *tls;
	struct wire up, down;
	size_t split;	/* 0: none */
	size_t longest; /* bytes in one read; 0: as many as are wanted */
	int status;	/* of the server */
	/* Called once, when the client has its last flight in `up`. */
	void (*behind)(struct link *link, void *arg);
	void *behind_arg;
	bool behind_called;
	size_t application_start; /* offset in up, set by `behind` */
};

void link_init(struct link *link, struct client *client, struct kt_tls_context *context);
void link_fini(struct link *link);

/*
 * The other way round: a plain OpenSSL server in the client's place, a started client of ours in
 * the server's. All else is as it is: "client" then means the peer, "server" the engine under test.
 */
void link_init_client(struct link *link, struct client *server, SSL_CTX *server_context,
		      struct kt_tls_context *context, const struct kt_tls_options *options);

/* One turn of each side; false when neither had anything to do. */
bool link_client_turn(struct link *link);
bool link_server_turn(struct link *link);

/* Let the server read one piece of what is there. False: nothing there. */
bool link_server_read(struct link *link);

/* Take the server's output to the client's side. */
void link_server_send(struct link *link);

/* Turns until the server is done or failed and all bytes have arrived, or nothing moves. */
int link_handshake(struct link *link);

/* Offset in wire of the end of the record that holds offset `at`. */
size_t record_end(const struct wire *wire, size_t at);

/* All of it, with checks on the client's side too; for tests about what comes after. */
void link_establish(struct link *link, struct client *client, struct kt_tls_context *context,
		    SSL_CTX *client_context);

/* A whole handshake of the lab's client, and the end of both; for tests about what stays. */
void lab_shake_hands(struct lab *lab);

#endif
