/* SPDX-License-Identifier: BSD-2-Clause */
/* What the PEM reader takes, and what it refuses with which errno and line. */
#include "roots.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "../../src/pool/base64.h"

#define TEXT_MAX 65536

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END   "-----END CERTIFICATE-----"

struct text {
	char bytes[TEXT_MAX];
	size_t len;
};

static void append(struct text *text, const char *bytes, size_t len)
{
	ASSERT_LT(len, sizeof text->bytes - text->len);
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

static unsigned int count_lines(const char *bytes, size_t len)
{
	unsigned int lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += bytes[i] == '\n';
	return lines;
}

/*
 * The tests' own little language: '@' stands for the base64 lines of a certificate, '$' for a whole
 * block of another one, '^' for NUL, '`' for a certificate's base64 without its last line's end.
 */
static void expand(struct text *text, const char *pattern, const char *body, size_t body_len,
		   const char *block)
{
	text->len = 0;
	for (const char *c = pattern; *c; c++) {
		if (*c == '@')
			append(text, body, body_len);
		else if (*c == '`')
			append(text, body, body_len - 1);
		else if (*c == '$')
			append(text, block, strlen(block));
		else
			append(text, *c == '^' ? "" : c, 1);
	}
}

FIXTURE(pem)
{
	struct pki *pki;
	const struct pki_cert *first, *second;
	const char *body; /* of first: its base64 lines */
	size_t body_len;
	struct kt_anchor_set *set;
	struct text *text;
};

FIXTURE_VARIANT(pem)
{
	const char *pattern;
	int ret;
	unsigned int line;   /* counted with '@' as one line */
	unsigned int bodies; /* how many '@' or '$' stand before that line */
	size_t count;	     /* anchors, when it is taken */
	const char *says;    /* in the error's text */
};

FIXTURE_SETUP(pem)
{
	self->pki = pki_new();
	self->first = pki_make_ca(self->pki, NULL, "First root");
	self->second = pki_make_ca(self->pki, NULL, "Second root");
	self->body = strchr(self->first->pem, '\n') + 1;
	self->body_len = (size_t)(strstr(self->body, "-----END") - self->body);
	self->set = kt_anchor_set_new();
	self->text = calloc(1, sizeof *self->text);
	ASSERT_NE(NULL, self->set);
	ASSERT_NE(NULL, self->text);
}

FIXTURE_TEARDOWN(pem)
{
	free(self->text);
	kt_anchor_set_free(self->set);
	pki_free(self->pki);
}

#define TAKES(name, how_many, text)                                                                \
	FIXTURE_VARIANT_ADD(pem, takes_##name)                                                     \
	{                                                                                          \
		.pattern = text, .count = how_many                                                 \
	}
#define REFUSES(name, error, at, after, why, text)                                                 \
	FIXTURE_VARIANT_ADD(pem, refuses_##name)                                                   \
	{                                                                                          \
		.pattern = text, .ret = -error, .line = at, .bodies = after, .says = why           \
	}

TAKES(one_block, 1, BEGIN "\n@" END "\n");
TAKES(two_blocks, 2, BEGIN "\n@" END "\n$");
TAKES(the_same_twice_once, 1, BEGIN "\n@" END "\n" BEGIN "\n@" END "\n");
TAKES(a_last_line_without_end, 1, BEGIN "\n@" END);
TAKES(a_last_line_that_ends_in_cr, 1, BEGIN "\n@" END "\r");
TAKES(crlf, 1, BEGIN "\r\n`\r\n" END "\r\n");
TAKES(blanks_at_line_ends, 1, BEGIN " \n`\t \n" END "\t\n");
TAKES(text_around_blocks, 2,
      "# A root\n\n" BEGIN "\n@" END "\nsubject=CN = X\n\n$\xc3\xa9\x01\n-----\n");
TAKES(a_byte_order_mark_first, 1, "\xef\xbb\xbf" BEGIN "\n@" END "\n");
TAKES(dashes_as_text, 1, "-----------\n-- x --\n" BEGIN "\n@" END "\n=====\n");

REFUSES(nothing, ENODATA, 0, 0, "no certificate", "");
REFUSES(text_alone, ENODATA, 0, 0, "no certificate", "hello\nworld\n");
REFUSES(a_nul_in_text, EBADMSG, 2, 0, "NUL", "x\ny^\n" BEGIN "\n@" END "\n");
REFUSES(a_nul_behind_all, EBADMSG, 3, 1, "NUL", BEGIN "\n@" END "\n^");
REFUSES(a_nul_in_a_block, EBADMSG, 3, 0, "not base64", "\n" BEGIN "\n^@" END "\n");
REFUSES(a_byte_order_mark_later, EBADMSG, 3, 1, "indented", BEGIN "\n@" END "\n\xef\xbb\xbf$");
REFUSES(end_without_begin, EBADMSG, 1, 1, "without its BEGIN", "@" END "\n");
REFUSES(end_behind_end, EBADMSG, 3, 1, "without its BEGIN", BEGIN "\n@" END "\n" END "\n");
REFUSES(begin_without_end, EBADMSG, 1, 0, "no END", BEGIN "\n@");
REFUSES(begin_alone, EBADMSG, 1, 0, "no END", BEGIN);
REFUSES(begin_within_a_block, EBADMSG, 2, 1, "BEGIN within", BEGIN "\n@" BEGIN "\n@" END "\n");
REFUSES(an_indented_begin, EBADMSG, 1, 0, "indented", " " BEGIN "\n@" END "\n");
REFUSES(an_indented_end, EBADMSG, 2, 1, "indented", BEGIN "\n@ " END "\n");
REFUSES(an_indented_body, EBADMSG, 2, 0, "indented", BEGIN "\n @" END "\n");
REFUSES(a_begin_in_a_comment, EBADMSG, 1, 0, "indented", "# " BEGIN "\n@" END "\n");
REFUSES(text_behind_begin, EBADMSG, 1, 0, "damaged", BEGIN " x\n@" END "\n");
REFUSES(text_behind_end, EBADMSG, 2, 1, "does not end", BEGIN "\n@" END " x\n");
REFUSES(begin_and_end_in_one_line, EBADMSG, 2, 1, "does not end", BEGIN "\n@" END "$");
REFUSES(four_dashes, EBADMSG, 1, 0, "damaged", "-----BEGIN CERTIFICATE----\n@" END "\n");
REFUSES(six_dashes, EBADMSG, 1, 0, "damaged", "-----BEGIN CERTIFICATE------\n@" END "\n");
REFUSES(an_empty_label, EBADMSG, 1, 0, "damaged", "-----BEGIN -----\n@-----END -----\n");
REFUSES(another_end, EBADMSG, 2, 1, "does not end", BEGIN "\n@-----END X509 CRL-----\n");
REFUSES(lower_case, EBADMSG, 1, 1, "without its BEGIN", "-----begin certificate-----@" END "\n");
REFUSES(an_empty_block, EBADMSG, 2, 0, "empty", BEGIN "\n" END "\n");
REFUSES(an_empty_line_in_a_block, EBADMSG, 2, 0, "empty line", BEGIN "\n\n@" END "\n");
REFUSES(headers_in_a_block, EBADMSG, 2, 0, "not base64", BEGIN "\nX-Note: 1\n\n@" END "\n");
REFUSES(a_foreign_character, EBADMSG, 2, 1, "not base64", BEGIN "\n@!AAA\n" END "\n");
REFUSES(url_alphabet, EBADMSG, 2, 0, "not base64", BEGIN "\nMII-\n" END "\n");
REFUSES(a_cr_in_a_line, EBADMSG, 2, 0, "not base64", BEGIN "\nMI\rIB\n" END "\n");
REFUSES(a_broken_group, EBADMSG, 3, 0, "group of four", BEGIN "\nMIIBA\n" END "\n");
REFUSES(padding_in_the_middle, EBADMSG, 2, 0, "padding", BEGIN "\nMI==MIIB\n" END "\n");
REFUSES(padding_too_long, EBADMSG, 2, 0, "padding", BEGIN "\nM===\n" END "\n");
REFUSES(something_behind_padding, EBADMSG, 3, 0, "padding", BEGIN "\nMA==\nMIIB\n" END "\n");
REFUSES(spare_bits, EBADMSG, 2, 0, "padding", BEGIN "\nMB==\n" END "\n");
REFUSES(bytes_behind_the_certificate, EBADMSG, 1, 0, "well-formed", BEGIN "\nMAAA\n" END "\n");
REFUSES(a_bad_second_block, EBADMSG, 3, 1, "well-formed",
	BEGIN "\n@" END "\n" BEGIN "\nMAAA\n" END "\n");

REFUSES(a_trusted_certificate, EOPNOTSUPP, 2, 0, "trust settings",
	"\n-----BEGIN TRUSTED CERTIFICATE-----\n@-----END TRUSTED CERTIFICATE-----\n");
REFUSES(a_crl, EOPNOTSUPP, 3, 1, "\"X509 CRL\"", BEGIN "\n@" END "\n-----BEGIN X509 CRL-----\n");
REFUSES(an_old_label, EOPNOTSUPP, 1, 0, "\"X509 CERTIFICATE\"",
	"-----BEGIN X509 CERTIFICATE-----\n@");
REFUSES(a_private_key, EKEYREJECTED, 3, 1, "private key",
	BEGIN "\n@" END "\n-----BEGIN PRIVATE KEY-----\nSECRET\n");
REFUSES(an_rsa_key, EKEYREJECTED, 1, 0, "private key", "-----BEGIN RSA PRIVATE KEY-----\nSECRET\n");
REFUSES(an_ec_key, EKEYREJECTED, 1, 0, "private key", "-----BEGIN EC PRIVATE KEY-----\nSECRET\n");
REFUSES(an_encrypted_key, EKEYREJECTED, 1, 0, "private key",
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
REFUSES(an_openssh_key, EKEYREJECTED, 1, 0, "private key", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
REFUSES(a_pgp_key, EKEYREJECTED, 1, 0, "private key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n");

TEST_F(pem, as_decided)
{
	unsigned int body_lines = count_lines(self->body, self->body_len);
	struct kt_error error = {0};
	int ret;

	expand(self->text, variant->pattern, self->body, self->body_len, self->second->pem);
	ret = kt_anchor_set_add_pem(self->set, self->text->bytes, self->text->len, "roots.pem",
				    &error);
	ASSERT_EQ(variant->ret, ret)
	{
		TH_LOG("line %u: %s", error.line, error.text);
	}
	EXPECT_EQ(variant->count, kt_anchor_set_count(self->set));
	if (ret == 0)
		return;
	EXPECT_EQ(-variant->ret, error.err);
	EXPECT_STREQ("roots.pem", error.where);
	/* What stands for a body counts as many lines as it has; the pattern counts none of them.
	 */
	EXPECT_EQ(variant->line + variant->bodies * body_lines, error.line)
	{
		TH_LOG("%s", error.text);
	}
	EXPECT_NE(NULL, strstr(error.text, variant->says))
	{
		TH_LOG("\"%s\" does not say \"%s\"", error.text, variant->says);
	}
	EXPECT_EQ(NULL, strstr(error.text, "SECRET"));
}

FIXTURE(bundle)
{
	struct pki *pki;
	struct text *text;
	size_t boundary; /* behind the first END and its line end */
	struct kt_anchor_set *set;
};

FIXTURE_SETUP(bundle)
{
	const struct pki_cert *first, *second;

	self->pki = pki_new();
	first = pki_make_ca(self->pki, NULL, "First root");
	second = pki_make_ca(self->pki, NULL, "Second root");
	self->text = calloc(1, sizeof *self->text);
	self->set = kt_anchor_set_new();
	ASSERT_NE(NULL, self->text);
	ASSERT_NE(NULL, self->set);
	append(self->text, first->pem, strlen(first->pem));
	self->boundary = self->text->len;
	append(self->text, second->pem, strlen(second->pem));
}

FIXTURE_TEARDOWN(bundle)
{
	kt_anchor_set_free(self->set);
	free(self->text);
	pki_free(self->pki);
}

TEST_F(bundle, cut_anywhere_is_refused_but_between_blocks)
{
	for (size_t len = 0; len < self->text->len; len++) {
		/* A copy of its own size, so that a sanitizer sees a read behind the cut. */
		char *cut = malloc(len ? len : 1);
		bool between = len == self->boundary || len == self->boundary - 1;
		bool whole = len == self->text->len - 1;
		int ret;

		ASSERT_NE(NULL, cut);
		memcpy(cut, self->text->bytes, len);
		ret = kt_anchor_set_add_pem(self->set, cut, len, "cut.pem", NULL);
		EXPECT_EQ(between || whole, ret == 0)
		{
			TH_LOG("cut at %zu of %zu gives %d", len, self->text->len, ret);
		}
		EXPECT_EQ(between ? 1 : whole ? 2 : 0, kt_anchor_set_count(self->set));
		free(cut);
		kt_anchor_set_free(self->set);
		self->set = kt_anchor_set_new();
		ASSERT_NE(NULL, self->set);
	}
}

TEST_F(bundle, cut_at_its_start_is_refused_but_between_blocks)
{
	for (size_t from = 1; from < self->text->len; from++) {
		const char *rest = self->text->bytes + from;
		size_t len = self->text->len - from;
		int ret = kt_anchor_set_add_pem(self->set, rest, len, "cut.pem", NULL);
		/* The line end in front of a block is an empty line of text. */
		bool between = from == self->boundary || from == self->boundary - 1;

		EXPECT_EQ(between, ret == 0)
		{
			TH_LOG("cut at %zu gives %d", from, ret);
		}
	}
	EXPECT_EQ(1, kt_anchor_set_count(self->set));
}

TEST_F(bundle, refused_leaves_the_set_as_it_was)
{
	struct kt_anchor_set *set = self->set;
	uint8_t before[KT_DIGEST_LEN];
	struct kt_snapshot_info info;
	struct kt_snapshot *snapshot;

	ASSERT_EQ(0, kt_anchor_set_add_pem(set, self->text->bytes, self->boundary, "a", NULL));
	snapshot = build(set, 1);
	kt_snapshot_describe(snapshot, &info);
	memcpy(before, info.digest, sizeof before);
	kt_snapshot_free(snapshot);

	append(self->text, "-----BEGIN X-----\n", 18);
	ASSERT_EQ(-EOPNOTSUPP,
		  kt_anchor_set_add_pem(set, self->text->bytes, self->text->len, "b", NULL));
	EXPECT_EQ(1, kt_anchor_set_count(set));
	snapshot = build(set, 2);
	kt_snapshot_describe(snapshot, &info);
	EXPECT_EQ(0, memcmp(before, info.digest, sizeof before));
	kt_snapshot_free(snapshot);
}

TEST(pem_private_key_shows_nowhere_in_the_error)
{
	struct pki *pki = pki_new();
	const struct pki_cert *root = pki_make_ca(pki, NULL, "Root");
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct text *text = calloc(1, sizeof *text);
	struct kt_error error = {0};
	const char *secret;

	ASSERT_NE(NULL, set);
	ASSERT_NE(NULL, text);
	append(text, root->pem, strlen(root->pem));
	append(text, root->key_pem, strlen(root->key_pem));
	ASSERT_EQ(-EKEYREJECTED, kt_anchor_set_add_pem(set, text->bytes, text->len, "a", &error));
	secret = strchr(root->key_pem, '\n') + 1;
	for (size_t i = 0; i < 48; i++)
		EXPECT_EQ(NULL, memmem(&error, sizeof error, secret + i, 8));
	kt_anchor_set_free(set);
	free(text);
	pki_free(pki);
}

TEST(pem_certificate_beyond_the_limit_is_efbig)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	size_t chars = (KT_CERTIFICATE_MAX / 3 + 1) * 4, len;
	char *text = malloc(chars + 100);
	struct kt_error error = {0};

	ASSERT_NE(NULL, set);
	ASSERT_NE(NULL, text);
	len = (size_t)sprintf(text, "%s\n", BEGIN);
	memset(text + len, 'A', chars);
	len += chars;
	len += (size_t)sprintf(text + len, "\n%s\n", END);
	EXPECT_EQ(-EFBIG, kt_anchor_set_add_pem(set, text, len, "a", &error));
	EXPECT_EQ(2, error.line);
	kt_anchor_set_free(set);
	free(text);
}

/* The naive twin of the decoder is libcrypto's encoder. */
TEST(base64_decodes_what_libcrypto_encodes_at_any_split)
{
	uint8_t bytes[64], decoded[64];
	char text[128];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 151 + 7);
	for (size_t len = 0; len <= sizeof bytes; len++) {
		size_t chars = (size_t)EVP_EncodeBlock((uint8_t *)text, bytes, (int)len);

		for (size_t split = 0; split <= chars; split++) {
			struct kt_base64 base64;

			kt_base64_init(&base64, decoded, sizeof decoded);
			ASSERT_EQ(KT_BASE64_OK, kt_base64_add(&base64, text, split));
			ASSERT_EQ(KT_BASE64_OK,
				  kt_base64_add(&base64, text + split, chars - split));
			ASSERT_EQ(KT_BASE64_OK, kt_base64_end(&base64));
			ASSERT_EQ(len, base64.len);
			ASSERT_EQ(0, memcmp(bytes, decoded, len));
		}
	}
}

TEST(base64_never_writes_more_than_there_is_room_for)
{
	uint8_t bytes[9];

	for (size_t room = 0; room < 9; room++) {
		struct kt_base64 base64;

		memset(bytes, 0xee, sizeof bytes);
		kt_base64_init(&base64, bytes, room);
		EXPECT_EQ(KT_BASE64_FULL, kt_base64_add(&base64, "AAAAAAAAAAAA", 12));
		for (size_t i = room; i < sizeof bytes; i++)
			EXPECT_EQ(0xee, bytes[i]);
	}
}

TEST_HARNESS_MAIN
