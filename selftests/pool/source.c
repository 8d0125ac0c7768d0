/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of sources, and what file:, crl:, certdata: and embedded take and refuse. */
#include "files.h"

#include <openssl/pem.h>

#include <ktrust/roots.h>

#define LIMIT_DATE 1776280000

FIXTURE(source)
{
	struct files f;
	struct pki_der crl;
};

FIXTURE_SETUP(source)
{
	files_init(&self->f);
	self->crl = pki_make_crl(self->f.a, &(struct pki_crl){.revoked = {self->f.b}});
}

FIXTURE_TEARDOWN(source)
{
	free(self->crl.data);
	files_fini(&self->f);
}

static void write_pem(struct files *files, const char *name, const char *label,
		      const struct pki_der *der, size_t times)
{
	FILE *file = fopen(files_path(files, name), "we");

	ASSERT_NE(NULL, file);
	for (size_t i = 0; i < times; i++)
		ASSERT_NE(0, PEM_write(file, label, "", der[i].data, (long)der[i].len));
	fclose(file);
}

static void write_der(struct files *files, const char *name, const struct pki_cert *first,
		      const struct pki_cert *second)
{
	uint8_t both[8192];

	ASSERT_GT(sizeof both, first->der_len + second->der_len);
	memcpy(both, first->der, first->der_len);
	memcpy(both + first->der_len, second->der, second->der_len);
	files_write(files, name, both, first->der_len + second->der_len);
}

/* ---- Words ---------------------------------------------------------------------------------- */

TEST_F(source, words_that_are_none_are_refused_and_the_right_ones_named)
{
	static const char *const words[] = {
		"",	   "file",    "file:",	 "FILE:x",    "dir:", "/x",	   "x:y",
		"system:", "system ", "systems", "embedded:", "crl:", "certdata:", " system"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		EXPECT_EQ(-EINVAL,
			  kt_anchor_set_add_source(self->f.set, words[i], NULL, &self->f.error))
		{
			TH_LOG("'%s'", words[i]);
		}
		EXPECT_NE(NULL, strstr(self->f.error.text, "file:PATH, dir:PATH, certdata:PATH"));
		EXPECT_EQ(0, kt_source_purposes(words[i]));
		EXPECT_NULL(kt_source_path(words[i]));
	}
}

TEST_F(source, purposes_of_words)
{
	EXPECT_EQ(KT_PURPOSE_ANY, kt_source_purposes("file:a"));
	EXPECT_EQ(KT_PURPOSE_ANY, kt_source_purposes("dir:a"));
	EXPECT_EQ(KT_PURPOSE_SERVER, kt_source_purposes("certdata:a"));
	EXPECT_EQ(KT_PURPOSE_SERVER, kt_source_purposes("system"));
	EXPECT_EQ(KT_PURPOSE_SERVER, kt_source_purposes("embedded"));
	EXPECT_EQ(0, kt_source_purposes("crl:a"));
}

TEST_F(source, paths_of_words)
{
	EXPECT_STREQ("a:b", kt_source_path("file:a:b"));
	EXPECT_STREQ("/x", kt_source_path("crl:/x"));
	EXPECT_NULL(kt_source_path("system"));
}

TEST_F(source, sources_add_up_and_one_that_fails_adds_nothing)
{
	char text[8192];

	files_text(&self->f, "a.pem", self->f.a->pem);
	snprintf(text, sizeof text, "%s-----BEGIN X-----\n", self->f.b->pem);
	files_text(&self->f, "bad.pem", text);
	EXPECT_EQ(0, files_add(&self->f, "file:", "a.pem"));
	EXPECT_EQ(-EOPNOTSUPP, files_add(&self->f, "file:", "bad.pem"));
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
	files_text(&self->f, "b.pem", self->f.b->pem);
	EXPECT_EQ(0, files_add(&self->f, "file:", "b.pem"));
	EXPECT_EQ(0, files_add(&self->f, "file:", "a.pem"));
	EXPECT_EQ(2, kt_anchor_set_count(self->f.set));
	EXPECT_EQ(0, self->f.note_count);
}

/* ---- file: ---------------------------------------------------------------------------------- */

