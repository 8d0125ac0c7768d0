/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signatures that were begun once. For each that a server makes libcrypto finds out anew how its
 * key signs, which takes half as long as the signature itself; a copy of one that has been given
 * nothing to sign yet (EVP_MD_CTX_copy_ex in EVP_DigestInit(3)) is all that is needed.
 *
 *   handshake ─► kt_signing_begin ─► SSL_do_handshake ─► kt_signing_end
 *                                       └─► EVP_DigestSignInit_ex ─► kt_signing_copy, else _keep
 *
 * It is kept with the credentials whose key it signs with, and goes when they go: a key is not held
 * by it for a moment longer.
 *
 * Threads: any, together. What is kept is not changed.
 */
#ifndef KT_TLS_SIGNING_H
#define KT_TLS_SIGNING_H

#include <stdbool.h>

#include <openssl/evp.h>

struct kt_credentials_group;
struct kt_signing;

/*
 * In this thread, until kt_signing_end, a server's handshake signs with a key of *group; that may
 * be NULL, and change meanwhile.
 */
void kt_signing_begin(const struct kt_credentials_group *const *group);
void kt_signing_end(void);

/*
 * Make context, which is new, what EVP_DigestSignInit_ex would with this key and digest. False: it
 * is new still; none is kept that could be copied, or there is no memory.
 */
bool kt_signing_copy(EVP_MD_CTX *context, const EVP_PKEY *key, const char *digest);

/*
 * Keep a copy of what EVP_DigestSignInit_ex has just made, if the key is one that this handshake
 * may sign with, libcrypto's own provider signs with it, and none is kept with it.
 */
void kt_signing_keep(const EVP_MD_CTX *context, const EVP_PKEY *key, const char *digest);

void kt_signing_free(struct kt_signing *signing); /* NULL is fine */

#endif
