/* SPDX-License-Identifier: BSD-2-Clause */
/* A description back from JSON: one flat object, read strictly. */
#include "handoff.h"

#include <errno.h>
#include <string.h>

#include <ktrust/traffic.h>

#include "utf8.h"

/* Every function: false, this is no such JSON. */
struct reader {
	const char *at;
	const char *end;
};

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
		reader->at++;
}

static bool take(struct reader *reader, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len))
		return false;
	reader->at += len;
	return true;
}

/* ---- Strings --------------------------------------------------------------------------------- */

/* Where a string goes: room 0: nowhere. */
struct place {
	char *at;
	size_t room; /* for bytes, beside the NUL */
};

static bool put(struct place *place, const char *bytes, size_t len)
{
	if (!place->at)
		return true;
	if (len > place->room)
		return false;
	memcpy(place->at, bytes, len);
	place->at += len;
	place->room -= len;
	return true;
}

static bool take_digit(char c, uint32_t *value)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;

	if (!found)
		return false;
	*value = *value << 4 | (uint32_t)(found - digits);
	return true;
}

static bool take_unit(struct reader *reader, uint32_t *ret_unit)
{
	*ret_unit = 0;
	if (reader->end - reader->at < 4)
		return false;
	for (int i = 0; i < 4; i++)
		if (!take_digit(*reader->at++, ret_unit))
			return false;
	return true;
}

/* Behind "\u": one unit, or two that make a pair (RFC 8259 §7). NUL could end a text early. */
static bool take_escaped_unit(struct reader *reader, struct place *place)
{
	uint32_t unit, low;
	char bytes[4];

	if (!take_unit(reader, &unit) || !unit || (unit & 0xfc00) == 0xdc00)
		return false;
	if ((unit & 0xfc00) == 0xd800) {
		if (!take(reader, "\\u") || !take_unit(reader, &low) || (low & 0xfc00) != 0xdc00)
			return false;
		unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
	}
	return put(place, bytes, kt_utf8_put(unit, bytes));
}

static bool take_escape(struct reader *reader, struct place *place)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (reader->at == reader->end || !*reader->at)
		return false;
	if (*reader->at == 'u') {
		reader->at++;
		return take_escaped_unit(reader, place);
	}
	found = strchr(from, *reader->at++);
	return found && put(place, &to[found - from], 1);
}

static bool take_string(struct reader *reader, struct place place)
{
	if (!take(reader, "\""))
		return false;
	while (reader->at < reader->end && *reader->at != '"') {
		const char *at = reader->at;
		size_t len = kt_utf8_len((const unsigned char *)at, (size_t)(reader->end - at));

		if (!len || (unsigned char)*at < 0x20)
			return false;
		reader->at += len;
		if (!(*at == '\\' ? take_escape(reader, &place) : put(&place, at, len)))
			return false;
	}
	if (place.at)
		*place.at = '\0';
	return take(reader, "\"");
}

/* ---- Other values ---------------------------------------------------------------------------- */

/* No sign, no fraction, no leading zero. */
static bool take_number(struct reader *reader, uint64_t *ret_number)
{
	const char *start = reader->at;
	uint64_t number = 0;

	for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*reader->at - '0'), &number))
			return false;
	if (reader->at == start || (*start == '0' && reader->at - start > 1))
		return false;
	*ret_number = number;
	return true;
}

static bool take_bool(struct reader *reader, bool *ret_value)
{
	*ret_value = take(reader, "true");
	return *ret_value || take(reader, "false");
}

static bool take_digest(struct reader *reader, uint8_t ret_digest[static KT_DIGEST_LEN])
{
	char hex[2 * KT_DIGEST_LEN + 1];

	if (!take_string(reader, (struct place){hex, sizeof hex - 1}) ||
	    strlen(hex) != sizeof hex - 1)
		return false;
	for (int i = 0; i < KT_DIGEST_LEN; i++) {
		uint32_t byte = 0;

		if (!take_digit(hex[2 * i], &byte) || !take_digit(hex[2 * i + 1], &byte))
			return false;
		ret_digest[i] = (uint8_t)byte;
	}
	return true;
}

static bool take_protocol(struct reader *reader, uint16_t *ret_version)
{
	char word[sizeof "TLSv1.3"];

	if (!take_string(reader, (struct place){word, sizeof word - 1}))
		return false;
	*ret_version = !strcmp(word, "TLSv1.3") ? KT_TLS_1_3 : KT_TLS_1_2;
	return !strcmp(word, "TLSv1.3") || !strcmp(word, "TLSv1.2");
}

/* Of a member that is not known: a whole number may have a sign. */
static bool take_anything(struct reader *reader)
{
	uint64_t number;
	bool truth;

	if (reader->at < reader->end && *reader->at == '"')
		return take_string(reader, (struct place){0});
	if (take(reader, "-"))
		return take_number(reader, &number);
	return take_bool(reader, &truth) || take_number(reader, &number);
}

/* ---- Members --------------------------------------------------------------------------------- */

struct description {
	struct kt_handoff handoff;
	uint64_t format;
};

