/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cursor over DER (X.690 §10): definite minimal lengths, tags of one byte, nothing past the end.
 *
 * A struct kt_der_view is a borrowed span; reading moves its front. An item's spans point into the
 * same bytes. Nothing is allocated or copied, so a cursor may be used by any thread that may read
 * the bytes. On failure the cursor and the outputs are untouched.
 *
 * What it does not do: it knows tags and lengths only, not what a type's content must look like,
 * but for the helpers at the end.
 */
#ifndef KT_POOL_DER_H
#define KT_POOL_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kt_der_tag {
	KT_DER_BOOLEAN = 0x01,
	KT_DER_INTEGER = 0x02,
	KT_DER_BIT_STRING = 0x03,
	KT_DER_OCTET_STRING = 0x04,
	KT_DER_OID = 0x06,
	KT_DER_UTF8_STRING = 0x0c,
	KT_DER_PRINTABLE_STRING = 0x13,
	KT_DER_T61_STRING = 0x14,
	KT_DER_IA5_STRING = 0x16,
	KT_DER_UTC_TIME = 0x17,
	KT_DER_GENERALIZED_TIME = 0x18,
	KT_DER_UNIVERSAL_STRING = 0x1c,
	KT_DER_BMP_STRING = 0x1e,
	KT_DER_SEQUENCE = 0x30,
	KT_DER_SET = 0x31,
};

/* Context-specific tags as certificates use them. */
#define KT_DER_CONTEXT(number)	    (0x80 | (number))
#define KT_DER_CONTEXT_CONS(number) (0xa0 | (number))

struct kt_der_view {
	const uint8_t *data;
	size_t len; /* bytes */
};

struct kt_der_item {
	uint8_t tag;
	struct kt_der_view tlv;	    /* the whole element, tag and length included */
	struct kt_der_view content; /* what is inside */
};

/* Read the next element, whatever it is. False: there is none, or it is not DER. */
bool kt_der_read(struct kt_der_view *in, struct kt_der_item *ret_item);

/* The same, and its tag must be this one. */
bool kt_der_expect(struct kt_der_view *in, uint8_t tag, struct kt_der_item *ret_item);

/* Is there an element, and does it carry this tag? */
bool kt_der_next_is(const struct kt_der_view *in, uint8_t tag);

bool kt_der_equal(struct kt_der_view a, struct kt_der_view b);

/* Content rules of X.690: §8.3 integers and §8.19 object identifiers minimal, §8.6 bit strings. */
bool kt_der_is_integer(struct kt_der_view content);
bool kt_der_is_oid(struct kt_der_view content);
bool kt_der_is_bit_string(struct kt_der_view content);

#endif
