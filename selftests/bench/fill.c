/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings of other servers, with their places filled in. */
#include "../harness.h"

#include <errno.h>
#include <stdlib.h>

#include "../../src/bench/fill.h"

static const struct kt_bench_values values = {.dir = "/tmp/x", .port = 8443, .backend = 80};

static void expect_filled(const char *text, const struct kt_bench_values *with, const char *want)
{
	struct kt_error error = {0};
	char *filled = NULL;

	ASSERT_EQ(0, kt_bench_fill(text, with, "test", &filled, &error))
	{
		TH_LOG("%s", error.text);
	}
	EXPECT_STREQ(want, filled);
	free(filled);
}

TEST(places_are_filled_in)
{
	expect_filled("listen @PORT@ to @BACKEND@;\ncert @DIR@/a@DIR@\n", &values,
		      "listen 8443 to 80;\ncert /tmp/x/a/tmp/x\n");
	expect_filled("", &values, "");
}

TEST(what_is_no_place_stays)
{
	expect_filled("me@example.org @ @@ @a@ @PORT", &values, "me@example.org @ @@ @a@ @PORT");
}

TEST(lines_count_where_their_condition_holds)
{
	const char *text = "a\n@MTLS@ m @PORT@\n@PLAIN@ p\n@ROOT@ r\nz";
	struct kt_bench_values with = values;

	expect_filled(text, &with, "a\np\nz");
	with.mtls = true;
	expect_filled(text, &with, "a\nm 8443\nz");
	with.root = true;
	expect_filled(text, &with, "a\nm 8443\nr\nz");
	expect_filled("@PLAIN@--no", &with, "");
	expect_filled("@TICKETS@ t\n@NONE@ n", &with, "n");
	with.tickets = true;
	expect_filled("@TICKETS@ t\n@NONE@ n", &with, "t\n");
}

TEST(an_unknown_place_is_named_with_its_line)
{
	struct kt_error error = {0};
	char *filled = NULL;

	EXPECT_EQ(-EINVAL, kt_bench_fill("a\nb @HOST@\n", &values, "nginx", &filled, &error));
	EXPECT_EQ(NULL, filled);
	EXPECT_STREQ("nginx", error.where);
	EXPECT_EQ(2, error.line);
	EXPECT_NE(NULL, strstr(error.text, "@HOST@"));
}

TEST_HARNESS_MAIN
