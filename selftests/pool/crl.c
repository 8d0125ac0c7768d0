/* SPDX-License-Identifier: BSD-2-Clause */
/* What the scan of CRLs takes, what it refuses and why, and the dates it reads. */
#include "roots.h"

#include <errno.h>

#include <openssl/x509v3.h>

#include "../../src/pool/scan.h"

FIXTURE(crl)
{
	struct pki *pki;
	const struct pki_cert *ca, *leaf;
	struct pki_der der; /* with one entry and nextUpdate */
	struct kt_anchor_set *set;
	struct kt_error error;
};

FIXTURE_SETUP(crl)
{
	self->pki = pki_new();
	self->ca = pki_make_ca(self->pki, NULL, "CRL issuer");
	self->leaf = pki_make_leaf(self->pki, self->ca, "c", "c.test", "clientAuth");
	self->der = pki_make_crl(self->ca, &(struct pki_crl){.revoked = {self->leaf}});
	self->set = kt_anchor_set_new();
	ASSERT_NE(NULL, self->set);
}

FIXTURE_TEARDOWN(crl)
{
	kt_anchor_set_free(self->set);
	free(self->der.data);
	pki_free(self->pki);
}

static int add(FIXTURE_DATA(crl) * self, struct pki_der der)
{
	memset(&self->error, 0, sizeof self->error);
	return kt_anchor_set_add_crl(self->set, der.data, der.len, "here", 7, &self->error);
}

/* ---- Whole and cut -------------------------------------------------------------------------- */

TEST_F(crl, is_taken_once)
{
	EXPECT_EQ(0, add(self, self->der));
	EXPECT_EQ(0, add(self, self->der));
	EXPECT_EQ(1, kt_anchor_set_crls(self->set));
}

TEST_F(crl, cut_anywhere_is_ebadmsg)
{
	for (size_t len = 0; len < self->der.len; len++) {
		/* A copy of its own, so that a sanitizer sees what is read behind its end. */
		struct pki_der cut = {malloc(len ? len : 1), len};

		ASSERT_NE(NULL, cut.data);
		memcpy(cut.data, self->der.data, len);
		EXPECT_EQ(-EBADMSG, add(self, cut))
		{
			TH_LOG("%zu of %zu bytes", len, self->der.len);
		}
		free(cut.data);
	}
	EXPECT_EQ(0, kt_anchor_set_crls(self->set));
}

/* Of each byte that is altered: it is refused, or still a CRL with the same frame; never a crash.
 */
TEST_F(crl, altered_anywhere_is_refused_or_read)
{
	for (size_t at = 0; at < self->der.len; at++)
		for (unsigned int bit = 0; bit < 8; bit++) {
			struct kt_scan_crl scan;

			self->der.data[at] ^= (uint8_t)(1u << bit);
			if (!kt_scan_crl(self->der.data, self->der.len, &scan)) {
				EXPECT_LE(self->der.data, scan.issuer.data);
				EXPECT_GE(self->der.data + self->der.len,
					  scan.issuer.data + scan.issuer.len);
			}
			self->der.data[at] ^= (uint8_t)(1u << bit);
		}
}

TEST_F(crl, with_bytes_behind_it_is_ebadmsg)
{
	struct pki_der longer = {calloc(1, self->der.len + 1), self->der.len + 1};

	ASSERT_NE(NULL, longer.data);
	memcpy(longer.data, self->der.data, self->der.len);
	EXPECT_EQ(-EBADMSG, add(self, longer));
	EXPECT_NE(NULL, strstr(self->error.text, "bytes behind the CRL"));
	EXPECT_STREQ("here", self->error.where);
	EXPECT_EQ(7, self->error.line);
	free(longer.data);
}

TEST_F(crl, beyond_the_limit_is_efbig)
{
	struct pki_der large = {calloc(1, KT_CRL_LEN_MAX + 1), KT_CRL_LEN_MAX + 1};

	ASSERT_NE(NULL, large.data);
	EXPECT_EQ(-EFBIG, add(self, large));
	free(large.data);
}

TEST_F(crl, too_many_are_e2big)
{
	uint8_t *digit = memmem(self->der.data, self->der.len, "CRL issuer", 10);
	char name[11];

	ASSERT_NE(NULL, digit);
	for (unsigned int i = 0; i < KT_CRLS_MAX; i++) {
		snprintf(name, sizeof name, "%010u", i);
		memcpy(digit, name, 10);
		ASSERT_EQ(0, add(self, self->der));
	}
	EXPECT_EQ(0, add(self, self->der));
	memcpy(digit, "CRL issuer", 10);
	EXPECT_EQ(-E2BIG, add(self, self->der));
	EXPECT_EQ(KT_CRLS_MAX, kt_anchor_set_crls(self->set));
}

/* ---- What OpenSSL builds that is not taken -------------------------------------------------- */

