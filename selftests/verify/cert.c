/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read of a certificate, and what is no certificate. */
#include "../../src/verify/cert.h"

#include <stdio.h>
#include <stdlib.h>

#include "../harness.h"
#include "../lib/der_writer.h"

#define PART(literal) ((struct der_part){literal, sizeof(literal) - 1})
#define NAME(letter)  PART("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01" letter)
#define ECDSA_SHA256  PART("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define P256_HEAD                                                                                  \
	"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01" \
	"\x07\x03\x42\x00\x04"
#define P256_LEN (sizeof P256_HEAD - 1 + 64)
#define OTHER	 PART("\x2a\x03\x04") /* an extension nobody knows */
#define INFO	 PART("\x2b\x06\x01\x05\x05\x07\x01\x01")

/* One certificate on its way. */
struct making {
	struct der_certificate form;
	struct der extensions, der;
	struct kt_cert cert;
	uint8_t spki[P256_LEN];
};

static struct making *begin(void)
{
	static struct making making;

	memset(&making, 0, sizeof making);
	memcpy(making.spki, P256_HEAD, sizeof P256_HEAD - 1);
	making.form = (struct der_certificate){.version = 3,
					       .serial = PART("\x01\x02"),
					       .algorithm = ECDSA_SHA256,
					       .issuer = NAME("i"),
					       .subject = NAME("s"),
					       .not_before = "700101000000Z",
					       .not_after = "20700101000000Z",
					       .spki = {making.spki, sizeof making.spki}};
	return &making;
}

/* hex: pairs of digits, with blanks between */
static struct der_part bytes_of(const char *hex)
{
	static uint8_t bytes[4096];
	unsigned int byte;
	size_t len = 0;
	int used;

	while (sscanf(hex, " %2x%n", &byte, &used) == 1) {
		bytes[len++] = (uint8_t)byte;
		hex += used;
	}
	return (struct der_part){bytes, len};
}

/* number: of the arc id-ce */
static void add(struct making *making, uint8_t number, bool critical, const char *hex)
{
	const uint8_t oid[] = {0x55, 0x1d, number};

	der_extension(&making->extensions, (struct der_part){oid, sizeof oid}, critical,
		      bytes_of(hex));
}

static void finish(struct making *making)
{
	static struct der tbs;

	making->form.extensions =
		(struct der_part){making->extensions.bytes, making->extensions.len};
	tbs.len = making->der.len = 0;
	der_tbs(&tbs, &making->form);
	der_signed(&making->der, (struct der_part){tbs.bytes, tbs.len}, making->form.algorithm,
		   PART("signature"));
}

static const char *read_made(struct making *making)
{
	finish(making);
	return kt_cert_read(making->der.bytes, making->der.len, &making->cert);
}

static const struct kt_cert *cert_with(uint8_t number, bool critical, const char *hex)
{
	struct making *making = begin();

	add(making, number, critical, hex);
	ASSERT_STREQ(NULL, read_made(making));
	return &making->cert;
}

static bool is(struct kt_der_view view, struct der_part part)
{
	return kt_der_equal(view, (struct kt_der_view){part.data, part.len});
}

/* ---- Fields -----------------------------------------------------------------------------------
 */

TEST(cert_without_extensions_has_its_fields)
{
	struct making *making = begin();
	const struct kt_cert *cert = &making->cert;

	ASSERT_STREQ(NULL, read_made(making));
	EXPECT_EQ(3, cert->version);
	EXPECT_TRUE(is(cert->serial, PART("\x01\x02")));
	EXPECT_TRUE(is(cert->issuer, NAME("i")));
	EXPECT_TRUE(is(cert->subject, NAME("s")));
	EXPECT_FALSE(cert->self_issued);
	EXPECT_EQ(0, cert->not_before);
	EXPECT_EQ(3155760000, cert->not_after);
	EXPECT_EQ(KT_KEY_P256, cert->key.type);
	EXPECT_EQ(KT_SIG_ECDSA_SHA256, cert->algorithm);
	EXPECT_TRUE(is(cert->signature, PART("signature")));
	EXPECT_EQ(0, cert->present | cert->critical | cert->extended_key_usage);
	EXPECT_EQ(UINT32_MAX, cert->key_usage);
	EXPECT_FALSE(cert->ca);
	EXPECT_EQ(KT_SKIP_NEVER, cert->path_len);
	EXPECT_EQ(KT_SKIP_NEVER, cert->require_explicit_policy);
	EXPECT_EQ(KT_SKIP_NEVER, cert->inhibit_any_policy);
}

