/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A URI as certificates have it (RFC 5280 §4.2.1.6): absolute, of the characters of RFC 3986.
 *
 * An authority is a host and perhaps a port; credentials in front of them have no place in a name,
 * and readers differ about where they end: not taken.
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_URI_H
#define KTRUST_VERIFY_URI_H

#include "../pool/der.h"

struct kt_uri {
	struct kt_der_view scheme; /* without the colon */
	struct kt_der_view host;   /* of the authority, in its brackets; data NULL: none */
	struct kt_der_view rest;   /* behind the host: port, path, query, fragment */
};

bool kt_uri_read(struct kt_der_view text, struct kt_uri *ret_uri);

/*
 * Scheme and host but for case (RFC 5280 §7.4), everything else byte for byte: nothing is decoded,
 * no default port is left out, no path resolved. SPIFFE asks for no more (SPIFFE-ID §2).
 */
bool kt_uri_equal(const struct kt_uri *a, const struct kt_uri *b);

#endif
