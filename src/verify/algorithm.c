/* SPDX-License-Identifier: BSD-2-Clause */
#include "algorithm.h"

#include <string.h>

#define RSA_BITS_MIN 2048 /* CA/Browser Baseline Requirements §6.1.5 */
#define RSA_BITS_MAX 8192 /* bounds what one check may cost */
/*
 * A check costs as many multiplications as the exponent has bits: with 63, which OpenSSL takes,
 * five times what it costs with 65537 (1.1 ms for 8,192 bits, 0.6 with 33). BR §6.1.6 asks for
 * 2^16+1 and more, below 2^256, but nothing over 32 bits is in use: Windows has no room for it, and
 * BoringSSL, whose limit this is, and Go take none.
 */
#define EXPONENT_BITS_MAX 33

/* AlgorithmIdentifiers, whole */

#define OID_EC	   0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
#define OID_ECDSA  0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03
#define OID_PKCS1  0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01
#define OID_SHA2   0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02
#define OID_ML_DSA 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03
#define NULLED	   0x05, 0x00

/* RSASSA-PSS-params (RFC 4055 §3.1): hash, MGF1 with the same hash, salt of `salt` bytes */
#define PSS(hash, salt)                                                                            \
	{                                                                                          \
		0x30, 0x41, OID_PKCS1, 0x0a, 0x30, 0x34, 0xa0, 0x0f, 0x30, 0x0d, OID_SHA2, hash,   \
			NULLED, 0xa1, 0x1c, 0x30, 0x1a, OID_PKCS1, 0x08, 0x30, 0x0d, OID_SHA2,     \
			hash, NULLED, 0xa2, 0x03, 0x02, 0x01, salt                                 \
	}

