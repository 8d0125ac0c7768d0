/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mozilla's own files: what the parser finds in them is what certdata.expect says, which a count of
 * another kind came to as well (selftests/house/roots.test compares that).
 *
 * The version of src/roots is always there. Others are certdata-VERSION.txt in the directory
 * KT_CERTDATA_DIR, by default ../shared/data; without them their tests are skipped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <ktrust/nss.h>

#include "../harness.h"

#define EXPECT_FILE "selftests/pool/certdata.expect"

struct tally {
	const char *version;
	size_t must_verify;
	size_t not_trusted;
	char limits[4096];
};

static char *read_file(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "re");
	char *bytes = malloc(4 << 20);

	ASSERT_NE(NULL, bytes);
	*ret_len = 0;
	if (!file) {
		free(bytes);
		return NULL;
	}
	*ret_len = fread(bytes, 1, (4 << 20) - 1, file);
	bytes[*ret_len] = '\0';
	fclose(file);
	return bytes;
}

static void add_limit(struct tally *tally, const char *label, const char *what, const char *value)
{
	size_t len = strlen(tally->limits);

	snprintf(tally->limits + len, sizeof tally->limits - len, "%s limit \"%s\" %s %s\n",
		 tally->version, label, what, value);
}

static int take(const struct kt_nss_root *root, void *arg)
{
	time_t after = (time_t)root->constraints.distrust_after;
	struct tally *tally = arg;
	char date[32];
	struct tm tm;

	tally->must_verify += root->trust == KT_NSS_NOT_FOR_SERVERS;
	tally->not_trusted += root->trust == KT_NSS_DISTRUSTED;
	EXPECT_NE(KT_NSS_UNKNOWN_CONSTRAINT, root->trust);
	EXPECT_STREQ("", root->reason);
	if (root->trust != KT_NSS_TRUSTED)
		return 0;
	if (root->constraints.distrust_after != KT_DISTRUST_NEVER) {
		ASSERT_NE(NULL, gmtime_r(&after, &tm));
		strftime(date, sizeof date, "%y%m%d%H%M%SZ", &tm);
		add_limit(tally, root->label, "after", date);
	}
	if (root->constraints.permitted_dns)
		add_limit(tally, root->label, "names", root->constraints.permitted_dns);
	return 0;
}

/* The lines of certdata.expect for a version, as they come from the parser. */
static void say(const struct tally *tally, const struct kt_nss_counts *counts, char *said,
		size_t size)
{
	const char *version = tally->version;

	snprintf(said, size,
		 "%s certificates %zu\n%s trusted %zu\n%s constrained %zu\n%s must-verify %zu\n"
		 "%s not-trusted %zu\n%s trust-without-certificate %zu\n%s",
		 version, counts->certificates, version, counts->trusted, version,
		 counts->constrained, version, tally->must_verify, version, tally->not_trusted,
		 version, counts->trust_without_certificate, tally->limits);
}

/* And as they stand there. */
static void read_expected(const char *version, char *expected, size_t size)
{
	size_t len, used = 0, version_len = strlen(version);
	char *file = read_file(EXPECT_FILE, &len), *rest = file, *line;

	ASSERT_NE(NULL, file)
	{
		TH_LOG("run from the top of the tree");
	}
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, version, version_len) == 0 && line[version_len] == ' ')
			used += (size_t)snprintf(expected + used, size - used, "%s\n", line);
	ASSERT_GT(used, 0);
	ASSERT_LT(used, size);
	free(file);
}

FIXTURE(certdata)
{
	char path[512];
	char *bytes;
	size_t len;
};

FIXTURE_VARIANT(certdata)
{
	const char *version;
	bool committed;
};

FIXTURE_VARIANT_ADD(certdata, v2_28){.version = "2.28"};
FIXTURE_VARIANT_ADD(certdata, v2_54){.version = "2.54"};
FIXTURE_VARIANT_ADD(certdata, v2_80){.version = "2.80"};
FIXTURE_VARIANT_ADD(certdata, v2_92){.version = "2.92", .committed = true};

FIXTURE_SETUP(certdata)
{
	const char *dir = getenv("KT_CERTDATA_DIR");

	if (variant->committed)
		snprintf(self->path, sizeof self->path, "src/roots/certdata.txt");
	else
		snprintf(self->path, sizeof self->path, "%s/certdata-%s.txt",
			 dir && dir[0] ? dir : "../shared/data", variant->version);
	self->bytes = read_file(self->path, &self->len);
	if (!self->bytes && !variant->committed)
		SKIP(return, "no %s (name its directory in KT_CERTDATA_DIR)", self->path);
	ASSERT_NE(NULL, self->bytes);
}

FIXTURE_TEARDOWN(certdata)
{
	free(self->bytes);
}

TEST_F(certdata, holds_what_was_counted)
{
	struct tally tally = {.version = variant->version};
	char said[8192], expected[8192];
	struct kt_nss_counts counts;
	struct kt_error error = {0};

	ASSERT_EQ(0,
		  kt_nss_parse(self->bytes, self->len, self->path, take, &tally, &counts, &error))
	{
		TH_LOG("%s:%u: %s", self->path, error.line, error.text);
	}
	say(&tally, &counts, said, sizeof said);
	read_expected(variant->version, expected, sizeof expected);
	EXPECT_STREQ(expected, said);
}

/* Only a cut between objects can go unseen, or one in the lines at a trust object's end. */
TEST_F(certdata, cut_is_refused_or_loses_whole_roots)
{
	struct kt_nss_counts whole, cut;
	size_t step = self->len / 150;

	ASSERT_EQ(0, kt_nss_parse(self->bytes, self->len, "x", NULL, NULL, &whole, NULL));
	for (size_t len = 1; len < self->len; len += step) {
		bool lost = strstr(self->bytes + len, "CKO_CERTIFICATE") != NULL;

		if (kt_nss_parse(self->bytes, len, "x", NULL, NULL, &cut, NULL) == 0)
			EXPECT_EQ(lost, cut.certificates < whole.certificates);
	}
}

TEST_HARNESS_MAIN
