/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bundles that were cut anywhere, files of any size, keys where none belong, certificates whose key
 * nobody can use. A cut exactly between two certificates is a smaller bundle, which no format
 * shows.
 */
#include "files.h"

#include <ktrust/verify.h>
#include <openssl/evp.h>

FIXTURE(bad)
{
	struct files f;
	char bytes[16384]; /* what is written */
	size_t len;
};

FIXTURE_SETUP(bad)
{
	files_init(&self->f);
}

FIXTURE_TEARDOWN(bad)
{
	files_fini(&self->f);
}

static int try_first(FIXTURE_DATA(bad) * self, size_t len)
{
	files_write(&self->f, "x", self->bytes, len);
	return files_add(&self->f, "file:", "x");
}

TEST_F_TIMEOUT(bad, der_cut_anywhere_is_refused, 60)
{
	size_t first = self->f.a->der_len, len = first + self->f.b->der_len;

	memcpy(self->bytes, self->f.a->der, first);
	memcpy(self->bytes + first, self->f.b->der, self->f.b->der_len);
	for (size_t cut = 0; cut < len; cut++) {
		if (cut == first)
			continue;
		EXPECT_GT(0, try_first(self, cut))
		{
			TH_LOG("%zu of %zu bytes", cut, len);
		}
		ASSERT_EQ(0, kt_anchor_set_count(self->f.set));
	}
	EXPECT_EQ(0, try_first(self, len));
	EXPECT_EQ(2, kt_anchor_set_count(self->f.set));
}

TEST_F_TIMEOUT(bad, pem_cut_anywhere_is_refused, 60)
{
	size_t first = strlen(self->f.a->pem), len;

	len = (size_t)snprintf(self->bytes, sizeof self->bytes, "%s%s", self->f.a->pem,
			       self->f.b->pem);
	for (size_t cut = 0; cut < len - 1; cut++) {
		/* With or without the end of the last line, it is whole. */
		if (cut == first || cut == first - 1)
			continue;
		EXPECT_GT(0, try_first(self, cut))
		{
			TH_LOG("%zu of %zu bytes", cut, len);
		}
		ASSERT_EQ(0, kt_anchor_set_count(self->f.set));
	}
	EXPECT_EQ(0, try_first(self, len));
}

/* The front is missing. Lines within the base64 look like text, the END gives it away. */
TEST_F_TIMEOUT(bad, pem_that_lost_its_front_is_refused, 60)
{
	size_t len = (size_t)snprintf(self->bytes, sizeof self->bytes, "%s%s", self->f.a->pem,
				      self->f.b->pem);

	for (size_t cut = 1; cut < strlen(self->f.a->pem) - 1; cut++) {
		files_write(&self->f, "x", self->bytes + cut, len - cut);
		EXPECT_GT(0, files_add(&self->f, "file:", "x"))
		{
			TH_LOG("without the first %zu bytes", cut);
		}
	}
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
}

TEST_F_TIMEOUT(bad, a_file_of_a_gigabyte_is_refused_before_it_is_read, 5)
{
	static const char *const words[] = {"file:", "crl:", "certdata:"};

	files_text(&self->f, "x", self->f.a->pem);
	ASSERT_EQ(0, truncate(files_path(&self->f, "x"), 1 << 30));
	for (size_t i = 0; i < 3; i++) {
		EXPECT_EQ(-EFBIG, files_add(&self->f, words[i], "x"));
		EXPECT_STREQ(files_path(&self->f, "x"), self->f.error.where);
	}
}

static bool says_any_line_of(const struct kt_error *error, const char *pem)
{
	char line[17] = "";

	for (const char *c = pem; (c = strchr(c, '\n')) && c[1]; c++) {
		if (c[1] == '-')
			continue;
		snprintf(line, sizeof line, "%s", c + 1);
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) >= 8 && (strstr(error->text, line) || strstr(error->where, line)))
			return true;
	}
	return false;
}

TEST_F(bad, a_private_key_is_refused_and_not_shown)
{
	static const char *const words[] = {"file:", "crl:", "certdata:"};

	snprintf(self->bytes, sizeof self->bytes, "%s%s", self->f.a->pem, self->f.a->key_pem);
	files_text(&self->f, "x", self->bytes);
	for (unsigned int lenient = 0; lenient < 2; lenient++) {
		self->f.options.lenient = lenient;
		EXPECT_EQ(-EKEYREJECTED, files_add(&self->f, "file:", "x"));
		for (size_t i = 0; i < 3; i++) {
			EXPECT_GT(0, files_add(&self->f, words[i], "x"));
			EXPECT_FALSE(says_any_line_of(&self->f.error, self->f.a->key_pem));
		}
	}
	EXPECT_EQ(0, kt_anchor_set_count(self->f.set));
	for (size_t i = 0; i < self->f.note_count; i++)
		EXPECT_FALSE(says_any_line_of(&self->f.notes[i], self->f.a->key_pem));
}

TEST_F(bad, what_says_key_lines_finds_them)
{
	struct kt_error error = {0};

	snprintf(error.text, sizeof error.text, "a line: %.30s",
		 strchr(self->f.a->key_pem, '\n') + 1);
	EXPECT_TRUE(says_any_line_of(&error, self->f.a->key_pem));
}

/*
 * Keys are not decoded when a pool is loaded: the certificate becomes an anchor, which nothing can
 * be verified by. What comes from it is refused then.
 */
TEST_F(bad, a_certificate_with_an_unusable_key_is_taken_and_verifies_nobody)
{
	const struct pki_cert *leaf =
		pki_make_leaf(self->f.pki, self->f.a, "c", "c.test", "clientAuth");
	const struct kt_der cert = {leaf->der, leaf->der_len};
	const struct kt_chain chain = {&cert, 1};
	const struct kt_query query = {.role = KT_ROLE_CLIENT, .time = pki_now()};
	struct kt_verifier *verifier = kt_verifier_new(NULL);
	struct kt_verdict verdict;
	struct kt_snapshot *snapshot;
	uint8_t *point;

	memcpy(self->bytes, self->f.a->der, self->f.a->der_len);
	/* The curve's OID, then BIT STRING, its length, 00, 04, and the point: off the curve. */
	point = memmem(self->bytes, self->f.a->der_len, "\x2a\x86\x48\xce\x3d\x03\x01\x07", 8);
	ASSERT_NE(NULL, point);
	memset(point + 12, 0xff, 64);
	EXPECT_EQ(0, try_first(self, self->f.a->der_len));
	EXPECT_EQ(1, kt_anchor_set_count(self->f.set));
	snapshot = build(self->f.set, 1);
	ASSERT_NE(NULL, verifier);
	EXPECT_EQ(KT_UNKNOWN_ISSUER, kt_verify(verifier, snapshot, &chain, &query, &verdict));
	kt_verifier_free(verifier);
	kt_snapshot_free(snapshot);
}

TEST_F(bad, no_anchors_are_refused_by_every_word)
{
	files_text(&self->f, "x", "");
	ASSERT_EQ(0, mkdir(files_path(&self->f, "d"), 0755));
	EXPECT_EQ(-ENODATA, files_add(&self->f, "file:", "x"));
	EXPECT_EQ(-ENODATA, files_add(&self->f, "crl:", "x"));
	EXPECT_EQ(-ENODATA, files_add(&self->f, "certdata:", "x"));
	EXPECT_EQ(-ENODATA, files_add(&self->f, "dir:", "d"));
}

TEST_HARNESS_MAIN
