/* SPDX-License-Identifier: BSD-2-Clause */
/* Events into lines, with contents made here: no kernel takes part. */
#include "../../src/cli/trace.h"

#include <stdlib.h>

#include <jansson.h>

#include "../harness.h"

FIXTURE(output)
{
	struct kt_event_header header;
	struct kt_probe_handshake handshake;
	struct kt_probe_conn_end conn_end;
	struct kt_probe_publish publish;
	struct kt_probe_reclaim reclaim;
	struct kt_probe_refuse refuse;
	struct kt_event_conn socket_end;
	struct kt_trace_event event;
	char *text;
	size_t len;
	FILE *file;
};

FIXTURE_SETUP(output)
{
	self->header =
		(struct kt_event_header){.ktime_ns = 5000000000, .pid = 11, .tid = 12, .cpu = 1};
	self->handshake = (struct kt_probe_handshake){
		.conn = 3,
		.cookie = 4097,
		.start_ns = 4999000000,
		.handshake_ns = 1234567,
		.verify_ns = 250100,
		.pool_version = 7,
		.worker = 1,
		.protocol = 0x0304,
		.cipher = 0x1301,
		.peer_port = 40000,
		.peer_family = 4,
		.ktls = KT_PROBE_KTLS_TX | KT_PROBE_KTLS_RX,
		.accepted = 1,
		.peer_addr = {192, 0, 2, 1},
		.anchor = {0xde, 0xad, 0xbe, 0xef, [31] = 0x01},
		.outcome = "accepted",
		.pool = "clients",
		.listener = "edge",
		.anchor_name = "CN=Root A",
		.peer = "spiffe://example/web",
		.sni = "api.example",
	};
	self->event = (struct kt_trace_event){
		.kind = KT_EVENT_HANDSHAKE,
		.time_ns = 1700000000123456789,
		.header = &self->header,
		.handshake = &self->handshake,
		.kernel = KT_TRACE_KERNEL_AGREES,
		.kernel_ktls = KT_PROBE_KTLS_TX | KT_PROBE_KTLS_RX,
	};
	self->file = open_memstream(&self->text, &self->len);
	ASSERT_TRUE(self->file);
}

FIXTURE_TEARDOWN(output)
{
	fclose(self->file);
	free(self->text);
}

static const char *line(FIXTURE_DATA(output) * self, const struct kt_cli_trace_output *output)
{
	rewind(self->file);
	output->event(self->file, &self->event);
	fflush(self->file);
	self->text[self->len] = '\0';
	return self->text;
}

static const char *text(FIXTURE_DATA(output) * self)
{
	return line(self, &kt_cli_trace_text);
}

static const char *json(FIXTURE_DATA(output) * self)
{
	return line(self, &kt_cli_trace_json);
}

static void become_conn_end(FIXTURE_DATA(output) * self)
{
	self->conn_end = (struct kt_probe_conn_end){
		.conn = 3,
		.cookie = 4097,
		.pool_version = 7,
		.age_ns = 2500000000,
		.bytes_in = 100,
		.bytes_out = 2000,
		.reason = "closed",
		.pool = "clients",
	};
	self->event.kind = KT_EVENT_CONN_END;
	self->event.conn_end = &self->conn_end;
}

static void become_socket_end(FIXTURE_DATA(output) * self)
{
	self->socket_end = (struct kt_event_conn){
		.conn = 3,
		.cookie = 4097,
		.start_ns = 4000000000,
		.pool_version = 7,
		.pool = "clients",
	};
	self->event.kind = KT_EVENT_SOCKET_END;
	self->event.socket_end = &self->socket_end;
}

static void become_publish(FIXTURE_DATA(output) * self)
{
	self->publish = (struct kt_probe_publish){
		.old_version = 6,
		.new_version = 7,
		.anchors = 2,
		.added = 1,
		.removed = 3,
		.digest = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef},
		.pool = "clients",
		.source = "file:/etc/ca s.pem",
	};
	self->event.kind = KT_EVENT_PUBLISH;
	self->event.publish = &self->publish;
}

/* ---- Text ------------------------------------------------------------------------------------ */

#define TIME "2023-11-14T22:13:20.123456789Z "