TEST_F(source, file_of_der_is_one_certificate_or_several)
{
	files_write(&self->f, "a.der", self->f.a->der, self->f.a->der_len);
	EXPECT_EQ(0, files_add(&self->f, "file:", "a.der"));
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
	write_der(&self->f, "ab.der", self->f.a, self->f.b);
	EXPECT_EQ(0, files_add(&self->f, "file:", "ab.der"));
	EXPECT_EQ(2, kt_anchor_set_count(self->f.set));
	EXPECT_EQ(KT_PURPOSE_ANY, files_limits(&self->f, self->f.b).purposes);
}

/* '0' is the first byte of DER as well. */
TEST_F(source, text_that_begins_with_a_nought_is_text)
{
	char text[8192];

	snprintf(text, sizeof text, "0 is a digit\n%s", self->f.a->pem);
	files_text(&self->f, "a.pem", text);
	EXPECT_EQ(0, files_add(&self->f, "file:", "a.pem"));
}

TEST_F(source, errors_in_der_name_the_place)
{
	uint8_t bytes[8192];

	memcpy(bytes, self->f.a->der, self->f.a->der_len);
	memcpy(bytes + self->f.a->der_len, "\x30\x00", 2);
	files_write(&self->f, "a.der", bytes, self->f.a->der_len + 2);
	EXPECT_EQ(-EBADMSG, files_add(&self->f, "file:", "a.der"));
	snprintf((char *)bytes, sizeof bytes, "a.der at byte %zu", self->f.a->der_len);
	EXPECT_NE(NULL, strstr(self->f.error.where, (char *)bytes));
}

TEST_F(source, file_with_a_crl_names_the_word_to_use)
{
	write_pem(&self->f, "crl.pem", "X509 CRL", &self->crl, 1);
	EXPECT_EQ(-EOPNOTSUPP, files_add(&self->f, "file:", "crl.pem"));
	EXPECT_NE(NULL, strstr(self->f.error.text, "crl:PATH"));
	files_write(&self->f, "crl.der", self->crl.data, self->crl.len);
	EXPECT_EQ(-EOPNOTSUPP, files_add(&self->f, "file:", "crl.der"));
	EXPECT_NE(NULL, strstr(self->f.error.text, "crl:PATH"));
}

/* ---- crl: ----------------------------------------------------------------------------------- */

TEST_F(source, crls_come_as_pem_or_der)
{
	struct pki_der two[2];

	two[0] = self->crl;
	two[1] = pki_make_crl(self->f.b, &(struct pki_crl){.this_update = -60});

	write_pem(&self->f, "two.pem", "X509 CRL", two, 2);
	EXPECT_EQ(0, files_add(&self->f, "crl:", "two.pem"));
	EXPECT_EQ(2, kt_anchor_set_crls(self->f.set));
	files_write(&self->f, "one.crl", two[0].data, two[0].len);
	EXPECT_EQ(0, files_add(&self->f, "crl:", "one.crl"));
	EXPECT_EQ(2, kt_anchor_set_crls(self->f.set));
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
	free(two[1].data);
}

TEST_F(source, crl_past_its_next_update_is_estale)
{
	struct pki_der old = pki_make_crl(
		self->f.a, &(struct pki_crl){.this_update = -7200, .next_update = -60});

	files_write(&self->f, "old.crl", old.data, old.len);
	EXPECT_EQ(-ESTALE, files_add(&self->f, "crl:", "old.crl"));
	EXPECT_EQ(0, kt_anchor_set_crls(self->f.set));
	/* A way back to when it was good; its last second still counts. */
	self->f.options.now = pki_now() - 60;
	EXPECT_EQ(0, files_add(&self->f, "crl:", "old.crl"));
	self->f.options.now = pki_now() - 59;
	EXPECT_EQ(-ESTALE, files_add(&self->f, "crl:", "old.crl"));
	EXPECT_EQ(0, self->f.note_count);
	free(old.data);
}

