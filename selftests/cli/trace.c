/* SPDX-License-Identifier: BSD-2-Clause */
/* The verb `ktrust trace`, in a process of its own, following the program `fire`. */
#include "../../src/cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../harness.h"
#include "../trace/support.h"

#define MAX_ARGS 16

FIXTURE(verb)
{
	struct kt_test_fire fire;
	pid_t pid;
	FILE *out;
	FILE *err;
	char line[4096];
};

FIXTURE_SETUP(verb)
{
	const char *why = kt_test_no_tracing();

	if (why)
		SKIP(return, "%s", why);
	kt_test_fire_start(&self->fire, kt_test_fire_path());
}

FIXTURE_TEARDOWN(verb)
{
	if (self->out)
		fclose(self->out);
	if (self->err)
		fclose(self->err);
	kt_test_fire_stop(&self->fire);
}

/* Arguments behind `ktrust trace`, ended by NULL. */
static void start(FIXTURE_DATA(verb) * self, char *const args[])
{
	char *argv[MAX_ARGS] = {"ktrust trace"};
	int out[2], err[2], argc = 1;

	for (; args[argc - 1]; argc++)
		argv[argc] = args[argc - 1];
	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(err, O_CLOEXEC));
	self->pid = fork();
	ASSERT_GE(self->pid, 0);
	if (!self->pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		argp_err_exit_status = KT_EXIT_TROUBLE;
		exit(kt_cli_trace(argc, argv));
	}
	close(out[1]);
	close(err[1]);
	self->out = fdopen(out[0], "r");
	self->err = fdopen(err[0], "r");
}

#define START(...) start(self, (char *const[]){__VA_ARGS__, NULL})

static const char *next(FIXTURE_DATA(verb) * self, FILE *file)
{
	if (!fgets(self->line, sizeof self->line, file))
		return "";
	self->line[strcspn(self->line, "\n")] = '\0';
	return self->line;
}

/* The first line of standard error with text in it; those before it are passed over. */
static const char *find(FIXTURE_DATA(verb) * self, const char *text)
{
	while (*next(self, self->err))
		if (strstr(self->line, text))
			return self->line;
	return "";
}

static void wait_for_tracing(FIXTURE_DATA(verb) * self)
{
	EXPECT_TRUE(strstr(find(self, "tracing "), kt_test_fire_path()));
}

static int finish(FIXTURE_DATA(verb) * self)
{
	int status;

	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static json_t *next_object(FIXTURE_DATA(verb) * self)
{
	json_t *object = json_loads(next(self, self->out), 0, NULL);

	ASSERT_TRUE(object)
	{
		TH_LOG("%s", self->line);
	}
	return object;
}

static const char *member(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static char *path(void)
{
	return (char *)kt_test_fire_path();
}

static struct kt_fire handshake(void)
{
	struct kt_fire fire = {.what = KT_FIRE_HANDSHAKE, .times = 1};

	fire.handshake.conn = 1;
	fire.handshake.pool_version = 3;
	strcpy(fire.handshake.outcome, "accepted");
	strcpy(fire.handshake.pool, "clients");
	fire.handshake.accepted = 1;
	return fire;
}

TEST_F(verb, json_begins_with_attached_and_ends_with_the_summary)
{
	struct kt_fire fires[] = {handshake(), kt_test_publish(1), kt_test_conn_end(2)};
	json_t *object;

	START("--binary", path(), "--json", "--summary", "--count", "3");
	object = next_object(self);
	EXPECT_STREQ("attached", member(object, "event"));
	EXPECT_STREQ(path(), member(object, "binary"));
	EXPECT_TRUE(json_is_array(json_object_get(object, "missing")));
	json_decref(object);
	wait_for_tracing(self);
	for (size_t i = 0; i < 3; i++)
		kt_test_fire_do(&self->fire, &fires[i]);
	for (size_t i = 0; i < 3; i++) {
		static const char *const events[] = {"handshake", "publish", "end"};

		object = next_object(self);
		EXPECT_STREQ(events[i], member(object, "event"));
		EXPECT_EQ(self->fire.pid, json_integer_value(json_object_get(object, "pid")));
		json_decref(object);
	}
	object = next_object(self);
	EXPECT_STREQ("summary", member(object, "event"));
	EXPECT_EQ(1, json_integer_value(json_object_get(object, "handshakes")));
	EXPECT_EQ(1, json_integer_value(json_object_get(object, "publications")));
	EXPECT_EQ(1, json_integer_value(json_object_get(object, "ends")));
	EXPECT_EQ(0, json_integer_value(json_object_get(object, "lost")));
	json_decref(object);
	EXPECT_STREQ("", next(self, self->out));
	EXPECT_STREQ("traced 3 events, 0 lost, 0 unreadable", find(self, "traced "));
	EXPECT_EQ(0, finish(self));
}

TEST_F(verb, text_has_a_line_an_event)
{
	struct kt_fire fire = handshake();

	START("--binary", path(), "--count", "1");
	wait_for_tracing(self);
	kt_test_fire_do(&self->fire, &fire);
	EXPECT_TRUE(strstr(next(self, self->out), " handshake conn=1 outcome=accepted "));
	EXPECT_TRUE(strstr(self->line, " pool=clients version=3 "));
	EXPECT_EQ(0, finish(self));
}

TEST_F(verb, a_line_can_be_read_before_the_end)
{
	struct kt_fire fire = handshake();

	START("--binary", path());
	wait_for_tracing(self);
	for (int i = 0; i < 3; i++) {
		kt_test_fire_do(&self->fire, &fire);
		EXPECT_TRUE(strstr(next(self, self->out), " handshake "));
	}
	kill(self->pid, SIGINT);
	EXPECT_EQ(0, finish(self));
}

TEST_F(verb, a_signal_ends_it_with_what_was_seen_until_then)
{
	struct kt_fire fire = handshake();

	fire.times = 500;
	START("--binary", path(), "--summary");
	wait_for_tracing(self);
	kt_test_fire_do(&self->fire, &fire);
	kill(self->pid, SIGTERM);
	for (int i = 0; i < 500; i++)
		ASSERT_TRUE(strstr(next(self, self->out), " handshake "));
	EXPECT_STREQ("handshakes 500", next(self, self->out));
	EXPECT_TRUE(*find(self, "traced 500 events, 0 lost"));
	EXPECT_EQ(0, finish(self));
}

TEST_F(verb, only_what_was_asked_for_is_shown)
{
	struct kt_fire fires[] = {handshake(), kt_test_reclaim(2), kt_test_publish(1)};

	START("--binary", path(), "--only", "publish,reclaim", "--json");
	json_decref(next_object(self));
	wait_for_tracing(self);
	for (size_t i = 0; i < 3; i++)
		kt_test_fire_do(&self->fire, &fires[i]);
	kill(self->pid, SIGTERM);
	EXPECT_EQ(0, strncmp("{\"event\":\"reclaim\",", next(self, self->out), 19));
	EXPECT_EQ(0, strncmp("{\"event\":\"publish\",", next(self, self->out), 19));
	EXPECT_STREQ("", next(self, self->out));
	EXPECT_EQ(0, finish(self));
}

TEST_F(verb, losses_are_told_on_both_ways)
{
	struct kt_fire fire = handshake();
	uint64_t shown = 0;
	json_t *object;

	/* It reads as it is told to go on, so that the buffer is surely full before. */
	START("--binary", path(), "--json", "--summary", "--buffer", "4096");
	json_decref(next_object(self));
	wait_for_tracing(self);
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, WUNTRACED));
	fire.times = 100;
	kt_test_fire_do(&self->fire, &fire);
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	for (object = next_object(self); !strcmp(member(object, "event"), "handshake");
	     object = next_object(self)) {
		json_decref(object);
		shown++;
	}
	EXPECT_STREQ("lost", member(object, "event"));
	EXPECT_EQ(100 - shown, json_integer_value(json_object_get(object, "lost")));
	json_decref(object);
	kill(self->pid, SIGTERM);
	object = next_object(self);
	EXPECT_STREQ("summary", member(object, "event"));
	EXPECT_EQ(100 - shown, json_integer_value(json_object_get(object, "lost")));
	json_decref(object);
	EXPECT_TRUE(strstr(find(self, "events lost"), "--buffer"));
	EXPECT_EQ(0, finish(self));
}

