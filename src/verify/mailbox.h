/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail address of ASCII as certificates have it (RFC 5280 §4.2.1.6, RFC 5321 §4.1.2): a
 * Dot-string of at most 64 bytes, one '@', a host name (host.h).
 *
 * Quoted local parts, addresses in brackets and comments are not taken, nor is SmtpUTF8Mailbox (RFC
 * 9598). A wildcard has no meaning here: '*' is a character like any other.
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_MAILBOX_H
#define KTRUST_VERIFY_MAILBOX_H

#include "../pool/der.h"

struct kt_mailbox {
	struct kt_der_view local;
	struct kt_der_view host;
};

bool kt_mailbox_read(struct kt_der_view text, struct kt_mailbox *ret_mailbox);

/* RFC 5280 §7.5: the local part byte for byte, the host but for case. */
bool kt_mailbox_equal(const struct kt_mailbox *a, const struct kt_mailbox *b);

#endif
