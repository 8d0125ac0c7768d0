/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The algorithms that are accepted in certificates: by exact DER, since each has one encoding.
 *
 * Signatures: ECDSA and RSASSA-PKCS1-v1_5 with SHA-256, -384, -512 (RFC 5758, RFC 4055), RSASSA-PSS
 * with the same hash in its mask and a salt as long as the hash (RFC 4055 §3.1; CA/Browser Baseline
 * Requirements §7.1.3.2.1), Ed25519 (RFC 8410), ML-DSA (RFC 9881). Keys: P-256, P-384, P-521,
 * uncompressed; RSA of 2,048 to 8,192 bits, its exponent odd, from 3, of up to 33 bits; Ed25519;
 * ML-DSA. No SHA-1, no MD5, no DSA, no explicit curves.
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_ALGORITHM_H
#define KTRUST_VERIFY_ALGORITHM_H

#include <stdbool.h>
#include <stdint.h>

#include "../pool/der.h"

enum kt_signature_algorithm {
	KT_SIG_UNKNOWN, /* not among the accepted */
	KT_SIG_ECDSA_SHA256,
	KT_SIG_ECDSA_SHA384,
	KT_SIG_ECDSA_SHA512,
	KT_SIG_RSA_SHA256,
	KT_SIG_RSA_SHA384,
	KT_SIG_RSA_SHA512,
	KT_SIG_PSS_SHA256,
	KT_SIG_PSS_SHA384,
	KT_SIG_PSS_SHA512,
	KT_SIG_ED25519,
	KT_SIG_ML_DSA_44,
	KT_SIG_ML_DSA_65,
	KT_SIG_ML_DSA_87,
	KT_SIG_COUNT
};

enum kt_key_type {
	KT_KEY_UNKNOWN, /* not among the accepted, or not the form its algorithm has */
	KT_KEY_P256,
	KT_KEY_P384,
	KT_KEY_P521,
	KT_KEY_RSA,
	KT_KEY_ED25519,
	KT_KEY_ML_DSA_44,
	KT_KEY_ML_DSA_65,
	KT_KEY_ML_DSA_87,
};

struct kt_key {
	enum kt_key_type type;
	unsigned int bits;	  /* RSA: of the modulus, even where type is unknown for its size */
	struct kt_der_view spki;  /* DER SubjectPublicKeyInfo */
	struct kt_der_view bytes; /* the BIT STRING's: point, RSAPublicKey, raw key */
};

/* What an AlgorithmIdentifier (DER) of a signature names. */
enum kt_signature_algorithm kt_algorithm_of_signature(struct kt_der_view algorithm);

/* What a SubjectPublicKeyInfo, whose form has been checked, holds. Never fails: see type. */
struct kt_key kt_algorithm_of_key(struct kt_der_view spki);

/* Can a key of this type have made a signature of this kind? ECDSA: any curve with any hash. */
bool kt_algorithm_fits(enum kt_signature_algorithm algorithm, enum kt_key_type type);

#endif