TEST_F(output, text_of_a_handshake)
{
	EXPECT_STREQ(TIME "handshake conn=3 outcome=accepted from=192.0.2.1:40000 "
			  "peer=spiffe://example/web sni=api.example pool=clients version=7 "
			  "anchor=\"CN=Root A\"/deadbeef protocol=TLSv1.3 "
			  "cipher=TLS_AES_128_GCM_SHA256 ktls=tx,rx handshake=1.23ms "
			  "verify=250.1us\n",
		     text(self));
}

TEST_F(output, text_of_a_refused_handshake_leaves_out_what_is_not_known)
{
	self->handshake = (struct kt_probe_handshake){
		.conn = 4,
		.peer_family = 6,
		.peer_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1},
		.peer_port = 1,
		.handshake_ns = 1500000000,
		.outcome = "not_tls",
	};
	self->event.kernel = KT_TRACE_KERNEL_UNKNOWN;
	EXPECT_STREQ(TIME "handshake conn=4 outcome=not_tls from=[2001:db8::1]:1 ktls=none "
			  "handshake=1.500s\n",
		     text(self));
}

TEST_F(output, text_of_claims_that_the_kernel_was_not_asked_about)
{
	self->event.kernel = KT_TRACE_KERNEL_UNKNOWN;
	EXPECT_TRUE(strstr(text(self), " ktls=tx,rx? "));
}

TEST_F(output, text_of_claims_that_the_kernel_denies)
{
	self->event.kernel = KT_TRACE_KERNEL_DIFFERS;
	self->event.kernel_ktls = KT_PROBE_KTLS_TX;
	EXPECT_TRUE(strstr(text(self), " ktls=tx,rx!tx "));
}

TEST_F(output, text_of_values_without_a_name)
{
	self->handshake.protocol = 0x0305;
	self->handshake.cipher = 0xabcd;
	self->handshake.peer_family = 0;
	EXPECT_TRUE(strstr(text(self), " protocol=0x0305 cipher=0xabcd "));
	EXPECT_TRUE(strstr(text(self), " from=local "));
}

TEST_F(output, text_of_an_end)
{
	become_conn_end(self);
	EXPECT_STREQ(TIME "end conn=3 reason=closed pool=clients version=7 age=2.500s in=100 "
			  "out=2000\n",
		     text(self));
}

TEST_F(output, text_of_an_end_that_only_the_kernel_saw)
{
	become_socket_end(self);
	EXPECT_STREQ(TIME "end conn=3 reason=socket_closed pool=clients version=7 age=1.000s "
			  "seen_by=kernel\n",
		     text(self));
}

TEST_F(output, text_of_a_publication)
{
	become_publish(self);
	EXPECT_STREQ(TIME "publish pool=clients version=6->7 anchors=2 +1 -3 "
			  "digest=0123456789abcdef source=\"file:/etc/ca s.pem\"\n",
		     text(self));
}

TEST_F(output, text_of_a_reclaim)
{
	self->reclaim = (struct kt_probe_reclaim){.version = 6, .pool = "clients"};
	self->event.kind = KT_EVENT_RECLAIM;
	self->event.reclaim = &self->reclaim;
	EXPECT_STREQ(TIME "reclaim pool=clients version=6\n", text(self));
}

TEST_F(output, text_of_a_refusal)
{
	self->refuse = (struct kt_probe_refuse){.version = 6,
						.err = 1,
						.pool = "clients",
						.source = "file:/a.pem",
						.why = "clients: too few"};
	self->event.kind = KT_EVENT_REFUSE;
	self->event.refuse = &self->refuse;
	EXPECT_STREQ(TIME
		     "refuse pool=clients version=6 source=file:/a.pem why=\"clients: too few\"\n",
		     text(self));
}

TEST_F(output, text_lets_no_name_break_out_of_its_place)
{
	strcpy(self->handshake.peer, "a\nb\x1b[2J\" outcome=accepted \\");
	strcpy(self->handshake.outcome, "x\ty");
	EXPECT_TRUE(
		strstr(text(self), " peer=\"a\\x0ab\\x1b[2J\\x22 outcome=accepted \\x5c\" sni="));
	EXPECT_TRUE(strstr(self->text, " outcome=\"x\\x09y\" "));
	EXPECT_EQ(self->len - 1, (size_t)(strchr(self->text, '\n') - self->text));
}

