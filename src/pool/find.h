/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding anchors of a snapshot by a name whose hash is known, for who looks the same name up again
 * and again: kt_snapshot_find_subject hashes it at each call. Any thread.
 */
#ifndef KT_POOL_FIND_H
#define KT_POOL_FIND_H

#include <ktrust/pool.h>

#include "der.h"

/*
 * As kt_snapshot_find_subject; hash: kt_name_hash(name). An anchor whose subject has another hash
 * is not looked at, so that a call costs one comparison of names for each that has this one.
 */
KT_WARN_UNUSED int kt_snapshot_find_hashed(const struct kt_snapshot *snapshot,
					   struct kt_der_view name, uint64_t hash, size_t *cursor,
					   struct kt_anchor *ret_anchor);

#endif
