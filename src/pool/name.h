/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparison of distinguished names (RFC 5280 §7.1), and a hash that agrees with it.
 *
 * Two Names are equal when they have equal RDNs in the same order; RDNs are equal as sets of
 * attributes; attributes are equal when their types are and their values compare equal:
 *
 *   Values of the types UTF8String, PrintableString, IA5String, TeletexString (read as Latin-1),
 *   BMPString and UniversalString compare as text, whatever the type, code point by code point,
 *   after white space (space, \t, \n, \v, \f, \r) was dropped at both ends and each inner run of it
 *   became one space, and A-Z became a-z. Letters beyond ASCII are not folded. This is the
 *   comparison of OpenSSL's X509_NAME_cmp.
 *
 *   Values of other types, and text that its type cannot hold (bad UTF-8, surrogates), compare
 *   as DER.
 *
 * RDNs of more than KT_NAME_SET_MAX attributes are equal only if their DER is, so that a hostile
 * name costs linear time.
 *
 * Nothing is allocated, nothing can fail; any thread. Bytes that are not a Name (see
 * kt_scan_is_name) equal only themselves.
 */
#ifndef KT_POOL_NAME_H
#define KT_POOL_NAME_H

#include "der.h"

#define KT_NAME_SET_MAX 16

bool kt_name_equal(struct kt_der_view a, struct kt_der_view b);

/* Does name begin with the RDNs of base, in its order (a subtree: RFC 5280 §4.2.1.10)? */
bool kt_name_is_within(struct kt_der_view name, struct kt_der_view base);

/*
 * Could a reader take it so? For who must not let one pass: false only where an RDN certainly
 * differs, and that it can by printable ASCII alone. Of letters beyond it, of control characters
 * (RFC 4518 drops them) and of values of other types, readers differ in what they take for equal
 * (RFC 5280 §7.1: case, and compatible forms such as a letter of another width); then that the
 * attribute's type is the same is enough.
 */
bool kt_name_may_be_within(struct kt_der_view name, struct kt_der_view base);

/*
 * A Name, none of whose RDNs has more than KT_NAME_SET_MAX attributes, and whose text its types can
 * hold.
 */
bool kt_name_is_comparable(struct kt_der_view name);

/* Equal names have equal hashes. Unkeyed and the same on every host: it is stored in images. */
uint64_t kt_name_hash(struct kt_der_view name);

/* ---- Attributes ---------------------------------------------------------------------------- */

struct kt_name_attribute {
	struct kt_der_view type; /* content of the OID */
	struct kt_der_item value;
};

/* What is left of a Name, attribute by attribute, whatever RDN each is in. */
struct kt_name_walk {
	struct kt_der_view sequence;
	struct kt_der_view set;
};

/* Of bytes that are not a Name: nothing to walk through. */
struct kt_name_walk kt_name_walk(struct kt_der_view name);
bool kt_name_walk_next(struct kt_name_walk *walk, struct kt_name_attribute *ret_attribute);

/*
 * The next code point of a value's content, read as its tag says. -1: the end; -2: it is no text,
 * or not in its type; then the rest means nothing.
 */
int32_t kt_name_next_code_point(struct kt_der_view *in, uint8_t tag);

/* Is it well-formed UTF-8? */
bool kt_name_is_utf8(struct kt_der_view text);

/* Is a value this text, compared as above? text: well-formed UTF-8. */
bool kt_name_value_is(const struct kt_der_item *value, struct kt_der_view text);

#endif
