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
	ROOT_A_TWIN,  /* A's name, another key */
	ROOT_A_NOKID, /* A's name, another key, no key identifier */
	ROOT_A_NEW,   /* A's name and key, issued again */
	ROOT_OLD,     /* expired */
	ROOT_FUTURE,
	ROOT_V1,
	ROOT_NO_BC,	  /* keyCertSign, but no basicConstraints */
	ROOT_NO_CERTSIGN, /* a CA whose key usage does not allow signing certificates */
	ROOT_RSA1024,
	ROOT_SHA1,
	ROOT_PATHLEN0,
	ROOT_CLIENTS, /* EKU clientAuth */
	ROOT_PLAIN,   /* no key identifier: what it issues cannot tell it from a twin */
	ROOT_PLAIN_TWIN,
	ROOT_PLAIN_OLD, /* a twin that is expired */
	ROOT_PLAIN_ED,	/* a twin with an Ed25519 key */
	ROOT_CRITICAL,	/* has an unknown critical extension */
	ROOT_RSA2048,
	/* Intermediates */
	INT_A,	      /* by ROOT_A */
	INT_A_BY_B,   /* INT_A's name and key, by ROOT_B */
	INT_A_OLD,    /* INT_A's name and key, expired */
	INT_A_FUTURE, /* INT_A's name and key, not yet valid */
	INT_A_TWIN,   /* INT_A's name, another key, no key identifiers */
	INT_PLAIN,    /* without key identifiers */
	INT_PLAIN_TWIN,
	INT_OLD,
	INT_FUTURE,
	INT_NOT_CA,
	INT_NO_CERTSIGN,
	INT_V1,
	INT_PATHLEN0,
	INT_UNDER_PATHLEN0,
	INT_UNDER_ROOT_PATHLEN0,
	INT_SERVERS, /* EKU serverAuth */
	INT_ANY_EKU, /* EKU anyExtendedKeyUsage */
	INT_EMPTY_EKU,
	INT_PERMIT,    /* permitted;DNS:good.test */
	INT_EXCLUDE,   /* excluded;DNS:secret.good.test */
	INT_PERMIT_IP, /* permitted 192.0.2.0/24 */
	INT_CRITICAL,
	INT_SHA1,
	INT_RSA1024,
	INT_ED25519,
	INT_POLICY,	 /* has a policy, and requires one below */
	INT_BARE_POLICY, /* requires an explicit policy, and has none */
	ROOT_B_BY_A,	 /* ROOT_B cross-signed by ROOT_A */
	INT_B,
	DEEP_1, /* by ROOT_A; each of the next by the one before */
	DEEP_2,
	DEEP_3,
	DEEP_4,
	DEEP_5,
	DEEP_6,
	DEEP_7,
	DEEP_8,
	/* Leaves: EKU clientAuth and serverAuth, unless their name says otherwise */
	LEAF_A, /* by ROOT_A, DNS good.test and *.wild.test, 192.0.2.1, 2001:db8::1 */
	LEAF_B,
	LEAF_INT_A,
	LEAF_INT_B,
	LEAF_INT_PLAIN,
	LEAF_OLD,
	LEAF_FUTURE,
	LEAF_SELF, /* self-signed, no CA */
	LEAF_SELF_CA,
	LEAF_CA, /* by ROOT_A, CA:TRUE */
	LEAF_CLIENT,
	LEAF_SERVER,
	LEAF_ANY_EKU,
	LEAF_EMPTY_EKU,
	LEAF_NO_EKU,
	LEAF_SGC, /* EKU server-gated crypto */
	LEAF_NO_KU,
	LEAF_KEY_AGREEMENT,
	LEAF_KEY_ENCIPHERMENT,
	LEAF_CRITICAL,
	LEAF_CONSTRAINED, /* has name constraints */
	LEAF_V1,
	LEAF_V1_EXTENDED,
	LEAF_RSA1024,
	LEAF_RSA2048,
	LEAF_ED25519,
	LEAF_SHA1,
	LEAF_CN_ONLY, /* CN good.test, no SAN */
	LEAF_PARTIAL, /* DNS w*.wild.test */
	LEAF_EMAIL_URI,
	LEAF_OF_ROOT_OLD,
	LEAF_OF_ROOT_FUTURE,
	LEAF_OF_ROOT_V1,
	LEAF_OF_ROOT_NO_BC,
	LEAF_OF_ROOT_NO_CERTSIGN,
	LEAF_OF_ROOT_RSA1024,
	LEAF_OF_ROOT_SHA1,
	LEAF_OF_ROOT_CLIENTS,
	LEAF_OF_ROOT_PLAIN,
	LEAF_OF_ROOT_CRITICAL,
	LEAF_OF_ROOT_RSA2048,
	LEAF_OF_INT_OLD,
	LEAF_OF_INT_FUTURE,
	LEAF_OF_INT_NOT_CA,
	LEAF_OF_INT_NO_CERTSIGN,
	LEAF_OF_INT_V1,
	LEAF_OF_INT_UNDER_PATHLEN0,
	LEAF_OF_INT_PATHLEN0,
	LEAF_OF_INT_UNDER_ROOT_PATHLEN0,
	LEAF_OF_INT_SERVERS,
	LEAF_OF_INT_ANY_EKU,
	LEAF_OF_INT_EMPTY_EKU,
	LEAF_OF_INT_PERMIT,		/* DNS good.test */
	LEAF_OF_INT_PERMIT_OTHER,	/* DNS other.test */
	LEAF_OF_INT_EXCLUDE_WILD,	/* DNS *.good.test */
	LEAF_OF_INT_EXCLUDE_OTHER_WILD, /* DNS *.other.test */
	LEAF_OF_INT_PERMIT_IP,
	LEAF_OF_INT_PERMIT_IP_OTHER,
	LEAF_OF_INT_CRITICAL,
	LEAF_OF_INT_SHA1,
	LEAF_OF_INT_RSA1024,
	LEAF_OF_INT_ED25519,
	LEAF_OF_INT_POLICY,
	LEAF_OF_INT_POLICY_NONE,
	LEAF_OF_INT_BARE_POLICY,
	LEAF_OF_DEEP_7,
	LEAF_OF_DEEP_8,
	LEAF_OF_LEAF, /* by LEAF_A, which is no CA */
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