TEST_F(output, text_has_room_for_the_longest_names)
{
	memset(self->handshake.peer, '\x01', sizeof self->handshake.peer - 1);
	text(self);
	/* 127 bytes of 4 characters each, whole. */
	EXPECT_EQ(4 * 127, strcspn(strstr(self->text, "peer=\"") + 6, "\""));
}

/* ---- Escaping -------------------------------------------------------------------------------- */

static const char *escaped(const char *in)
{
	static char buf[256];

	return kt_cli_escape(in, buf, sizeof buf);
}

TEST(escape_keeps_printable_utf8)
{
	EXPECT_STREQ("F\xc5\x91tan\xc3\xbas\xc3\xadtv\xc3\xa1ny \xf0\x9f\x98\x80",
		     escaped("F\xc5\x91tan\xc3\xbas\xc3\xadtv\xc3\xa1ny \xf0\x9f\x98\x80"));
}

TEST(escape_takes_controls_and_what_is_not_seen)
{
	EXPECT_STREQ("\\x01\\x7f", escaped("\x01\x7f"));
	EXPECT_STREQ("\\xc2\\x9b", escaped("\xc2\x9b"));	  /* CSI */
	EXPECT_STREQ("\\xe2\\x80\\xae", escaped("\xe2\x80\xae")); /* right to left */
	EXPECT_STREQ("\\xe2\\x80\\xa8", escaped("\xe2\x80\xa8")); /* line separator */
	EXPECT_STREQ("\\xef\\xbb\\xbf", escaped("\xef\xbb\xbf")); /* byte order mark */
}

TEST(escape_takes_what_is_no_utf8)
{
	EXPECT_STREQ("\\xff", escaped("\xff"));
	EXPECT_STREQ("\\x80", escaped("\x80"));
	EXPECT_STREQ("\\xc5", escaped("\xc5")); /* cut */
	EXPECT_STREQ("\\xc5x", escaped("\xc5x"));
	EXPECT_STREQ("\\xc0\\xaf", escaped("\xc0\xaf")); /* overlong */
	EXPECT_STREQ("\\xe0\\x80\\xaf", escaped("\xe0\x80\xaf"));
	EXPECT_STREQ("\\xed\\xa0\\x80", escaped("\xed\xa0\x80")); /* surrogate */
	EXPECT_STREQ("\\xf4\\x90\\x80\\x80", escaped("\xf4\x90\x80\x80"));
}

TEST(escape_cuts_between_characters)
{
	char buf[8];

	EXPECT_STREQ("abc", kt_cli_escape("abc\xc5\x91\xc5\x91\xc5\x91", buf, 5));
	EXPECT_STREQ("\\x01", kt_cli_escape("\x01\x02", buf, sizeof buf));
}

/* ---- JSON ------------------------------------------------------------------------------------ */

#define HEAD(event)                                                                                \
	"{\"event\":\"" event "\",\"time\":\"2023-11-14T22:13:20.123456789Z\","                    \
	"\"ktime_ns\":5000000000,\"pid\":11,\"tid\":12,\"cpu\":1,"

TEST_F(output, json_of_a_handshake)
{
	EXPECT_STREQ(
		HEAD("handshake") "\"conn\":3,\"cookie\":4097,\"accepted\":true,\"outcome\":"
				  "\"accepted\","
				  "\"pool\":\"clients\",\"pool_version\":7,\"anchor_name\":\"CN="
				  "Root A\","
				  "\"anchor\":"
				  "\"deadbeef000000000000000000000000000000000000000000000000000000"
				  "01"
				  "\",\"role\":\"client\",\"peer_addr\":\"192.0.2.1:40000\","
				  "\"peer\":\"spiffe://"
				  "example/web\","
				  "\"sni\":\"api.example\",\"listener\":\"edge\",\"worker\":1,"
				  "\"protocol\":\"TLSv1.3\",\"cipher\":\"TLS_AES_128_GCM_SHA256\","
				  "\"ktls_tx\":true,\"ktls_rx\":true,\"kernel\":\"agrees\","
				  "\"kernel_tx\":true,"
				  "\"kernel_rx\":true,\"start_ktime_ns\":4999000000,\"handshake_"
				  "ns\":1234567,"
				  "\"verify_ns\":250100}\n",
		json(self));
}