static const uint8_t ecdsa_sha256[] = {0x30, 0x0a, OID_ECDSA, 0x02};
static const uint8_t ecdsa_sha384[] = {0x30, 0x0a, OID_ECDSA, 0x03};
static const uint8_t ecdsa_sha512[] = {0x30, 0x0a, OID_ECDSA, 0x04};
static const uint8_t rsa_sha256[] = {0x30, 0x0d, OID_PKCS1, 0x0b, NULLED};
static const uint8_t rsa_sha384[] = {0x30, 0x0d, OID_PKCS1, 0x0c, NULLED};
static const uint8_t rsa_sha512[] = {0x30, 0x0d, OID_PKCS1, 0x0d, NULLED};
static const uint8_t pss_sha256[] = PSS(0x01, 0x20);
static const uint8_t pss_sha384[] = PSS(0x02, 0x30);
static const uint8_t pss_sha512[] = PSS(0x03, 0x40);
static const uint8_t ed25519[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
static const uint8_t ml_dsa_44[] = {0x30, 0x0b, OID_ML_DSA, 0x11};
static const uint8_t ml_dsa_65[] = {0x30, 0x0b, OID_ML_DSA, 0x12};
static const uint8_t ml_dsa_87[] = {0x30, 0x0b, OID_ML_DSA, 0x13};
static const uint8_t p256[] = {0x30, 0x13, OID_EC, 0x06, 0x08, 0x2a, 0x86,
			       0x48, 0xce, 0x3d,   0x03, 0x01, 0x07};
static const uint8_t p384[] = {0x30, 0x10, OID_EC, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t p521[] = {0x30, 0x10, OID_EC, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};
static const uint8_t rsa[] = {0x30, 0x0d, OID_PKCS1, 0x01, NULLED};

#define VIEW(bytes)                                                                                \
	{                                                                                          \
		bytes, sizeof(bytes)                                                               \
	}

static const struct kt_der_view signatures[KT_SIG_COUNT] = {
	[KT_SIG_ECDSA_SHA256] = VIEW(ecdsa_sha256), [KT_SIG_ECDSA_SHA384] = VIEW(ecdsa_sha384),
	[KT_SIG_ECDSA_SHA512] = VIEW(ecdsa_sha512), [KT_SIG_RSA_SHA256] = VIEW(rsa_sha256),
	[KT_SIG_RSA_SHA384] = VIEW(rsa_sha384),	    [KT_SIG_RSA_SHA512] = VIEW(rsa_sha512),
	[KT_SIG_PSS_SHA256] = VIEW(pss_sha256),	    [KT_SIG_PSS_SHA384] = VIEW(pss_sha384),
	[KT_SIG_PSS_SHA512] = VIEW(pss_sha512),	    [KT_SIG_ED25519] = VIEW(ed25519),
	[KT_SIG_ML_DSA_44] = VIEW(ml_dsa_44),	    [KT_SIG_ML_DSA_65] = VIEW(ml_dsa_65),
	[KT_SIG_ML_DSA_87] = VIEW(ml_dsa_87),
};

/* len: of the key's bytes, where the type has but one. */
static const struct {
	struct kt_der_view algorithm;
	size_t len;
} keys[] = {
	[KT_KEY_P256] = {VIEW(p256), 65},
	[KT_KEY_P384] = {VIEW(p384), 97},
	[KT_KEY_P521] = {VIEW(p521), 133},
	[KT_KEY_RSA] = {VIEW(rsa), 0},
	[KT_KEY_ED25519] = {VIEW(ed25519), 32},
	[KT_KEY_ML_DSA_44] = {VIEW(ml_dsa_44), 1312},
	[KT_KEY_ML_DSA_65] = {VIEW(ml_dsa_65), 1952},
	[KT_KEY_ML_DSA_87] = {VIEW(ml_dsa_87), 2592},
};

enum kt_signature_algorithm kt_algorithm_of_signature(struct kt_der_view algorithm)
{
	for (unsigned int i = KT_SIG_UNKNOWN + 1; i < KT_SIG_COUNT; i++)
		if (kt_der_equal(algorithm, signatures[i]))
			return (enum kt_signature_algorithm)i;
	return KT_SIG_UNKNOWN;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static enum kt_key_type type_of(struct kt_der_view algorithm)
{
	for (unsigned int i = KT_KEY_UNKNOWN + 1; i < sizeof keys / sizeof keys[0]; i++)
		if (kt_der_equal(algorithm, keys[i].algorithm))
			return (enum kt_key_type)i;
	return KT_KEY_UNKNOWN;
}

static bool is_curve(enum kt_key_type type)
{
	return type == KT_KEY_P256 || type == KT_KEY_P384 || type == KT_KEY_P521;
}

static bool is_positive_odd(struct kt_der_view integer)
{
	return kt_der_is_integer(integer) && !(integer.data[0] & 0x80) &&
	       (integer.data[integer.len - 1] & 1);
}

static unsigned int count_bits(struct kt_der_view integer)
{
	unsigned int bits;

	while (integer.len && integer.data[0] == 0) {
		integer.data++;
		integer.len--;
	}
	bits = (unsigned int)integer.len * 8;
	for (uint8_t top = integer.len ? integer.data[0] : 0xff; !(top & 0x80); top <<= 1)
		bits--;
	return bits;
}

/* RSAPublicKey ::= SEQUENCE { modulus, publicExponent } (RFC 8017 §A.1.1) */
static unsigned int rsa_bits(struct kt_der_view bytes)
{
	struct kt_der_item sequence, modulus, exponent;

	if (!kt_der_expect(&bytes, KT_DER_SEQUENCE, &sequence) || bytes.len ||
	    !kt_der_expect(&sequence.content, KT_DER_INTEGER, &modulus) ||
	    !kt_der_expect(&sequence.content, KT_DER_INTEGER, &exponent) || sequence.content.len)
		return 0;
	if (!is_positive_odd(modulus.content) || !is_positive_odd(exponent.content) ||
	    count_bits(exponent.content) > EXPONENT_BITS_MAX || count_bits(exponent.content) < 2)
		return 0;
	return count_bits(modulus.content);
}

static void check_size(struct kt_key *key)
{
	size_t len = keys[key->type].len;

	if (key->type == KT_KEY_RSA) {
		key->bits = rsa_bits(key->bytes);
		if (key->bits < RSA_BITS_MIN || key->bits > RSA_BITS_MAX)
			key->type = KT_KEY_UNKNOWN;
	} else if (key->bytes.len != len || (is_curve(key->type) && key->bytes.data[0] != 0x04)) {
		key->type = KT_KEY_UNKNOWN;
	}
}

struct kt_key kt_algorithm_of_key(struct kt_der_view spki)
{
	struct kt_key key = {.spki = spki};
	struct kt_der_item sequence, algorithm, bytes;

	if (!kt_der_expect(&spki, KT_DER_SEQUENCE, &sequence) ||
	    !kt_der_expect(&sequence.content, KT_DER_SEQUENCE, &algorithm) ||
	    !kt_der_expect(&sequence.content, KT_DER_BIT_STRING, &bytes) || !bytes.content.len ||
	    bytes.content.data[0] != 0)
		return key;
	key.type = type_of(algorithm.tlv);
	key.bytes = (struct kt_der_view){bytes.content.data + 1, bytes.content.len - 1};
	if (key.type != KT_KEY_UNKNOWN)
		check_size(&key);
	return key;
}

bool kt_algorithm_fits(enum kt_signature_algorithm algorithm, enum kt_key_type type)
{
	switch (algorithm) {
	case KT_SIG_ECDSA_SHA256:
	case KT_SIG_ECDSA_SHA384:
	case KT_SIG_ECDSA_SHA512:
		return is_curve(type);
	case KT_SIG_RSA_SHA256:
	case KT_SIG_RSA_SHA384:
	case KT_SIG_RSA_SHA512:
	case KT_SIG_PSS_SHA256:
	case KT_SIG_PSS_SHA384:
	case KT_SIG_PSS_SHA512:
		return type == KT_KEY_RSA;
	case KT_SIG_ED25519:
		return type == KT_KEY_ED25519;
	case KT_SIG_ML_DSA_44:
		return type == KT_KEY_ML_DSA_44;
	case KT_SIG_ML_DSA_65:
		return type == KT_KEY_ML_DSA_65;
	case KT_SIG_ML_DSA_87:
		return type == KT_KEY_ML_DSA_87;
	default:
		return false;
	}
}
