/* SPDX-License-Identifier: BSD-2-Clause */
#include <ktrust/verify.h>

/* Alerts that verdicts map to (RFC 8446 §6, numbers of its AlertDescription) */
enum {
	BAD_CERTIFICATE = 42,
	UNSUPPORTED_CERTIFICATE = 43,
	CERTIFICATE_REVOKED = 44,
	CERTIFICATE_EXPIRED = 45,
	CERTIFICATE_UNKNOWN = 46,
	UNKNOWN_CA = 48,
	ACCESS_DENIED = 49,
	INTERNAL_ERROR = 80,
	CERTIFICATE_REQUIRED = 116,
};

static const struct {
	const char *name;
	uint8_t alert;
} verdicts[KT_VERDICT_COUNT] = {
	[KT_ACCEPTED] = {"accepted", 0},
	[KT_NO_CERTIFICATE] = {"no_certificate", CERTIFICATE_REQUIRED},
	/* Nothing the peer could mend: it is told no more than that it is not us it should blame.
	 */
	[KT_NO_ANCHORS] = {"no_anchors", INTERNAL_ERROR},
	[KT_MALFORMED] = {"malformed", BAD_CERTIFICATE},
	[KT_CHAIN_TOO_LONG] = {"chain_too_long", BAD_CERTIFICATE},
	[KT_UNKNOWN_ISSUER] = {"unknown_issuer", UNKNOWN_CA},
	[KT_SELF_SIGNED] = {"self_signed", UNKNOWN_CA},
	[KT_EXPIRED] = {"expired", CERTIFICATE_EXPIRED},
	/* RFC 8446: certificate_expired is "expired or not currently valid". */
	[KT_NOT_YET_VALID] = {"not_yet_valid", CERTIFICATE_EXPIRED},
	/* RFC 8446: bad_certificate is "signatures that did not verify correctly, etc." */
	[KT_BAD_SIGNATURE] = {"bad_signature", BAD_CERTIFICATE},
	[KT_NOT_A_CA] = {"not_a_ca", BAD_CERTIFICATE},
	[KT_PATH_LENGTH] = {"path_length", BAD_CERTIFICATE},
	[KT_WRONG_PURPOSE] = {"wrong_purpose", UNSUPPORTED_CERTIFICATE},
	[KT_CA_AS_LEAF] = {"ca_as_leaf", UNSUPPORTED_CERTIFICATE},
	[KT_UNKNOWN_CRITICAL] = {"unknown_critical", UNSUPPORTED_CERTIFICATE},
	[KT_NAME_CONSTRAINT] = {"name_constraint", BAD_CERTIFICATE},
	[KT_NAME_MISMATCH] = {"name_mismatch", BAD_CERTIFICATE},
	[KT_WEAK_ALGORITHM] = {"weak_algorithm", BAD_CERTIFICATE},
	[KT_REVOKED] = {"revoked", CERTIFICATE_REVOKED},
	[KT_INTERNAL] = {"internal", INTERNAL_ERROR},
	/* RFC 8446: certificate_unknown is "some other (unspecified) issue". */
	[KT_DISTRUSTED] = {"distrusted", CERTIFICATE_UNKNOWN},
	[KT_CRL_EXPIRED] = {"crl_expired", CERTIFICATE_UNKNOWN},
	[KT_CRL_INVALID] = {"crl_invalid", CERTIFICATE_UNKNOWN},
	[KT_TOO_COMPLEX] = {"too_complex", BAD_CERTIFICATE},
	[KT_NONCONFORMING] = {"nonconforming", BAD_CERTIFICATE},
	/*
	 * RFC 8446: access_denied is "a valid certificate … access control". A client of TLS 1.3
	 * tells its server certificate_unknown (src/tls/alert.c).
	 */
	[KT_NOT_ALLOWED] = {"not_allowed", ACCESS_DENIED},
};

static bool in_range(enum kt_verdict_code code)
{
	return (unsigned int)code < KT_VERDICT_COUNT;
}

const char *kt_verdict_name(enum kt_verdict_code code)
{
	return in_range(code) ? verdicts[code].name : "?";
}

uint8_t kt_verdict_alert(enum kt_verdict_code code)
{
	return in_range(code) ? verdicts[code].alert : INTERNAL_ERROR;
}