TEST(cert_is_self_issued_by_an_equal_name)
{
	struct making *making = begin();

	making->form.issuer = NAME("S"); /* case does not count */
	ASSERT_STREQ(NULL, read_made(making));
	EXPECT_TRUE(making->cert.self_issued);
}

TEST(cert_of_version_1_and_2)
{
	for (unsigned int version = 1; version <= 2; version++) {
		struct making *making = begin();

		making->form.version = version;
		ASSERT_STREQ(NULL, read_made(making));
		EXPECT_EQ(version, making->cert.version);
		add(making, 14, false, "04 01 01");
		EXPECT_NE(NULL, read_made(making));
	}
}

TEST(cert_with_dates_that_do_not_exist_is_malformed)
{
	static const char *const dates[] = {"20260230000000Z", "20261301000000Z", "20260100000000Z",
					    "20260101240000Z", "20260101006000Z", "20260101000060Z",
					    "21000229000000Z"};

	for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
		struct making *making = begin();

		making->form.not_after = dates[i];
		EXPECT_STREQ("a date of the validity does not exist", read_made(making));
		making->form.not_after = "20700101000000Z";
		making->form.not_before = dates[i];
		EXPECT_STREQ("a date of the validity does not exist", read_made(making));
	}
}

TEST(cert_signature_is_whole_bytes)
{
	struct making *making = begin();
	struct der *der = &making->der;

	finish(making);
	der->bytes[der->len - sizeof "signature"] = 1;
	der->bytes[der->len - 1] &= 0xfe;
	EXPECT_STREQ("the signature has unused bits",
		     kt_cert_read(der->bytes, der->len, &making->cert));
}

/* ---- Extensions, one by one -------------------------------------------------------------------
 */

#define YES true
#define NO  false

