/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A certificate's DER kept with the certificate, for those that are met again and again: libcrypto
 * keeps only parts of it, and encodes the whole anew each time it is asked.
 *
 * Threads: keeping is for whoever alone knows the certificate; what is kept may be read by any.
 */
#ifndef KTRUST_VERIFY_X509_DER_H
#define KTRUST_VERIFY_X509_DER_H

#include <stdbool.h>

#include <ktrust/verify.h>
#include <openssl/x509.h>

/*
 * Is the key that we read in these bytes the one that libcrypto decoded? True too where we can read
 * none: whoever verifies them refuses them for that.
 */
bool kt_x509_is_key_of(const X509 *x509, const struct kt_der *der);

/*
 * From now on it is not to be changed. False: it cannot be encoded, or not to bytes with its key in
 * them (kt_x509_is_key_of), or there is no memory; nothing is kept. True, too, where it was kept
 * before.
 */
bool kt_x509_keep_der(X509 *x509);

/* Borrowed from the certificate, as long as that lives. data NULL: none is kept. */
struct kt_der kt_x509_kept_der(const X509 *x509);

#endif
