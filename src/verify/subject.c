/* SPDX-License-Identifier: BSD-2-Clause */
#include "subject.h"

#include <stdio.h>

#include "../pool/name.h"

/* Attributes of the arc id-at (2.5.4; RFC 5280 §A.1), by their last number */
#define COMMON_NAME	    3
#define ORGANIZATION	    10
#define ORGANIZATIONAL_UNIT 11

static bool is_type(struct kt_der_view oid, uint8_t number)
{
	return oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x04 && oid.data[2] == number;
}

/* The first attribute of a type. The Name's form has been checked. */
static bool find(struct kt_der_view subject, uint8_t number, struct kt_der_item *ret_value)
{
	struct kt_der_item name, set, attribute, type;

	if (!kt_der_read(&subject, &name))
		return false;
	while (kt_der_read(&name.content, &set))
		while (kt_der_read(&set.content, &attribute))
			if (kt_der_read(&attribute.content, &type) && is_type(type.content, number))
				return kt_der_read(&attribute.content, ret_value);
	return false;
}

static bool is_control(int32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Returns the number of bytes, at most four. */
static size_t encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static bool print(const struct kt_der_item *value, char *buf, size_t size)
{
	struct kt_der_view rest = value->content;
	size_t used = 0;
	int32_t c;

	while ((c = kt_name_next_code_point(&rest, value->tag)) >= 0) {
		char bytes[4];
		size_t len = encode(is_control(c) ? '?' : (uint32_t)c, bytes);

		if (used + len >= size)
			break;
		for (size_t i = 0; i < len; i++)
			buf[used++] = bytes[i];
	}
	buf[used] = '\0';
	return used > 0;
}

void kt_subject_print(struct kt_der_view subject, char *buf, size_t size)
{
	static const uint8_t numbers[] = {COMMON_NAME, ORGANIZATIONAL_UNIT, ORGANIZATION};
	struct kt_der_item value;

	for (size_t i = 0; i < sizeof numbers; i++)
		if (find(subject, numbers[i], &value) && print(&value, buf, size))
			return;
	snprintf(buf, size, "?");
}