/* number 0: authorityInfoAccess, which is elsewhere */
static const struct {
	uint8_t number;
	bool good;
	const char *hex;
} forms[] = {
	/* subjectKeyIdentifier */
	{14, YES, "04 01 01"},
	{14, NO, "04 00"},
	{14, NO, "04 02 01"},
	{14, NO, "04 01 01 00"},
	{14, NO, "03 02 00 01"},
	{14, NO, ""},
	/* keyUsage */
	{15, YES, "03 02 07 80"},
	{15, YES, "03 03 07 00 80"},
	{15, YES, "03 02 00 80"}, /* zeros at the end */
	{15, NO, "03 02 07 00"},
	{15, NO, "03 01 00"},
	{15, NO, "03 02 01 81"},
	{15, NO, "03 02 08 80"},
	{15, NO, "03 04 00 80 00 00"},
	{15, NO, "04 02 07 80"},
	{15, NO, "03 02 07 80 00"},
	/* subjectAltName, issuerAltName */
	{17, YES, "30 03 82 01 61"},
	{17, YES, "30 06 87 04 c0 00 02 01"},
	{17, NO, "30 00"},
	{17, NO, "30 05 82 01 61 05 00"},
	{17, NO, "30 05 87 03 c0 00 02"},
	{17, NO, "30 03 82 01 e1"},
	{17, NO, "30 03 82 01 61 00"},
	{18, YES, "30 03 82 01 61"},
	{18, NO, "30 00"},
	{18, NO, "30 02 05 00"},
	/* basicConstraints */
	{19, YES, "30 00"},
	{19, YES, "30 03 01 01 ff"},
	{19, YES, "30 06 01 01 ff 02 01 00"},
	{19, NO, "30 03 01 01 01"},
	{19, NO, "30 03 01 01 00"}, /* the default is not written */
	{19, NO, "30 02 01 00"},
	{19, NO, "30 03 02 01 00"}, /* of no CA */
	{19, NO, "30 06 01 01 ff 02 01 ff"},
	{19, NO, "30 07 01 01 ff 02 02 00 01"},
	{19, NO, "30 08 01 01 ff 02 01 00 05 00"},
	{19, NO, "30 00 00"},
	/* nameConstraints */
	{30, YES, "30 07 a0 05 30 03 82 01 61"},
	{30, YES, "30 07 a1 05 30 03 82 01 61"},
	{30, YES, "30 0e a0 05 30 03 82 01 61 a1 05 30 03 82 01 62"},
	{30, NO, "30 0e a1 05 30 03 82 01 61 a0 05 30 03 82 01 62"},
	{30, NO, "30 00"},
	{30, NO, "30 02 a0 00"},
	{30, NO, "30 09 a0 05 30 03 82 01 61 a2 00"},
	/* cRLDistributionPoints */
	{31, YES, "30 09 30 07 a0 05 a0 03 82 01 61"},
	{31, YES, "30 0d 30 0b a0 05 a0 03 82 01 61 81 02 01 06"},
	{31, YES, "30 07 30 05 a2 03 82 01 61"},
	{31, YES, "30 10 30 0e a0 0c a1 0a 30 08 06 03 55 04 03 0c 01 61"},
	{31, NO, "30 00"},
	{31, NO, "30 02 30 00"},
	{31, NO, "30 06 30 04 81 02 01 06"}, /* reasons alone */
	{31, NO, "30 06 30 04 a0 02 a0 00"},
	{31, NO, "30 04 30 02 a2 00"},
	{31, NO, "30 06 30 04 a0 02 a1 00"},
	{31, NO, "30 09 30 07 a0 05 a2 03 82 01 61"},
	{31, NO, "30 0d 30 0b a0 05 a0 03 82 01 61 81 02 09 06"},
	{31, NO, "30 08 30 06 a0 04 a1 02 05 00"},
	{31, NO, "30 0b 30 09 a0 05 a0 03 82 01 61 05 00"},
	{31, NO, "30 05 a0 03 82 01 61"},
	/* certificatePolicies, policyMappings */
	{32, YES, "30 05 30 03 06 01 2a"},
	{32, YES, "30 15 30 13 06 01 2a 30 0e 30 0c 06 08 2b 06 01 05 05 07 02 01 05 00"},
	{32, NO, "30 09 30 07 06 01 2a 30 02 30 00"},
	{32, NO, "30 0c 30 0a 06 01 2a 30 05 30 03 06 01 2a"},
	{32, NO, "30 10 30 0e 06 01 2a 30 09 30 07 06 01 2a 05 00 05 00"},
	{32, NO, "30 0a 30 03 06 01 2a 30 03 06 01 2a"}, /* twice */
	{32, NO, "30 00"},
	{32, NO, "30 04 30 02 06 00"},
	{32, NO, "30 07 30 05 06 01 2a 30 00"},
	{32, NO, "30 07 30 05 06 01 2a 05 00"},
	{33, YES, "30 08 30 06 06 01 2a 06 01 2b"},
	{33, NO, "30 00"},
	{33, NO, "30 05 30 03 06 01 2a"},
	{33, NO, "30 0a 30 08 06 01 2a 06 01 2b 05 00"},
	{33, NO, "30 0b 30 09 06 01 2a 06 04 55 1d 20 00"}, /* anyPolicy */
	{33, NO, "30 0b 30 09 06 04 55 1d 20 00 06 01 2a"},
	/* authorityKeyIdentifier: the last two of its fields come together */
	{35, YES, "30 00"},
	{35, YES, "30 03 80 01 01"},
	{35, YES, "30 08 a1 03 82 01 61 82 01 01"},
	{35, NO, "30 02 80 00"},
	{35, NO, "30 05 a1 03 82 01 61"},
	{35, NO, "30 03 82 01 01"},
	{35, NO, "30 09 a1 03 82 01 61 82 02 00 01"},
	{35, NO, "30 0a a1 03 82 01 61 82 01 01 05 00"},
	/* policyConstraints, inhibitAnyPolicy */
	{36, YES, "30 03 80 01 00"},
	{36, YES, "30 03 81 01 00"},
	{36, YES, "30 06 80 01 00 81 01 00"},
	{36, NO, "30 06 81 01 00 80 01 00"},
	{36, NO, "30 00"},
	{36, NO, "30 03 80 01 ff"},
	{36, NO, "30 02 80 00"},
	{54, YES, "02 01 00"},
	{54, NO, "02 01 ff"},
	{54, NO, "02 00"},
	{54, NO, "02 01 00 00"},
	/* extKeyUsage: an empty one allows nothing */
	{37, YES, "30 00"},
	{37, YES, "30 03 06 01 2a"},
	{37, NO, "30 02 06 00"},
	{37, NO, "30 03 02 01 01"},
	{37, NO, "30 00 00"},
	/* authorityInfoAccess */
	{0, YES, "30 08 30 06 06 01 2a 82 01 61"},
	{0, NO, "30 00"},
	{0, NO, "30 05 30 03 06 01 2a"},
	{0, NO, "30 05 30 03 82 01 61"},
};

