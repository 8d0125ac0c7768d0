/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <inttypes.h>
#include <string.h>

/* The longest string of the probes is 128 bytes. */
#define TEXT_LEN KT_CLI_ESCAPED(128)

static const char word_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "-_.:/@+*";

/* key=value, with quotes where the value is not one plain word. Nothing for an empty value. */
static void put(FILE *out, const char *key, const char *value)
{
	char escaped[TEXT_LEN];

	if (!value || !value[0])
		return;
	if (value[strspn(value, word_bytes)] == '\0')
		fprintf(out, " %s=%s", key, value);
	else
		fprintf(out, " %s=\"%s\"", key, kt_cli_escape(value, escaped, sizeof escaped));
}

static void put_duration(FILE *out, const char *key, uint64_t ns)
{
	if (ns < 1000000)
		fprintf(out, " %s=%.1fus", key, (double)ns / 1e3);
	else if (ns < 1000000000)
		fprintf(out, " %s=%.2fms", key, (double)ns / 1e6);
	else
		fprintf(out, " %s=%.3fs", key, (double)ns / 1e9);
}

static void start_line(FILE *out, const struct kt_trace_event *event, const char *what)
{
	char time[KT_CLI_TIME_LEN];

	fprintf(out, "%s %s", kt_cli_trace_time(event->time_ns, time), what);
}

static void put_peer(FILE *out, const struct kt_probe_handshake *handshake)
{
	char address[KT_CLI_ADDRESS_LEN];
	const char *text = kt_cli_trace_address(handshake, address);

	fprintf(out, " %s=%s", handshake->peer_is_server ? "to" : "from", text ? text : "local");
	put(out, "peer", handshake->peer);
	put(out, "sni", handshake->sni);
}

static void put_anchor(FILE *out, const struct kt_probe_handshake *handshake)
{
	char hex[9];

	if (!kt_cli_trace_has_anchor(handshake))
		return;
	put(out, "anchor", handshake->anchor_name[0] ? handshake->anchor_name : "-");
	fprintf(out, "/%s", kt_cli_trace_hex(handshake->anchor, 4, hex));
}

static const char *directions(uint8_t ktls)
{
	static const char *const names[] = {"none", "tx", "rx", "tx,rx"};

	return names[ktls & (KT_PROBE_KTLS_TX | KT_PROBE_KTLS_RX)];
}

/* "tx,rx": the kernel says so too. "tx,rx?": it was not asked. "tx,rx!tx": it says otherwise. */
static void put_ktls(FILE *out, const struct kt_trace_event *event)
{
	uint8_t ktls = event->handshake->ktls;

	fprintf(out, " ktls=%s", directions(ktls));
	if (event->kernel == KT_TRACE_KERNEL_DIFFERS)
		fprintf(out, "!%s", directions(event->kernel_ktls));
	else if (event->kernel == KT_TRACE_KERNEL_UNKNOWN && ktls)
		fputc('?', out);
}

static void print_handshake(FILE *out, const struct kt_trace_event *event)
{
	const struct kt_probe_handshake *handshake = event->handshake;
	char word[KT_CLI_WORD_LEN];

	start_line(out, event, "handshake");
	fprintf(out, " conn=%" PRIu64, (uint64_t)handshake->conn);
	put(out, "outcome", handshake->outcome);
	put_peer(out, handshake);
	put(out, "pool", handshake->pool);
	if (handshake->pool_version)
		fprintf(out, " version=%" PRIu64, (uint64_t)handshake->pool_version);
	put_anchor(out, handshake);
	put(out, "protocol", kt_cli_trace_protocol(handshake->protocol, word));
	put(out, "cipher", kt_cli_trace_cipher(handshake->cipher, word));
	put_ktls(out, event);
	put_duration(out, "handshake", handshake->handshake_ns);
	if (handshake->verify_ns)
		put_duration(out, "verify", handshake->verify_ns);
}

static void print_conn_end(FILE *out, const struct kt_trace_event *event)
{
	const struct kt_probe_conn_end *end = event->conn_end;

	start_line(out, event, "end");
	fprintf(out, " conn=%" PRIu64, (uint64_t)end->conn);
	put(out, "reason", end->reason);
	put(out, "pool", end->pool);
	if (end->pool_version)
		fprintf(out, " version=%" PRIu64, (uint64_t)end->pool_version);
	put_duration(out, "age", end->age_ns);
	fprintf(out, " in=%" PRIu64 " out=%" PRIu64, (uint64_t)end->bytes_in,
		(uint64_t)end->bytes_out);
}

