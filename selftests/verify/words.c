/* SPDX-License-Identifier: BSD-2-Clause */
#include "words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_MAX  16
#define SEQUENCE     0x30
#define SET	     0x31
#define OID	     0x06
#define DIRECTORY    0xa4
#define IP	     0x87
#define LENGTH_SHORT 0x80

/* ---- DER ------------------------------------------------------------------------------------- */

static bool put(struct words_der *der, const void *bytes, size_t len)
{
	if (len > sizeof der->bytes - der->len)
		return false;
	if (len > 0)
		memcpy(der->bytes + der->len, bytes, len);
	der->len += len;
	return true;
}

static bool put_tlv(struct words_der *der, uint8_t tag, const void *content, size_t len)
{
	uint8_t head[4] = {tag, (uint8_t)len};
	size_t head_len = 2;

	if (len >= LENGTH_SHORT) {
		head_len = len > 0xff ? 4 : 3;
		head[1] = (uint8_t)(LENGTH_SHORT | (head_len - 2));
		head[2] = (uint8_t)(len > 0xff ? len >> 8 : len);
		head[3] = (uint8_t)len;
	}
	return put(der, head, head_len) && put(der, content, len);
}

/* ---- Distinguished names --------------------------------------------------------------------- */

static const struct kind {
	const char *key;
	const char *oid;
	size_t oid_len;
	uint8_t tag;
} kinds[] = {
	{"CN", "\x55\x04\x03", 3, 0x0c},
	{"O", "\x55\x04\x0a", 3, 0x0c},
	{"OU", "\x55\x04\x0b", 3, 0x0c},
	{"L", "\x55\x04\x07", 3, 0x0c},
	{"ST", "\x55\x04\x08", 3, 0x0c},
	{"UID", "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", 10, 0x0c},
	{"C", "\x55\x04\x06", 3, 0x13},
	{"SN", "\x55\x04\x05", 3, 0x13},
	{"PCN", "\x55\x04\x03", 3, 0x13},
	{"TCN", "\x55\x04\x03", 3, 0x14},
	{"E", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9, 0x16},
	{"UE", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", 9, 0x0c},
};

static const struct kind *find_kind(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strlen(kinds[i].key) == len && !memcmp(kinds[i].key, text, len))
			return &kinds[i];
	return NULL;
}

/* text: "CN=a" */
static bool put_attribute(struct words_der *der, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	const struct kind *kind;
	struct words_der pair;

	pair.len = 0;
	if (!equals)
		return false;
	kind = find_kind(text, (size_t)(equals - text));
	equals++;
	return kind && put_tlv(&pair, OID, kind->oid, kind->oid_len) &&
	       put_tlv(&pair, kind->tag, equals, (size_t)(text + len - equals)) &&
	       put_tlv(der, SEQUENCE, pair.bytes, pair.len);
}

static bool put_name(struct words_der *der, const char *text, size_t len)
{
	const char *end = text + len;
	struct words_der name, set;

	name.len = set.len = 0;
	while (text < end) {
		size_t part = strcspn(text, "+,");

		if (part > (size_t)(end - text))
			part = (size_t)(end - text);
		if (!put_attribute(&set, text, part))
			return false;
		text += part;
		if (text < end && *text++ == '+')
			continue;
		if (!put_tlv(&name, SET, set.bytes, set.len))
			return false;
		set.len = 0;
	}
	return put_tlv(der, SEQUENCE, name.bytes, name.len);
}

/* ---- General names --------------------------------------------------------------------------- */

static bool put_directory(struct words_der *der, const char *text, size_t len)
{
	struct words_der name;

	name.len = 0;
	return put_name(&name, text, len) && put_tlv(der, DIRECTORY, name.bytes, name.len);
}

static bool put_ip(struct words_der *der, const char *text, size_t len)
{
	uint8_t bytes[2 * ADDRESS_MAX] = {0};
	char address[64];
	const char *slash;
	size_t size;

	if (len >= sizeof address)
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	slash = strchr(address, '/');
	address[strcspn(address, "/")] = '\0';
	size = strchr(address, ':') ? ADDRESS_MAX : 4;
	if (inet_pton(size == 4 ? AF_INET : AF_INET6, address, bytes) != 1)
		return false;
	if (!slash)
		return put_tlv(der, IP, bytes, size);
	for (size_t bit = 0; bit < size * 8 && bit < strtoul(slash + 1, NULL, 10); bit++)
		bytes[size + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return put_tlv(der, IP, bytes, 2 * size);
}

static int nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool put_hex(struct words_der *der, const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		int high = nibble(text[i]), low = nibble(text[i + 1]);
		uint8_t byte;

		if (high < 0 || low < 0)
			return false;
		byte = (uint8_t)(high << 4 | low);
		if (!put(der, &byte, 1))
			return false;
	}
	return len % 2 == 0;
}

static bool put_rest(struct words_der *der, const char *word, size_t len)
{
	static const struct {
		const char *word, *hex;
	} examples[] = {
		{"OTHER:", "a00a06032a0304a0030c0161"},
		{"X400:", "a3023000"},
		{"EDI:", "a505a1030c0161"},
		{"RID:", "88032a0304"},
	};

	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		if (strlen(examples[i].word) == len && !memcmp(examples[i].word, word, len))
			return put_hex(der, examples[i].hex, strlen(examples[i].hex));
	return false;
}

static bool take(const char **word, size_t *len, const char *prefix)
{
	size_t prefix_len = strlen(prefix);

	if (*len < prefix_len || memcmp(*word, prefix, prefix_len))
		return false;
	*word += prefix_len;
	*len -= prefix_len;
	return true;
}

static bool put_word(struct words_der *der, const char *word, size_t len)
{
	if (take(&word, &len, "DNS:"))
		return put_tlv(der, 0x82, word, len);
	if (take(&word, &len, "EMAIL:"))
		return put_tlv(der, 0x81, word, len);
	if (take(&word, &len, "URI:"))
		return put_tlv(der, 0x86, word, len);
	if (take(&word, &len, "IP:"))
		return put_ip(der, word, len);
	if (take(&word, &len, "DN:"))
		return put_directory(der, word, len);
	if (take(&word, &len, "HEX:"))
		return put_hex(der, word, len);
	return put_rest(der, word, len);
}

static bool put_subtree(struct words_der *der, const char *word, size_t len)
{
	struct words_der base;

	base.len = 0;
	return put_word(&base, word, len) && put_tlv(der, SEQUENCE, base.bytes, base.len);
}

typedef bool put_fn(struct words_der *der, const char *word, size_t len);

static bool put_all(struct words_der *der, const char *words, put_fn *put_one)
{
	der->len = 0;
	while (*words) {
		size_t len = strcspn(words, " ");

		if (!put_one(der, words, len))
			return false;
		words += len;
		words += *words == ' ';
	}
	return true;
}

bool words_names(const char *words, struct words_der *ret_der)
{
	return put_all(ret_der, words, put_word);
}

bool words_subtrees(const char *words, struct words_der *ret_der)
{
	return put_all(ret_der, words, put_subtree);
}

bool words_name(const char *text, struct words_der *ret_der)
{
	ret_der->len = 0;
	return put_name(ret_der, text, strlen(text));
}
