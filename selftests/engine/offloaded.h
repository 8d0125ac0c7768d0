/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offloaded connections on every kernel: a stand-in (linked with --wrap) takes all keys, and then
 * the socket carries the records' contents as they are. What a client sends is a record of the type
 * that the test says; completions and installations fail as the test says.
 *
 * Set-up that fails ends the test (ASSERT). Threads: the test's, beside the engine's worker.
 */
#ifndef KTRUST_SELFTESTS_ENGINE_OFFLOADED_H
#define KTRUST_SELFTESTS_ENGINE_OFFLOADED_H

#include "../../src/engine/conn.h"
#include "rig.h"

#define INSTALLS_MAX 256

struct installed {
	enum kt_direction direction;
	struct kt_traffic_key key;
};

struct kernel {
	bool rekey;
	_Atomic int attach_err;
	_Atomic int attach_resets; /* the client's socket, which is reset then; 0: none */
	_Atomic bool offloads;	   /* it was asked for a cipher: now by a connection */
	/* The installation with this number (from 1) fails; 0: none. */
	_Atomic unsigned int install_fails;
	_Atomic int install_err;
	_Atomic int header_err; /* of the first piece of a PROXY header; 0: what it says */
	_Atomic int type;	/* of the next record that comes; 0: data */
	_Atomic bool empty;	/* what is read of it stands for nothing */
	_Atomic unsigned int empty_reads; /* so many find empty data records alone, … */
	_Atomic unsigned int part_reads;  /* … and so many a part of a record */
	_Atomic int op;			  /* whose next completion … */
	_Atomic int res;		  /* … says this; 0: what it says */
	_Atomic unsigned int used;	  /* how often that was so */
	/* A read of a target that is cancelled finds no block instead. */
	_Atomic bool starved;
	/* Our KeyUpdate is sent, but the engine learns of it after the next thing that it learns.
	 */
	_Atomic bool delay;
	_Atomic bool delayed;
	int delayed_res;
	_Atomic unsigned int installs;
	struct installed installed[INSTALLS_MAX];
	_Atomic unsigned int wiped;    /* secrets of whole connections */
	_Atomic unsigned int kept;     /* completions that found anything left of the handshake */
	_Atomic unsigned int searches; /* for what is to be cancelled, among all operations */
	_Atomic unsigned int held;     /* blocks, after the last completion */
};

/* + makes a plain value of a counter, which clang wants for EXPECT. */
extern struct kernel kernel;

/* ---- A connection to a backend --------------------------------------------------------------- */

struct setting {
	struct rig rig;
	SSL_CTX *context;
	struct peer peer;
	int backend;
};

/* Up to the client's first word. */
void open_rig(struct setting *setting, const struct rig_options *options, uint16_t version);

/* A byte has gone both ways: the engine is in the middle of its work. */
void exchange(struct setting *setting);

/* Shaken hands, and exchanged. */
void open_setting(struct setting *setting, const struct rig_options *options, uint16_t version);
void close_setting(struct setting *setting);

/* One record of this type; the engine has seen it. */
void client_says(struct setting *setting, uint8_t type, const void *content, size_t len);

/* The backend is reset, the client leaves: that is the end's name. */
void expect_end(struct setting *setting, const char *end);

/* The rest of what the client is sent, alerts as their two bytes. */
ssize_t rest(struct setting *setting, uint8_t *buf, size_t size);

/* That it is one fatal alert; 0: nothing. */
void expect_alert(struct setting *setting, uint8_t alert);

/* ---- A connection to an origin --------------------------------------------------------------- */

struct outgoing {
	struct rig rig;
	SSL_CTX *context;
	struct peer server;
	int client; /* plain */
};

void open_outgoing(struct outgoing *outgoing, const struct kt_upstream_options *upstream);
void close_outgoing(struct outgoing *outgoing);

#endif
