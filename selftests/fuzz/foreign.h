/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What we read of a certificate and libcrypto does not, and so refuses:
 *
 *   - in a Name, in an algorithm's parameters, in a GeneralName of a type that is looked at nowhere
 *     any DER is taken by us, since it is compared as bytes; libcrypto wants types it knows
 *   - extensions that it knows and we do not (RFC 3779, proxies, Netscape's) may be malformed
 */
#ifndef KTRUST_FUZZ_FOREIGN_H
#define KTRUST_FUZZ_FOREIGN_H

#include <openssl/types.h>

#include "../../src/verify/cert.h"

/* Is there such a part in it, so that libcrypto cannot read it as a whole? */
bool foreign_in_form(const struct kt_cert *cert);

/* May there be one in its extensions? */
bool foreign_in_extensions(X509 *x509);

#endif
