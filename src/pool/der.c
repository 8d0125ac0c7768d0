/* SPDX-License-Identifier: BSD-2-Clause */
#include "der.h"

#include <string.h>

/* Four length bytes reach 4 GiB, far beyond any certificate. */
#define LENGTH_BYTES_MAX 4

/* Tag numbers from 31 on take several bytes (X.690 §8.1.2.4); nothing in a certificate does. */
static bool is_multi_byte_tag(uint8_t tag)
{
	return (tag & 0x1f) == 0x1f;
}

static bool read_long_length(const uint8_t *bytes, size_t avail, size_t count, size_t *ret_len)
{
	size_t len = 0;

	/* count 0 is the indefinite form (X.690 §10.1 forbids it). */
	if (count == 0 || count > LENGTH_BYTES_MAX || count > avail)
		return false;
	for (size_t i = 0; i < count; i++)
		len = len << 8 | bytes[i];
	if (bytes[0] == 0 || len < 0x80)
		return false;
	*ret_len = len;
	return true;
}

bool kt_der_read(struct kt_der_view *in, struct kt_der_item *ret_item)
{
	size_t head = 2;
	size_t len;

	if (in->len < head || is_multi_byte_tag(in->data[0]))
		return false;
	len = in->data[1];
	if (len & 0x80) {
		size_t count = len & 0x7f;

		if (!read_long_length(in->data + head, in->len - head, count, &len))
			return false;
		head += count;
	}
	if (len > in->len - head)
		return false;
	*ret_item = (struct kt_der_item){
		.tag = in->data[0],
		.tlv = {in->data, head + len},
		.content = {in->data + head, len},
	};
	in->data += head + len;
	in->len -= head + len;
	return true;
}

bool kt_der_next_is(const struct kt_der_view *in, uint8_t tag)
{
	return in->len > 0 && in->data[0] == tag;
}

bool kt_der_expect(struct kt_der_view *in, uint8_t tag, struct kt_der_item *ret_item)
{
	return kt_der_next_is(in, tag) && kt_der_read(in, ret_item);
}

bool kt_der_equal(struct kt_der_view a, struct kt_der_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool kt_der_is_integer(struct kt_der_view content)
{
	if (content.len == 0)
		return false;
	if (content.len == 1)
		return true;
	/* The first nine bits may not all be alike. */
	return !(content.data[0] == 0x00 && !(content.data[1] & 0x80)) &&
	       !(content.data[0] == 0xff && (content.data[1] & 0x80));
}

bool kt_der_is_oid(struct kt_der_view content)
{
	bool at_start = true;

	for (size_t i = 0; i < content.len; i++) {
		if (at_start && content.data[i] == 0x80)
			return false;
		at_start = !(content.data[i] & 0x80);
	}
	return content.len > 0 && at_start;
}

bool kt_der_is_bit_string(struct kt_der_view content)
{
	if (content.len == 0 || content.data[0] > 7)
		return false;
	return content.len > 1 || content.data[0] == 0;
}
