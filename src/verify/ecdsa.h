/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ECDSA signature read from DER: Ecdsa-Sig-Value (RFC 3279 §2.2.3), nothing before or behind it,
 * numbers in their shortest form and not negative. ECDSA_verify(3) decodes it, and encodes it again
 * to see whether it was DER.
 *
 * Threads: any.
 */
#ifndef KTRUST_VERIFY_ECDSA_H
#define KTRUST_VERIFY_ECDSA_H

#include <openssl/types.h>

#include "../pool/der.h"

/* Into r and s. False: it is none, is of a larger curve than P-521, or there is no memory. */
bool kt_ecdsa_read(struct kt_der_view signature, BIGNUM *r, BIGNUM *s);

#endif
