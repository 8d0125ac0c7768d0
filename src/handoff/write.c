/* SPDX-License-Identifier: BSD-2-Clause */
/* A description as JSON. Texts come from peers: each byte of them is escaped, or known to be
 * harmless. */
#include "handoff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ktrust/traffic.h>

#include "utf8.h"

/* Bytes that one byte of a text takes at most: "\u001f", or "\ufffd" for what is no UTF-8 */
#define ESCAPED_MAX 6
#define TEXTS_LEN                                                                                  \
	(sizeof((struct kt_handoff *)0)->listener + sizeof((struct kt_handoff *)0)->peer_addr +    \
	 sizeof((struct kt_handoff *)0)->local_addr + sizeof((struct kt_handoff *)0)->peer +       \
	 sizeof((struct kt_handoff *)0)->peer_san + sizeof((struct kt_handoff *)0)->sni +          \
	 sizeof((struct kt_handoff *)0)->alpn + sizeof((struct kt_handoff *)0)->pool +             \
	 sizeof((struct kt_handoff *)0)->anchor_name + sizeof((struct kt_handoff *)0)->cipher)
#define MEMBERS	    18 /* with name, quotes, colon and comma, and what is no text, 80 bytes each */
#define DIGESTS_LEN (2 * 2 * KT_DIGEST_LEN)

_Static_assert(ESCAPED_MAX *TEXTS_LEN + MEMBERS * 80 + DIGESTS_LEN <= KT_HANDOFF_TEXT_MAX,
	       "every description fits");

struct writer {
	char *at;
	bool any; /* a member was written */
};

static void put_raw(struct writer *writer, const char *text)
{
	writer->at = stpcpy(writer->at, text);
}

static void put_character(struct writer *writer, const unsigned char *at, size_t len)
{
	if (!len)
		put_raw(writer, "\\ufffd");
	else if (len == 1 && (*at < 0x20 || *at == 0x7f || *at == '"' || *at == '\\'))
		writer->at += sprintf(writer->at, "\\u%04x", *at);
	else
		writer->at = mempcpy(writer->at, at, len);
}

static void put_name(struct writer *writer, const char *name)
{
	writer->at += sprintf(writer->at, "%c\"%s\":", writer->any ? ',' : '{', name);
	writer->any = true;
}

static void put_text(struct writer *writer, const char *name, const char *text)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + strlen(text);

	put_name(writer, name);
	if (at == end) {
		put_raw(writer, "null");
		return;
	}
	put_raw(writer, "\"");
	while (at < end) {
		size_t len = kt_utf8_len(at, (size_t)(end - at));

		put_character(writer, at, len);
		at += len ? len : 1;
	}
	put_raw(writer, "\"");
}

static void put_number(struct writer *writer, const char *name, uint64_t number)
{
	put_name(writer, name);
	writer->at += sprintf(writer->at, "%" PRIu64, number);
}

static void put_digest(struct writer *writer, const char *name,
		       const uint8_t digest[static KT_DIGEST_LEN])
{
	put_name(writer, name);
	put_raw(writer, "\"");
	for (int i = 0; i < KT_DIGEST_LEN; i++)
		writer->at += sprintf(writer->at, "%02x", digest[i]);
	put_raw(writer, "\"");
}

static void put_null(struct writer *writer, const char *name)
{
	put_name(writer, name);
	put_raw(writer, "null");
}

static void put_verdict(struct writer *writer, const struct kt_handoff *handoff)
{
	if (handoff->verified) {
		put_number(writer, "pool_version", handoff->pool_version);
		put_digest(writer, "pool_digest", handoff->pool_digest);
		put_text(writer, "anchor_name", handoff->anchor_name);
		put_digest(writer, "anchor", handoff->anchor);
		return;
	}
	put_null(writer, "pool_version");
	put_null(writer, "pool_digest");
	put_null(writer, "anchor_name");
	put_null(writer, "anchor");
}

size_t kt_handoff_write(const struct kt_handoff *handoff, char text[KT_HANDOFF_TEXT_MAX + 1])
{
	struct writer writer = {.at = text};

	put_number(&writer, "handoff", KT_HANDOFF_VERSION);
	put_number(&writer, "conn", handoff->conn);
	put_number(&writer, "cookie", handoff->cookie);
	put_text(&writer, "listener", handoff->listener);
	put_text(&writer, "peer_addr", handoff->peer_addr);
	put_text(&writer, "local_addr", handoff->local_addr);
	put_name(&writer, "verified");
	put_raw(&writer, handoff->verified ? "true" : "false");
	put_text(&writer, "peer", handoff->verified ? handoff->peer : "");
	put_text(&writer, "peer_san", handoff->verified ? handoff->peer_san : "");
	put_text(&writer, "sni", handoff->sni);
	put_text(&writer, "alpn", handoff->alpn);
	put_text(&writer, "pool", handoff->pool);
	put_verdict(&writer, handoff);
	put_text(&writer, "protocol", handoff->version == KT_TLS_1_3 ? "TLSv1.3" : "TLSv1.2");
	put_text(&writer, "cipher", handoff->cipher);
	put_raw(&writer, "}");
	return (size_t)(writer.at - text);
}
