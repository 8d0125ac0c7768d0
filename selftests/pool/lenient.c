/* SPDX-License-Identifier: BSD-2-Clause */
/* What a lenient load skips of a bundle, what it takes all the same, and what it never skips. */
#include "files.h"

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END   "-----END CERTIFICATE-----\n"

FIXTURE(lenient)
{
	struct files f;
	char text[16384];
	size_t len;
};

FIXTURE_VARIANT(lenient)
{
	const char *pattern; /* '$': root A, '%': root B */
	int ret;
	size_t taken;	/* A, B or both */
	size_t skipped; /* notes without the last, which counts them */
};

FIXTURE_SETUP(lenient)
{
	files_init(&self->f);
	self->f.options.lenient = true;
	for (const char *c = variant->pattern; *c; c++) {
		const char one[] = {*c, '\0'};
		const char *more = *c == '$' ? self->f.a->pem : *c == '%' ? self->f.b->pem : one;

		ASSERT_GT(sizeof self->text, self->len + strlen(more));
		strcpy(self->text + self->len, more);
		self->len += strlen(more);
	}
	files_text(&self->f, "x.pem", self->text);
}

FIXTURE_TEARDOWN(lenient)
{
	files_fini(&self->f);
}

#define CASE(name, errno_value, how_many, bad, text)                                               \
	FIXTURE_VARIANT_ADD(lenient, name)                                                         \
	{                                                                                          \
		.pattern = text, .ret = -errno_value, .taken = how_many, .skipped = bad            \
	}

CASE(nothing_to_skip, 0, 2, 0, "$%");
CASE(bad_base64, 0, 2, 1, "$" BEGIN "!\n" END "%");
CASE(no_certificate_inside, 0, 2, 1, "$" BEGIN "MAA=\n" END "%");
CASE(an_empty_block, 0, 2, 1, "$" BEGIN END "%");
CASE(a_block_without_end, 0, 2, 1, "$" BEGIN "MAAA\n%");
CASE(a_begin_behind_a_begin, 0, 2, 1, "$" BEGIN "%");
CASE(two_blocks_without_end, 0, 2, 2, BEGIN "MAAA\n" BEGIN "MAAA\n$%");
CASE(a_wrong_end, 0, 2, 1, "$" BEGIN "MAAA\n-----END X-----\n%");
CASE(an_end_too_many, 0, 2, 1, "$" END "%");
CASE(another_label, 0, 2, 1, "$-----BEGIN X-----\nMAAA\n-----END X-----\n%");
CASE(trusted_certificate, 0, 1, 1,
     "$-----BEGIN TRUSTED CERTIFICATE-----\nMAAA\n-----END TRUSTED CERTIFICATE-----\n");
CASE(an_indented_block, 0, 2, 1, "$ " BEGIN "MAAA\n" END "%");
CASE(text_in_a_block, 0, 2, 1, "$" BEGIN "a: b\n\nMAAA\n" END "%");
CASE(a_cut_end, 0, 1, 1, "$-----BEGIN CERTIF");
CASE(a_cut_block, 0, 1, 1, "$" BEGIN "MAAA");
CASE(a_begin_as_last_line, 0, 1, 1, "$" BEGIN);
CASE(one_skipped_one_left, 0, 1, 1, BEGIN "!\n" END "%");
CASE(nothing_left, ENODATA, 0, 1, BEGIN "!\n" END);
CASE(nothing_at_all, ENODATA, 0, 0, "text\n");
CASE(a_key, EKEYREJECTED, 0, 0,
     "$-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n%");
CASE(a_key_in_a_block, EKEYREJECTED, 0, 0,
     "$" BEGIN "MAAA\n-----BEGIN EC PRIVATE KEY-----\nSECRET\n-----END EC PRIVATE KEY-----\n%");
CASE(an_indented_key, EKEYREJECTED, 0, 0, "$ -----BEGIN PRIVATE KEY-----\nSECRET\n%");
CASE(a_key_with_a_damaged_begin, EKEYREJECTED, 0, 0,
     "$x-----BEGIN PRIVATE KEY----\nSECRET\n-----END PRIVATE KEY-----\n%");
