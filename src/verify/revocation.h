/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Revocation by the CRLs of a snapshot (RFC 5280 §6.3): complete ones, and those of an issuing
 * distribution point, of their own issuer.
 *
 * What is checked is every certificate of a path but the anchor: trust in that is the pool's own.
 * A certificate passes where no CRL of the snapshot is about it: none has its issuer's name, or
 * they are for CAs alone and it is none, or the reverse. Else it passes only if one of them was
 * signed by the issuer's key (and its key usage, where present, allows cRLSign), is for its
 * distribution point, is current, and none of those that were lists it:
 *
 *   revoked       a CRL that verifies lists it, current or not
 *   crl_invalid   none verifies with the issuer's key, is for its distribution point and has begun
 *   crl_expired   all that do are past their nextUpdate, and the policy is KT_CRL_REFUSE
 *
 * What was learned of a CRL (where each serial number is, which key signed it) is kept while one of
 * the snapshots asked about last has it (crl_memory.h).
 *
 * Threads: no locks; a struct kt_revocation belongs to the one thread of its verifier.
 */
#ifndef KTRUST_VERIFY_REVOCATION_H
#define KTRUST_VERIFY_REVOCATION_H

#include "path.h"

struct kt_revocation;

/* When an acceptance holds: seconds since the epoch, both included. */
struct kt_window {
	int64_t from;
	int64_t to;
};

/* NULL: out of memory. Freed by kt_revocation_free, which accepts NULL. */
struct kt_revocation *kt_revocation_new(void);
void kt_revocation_free(struct kt_revocation *revocation);

/*
 * KT_FINE, and the window is narrowed to when these CRLs say the same; or one of the above;
 * KT_RULE_INTERNAL: no memory. use_cache: may signatures be remembered (signer.h)?
 */
struct kt_finding kt_revocation_check(struct kt_revocation *revocation, struct kt_signer *signer,
				      const struct kt_path *path,
				      const struct kt_snapshot *snapshot, int64_t time,
				      bool use_cache, struct kt_window *window);

#endif
