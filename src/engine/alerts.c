/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for alerts that end a connection. */
#include "conn.h"

/*
 * The IANA registry "TLS Alerts", with those that RFC 8446 §6 keeps from older versions. A name has
 * to fit an event's field (KT_PROBE_NAME_LEN), which cuts one of them short.
 */
static const char *const names[256] = {
	[10] = "alert_unexpected_message",
	[20] = "alert_bad_record_mac",
	[21] = "alert_decryption_failed",
	[22] = "alert_record_overflow",
	[30] = "alert_decompression_failure",
	[40] = "alert_handshake_failure",
	[41] = "alert_no_certificate",
	[42] = "alert_bad_certificate",
	[43] = "alert_unsupported_certificate",
	[44] = "alert_certificate_revoked",
	[45] = "alert_certificate_expired",
	[46] = "alert_certificate_unknown",
	[47] = "alert_illegal_parameter",
	[48] = "alert_unknown_ca",
	[49] = "alert_access_denied",
	[50] = "alert_decode_error",
	[51] = "alert_decrypt_error",
	[52] = "alert_too_many_cids_requested",
	[60] = "alert_export_restriction",
	[70] = "alert_protocol_version",
	[71] = "alert_insufficient_security",
	[80] = "alert_internal_error",
	[86] = "alert_inappropriate_fallback",
	[90] = "alert_user_canceled",
	[100] = "alert_no_renegotiation",
	[109] = "alert_missing_extension",
	[110] = "alert_unsupported_extension",
	[111] = "alert_certificate_unobtainable",
	[112] = "alert_unrecognized_name",
	[113] = "alert_bad_certificate_status",
	[114] = "alert_bad_certificate_hash",
	[115] = "alert_unknown_psk_identity",
	[116] = "alert_certificate_required",
	[117] = "alert_general_error",
	[120] = "alert_no_application_protocol",
	[121] = "alert_ech_required",
};

const char *kt_alert_end(int description)
{
	const char *name = description >= 0 && description < 256 ? names[description] : NULL;

	return name ? name : "peer_alert";
}
