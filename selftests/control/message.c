/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes through the control socket: messages, a client's exchange, values. */
#include <errno.h>

#include "fixture.h"

#define SHORT_MS 20

/* ---- Messages -------------------------------------------------------------------------------- */

TEST_F(control, a_message_arrives_as_it_was_sent)
{
	json_t *sent = json_pack("{s:s, s:I, s:[i, n, {}]}", "op", "Straße", "v", (json_int_t)1,
				 "list", -7);
	struct kt_control *client, *server;
	json_t *got;

	ASSERT_EQ(0, kt_control_accept(call_raw(self, &client), &server, &self->error));
	ASSERT_EQ(0, kt_control_send(client, sent));
	ASSERT_EQ(0, kt_control_send(client, sent)); /* two lines may come in one piece */
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, kt_control_receive(server, &got, &self->error));
		EXPECT_TRUE(json_equal(sent, got));
		json_decref(got);
	}
	json_decref(sent);
	kt_control_free(client);
	ASSERT_EQ(0, kt_control_receive(server, &got, &self->error));
	EXPECT_NULL(got);
	kt_control_free(server);
}

TEST_F(control, a_message_may_come_in_pieces)
{
	struct kt_control *server;
	int fd = serve_raw(self, &server);
	json_t *got;

	kt_control_set_timeout(server, SHORT_MS);
	say(fd, "{\"op\"");
	EXPECT_EQ(-ETIMEDOUT, kt_control_receive(server, &got, &self->error));
	say(fd, ":\"x\"}\n{");
	ASSERT_EQ(0, kt_control_receive(server, &got, &self->error));
	EXPECT_STREQ("x", json_string_value(json_object_get(got, "op")));
	json_decref(got);
	close(fd);
	kt_control_free(server);
}