static void print_socket_end(FILE *out, const struct kt_trace_event *event)
{
	const struct kt_event_conn *end = event->socket_end;

	start_line(out, event, "end");
	fprintf(out, " conn=%" PRIu64 " reason=socket_closed", (uint64_t)end->conn);
	put(out, "pool", end->pool);
	if (end->pool_version)
		fprintf(out, " version=%" PRIu64, (uint64_t)end->pool_version);
	put_duration(out, "age", kt_cli_trace_age_ns(event));
	put(out, "seen_by", "kernel");
}

static void print_publish(FILE *out, const struct kt_trace_event *event)
{
	const struct kt_probe_publish *publish = event->publish;
	char hex[17];

	start_line(out, event, "publish");
	put(out, "pool", publish->pool);
	fprintf(out, " version=%" PRIu64 "->%" PRIu64 " anchors=%u +%u -%u digest=%s",
		(uint64_t)publish->old_version, (uint64_t)publish->new_version, publish->anchors,
		publish->added, publish->removed, kt_cli_trace_hex(publish->digest, 8, hex));
	put(out, "source", publish->source);
}

static void print_reclaim(FILE *out, const struct kt_trace_event *event)
{
	start_line(out, event, "reclaim");
	put(out, "pool", event->reclaim->pool);
	fprintf(out, " version=%" PRIu64, (uint64_t)event->reclaim->version);
}

static void print_refuse(FILE *out, const struct kt_trace_event *event)
{
	start_line(out, event, "refuse");
	put(out, "pool", event->refuse->pool);
	fprintf(out, " version=%" PRIu64, (uint64_t)event->refuse->version);
	put(out, "source", event->refuse->source);
	put(out, "why", event->refuse->why);
}

static void print_event(FILE *out, const struct kt_trace_event *event)
{
	static void (*const print[KT_EVENT_KINDS])(FILE *, const struct kt_trace_event *) = {
		[KT_EVENT_HANDSHAKE] = print_handshake,	  [KT_EVENT_CONN_END] = print_conn_end,
		[KT_EVENT_PUBLISH] = print_publish,	  [KT_EVENT_RECLAIM] = print_reclaim,
		[KT_EVENT_SOCKET_END] = print_socket_end, [KT_EVENT_REFUSE] = print_refuse,
	};

	print[event->kind](out, event);
	fputc('\n', out);
}

/* The text mode says both on standard error, as both modes do. */
static void print_attached(FILE *out, const char *binary, pid_t pid, const struct kt_trace *trace)
{
	(void)out, (void)binary, (void)pid, (void)trace;
}

static void print_lost(FILE *out, const struct kt_cli_trace_lost *lost)
{
	(void)out, (void)lost;
}

static void print_versions(FILE *out, const struct kt_cli_tallies *versions)
{
	for (size_t i = 0; i < versions->n; i++) {
		const struct kt_cli_tally *tally = &versions->of[i];

		if (!tally->version) {
			fprintf(out, "  without a verdict %" PRIu64 " (accepted %" PRIu64 ")\n",
				tally->handshakes, tally->accepted);
			continue;
		}
		fprintf(out, " ");
		put(out, "pool", tally->name);
		fprintf(out, " version=%" PRIu64 " %" PRIu64 " (accepted %" PRIu64 ")\n",
			tally->version, tally->handshakes, tally->accepted);
	}
}

static void print_summary(FILE *out, const struct kt_cli_trace_summary *summary,
			  const struct kt_cli_trace_lost *lost)
{
	char escaped[TEXT_LEN];

	fprintf(out, "handshakes %" PRIu64 "\n", summary->handshakes);
	for (size_t i = 0; i < summary->outcomes.n; i++)
		fprintf(out, "  %s %" PRIu64 "\n",
			kt_cli_escape(summary->outcomes.of[i].name, escaped, sizeof escaped),
			summary->outcomes.of[i].handshakes);
	fprintf(out, "by pool version\n");
	print_versions(out, &summary->versions);
	fprintf(out,
		"ktls tx %" PRIu64 " rx %" PRIu64 " both %" PRIu64 " of %" PRIu64
		" accepted; the kernel agrees on %" PRIu64 ", differs on %" PRIu64 "\n",
		summary->ktls_tx, summary->ktls_rx, summary->ktls_both, summary->accepted,
		summary->kernel_agrees, summary->kernel_differs);
	fprintf(out, "publications %" PRIu64 "\n", summary->publications);
	fprintf(out,
		"ends %" PRIu64 " (%" PRIu64 " seen by the kernel only), bytes in %" PRIu64
		" out %" PRIu64 "\n",
		summary->ends, summary->ends_by_kernel, summary->bytes_in, summary->bytes_out);
	fprintf(out, "events lost %" PRIu64 ", unreadable %" PRIu64 "\n", lost->lost,
		lost->unreadable);
}

const struct kt_cli_trace_output kt_cli_trace_text = {
	.attached = print_attached,
	.event = print_event,
	.lost = print_lost,
	.summary = print_summary,
};
