/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New keys for an offloaded connection: KeyUpdate (RFC 8446 §4.6.3), for TLS 1.3 on kernels that
 * can replace a key (struct kt_ktls_support.rekey; Linux 6.14).
 *
 * When the kernel has read a record that begins with a KeyUpdate, it reads nothing more until
 * TLS_RX is set again (-EKEYEXPIRED, and poll says nothing): so the next key must be installed
 * right after that record was received. Kernels that cannot rekey do not stop there; what comes
 * next is EBADMSG for good, and the connection has to be ended.
 *
 * Whoever reads gives the content of each handshake record to kt_rekey_handle, and everything is
 * done; or, where sending is a matter of its own, to kt_rekey_read, and goes on with the steps.
 *
 * Lifetime: a struct kt_rekey is plain data that holds secrets; its owner wipes it
 * (kt_rekey_wipe). Threads: as the socket. Several descriptors of one socket, also in several
 * processes, are one connection: only one may follow its keys.
 *
 * What it does not do: bound how many KeyUpdates come (each costs a key schedule and a system call;
 * a peer may send nothing else), count what a key protects (kt_key_age), look at data records
 * between the fragments of a message (RFC 8446 §5.1 forbids them).
 */
#ifndef KTRUST_REKEY_H
#define KTRUST_REKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/error.h>
#include <ktrust/traffic.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_KEY_UPDATE_LEN 5 /* bytes of the whole message */

struct kt_rekey {
	struct kt_traffic_secrets secrets; /* of the keys that the kernel has now */
	bool tickets;	  /* we are the client: NewSessionTickets may come, and are dropped */
	bool answer_owed; /* the peer asked for a KeyUpdate of ours, which is not sent yet */
	/* Of a message that comes in several records: */
	uint8_t header_have;
	uint8_t header[4];
	uint32_t body_left; /* bytes */
};

static inline void kt_rekey_wipe(struct kt_rekey *rekey)
{
	kt_traffic_secrets_wipe(&rekey->secrets);
}

/* The message; request: the peer is to update its keys, too. */
static inline void kt_rekey_message(bool request, uint8_t ret_message[KT_KEY_UPDATE_LEN])
{
	ret_message[0] = 24; /* key_update (RFC 8446 §4) */
	ret_message[1] = ret_message[2] = 0;
	ret_message[3] = 1;
	ret_message[4] = request;
}

/*
 * Look at the content of a handshake record of TLS 1.3. 0: nothing to do; 1: a KeyUpdate, so
 * kt_rekey_rx is due before anything more is read, and answer_owed says whether a KeyUpdate of ours
 * is due before the next data record. The secrets are not looked at.
 * -EPROTO: not allowed here, or malformed; *ret_alert says which alert is due for it.
 * -EOPNOTSUPP: a KeyUpdate in pieces. It is allowed, nobody does it, and the kernel has stopped
 * reading at the first piece, so the connection has to be ended.
 */
KT_WARN_UNUSED int kt_rekey_read(struct kt_rekey *rekey, const void *content, size_t len,
				 uint8_t *ret_alert);

/*
 * Install the next key for receiving, after the peer's KeyUpdate, or for sending, after ours.
 * -ENOMEM, or as kt_ktls_install: -EBUSY the kernel cannot rekey. After an error the connection has
 * to be ended: the keys of the two sides differ.
 */
KT_WARN_UNUSED int kt_rekey_rx(struct kt_rekey *rekey, int fd);
KT_WARN_UNUSED int kt_rekey_tx(struct kt_rekey *rekey, int fd);

/*
 * Send a KeyUpdate, and go on under the next key; no answer is owed then. -EAGAIN: the socket is
 * full and non-blocking, nothing was sent. Else as kt_rekey_tx, or sendmsg's -errno.
 */
KT_WARN_UNUSED int kt_rekey_send(struct kt_rekey *rekey, int fd, bool request);

/*
 * All that a handshake record asks for, on this socket: kt_rekey_read, kt_rekey_rx and, where an
 * answer is owed, kt_rekey_send. 0: read on; where answer_owed is still true then, the socket was
 * full: kt_rekey_send when it is writable, before any data. Errors as of these; *ret_alert: the
 * alert that is due, also for others than -EPROTO.
 */
KT_WARN_UNUSED int kt_rekey_handle(struct kt_rekey *rekey, int fd, const void *content, size_t len,
				   uint8_t *ret_alert);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
