/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of CRLs, for as long as one of the snapshots has them that were asked about last.
 *
 * A verifier serves several pools, and each swap makes a snapshot more: so that none of them has a
 * large CRL gone through again when another had its turn, what is known is kept by the CRL's
 * fingerprint, once for all snapshots that hold it, and goes with the last of them. That costs four
 * bytes for each entry of a CRL that a certificate was looked up in.
 *
 * Threads: no locks; it belongs to the one thread of its verifier.
 */
#ifndef KTRUST_VERIFY_CRL_MEMORY_H
#define KTRUST_VERIFY_CRL_MEMORY_H

#include <ktrust/pool.h>

#include "../pool/scan.h"
#include "crl_serials.h"

#define KT_CRL_SNAPSHOTS 8 /* remembered, the one in use included */

/* One CRL. */
struct kt_known_crl {
	uint8_t fingerprint[KT_DIGEST_LEN];
	size_t holders; /* remembered snapshots that have it */
	bool scanned;
	struct kt_scan_crl crl;		/* once it is scanned; into the DER below */
	const uint8_t *der;		/* where the CRL was; only compared */
	struct kt_crl_serials *serials; /* NULL: nothing was looked up yet */
	uint8_t *spki;			/* of the key that is known to have signed it; NULL: none */
	size_t spki_len;
};

/* A snapshot's, in its order, which is that of fingerprints; NULL: the place is free. */
struct kt_crl_holder {
	uint8_t digest[KT_DIGEST_LEN];
	struct kt_known_crl **crls;
	size_t count;
	uint64_t used; /* when: the number of the question */
};

/* All zeros: nothing is known. */
struct kt_crl_memory {
	struct kt_crl_holder holders[KT_CRL_SNAPSHOTS];
	uint64_t questions;
};

void kt_crl_memory_fini(struct kt_crl_memory *memory);

/*
 * The snapshot's place; another's may have been given up for it. NULL: no memory, and all is as it
 * was. The snapshot has CRLs.
 */
const struct kt_crl_holder *kt_crl_memory_follow(struct kt_crl_memory *memory,
						 const struct kt_snapshot *snapshot);

/* What is known of a CRL of that snapshot, scanned, its views into found->der. NULL: no memory. */
struct kt_known_crl *kt_crl_memory_get(const struct kt_crl_holder *holder,
				       const struct kt_crl *found);

/*
 * Does it list this serial number? The first time its entries are sorted. False: no memory, and
 * *ret_listed is left alone.
 */
bool kt_known_crl_lists(struct kt_known_crl *known, struct kt_der_view serial, bool *ret_listed);

/* A key is known to have signed it. Not remembered where there is no memory for it. */
void kt_known_crl_note(struct kt_known_crl *known, struct kt_der_view spki);
bool kt_known_crl_is_signed_by(const struct kt_known_crl *known, struct kt_der_view spki);

#endif
