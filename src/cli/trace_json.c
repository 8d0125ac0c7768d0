/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <inttypes.h>
#include <time.h>

#include <jansson.h>

#define TEXT_LEN KT_CLI_ESCAPED(4096)

/* An object that could not be made is NULL; jansson takes it, and put_line says so. */

static void put_text(json_t *object, const char *key, const char *text)
{
	char escaped[TEXT_LEN];

	json_object_set_new(object, key,
			    text && text[0]
				    ? json_string(kt_cli_escape_utf8(text, escaped, sizeof escaped))
				    : json_null());
}

/* JSON's numbers are signed here: the few that do not fit go as text. */
static void put_number(json_t *object, const char *key, uint64_t number)
{
	char text[24];

	if (number <= INT64_MAX) {
		json_object_set_new(object, key, json_integer((json_int_t)number));
		return;
	}
	snprintf(text, sizeof text, "%" PRIu64, number);
	json_object_set_new(object, key, json_string(text));
}

static void put_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}

static void put_null(json_t *object, const char *key)
{
	json_object_set_new(object, key, json_null());
}

static void put_time(json_t *object, int64_t time_ns)
{
	char time[KT_CLI_TIME_LEN];

	put_text(object, "time", kt_cli_trace_time(time_ns, time));
}

static json_t *new_object(const char *what)
{
	json_t *object = json_object();

	put_text(object, "event", what);
	return object;
}

/* Takes the object. */
static void put_line(FILE *out, json_t *object)
{
	if (!object || json_dumpf(object, out, JSON_COMPACT))
		fputs("{\"event\":\"error\",\"text\":\"out of memory\"}", out);
	fputc('\n', out);
	json_decref(object);
}

static json_t *new_event(const struct kt_trace_event *event, const char *what)
{
	json_t *object = new_object(what);

	put_time(object, event->time_ns);
	put_number(object, "ktime_ns", event->header->ktime_ns);
	put_number(object, "pid", event->header->pid);
	put_number(object, "tid", event->header->tid);
	put_number(object, "cpu", event->header->cpu);
	return object;
}

static void put_peer(json_t *object, const struct kt_probe_handshake *handshake)
{
	char address[KT_CLI_ADDRESS_LEN];

	put_text(object, "role", handshake->peer_is_server ? "server" : "client");
	put_text(object, "peer_addr", kt_cli_trace_address(handshake, address));
	put_text(object, "peer", handshake->peer);
	put_text(object, "sni", handshake->sni);
}

static void put_anchor(json_t *object, const struct kt_probe_handshake *handshake)
{
	char hex[2 * sizeof handshake->anchor + 1];
	bool known = kt_cli_trace_has_anchor(handshake);

	put_text(object, "anchor_name", known ? handshake->anchor_name : NULL);
	put_text(object, "anchor",
		 known ? kt_cli_trace_hex(handshake->anchor, sizeof handshake->anchor, hex) : NULL);
}

static void put_ktls(json_t *object, const struct kt_trace_event *event)
{
	static const char *const kernel[] = {
		[KT_TRACE_KERNEL_UNKNOWN] = "unknown",
		[KT_TRACE_KERNEL_AGREES] = "agrees",
		[KT_TRACE_KERNEL_DIFFERS] = "differs",
	};

	put_bool(object, "ktls_tx", event->handshake->ktls & KT_PROBE_KTLS_TX);
	put_bool(object, "ktls_rx", event->handshake->ktls & KT_PROBE_KTLS_RX);
	put_text(object, "kernel", kernel[event->kernel]);
	if (event->kernel == KT_TRACE_KERNEL_UNKNOWN) {
		put_null(object, "kernel_tx");
		put_null(object, "kernel_rx");
		return;
	}
	put_bool(object, "kernel_tx", event->kernel_ktls & KT_PROBE_KTLS_TX);
	put_bool(object, "kernel_rx", event->kernel_ktls & KT_PROBE_KTLS_RX);
}

/* Version 0 is none. */
static void put_pool(json_t *object, const char *pool, uint64_t version)
{
	put_text(object, "pool", pool);
	if (version)
		put_number(object, "pool_version", version);
	else
		put_null(object, "pool_version");
}

static json_t *from_handshake(const struct kt_trace_event *event)
{
	const struct kt_probe_handshake *handshake = event->handshake;
	json_t *object = new_event(event, "handshake");
	char word[KT_CLI_WORD_LEN];

	put_number(object, "conn", handshake->conn);
	put_number(object, "cookie", handshake->cookie);
	put_bool(object, "accepted", handshake->accepted);
	put_text(object, "outcome", handshake->outcome);
	put_pool(object, handshake->pool, handshake->pool_version);
	put_anchor(object, handshake);
	put_peer(object, handshake);
	put_text(object, "listener", handshake->listener);
	put_number(object, "worker", handshake->worker);
	put_text(object, "protocol", kt_cli_trace_protocol(handshake->protocol, word));
	put_text(object, "cipher", kt_cli_trace_cipher(handshake->cipher, word));
	put_ktls(object, event);
	put_number(object, "start_ktime_ns", handshake->start_ns);
	put_number(object, "handshake_ns", handshake->handshake_ns);
	put_number(object, "verify_ns", handshake->verify_ns);
	return object;
}

static json_t *from_conn_end(const struct kt_trace_event *event)
{
	const struct kt_probe_conn_end *end = event->conn_end;
	json_t *object = new_event(event, "end");

	put_number(object, "conn", end->conn);
	put_number(object, "cookie", end->cookie);
	put_text(object, "reason", end->reason);
	put_pool(object, end->pool, end->pool_version);
	put_number(object, "age_ns", end->age_ns);
	put_number(object, "bytes_in", end->bytes_in);
	put_number(object, "bytes_out", end->bytes_out);
	put_text(object, "seen_by", "ktrustd");
	return object;
}

