/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A certificate as path validation reads it (RFC 5280 §4), straight from its DER.
 *
 * Every view points into the bytes the certificate was read from and lives as long as they do.
 * Reading allocates nothing, and is a pure function of the bytes: any thread.
 *
 * What is read is checked for its form only: strict DER, the ASN.1 of RFC 5280, each extension at
 * most once, dates that exist. What the values allow is for the rules to say (rules.h, web.h,
 * name_constraints.h, names.h). Keys are looked at no further than their algorithm.
 */
#ifndef KTRUST_VERIFY_CERT_H
#define KTRUST_VERIFY_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include "../pool/der.h"
#include "algorithm.h"

/* Extensions that are read: bits of kt_cert.present and kt_cert.critical. */
enum kt_extension {
	KT_EXT_SUBJECT_KEY_ID = 1u << 0,
	KT_EXT_KEY_USAGE = 1u << 1,
	KT_EXT_SUBJECT_ALT_NAME = 1u << 2,
	KT_EXT_ISSUER_ALT_NAME = 1u << 3,
	KT_EXT_BASIC_CONSTRAINTS = 1u << 4,
	KT_EXT_NAME_CONSTRAINTS = 1u << 5,
	KT_EXT_CRL_POINTS = 1u << 6,
	KT_EXT_POLICIES = 1u << 7,
	KT_EXT_POLICY_MAPPINGS = 1u << 8,
	KT_EXT_AUTHORITY_KEY_ID = 1u << 9,
	KT_EXT_POLICY_CONSTRAINTS = 1u << 10,
	KT_EXT_EXTENDED_KEY_USAGE = 1u << 11,
	KT_EXT_INHIBIT_ANY_POLICY = 1u << 12,
	KT_EXT_AUTHORITY_INFO = 1u << 13,
	/* In critical only: one that is not in this list is, or a policy's qualifier nobody knows.
	 */
	KT_EXT_UNKNOWN = 1u << 14,
};

/* KeyUsage (RFC 5280 §4.2.1.3), bit n of the BIT STRING as 1 << n. */
#define KT_KU_DIGITAL_SIGNATURE (1u << 0)
#define KT_KU_KEY_CERT_SIGN	(1u << 5)
#define KT_KU_CRL_SIGN		(1u << 6)

/* ExtKeyUsageSyntax (RFC 5280 §4.2.1.12). */
#define KT_EKU_SERVER 1u
#define KT_EKU_CLIENT 2u
#define KT_EKU_ANY    4u /* anyExtendedKeyUsage */
#define KT_EKU_OTHER  8u /* at least one besides */

#define KT_SKIP_NEVER UINT32_MAX

struct kt_cert {
	struct kt_der_view der;
	struct kt_der_view tbs; /* what is signed, tag and length included */
	enum kt_signature_algorithm algorithm;
	struct kt_der_view signature; /* the BIT STRING's bytes, without its count of unused bits */
	unsigned int version;	      /* 1 … 3 */
	struct kt_der_view serial;    /* content of the INTEGER */
	struct kt_der_view issuer;    /* DER Name */
	struct kt_der_view subject;
	bool self_issued;   /* the two are equal (RFC 5280 §3.2, §7.1) */
	int64_t not_before; /* seconds since the epoch, UTC */
	int64_t not_after;  /* the last second of validity */
	struct kt_key key;

	uint32_t present;	     /* enum kt_extension */
	uint32_t critical;	     /* of those */
	bool ca;		     /* basicConstraints */
	uint32_t path_len;	     /* of a CA; KT_SKIP_NEVER: no limit */
	uint32_t key_usage;	     /* all bits set: the extension is absent */
	uint32_t extended_key_usage; /* 0 where it is absent too: see present */
	struct kt_der_view key_id;
	struct kt_der_view authority_key_id; /* its keyIdentifier; len 0: none */
	bool authority_names_issuer;	     /* authorityCertIssuer or -SerialNumber are there */
	struct kt_der_view names; /* GeneralNames of subjectAltName: what is in the SEQUENCE */
	/* GeneralSubtrees of nameConstraints: what is in the [0], the [1]; len 0: absent or empty.
	 */
	struct kt_der_view permitted;
	struct kt_der_view excluded;
	struct kt_der_view crl_points;	    /* what is in the SEQUENCE OF DistributionPoint */
	struct kt_der_view policies;	    /* what is in the SEQUENCE OF PolicyInformation */
	struct kt_der_view policy_mappings; /* what is in the SEQUENCE OF pairs */
	/* Certificates to follow before it holds (RFC 5280 §4.2.1.11, §4.2.1.14). */
	uint32_t require_explicit_policy; /* KT_SKIP_NEVER: not asked for */
	uint32_t inhibit_any_policy;	  /* likewise */
};

/*
 * NULL and ret_cert, or what is wrong in a few words (static storage) and ret_cert undefined.
 * An unknown algorithm is no fault of the form: algorithm and key.type then say so.
 */
const char *kt_cert_read(const uint8_t *der, size_t len, struct kt_cert *ret_cert);

static inline bool kt_cert_has(const struct kt_cert *cert, uint32_t extensions)
{
	return (cert->present & extensions) != 0;
}

#endif
