/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests in the manner of the kernel's kselftest_harness.h: the same macro names, KTAP on stdout.
 *
 *   TEST(name) { … }                        a test by itself
 *   FIXTURE(f) { fields };                  what the tests of a fixture share, as `self`
 *   FIXTURE_VARIANT(f) { fields };          optional: what they are repeated with, as `variant`
 *   FIXTURE_VARIANT_ADD(f, v) { values };
 *   FIXTURE_SETUP(f) { … }                  both are required
 *   FIXTURE_TEARDOWN(f) { … }
 *   TEST_F(f, name) { … }
 *   TEST_HARNESS_MAIN
 *
 * Each test runs in a process (and process group) of its own, which is killed at its time limit:
 * KT_TEST_TIMEOUT_S seconds, or what TEST_TIMEOUT and TEST_F_TIMEOUT say, multiplied by the whole
 * number in the environment's KT_TEST_TIMEOUT_SCALE. What the test prints becomes diagnostic lines.
 * It passes when it ran to its end, nothing failed, and its process then left by exit() with 0, so
 * that a leak checker at exit has its say.
 *
 * ASSERT_… ends the test when it fails (the teardown still runs, if the set-up was complete),
 * EXPECT_… goes on. Both take a block that runs on failure: EXPECT_EQ(0, rc) { TH_LOG("…"); }
 * Both may stand in any function. In another thread, or in a process that the test forked, a
 * failing ASSERT ends the whole process. SKIP(return, "why") in a set-up skips the test and its
 * teardown.
 *
 * The program exits 0 when nothing failed, else 1; also 1 when it ran no test. When all tests were
 * skipped it prints the plan `1..0 # SKIP why` and exits 0 for prove, but 4 as kselftest wants it
 * when KSFT_EXIT_SKIP is set in the environment. With KT_TEST_NAME_SKIPS set, each skipped test has
 * its own line even then. Options: -l lists the tests, -t GLOB (repeatable) runs those that match;
 * KT_TEST_WITHOUT=GLOB leaves out those that match it.
 *
 * Not for: benchmarks, tests whose processes outlive them (they are killed).
 */
#ifndef KT_SELFTESTS_HARNESS_H
#define KT_SELFTESTS_HARNESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KT_TEST_TIMEOUT_S 30

struct kt_test_variant {
	const char *name;
	const void *data;
	struct kt_test_variant *next;
};

struct kt_test_case {
	const char *name;
	unsigned int timeout_s;
	int signal; /* the signal that must end the test; 0: none */
	void (*run)(void *self, const void *variant);
	struct kt_test_case *next;
};

struct kt_test_fixture {
	const char *name; /* NULL: tests without a fixture */
	size_t self_size;
	void (*setup)(void *self, const void *variant);
	void (*teardown)(void *self, const void *variant);
	struct kt_test_variant *variants;
	struct kt_test_case *tests;
	struct kt_test_fixture *next;
};

extern struct kt_test_fixture kt_test_plain;

void kt_test_add_fixture(struct kt_test_fixture *fixture);
void kt_test_add_variant(struct kt_test_fixture *fixture, struct kt_test_variant *variant);
void kt_test_add_case(struct kt_test_fixture *fixture, struct kt_test_case *test);
int kt_test_main(int argc, char **argv);

/* An integer or a pointer, widened so that signs never mislead a comparison. */
struct kt_test_value {
	uint64_t bits;
	bool is_signed;
};

enum kt_test_op { KT_OP_EQ, KT_OP_NE, KT_OP_LT, KT_OP_LE, KT_OP_GT, KT_OP_GE };

/* Where a check stands and what it says; made by the macros. */
struct kt_test_site {
	const char *file;
	unsigned int line;
	const char *left;
	const char *right;
};

/* Each returns whether the check failed, after reporting it. */
bool kt_test_fails(const struct kt_test_site *site, struct kt_test_value left, enum kt_test_op op,
		   struct kt_test_value right);
bool kt_test_str_fails(const struct kt_test_site *site, const char *left, enum kt_test_op op,
		       const char *right);
bool kt_test_truth_fails(const struct kt_test_site *site, bool seen, bool wanted);

/* After a failed check: false, or the end of the test. */
bool kt_test_go_on(bool fatal);