TEST_F(verb, the_time_can_be_bounded)
{
	START("--binary", path(), "--duration", "0.05");
	EXPECT_STREQ("", next(self, self->out));
	EXPECT_EQ(0, finish(self));
}

TEST_F(verb, too_few_lines_in_time_is_a_no)
{
	START("--binary", path(), "--duration", "0.05", "--count", "1");
	EXPECT_EQ(1, finish(self));
}

TEST_F(verb, a_process_by_its_number_names_its_file)
{
	struct kt_fire fire = handshake();
	char pid[16];

	snprintf(pid, sizeof pid, "%d", (int)self->fire.pid);
	START("--pid", pid, "--count", "1");
	wait_for_tracing(self);
	kt_test_fire_do(&self->fire, &fire);
	EXPECT_TRUE(strstr(next(self, self->out), " handshake "));
	EXPECT_EQ(0, finish(self));
}

TEST_F(verb, what_cannot_be_attached_is_trouble)
{
	START("--binary", "/bin/true");
	EXPECT_TRUE(strstr(next(self, self->err), "ktrust: trace: /bin/true: has none"));
	EXPECT_EQ(2, finish(self));
}

/* ---- Usage ----------------------------------------------------------------------------------- */

FIXTURE(usage)
{
	FIXTURE_DATA(verb) verb;
};

FIXTURE_VARIANT(usage)
{
	const char *option;
	const char *value;
	const char *complaint;
};

#define WRONG(name, ...)                                                                           \
	FIXTURE_VARIANT_ADD(usage, name)                                                           \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

WRONG(pid_zero, "--pid", "0", "--pid '0'");
WRONG(pid_word, "--pid", "x", "--pid 'x'");
WRONG(pid_too_large, "--pid", "4294967297", "--pid");
WRONG(count_negative, "--count", "-1", "--count '-1'");
WRONG(count_with_a_tail, "--count", "1x", "--count '1x'");
WRONG(count_beyond_64_bits, "--count", "99999999999999999999", "--count");
WRONG(duration_zero, "--duration", "0", "--duration '0'");
WRONG(duration_not_a_number, "--duration", "nan", "--duration 'nan'");
WRONG(buffer_too_large, "--buffer", "1099511627776", "--buffer");
WRONG(only_unknown, "--only", "handshake,x", "--only 'handshake,x'");
WRONG(only_empty, "--only", "", "--only ''");
WRONG(only_cut, "--only", "handshake,", "--only 'handshake,'");
WRONG(binary_empty, "--binary", "", "--binary ''");
WRONG(option_unknown, "--frobnicate", "x", "frobnicate");
WRONG(argument, "--json", "x", "rguments");

FIXTURE_SETUP(usage)
{
}

FIXTURE_TEARDOWN(usage)
{
	fclose(self->verb.out);
	fclose(self->verb.err);
}

TEST_F(usage, is_refused)
{
	start(&self->verb, (char *const[]){(char *)variant->option, (char *)variant->value, NULL});
	EXPECT_TRUE(*find(&self->verb, variant->complaint));
	EXPECT_EQ(2, finish(&self->verb));
}

TEST_HARNESS_MAIN
