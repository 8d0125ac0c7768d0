/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deciding about certificates that are decoded already: the way in for the tls room, whose libssl
 * has parsed the peer's list before it asks.
 *
 * Ours reads the bytes, libssl goes on with what it decoded: the key that CertificateVerify is
 * checked with is libssl's. So the two readings are compared, byte by byte: a leaf whose
 * SubjectPublicKeyInfo, or whole, is not what libssl holds is refused as malformed. (Where the
 * bytes are kept with the certificate, x509_der.h, that was done once, before.)
 *
 * Threads, caches, what is checked: as kt_verify.
 */
#ifndef KTRUST_VERIFY_X509_H
#define KTRUST_VERIFY_X509_H

#include <ktrust/verify.h>
#include <openssl/x509.h>

/*
 * leaf NULL: KT_NO_CERTIFICATE. untrusted may be NULL, may begin with the leaf (as libssl's chains
 * do), and holds no NULL. Both are borrowed; extensions are cached in them. Empties OpenSSL's error
 * queue of the thread. Always fills ret_verdict and returns its code.
 */
enum kt_verdict_code kt_verify_x509(struct kt_verifier *verifier,
				    const struct kt_snapshot *snapshot, X509 *leaf,
				    STACK_OF(X509) * untrusted, const struct kt_query *query,
				    struct kt_verdict *ret_verdict);

/* The same where the bytes are at hand; x509s[i] is chain->certs[i] decoded, or NULL. */
enum kt_verdict_code kt_verify_decoded(struct kt_verifier *verifier,
				       const struct kt_snapshot *snapshot,
				       const struct kt_chain *chain, X509 *const *x509s,
				       const struct kt_query *query,
				       struct kt_verdict *ret_verdict);

#endif
