/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of alerts: the IANA registry "TLS Alerts", with those that RFC 8446 §6 keeps from older
 * versions. Each with its description (the number), and its name in two parts: the second is what
 * does not fit a name in an event behind "alert_" (KT_PROBE_NAME_LEN).
 */
#ifndef KTRUST_KTLS_ALERT_NAMES_H
#define KTRUST_KTLS_ALERT_NAMES_H

#define KTLS_ALERT_NAMES(ALERT)                                                                    \
	ALERT(0, "close_notify", "")                                                               \
	ALERT(10, "unexpected_message", "")                                                        \
	ALERT(20, "bad_record_mac", "")                                                            \
	ALERT(21, "decryption_failed", "")                                                         \
	ALERT(22, "record_overflow", "")                                                           \
	ALERT(30, "decompression_failure", "")                                                     \
	ALERT(40, "handshake_failure", "")                                                         \
	ALERT(41, "no_certificate", "")                                                            \
	ALERT(42, "bad_certificate", "")                                                           \
	ALERT(43, "unsupported_certificate", "")                                                   \
	ALERT(44, "certificate_revoked", "")                                                       \
	ALERT(45, "certificate_expired", "")                                                       \
	ALERT(46, "certificate_unknown", "")                                                       \
	ALERT(47, "illegal_parameter", "")                                                         \
	ALERT(48, "unknown_ca", "")                                                                \
	ALERT(49, "access_denied", "")                                                             \
	ALERT(50, "decode_error", "")                                                              \
	ALERT(51, "decrypt_error", "")                                                             \
	ALERT(52, "too_many_cids_requested", "")                                                   \
	ALERT(60, "export_restriction", "")                                                        \
	ALERT(70, "protocol_version", "")                                                          \
	ALERT(71, "insufficient_security", "")                                                     \
	ALERT(80, "internal_error", "")                                                            \
	ALERT(86, "inappropriate_fallback", "")                                                    \
	ALERT(90, "user_canceled", "")                                                             \
	ALERT(100, "no_renegotiation", "")                                                         \
	ALERT(109, "missing_extension", "")                                                        \
	ALERT(110, "unsupported_extension", "")                                                    \
	ALERT(111, "certificate_unobtainable", "")                                                 \
	ALERT(112, "unrecognized_name", "")                                                        \
	ALERT(113, "bad_certificate_status", "_response")                                          \
	ALERT(114, "bad_certificate_hash", "_value")                                               \
	ALERT(115, "unknown_psk_identity", "")                                                     \
	ALERT(116, "certificate_required", "")                                                     \
	ALERT(117, "general_error", "")                                                            \
	ALERT(120, "no_application_protocol", "")                                                  \
	ALERT(121, "ech_required", "")

#endif
