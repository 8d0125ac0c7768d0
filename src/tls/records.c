/* SPDX-License-Identifier: BSD-2-Clause */
#include "records.h"

#include <string.h>

size_t kt_tls_cursor_want(const struct kt_tls_cursor *cursor)
{
	if (cursor->header_have < KT_RECORD_HEADER_LEN)
		return KT_RECORD_HEADER_LEN - cursor->header_have;
	return cursor->body_left;
}

static enum kt_tls_cursor_event end_of_record(struct kt_tls_cursor *cursor)
{
	cursor->header_have = 0;
	return KT_TLS_CURSOR_RECORD;
}

static enum kt_tls_cursor_event take_header(struct kt_tls_cursor *cursor, const uint8_t *data,
					    size_t len)
{
	memcpy(cursor->header + cursor->header_have, data, len);
	cursor->header_have += len;
	if (cursor->header_have < KT_RECORD_HEADER_LEN)
		return KT_TLS_CURSOR_PARTIAL;
	cursor->records++;
	cursor->body_left = (uint16_t)(cursor->header[3] << 8 | cursor->header[4]);
	if (!cursor->body_left)
		return end_of_record(cursor);
	return KT_TLS_CURSOR_HEADER;
}

enum kt_tls_cursor_event kt_tls_cursor_take(struct kt_tls_cursor *cursor, const uint8_t *data,
					    size_t len)
{
	if (cursor->header_have < KT_RECORD_HEADER_LEN)
		return take_header(cursor, data, len);
	cursor->body_left -= len;
	if (!cursor->body_left)
		return end_of_record(cursor);
	return KT_TLS_CURSOR_PARTIAL;
}

/*
 * Methods of RFC 9110 §9, PATCH, the HTTP/2 preface (RFC 9113 §3.4), and how a server begins: their
 * first five bytes.
 */
static const char http_starts[][KT_RECORD_HEADER_LEN + 1] = {
	"HEAD ", "POST ", "DELET", "CONNE", "OPTIO", "TRACE", "PATCH", "PRI *", "HTTP/",
};

enum kt_tls_first_bytes kt_tls_cursor_first_bytes(const uint8_t header[static KT_RECORD_HEADER_LEN])
{
	if (header[0] >= KT_RECORD_CHANGE_CIPHER_SPEC && header[0] <= KT_RECORD_DATA &&
	    header[1] == 3)
		return KT_TLS_FIRST_TLS;
	for (size_t i = 0; i < sizeof http_starts / sizeof http_starts[0]; i++)
		if (!memcmp(header, http_starts[i], KT_RECORD_HEADER_LEN))
			return KT_TLS_FIRST_HTTP;
	if (!memcmp(header, "GET ", 4) || !memcmp(header, "PUT ", 4))
		return KT_TLS_FIRST_HTTP;
	return KT_TLS_FIRST_OTHER;
}
