/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Key schedules and record protection written a second time, from the RFCs and with other calls
 * than the room under test uses, so that the two can be compared.
 */
#ifndef KTRUST_SELFTESTS_TLS_KEYS_H
#define KTRUST_SELFTESTS_TLS_KEYS_H

#include "lab.h"

#define RECORD_MAX (KT_RECORD_HEADER_LEN + KT_RECORD_BODY_MAX)

/*
 * The keys after the handshake as the client knows them, from the server's point of view (tx: the
 * server's). With GCM in TLS 1.2 the explicit nonces are zero.
 */
void keys_of_client(const struct client *client, struct kt_traffic *ret_traffic);

/* Let the client's or the server's traffic secret of TLS 1.3 be the next one (RFC 8446 §7.2). */
void client_next_secret(struct client *client, bool servers);

/* Write one record; key->seq (and the explicit nonce) go on. Returns its length. */
size_t record_seal(const struct kt_traffic *traffic, struct kt_traffic_key *key, uint8_t type,
		   const void *data, size_t len, uint8_t ret_record[static RECORD_MAX]);

/* Open one record at the start of data; its content's length, or -1. */
int record_open(const struct kt_traffic *traffic, struct kt_traffic_key *key, const uint8_t *record,
		uint8_t *ret_type, uint8_t *ret_content);

#endif
