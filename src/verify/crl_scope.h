/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which certificates a CRL is about, by its issuingDistributionPoint (RFC 5280 §5.2.5).
 *
 * Pure functions: any thread.
 */
#ifndef KTRUST_VERIFY_CRL_SCOPE_H
#define KTRUST_VERIFY_CRL_SCOPE_H

#include "../pool/scan.h"
#include "cert.h"

/* Is it about certificates of this one's kind: CAs, end entities, or both? */
bool kt_crl_scope_has_kind(const struct kt_scan_crl *crl, const struct kt_cert *cert);

/*
 * Does it name no distribution point, or one that the certificate names in cRLDistributionPoints
 * (§6.3.3 (b)(2)(i)), of the certificate's issuer and for all reasons?
 */
bool kt_crl_scope_has_point(const struct kt_scan_crl *crl, const struct kt_cert *cert);

#endif
