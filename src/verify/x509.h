/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deciding about certificates that are decoded already: the way in for the tls room, whose
 * libssl has parsed the peer's list before it asks.
 *
 * Threads, caches, what is checked: as kt_verify. Differs from it in one thing: the bytes were
 * parsed by somebody else, so their form (strict DER, no trailing bytes) is not looked at.
 */
#ifndef KTRUST_VERIFY_X509_H
#define KTRUST_VERIFY_X509_H

#include <ktrust/verify.h>
#include <openssl/x509.h>

/*
 * leaf NULL: KT_NO_CERTIFICATE. untrusted may be NULL, may hold the leaf too (as libssl's chains
 * do), and counts against KT_CHAIN_MAX as a whole. Both are borrowed; extensions are cached in
 * them. Empties OpenSSL's error queue of the thread. Always fills ret_verdict and returns its code.
 */
enum kt_verdict_code kt_verify_x509(struct kt_verifier *verifier,
				    const struct kt_snapshot *snapshot, X509 *leaf,
				    STACK_OF(X509) * untrusted, const struct kt_query *query,
				    struct kt_verdict *ret_verdict);

#endif
