/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of an offloaded connection: how much each has protected, and its successors.
 *
 *   a KeyUpdate came     the kernel gets the next key for receiving before anything more is read
 *   it asks for ours,    as soon as no send is pending, a KeyUpdate goes out, and behind it the
 *   or a key is due      kernel gets the next key for sending. What the backend says meanwhile is
 *                        held (kt_conn_keys_hold), for a send may be pending only once
 *
 * Kernels that cannot replace keys, and TLS 1.2: a KeyUpdate ends the connection ("key_update"),
 * and so does a spent key ("key_limit").
 *
 * Threads and lifetime: the connection's. struct kt_conn_rekey holds secrets; it is the heap's, and
 * wiped when it is dropped.
 */
#ifndef KTRUST_ENGINE_KEYS_H
#define KTRUST_ENGINE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/error.h>
#include <ktrust/rekey.h>

struct kt_conn;

/*
 * A client may send so many KeyUpdates at once; each second, and each full record's worth of data
 * that its backend took, gives it one more.
 */
#define KT_KEY_UPDATES_MAX     64
#define KT_KEY_UPDATE_EARN_NS  UINT64_C(1000000000)
#define KT_KEY_UPDATE_EARN_LEN KT_RECORD_DATA_MAX

struct kt_conn_rekey {
	struct kt_rekey keys;
	uint64_t earned_ns; /* CLOCK_MONOTONIC: up to then time was counted … */
	uint64_t earned_in; /* … and data, as bytes_in */
	uint16_t updates;   /* received and not earned */
	bool asked;	    /* for the client's next key; it has not come yet */
	bool sending;	    /* a KeyUpdate of ours is the pending send */
	bool holding;	    /* the backend's last words wait for that: */
	int held;	    /* what its read gave */
};

/*
 * Before the keys are exported: keep what replaces them, where they can be replaced, and are ours
 * to replace: nothing of what is handed over. -ENOMEM. What was kept is dropped with the
 * connection, or before.
 */
KT_WARN_UNUSED int kt_conn_keys_keep(struct kt_conn *conn, uint16_t version, enum kt_cipher cipher);
void kt_conn_keys_drop(struct kt_conn *conn); /* fine if nothing was kept */

/* In RELAY: a handshake record of so many bytes was read. Reads on, or ends the connection. */
void kt_conn_keys_record(struct kt_conn *conn, size_t len);

/* So many bytes of data were read, or sent. False: the key is spent, and the connection ended. */
KT_WARN_UNUSED bool kt_conn_keys_received(struct kt_conn *conn, size_t len);
KT_WARN_UNUSED bool kt_conn_keys_used(struct kt_conn *conn, size_t len);

/* No send is pending: begin one if a KeyUpdate is due. True: it is on its way, or all is over. */
bool kt_conn_keys_send(struct kt_conn *conn);

/* Is a KeyUpdate the pending send? */
bool kt_conn_keys_sending(const struct kt_conn *conn);

/* It has ended; install the next key. -errno: the connection is broken. */
KT_WARN_UNUSED int kt_conn_keys_sent(struct kt_conn *conn, int res);

/* While it is pending, keep what a read of the backend gave. False: it is not. */
bool kt_conn_keys_hold(struct kt_conn *conn, int res);

/* True: there was something kept; it is handed back, once. */
bool kt_conn_keys_unhold(struct kt_conn *conn, int *ret_res);

#endif
