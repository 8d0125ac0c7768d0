/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Public keys of issuers, decoded.
 *
 * Decoding a key as OpenSSL 3.0 does for a certificate costs several signature checks, so keys are
 * decoded by the older calls (EC_KEY, RSA), a tenth of it, and those of issuers that vouched for an
 * accepted peer are kept, whatever pool they came with: decoding is a pure function of the bytes.
 *
 * A key that a refused peer brought is gone with kt_keys_settle, so that nobody displaces what is
 * kept by sending certificates of his own making.
 *
 * Threads: no locks, belongs to the one thread of its verifier.
 */
#ifndef KTRUST_VERIFY_KEYS_H
#define KTRUST_VERIFY_KEYS_H

#include <ktrust/error.h>
#include <openssl/types.h>

#include "algorithm.h"

/* One of the three is set, by type. */
struct kt_public_key {
	enum kt_key_type type;
	EC_KEY *ec;    /* P-256, P-384, P-521 */
	RSA *rsa;      /* RSA */
	EVP_PKEY *evp; /* the others */
};

struct kt_keys;

/* NULL: out of memory. Freed by kt_keys_free, which accepts NULL. */
struct kt_keys *kt_keys_new(void);
void kt_keys_free(struct kt_keys *keys);

/*
 * The key decoded; borrowed until kt_keys_settle, or until KT_KEYS_GUESTS others were asked for.
 * NULL: it is no key of its type (a point off the curve, say), this OpenSSL does not know the type,
 * or there is no memory (then OpenSSL's error queue says so).
 */
#define KT_KEYS_GUESTS 16
const struct kt_public_key *kt_keys_get(struct kt_keys *keys, const struct kt_key *key);

/* The end of a decision: keep this one of those that were decoded for it. Not kept: no memory. */
void kt_keys_keep(struct kt_keys *keys, const struct kt_key *key);
/* Forget what was decoded and not kept. */
void kt_keys_settle(struct kt_keys *keys);

#endif