/* PKCS #8: SEQUENCE { INTEGER 0, … */
CASE(a_key_under_a_certificates_name, EKEYREJECTED, 0, 0, "$" BEGIN "MAYCAQAwAAAA\n" END "%");
CASE(a_crl, EOPNOTSUPP, 0, 0, "$-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n%");

TEST_F(lenient, as_decided)
{
	EXPECT_EQ(variant->ret, files_add(&self->f, "file:", "x.pem"))
	{
		TH_LOG("%u: %s", self->f.error.line, self->f.error.text);
	}
	EXPECT_EQ(variant->taken, kt_anchor_set_count(self->f.set));
	EXPECT_EQ(variant->skipped + (variant->skipped && !variant->ret), self->f.note_count);
	for (size_t i = 0; i < variant->skipped; i++) {
		EXPECT_LT(0, self->f.notes[i].line);
		EXPECT_STREQ(files_path(&self->f, "x.pem"), self->f.notes[i].where);
	}
	EXPECT_NULL(strstr(self->f.error.text, "SECRET"));
}

TEST_F(lenient, what_is_skipped_is_refused_otherwise)
{
	self->f.options.lenient = false;
	if (!variant->skipped && !variant->ret)
		EXPECT_EQ(0, files_add(&self->f, "file:", "x.pem"));
	else
		EXPECT_NE(0, files_add(&self->f, "file:", "x.pem"));
	EXPECT_EQ(0, self->f.note_count);
}

FIXTURE(many)
{
	struct files f;
};

FIXTURE_SETUP(many)
{
	files_init(&self->f);
	self->f.options.lenient = true;
}

FIXTURE_TEARDOWN(many)
{
	files_fini(&self->f);
}

TEST_F(many, notes_are_few_and_the_count_is_whole)
{
	FILE *file = fopen(files_path(&self->f, "x.pem"), "we");

	ASSERT_NE(NULL, file);
	for (unsigned int i = 0; i < 100; i++)
		fprintf(file, BEGIN "!\n" END);
	fprintf(file, "%s", self->f.a->pem);
	fclose(file);
	EXPECT_EQ(0, files_add(&self->f, "file:", "x.pem"));
	EXPECT_EQ(17, self->f.note_count);
	EXPECT_NE(NULL, files_noted(&self->f, "100 certificates or files were skipped, 1 taken"));
}

TEST_F(many, der_is_skipped_by_element)
{
	uint8_t bytes[8192] = "\x30\x81\x02xy";
	size_t len = 5;

	memset(bytes + 3, 0, 2);
	/* Not minimal, so nothing of the rest can be told apart. */
	memcpy(bytes + len, self->f.a->der, self->f.a->der_len);
	files_write(&self->f, "x.der", bytes, len + self->f.a->der_len);
	EXPECT_EQ(-ENODATA, files_add(&self->f, "file:", "x.der"));
	EXPECT_NE(NULL, strstr(self->f.error.text, "1 were skipped"));
	/* A SEQUENCE of 200 NULs is DER but no certificate. */
	memcpy(bytes, "\x30\x81\xc8", 3);
	memset(bytes + 3, 0, 200);
	memcpy(bytes + 203, self->f.a->der, self->f.a->der_len);
	files_write(&self->f, "x.der", bytes, 203 + self->f.a->der_len);
	EXPECT_EQ(0, files_add(&self->f, "file:", "x.der"));
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
}

TEST_F(many, a_missing_file_is_not_skipped)
{
	EXPECT_EQ(-ENOENT, files_add(&self->f, "file:", "missing"));
	EXPECT_EQ(-ENOENT, files_add(&self->f, "dir:", "missing"));
}

/* 100,000 blocks that each begin within the one before. */
TEST_F_TIMEOUT(many, skipping_takes_linear_time, 20)
{
	FILE *file = fopen(files_path(&self->f, "x.pem"), "we");

	ASSERT_NE(NULL, file);
	for (unsigned int i = 0; i < 100000; i++)
		fprintf(file, BEGIN "MAAA\n");
	fprintf(file, "%s", self->f.a->pem);
	fclose(file);
	EXPECT_EQ(0, files_add(&self->f, "file:", "x.pem"));
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
}

TEST_HARNESS_MAIN
