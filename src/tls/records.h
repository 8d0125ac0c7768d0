/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cursor over the record stream of one peer: how many bytes belong to the record being read.
 *
 * It sees only the plaintext headers (RFC 8446 §5.1), so it needs no keys and agrees with the
 * library that decrypts as long as both start at the same byte. A stream whose first header is no
 * TLS record is refused before the library sees it: an SSL 2.0 style hello has a header of two
 * bytes (RFC 5246 appendix E.2), which would take the two out of step.
 *
 * Threads: one owner. No allocation, no secrets. It does not judge lengths: the library does.
 */
#ifndef KT_TLS_RECORDS_H
#define KT_TLS_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include <ktrust/traffic.h>

/* All zeros is the start of a stream. */
struct kt_tls_cursor {
	uint8_t header[KT_RECORD_HEADER_LEN]; /* of the current, or else the last record */
	uint8_t header_have;		      /* bytes of it; all of them: in the body */
	uint16_t body_left;		      /* bytes */
	uint64_t records;		      /* complete headers seen */
};

enum kt_tls_cursor_event {
	KT_TLS_CURSOR_PARTIAL, /* in the middle of a header or of a body */
	KT_TLS_CURSOR_HEADER,  /* a header is complete, its body follows */
	KT_TLS_CURSOR_RECORD,  /* at a record boundary */
};

enum kt_tls_first_bytes { KT_TLS_FIRST_TLS, KT_TLS_FIRST_HTTP, KT_TLS_FIRST_OTHER };

/* Bytes up to the end of what is being read, a header or a body; never 0. */
size_t kt_tls_cursor_want(const struct kt_tls_cursor *cursor);

/* Take len bytes, 1 … want. */
enum kt_tls_cursor_event kt_tls_cursor_take(struct kt_tls_cursor *cursor, const uint8_t *data,
					    size_t len);

/* Is the stream between two records? */
static inline int kt_tls_cursor_at_boundary(const struct kt_tls_cursor *cursor)
{
	return cursor->header_have == 0;
}

/* What a complete first header says about who is talking. */
enum kt_tls_first_bytes
kt_tls_cursor_first_bytes(const uint8_t header[static KT_RECORD_HEADER_LEN]);

#endif