TEST(cert_extensions_have_their_form)
{
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct making *making = begin();

		if (forms[i].number)
			add(making, forms[i].number, false, forms[i].hex);
		else
			der_extension(&making->extensions, INFO, false, bytes_of(forms[i].hex));
		EXPECT_EQ(forms[i].good, read_made(making) == NULL)
		{
			TH_LOG("%u: %s", forms[i].number, forms[i].hex);
		}
	}
}

TEST(cert_extensions_are_present_and_critical)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		const struct kt_cert *cert;

		if (!forms[i].good || !forms[i].number)
			continue;
		cert = cert_with(forms[i].number, false, forms[i].hex);
		EXPECT_EQ(1, __builtin_popcount(cert->present));
		EXPECT_EQ(0, cert->critical);
		seen |= cert->present;
		cert = cert_with(forms[i].number, true, forms[i].hex);
		EXPECT_EQ(cert->present, cert->critical);
	}
	EXPECT_EQ(KT_EXT_UNKNOWN - 1 - KT_EXT_AUTHORITY_INFO, seen);
}

TEST(cert_extension_is_there_once)
{
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct making *making = begin();

		if (!forms[i].good || !forms[i].number)
			continue;
		add(making, forms[i].number, false, forms[i].hex);
		add(making, 99, false, "05 00");
		add(making, forms[i].number, false, forms[i].hex);
		EXPECT_NE(NULL, read_made(making));
	}
}

/* ---- Extensions that nobody knows -------------------------------------------------------------
 */

TEST(cert_unknown_extension_is_noted_where_it_is_critical)
{
	struct making *making = begin();

	der_extension(&making->extensions, OTHER, false, PART("\x05"));
	ASSERT_STREQ(NULL, read_made(making));
	EXPECT_EQ(0, making->cert.present | making->cert.critical);
	making = begin();
	der_extension(&making->extensions, OTHER, true, PART("\x05"));
	ASSERT_STREQ(NULL, read_made(making));
	EXPECT_EQ(0, making->cert.present);
	EXPECT_EQ(KT_EXT_UNKNOWN, making->cert.critical);
}

TEST(cert_unknown_extension_is_there_once)
{
	struct making *making = begin();

	der_extension(&making->extensions, OTHER, false, PART("\x05"));
	der_extension(&making->extensions, OTHER, true, PART("\x06"));
	EXPECT_STREQ("an extension is there twice", read_made(making));
}

TEST(cert_unknown_extensions_are_bounded)
{
	struct making *making = begin();

	for (unsigned int i = 0; i <= 128; i++) {
		const uint8_t oid[] = {0x2a, 0x81, (uint8_t)(i & 0x7f), (uint8_t)(i >> 7)};

		if (i == 128)
			EXPECT_STREQ(NULL, read_made(making));
		der_extension(&making->extensions, (struct der_part){oid, i < 128 ? 3 : 4}, false,
			      PART(""));
	}
	EXPECT_NE(NULL, read_made(making));
}

/* ---- Values -----------------------------------------------------------------------------------
 */

TEST(cert_key_usage_has_its_bits)
{
	EXPECT_EQ(KT_KU_DIGITAL_SIGNATURE, cert_with(15, true, "03 02 07 80")->key_usage);
	EXPECT_EQ(KT_KU_KEY_CERT_SIGN | KT_KU_CRL_SIGN,
		  cert_with(15, true, "03 02 01 06")->key_usage);
	EXPECT_EQ(1u << 8, cert_with(15, true, "03 03 07 00 80")->key_usage);
}

TEST(cert_extended_key_usage_has_its_bits)
{
	EXPECT_EQ(0, cert_with(37, false, "30 00")->extended_key_usage);
	EXPECT_EQ(KT_EKU_SERVER,
		  cert_with(37, false, "30 0a 06 08 2b 06 01 05 05 07 03 01")->extended_key_usage);
	EXPECT_EQ(KT_EKU_CLIENT,
		  cert_with(37, false, "30 0a 06 08 2b 06 01 05 05 07 03 02")->extended_key_usage);
	EXPECT_EQ(KT_EKU_OTHER,
		  cert_with(37, false, "30 0a 06 08 2b 06 01 05 05 07 03 03")->extended_key_usage);
	EXPECT_EQ(
		KT_EKU_OTHER,
		cert_with(37, false, "30 0b 06 09 2b 06 01 05 05 07 03 01 01")->extended_key_usage);
	EXPECT_EQ(KT_EKU_ANY | KT_EKU_SERVER,
		  cert_with(37, false, "30 10 06 04 55 1d 25 00 06 08 2b 06 01 05 05 07 03 01")
			  ->extended_key_usage);
}

