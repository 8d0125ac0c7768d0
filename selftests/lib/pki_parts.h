/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of a certificate that pki_make puts together. Failures abort, as in pki.h.
 *
 * Threads: as struct pki.
 */
#ifndef KTRUST_SELFTESTS_PKI_PARTS_H
#define KTRUST_SELFTESTS_PKI_PARTS_H

#include "pki.h"

/* Prints its cause and aborts unless done. */
void pki_need(bool done, const char *what);

#define need(condition) pki_need(condition, #condition)

/* A new key; the caller frees it. */
EVP_PKEY *pki_new_key(enum pki_key kind);

/* Subject, and issuer: the issuer's subject, NULL: its own. */
void pki_set_names(X509 *x509, X509 *issuer, const struct pki_options *options);

/* issuer NULL: self-signed. */
void pki_add_extensions(X509 *x509, X509 *issuer, const struct pki_options *options);

void pki_sign(X509 *x509, EVP_PKEY *key, const struct pki_options *options);

#endif
