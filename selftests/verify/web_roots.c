/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mozilla's roots under KT_PROFILE_WEB: every one is read, and is of the form required or known by
 * name; and each that is known by name would fail without.
 *
 * The version of src/roots is always there. Others, as in selftests/pool/nss_files.c, are
 * certdata-VERSION.txt in KT_CERTDATA_DIR, by default ../shared/data.
 */
#include "../../src/verify/web.h"

#include <stdio.h>
#include <stdlib.h>

#include <ktrust/nss.h>

#include "../harness.h"

#define FILE_MAX  (4u << 20)
#define KNOWN_MAX 64

static size_t known_count(void)
{
	size_t count = 0;

	while (kt_web_known_root(count))
		count++;
	return count;
}

/* What a file's roots came to. */
struct tally {
	size_t trusted;
	bool met[KNOWN_MAX]; /* of those known by name */
};

static void note_known(const struct kt_nss_root *root, struct tally *tally)
{
	for (size_t i = 0; kt_web_known_root(i); i++)
		if (!memcmp(kt_web_known_root(i), root->fingerprint, KT_DIGEST_LEN))
			tally->met[i] = true;
}

static int check_root(const struct kt_nss_root *root, void *arg)
{
	struct tally *tally = arg;
	struct kt_cert cert;

	if (root->trust != KT_NSS_TRUSTED)
		return 0;
	tally->trusted++;
	EXPECT_STREQ(NULL, kt_cert_read(root->der, root->der_len, &cert))
	{
		TH_LOG("%s", root->label);
		return 0;
	}
	EXPECT_EQ(KT_RULE_NONE, kt_web_check_anchor(&cert, root->fingerprint))
	{
		TH_LOG("%s: %s", root->label, kt_rule_of(kt_web_check_anchor_form(&cert))->text);
	}
	EXPECT_EQ(kt_web_is_known_root(root->fingerprint),
		  kt_web_check_anchor_form(&cert) != KT_RULE_NONE)
	{
		TH_LOG("%s", root->label);
	}
	note_known(root, tally);
	return 0;
}

/* False: there is no such file. */
static bool check_file(const char *path, struct tally *tally)
{
	FILE *file = fopen(path, "re");
	struct kt_error error = {0};
	char *text;
	size_t len;

	if (!file)
		return false;
	text = malloc(FILE_MAX);
	ASSERT_NE(NULL, text);
	len = fread(text, 1, FILE_MAX, file);
	fclose(file);
	ASSERT_EQ(0, kt_nss_parse(text, len, path, check_root, tally, NULL, &error));
	free(text);
	return true;
}

TEST(web_roots_of_mozilla_pass)
{
	struct tally tally = {0};

	ASSERT_TRUE(check_file("src/roots/certdata.txt", &tally))
	{
		TH_LOG("run from the top of the tree");
	}
	EXPECT_LT(100, tally.trusted);
}

FIXTURE(earlier)
{
	char path[512];
};

FIXTURE_VARIANT(earlier)
{
	const char *version;
};

FIXTURE_VARIANT_ADD(earlier, v2_54){"2.54"};
FIXTURE_VARIANT_ADD(earlier, v2_80){"2.80"};

static void path_of(const char *version, char *path, size_t size)
{
	const char *dir = getenv("KT_CERTDATA_DIR");

	snprintf(path, size, "%s/certdata-%s.txt", dir && dir[0] ? dir : "../shared/data", version);
}

FIXTURE_SETUP(earlier)
{
	FILE *file;

	path_of(variant->version, self->path, sizeof self->path);
	file = fopen(self->path, "re");
	if (!file)
		SKIP(return, "no %s (name its directory in KT_CERTDATA_DIR)", self->path);
	fclose(file);
}

FIXTURE_TEARDOWN(earlier)
{
	(void)self;
}

TEST_F(earlier, web_roots_of_mozilla_pass)
{
	struct tally tally = {0};

	ASSERT_TRUE(check_file(self->path, &tally));
	EXPECT_LT(100, tally.trusted);
}

/* None is in the table for nothing: with all files, each is met. */
TEST_F(earlier, known_web_roots_are_all_needed)
{
	struct tally tally = {0};

	ASSERT_GT(KNOWN_MAX, known_count());
	for (size_t i = 0; i < 2; i++) {
		path_of(i ? "2.80" : "2.54", self->path, sizeof self->path);
		if (!check_file(self->path, &tally))
			SKIP(return, "no %s", self->path);
	}
	check_file("src/roots/certdata.txt", &tally);
	for (size_t i = 0; i < known_count(); i++)
		EXPECT_TRUE(tally.met[i])
		{
			TH_LOG("number %zu", i);
		}
}

TEST(web_root_is_known_by_its_whole_fingerprint)
{
	uint8_t fingerprint[KT_DIGEST_LEN];

	ASSERT_LT(0, known_count());
	for (size_t i = 0; i < known_count(); i++) {
		memcpy(fingerprint, kt_web_known_root(i), sizeof fingerprint);
		EXPECT_TRUE(kt_web_is_known_root(fingerprint));
		for (size_t at = 0; at < sizeof fingerprint; at++) {
			fingerprint[at] ^= 1;
			EXPECT_FALSE(kt_web_is_known_root(fingerprint));
			fingerprint[at] ^= 1;
		}
	}
}

TEST_HARNESS_MAIN
