/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What certificates and CRLs have in common, for the files that scan them.
 *
 * Readers advance the cursor past what they read; false: it is not there or malformed.
 */
#ifndef KT_POOL_SCAN_PARTS_H
#define KT_POOL_SCAN_PARTS_H

#include "scan.h"

bool kt_scan_algorithm(struct kt_der_view *in, struct kt_der_view *ret_tlv);
bool kt_scan_name(struct kt_der_view *in, struct kt_der_view *ret_tlv);
bool kt_scan_time(struct kt_der_view *in, struct kt_der_view *ret_tlv);

struct kt_scan_extension {
	struct kt_der_view oid;
	bool critical;
	struct kt_der_view value; /* content of the OCTET STRING */
};

/* NULL, or what is wrong with it. */
const char *kt_scan_extension(struct kt_der_view *in, struct kt_scan_extension *ret_extension);

#endif