TEST_F(source, crl_past_its_next_update_is_noted_by_policy)
{
	struct pki_der old = pki_make_crl(
		self->f.a, &(struct pki_crl){.this_update = -7200, .next_update = -60});
	struct kt_snapshot_info info;
	struct kt_snapshot *snapshot;

	files_write(&self->f, "old.crl", old.data, old.len);
	free(old.data);
	self->f.options.crl_policy = KT_CRL_WARN;
	EXPECT_EQ(0, files_add(&self->f, "crl:", "old.crl"));
	ASSERT_EQ(1, self->f.note_count);
	EXPECT_EQ(ESTALE, self->f.notes[0].err);
	EXPECT_NE(NULL, strstr(self->f.notes[0].where, "old.crl"));
	/* The policy goes on to those who verify. */
	files_text(&self->f, "a.pem", self->f.a->pem);
	EXPECT_EQ(0, files_add(&self->f, "file:", "a.pem"));
	snapshot = build(self->f.set, 1);
	kt_snapshot_describe(snapshot, &info);
	EXPECT_EQ(KT_CRL_WARN, info.crl_policy);
	kt_snapshot_free(snapshot);
}

TEST_F(source, crl_of_the_future_is_noted)
{
	self->f.options.now = pki_now() - 2 * 86400;
	files_write(&self->f, "new.crl", self->crl.data, self->crl.len);
	EXPECT_EQ(0, files_add(&self->f, "crl:", "new.crl"));
	EXPECT_NE(NULL, files_noted(&self->f, "not come yet"));
}

/* What a CRL that is left out would have refused gets in: none is. */
TEST_F(source, crls_are_strict_even_where_certificates_are_not)
{
	uint8_t bytes[8192];

	self->f.options.lenient = true;
	memcpy(bytes, self->crl.data, self->crl.len);
	memcpy(bytes + self->crl.len, self->crl.data, self->crl.len);
	files_write(&self->f, "cut.crl", bytes, self->crl.len * 2 - 1);
	EXPECT_EQ(-EBADMSG, files_add(&self->f, "crl:", "cut.crl"));
	EXPECT_EQ(0, kt_anchor_set_crls(self->f.set));
}

TEST_F(source, crl_file_with_other_things_is_refused)
{
	files_text(&self->f, "a.pem", self->f.a->pem);
	EXPECT_EQ(-EOPNOTSUPP, files_add(&self->f, "crl:", "a.pem"));
	EXPECT_NE(NULL, strstr(self->f.error.text, "file:PATH"));
	files_write(&self->f, "a.der", self->f.a->der, self->f.a->der_len);
	EXPECT_EQ(-EOPNOTSUPP, files_add(&self->f, "crl:", "a.der"));
	files_text(&self->f, "key.pem", self->f.a->key_pem);
	EXPECT_EQ(-EKEYREJECTED, files_add(&self->f, "crl:", "key.pem"));
	files_text(&self->f, "none.pem", "nothing here\n");
	EXPECT_EQ(-ENODATA, files_add(&self->f, "crl:", "none.pem"));
	EXPECT_EQ(-ENOENT, files_add(&self->f, "crl:", "missing"));
	EXPECT_EQ(0, kt_anchor_set_crls(self->f.set));
}

/* ---- embedded ------------------------------------------------------------------------------- */

static int add_embedded(struct files *files, const struct kt_roots *roots)
{
	files->options.embedded = roots;
	return kt_anchor_set_add_source(files->set, "embedded", &files->options, &files->error);
}

TEST_F(source, embedded_roots_come_with_their_limits)
{
	const struct kt_root root = {.der = self->f.a->der,
				     .der_len = self->f.a->der_len,
				     .label = "A",
				     .constraints = {KT_PURPOSE_SERVER, LIMIT_DATE, "tr"}};
	const struct kt_roots roots = {.version = "2.0", .roots = &root, .count = 1};
	struct kt_constraints limits;

	EXPECT_EQ(0, add_embedded(&self->f, &roots));
	limits = files_limits(&self->f, self->f.a);
	EXPECT_EQ(KT_PURPOSE_SERVER, limits.purposes);
	EXPECT_EQ(LIMIT_DATE, limits.distrust_after);
	EXPECT_STREQ("tr", limits.permitted_dns);
	self->f.options.any_purpose = true;
	EXPECT_EQ(0, add_embedded(&self->f, &roots));
	limits = files_limits(&self->f, self->f.a);
	EXPECT_EQ(KT_PURPOSE_ANY, limits.purposes);
	EXPECT_EQ(LIMIT_DATE, limits.distrust_after);
}

