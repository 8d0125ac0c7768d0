/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host names in ASCII, as text: their syntax, and who is below whom.
 *
 * A host name is one or more labels with dots between them: letters, digits and hyphens, no hyphen
 * at either end, 1 to 63 bytes each, 253 in all ("preferred name syntax": RFC 1034 §3.5, RFC 1123
 * §2.1). No dot at the end, no wildcard. Case does not count. What else a name may be, an A-label
 * or an address in disguise, is not looked at but where said.
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_HOST_H
#define KTRUST_VERIFY_HOST_H

#include "../pool/der.h"

#define KT_HOST_MAX	  253 /* bytes */
#define KT_HOST_LABEL_MAX 63

bool kt_host_is_name(struct kt_der_view text);

/* The same with underscores as letters, as hosts outside the web have them. */
bool kt_host_is_loose_name(struct kt_der_view text);

/* Is the last label of digits only? It is then no domain: an address, or the ruin of one. */
bool kt_host_is_numeric(struct kt_der_view host);

/* Takes the first label, and the dot behind it, off the front. False: nothing is left. */
bool kt_host_next_label(struct kt_der_view *host, struct kt_der_view *ret_label);

/* "*.D" becomes D. False, and nothing changed: it does not begin with a wildcard. */
bool kt_host_strip_wildcard(struct kt_der_view *name);

/* ASCII, but for case; any text. */
bool kt_host_equal(struct kt_der_view a, struct kt_der_view b);

/* A host name in lower case, with a NUL behind it. */
void kt_host_copy_lower(struct kt_der_view host, char ret_text[static KT_HOST_MAX + 1]);

/* Zero or more labels, one or more labels, exactly one label in front of domain. */
bool kt_host_is_within(struct kt_der_view host, struct kt_der_view domain);
bool kt_host_is_below(struct kt_der_view host, struct kt_der_view domain);
bool kt_host_is_child(struct kt_der_view host, struct kt_der_view domain);

#endif
