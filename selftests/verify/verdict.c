/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, alerts, and OpenSSL's errors in our words. */
#include <ktrust/verify.h>

#include <openssl/x509_vfy.h>

#include "../../src/verify/library_error.h"
#include "../harness.h"

static const struct {
	enum kt_verdict_code code;
	const char *name;
	uint8_t alert;
} expected[] = {
	{KT_ACCEPTED, "accepted", 0},
	{KT_NO_CERTIFICATE, "no_certificate", 116},
	{KT_NO_ANCHORS, "no_anchors", 80},
	{KT_MALFORMED, "malformed", 42},
	{KT_CHAIN_TOO_LONG, "chain_too_long", 42},
	{KT_UNKNOWN_ISSUER, "unknown_issuer", 48},
	{KT_SELF_SIGNED, "self_signed", 48},
	{KT_EXPIRED, "expired", 45},
	{KT_NOT_YET_VALID, "not_yet_valid", 45},
	{KT_BAD_SIGNATURE, "bad_signature", 42},
	{KT_NOT_A_CA, "not_a_ca", 42},
	{KT_PATH_LENGTH, "path_length", 42},
	{KT_WRONG_PURPOSE, "wrong_purpose", 43},
	{KT_CA_AS_LEAF, "ca_as_leaf", 43},
	{KT_UNKNOWN_CRITICAL, "unknown_critical", 43},
	{KT_NAME_CONSTRAINT, "name_constraint", 42},
	{KT_NAME_MISMATCH, "name_mismatch", 42},
	{KT_WEAK_ALGORITHM, "weak_algorithm", 42},
	{KT_REVOKED, "revoked", 44},
	{KT_INTERNAL, "internal", 80},
	{KT_DISTRUSTED, "distrusted", 46},
	{KT_CRL_EXPIRED, "crl_expired", 46},
	{KT_CRL_INVALID, "crl_invalid", 46},
	{KT_TOO_COMPLEX, "too_complex", 42},
	{KT_NONCONFORMING, "nonconforming", 42},
	{KT_NOT_ALLOWED, "not_allowed", 49},
};

TEST(every_code_has_its_name_and_alert)
{
	ASSERT_EQ(KT_VERDICT_COUNT, sizeof expected / sizeof expected[0]);
	for (int i = 0; i < KT_VERDICT_COUNT; i++) {
		/* Numbers are part of the interface: new codes come at the end. */
		EXPECT_EQ(i, expected[i].code);
		EXPECT_STREQ(expected[i].name, kt_verdict_name(expected[i].code));
		EXPECT_EQ(expected[i].alert, kt_verdict_alert(expected[i].code));
	}
}

TEST(a_value_out_of_range_is_no_acceptance)
{
	EXPECT_STREQ("?", kt_verdict_name(KT_VERDICT_COUNT));
	EXPECT_STREQ("?", kt_verdict_name((enum kt_verdict_code) - 1));
	EXPECT_EQ(80, kt_verdict_alert(KT_VERDICT_COUNT));
	EXPECT_EQ(80, kt_verdict_alert((enum kt_verdict_code) - 1));
}

TEST(only_ok_of_the_library_is_accepted)
{
	EXPECT_EQ(KT_ACCEPTED, kt_verify_code_of_library(X509_V_OK));
	for (int err = -10; err < 1000; err++)
		EXPECT_EQ(err == X509_V_OK, kt_verify_code_of_library(err) == KT_ACCEPTED);
	EXPECT_EQ(KT_INTERNAL, kt_verify_code_of_library(X509_V_ERR_OUT_OF_MEM));
	EXPECT_EQ(KT_INTERNAL, kt_verify_code_of_library(X509_V_ERR_UNSPECIFIED));
	EXPECT_EQ(KT_INTERNAL, kt_verify_code_of_library(X509_V_ERR_APPLICATION_VERIFICATION));
	EXPECT_EQ(KT_INTERNAL, kt_verify_code_of_library(999));
	EXPECT_EQ(KT_EXPIRED, kt_verify_code_of_library(X509_V_ERR_CERT_HAS_EXPIRED));
	EXPECT_EQ(KT_BAD_SIGNATURE, kt_verify_code_of_library(X509_V_ERR_CERT_SIGNATURE_FAILURE));
	EXPECT_EQ(KT_REVOKED, kt_verify_code_of_library(X509_V_ERR_CERT_REVOKED));
}

TEST_HARNESS_MAIN
