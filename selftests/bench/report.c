/* SPDX-License-Identifier: BSD-2-Clause */
/* How a suite is run, and what its report looks like as table, JSON and picture. */
#include "../harness.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "../../src/bench/bench.h"

/* ---- A suite whose figures are known ------------------------------------------------------- */

static char order[256]; /* a letter for each call, in order */
static int prepared, finished;
static bool failing;

static void note(char letter)
{
	size_t len = strlen(order);

	ASSERT_LT(len + 1, sizeof order);
	order[len] = letter;
	order[len + 1] = '\0';
}

static int prepare(size_t size, const struct kt_bench_options *options, void **ret_state,
		   struct kt_error *error)
{
	(void)options;
	if (size == 13)
		return kt_error_set(error, EIO, "thirteen", 0, "made to fail");
	prepared++;
	*ret_state = &prepared;
	return 0;
}

static void finish(void *state)
{
	EXPECT_EQ(&prepared, state);
	finished++;
}

/* 3, 1, 2, 3, …: the median of three is 2. */
static int ours(const struct kt_bench_case *of, void *state, const struct kt_bench_options *options,
		double *ret_value, struct kt_error *error)
{
	static unsigned int calls;

	(void)of;
	(void)state;
	(void)options;
	note('o');
	if (failing)
		return kt_error_set(error, ENODATA, "ours", 0, "made to fail");
	*ret_value = 1 + (calls++ + 2) % 3;
	return 0;
}

static int stock(const struct kt_bench_case *of, void *state,
		 const struct kt_bench_options *options, double *ret_value, struct kt_error *error)
{
	(void)of;
	(void)state;
	(void)options;
	(void)error;
	note('s');
	*ret_value = 1000;
	return 0;
}

static int peer(const struct kt_bench_case *of, void *state, const struct kt_bench_options *options,
		double *ret_value, struct kt_error *error)
{
	(void)of;
	(void)state;
	(void)options;
	(void)error;
	note('p');
	*ret_value = 1.0 / 3;
	return 0;
}

#define BOTH .prepare = prepare, .finish = finish, .size = 1, .unit = "ms", .threads = 1

static const struct kt_bench_case cases[] = {
	{.name = "load-a", BOTH, .measure = {ours, stock}},
	{.name = "load-b", BOTH, .measure = {ours}},
	{.name = "<rate & \"rest\">",
	 .unit = "1/s",
	 .threads = 2,
	 .more_is_better = true,
	 .measure = {ours, stock, NULL, peer},
	 .peers = {"p&er"}},
	{.name = "fails", .prepare = prepare, .size = 13, .measure = {ours}},
};

static const struct kt_bench_suite suite = {"test", "A <test> & its figures", cases, 4, 0.02};

/* Of two peers one is there, and has a version. */
static bool is_there(void *state, size_t side, char note[static KT_BENCH_NOTE_MAX])
{
	EXPECT_EQ(&prepared, state);
	if (side == KT_BENCH_FIRST_PEER)
		strcpy(note, "1.22.1");
	if (side == KT_BENCH_FIRST_PEER + 1)
		strcpy(note, "not installed");
	return side != KT_BENCH_FIRST_PEER + 1;
}

static const struct kt_bench_case partial_cases[] = {
	{.name = "shake",
	 BOTH,
	 .more_is_better = true,
	 .is_there = is_there,
	 .measure = {ours, stock, NULL, peer, peer},
	 .peers = {"here", "away"}},
};

static const struct kt_bench_suite partial = {"partial", "Some", partial_cases, 1, 0.02};

static struct kt_bench_report run_suite(const struct kt_bench_suite *which, const char *only)
{
	const struct kt_bench_options options = {.runs = 3, .seconds = 0.01, .only = only};
	struct kt_bench_report report;
	struct kt_error error = {0};

	order[0] = '\0';
	ASSERT_EQ(0, kt_bench_run(which, &options, &report, &error))
	{
		TH_LOG("%s", error.text);
	}
	return report;
}

static struct kt_bench_report run(const char *only)
{
	return run_suite(&suite, only);
}

static char *text_of(const struct kt_bench_report *report,
		     void (*write)(const struct kt_bench_report *report, FILE *to))
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	ASSERT_NE(NULL, to);
	write(report, to);
	ASSERT_EQ(0, fclose(to));
	return text;
}

/* ---- Running ------------------------------------------------------------------------------- */