TEST_F(source, embedded_roots_that_are_not_there_are_enoent)
{
	const struct kt_roots none = {.version = "2.0"};

	EXPECT_EQ(-ENOENT, add_embedded(&self->f, NULL));
	EXPECT_NE(NULL, strstr(self->f.error.text, "carries no embedded roots"));
	EXPECT_EQ(-ENOENT, kt_anchor_set_add_source(self->f.set, "embedded", NULL, NULL));
	EXPECT_EQ(-ENODATA, add_embedded(&self->f, &none));
}

/* ---- certdata: ------------------------------------------------------------------------------ */

static void put_octal(FILE *file, const char *attribute, const uint8_t *bytes, size_t len)
{
	fprintf(file, "%s MULTILINE_OCTAL\n", attribute);
	for (size_t i = 0; i < len; i++)
		fprintf(file, "\\%03o%s", bytes[i], i % 16 == 15 || i + 1 == len ? "\n" : "");
	fprintf(file, "END\n");
}

/* The certificate's issuer and serial number, as both objects name them. */
static void put_name(FILE *file, const struct pki_cert *cert)
{
	uint8_t *der = NULL;
	int len = i2d_X509_NAME(X509_get_issuer_name(cert->x509), &der);

	ASSERT_LT(0, len);
	put_octal(file, "CKA_ISSUER", der, (size_t)len);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_ASN1_INTEGER(X509_get_serialNumber(cert->x509), &der);
	ASSERT_LT(0, len);
	put_octal(file, "CKA_SERIAL_NUMBER", der, (size_t)len);
	OPENSSL_free(der);
}

static void put_root(FILE *file, const struct pki_cert *cert, const char *more, const char *trust)
{
	uint8_t *name = NULL;
	int len = i2d_X509_NAME(X509_get_subject_name(cert->x509), &name);

	ASSERT_LT(0, len);
	fprintf(file, "\nCKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nCKA_TOKEN CK_BBOOL CK_TRUE\n"
		      "CKA_LABEL UTF8 \"Root\"\n"
		      "CKA_CERTIFICATE_TYPE CK_CERTIFICATE_TYPE CKC_X_509\n");
	put_octal(file, "CKA_SUBJECT", name, (size_t)len);
	OPENSSL_free(name);
	put_name(file, cert);
	put_octal(file, "CKA_VALUE", cert->der, cert->der_len);
	fprintf(file,
		"%s\nCKA_CLASS CK_OBJECT_CLASS CKO_NSS_TRUST\nCKA_TOKEN CK_BBOOL CK_TRUE\n"
		"CKA_LABEL UTF8 \"Root\"\n",
		more);
	put_name(file, cert);
	fprintf(file, "CKA_TRUST_SERVER_AUTH CK_TRUST %s\n", trust);
}

static void write_certdata(struct files *files, const char *name, const char *more,
			   const char *trust)
{
	FILE *file = fopen(files_path(files, name), "we");

	ASSERT_NE(NULL, file);
	fprintf(file, "BEGINDATA\n");
	put_root(file, files->a, "", trust);
	put_root(file, files->b, more, trust);
	fclose(file);
}

TEST_F(source, certdata_gives_what_is_trusted_for_servers_with_its_limits)
{
	/* 260415235959Z */
	write_certdata(&self->f, "certdata.txt",
		       "CKA_NSS_SERVER_DISTRUST_AFTER MULTILINE_OCTAL\n"
		       "\\062\\066\\060\\064\\061\\065\\062\\063\\065\\071\\065\\071\\132\nEND\n",
		       "CKT_NSS_TRUSTED_DELEGATOR");
	EXPECT_EQ(0, files_add(&self->f, "certdata:", "certdata.txt"))
	{
		TH_LOG("%u: %s", self->f.error.line, self->f.error.text);
	}
	ASSERT_EQ(2, kt_anchor_set_count(self->f.set));
	EXPECT_EQ(KT_PURPOSE_SERVER, files_limits(&self->f, self->f.a).purposes);
	EXPECT_EQ(KT_DISTRUST_NEVER, files_limits(&self->f, self->f.a).distrust_after);
	EXPECT_EQ(1776297599, files_limits(&self->f, self->f.b).distrust_after);
	self->f.options.any_purpose = true;
	EXPECT_EQ(0, files_add(&self->f, "certdata:", "certdata.txt"));
	EXPECT_EQ(KT_PURPOSE_ANY, files_limits(&self->f, self->f.b).purposes);
}