TEST_F(output, handshake_of_an_origin_says_that_the_peer_is_a_server)
{
	self->handshake.peer_is_server = 1;
	EXPECT_TRUE(strstr(json(self), "\"role\":\"server\""));
	EXPECT_TRUE(strstr(text(self), " to=192.0.2.1:40000 "));
	EXPECT_FALSE(strstr(text(self), " from="));
}

TEST_F(output, json_of_a_refused_handshake_has_null_for_what_is_not_known)
{
	self->handshake = (struct kt_probe_handshake){.conn = 4, .outcome = "not_tls"};
	self->event.kernel = KT_TRACE_KERNEL_UNKNOWN;
	EXPECT_STREQ(
		HEAD("handshake") "\"conn\":4,\"cookie\":0,\"accepted\":false,\"outcome\":\"not_"
				  "tls\","
				  "\"pool\":null,\"pool_version\":null,\"anchor_name\":null,"
				  "\"anchor\":null,"
				  "\"role\":\"client\",\"peer_addr\":null,\"peer\":null,\"sni\":"
				  "null,\"listener\":null,"
				  "\"worker\":0,\"protocol\":null,\"cipher\":null,\"ktls_tx\":"
				  "false,"
				  "\"ktls_rx\":false,\"kernel\":\"unknown\",\"kernel_tx\":null,"
				  "\"kernel_rx\":null,\"start_ktime_ns\":0,\"handshake_ns\":0,"
				  "\"verify_ns\":0}\n",
		json(self));
}

TEST_F(output, json_of_claims_that_the_kernel_denies)
{
	self->event.kernel = KT_TRACE_KERNEL_DIFFERS;
	self->event.kernel_ktls = KT_PROBE_KTLS_RX;
	EXPECT_TRUE(strstr(json(self), "\"ktls_tx\":true,\"ktls_rx\":true,\"kernel\":\"differs\","
				       "\"kernel_tx\":false,\"kernel_rx\":true,"));
}

TEST_F(output, json_of_an_end)
{
	become_conn_end(self);
	EXPECT_STREQ(HEAD("end") "\"conn\":3,\"cookie\":4097,\"reason\":\"closed\","
				 "\"pool\":\"clients\",\"pool_version\":7,\"age_ns\":2500000000,"
				 "\"bytes_in\":100,\"bytes_out\":2000,\"seen_by\":\"ktrustd\"}\n",
		     json(self));
}

TEST_F(output, json_of_an_end_that_only_the_kernel_saw)
{
	become_socket_end(self);
	EXPECT_STREQ(HEAD("end") "\"conn\":3,\"cookie\":4097,\"reason\":\"socket_closed\","
				 "\"pool\":\"clients\",\"pool_version\":7,\"age_ns\":1000000000,"
				 "\"bytes_in\":null,\"bytes_out\":null,\"seen_by\":\"kernel\"}\n",
		     json(self));
}

TEST_F(output, json_of_a_publication)
{
	become_publish(self);
	EXPECT_STREQ(
		HEAD("publish") "\"pool\":\"clients\",\"old_version\":6,\"new_version\":7,"
				"\"anchors\":2,"
				"\"added\":1,\"removed\":3,\"digest\":"
				"\"0123456789abcdef0000000000000000000000"
				"00000000000000000000000000\",\"source\":\"file:/etc/ca s.pem\"}\n",
		json(self));
}

TEST_F(output, json_parses_whatever_the_names_are)
{
	json_t *parsed;
	json_error_t error;

	for (size_t i = 0; i < sizeof self->handshake.peer - 1; i++)
		self->handshake.peer[i] = (char)(i + 1);
	for (size_t i = 0; i < sizeof self->handshake.anchor_name - 1; i++)
		self->handshake.anchor_name[i] = (char)(128 + i);
	strcpy(self->handshake.sni, "\xc3\xa9\xff\"\\\n");
	parsed = json_loads(json(self), 0, &error);
	ASSERT_TRUE(parsed);
	EXPECT_STREQ(self->handshake.peer, json_string_value(json_object_get(parsed, "peer")));
	EXPECT_STREQ("\xc3\xa9\\xff\"\\\n", json_string_value(json_object_get(parsed, "sni")));
	EXPECT_EQ(4 * (sizeof self->handshake.anchor_name - 1),
		  json_string_length(json_object_get(parsed, "anchor_name")));
	json_decref(parsed);
}

