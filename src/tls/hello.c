/* SPDX-License-Identifier: BSD-2-Clause */
/* Extensions of a ClientHello: bytes of anybody, before anything is proven. */
#include <ctype.h>
#include <string.h>

#include "connection.h"

#define HOST_NAME     0	  /* RFC 6066 §3: NameType */
#define DNS_NAME_MAX  253 /* characters, without a final dot (RFC 1035 §3.1) */
#define DNS_LABEL_MAX 63

static size_t read_u16(const uint8_t *data)
{
	return (size_t)data[0] << 8 | data[1];
}

bool kt_hello_parse_name(const uint8_t *data, size_t len, char ret_name[static KT_TLS_NAME_SIZE])
{
	/* list length, type, name length, name: more than one name libssl takes for none */
	const size_t header = 2 + 1 + 2;
	size_t name_len = len - header;

	if (len <= header || read_u16(data) != len - 2 || data[2] != HOST_NAME ||
	    read_u16(data + 3) != name_len || name_len >= KT_TLS_NAME_SIZE)
		return false;
	data += header;
	if (memchr(data, '\0', name_len))
		return false;
	for (size_t i = 0; i < name_len; i++)
		ret_name[i] = (char)(data[i] > 0x20 && data[i] < 0x7f ? data[i] : '?');
	ret_name[name_len] = '\0';
	return true;
}

bool kt_hello_is_alpn_list(const uint8_t *list, size_t len)
{
	size_t at = 0;

	while (at < len) {
		if (!list[at])
			return false;
		at += 1 + list[at];
	}
	return len && at == len;
}

bool kt_hello_alpn_has(const uint8_t *list, size_t len, const uint8_t *name, size_t name_len)
{
	for (size_t at = 0; at < len; at += 1 + list[at])
		if (list[at] == name_len && !memcmp(list + at + 1, name, name_len))
			return true;
	return false;
}

bool kt_hello_parse_alpn(const uint8_t *data, size_t len, const uint8_t **ret_list,
			 size_t *ret_list_len)
{
	if (len < 2 || read_u16(data) != len - 2 || !kt_hello_is_alpn_list(data + 2, len - 2))
		return false;
	*ret_list = data + 2;
	*ret_list_len = len - 2;
	return true;
}

static bool is_label(const char *label, size_t len)
{
	if (!len || len > DNS_LABEL_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isascii((unsigned char)label[i]) ||
		    (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_'))
			return false;
	return true;
}

bool kt_hello_is_host_name(const char *name, size_t len)
{
	const char *label = name, *end = name + len;

	if (len > DNS_NAME_MAX)
		return false;
	while (label <= end) {
		const char *dot = memchr(label, '.', (size_t)(end - label));
		size_t label_len = (size_t)((dot ? dot : end) - label);

		if (!is_label(label, label_len))
			return false;
		label += label_len + 1;
	}
	return true;
}