void kt_test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void kt_test_log(const char *file, unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define KT_TEST_PASTE_(a, b) a##b
#define KT_TEST_PASTE(a, b)  KT_TEST_PASTE_(a, b)
#define KT_TEST_CTOR_	     static __attribute__((constructor)) void
#define KT_TEST_UNUSED_	     __attribute__((unused))

/* ---- Fixtures and tests -------------------------------------------------------------------- */

#define FIXTURE_DATA(f)	   struct f##_fixture_data
#define FIXTURE_VARIANT(f) struct f##_fixture_variant

#define FIXTURE(f)                                                                                 \
	FIXTURE_DATA(f);                                                                           \
	FIXTURE_VARIANT(f);                                                                        \
	static struct kt_test_fixture f##_fixture = {.name = #f};                                  \
	KT_TEST_CTOR_ f##_fixture_add(void)                                                        \
	{                                                                                          \
		kt_test_add_fixture(&f##_fixture);                                                 \
	}                                                                                          \
	FIXTURE_DATA(f)

#define KT_TEST_SELF_(f)                                                                           \
	FIXTURE_DATA(f) * self KT_TEST_UNUSED_, const FIXTURE_VARIANT(f) * variant KT_TEST_UNUSED_

#define KT_TEST_PHASE_(f, phase, size)                                                             \
	static void f##_fixture_##phase(KT_TEST_SELF_(f));                                         \
	static void f##_fixture_##phase##_call(void *self, const void *variant)                    \
	{                                                                                          \
		f##_fixture_##phase(self, variant);                                                \
	}                                                                                          \
	KT_TEST_CTOR_ f##_fixture_##phase##_add(void)                                              \
	{                                                                                          \
		f##_fixture.phase = f##_fixture_##phase##_call;                                    \
		f##_fixture.self_size = size;                                                      \
	}                                                                                          \
	static void f##_fixture_##phase(KT_TEST_SELF_(f))

#define FIXTURE_SETUP(f)    KT_TEST_PHASE_(f, setup, sizeof(FIXTURE_DATA(f)))
#define FIXTURE_TEARDOWN(f) KT_TEST_PHASE_(f, teardown, sizeof(FIXTURE_DATA(f)))

#define FIXTURE_VARIANT_ADD(f, v)                                                                  \
	static const FIXTURE_VARIANT(f) f##_variant_##v;                                           \
	KT_TEST_CTOR_ f##_variant_##v##_add(void)                                                  \
	{                                                                                          \
		static struct kt_test_variant made = {.name = #v, .data = &f##_variant_##v};       \
		kt_test_add_variant(&f##_fixture, &made);                                          \
	}                                                                                          \
	static const FIXTURE_VARIANT(f) f##_variant_##v =

#define KT_TEST_F_(f, test, limit_s, sig)                                                          \
	static void f##_test_##test(KT_TEST_SELF_(f));                                             \
	static void f##_test_##test##_call(void *self, const void *variant)                        \
	{                                                                                          \
		f##_test_##test(self, variant);                                                    \
	}                                                                                          \
	KT_TEST_CTOR_ f##_test_##test##_add(void)                                                  \
	{                                                                                          \
		static struct kt_test_case made = {.name = #test,                                  \
						   .timeout_s = limit_s,                           \
						   .signal = sig,                                  \
						   .run = f##_test_##test##_call};                 \
		kt_test_add_case(&f##_fixture, &made);                                             \
	}                                                                                          \
	static void f##_test_##test(KT_TEST_SELF_(f))

#define TEST_F(f, test)			  KT_TEST_F_(f, test, KT_TEST_TIMEOUT_S, 0)
#define TEST_F_TIMEOUT(f, test, limit_s)  KT_TEST_F_(f, test, limit_s, 0)
#define TEST_F_SIGNAL(f, test, signal_no) KT_TEST_F_(f, test, KT_TEST_TIMEOUT_S, signal_no)

#define KT_TEST_(test, limit_s, sig)                                                               \
	static void test_##test(void);                                                             \
	static void test_##test##_call(void *self KT_TEST_UNUSED_,                                 \
				       const void *variant KT_TEST_UNUSED_)                        \
	{                                                                                          \
		test_##test();                                                                     \
	}                                                                                          \
	KT_TEST_CTOR_ test_##test##_add(void)                                                      \
	{                                                                                          \
		static struct kt_test_case made = {.name = #test,                                  \
						   .timeout_s = limit_s,                           \
						   .signal = sig,                                  \
						   .run = test_##test##_call};                     \
		kt_test_add_case(&kt_test_plain, &made);                                           \
	}                                                                                          \
	static void test_##test(void)

#define TEST(test)		     KT_TEST_(test, KT_TEST_TIMEOUT_S, 0)
#define TEST_TIMEOUT(test, limit_s)  KT_TEST_(test, limit_s, 0)
#define TEST_SIGNAL(test, signal_no) KT_TEST_(test, KT_TEST_TIMEOUT_S, signal_no)

#define TEST_HARNESS_MAIN                                                                          \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		return kt_test_main(argc, argv);                                                   \
	}

/* ---- Checks -------------------------------------------------------------------------------- */

#define KT_TEST_SITE_(l, r)                                                                        \
	(&(const struct kt_test_site){.file = __FILE__, .line = __LINE__, .left = l, .right = r})

/* Through uintptr_t, since that takes integers (with their sign) and pointers alike. */
#define KT_TEST_VALUE_(v)                                                                          \
	((struct kt_test_value){.bits = (uint64_t)(uintptr_t)(v),                                  \
				.is_signed = (__typeof__(v))-1 < (__typeof__(v))1})

/* A loop of at most one turn, so that a block can follow. */
#define KT_TEST_LOOP_(fatal, failing)                                                              \
	for (bool KT_TEST_PASTE(kt_failed_, __LINE__) = (failing);                                 \
	     KT_TEST_PASTE(kt_failed_, __LINE__);                                                  \
	     KT_TEST_PASTE(kt_failed_, __LINE__) = kt_test_go_on(fatal))

#define KT_TEST_CHECK_(fatal, l, op, r)                                                            \
	KT_TEST_LOOP_(fatal, ({                                                                    \
			      __auto_type kt_left_ = (l);                                          \
			      __auto_type kt_right_ = (r);                                         \
			      kt_test_fails(KT_TEST_SITE_(#l, #r), KT_TEST_VALUE_(kt_left_), op,   \
					    KT_TEST_VALUE_(kt_right_));                            \
		      }))

#define KT_TEST_STR_(fatal, l, op, r)                                                              \
	KT_TEST_LOOP_(fatal, kt_test_str_fails(KT_TEST_SITE_(#l, #r), l, op, r))
#define KT_TEST_TRUTH_(fatal, seen, wanted)                                                        \
	KT_TEST_LOOP_(fatal, kt_test_truth_fails(KT_TEST_SITE_(#seen, #wanted), !!(seen), wanted))

#define ASSERT_EQ(expected, seen)    KT_TEST_CHECK_(true, expected, KT_OP_EQ, seen)
#define ASSERT_NE(expected, seen)    KT_TEST_CHECK_(true, expected, KT_OP_NE, seen)
#define ASSERT_LT(expected, seen)    KT_TEST_CHECK_(true, expected, KT_OP_LT, seen)
#define ASSERT_LE(expected, seen)    KT_TEST_CHECK_(true, expected, KT_OP_LE, seen)
#define ASSERT_GT(expected, seen)    KT_TEST_CHECK_(true, expected, KT_OP_GT, seen)
#define ASSERT_GE(expected, seen)    KT_TEST_CHECK_(true, expected, KT_OP_GE, seen)
#define ASSERT_NULL(seen)	     KT_TEST_CHECK_(true, NULL, KT_OP_EQ, seen)
#define ASSERT_TRUE(seen)	     KT_TEST_TRUTH_(true, seen, true)
#define ASSERT_FALSE(seen)	     KT_TEST_TRUTH_(true, seen, false)
#define ASSERT_STREQ(expected, seen) KT_TEST_STR_(true, expected, KT_OP_EQ, seen)
#define ASSERT_STRNE(expected, seen) KT_TEST_STR_(true, expected, KT_OP_NE, seen)

#define EXPECT_EQ(expected, seen)    KT_TEST_CHECK_(false, expected, KT_OP_EQ, seen)
#define EXPECT_NE(expected, seen)    KT_TEST_CHECK_(false, expected, KT_OP_NE, seen)
#define EXPECT_LT(expected, seen)    KT_TEST_CHECK_(false, expected, KT_OP_LT, seen)
#define EXPECT_LE(expected, seen)    KT_TEST_CHECK_(false, expected, KT_OP_LE, seen)
#define EXPECT_GT(expected, seen)    KT_TEST_CHECK_(false, expected, KT_OP_GT, seen)
#define EXPECT_GE(expected, seen)    KT_TEST_CHECK_(false, expected, KT_OP_GE, seen)
#define EXPECT_NULL(seen)	     KT_TEST_CHECK_(false, NULL, KT_OP_EQ, seen)
#define EXPECT_TRUE(seen)	     KT_TEST_TRUTH_(false, seen, true)
#define EXPECT_FALSE(seen)	     KT_TEST_TRUTH_(false, seen, false)
#define EXPECT_STREQ(expected, seen) KT_TEST_STR_(false, expected, KT_OP_EQ, seen)
#define EXPECT_STRNE(expected, seen) KT_TEST_STR_(false, expected, KT_OP_NE, seen)

#define TH_LOG(...) kt_test_log(__FILE__, __LINE__, __VA_ARGS__)

#define SKIP(statement, ...)                                                                       \
	do {                                                                                       \
		kt_test_skip(__VA_ARGS__);                                                         \
		statement;                                                                         \
	} while (0)

#endif
