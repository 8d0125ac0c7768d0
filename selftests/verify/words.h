/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names in DER from words, for tests that have many of them.
 *
 * GeneralNames are words with a space between them:
 *
 *	DNS:example.test  EMAIL:a@b.test  URI:spiffe://b.test/x  IP:192.0.2.1  IP:192.0.2.0/24
 *	DN:CN=a,O=b+C=c   OTHER: X400: EDI: RID: (one example of each)   HEX:8201ff (as it is)
 *
 * A distinguished name is attributes, each in an RDN of its own behind ",", in the same one behind
 * "+". CN, O, OU, L, ST and UID are UTF8String, C, SN (a serialNumber) and PCN (a commonName)
 * PrintableString, TCN T61String, E (an emailAddress) IA5String, UE UTF8String. Values have no
 * spaces, but where a name stands alone; nothing is checked.
 *
 * All return false where they do not understand, or have no room. No state.
 */
#ifndef KTRUST_SELFTESTS_WORDS_H
#define KTRUST_SELFTESTS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_MAX 16384 /* bytes */

struct words_der {
	uint8_t bytes[WORDS_MAX];
	size_t len;
};

/* GeneralNames, and GeneralSubtrees: what is in the SEQUENCE, which may be nothing. */
bool words_names(const char *words, struct words_der *ret_der);
bool words_subtrees(const char *words, struct words_der *ret_der);

/* A Name, from what stands behind "DN:" above. */
bool words_name(const char *text, struct words_der *ret_der);

#endif
