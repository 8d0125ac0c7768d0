/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the rest of the room knows of an anchor set beyond ktrust/pool.h: its anchors in the order
 * they came in, and how to take the latest back.
 *
 * One thread at a time. The DER moves when the set grows: pointers into it live until the next
 * kt_anchor_set_add_….
 */
#ifndef KT_POOL_SET_H
#define KT_POOL_SET_H

#include <ktrust/pool.h>

#include "image.h"

/* Entry number index as it will stand in an image, but for der_offset, which counts in set_der. */
const struct kt_image_entry *kt_set_entry(const struct kt_anchor_set *set, size_t index);
const uint8_t *kt_set_der(const struct kt_anchor_set *set);
size_t kt_set_der_len(const struct kt_anchor_set *set);

/* Drop the latest anchors until count are left. */
void kt_set_take_back(struct kt_anchor_set *set, size_t count);

#endif
