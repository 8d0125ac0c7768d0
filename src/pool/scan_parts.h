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

/*
 * Values of extensions, as one who vouches for others has them: whoever tells CAs apart and whoever
 * verifies by them read alike. Outputs are untouched on failure.
 *
 * basicConstraints (RFC 5280 §4.2.1.9). ret_path_len: content of the INTEGER, not negative; data
 * NULL: none.
 */
bool kt_scan_basic_constraints(struct kt_der_view value, bool *ret_ca,
			       struct kt_der_view *ret_path_len);

/* keyUsage (§4.2.1.3): at least one bit is set; bit n of it is 1u << n. */
bool kt_scan_key_usage(struct kt_der_view value, uint32_t *ret_usage);

#endif
