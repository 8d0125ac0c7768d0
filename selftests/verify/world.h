/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The certificates of verification's test cases, named, and made when first asked for.
 *
 * A world belongs to one test; everything in it lives until world_free. Failures abort, as in
 * pki.h.
 */
#ifndef KTRUST_SELFTESTS_WORLD_H
#define KTRUST_SELFTESTS_WORLD_H

#include <ktrust/verify.h>

#include "../lib/pki.h"

enum cert {
	NONE,
	/* Roots */
	ROOT_A,
	ROOT_B,
	ROOT_A_NOKID, /* A's name, another key, no key identifier */
	ROOT_PLAIN,   /* no key identifier: what it issues cannot tell it from a twin */
	ROOT_PLAIN_TWIN,
	/* Intermediates */
	INT_A, /* by ROOT_A */
	/* Leaves: EKU clientAuth and serverAuth, unless their name says otherwise */
	LEAF_A, /* by ROOT_A, DNS good.test and *.wild.test, 192.0.2.1, 2001:db8::1 */
	LEAF_B,
	LEAF_INT_A,
	LEAF_OLD,
	LEAF_CRITICAL,
	LEAF_ED25519,
	LEAF_EMAIL_URI,
	LEAF_OF_ROOT_PLAIN,
	CERT_COUNT
};

struct world {
	struct pki *pki;
	const struct pki_cert *made[CERT_COUNT];
};

void world_init(struct world *world);
void world_free(struct world *world);

const struct pki_cert *world_cert(struct world *world, enum cert cert);

/* A snapshot of anchors, a list that NONE ends or `max` entries; the caller frees it. */
struct kt_snapshot *world_snapshot(struct world *world, const enum cert *anchors, size_t max,
				   uint64_t version);

/* The same list as DER for a kt_chain; returns how many. The bytes belong to the world. */
size_t world_chain(struct world *world, const enum cert *certs, size_t max, struct kt_der *ret_der);

#endif
