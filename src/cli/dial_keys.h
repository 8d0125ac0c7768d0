/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktrust dial: the keys of records that the kernel has. How much each has protected is counted, and
 * those of TLS 1.3 are replaced where the kernel can do that (Linux 6.14):
 *
 *   a KeyUpdate came     the kernel gets the next key for receiving before anything more is read
 *   it asks for ours,    before the next data a KeyUpdate goes out, and behind it the kernel gets
 *   or a key is due      the next key for sending
 *
 * Elsewhere a KeyUpdate ends the connection ("key_update"), and so does a spent key ("key_limit",
 * RFC 8446 §5.5): then *ret_end of those functions that have it is true.
 *
 * Threads and lifetime: plain data that holds secrets, the caller's; all zeros at the start, wiped
 * by kt_dial_keys_wipe. It knows nothing of what is sent: who calls it keeps the order.
 */
#ifndef KTRUST_CLI_DIAL_KEYS_H
#define KTRUST_CLI_DIAL_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/ktls.h>
#include <ktrust/rekey.h>
#include <ktrust/tls.h>

/* So many KeyUpdates may come at once; each second gives one more, and data gives all. */
#define KT_DIAL_UPDATES_MAX 64

/* What is said of a spent key. */
extern const char kt_dial_key_limit[];

struct kt_dial_keys {
	struct kt_rekey rekey;
	enum kt_cipher cipher;
	bool replaceable;     /* the secrets are there */
	bool asked;	      /* for the server's next key, which has not come yet */
	bool last;	      /* nothing more is sent, KeyUpdates neither */
	uint64_t records_max; /* full records a key may protect; 0: KT_KEY_RECORDS_MAX */
	uint64_t used[2];     /* kt_key_cost; by enum kt_direction */
	uint64_t earned_s;    /* CLOCK_MONOTONIC: up to then time gave updates back */
	unsigned int updates; /* that came, and were not given back */
};

/*
 * Before the keys are exported: keep what replaces them, where support says that this can be.
 * -errno as kt_tls_secrets; records_max stays as it is.
 */
KT_WARN_UNUSED int kt_dial_keys_keep(struct kt_dial_keys *keys, const struct kt_tls *tls,
				     const struct kt_ktls_support *support, uint16_t version,
				     enum kt_cipher cipher);
void kt_dial_keys_wipe(struct kt_dial_keys *keys);

/*
 * A handshake record of TLS 1.3 came, whose content without tickets this is. NULL: it was a
 * KeyUpdate, and reading goes on; else why it does not, static storage for people. *ret_alert is
 * the alert that is due then.
 */
KT_WARN_UNUSED const char *kt_dial_keys_record(struct kt_dial_keys *keys, int fd,
					       const void *content, size_t len, bool *ret_end,
					       uint8_t *ret_alert);

/* So many bytes of data were sent, or came. NULL, or why this was the last that may. */
KT_WARN_UNUSED const char *kt_dial_keys_used(struct kt_dial_keys *keys, enum kt_direction direction,
					     size_t len);

/* Is a KeyUpdate to go out before any more data? kt_dial_keys_send does it, once it is writable. */
bool kt_dial_keys_due(const struct kt_dial_keys *keys);

/* -EAGAIN: the socket is full, nothing was done. Else as kt_rekey_send. */
KT_WARN_UNUSED int kt_dial_keys_send(struct kt_dial_keys *keys, int fd);

#endif
