/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks a test makes, in the test's process and in any thread or child of it. */
#include "harness_state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One write a line: threads and processes of a test share the pipe. */
static void report(const struct kt_test_site *site, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void report(const struct kt_test_site *site, const char *fmt, ...)
{
	char text[1024];
	int saved_errno = errno;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	dprintf(STDERR_FILENO, "%s:%u: %s\n", site->file, site->line, text);
	errno = saved_errno;
}

static void fail(void)
{
	atomic_store(&kt_test_shared->failed, true);
}

static bool less(struct kt_test_value left, struct kt_test_value right)
{
	bool left_negative = left.is_signed && (int64_t)left.bits < 0;
	bool right_negative = right.is_signed && (int64_t)right.bits < 0;

	if (left_negative != right_negative)
		return left_negative;
	return left.bits < right.bits;
}

static const char *const op_text[] = {"==", "!=", "<", "<=", ">", ">="};

static bool holds(bool is_less, bool is_greater, enum kt_test_op op)
{
	switch (op) {
	case KT_OP_EQ:
		return !is_less && !is_greater;
	case KT_OP_NE:
		return is_less || is_greater;
	case KT_OP_LT:
		return is_less;
	case KT_OP_LE:
		return !is_greater;
	case KT_OP_GT:
		return is_greater;
	case KT_OP_GE:
		return !is_less;
	}
	return false;
}

static const char *format_value(struct kt_test_value value, char *buf, size_t size)
{
	if (value.is_signed && (int64_t)value.bits < 0)
		snprintf(buf, size, "%lld", (long long)value.bits);
	else
		snprintf(buf, size, "%llu (%#llx)", (unsigned long long)value.bits,
			 (unsigned long long)value.bits);
	return buf;
}

bool kt_test_fails(const struct kt_test_site *site, struct kt_test_value left, enum kt_test_op op,
		   struct kt_test_value right)
{
	char left_text[64], right_text[64];

	if (holds(less(left, right), less(right, left), op))
		return false;
	fail();
	report(site, "%s %s %s does not hold: left %s, right %s", site->left, op_text[op],
	       site->right, format_value(left, left_text, sizeof left_text),
	       format_value(right, right_text, sizeof right_text));
	return true;
}

bool kt_test_str_fails(const struct kt_test_site *site, const char *left, enum kt_test_op op,
		       const char *right)
{
	bool equal = left == right || (left && right && !strcmp(left, right));

	if (equal == (op == KT_OP_EQ))
		return false;
	fail();
	report(site, "%s %s %s does not hold:", site->left, op_text[op], site->right);
	report(site, "  left  \"%.900s\"", left ? left : "(null)");
	report(site, "  right \"%.900s\"", right ? right : "(null)");
	return true;
}

bool kt_test_truth_fails(const struct kt_test_site *site, bool seen, bool wanted)
{
	if (seen == wanted)
		return false;
	fail();
	report(site, "%s is %s, not %s", site->left, seen ? "true" : "false", site->right);
	return true;
}

bool kt_test_go_on(bool fatal)
{
	if (!fatal)
		return false;
	if (getpid() != kt_test_pid || syscall(SYS_gettid) != kt_test_pid)
		_exit(EXIT_FAILURE);
	longjmp(kt_test_end, 1);
}

void kt_test_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(kt_test_shared->reason, sizeof kt_test_shared->reason, fmt, args);
	va_end(args);
	atomic_store(&kt_test_shared->skipped, true);
}

void kt_test_log(const char *file, unsigned int line, const char *fmt, ...)
{
	struct kt_test_site site = {.file = file, .line = line};
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	report(&site, "%s", text);
}