TEST(sides_take_turns_within_each_run)
{
	struct kt_bench_report report = run("load-a");

	EXPECT_STREQ("ososos", order);
	EXPECT_EQ(1, report.count);
	EXPECT_TRUE(report.results[0].medians[KT_BENCH_OURS] == 2);
	EXPECT_TRUE(report.results[0].medians[KT_BENCH_STOCK] == 1000);
	EXPECT_TRUE(isnan(report.results[0].medians[KT_BENCH_LIMIT]));
	kt_bench_report_fini(&report);
}

TEST(neighbours_share_what_was_prepared)
{
	struct kt_bench_report report = run("load-*");

	EXPECT_EQ(2, report.count);
	EXPECT_EQ(1, prepared);
	EXPECT_EQ(1, finished);
	kt_bench_report_fini(&report);
}

TEST(ratio_says_how_many_times_better_ours_is)
{
	struct kt_bench_report report = run("[!f]*");

	ASSERT_EQ(3, report.count);
	EXPECT_TRUE(kt_bench_ratio(&report.results[0], KT_BENCH_STOCK) == 500);
	EXPECT_TRUE(isnan(kt_bench_ratio(&report.results[1], KT_BENCH_STOCK)));
	EXPECT_TRUE(kt_bench_ratio(&report.results[2], KT_BENCH_STOCK) == 0.002);
	EXPECT_TRUE(kt_bench_ratio(&report.results[2], KT_BENCH_FIRST_PEER) == 2 / (1.0 / 3));
	kt_bench_report_fini(&report);
}

static int run_error(const char *only)
{
	const struct kt_bench_options options = {.runs = 2, .seconds = 0.01, .only = only};
	struct kt_bench_report report;
	struct kt_error error = {0};
	int ret = kt_bench_run(&suite, &options, &report, &error);

	EXPECT_EQ(-ret, error.err);
	return ret;
}

TEST(unknown_case_is_enoent)
{
	EXPECT_EQ(-ENOENT, run_error("nonsense"));
}

TEST(preparation_that_fails_ends_the_run)
{
	EXPECT_EQ(-EIO, run_error("fails"));
}

TEST(measurement_that_fails_ends_the_run_and_frees_what_was_prepared)
{
	failing = true;
	EXPECT_EQ(-ENODATA, run_error("load-a"));
	EXPECT_EQ(1, prepared);
	EXPECT_EQ(1, finished);
}

