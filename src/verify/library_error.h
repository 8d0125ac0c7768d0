/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What OpenSSL says, in our words. No state, any thread.
 */
#ifndef KTRUST_VERIFY_LIBRARY_ERROR_H
#define KTRUST_VERIFY_LIBRARY_ERROR_H

#include <ktrust/verify.h>

/* X509_V_OK is KT_ACCEPTED; an error that the table does not know is KT_INTERNAL. */
enum kt_verdict_code kt_verify_code_of_library(int x509_v_err);

#endif
