/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signatures over certificates and CRLs, checked by libcrypto.
 *
 * Whether a key made a signature is a pure function of bytes, so what was found right is remembered
 * for good where there is a kt_verify_cache: by the SHA-256 of algorithm, key, what was signed and
 * signature. What was found wrong is not.
 *
 * Threads: a kt_signer holds contexts and keys, and belongs to the one thread of its verifier.
 */
#ifndef KTRUST_VERIFY_SIGNER_H
#define KTRUST_VERIFY_SIGNER_H

#include <ktrust/verify.h>

#include "cert.h"
#include "keys.h"

struct kt_signed {
	enum kt_signature_algorithm algorithm;
	struct kt_der_view tbs;
	struct kt_der_view signature;
};

enum kt_signature_result {
	KT_SIGNATURE_RIGHT,
	KT_SIGNATURE_WRONG,  /* or the key is of another kind */
	KT_SIGNATURE_NO_KEY, /* the key cannot be decoded */
	KT_SIGNATURE_FAILED, /* no memory, or libcrypto failed */
};

/* What a check came to, and under which name it may be remembered. */
struct kt_signer_answer {
	enum kt_signature_result result;
	bool named; /* there is a name, and the cache does not have it yet */
	uint8_t name[KT_DIGEST_LEN];
};

struct kt_signer;

/* cache NULL: nothing is remembered. NULL: out of memory. kt_signer_free accepts NULL. */
struct kt_signer *kt_signer_new(struct kt_verify_cache *cache);
void kt_signer_free(struct kt_signer *signer);

/* The keys it decoded: to keep, to settle. */
struct kt_keys *kt_signer_keys(struct kt_signer *signer);

/* use_cache false: the cache is not asked. OpenSSL's error queue may be left filled. */
struct kt_signer_answer kt_signer_check(struct kt_signer *signer, const struct kt_signed *object,
					const struct kt_key *issuer, bool use_cache);

/*
 * Remember one that was right, of a path that was accepted or a CRL: a CA of one's own making has
 * right signatures too. lasting: of a CA or a CRL, met again and again.
 */
void kt_signer_remember(struct kt_signer *signer, const struct kt_signer_answer *signature,
			bool lasting);

static inline struct kt_signed kt_signed_of(const struct kt_cert *cert)
{
	return (struct kt_signed){cert->algorithm, cert->tbs, cert->signature};
}

#endif
