/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Session tickets that arrive where the kernel has the records: found in the handshake records, and
 * dropped (RFC 8446 §4.6.1: a client may). A message may be spread over records, and a record may
 * have several.
 *
 * Threads and memory: plain data, the caller's; all zeros at the start. No bytes are kept.
 */
#ifndef KTRUST_ENGINE_TICKETS_H
#define KTRUST_ENGINE_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <ktrust/error.h>

#define KT_TICKETS_MAX (256u << 10) /* bytes of tickets without a byte of data between them */

struct kt_tickets {
	uint8_t header[4]; /* of the message that begins: type, length */
	uint8_t have;	   /* bytes of it */
	uint32_t left;	   /* bytes of the message that are to come */
	uint32_t dropped;  /* bytes since the last data */
};

/*
 * Of a handshake record's content, how many bytes at its beginning belong to tickets: what follows
 * them is the beginning of another message. -EPROTO: a ticket that is longer than any, or more than
 * KT_TICKETS_MAX bytes.
 */
KT_WARN_UNUSED ssize_t kt_tickets_drop(struct kt_tickets *tickets, const uint8_t *data, size_t len);

/* A data record has come, or several. False: amid a ticket, where none may (RFC 8446 §5.1). */
KT_WARN_UNUSED bool kt_tickets_data(struct kt_tickets *tickets, size_t len);

#endif