enum kind { TEXT, NUMBER, BOOL, DIGEST, PROTOCOL };

static const struct member {
	const char *name;
	enum kind kind;
	size_t offset;
	size_t size; /* of a text */
	enum needed {
		MAY,
		MUST,
		IF_VERIFIED,  /* it must be there then */
		OF_VERIFIED,  /* it may be there only then */
		IFF_VERIFIED, /* both */
	} needed;
} members[] = {
#define AT(field)      offsetof(struct description, field)
#define TEXT_AT(field) TEXT, AT(handoff.field), sizeof((struct description *)0)->handoff.field
	{"handoff", NUMBER, AT(format), 0, MUST},
	{"conn", NUMBER, AT(handoff.conn), 0, MUST},
	{"cookie", NUMBER, AT(handoff.cookie), 0, MUST},
	{"listener", TEXT_AT(listener), MUST},
	{"peer_addr", TEXT_AT(peer_addr), MAY},
	{"local_addr", TEXT_AT(local_addr), MAY},
	{"verified", BOOL, AT(handoff.verified), 0, MUST},
	{"peer", TEXT_AT(peer), OF_VERIFIED},
	{"peer_san", TEXT_AT(peer_san), OF_VERIFIED},
	{"sni", TEXT_AT(sni), MAY},
	{"alpn", TEXT_AT(alpn), MAY},
	{"pool", TEXT_AT(pool), IF_VERIFIED},
	{"pool_version", NUMBER, AT(handoff.pool_version), 0, IFF_VERIFIED},
	{"pool_digest", DIGEST, AT(handoff.pool_digest), 0, IFF_VERIFIED},
	{"anchor_name", TEXT_AT(anchor_name), OF_VERIFIED},
	{"anchor", DIGEST, AT(handoff.anchor), 0, IFF_VERIFIED},
	{"protocol", PROTOCOL, AT(handoff.version), 0, MUST},
	{"cipher", TEXT_AT(cipher), MUST},
#undef AT
#undef TEXT_AT
};

#define MEMBERS	 (sizeof members / sizeof members[0])
#define NAME_MAX 64 /* bytes of a member's name */

static bool take_member(struct reader *reader, const struct member *member,
			struct description *description)
{
	void *at = (char *)description + member->offset;

	switch (member->kind) {
	case TEXT:
		return take_string(reader, (struct place){at, member->size - 1});
	case NUMBER:
		return take_number(reader, at);
	case BOOL:
		return take_bool(reader, at);
	case DIGEST:
		return take_digest(reader, at);
	case PROTOCOL:
		return take_protocol(reader, at);
	}
	return false;
}

/* had: a bit for each member that was there; the second, for each that was not null. */
struct had {
	uint32_t named;
	uint32_t filled;
};

static bool take_value(struct reader *reader, const char *name, struct description *description,
		       struct had *had)
{
	for (unsigned int i = 0; i < MEMBERS; i++) {
		if (strcmp(members[i].name, name))
			continue;
		if (had->named & 1u << i)
			return false;
		had->named |= 1u << i;
		if (take(reader, "null"))
			return true;
		had->filled |= 1u << i;
		return take_member(reader, &members[i], description);
	}
	return take(reader, "null") || take_anything(reader);
}

static bool take_pair(struct reader *reader, struct description *description, struct had *had)
{
	char name[NAME_MAX + 1];

	skip_blanks(reader);
	if (!take_string(reader, (struct place){name, NAME_MAX}))
		return false;
	skip_blanks(reader);
	if (!take(reader, ":"))
		return false;
	skip_blanks(reader);
	if (!take_value(reader, name, description, had))
		return false;
	skip_blanks(reader);
	return true;
}

static bool take_object(struct reader *reader, struct description *description, struct had *had)
{
	skip_blanks(reader);
	if (!take(reader, "{"))
		return false;
	do {
		if (!take_pair(reader, description, had))
			return false;
	} while (take(reader, ","));
	if (!take(reader, "}"))
		return false;
	skip_blanks(reader);
	return reader->at == reader->end;
}

static bool fits(enum needed needed, bool verified, bool filled)
{
	if (needed == MUST || (verified && (needed == IF_VERIFIED || needed == IFF_VERIFIED)))
		return filled;
	return verified || !filled || needed == MAY || needed == IF_VERIFIED;
}

static bool is_complete(const struct description *description, const struct had *had)
{
	for (unsigned int i = 0; i < MEMBERS; i++)
		if (!fits(members[i].needed, description->handoff.verified, had->filled & 1u << i))
			return false;
	return true;
}

int kt_handoff_read(const char *text, size_t len, struct kt_handoff *ret_handoff)
{
	struct description description = {.handoff.fd = -1};
	struct reader reader = {text, text + len};
	struct had had = {0};

	if (len > KT_HANDOFF_TEXT_MAX || !take_object(&reader, &description, &had))
		return -EBADMSG;
	if ((had.filled & 1) && description.format != KT_HANDOFF_VERSION)
		return -EPROTONOSUPPORT;
	if (!is_complete(&description, &had))
		return -EBADMSG;
	*ret_handoff = description.handoff;
	return 0;
}
