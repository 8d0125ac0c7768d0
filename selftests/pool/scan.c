/* SPDX-License-Identifier: BSD-2-Clause */
/* The DER cursor and the scan of a certificate: what is found, and what is refused. */
#include "roots.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "../../src/pool/scan.h"

/* ---- Certificates in hexadecimal ----------------------------------------------------------- */

/* The fields of a certificate; NULL: the ordinary one of the table below. */
struct fields {
	const char *version, *serial, *algorithm, *issuer, *validity, *subject, *spki, *unique_ids,
		*extensions, *behind_tbs_fields, *outer_algorithm, *signature, *behind_signature,
		*trailing;
};

#define NAME	  "300f 310d 300b 0603550403 0c04 526f6f74"
#define NAME_2	  "3010 310e 300c 0603550403 0c05 526f6f7432"
#define DATE	  "170d 323030313031303030303030 5a"
#define ALGORITHM "300a 0608 2a8648ce3d040302"
#define KEY_ID	  "300d 0603551d0e 0406 0404 01020304"

static const struct fields ordinary = {
	.version = "a003 020102",
	.serial = "020105",
	.algorithm = ALGORITHM,
	.issuer = NAME,
	.validity = "301e" DATE DATE,
	.subject = NAME_2,
	.spki = "300d 3007 0605 2a03040506 0302 00ff",
	.unique_ids = "",
	.extensions = "a311 300f" KEY_ID,
	.behind_tbs_fields = "",
	.outer_algorithm = ALGORITHM,
	.signature = "0302 00aa",
	.behind_signature = "",
	.trailing = "",
};

struct bytes {
	uint8_t data[512];
	size_t len;
};

static unsigned int nibble(char c)
{
	return c <= '9' ? (unsigned int)(c - '0') : (unsigned int)(c - 'a') + 10;
}

static void add_hex(struct bytes *to, const char *chosen, const char *otherwise)
{
	const char *hex = chosen ? chosen : otherwise;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		ASSERT_LT(to->len, sizeof to->data);
		to->data[to->len++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
		hex += 2;
	}
}

static void wrap(struct bytes *bytes)
{
	struct bytes whole = {.data = {0x30}, .len = 1};

	if (bytes->len >= 0x100)
		whole.data[whole.len++] = 0x82,
		whole.data[whole.len++] = (uint8_t)(bytes->len >> 8);
	else if (bytes->len >= 0x80)
		whole.data[whole.len++] = 0x81;
	whole.data[whole.len++] = (uint8_t)bytes->len;
	ASSERT_LE(bytes->len, sizeof whole.data - whole.len);
	memcpy(whole.data + whole.len, bytes->data, bytes->len);
	whole.len += bytes->len;
	*bytes = whole;
}

#define ADD(field) add_hex(&made, fields->field, ordinary.field)

static struct bytes make(const struct fields *fields)
{
	struct bytes made = {.len = 0};

	ADD(version);
	ADD(serial);
	ADD(algorithm);
	ADD(issuer);
	ADD(validity);
	ADD(subject);
	ADD(spki);
	ADD(unique_ids);
	ADD(extensions);
	ADD(behind_tbs_fields);
	wrap(&made);
	ADD(outer_algorithm);
	ADD(signature);
	ADD(behind_signature);
	wrap(&made);
	ADD(trailing);
	return made;
}

/* ---- The table ----------------------------------------------------------------------------- */

FIXTURE(scan)
{
	struct bytes certificate;
};

FIXTURE_VARIANT(scan)
{
	struct fields fields;
	const char *says; /* NULL: it is taken */
};

FIXTURE_SETUP(scan)
{
	self->certificate = make(&variant->fields);
}

FIXTURE_TEARDOWN(scan)
{
}

