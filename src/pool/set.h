/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the rest of the room knows of an anchor set beyond ktrust/source.h: what is in it, in the
 * order it came in, and how to go back to an earlier state.
 *
 * One thread at a time. DER and names move when the set grows: pointers into them live until the
 * next kt_anchor_set_add_….
 */
#ifndef KT_POOL_SET_H
#define KT_POOL_SET_H

#include <ktrust/source.h>

#include "image.h"

/*
 * Entry number index as it will stand in an image, but for der_offset, which counts in
 * kt_set_bytes(…)->der, and names_offset, which counts in …->names.
 */
const struct kt_image_entry *kt_set_entry(const struct kt_anchor_set *set, size_t index);
const struct kt_image_crl *kt_set_crl(const struct kt_anchor_set *set, size_t index);
enum kt_crl_policy kt_set_crl_policy(const struct kt_anchor_set *set);

/* About so many bytes of DER are to come: less moving while they do. Reserves, uses nothing. */
void kt_set_expect(struct kt_anchor_set *set, size_t der_len);

struct kt_set_bytes {
	const uint8_t *der; /* of anchors */
	size_t der_len;
	const char *names; /* each NUL-terminated; what a merge replaced is still there */
	const uint8_t *crl_der;
	size_t crl_der_len;
};

struct kt_set_bytes kt_set_bytes(const struct kt_anchor_set *set);

/* Of an entry of this set; "" where there are none. */
const char *kt_set_names(const struct kt_anchor_set *set, const struct kt_image_entry *entry);

/*
 * A state to go back to. Going back to it undoes all that was added or merged since; marks taken in
 * between are void then. What costs memory is each merge that changed an anchor's constraints.
 */
struct kt_set_mark {
	size_t anchors, merges, crls, names;
};

struct kt_set_mark kt_set_mark(const struct kt_anchor_set *set);
void kt_set_go_back(struct kt_anchor_set *set, const struct kt_set_mark *mark);

#endif
