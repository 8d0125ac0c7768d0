/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoded anchors by fingerprint. Decoding a certificate costs more than checking its signature,
 * so a verifier keeps those it used.
 *
 * The cache is no source of trust: callers ask with an anchor they just found in a snapshot, and
 * a hit is given only when the fingerprint is the same. What left the snapshot may stay in here,
 * unreachable, until its slot is needed.
 *
 * Threads: no locks, belongs to the one thread of its verifier.
 */
#ifndef KTRUST_VERIFY_ANCHOR_CACHE_H
#define KTRUST_VERIFY_ANCHOR_CACHE_H

#include <ktrust/anchor.h>
#include <openssl/types.h>

struct kt_anchor_cache;

/* NULL: out of memory. Freed by kt_anchor_cache_free, which accepts NULL. */
struct kt_anchor_cache *kt_anchor_cache_new(void);
void kt_anchor_cache_free(struct kt_anchor_cache *cache);

/*
 * The anchor decoded, its extensions parsed (X509_check_purpose(x, -1, 0)). The caller gets a
 * reference of its own. NULL: OpenSSL cannot read it, or reads it as other bytes than those the
 * snapshot holds, or there is no memory (then OpenSSL's error queue says so).
 */
X509 *kt_anchor_cache_get(struct kt_anchor_cache *cache, const struct kt_anchor *anchor);

#endif
