/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Revocation by the CRLs of a snapshot (RFC 5280 §6.3, complete CRLs of their own issuer).
 *
 * What is checked is every certificate of a path but the anchor: trust in that is the pool's own.
 * A certificate whose issuer has no CRL in the snapshot passes. Once there is a CRL of that name,
 * the certificate passes only if one of them was signed by the issuer's key (and its key usage,
 * where present, allows cRLSign), is current, and none of those that were lists it:
 *
 *   revoked       a CRL that verifies lists it, current or not
 *   crl_invalid   CRLs of that name are there, but none verifies with the issuer's key and has
 * begun crl_expired   all that verify are past their nextUpdate, and the policy is KT_CRL_REFUSE
 *
 * Decoded CRLs, and whether the key that was asked about last signed each, are kept for as long as
 * they are in the snapshot.
 *
 * Threads: no locks; a cache belongs to the one thread of its verifier.
 */
#ifndef KTRUST_VERIFY_REVOCATION_H
#define KTRUST_VERIFY_REVOCATION_H

#include <ktrust/verify.h>

#include "path.h"

struct kt_crl_cache;

/* NULL: out of memory. Freed by kt_crl_cache_free, which accepts NULL. */
struct kt_crl_cache *kt_crl_cache_new(void);
void kt_crl_cache_free(struct kt_crl_cache *cache);

/* KT_ACCEPTED or one of the above, and the depth of the certificate; KT_INTERNAL and -1: no memory.
 */
enum kt_verdict_code kt_revocation_check(struct kt_crl_cache *cache, const struct kt_path *path,
					 const struct kt_snapshot *snapshot, int64_t time,
					 int *ret_depth);

#endif
