/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Find the fields of a certificate (RFC 5280 §4.1) or a CRL (§5.1) in its DER without decoding
 * them.
 *
 * The views of a scan point into the DER it was made from and live as long as that. A pure
 * function of the bytes: any thread, no memory, no library.
 *
 * What it does not check: signatures, keys (an SPKI is an algorithm and a bit string), that dates
 * are real dates, what extensions say but for the subject key identifier (and kt_scan_is_ca).
 */
#ifndef KT_POOL_SCAN_H
#define KT_POOL_SCAN_H

#include "der.h"

struct kt_scan {
	struct kt_der_view tbs;	       /* what is signed, tag and length included */
	struct kt_der_view algorithm;  /* DER AlgorithmIdentifier of the signature */
	struct kt_der_view signature;  /* content of the BIT STRING */
	unsigned int version;	       /* 1 … 3 */
	struct kt_der_view serial;     /* content of the INTEGER */
	struct kt_der_view issuer;     /* DER Name */
	struct kt_der_view not_before; /* DER Time, tag included */
	struct kt_der_view not_after;
	struct kt_der_view subject;    /* DER Name */
	struct kt_der_view spki;       /* DER SubjectPublicKeyInfo */
	struct kt_der_view key_id;     /* content of subjectKeyIdentifier; data NULL: none */
	struct kt_der_view extensions; /* what is in the SEQUENCE OF Extension; len 0: none */
};

/*
 * Returns NULL and fills ret_scan, or says what is wrong in a few words ("the subject is missing
 * or malformed"; static storage) and leaves ret_scan alone.
 */
const char *kt_scan_certificate(const uint8_t *der, size_t len, struct kt_scan *ret_scan);

/*
 * The same without a look at what the extensions are, for those who read each of them themselves.
 * key_id is not filled.
 */
const char *kt_scan_fields(const uint8_t *der, size_t len, struct kt_scan *ret_scan);

/*
 * May it be an issuer: has it basicConstraints with cA, and keyCertSign in keyUsage, if it has that
 * (RFC 5280 §6.1.4 k, n)? Where one of these two is malformed, or there twice: no, as who verifies
 * has it; the other extensions are not looked into.
 */
bool kt_scan_is_ca(const struct kt_scan *scan);

struct kt_scan_crl {
	struct kt_der_view tbs; /* as in kt_scan */
	struct kt_der_view algorithm;
	struct kt_der_view signature;
	struct kt_der_view entries; /* what is in revokedCertificates; len 0: none */
	struct kt_der_view issuer;  /* DER Name */
	int64_t this_update;	    /* seconds since the epoch, UTC */
	int64_t next_update;	    /* INT64_MAX: none is named */
	/* issuingDistributionPoint (RFC 5280 §5.2.5); where it is absent: all certificates. */
	struct kt_der_view point_names; /* GeneralNames of fullName; len 0: none */
	bool only_leaves;
	bool only_cas;
};

/* The same for a CRL. Its revoked serial numbers are checked for their form only. */
const char *kt_scan_crl(const uint8_t *der, size_t len, struct kt_scan_crl *ret_scan);

/* Was it refused for what it asks for, not for its form? */
bool kt_scan_crl_is_unsupported(const char *why);

/*
 * The time in a DER Time that a scan found (its form has been checked). False: there is no such
 * date.
 */
bool kt_scan_seconds(struct kt_der_view tlv, int64_t *ret_seconds);

/* Is this one Name and nothing else: SEQUENCE OF SET OF SEQUENCE { OID, value }? */
bool kt_scan_is_name(const uint8_t *der, size_t len);

#endif
