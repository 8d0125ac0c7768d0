/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to call a certificate by its subject. Pure, any thread.
 */
#ifndef KTRUST_VERIFY_SUBJECT_H
#define KTRUST_VERIFY_SUBJECT_H

#include "../pool/der.h"

/*
 * The subject's common name, else its organizational unit, else its organization, else "?", as
 * UTF-8 with '?' for control characters, NUL-terminated; cut between characters to fit size bytes.
 */
void kt_subject_print(struct kt_der_view subject, char *buf, size_t size);

#endif
