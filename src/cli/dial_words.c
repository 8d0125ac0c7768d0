/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust dial: what the names of failures mean. */
#include "dial.h"

#include <string.h>

static const struct {
	const char *name, *words;
} rows[] = {
	/* Of handshakes and records */
	{"not_tls", "what the server says is not TLS (is it the right port?)"},
	{"plain_http", "the server speaks HTTP without TLS (is it the right port?)"},
	{"no_shared_version", "the server speaks neither TLS 1.3 nor 1.2"},
	{"no_shared_cipher", "no cipher, group or signature algorithm is both sides'"},
	{"peer_closed", "the server ended the connection before the handshake was done"},
	{"too_much_data", "the server sent more than it may while it sent no data"},
	{"too_many_records", "the server sent more records than a handshake may have"},
	{"protocol_error", "the server sent a record or message that is malformed, does not "
			   "authenticate or has no place there"},
	{"bad_record", "a record came that cannot be read: it does not authenticate, or is none"},
	{"internal", "out of memory, or a fault of the TLS library"},
	/* Of proxies */
	{"target_unreachable", "it cannot connect to the target"},
	{"upstream_auth", "it wants a login, or another (--proxy-credentials)"},
	{"upstream_refused", "it will not connect to the target"},
	{"upstream_closed", "it ended the connection before its answer was whole"},
	{"upstream_invalid", "what it said is no answer of such a proxy (is it http:// or "
			     "socks5://, and the right port?)"},
};

const char *kt_dial_words(const char *name)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!strcmp(rows[i].name, name))
			return rows[i].words;
	return NULL;
}
