/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parser of certdata.txt takes for trusted, and what it refuses with which errno and line.
 */
#include "nss_text.h"

#define DATE_LINES                                                                                 \
	"MULTILINE_OCTAL\n\\062\\066\\060\\064\\061\\065\\062\\063\\065\\071\\065\\071\\132\nEND"
#define DATE 1776297599 /* 260415235959Z */
#define EARLIER                                                                                    \
	"MULTILINE_OCTAL\n\\062\\065\\060\\064\\061\\065\\062\\063\\065\\071\\065\\071\\132\nEND"
#define NO_DATE	  "CKA_NSS_SERVER_DISTRUST_AFTER CK_BBOOL CK_FALSE"
#define AFTER	  "CKA_NSS_SERVER_DISTRUST_AFTER "
#define STEP_UP	  "CKA_TRUST_STEP_UP_APPROVED CK_BBOOL CK_FALSE"
#define TRUST	  "CKA_TRUST_SERVER_AUTH CK_TRUST "
#define DELEGATOR TRUST "CKT_NSS_TRUSTED_DELEGATOR"
#define ID	  "CKA_ID UTF8 \"0\""

struct seen {
	size_t count;
	enum kt_nss_trust trust; /* of the first */
	int64_t distrust_after;
	unsigned int purposes;
	unsigned int line;
	uint8_t der[4096];
	size_t der_len;
	size_t subject_len;
	char label[256];
	char reason[256];
	int stop; /* what to return */
};

static int see(const struct kt_nss_root *root, void *arg)
{
	struct seen *seen = arg;

	if (seen->count++ > 0)
		return 0;
	seen->trust = root->trust;
	seen->distrust_after = root->constraints.distrust_after;
	seen->purposes = root->constraints.purposes;
	seen->line = root->line;
	ASSERT_GE(sizeof seen->der, root->der_len);
	memcpy(seen->der, root->der, root->der_len);
	seen->der_len = root->der_len;
	seen->subject_len = root->subject_len;
	snprintf(seen->label, sizeof seen->label, "%s", root->label);
	snprintf(seen->reason, sizeof seen->reason, "%s", root->reason);
	return seen->stop;
}

FIXTURE(nss)
{
	struct pki *pki;
	struct nss_text text;
	struct seen seen;
	struct kt_nss_counts counts;
	struct kt_error error;
};

FIXTURE_VARIANT(nss)
{
	const char *from;    /* is replaced by to; NULL: to is added at the end */
	const char *to;	     /* NULL: the text is cut before from */
	const char *pattern; /* of the whole; NULL: one root that is trusted */
	int ret;
	const char *at; /* its first place (or last) is the line that the error names, plus some */
	bool last;
	unsigned int plus;
	const char *says; /* in the error's text, or in the reason */
	enum kt_nss_trust trust;
	int64_t distrust_after; /* 0: never */
	const char *label;	/* NULL: "First" */
	size_t count;		/* 0: 1 */
	size_t alone;		/* trust objects without certificate */
};

FIXTURE_SETUP(nss)
{
	self->pki = pki_new();
	nss_cert_init(&self->text.certs[0], pki_make_ca(self->pki, NULL, "First"), "First");
	nss_cert_init(&self->text.certs[1], pki_make_ca(self->pki, NULL, "Second"), "Second");
	nss_text_add(&self->text,
		     variant && variant->pattern ? variant->pattern : NSS_BEGIN "@c@t");
	if (!variant)
		return;
	if (variant->from && variant->to)
		nss_text_replace(&self->text, variant->from, variant->to);
	else if (variant->from)
		self->text.len =
			(size_t)(strstr(self->text.bytes, variant->from) - self->text.bytes);
	else if (variant->to)
		nss_text_add(&self->text, variant->to);
}

FIXTURE_TEARDOWN(nss)
{
	free(self->text.bytes);
	pki_free(self->pki);
}