TEST(cert_basic_constraints_have_their_values)
{
	const struct kt_cert *cert = cert_with(19, true, "30 00");

	EXPECT_FALSE(cert->ca);
	cert = cert_with(19, true, "30 03 01 01 ff");
	EXPECT_TRUE(cert->ca);
	EXPECT_EQ(KT_SKIP_NEVER, cert->path_len);
	EXPECT_EQ(0, cert_with(19, true, "30 06 01 01 ff 02 01 00")->path_len);
	EXPECT_EQ(128, cert_with(19, true, "30 07 01 01 ff 02 02 00 80")->path_len);
	EXPECT_EQ(0x01020304, cert_with(19, true, "30 09 01 01 ff 02 04 01 02 03 04")->path_len);
}

/* What does not fit is the largest there is, never none. */
TEST(cert_counts_beyond_32_bits_are_their_largest)
{
	static const char *const counts[] = {"30 0a 01 01 ff 02 05 00 ff ff ff ff",
					     "30 0a 01 01 ff 02 05 01 00 00 00 00",
					     "30 0e 01 01 ff 02 09 00 ff ff ff ff ff ff ff ff"};

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
		EXPECT_EQ(KT_SKIP_NEVER - 1, cert_with(19, true, counts[i])->path_len);
}

TEST(cert_key_identifiers_are_found)
{
	const struct kt_cert *cert = cert_with(14, false, "04 02 61 62");

	EXPECT_TRUE(is(cert->key_id, PART("ab")));
	cert = cert_with(35, false, "30 04 80 02 63 64");
	EXPECT_TRUE(is(cert->authority_key_id, PART("cd")));
	EXPECT_FALSE(cert->authority_names_issuer);
	cert = cert_with(35, false, "30 08 a1 03 82 01 61 82 01 01");
	EXPECT_EQ(0, cert->authority_key_id.len);
	EXPECT_TRUE(cert->authority_names_issuer);
}

TEST(cert_names_and_constraints_are_found)
{
	const struct kt_cert *cert = cert_with(17, false, "30 06 82 01 61 82 01 62");

	EXPECT_TRUE(is(cert->names, PART("\x82\x01"
					 "a"
					 "\x82\x01"
					 "b")));
	cert = cert_with(30, true, "30 0e a0 05 30 03 82 01 61 a1 05 30 03 82 01 62");
	EXPECT_TRUE(is(cert->permitted, PART("\x30\x03\x82\x01"
					     "a")));
	EXPECT_TRUE(is(cert->excluded, PART("\x30\x03\x82\x01"
					    "b")));
	cert = cert_with(31, false, "30 07 30 05 a2 03 82 01 61");
	EXPECT_TRUE(is(cert->crl_points, PART("\x30\x05\xa2\x03\x82\x01"
					      "a")));
}

TEST(cert_policies_are_found)
{
	const struct kt_cert *cert = cert_with(36, true, "30 06 80 01 02 81 01 03");

	EXPECT_EQ(2, cert->require_explicit_policy);
	EXPECT_EQ(KT_SKIP_NEVER, cert_with(36, true, "30 03 81 01 03")->require_explicit_policy);
	EXPECT_EQ(4, cert_with(54, true, "02 01 04")->inhibit_any_policy);
	cert = cert_with(32, false, "30 05 30 03 06 01 2a");
	EXPECT_TRUE(is(cert->policies, PART("\x30\x03\x06\x01\x2a")));
	cert = cert_with(33, false, "30 08 30 06 06 01 2a 06 01 2b");
	EXPECT_TRUE(is(cert->policy_mappings, PART("\x30\x06\x06\x01\x2a\x06\x01\x2b")));
}

/* As many certificatePolicies as that, no two alike. */
static const char *read_policies(unsigned int count)
{
	struct making *making = begin();
	char hex[4096];
	int len = snprintf(hex, sizeof hex, "30 82 %02x %02x", count * 6 >> 8, count * 6 & 0xff);

	for (unsigned int i = 0; i < count; i++)
		len += snprintf(hex + len, sizeof hex - (size_t)len, " 30 04 06 02 %02x %02x",
				0x2a + i / 128, i % 128);
	add(making, 32, false, hex);
	return read_made(making);
}

/* Each is compared with each. */
TEST(cert_policies_are_bounded)
{
	EXPECT_STREQ(NULL, read_policies(128));
	EXPECT_STREQ("certificatePolicies is malformed", read_policies(129));
}

TEST_HARNESS_MAIN