TEST_F(output, json_has_numbers_beyond_its_range_as_text)
{
	self->handshake.cookie = INT64_MAX;
	self->handshake.verify_ns = UINT64_MAX;
	EXPECT_TRUE(strstr(json(self), "\"cookie\":9223372036854775807,"));
	EXPECT_TRUE(strstr(self->text, "\"verify_ns\":\"18446744073709551615\"}"));
}

/* ---- Totals ---------------------------------------------------------------------------------- */

/* 3 accepted under 7 (one kTLS tx only, one denied by the kernel), 1 refused under 7, 1 under 8, 1
 * garbage. */
static void add_all(FIXTURE_DATA(output) * self, struct kt_cli_trace_summary *summary)
{
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	self->handshake.ktls = KT_PROBE_KTLS_TX;
	self->event.kernel = KT_TRACE_KERNEL_UNKNOWN;
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	self->event.kernel = KT_TRACE_KERNEL_DIFFERS;
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	self->handshake.accepted = 0;
	self->handshake.ktls = 0;
	self->event.kernel = KT_TRACE_KERNEL_AGREES;
	strcpy(self->handshake.outcome, "unknown_issuer");
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	self->handshake.pool_version = 8;
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	self->handshake.pool_version = 0;
	strcpy(self->handshake.outcome, "not_tls");
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	become_conn_end(self);
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	become_socket_end(self);
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
	become_publish(self);
	ASSERT_EQ(0, kt_cli_trace_summary_add(summary, &self->event));
}

TEST_F(output, summary_as_json)
{
	const struct kt_cli_trace_lost lost = {.lost = 5, .unreadable = 6};
	struct kt_cli_trace_summary summary = {};
	json_t *parsed;
	char *again;

	add_all(self, &summary);
	kt_cli_trace_json.summary(self->file, &summary, &lost);
	fflush(self->file);
	parsed = json_loads(self->text, 0, NULL);
	ASSERT_TRUE(parsed);
	EXPECT_EQ(0, strncmp(self->text, "{\"event\":\"summary\",", 19));
	EXPECT_EQ(0, json_object_del(parsed, "time"));
	again = json_dumps(parsed, JSON_COMPACT);
	EXPECT_STREQ("{\"event\":\"summary\",\"handshakes\":6,\"accepted\":3,"
		     "\"outcomes\":{\"accepted\":3,\"unknown_issuer\":2,\"not_tls\":1},"
		     "\"pool_versions\":["
		     "{\"pool\":\"clients\",\"pool_version\":7,\"handshakes\":4,\"accepted\":3},"
		     "{\"pool\":\"clients\",\"pool_version\":8,\"handshakes\":1,\"accepted\":0},"
		     "{\"pool\":null,\"pool_version\":null,\"handshakes\":1,\"accepted\":0}],"
		     "\"ktls_tx\":3,\"ktls_rx\":1,\"ktls_both\":1,\"kernel_agrees\":1,"
		     "\"kernel_differs\":1,\"publications\":1,\"ends\":3,\"ends_by_kernel\":1,"
		     "\"bytes_in\":200,\"bytes_out\":4000,\"lost\":5,\"unreadable\":6}",
		     again);
	free(again);
	json_decref(parsed);
	kt_cli_trace_summary_fini(&summary);
}

TEST_F(output, summary_as_text)
{
	const struct kt_cli_trace_lost lost = {.lost = 5, .unreadable = 6};
	struct kt_cli_trace_summary summary = {};

	add_all(self, &summary);
	kt_cli_trace_text.summary(self->file, &summary, &lost);
	fflush(self->file);
	EXPECT_STREQ("handshakes 6\n"
		     "  accepted 3\n"
		     "  unknown_issuer 2\n"
		     "  not_tls 1\n"
		     "by pool version\n"
		     "  pool=clients version=7 4 (accepted 3)\n"
		     "  pool=clients version=8 1 (accepted 0)\n"
		     "  without a verdict 1 (accepted 0)\n"
		     "ktls tx 3 rx 1 both 1 of 3 accepted; the kernel agrees on 1, differs on 1\n"
		     "publications 1\n"
		     "ends 3 (1 seen by the kernel only), bytes in 200 out 4000\n"
		     "events lost 5, unreadable 6\n",
		     self->text);
	kt_cli_trace_summary_fini(&summary);
}

TEST_HARNESS_MAIN