TEST_F(control, what_is_no_message_is_refused)
{
	static const struct {
		const char *bytes;
		const char *text;
	} cases[] = {
		{"hello\n", "not JSON"},
		{"\n", "not JSON"},
		{"[1]\n", "not a JSON object"},
		{"{\"a\":1,\"a\":2}\n", "not JSON"},
		{"{\"a\":\"\xff\"}\n", "not JSON"},
		{"{} {}\n", "not JSON"},
		{"{\"op\":", "cut"},
		{"{\"op\":\"x\"}", "cut"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kt_control *server;
		int fd = serve_raw(self, &server);
		json_t *got = NULL;

		say(fd, cases[i].bytes);
		close(fd);
		EXPECT_EQ(-EBADMSG, kt_control_receive(server, &got, &self->error))
		{
			TH_LOG("%s", cases[i].bytes);
		}
		EXPECT_TRUE(strstr(self->error.text, cases[i].text));
		EXPECT_NULL(got);
		kt_control_free(server);
	}
}

/* Sends from a child, since one socket buffer does not hold it all. */
static pid_t send_big(int fd, size_t len, const char *end)
{
	pid_t child = fork();

	if (child == 0) {
		char *text = malloc(len);

		memset(text, ' ', len);
		text[0] = '{';
		memcpy(text + len - strlen(end), end, strlen(end));
		for (size_t sent = 0; sent < len;) {
			ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

			if (n < 0)
				break; /* refused half-way */
			sent += (size_t)n;
		}
		_exit(0);
	}
	return child;
}

TEST_F(control, the_longest_line_is_taken_and_a_longer_one_is_not)
{
	struct kt_control *server;
	int fd = serve_raw(self, &server);
	pid_t child = send_big(fd, KT_CONTROL_LINE_MAX, "}\n");
	json_t *got;

	EXPECT_EQ(0, kt_control_receive(server, &got, &self->error));
	json_decref(got);
	await(child);
	child = send_big(fd, KT_CONTROL_LINE_MAX + 1, "}\n");
	EXPECT_EQ(-EMSGSIZE, kt_control_receive(server, &got, &self->error));
	kt_control_free(server);
	close(fd);
	await(child);
}

TEST_F(control, a_message_too_long_to_send_is_refused)
{
	struct kt_control *server;
	int fd = serve_raw(self, &server);
	char *text = malloc(KT_CONTROL_LINE_MAX + 1);
	json_t *big;
	char byte;

	memset(text, 'x', KT_CONTROL_LINE_MAX);
	text[KT_CONTROL_LINE_MAX] = '\0';
	big = json_pack("{s:s}", "a", text);
	EXPECT_EQ(-EMSGSIZE, kt_control_send(server, big));
	EXPECT_EQ(-1, recv(fd, &byte, 1, MSG_DONTWAIT)); /* not even its beginning was sent */
	json_decref(big);
	free(text);
	close(fd);
	kt_control_free(server);
}

TEST_F(control, a_message_that_could_not_be_made_is_no_memory)
{
	struct kt_control *server;
	int fd = serve_raw(self, &server);

	EXPECT_EQ(-ENOMEM, kt_control_send(server, NULL));
	close(fd);
	kt_control_free(server);
}

TEST_F(control, a_silent_peer_times_out)
{
	struct kt_control *server;
	int fd = serve_raw(self, &server);
	json_t *got;

	kt_control_set_timeout(server, SHORT_MS);
	EXPECT_EQ(-ETIMEDOUT, kt_control_receive(server, &got, &self->error));
	close(fd);
	kt_control_free(server);
}

TEST_F(control, a_peer_that_does_not_read_times_out)
{
	json_t *message = json_pack("{s:s}", "a", self->path);
	struct kt_control *server;
	int fd = serve_raw(self, &server);
	int err = 0;

	kt_control_set_timeout(server, SHORT_MS);
	for (int i = 0; !err && i < 1000000; i++)
		err = kt_control_send(server, message);
	EXPECT_EQ(-ETIMEDOUT, err);
	json_decref(message);
	close(fd);
	kt_control_free(server);
}

TEST_F(control, sending_to_a_peer_that_left_is_a_broken_pipe)
{
	struct kt_control *server;
	json_t *message = json_object();

	close(serve_raw(self, &server));
	EXPECT_EQ(-EPIPE, kt_control_send(server, message));
	json_decref(message);
	kt_control_free(server);
}

/* ---- A client's exchange --------------------------------------------------------------------- */

/* What a daemon would answer waits in the socket before the client asks. */
static int call(FIXTURE_DATA(control) * self, const char *answer,
		void (*fn)(json_t *item, void *arg), void *arg, json_t **ret_result)
{
	struct kt_control *client;
	int err, fd = call_raw(self, &client);

	say(fd, answer);
	shutdown(fd, SHUT_WR);
	err = kt_control_call(client, json_pack("{s:s}", "op", "x"), fn, arg, ret_result,
			      &self->error);
	close(fd);
	kt_control_free(client);
	return err;
}

static void append(json_t *item, void *arg)
{
	json_array_append(arg, item);
}

TEST_F(control, a_call_hands_over_items_then_the_result)
{
	json_t *items = json_array(), *result = NULL;

	ASSERT_EQ(0, call(self,
			  "{\"item\":{\"n\":1}}\n{\"item\":{\"n\":2}}\n"
			  "{\"ok\":true,\"result\":{\"count\":2}}\n",
			  append, items, &result));
	ASSERT_EQ(2, json_array_size(items));
	EXPECT_EQ(2, json_integer_value(json_object_get(json_array_get(items, 1), "n")));
	EXPECT_EQ(2, json_integer_value(json_object_get(result, "count")));
	json_decref(items);
	json_decref(result);
}

TEST_F(control, items_nobody_asked_for_are_passed_over)
{
	json_t *result = NULL;

	ASSERT_EQ(0,
		  call(self, "{\"item\":1}\n{\"ok\":true,\"result\":{}}\n", NULL, NULL, &result));
	json_decref(result);
}

TEST_F(control, a_call_carries_the_protocols_version)
{
	struct kt_control *client, *server;
	json_t *got, *result;
	int fd = call_raw(self, &client);

	say(fd, "{\"ok\":true,\"result\":{}}\n");
	ASSERT_EQ(0, kt_control_call(client, json_pack("{s:s}", "op", "x"), NULL, NULL, &result,
				     &self->error));
	json_decref(result);
	ASSERT_EQ(0, kt_control_accept(fd, &server, &self->error));
	ASSERT_EQ(0, kt_control_receive(server, &got, &self->error));
	EXPECT_EQ(KT_CONTROL_VERSION, json_integer_value(json_object_get(got, "v")));
	EXPECT_STREQ("x", json_string_value(json_object_get(got, "op")));
	json_decref(got);
	kt_control_free(server);
	kt_control_free(client);
}

TEST_F(control, a_refusal_carries_errno_place_line_and_text)
{
	struct kt_error why;
	json_t *result = NULL, *failed;
	char *text, line[512];

	kt_error_set(&why, ENODATA, "/etc/pool.pem", 17, "no certificate");
	failed = kt_control_failed(KT_CONTROL_REFUSED, &why);
	text = json_dumps(failed, JSON_COMPACT);
	snprintf(line, sizeof line, "%s\n", text);
	EXPECT_EQ(KT_CONTROL_REFUSED, call(self, line, NULL, NULL, &result));
	EXPECT_NULL(result);
	EXPECT_EQ(ENODATA, self->error.err);
	EXPECT_EQ(17, self->error.line);
	EXPECT_STREQ("/etc/pool.pem", self->error.where);
	EXPECT_STREQ("no certificate", self->error.text);
	free(text);
	json_decref(failed);
}

TEST_F(control, a_request_without_sense_is_told_from_one_that_failed)
{
	json_t *result = NULL;

	EXPECT_EQ(KT_CONTROL_MISUSED,
		  call(self,
		       "{\"ok\":false,\"error\":{\"kind\":\"usage\",\"errno\":2,\"where\":\"w\","
		       "\"line\":0,\"text\":\"t\"}}\n",
		       NULL, NULL, &result));
	EXPECT_NULL(result);
	EXPECT_EQ(ENOENT, self->error.err);
}

TEST_F(control, what_is_no_reply_is_a_protocol_error)
{
	static const char *const cases[] = {
		"{}\n",
		"{\"ok\":true}\n",
		"{\"ok\":false}\n",
		("{\"ok\":false,\"error\":{\"kind\":\"refused\",\"errno\":0,\"where\":\"\","
		 "\"line\":0,\"text\":\"\"}}\n"),
		"{\"ok\":false,\"error\":{\"kind\":\"refused\",\"errno\":\"x\"}}\n",
		"{\"ok\":false,\"error\":{\"errno\":2,\"where\":\"\",\"line\":0,\"text\":\"\"}}\n",
		"{\"result\":{}}\n",
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		json_t *result = NULL;

		EXPECT_EQ(-EPROTO, call(self, cases[i], NULL, NULL, &result))
		{
			TH_LOG("%s", cases[i]);
		}
		EXPECT_NULL(result);
	}
}

TEST_F(control, a_daemon_that_leaves_early_is_named)
{
	json_t *result = NULL;

	EXPECT_EQ(-ECONNRESET, call(self, "", NULL, NULL, &result));
	EXPECT_TRUE(strstr(self->error.text, "without an answer"));
	EXPECT_EQ(-ECONNRESET, call(self, "{\"item\":{}}\n", NULL, NULL, &result));
	EXPECT_EQ(-EBADMSG, call(self, "{\"item\":{}}\n{\"ok\":tr", NULL, NULL, &result));
	EXPECT_NULL(result);
}

TEST_F(control, what_a_daemon_said_before_it_left_is_heard)
{
	struct kt_control *client;
	json_t *result = NULL;
	int fd = call_raw(self, &client);

	say(fd, "{\"ok\":false,\"error\":{\"kind\":\"refused\",\"errno\":16,\"where\":\"w\","
		"\"line\":0,\"text\":\"t\"}}\n");
	close(fd); /* so that the request meets a broken pipe */
	EXPECT_EQ(KT_CONTROL_REFUSED,
		  kt_control_call(client, json_object(), NULL, NULL, &result, &self->error));
	EXPECT_EQ(EBUSY, self->error.err);
	kt_control_free(client);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void expect_json(const char *expected, json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	EXPECT_STREQ(expected, text);
	free(text);
	json_decref(value);
}

TEST(text_from_outside_becomes_utf8)
{
	char cut[2 * KT_JSON_TEXT_MAX];
	json_t *value;

	expect_json("\"plain Straße\"", kt_json_text("plain Straße"));
	expect_json("\"Stra??e \\\" ?\"", kt_json_text("Straße \" \xff"));
	expect_json("null", kt_json_text(NULL));
	memset(cut, 'x', sizeof cut);
	cut[sizeof cut - 2] = '\xff';
	cut[sizeof cut - 1] = '\0';
	value = kt_json_text(cut);
	EXPECT_EQ(KT_JSON_TEXT_MAX, json_string_length(value));
	json_decref(value);
}

TEST(digests_are_hex_and_none_is_null)
{
	static const uint8_t some[3] = {0, 0xab, 0x01}, none[3];

	expect_json("\"00ab01\"", kt_json_digest(some, sizeof some));
	expect_json("null", kt_json_digest(none, sizeof none));
}

TEST(times_are_rfc_3339)
{
	expect_json("\"1970-01-01T00:00:00.000000000Z\"", kt_json_time(0));
	expect_json("\"2026-01-31T12:00:00.000000042Z\"", kt_json_time(1769860800000000042u));
	expect_json("\"2554-07-21T23:34:33.709551615Z\"", kt_json_time(UINT64_MAX));
}

/* A certificate that never expires says 9999, which nanoseconds in 64 bits cannot hold. */
TEST(dates_reach_as_far_as_certificates_do)
{
	expect_json("\"9999-12-31T23:59:59Z\"", kt_json_date(253402300799));
	expect_json("\"1950-01-01T00:00:00Z\"", kt_json_date(-631152000));
	expect_json("null", kt_json_date(253402300800));
	expect_json("null", kt_json_date(INT64_MIN));
}

TEST_HARNESS_MAIN