#define TAKES(name, ...)                                                                           \
	FIXTURE_VARIANT_ADD(nss, takes_##name)                                                     \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define REFUSES(name, marker, why, ...)                                                            \
	FIXTURE_VARIANT_ADD(nss, refuses_##name)                                                   \
	{                                                                                          \
		.ret = -EBADMSG, .at = marker, .says = why, __VA_ARGS__                            \
	}
#define CUT_BEFORE(what)  .from = what
#define CHANGE(what, by)  .from = what, .to = by
#define ADD(pattern_here) .to = pattern_here
#define WHOLE(text)	  .pattern = text

/* What trust means. */
TAKES(a_trusted_root, .label = "First");
TAKES(must_verify, CHANGE(DELEGATOR, TRUST "CKT_NSS_MUST_VERIFY_TRUST"),
      .trust = KT_NSS_NOT_FOR_SERVERS, .says = "");
TAKES(not_trusted, CHANGE(DELEGATOR, TRUST "CKT_NSS_NOT_TRUSTED"), .trust = KT_NSS_DISTRUSTED,
      .says = "");
TAKES(a_trusted_peer_as_no_root, CHANGE(DELEGATOR, TRUST "CKT_NSS_TRUSTED"),
      .trust = KT_NSS_NOT_FOR_SERVERS, .says = "");
TAKES(an_unknown_word_of_trust_as_none, CHANGE(DELEGATOR, TRUST "CKT_TRUST_ANCHOR"),
      .trust = KT_NSS_NOT_FOR_SERVERS, .says = "CKT_TRUST_ANCHOR is not known");
TAKES(two_roots, ADD("@C@T"), .count = 2);
TAKES(trust_before_certificates, WHOLE(NSS_BEGIN "@T@t@c@C"), .count = 2);
TAKES(trust_without_certificate, ADD("@T"), .alone = 1);
TAKES(twice_trust_without_certificate, ADD("@T@T"), .alone = 2);
TAKES(one_certificate_twice_as_one, ADD("@c"));

/* Dates. */
TAKES(a_date, CHANGE(NO_DATE, AFTER DATE_LINES), .distrust_after = DATE);
TAKES(a_date_in_the_trust_object, CHANGE(STEP_UP, AFTER DATE_LINES), .distrust_after = DATE);
TAKES(a_date_in_the_same_certificate_again,
      ADD("CKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nCKA_LABEL UTF8 \"Again\"\n@u@i@s@v" AFTER
		  DATE_LINES "\n"),
      .distrust_after = DATE);
TAKES(a_date_in_another_object,
      ADD("CKA_CLASS CK_OBJECT_CLASS CKO_NEW\n@i@s" AFTER DATE_LINES "\n"), .distrust_after = DATE);
TAKES(the_earlier_of_two_dates,
      WHOLE(NSS_BEGIN "@c@tCKA_CLASS CK_OBJECT_CLASS CKO_NEW\n@i@s" AFTER DATE_LINES "\n"),
      CHANGE(NO_DATE, AFTER EARLIER), .distrust_after = DATE - 365 * 86400);
TAKES(absence_of_a_date, CHANGE(NO_DATE "\n", ""));
TAKES(a_date_before_1970,
      CHANGE(NO_DATE,
	     AFTER "MULTILINE_OCTAL\n"
		   "\\066\\071\\061\\062\\063\\061\\062\\063\\065\\071\\065\\071\\132\nEND"),
      .distrust_after = -1);
TAKES(a_date_for_email_as_none, CHANGE("CKA_NSS_EMAIL_DISTRUST_AFTER CK_BBOOL CK_FALSE",
				       "CKA_NSS_EMAIL_DISTRUST_AFTER " DATE_LINES));
#define MISUNDERSTANDS(name, ...)                                                                  \
	TAKES(as_untrusted_##name, __VA_ARGS__, .trust = KT_NSS_UNKNOWN_CONSTRAINT)
MISUNDERSTANDS(an_unknown_distrust, CHANGE(ID, "CKA_NSS_PYTHON_DISTRUST_AFTER CK_BBOOL CK_FALSE"),
	       .says = "CKA_NSS_PYTHON_DISTRUST_AFTER is not known");
MISUNDERSTANDS(an_unknown_distrust_in_trust, CHANGE(STEP_UP, "CKA_DISTRUST UTF8 \"x\""),
	       .says = "CKA_DISTRUST is not known");
MISUNDERSTANDS(an_unknown_constraint, CHANGE(ID, "CKA_NSS_NAME_CONSTRAINTS MULTILINE_OCTAL\nEND"),
	       .says = "CKA_NSS_NAME_CONSTRAINTS is not known");
MISUNDERSTANDS(an_unknown_distrust_elsewhere,
	       ADD("CKA_CLASS CK_OBJECT_CLASS CKO_NEW\n@i@sCKA_X_DISTRUST CK_BBOOL CK_TRUE\n"),
	       .says = "CKA_X_DISTRUST is not known");
MISUNDERSTANDS(a_date_that_is_true, CHANGE(NO_DATE, AFTER "CK_BBOOL CK_TRUE"),
	       .says = "value that is not understood");
MISUNDERSTANDS(a_date_as_text, CHANGE(NO_DATE, AFTER "UTF8 \"260415235959Z\""),
	       .says = "value that is not understood");
MISUNDERSTANDS(an_empty_date, CHANGE(NO_DATE, AFTER "MULTILINE_OCTAL\nEND"),
	       .says = "value that is not understood");
MISUNDERSTANDS(a_generalized_time,
	       CHANGE(NO_DATE, AFTER "MULTILINE_OCTAL\n\\062\\060\\062\\066\\060\\064\\061\\065"
				     "\\062\\063\\065\\071\\065\\071\\132\nEND"),
	       .says = "value that is not understood");
MISUNDERSTANDS(the_30th_of_february,
	       CHANGE(NO_DATE,
		      AFTER "MULTILINE_OCTAL\n\\062\\066\\060\\062\\063\\060\\062\\063\\065"
			    "\\071\\065\\071\\132\nEND"),
	       .says = "value that is not understood");
MISUNDERSTANDS(a_date_without_z,
	       CHANGE(NO_DATE,
		      AFTER "MULTILINE_OCTAL\n\\062\\066\\060\\064\\061\\065\\062\\063\\065"
			    "\\071\\065\\071\\060\nEND"),
	       .says = "value that is not understood");

/* Form. */
TAKES(escapes_in_a_label,
      CHANGE("CKA_LABEL UTF8 \"First\"", "CKA_LABEL UTF8 \"Ra\\xC3\\xADz \\303\\251 \\\"\\\\#\""),
      .label = "Ra\xc3\xadz \xc3\xa9 \"\\#");
TAKES(utf8_in_a_label,
      CHANGE("CKA_LABEL UTF8 \"First\"", "CKA_LABEL UTF8 \"F\xc5\x91\xe2\x82\xac\""),
      .label = "F\xc5\x91\xe2\x82\xac");
TAKES(what_is_no_utf8_in_a_label,
      CHANGE("CKA_LABEL UTF8 \"First\"",
	     "CKA_LABEL UTF8 \"a\\xC3.\\xC0\\x80\\x00\\x1B\\xC2\\x85\\xED\\xA0\\x80\\xC3\""),
      .label = "a?.?????????");
TAKES(the_last_label_of_repeated_ones, ADD("@C@T"), .count = 2);
TAKES(an_unknown_attribute, CHANGE(ID, "CKA_NEW CK_ULONG 17"));
TAKES(an_unknown_octal_attribute, CHANGE(ID, "CKA_NEW MULTILINE_OCTAL\n\\377\\000\nEND"));
TAKES(an_unknown_class, ADD("CKA_CLASS CK_OBJECT_CLASS CKO_NEW\nCKA_X CK_ULONG 1\n"));
TAKES(comments_and_blanks, CHANGE(ID, "  # x\n\t" ID "   # y \"z\n\n"));
TAKES(cvs_id, WHOLE("CVS_ID \"x\"\n" NSS_BEGIN "@c@t"));

REFUSES(text_before_the_data, "-----BEGIN", "not a certdata.txt",
	WHOLE("-----BEGIN CERTIFICATE-----\nMII\n"));
REFUSES(an_attribute_before_the_data, "CKA_CLASS", "not a certdata.txt", CHANGE("BEGINDATA\n", ""));
REFUSES(an_attribute_outside_of_objects, "CKA_X CK", "outside of any object",
	CHANGE("BEGINDATA", "BEGINDATA\nCKA_X CK_BBOOL CK_TRUE"));
REFUSES(begindata_again, "BEGINDATA\nCKA_ID", "neither an attribute", CHANGE(ID, "BEGINDATA\n" ID));
REFUSES(a_stray_end, "END\nCKA_ID", "ends nothing", CHANGE(ID, "END\n" ID));
REFUSES(stray_octal, "\\001\nCKA_ID", "neither an attribute", CHANGE(ID, "\\001\n" ID));
REFUSES(an_attribute_without_type, "CKA_ALONE", "no type", CHANGE(ID, "CKA_ALONE"));
REFUSES(an_attribute_without_value, "CKA_ALONE", "no value", CHANGE(ID, "CKA_ALONE CK_BBOOL"));
REFUSES(two_values, "CKA_TWO", "behind the attribute's value", CHANGE(ID, "CKA_TWO CK_BBOOL A B"));
REFUSES(something_behind_a_quote, "CKA_TWO", "behind the closing quote",
	CHANGE(ID, "CKA_TWO UTF8 \"a\" b"));
REFUSES(an_open_quote, "CKA_TWO", "does not close", CHANGE(ID, "CKA_TWO UTF8 \"a\\\""));
REFUSES(a_broken_escape, "CKA_TWO", "an escape that", CHANGE(ID, "CKA_TWO UTF8 \"\\xC\""));
REFUSES(an_unknown_escape, "CKA_TWO", "an escape that", CHANGE(ID, "CKA_TWO UTF8 \"\\n\""));
REFUSES(an_octal_escape_too_large, "CKA_TWO", "an escape that",
	CHANGE(ID, "CKA_TWO UTF8 \"\\400\""));
REFUSES(an_unknown_multiline, "CKA_TWO", "not known here",
	CHANGE(ID, "CKA_TWO MULTILINE_HEX\n00\nEND"));
REFUSES(something_behind_multiline, "CKA_TWO", "behind MULTILINE_OCTAL",
	CHANGE(ID, "CKA_TWO MULTILINE_OCTAL \\001\nEND"));
REFUSES(octal_out_of_range, "\\400", "above",
	CHANGE(ID, "CKA_TWO MULTILINE_OCTAL\n\\377\\400\nEND"));
REFUSES(octal_with_a_wrong_digit, "\\078", "not a line of octal",
	CHANGE(ID, "CKA_TWO MULTILINE_OCTAL\n\\078\nEND"));
REFUSES(octal_without_backslash, "0001", "not a line of octal",
	CHANGE(ID, "CKA_TWO MULTILINE_OCTAL\n0001\nEND"));
REFUSES(octal_with_a_piece, "\\001\\02", "not a line of octal",
	CHANGE(ID, "CKA_TWO MULTILINE_OCTAL\n\\001\\02\nEND"));
REFUSES(an_empty_line_in_octal, "\nEND\nCKA_ISSUER", "not a line of octal",
	CHANGE(ID, "CKA_TWO MULTILINE_OCTAL\n\nEND"));
REFUSES(an_attribute_in_octal, ID, "not a line of octal",
	CHANGE(ID, "CKA_TWO MULTILINE_OCTAL\n" ID));
REFUSES(octal_without_end, "CKA_VALUE", "has no END", WHOLE(NSS_BEGIN "@c"),
	CUT_BEFORE("END\nCKA_NSS_SERVER"));
REFUSES(a_cut_line, AFTER, "ends within a line", CUT_BEFORE("_FALSE\nCKA_NSS_EMAIL"));

/* Objects. */
REFUSES(an_attribute_twice, "# here", "there twice", CHANGE(ID, "@i# here"), .plus = 1);
REFUSES(an_unknown_attribute_twice, ID, "there twice", CHANGE(ID, ID "\n" ID), .plus = 1);
REFUSES(trust_twice, DELEGATOR " #", "there twice", CHANGE(STEP_UP, DELEGATOR " #\n" STEP_UP));
REFUSES(another_type_of_certificate, "CKO_CERTIFICATE", "CKC_X_509",
	CHANGE("CKC_X_509", "CKC_WTLS"));
REFUSES(a_certificate_without_value, "CKO_CERTIFICATE", "without CKA_VALUE", CHANGE("@v", ""));
REFUSES(a_value_of_a_word, "CKA_VALUE", "of another type", CHANGE("@v", "CKA_VALUE CK_BBOOL X\n"));
REFUSES(an_empty_value, "CKA_VALUE", "empty", CHANGE("@v", "CKA_VALUE MULTILINE_OCTAL\nEND\n"));
REFUSES(a_value_that_is_no_certificate, "CKO_CERTIFICATE", "not a well-formed",
	CHANGE("@v", "CKA_VALUE MULTILINE_OCTAL\n\\060\\000\nEND\n"));
REFUSES(a_value_with_bytes_behind, "CKO_CERTIFICATE", "bytes behind",
	CHANGE("END\nCKA_NSS_SERVER", "\\000\nEND\nCKA_NSS_SERVER"));
REFUSES(another_certificates_value, "CKO_CERTIFICATE", "is not the one", CHANGE("@v", "@V"));
REFUSES(another_certificates_issuer, "CKO_CERTIFICATE", "is not the one", CHANGE("@i", "@I"));
REFUSES(another_certificates_serial, "CKO_CERTIFICATE", "is not the one", CHANGE("@s", "@S"));
REFUSES(another_certificates_subject, "CKO_CERTIFICATE", "is not the one", CHANGE("@u", "@U"));
REFUSES(a_label_without_quotes, "CKA_LABEL UTF8 First", "not in quotes",
	CHANGE("UTF8 \"First\"", "UTF8 First"));
REFUSES(a_class_of_another_type, "CKA_CLASS CK_BBOOL", "of another type",
	CHANGE("CKA_CLASS CK_OBJECT_CLASS CKO_NSS_TRUST", "CKA_CLASS CK_BBOOL CKO_NSS_TRUST"));
REFUSES(trust_of_another_type, "CKA_TRUST_SERVER_AUTH", "of another type",
	CHANGE("SERVER_AUTH CK_TRUST", "SERVER_AUTH CK_BBOOL"));
REFUSES(trust_that_says_nothing_of_servers, "CKO_NSS_TRUST", "a trust object without",
	CHANGE(DELEGATOR "\n", ""));
REFUSES(trust_without_serial, "CKO_NSS_TRUST", "a trust object without",
	WHOLE(NSS_BEGIN "@c\n# Trust\nCKA_CLASS CK_OBJECT_CLASS CKO_NSS_TRUST\n@i" DELEGATOR "\n"));
REFUSES(a_certificate_without_trust, "CKO_CERTIFICATE", "without trust object",
	WHOLE(NSS_BEGIN "@c"));
REFUSES(a_second_certificate_without_trust, "CKO_CERTIFICATE", "without trust object",
	WHOLE(NSS_BEGIN "@C@T@c"), .last = true);
REFUSES(two_trust_objects, "CKO_NSS_TRUST", "a second trust object", ADD("@t"), .last = true);
REFUSES(a_limit_of_no_certificate, "CKO_NEW", "names no certificate",
	ADD("CKA_CLASS CK_OBJECT_CLASS CKO_NEW\n" AFTER DATE_LINES "\n"));

TEST_F(nss, as_decided)
{
	struct nss_text *text = &self->text;
	bool trusted = variant->trust == KT_NSS_TRUSTED;
	size_t count = variant->count ? variant->count : 1;
	int ret = kt_nss_parse(text->bytes, text->len, "certdata", see, &self->seen, &self->counts,
			       &self->error);

	ASSERT_EQ(variant->ret, ret)
	{
		TH_LOG("line %u: %s", self->error.line, self->error.text);
	}
	if (ret) {
		EXPECT_EQ(0, self->seen.count);
		EXPECT_EQ(EBADMSG, self->error.err);
		EXPECT_STREQ("certdata", self->error.where);
		EXPECT_EQ(nss_text_line(text, variant->at, variant->last) + variant->plus,
			  self->error.line);
		EXPECT_NE(NULL, strstr(self->error.text, variant->says))
		{
			TH_LOG("\"%s\" does not say \"%s\"", self->error.text, variant->says);
		}
		return;
	}
	EXPECT_EQ(count, self->seen.count);
	EXPECT_EQ(count, self->counts.certificates);
	EXPECT_EQ(trusted ? count : 0, self->counts.trusted);
	EXPECT_EQ(trusted && variant->distrust_after ? 1 : 0, self->counts.constrained);
	EXPECT_EQ(variant->alone, self->counts.trust_without_certificate);
	EXPECT_EQ(variant->trust, self->seen.trust);
	EXPECT_EQ(trusted ? KT_PURPOSE_SERVER : 0, self->seen.purposes);
	EXPECT_EQ(variant->distrust_after ? variant->distrust_after : KT_DISTRUST_NEVER,
		  self->seen.distrust_after);
	EXPECT_STREQ(variant->label ? variant->label : "First", self->seen.label);
	EXPECT_EQ(text->certs[0].der_len, self->seen.der_len);
	EXPECT_EQ(nss_text_line(text, "CKO_CERTIFICATE", false), self->seen.line);
	if (variant->says && variant->says[0])
		EXPECT_NE(NULL, strstr(self->seen.reason, variant->says));
	else
		EXPECT_STREQ("", self->seen.reason);
}

/* ---- What no variant says ------------------------------------------------------------------ */

FIXTURE(certdata)
{
	struct pki *pki;
	struct nss_text text;
	struct seen seen;
	struct kt_nss_counts counts;
	struct kt_error error;
};

FIXTURE_SETUP(certdata)
{
	self->pki = pki_new();
	nss_cert_init(&self->text.certs[0], pki_make_ca(self->pki, NULL, "First"), "First");
	nss_cert_init(&self->text.certs[1], pki_make_ca(self->pki, NULL, "Second"), "Second");
	nss_text_add(&self->text, NSS_BEGIN);
}

FIXTURE_TEARDOWN(certdata)
{
	free(self->text.bytes);
	pki_free(self->pki);
}

#define parse(self, len)                                                                           \
	kt_nss_parse((self)->text.bytes, len, "certdata", see, &(self)->seen, &(self)->counts,     \
		     &(self)->error)

/* What is lost from the end on can only be what says nothing of servers. */
TEST_F(certdata, cut_anywhere_is_refused)
{
	size_t whole;

	nss_text_add(&self->text, "@c@t");
	whole = (size_t)(strstr(self->text.bytes, STEP_UP) - self->text.bytes);
	for (size_t len = 0; len < self->text.len; len++) {
		/* A copy of its own size, so that a sanitizer sees a read behind the cut. */
		char *cut = malloc(len ? len : 1);
		int ret;

		ASSERT_NE(NULL, cut);
		memcpy(cut, self->text.bytes, len);
		ret = kt_nss_parse(cut, len, "cut", NULL, NULL, NULL, NULL);
		EXPECT_EQ(len == whole, ret == 0)
		{
			TH_LOG("cut at %zu of %zu gives %d", len, self->text.len, ret);
		}
		free(cut);
	}
}

TEST_F(certdata, line_ends_may_be_crlf)
{
	struct nss_text crlf = {0};

	nss_text_add(&self->text, "@c@t");
	for (size_t i = 0; i < self->text.len; i++) {
		if (self->text.bytes[i] == '\n')
			nss_text_put(&crlf, "\r", 1);
		nss_text_put(&crlf, &self->text.bytes[i], 1);
	}
	EXPECT_EQ(0, kt_nss_parse(crlf.bytes, crlf.len, "crlf", see, &self->seen, NULL, NULL));
	EXPECT_EQ(KT_NSS_TRUSTED, self->seen.trust);
	free(crlf.bytes);
}

TEST_F(certdata, serial_numbers_may_be_zero_and_negative)
{
	struct kt_scan scan;

	for (size_t i = 0; i < 2; i++) {
		struct nss_cert *cert = &self->text.certs[i];

		nss_cert_init(
			cert,
			pki_make(self->pki, NULL,
				 &(struct pki_options){.cn = cert->label, .ca = true, .serial = 1}),
			cert->label);
		ASSERT_NULL(kt_scan_certificate(cert->der, cert->der_len, &scan));
		ASSERT_EQ(1, scan.serial.len);
		cert->der[scan.serial.data - cert->der] = i ? 0x80 : 0x00;
	}
	nss_text_add(&self->text, "@c@t@C@T");
	EXPECT_EQ(0, parse(self, self->text.len));
	EXPECT_EQ(2, self->counts.trusted);
}

TEST_F(certdata, version_1_roots_are_taken)
{
	nss_cert_init(&self->text.certs[0],
		      pki_make(self->pki, NULL,
			       &(struct pki_options){.cn = "First", .ca = true, .version1 = true}),
		      "First");
	nss_text_add(&self->text, "@c@t");
	EXPECT_EQ(0, parse(self, self->text.len));
	EXPECT_EQ(1, self->counts.trusted);
}

TEST_F(certdata, repeated_subjects_and_labels_are_apart)
{
	nss_cert_init(&self->text.certs[1], pki_make_ca(self->pki, NULL, "First"), "First");
	nss_text_add(&self->text, "@c@t@C@T");
	EXPECT_EQ(0, parse(self, self->text.len));
	EXPECT_EQ(2, self->counts.trusted);
}

TEST_F(certdata, two_certificates_of_one_serial_are_refused)
{
	self->text.certs[1] = self->text.certs[0];
	self->text.certs[1].der[self->text.certs[1].der_len - 1] ^= 1;
	nss_text_add(&self->text, "@c@t@C");
	EXPECT_EQ(-EBADMSG, parse(self, self->text.len));
	EXPECT_NE(NULL, strstr(self->error.text, "another certificate with issuer"));
	EXPECT_EQ(nss_text_line(&self->text, "CKO_CERTIFICATE", true), self->error.line);
}

TEST_F(certdata, nul_is_refused_with_its_line)
{
	unsigned int line;

	nss_text_add(&self->text, "@c@t");
	line = nss_text_line(&self->text, ID, false);
	*strstr(self->text.bytes, ID) = '\0';
	EXPECT_EQ(-EBADMSG, parse(self, self->text.len));
	EXPECT_NE(NULL, strstr(self->error.text, "NUL"));
	EXPECT_EQ(line, self->error.line);
}

TEST_F(certdata, line_of_the_greatest_length_is_taken_and_no_longer_one)
{
	for (size_t i = 0; i < 4096; i++)
		nss_text_put(&self->text, "#", 1);
	nss_text_add(&self->text, "\n@c@t");
	EXPECT_EQ(0, parse(self, self->text.len));
	nss_text_replace(&self->text, "####", "#####");
	EXPECT_EQ(-EBADMSG, parse(self, self->text.len));
	EXPECT_NE(NULL, strstr(self->error.text, "too long"));
	EXPECT_EQ(nss_text_line(&self->text, "####", false), self->error.line);
}

TEST_F(certdata, object_of_too_many_attributes_is_refused)
{
	char name[64];

	nss_text_add(&self->text, "@c@t");
	for (unsigned int i = 0; i < 64; i++) {
		snprintf(name, sizeof name, "CKA_X%u CK_ULONG 1\n", i);
		nss_text_add(&self->text, name);
	}
	EXPECT_EQ(-EBADMSG, parse(self, self->text.len));
	EXPECT_NE(NULL, strstr(self->error.text, "too many attributes"));
}

TEST_F(certdata, nothing_in_it_is_enodata)
{
	EXPECT_EQ(-ENODATA, kt_nss_parse("", 0, "empty", NULL, NULL, NULL, &self->error));
	EXPECT_EQ(0, self->error.line);
	EXPECT_EQ(-ENODATA, parse(self, self->text.len));
	nss_text_add(&self->text, "@t");
	EXPECT_EQ(-ENODATA, parse(self, self->text.len));
	EXPECT_EQ(0, self->seen.count);
}

TEST(nss_text_beyond_the_limit_is_efbig)
{
	struct kt_error error = {0};

	/* It is refused before it is looked at. */
	EXPECT_EQ(-EFBIG, kt_nss_parse("", KT_NSS_TEXT_MAX + 1, "big", NULL, NULL, NULL, &error));
	EXPECT_EQ(EFBIG, error.err);
}

TEST_F(certdata, caller_may_stop)
{
	nss_text_add(&self->text, "@c@t@C@T");
	self->seen.stop = 7;
	EXPECT_EQ(7, parse(self, self->text.len));
	EXPECT_EQ(1, self->seen.count);
	EXPECT_EQ(0, self->counts.certificates);
}

TEST_F(certdata, views_are_those_of_the_certificate)
{
	struct kt_scan scan;

	nss_text_add(&self->text, "@c@t");
	ASSERT_NULL(
		kt_scan_certificate(self->text.certs[0].der, self->text.certs[0].der_len, &scan));
	ASSERT_EQ(0, parse(self, self->text.len));
	EXPECT_EQ(scan.subject.len, self->seen.subject_len);
	EXPECT_EQ(0, memcmp(self->seen.der, self->text.certs[0].der, self->text.certs[0].der_len));
}

/* Quadratic work would take hours: 60,000 objects with one key, after another, and to no avail. */
TEST_F(certdata, many_objects_with_one_key_take_linear_time)
{
	struct nss_text one = self->text;

	one.bytes = NULL;
	one.len = one.room = 0;
	nss_text_add(&one,
		     "CKA_CLASS CK_OBJECT_CLASS CKO_NEW\n@i@sCKA_DISTRUST CK_BBOOL CK_TRUE\n");
	nss_text_add(&self->text, "@c@t");
	for (unsigned int i = 0; i < 60000; i++)
		nss_text_put(&self->text, one.bytes, one.len);
	EXPECT_EQ(0, parse(self, self->text.len));
	EXPECT_EQ(KT_NSS_UNKNOWN_CONSTRAINT, self->seen.trust);
	free(one.bytes);
}

TEST(nss_names_of_trust)
{
	EXPECT_STREQ("trusted", kt_nss_trust_name(KT_NSS_TRUSTED));
	EXPECT_STREQ("not_for_servers", kt_nss_trust_name(KT_NSS_NOT_FOR_SERVERS));
	EXPECT_STREQ("distrusted", kt_nss_trust_name(KT_NSS_DISTRUSTED));
	EXPECT_STREQ("unknown_constraint", kt_nss_trust_name(KT_NSS_UNKNOWN_CONSTRAINT));
	EXPECT_STREQ("unknown", kt_nss_trust_name((enum kt_nss_trust)99));
}

TEST(nss_imposes_no_names_on_strangers)
{
	uint8_t fingerprint[KT_DIGEST_LEN] = {0x46, 0xed};

	EXPECT_NULL(kt_nss_imposed_names(fingerprint));
}

TEST_HARNESS_MAIN