static json_t *from_socket_end(const struct kt_trace_event *event)
{
	const struct kt_event_conn *end = event->socket_end;
	json_t *object = new_event(event, "end");

	put_number(object, "conn", end->conn);
	put_number(object, "cookie", end->cookie);
	put_text(object, "reason", "socket_closed");
	put_pool(object, end->pool, end->pool_version);
	put_number(object, "age_ns", kt_cli_trace_age_ns(event));
	put_null(object, "bytes_in");
	put_null(object, "bytes_out");
	put_text(object, "seen_by", "kernel");
	return object;
}

static json_t *from_publish(const struct kt_trace_event *event)
{
	const struct kt_probe_publish *publish = event->publish;
	char hex[2 * sizeof publish->digest + 1];
	json_t *object = new_event(event, "publish");

	put_text(object, "pool", publish->pool);
	put_number(object, "old_version", publish->old_version);
	put_number(object, "new_version", publish->new_version);
	put_number(object, "anchors", publish->anchors);
	put_number(object, "added", publish->added);
	put_number(object, "removed", publish->removed);
	put_text(object, "digest", kt_cli_trace_hex(publish->digest, sizeof publish->digest, hex));
	put_text(object, "source", publish->source);
	return object;
}

static json_t *from_reclaim(const struct kt_trace_event *event)
{
	json_t *object = new_event(event, "reclaim");

	put_pool(object, event->reclaim->pool, event->reclaim->version);
	return object;
}

static json_t *from_refuse(const struct kt_trace_event *event)
{
	json_t *object = new_event(event, "refuse");

	put_pool(object, event->refuse->pool, event->refuse->version);
	put_number(object, "errno", event->refuse->err);
	put_text(object, "source", event->refuse->source);
	put_text(object, "why", event->refuse->why);
	return object;
}

static void print_event(FILE *out, const struct kt_trace_event *event)
{
	static json_t *(*const from[KT_EVENT_KINDS])(const struct kt_trace_event *) = {
		[KT_EVENT_HANDSHAKE] = from_handshake,	 [KT_EVENT_CONN_END] = from_conn_end,
		[KT_EVENT_PUBLISH] = from_publish,	 [KT_EVENT_RECLAIM] = from_reclaim,
		[KT_EVENT_SOCKET_END] = from_socket_end, [KT_EVENT_REFUSE] = from_refuse,
	};

	put_line(out, from[event->kind](event));
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void print_attached(FILE *out, const char *binary, pid_t pid, const struct kt_trace *trace)
{
	json_t *object = new_object("attached"), *missing = json_array();
	const char *text;

	put_time(object, now_ns());
	put_text(object, "binary", binary);
	if (pid)
		put_number(object, "pid", (uint64_t)pid);
	else
		put_null(object, "pid");
	for (unsigned int i = 0; (text = kt_trace_missing(trace, i)); i++) {
		char escaped[TEXT_LEN];

		json_array_append_new(
			missing, json_string(kt_cli_escape_utf8(text, escaped, sizeof escaped)));
	}
	json_object_set_new(object, "missing", missing);
	put_line(out, object);
}

static void put_lost(json_t *object, const struct kt_cli_trace_lost *lost)
{
	put_number(object, "lost", lost->lost);
	put_number(object, "unreadable", lost->unreadable);
}

static void print_lost(FILE *out, const struct kt_cli_trace_lost *lost)
{
	json_t *object = new_object("lost");

	put_time(object, now_ns());
	put_lost(object, lost);
	put_line(out, object);
}

static json_t *from_outcomes(const struct kt_cli_tallies *tallies)
{
	json_t *object = json_object();

	for (size_t i = 0; i < tallies->n; i++) {
		char escaped[TEXT_LEN];

		put_number(object, kt_cli_escape_utf8(tallies->of[i].name, escaped, sizeof escaped),
			   tallies->of[i].handshakes);
	}
	return object;
}

static json_t *from_versions(const struct kt_cli_tallies *tallies)
{
	json_t *array = json_array();

	for (size_t i = 0; i < tallies->n; i++) {
		json_t *object = json_object();

		put_pool(object, tallies->of[i].name, tallies->of[i].version);
		put_number(object, "handshakes", tallies->of[i].handshakes);
		put_number(object, "accepted", tallies->of[i].accepted);
		json_array_append_new(array, object);
	}
	return array;
}

static void print_summary(FILE *out, const struct kt_cli_trace_summary *summary,
			  const struct kt_cli_trace_lost *lost)
{
	json_t *object = new_object("summary");

	put_time(object, now_ns());
	put_number(object, "handshakes", summary->handshakes);
	put_number(object, "accepted", summary->accepted);
	json_object_set_new(object, "outcomes", from_outcomes(&summary->outcomes));
	json_object_set_new(object, "pool_versions", from_versions(&summary->versions));
	put_number(object, "ktls_tx", summary->ktls_tx);
	put_number(object, "ktls_rx", summary->ktls_rx);
	put_number(object, "ktls_both", summary->ktls_both);
	put_number(object, "kernel_agrees", summary->kernel_agrees);
	put_number(object, "kernel_differs", summary->kernel_differs);
	put_number(object, "publications", summary->publications);
	put_number(object, "ends", summary->ends);
	put_number(object, "ends_by_kernel", summary->ends_by_kernel);
	put_number(object, "bytes_in", summary->bytes_in);
	put_number(object, "bytes_out", summary->bytes_out);
	put_lost(object, lost);
	put_line(out, object);
}

const struct kt_cli_trace_output kt_cli_trace_json = {
	.attached = print_attached,
	.event = print_event,
	.lost = print_lost,
	.summary = print_summary,
};
