/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certificates that stay decoded from one handshake to the next.
 *
 * libssl decodes every certificate a peer sends, in each handshake anew; with OpenSSL 3.0 that
 * takes longer than the handshake's signatures. It asks libcrypto's d2i_X509 to, and a program that
 * defines a function of this name is asked in its place (asn1_x509.c, which ktrustd links; nothing
 * else does). This is where that function looks first.
 *
 *   handshake ─► kt_decoded_begin ─► SSL_do_handshake ─► kt_decoded_end
 *                                       └─► d2i_X509 ─► kt_decoded_find
 *   accepted  ─► kt_decoded_keep
 *
 * What is found was decoded from exactly these bytes by libcrypto: this saves work and decides
 * nothing. Only certificates of accepted peers are kept, so that nobody else can fill it. It is
 * bounded by their number and size (KT_DECODED_BYTES_MAX); of each set of places the one used least
 * gives way.
 *
 * Threads: any, together; a place is locked for as long as it takes to compare and to count a
 * reference. What is kept is shared by all and changed by none.
 */
#ifndef KT_TLS_DECODED_H
#define KT_TLS_DECODED_H

#include <openssl/x509.h>

#include <ktrust/tls.h>

#define KT_DECODED_BYTES_MAX 8192 /* of a certificate's DER; larger ones are not kept */

/* What one handshake has looked for, from its first begin to its last end. Begins as zeros. */
struct kt_decoded_look {
	bool missed;	     /* something was looked for, and not here */
	const EVP_PKEY *key; /* of the first that was found: a peer's own comes first */
};

/*
 * In this thread, until kt_decoded_end, kt_decoded_find looks here, for the handshake that look
 * belongs to. NULL: nowhere.
 */
void kt_decoded_begin(struct kt_tls_certificates *certificates, struct kt_decoded_look *look);
/* No more looking: all of the peer's certificates are there. */
void kt_decoded_stop(void);
void kt_decoded_end(void);

/* A reference for the caller to free; NULL: it is not here, or nobody looks. */
X509 *kt_decoded_find(const uint8_t *der, size_t len);

/*
 * Is it the key of the peer's certificate, found here? Then it is decoded once for all handshakes,
 * and has one address.
 */
bool kt_decoded_has_key(const EVP_PKEY *pkey);

/*
 * Keep it, if it is not here yet and there is room. It is one that was found here, or one that
 * nobody else knows: its DER is kept with it.
 */
void kt_decoded_keep(struct kt_tls_certificates *certificates, X509 *x509);

#endif
