/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What OpenSSL out of the box says of a case, to a program that is careful with it.
 *
 * Threads: none in common.
 */
#ifndef KTRUST_SELFTESTS_CASE_OPENSSL_H
#define KTRUST_SELFTESTS_CASE_OPENSSL_H

#include "case_file.h"

/*
 * X509_verify_cert with purpose, name, time and security level 2, and with CRL_CHECK_ALL where
 * there are CRLs; that one is missing, or is about others, is let pass, as ours does. It has no
 * function for a name that is a URI: that is not asked. ret_why: in its own words; static storage.
 */
bool case_openssl_accepts(const struct verify_case *asked, const char **ret_why);

#endif