TEST_F(source, certdata_with_an_unknown_limit_notes_it_and_does_not_trust)
{
	write_certdata(&self->f, "certdata.txt", "CKA_NSS_DISTRUST_MOON CK_BBOOL CK_TRUE\n",
		       "CKT_NSS_TRUSTED_DELEGATOR");
	EXPECT_EQ(0, files_add(&self->f, "certdata:", "certdata.txt"));
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
	ASSERT_EQ(1, self->f.note_count);
	EXPECT_NE(NULL, files_noted(&self->f, "Root is not trusted"));
	EXPECT_LT(0, self->f.notes[0].line);
}

TEST_F(source, certdata_without_trusted_roots_is_enodata)
{
	write_certdata(&self->f, "certdata.txt", "", "CKT_NSS_MUST_VERIFY_TRUST");
	EXPECT_EQ(-ENODATA, files_add(&self->f, "certdata:", "certdata.txt"))
	{
		TH_LOG("%u: %s", self->f.error.line, self->f.error.text);
	}
	EXPECT_EQ(-ENOENT, files_add(&self->f, "certdata:", "missing"));
}

TEST_F(source, certdata_that_is_malformed_is_refused_though_lenient)
{
	FILE *file;

	self->f.options.lenient = true;
	write_certdata(&self->f, "certdata.txt", "", "CKT_NSS_TRUSTED_DELEGATOR");
	file = fopen(files_path(&self->f, "certdata.txt"), "ae");
	ASSERT_NE(NULL, file);
	fprintf(file, "CKA_CLASS\n");
	fclose(file);
	EXPECT_EQ(-EBADMSG, files_add(&self->f, "certdata:", "certdata.txt"));
	EXPECT_LT(0, self->f.error.line);
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
}

TEST_F(source, who_vouches_for_nobody_is_noted)
{
	static const struct {
		struct pki_options options;
		bool noted;
	} cases[] = {
		{{.cn = "CA", .ca = true}, false},
		{{.cn = "CA", .ca = true, .key_usage = ""}, false},
		{{.cn = "CA", .ca = true, .key_usage = "keyCertSign"}, false},
		{{.cn = "CRLs only", .ca = true, .key_usage = "cRLSign"}, true},
		{{.cn = "Leaf"}, true},
		{{.cn = "Old", .key_usage = "keyCertSign", .no_basic_constraints = true}, true},
		{{.cn = "Older", .version1 = true}, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct pki_cert *cert = pki_make(self->f.pki, NULL, &cases[i].options);

		self->f.note_count = 0;
		files_text(&self->f, "x.pem", cert->pem);
		EXPECT_EQ(0, files_add(&self->f, "file:", "x.pem"));
		EXPECT_EQ(cases[i].noted, self->f.note_count);
		if (!cases[i].noted)
			continue;
		EXPECT_EQ(EINVAL, self->f.notes[0].err);
		EXPECT_EQ(1, self->f.notes[0].line);
		EXPECT_NE(NULL, files_noted(&self->f, "no CA certificate"));
	}
}

/* The PEM file x.pem of so many different leaves, the whole list twice. */
static void leaves_twice(struct files *files, size_t count)
{
	FILE *file = fopen(files_path(files, "x.pem"), "we");
	const struct pki_cert *leaves[8];

	ASSERT_NE(NULL, file);
	ASSERT_GE(sizeof leaves / sizeof leaves[0], count);
	for (size_t i = 0; i < 2 * count; i++) {
		if (i < count)
			leaves[i] = pki_make_leaf(files->pki, NULL, "leaf", "x.test", NULL);
		fputs(leaves[i % count]->pem, file);
	}
	fclose(file);
}

TEST_F(source, those_who_vouch_for_nobody_are_noted_in_few_words)
{
	leaves_twice(&self->f, 8);
	EXPECT_EQ(0, files_add(&self->f, "file:", "x.pem"));
	EXPECT_EQ(3, self->f.note_count);
	EXPECT_NE(NULL, files_noted(&self->f, "8 certificates are no CAs"));
}

TEST_F(source, who_vouches_for_nobody_is_noted_once)
{
	leaves_twice(&self->f, 1);
	EXPECT_EQ(0, files_add(&self->f, "file:", "x.pem"));
	EXPECT_EQ(1, self->f.note_count);
}

TEST_HARNESS_MAIN