typedef void (*alteration)(X509_CRL *crl, const struct pki_cert *ca);

/* The CRL, altered and signed again. */
static struct pki_der altered(FIXTURE_DATA(crl) * self, alteration alter)
{
	const uint8_t *p = self->der.data;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)self->der.len);
	struct pki_der made = {0};
	int len;

	ASSERT_NE(NULL, crl);
	alter(crl, self->ca);
	ASSERT_NE(0, X509_CRL_sign(crl, self->ca->key, EVP_sha256()));
	len = i2d_X509_CRL(crl, &made.data);
	ASSERT_LT(0, len);
	made.len = (size_t)len;
	X509_CRL_free(crl);
	return made;
}

static void expect(FIXTURE_DATA(crl) * self, alteration alter, int ret, const char *why)
{
	struct pki_der der = altered(self, alter);

	EXPECT_EQ(ret, add(self, der));
	EXPECT_NE(NULL, strstr(self->error.text, why))
	{
		TH_LOG("'%s' instead of '%s'", self->error.text, why);
	}
	OPENSSL_free(der.data);
}

static void add_extension(X509_CRL *crl, int nid, const char *value, bool critical)
{
	char text[128];
	X509_EXTENSION *extension;

	snprintf(text, sizeof text, "%s%s", critical ? "critical," : "", value);
	extension = X509V3_EXT_conf_nid(NULL, NULL, nid, text);
	ASSERT_NE(NULL, extension);
	ASSERT_EQ(1, X509_CRL_add_ext(crl, extension, -1));
	X509_EXTENSION_free(extension);
}

static void make_version1(X509_CRL *crl, const struct pki_cert *ca)
{
	(void)ca;
	ASSERT_EQ(1, X509_CRL_set_version(crl, X509_CRL_VERSION_1));
}

static void make_delta(X509_CRL *crl, const struct pki_cert *ca)
{
	ASN1_INTEGER *base = ASN1_INTEGER_new();

	(void)ca;
	ASSERT_EQ(1, ASN1_INTEGER_set(base, 1));
	ASSERT_EQ(1, X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0));
	ASN1_INTEGER_free(base);
}

static void make_indirect(X509_CRL *crl, const struct pki_cert *ca)
{
	(void)ca;
	add_extension(crl, NID_issuing_distribution_point, "indirectCRL:TRUE", true);
}

static void make_partial(X509_CRL *crl, const struct pki_cert *ca)
{
	(void)ca;
	add_extension(crl, NID_issuing_distribution_point, "onlyuser:TRUE", true);
}

static void make_some_reasons(X509_CRL *crl, const struct pki_cert *ca)
{
	(void)ca;
	add_extension(crl, NID_issuing_distribution_point, "onlysomereasons:keyCompromise", true);
}

static void make_attribute(X509_CRL *crl, const struct pki_cert *ca)
{
	(void)ca;
	add_extension(crl, NID_issuing_distribution_point, "onlyAA:TRUE", true);
}

static void make_of_a_point(X509_CRL *crl, const struct pki_cert *ca)
{
	(void)ca;
	add_extension(crl, NID_issuing_distribution_point,
		      "fullname:URI:http://c.test/1,onlyCA:TRUE", true);
}

/* An entry that belongs to another issuer's certificate (RFC 5280 §5.3.3). */
static void make_entry_of_another(X509_CRL *crl, const struct pki_cert *ca)
{
	X509_REVOKED *entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0);
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	X509_NAME *copy = X509_NAME_dup(X509_get_subject_name(ca->x509));

	GENERAL_NAME_set0_value(name, GEN_DIRNAME, copy);
	sk_GENERAL_NAME_push(names, name);
	ASSERT_EQ(1, X509_REVOKED_add1_ext_i2d(entry, NID_certificate_issuer, names, 1, 0));
	GENERAL_NAMES_free(names);
}

static void make_ordinary(X509_CRL *crl, const struct pki_cert *ca)
{
	X509_REVOKED *entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	(void)ca;
	ASSERT_EQ(1, ASN1_ENUMERATED_set(reason, 1));
	ASSERT_EQ(1, X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0));
	ASSERT_EQ(1, ASN1_INTEGER_set(number, 5));
	ASSERT_EQ(1, X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0));
	ASN1_ENUMERATED_free(reason);
	ASN1_INTEGER_free(number);
}

static void make_same(X509_CRL *crl, const struct pki_cert *ca)
{
	(void)crl;
	(void)ca;
}

TEST_F(crl, of_version_1_is_ebadmsg)
{
	expect(self, make_version1, -EBADMSG, "it is not of version 2");
}

TEST_F(crl, delta_is_eopnotsupp)
{
	expect(self, make_delta, -EOPNOTSUPP, "use a complete CRL");
}

TEST_F(crl, indirect_is_eopnotsupp)
{
	expect(self, make_indirect, -EOPNOTSUPP, "use a complete CRL");
}

