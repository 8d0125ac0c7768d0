/* SPDX-License-Identifier: BSD-2-Clause */
#include "ecdsa.h"

#include <openssl/bn.h>

#define BYTES_MAX 67 /* of a number modulo P-521's order, and a sign */

static bool read_number(struct kt_der_view *in, BIGNUM *number)
{
	struct kt_der_item item;

	return kt_der_expect(in, KT_DER_INTEGER, &item) && kt_der_is_integer(item.content) &&
	       !(item.content.data[0] & 0x80) && item.content.len <= BYTES_MAX &&
	       BN_bin2bn(item.content.data, (int)item.content.len, number);
}

bool kt_ecdsa_read(struct kt_der_view signature, BIGNUM *r, BIGNUM *s)
{
	struct kt_der_item sequence;

	return kt_der_expect(&signature, KT_DER_SEQUENCE, &sequence) && !signature.len &&
	       read_number(&sequence.content, r) && read_number(&sequence.content, s) &&
	       !sequence.content.len;
}