#define TAKES(name, ...)                                                                           \
	FIXTURE_VARIANT_ADD(scan, takes_##name)                                                    \
	{                                                                                          \
		.fields = { __VA_ARGS__ }                                                          \
	}
#define REFUSES(name, why, ...)                                                                    \
	FIXTURE_VARIANT_ADD(scan, refuses_##name)                                                  \
	{                                                                                          \
		.fields = {__VA_ARGS__}, .says = why                                               \
	}

#define V1	 .version = "", .extensions = ""
#define KEY_ID_2 "300d 0603551d0e 0406 0404 05060708"

TAKES(the_ordinary, .trailing = "");
TAKES(version_1, V1);
TAKES(version_2_with_unique_ids, .version = "a003 020101", .unique_ids = "8102 00ff 8202 00ff",
      .extensions = "");
TAKES(serial_zero, .serial = "020100");
TAKES(a_negative_serial, .serial = "020180");
TAKES(no_extensions, .extensions = "");
TAKES(a_critical_extension, .extensions = "a30e 300c 300a 0603551d0f 0101ff 0400");
TAKES(generalized_time,
      .validity = "3022 180f 3230303030313031303030303030 5a 180f 3230303030313031303030303030 5a");
TAKES(an_empty_name, .issuer = "3000");

REFUSES(version_1_written_out, "version", .version = "a003 020100", .extensions = "");
REFUSES(version_4, "version", .version = "a003 020103");
REFUSES(a_long_version, "version", .version = "a004 02020002");
REFUSES(something_behind_version, "version", .version = "a006 020102 020102");
REFUSES(no_serial, "serial", .serial = "");
REFUSES(an_empty_serial, "serial", .serial = "0200");
REFUSES(a_serial_with_leading_zeros, "serial", .serial = "02020005");
REFUSES(a_serial_with_leading_ones, "serial", .serial = "0202ff80");
REFUSES(no_algorithm, "inner signature algorithm", .algorithm = "");
REFUSES(an_algorithm_without_oid, "inner signature algorithm", .algorithm = "3000");
REFUSES(an_oid_that_breaks_off, "inner signature algorithm", .algorithm = "3003 0601 ff");
REFUSES(an_oid_with_leading_zeros, "inner signature algorithm", .algorithm = "3005 0603 2a8001");
REFUSES(two_algorithm_parameters, "inner signature algorithm",
	.algorithm = "3008 0602 2a03 0500 0500");
REFUSES(different_algorithms, "algorithms differ", .outer_algorithm = "300a 0608 2a8648ce3d040303");
REFUSES(no_issuer, "missing", .issuer = "");
REFUSES(an_empty_relative_name, "issuer", .issuer = "3002 3100");
REFUSES(a_name_of_sequences, "issuer", .issuer = "300f 300d 300b 0603550403 0c04 526f6f74");
REFUSES(an_attribute_without_value, "issuer", .issuer = "3009 3107 3005 0603550403");
REFUSES(an_attribute_with_two_values, "issuer", .issuer = "300d 310b 3009 0603550403 0c00 0c00");
REFUSES(a_multi_byte_tag_in_a_name, "issuer", .issuer = "300c 310a 3008 0603550403 1f0c 00");
REFUSES(no_validity, "validity", .validity = "");
REFUSES(one_date, "validity", .validity = "300f" DATE);
REFUSES(three_dates, "validity", .validity = "302d" DATE DATE DATE);
REFUSES(a_date_without_seconds, "validity", .validity = "301c 170b 32303031303130303030 5a" DATE);
REFUSES(a_date_with_an_offset, "validity",
	.validity = "3022 1711 323030313031303030303030 2b30303030" DATE);
REFUSES(a_date_of_letters, "validity", .validity = "301e 170d 4130303130313030303030305a" DATE);
REFUSES(a_date_in_local_time, "validity", .validity = "301e 170d 32303031303130303030303030" DATE);
REFUSES(a_date_as_text, "validity", .validity = "301e 0c0d 3230303130313030303030305a" DATE);
REFUSES(no_subject, "subject", .subject = "");
REFUSES(no_key, "public key", .spki = "");
REFUSES(a_key_without_bits, "public key", .spki = "3009 3007 0605 2a03040506");
REFUSES(a_key_of_no_byte, "public key", .spki = "300b 3007 0605 2a03040506 0300");
REFUSES(a_key_with_8_unused_bits, "public key", .spki = "300d 3007 0605 2a03040506 0302 08ff");
REFUSES(a_key_with_unused_bits_of_nothing, "public key",
	.spki = "300c 3007 0605 2a03040506 0301 01");
REFUSES(something_behind_the_key, "public key", .spki = "300f 3007 0605 2a03040506 0302 00ff 0500");
REFUSES(unique_ids_in_version_1, "unique", V1, .unique_ids = "8102 00ff");
REFUSES(unique_ids_in_the_wrong_order, "last field", .unique_ids = "8202 00ff 8102 00ff");
REFUSES(a_malformed_unique_id, "unique", .unique_ids = "8100");
REFUSES(extensions_in_version_1, "version is not 3", .version = "");
REFUSES(extensions_in_version_2, "version is not 3", .version = "a003 020101");
REFUSES(an_empty_list_of_extensions, "list of extensions", .extensions = "a302 3000");
REFUSES(two_lists_of_extensions, "list of extensions",
	.extensions = "a320 300f" KEY_ID "300d" KEY_ID);
REFUSES(the_key_id_twice, "twice", .extensions = "a320 301e" KEY_ID KEY_ID_2);
REFUSES(a_key_id_that_is_no_octet_string, "subjectKeyIdentifier",
	.extensions = "a30d 300b 3009 0603551d0e 0402 0500");
REFUSES(a_key_id_of_nothing, "subjectKeyIdentifier",
	.extensions = "a30d 300b 3009 0603551d0e 0402 0400");
REFUSES(something_behind_the_key_id, "subjectKeyIdentifier",
	.extensions = "a310 300e 300c 0603551d0e 0405 040101 0500");
REFUSES(an_extension_without_value, "an extension", .extensions = "a309 3007 3005 0603551d0f");
REFUSES(an_extension_without_oid, "an extension", .extensions = "a306 3004 3002 0400");
REFUSES(critical_false_written_out, "critical",
	.extensions = "a30e 300c 300a 0603551d0f 010100 0400");
REFUSES(critical_of_another_true, "critical",
	.extensions = "a30e 300c 300a 0603551d0f 010101 0400");
REFUSES(something_behind_an_extension, "an extension",
	.extensions = "a30d 300b 3009 0603551d0f 0400 0500");
REFUSES(something_behind_the_fields, "last field", .behind_tbs_fields = "0500");
REFUSES(no_outer_algorithm, "the signature algorithm", .outer_algorithm = "");
REFUSES(no_signature, "signature", .signature = "");
REFUSES(a_signature_of_octets, "signature", .signature = "0402 00aa");
REFUSES(something_behind_the_signature, "behind the signature", .behind_signature = "0500");
REFUSES(a_byte_behind_it, "behind the certificate", .trailing = "00");

REFUSES(an_indefinite_length, "serial", .serial = "0280 05 0000");
REFUSES(a_length_of_two_that_needs_one, "serial", .serial = "028101 05");
REFUSES(a_length_with_a_leading_zero, "serial", .serial = "02820001 05");
REFUSES(a_length_of_five_bytes, "serial", .serial = "02850000000001 05");
REFUSES(a_length_past_the_end, "serial", .serial = "0284ffffffff 05");
REFUSES(a_reserved_length, "serial", .serial = "02ff 05");

TEST_F(scan, as_decided)
{
	struct kt_scan scan = {.version = 99};
	const char *why = kt_scan_certificate(self->certificate.data, self->certificate.len, &scan);

	if (!variant->says) {
		EXPECT_NULL(why)
		{
			TH_LOG("%s", why);
		}
		EXPECT_NE(99, scan.version);
		return;
	}
	ASSERT_NE(NULL, why);
	EXPECT_NE(NULL, strstr(why, variant->says))
	{
		TH_LOG("\"%s\" does not say \"%s\"", why, variant->says);
	}
	EXPECT_EQ(99, scan.version);
}

/* ---- The cursor ---------------------------------------------------------------------------- */

TEST(der_cursor_reads_lengths_of_each_form)
{
	static const struct {
		size_t len;
		uint8_t head[6];
		size_t head_len;
	} forms[] = {
		{0, {4, 0}, 2},
		{0x7f, {4, 0x7f}, 2},
		{0x80, {4, 0x81, 0x80}, 3},
		{0xff, {4, 0x81, 0xff}, 3},
		{0x100, {4, 0x82, 1, 0}, 4},
		{0x10000, {4, 0x83, 1, 0, 0}, 5},
		{0x1000000, {4, 0x84, 1, 0, 0, 0}, 6},
	};
	uint8_t *bytes = calloc(1, 0x1000000 + 6);

	ASSERT_NE(NULL, bytes);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct kt_der_view in = {bytes, forms[i].head_len + forms[i].len};
		struct kt_der_view cut = {bytes, in.len - 1};
		struct kt_der_item item;

		memcpy(bytes, forms[i].head, forms[i].head_len);
		EXPECT_FALSE(kt_der_read(&cut, &item));
		ASSERT_TRUE(kt_der_read(&in, &item));
		EXPECT_EQ(0, in.len);
		EXPECT_EQ(forms[i].len, item.content.len);
		EXPECT_EQ(forms[i].head_len + forms[i].len, item.tlv.len);
	}
	free(bytes);
}

TEST(der_cursor_stays_where_it_was_on_failure)
{
	static const uint8_t bytes[] = {0x1f, 0x01, 0x00};
	struct kt_der_view in = {bytes, sizeof bytes};
	struct kt_der_item item = {.tag = 0x55};

	EXPECT_FALSE(kt_der_read(&in, &item));
	EXPECT_EQ(bytes, in.data);
	EXPECT_EQ(sizeof bytes, in.len);
	EXPECT_EQ(0x55, item.tag);
	in.data++;
	in.len--;
	EXPECT_FALSE(kt_der_expect(&in, KT_DER_INTEGER, &item));
	EXPECT_EQ(2, in.len);
	EXPECT_TRUE(kt_der_expect(&in, KT_DER_BOOLEAN, &item));
}

/* ---- Whole certificates -------------------------------------------------------------------- */

static void expect_same(struct kt_der_view seen, int len, const uint8_t *expected)
{
	EXPECT_EQ((size_t)len, seen.len);
	EXPECT_EQ(0, memcmp(seen.data, expected, seen.len));
}

/* libcrypto's decoder is the oracle for what the fields are. */
TEST(scan_finds_what_libcrypto_finds)
{
	struct pki *pki = pki_new();
	static const enum pki_key keys[] = {PKI_P256, PKI_RSA2048, PKI_ED25519};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct pki_cert *cert = pki_make(
			pki, NULL,
			&(struct pki_options){
				.cn = "R\xc3\xb6ot", .org = "O", .ca = true, .key = keys[i]});
		const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(cert->x509);
		const ASN1_INTEGER *serial = X509_get0_serialNumber(cert->x509);
		struct kt_scan scan;
		uint8_t *spki = NULL;
		const uint8_t *name;
		size_t name_len;
		int len;

		ASSERT_NULL(kt_scan_certificate(cert->der, cert->der_len, &scan));
		EXPECT_EQ(3, scan.version);
		ASSERT_EQ(1,
			  X509_NAME_get0_der(X509_get_subject_name(cert->x509), &name, &name_len));
		expect_same(scan.subject, (int)name_len, name);
		expect_same(scan.issuer, (int)name_len, name);
		len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &spki);
		expect_same(scan.spki, len, spki);
		OPENSSL_free(spki);
		expect_same(scan.key_id, ASN1_STRING_length(id), ASN1_STRING_get0_data(id));
		EXPECT_EQ(ASN1_STRING_length(serial),
			  (int)scan.serial.len - (scan.serial.data[0] == 0));
	}
	pki_free(pki);
}