TEST(side_that_is_not_there_is_not_measured)
{
	struct kt_bench_report report = run_suite(&partial, NULL);

	EXPECT_STREQ("osposposp", order);
	EXPECT_FALSE(isnan(report.results[0].medians[KT_BENCH_FIRST_PEER]));
	EXPECT_TRUE(isnan(report.results[0].medians[KT_BENCH_FIRST_PEER + 1]));
	kt_bench_report_fini(&report);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void write_json(const struct kt_bench_report *report, FILE *to)
{
	ASSERT_EQ(0, kt_bench_write_json(report, to));
}

static double number(json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

TEST(json_is_one_line_of_the_promised_shape)
{
	struct kt_bench_report report = run("[!f]*");
	char *text = text_of(&report, write_json);
	json_t *whole = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *result, *peers;

	ASSERT_NE(NULL, whole);
	EXPECT_EQ(text + strlen(text) - 1, strchr(text, '\n'));
	EXPECT_EQ(4, json_object_size(whole));
	EXPECT_STREQ("test", json_string_value(json_object_get(whole, "bench")));
	EXPECT_STREQ(report.openssl, json_string_value(json_object_get(whole, "openssl")));
	EXPECT_STREQ(report.cpu, json_string_value(json_object_get(whole, "cpu")));
	ASSERT_EQ(3, json_array_size(json_object_get(whole, "results")));
	result = json_array_get(json_object_get(whole, "results"), 2);
	EXPECT_EQ(7, json_object_size(result));
	EXPECT_STREQ(cases[2].name, json_string_value(json_object_get(result, "case")));
	EXPECT_EQ(2, json_integer_value(json_object_get(result, "threads")));
	EXPECT_STREQ("1/s", json_string_value(json_object_get(result, "unit")));
	EXPECT_TRUE(number(result, "ours") == 2);
	EXPECT_TRUE(number(result, "stock") == 1000);
	EXPECT_TRUE(json_is_null(json_object_get(result, "limit")));
	peers = json_object_get(result, "peers");
	EXPECT_EQ(1, json_object_size(peers));
	EXPECT_TRUE(fabs(number(peers, "p&er") - 1.0 / 3) < 1e-5);
	json_decref(whole);
	free(text);
	kt_bench_report_fini(&report);
}

TEST(json_has_the_peers_that_are_there_with_their_versions)
{
	struct kt_bench_report report = run_suite(&partial, NULL);
	char *text = text_of(&report, write_json);
	json_t *whole = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *peers, *versions;

	ASSERT_NE(NULL, whole);
	peers = json_object_get(json_array_get(json_object_get(whole, "results"), 0), "peers");
	EXPECT_EQ(1, json_object_size(peers));
	EXPECT_NE(NULL, json_object_get(peers, "here"));
	versions = json_object_get(whole, "versions");
	EXPECT_EQ(1, json_object_size(versions));
	EXPECT_STREQ("1.22.1", json_string_value(json_object_get(versions, "here")));
	json_decref(whole);
	free(text);
	kt_bench_report_fini(&report);
}

/* ---- For people ---------------------------------------------------------------------------- */

TEST(table_has_a_line_for_each_case_and_no_nan)
{
	struct kt_bench_report report = run("[!f]*");
	char *text = text_of(&report, kt_bench_write_table);

	for (size_t i = 0; i < 3; i++)
		EXPECT_NE(NULL, strstr(text, cases[i].name));
	EXPECT_NE(NULL, strstr(text, "500x"));
	/* Below its case: the figure, and how many times better ours is. */
	EXPECT_NE(NULL, strstr(text, "\n  p&er "));
	EXPECT_NE(NULL, strstr(text, " 0.333                 6.0x\n"));
	EXPECT_EQ(NULL, strstr(text, "nan"));
	free(text);
	kt_bench_report_fini(&report);
}

TEST(who_is_left_out_is_told_with_the_reason)
{
	struct kt_bench_report report = run_suite(&partial, NULL), whole = run("load-b");
	char *text = text_of(&report, kt_bench_write_absent);
	char *nothing = text_of(&whole, kt_bench_write_absent);

	EXPECT_STREQ("ktrust: away: left out: not installed\n", text);
	EXPECT_STREQ("", nothing);
	free(text);
	free(nothing);
	text = text_of(&report, kt_bench_write_table);
	EXPECT_NE(NULL, strstr(text, "\n  here 1.22.1 "));
	EXPECT_EQ(NULL, strstr(text, "away"));
	free(text);
	kt_bench_report_fini(&report);
	kt_bench_report_fini(&whole);
}

/*
 * Well-formed as far as our pictures go: tags match, attributes are quoted, nothing but entities
 * behind '&'. Returns how many elements of this name there are, -1: it is not well-formed.
 */
static int count_elements(const char *text, const char *name)
{
	char open[8][16];
	int depth = 0, found = 0;

	for (const char *c = text; *c; c++) {
		bool closes = c[0] == '<' && c[1] == '/';
		char tag[16] = "";

		if (*c == '&' && strncmp(c, "&amp;", 5) && strncmp(c, "&lt;", 4) &&
		    strncmp(c, "&gt;", 4))
			return -1;
		if (*c == '>')
			return -1;
		if (*c != '<')
			continue;
		sscanf(c + 1 + closes, "%15[a-z]", tag);
		if (closes && (depth == 0 || strcmp(open[--depth], tag)))
			return -1;
		found += !closes && !strcmp(tag, name);
		for (bool quoted = false; *c && (quoted || *c != '>'); c++) {
			quoted ^= *c == '"';
			if (*c == '<' && quoted)
				return -1;
		}
		if (!*c)
			return -1;
		if (!closes && c[-1] != '/') {
			if (depth == 8)
				return -1;
			strcpy(open[depth++], tag);
		}
	}
	return depth == 0 ? found : -1;
}

TEST(picture_is_well_formed_with_a_bar_for_each_figure)
{
	struct kt_bench_report report = run("[!f]*");
	char *text = text_of(&report, kt_bench_write_svg);

	/* Two, one and three figures, and the ground. */
	EXPECT_EQ(2 + 1 + 3 + 1, count_elements(text, "rect"));
	EXPECT_NE(NULL, strstr(text, "&lt;rate &amp; \"rest\"&gt;, 2 threads"));
	EXPECT_NE(NULL, strstr(text, "500 times better"));
	EXPECT_EQ(NULL, strstr(text, "nan"));
	free(text);
	kt_bench_report_fini(&report);
}

TEST(picture_check_sees_damage)
{
	EXPECT_EQ(-1, count_elements("<a><b></a></b>", "a"));
	EXPECT_EQ(-1, count_elements("<a>&</a>", "a"));
	EXPECT_EQ(-1, count_elements("<a b=\"<\"/>", "a"));
	EXPECT_EQ(-1, count_elements("<a>", "a"));
	EXPECT_EQ(2, count_elements("<a><a/></a>", "a"));
}

TEST_HARNESS_MAIN