TEST_F(crl, for_some_reasons_is_eopnotsupp)
{
	expect(self, make_some_reasons, -EOPNOTSUPP, "use a complete CRL");
}

TEST_F(crl, for_attribute_certificates_is_eopnotsupp)
{
	expect(self, make_attribute, -EOPNOTSUPP, "use a complete CRL");
}

TEST_F(crl, of_a_distribution_point_is_taken)
{
	expect(self, make_partial, 0, "");
	expect(self, make_of_a_point, 0, "");
}

TEST_F(crl, with_an_entry_of_another_issuer_is_eopnotsupp)
{
	expect(self, make_entry_of_another, -EOPNOTSUPP, "use a complete CRL");
}

TEST_F(crl, with_an_unknown_critical_extension_is_eopnotsupp)
{
	struct pki_der der =
		pki_make_crl(self->ca, &(struct pki_crl){.critical_extension = "1.2.3.4.5"});

	EXPECT_EQ(-EOPNOTSUPP, add(self, der));
	free(der.data);
}

TEST_F(crl, with_number_and_reasons_is_taken)
{
	expect(self, make_ordinary, 0, "");
	expect(self, make_same, 0, "");
}

/* ---- Dates ---------------------------------------------------------------------------------- */

TEST_F(crl, dates_are_read)
{
	struct kt_scan_crl scan;

	ASSERT_NULL(kt_scan_crl(self->der.data, self->der.len, &scan));
	EXPECT_EQ(pki_now() - 3600, scan.this_update);
	EXPECT_EQ(pki_now() + 30 * 86400, scan.next_update);
}

TEST_F(crl, without_next_update_or_entries_is_taken)
{
	struct pki_der der = pki_make_crl(self->ca, &(struct pki_crl){.no_next_update = true});
	struct kt_scan_crl scan;

	ASSERT_NULL(kt_scan_crl(der.data, der.len, &scan));
	EXPECT_EQ(INT64_MAX, scan.next_update);
	free(der.data);
}

TEST_F(crl, dates_that_are_none_are_ebadmsg)
{
	static const char *const dates[] = {"261301000000Z", "260001000000Z", "260230000000Z",
					    "260101240000Z", "260101006000Z", "26010100000aZ"};
	uint8_t *time = memmem(self->der.data, self->der.len, "\x17\x0d", 2);
	uint8_t *next;

	ASSERT_NE(NULL, time);
	next = time + 15;
	ASSERT_EQ(0, memcmp(next, "\x17\x0d", 2));
	for (size_t i = 0; i < 2 * sizeof dates / sizeof dates[0]; i++) {
		uint8_t *date = i % 2 ? next + 2 : time + 2;
		uint8_t was[13];

		memcpy(was, date, 13);
		memcpy(date, dates[i / 2], 13);
		EXPECT_EQ(-EBADMSG, add(self, self->der))
		{
			TH_LOG("%s", dates[i / 2]);
		}
		EXPECT_NE(NULL, strstr(self->error.text, i % 2 ? "nextUpdate" : "thisUpdate"));
		memcpy(date, was, 13);
	}
}

static const struct {
	const char *tlv;
	int64_t seconds;
} times[] = {
	{"\x17\x0d"
	 "491231235959Z",
	 2524607999},
	{"\x17\x0d"
	 "500101000000Z",
	 -631152000},
	{"\x17\x0d"
	 "000229120000Z",
	 951825600},
	{"\x18\x0f"
	 "20500101000000Z",
	 2524608000},
	{"\x18\x0f"
	 "99991231235959Z",
	 253402300799},
};

TEST(times_are_seconds_since_the_epoch)
{
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		struct kt_der_view tlv = {(const uint8_t *)times[i].tlv, strlen(times[i].tlv)};
		int64_t seconds = 0;

		EXPECT_TRUE(kt_scan_seconds(tlv, &seconds));
		EXPECT_EQ(times[i].seconds, seconds);
	}
}

/* ---- Every reason is heard ------------------------------------------------------------------ */

static const struct {
	const char *hex; /* a CRL whose parts are as small as they can be */
	const char *why;
} reasons[] = {
	{"0200", "it is not a DER sequence of its full length"},
	{"3000", "the part that is signed is missing or malformed"},
	{"30023000", "it is not of version 2"},
	{"30053003020101", "the inner signature algorithm is missing or malformed"},
};

TEST(reasons_for_refusals)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		long len = 0;
		uint8_t *der = OPENSSL_hexstr2buf(reasons[i].hex, &len);
		struct kt_scan_crl scan;

		ASSERT_NE(NULL, der);
		EXPECT_STREQ(reasons[i].why, kt_scan_crl(der, (size_t)len, &scan));
		OPENSSL_free(der);
	}
}

TEST_HARNESS_MAIN