TEST(scan_without_key_id_says_so)
{
	struct pki *pki = pki_new();
	const struct pki_cert *cert = pki_make(
		pki, NULL, &(struct pki_options){.cn = "Root", .ca = true, .no_skid = true});
	struct kt_scan scan;

	ASSERT_NULL(kt_scan_certificate(cert->der, cert->der_len, &scan));
	EXPECT_EQ(NULL, scan.key_id.data);
	pki_free(pki);
}

/* As selftests/verify/cert.c has it of who verifies. */
TEST(scan_takes_for_a_ca_what_verifies)
{
#define CA	  "300c 0603551d13 0405 3003 0101ff"
#define NO_CA	  "3009 0603551d13 0402 3000"
#define CERT_SIGN "300b 0603551d0f 0404 0302 0204"
#define CRL_SIGN  "300b 0603551d0f 0404 0302 0102"
	static const struct {
		const char *extensions;
		bool ca;
	} cases[] = {
		{CA, true},
		{CA CERT_SIGN, true},
		{KEY_ID KEY_ID CA, true}, /* not looked into */
		{"300f 0603551d13 0408 3006 0101ff 020100", true},
		{"", false},
		{CERT_SIGN, false},
		{NO_CA, false},
		{CA CRL_SIGN, false},
		{CA CA, false},
		{NO_CA CA, false},
		{CA CRL_SIGN CERT_SIGN, false},
		{"300c 0603551d13 0405 3003 010101", false}, /* DER's TRUE is ff */
		{"300c 0603551d13 0405 3003 010100", false},
		{"300f 0603551d13 0408 3006 0101ff 0201ff", false},
		{"300e 0603551d13 0407 3003 0101ff 0500", false},
		{CA "300b 0603551d0f 0404 0302 0304", false}, /* a bit that is none */
		{CA "300a 0603551d0f 0403 0301 00", false},
		{CA "300b 0603551d0f 0404 0302 0000", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes list = {.len = 0};

		add_hex(&list, cases[i].extensions, NULL);
		EXPECT_EQ(cases[i].ca,
			  kt_scan_is_ca(&(struct kt_scan){.extensions = {list.data, list.len}}))
		{
			TH_LOG("%s", cases[i].extensions);
		}
	}
}

TEST(scan_refuses_every_cut)
{
	struct pki *pki = pki_new();
	const struct pki_cert *cert = pki_make_ca(pki, NULL, "Root");

	for (size_t len = 0; len < cert->der_len; len++) {
		uint8_t *cut = malloc(len ? len : 1);
		struct kt_scan scan;

		ASSERT_NE(NULL, cut);
		memcpy(cut, cert->der, len);
		EXPECT_NE(NULL, kt_scan_certificate(cut, len, &scan));
		free(cut);
	}
	pki_free(pki);
}

/* Whatever one changed byte makes of it: what is found stays within the certificate. */
TEST(scan_of_any_changed_byte_stays_inside)
{
	struct bytes cert = make(&ordinary);

	for (size_t at = 0; at < cert.len; at++) {
		uint8_t was = cert.data[at];

		for (unsigned int value = 0; value < 256; value++) {
			uint8_t *copy = malloc(cert.len);
			struct kt_scan scan;

			ASSERT_NE(NULL, copy);
			cert.data[at] = (uint8_t)value;
			memcpy(copy, cert.data, cert.len);
			if (!kt_scan_certificate(copy, cert.len, &scan)) {
				EXPECT_LE(copy, scan.subject.data);
				EXPECT_LE(scan.spki.data + scan.spki.len, copy + cert.len);
			}
			free(copy);
		}
		cert.data[at] = was;
	}
}

TEST_HARNESS_MAIN
