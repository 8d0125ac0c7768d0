/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust stats */
#include "cli.h"

#include <stdio.h>

static const char doc[] = "What the daemon counted since it started.";

static void print_counts(const char *title, json_t *counts)
{
	const char *name;
	json_t *count;

	json_object_foreach (counts, name, count)
		printf("%-10s %-24s %lld\n", title, name, (long long)json_integer_value(count));
}

static void print_versions(json_t *versions)
{
	json_t *entry;
	char name[64];
	size_t i;

	json_array_foreach (versions, i, entry) {
		snprintf(name, sizeof name, "%s@%lld", kt_text(entry, "pool"),
			 kt_number(entry, "version"));
		printf("%-10s %-24s %lld\n", "version", name, kt_number(entry, "handshakes"));
	}
}

static void print_text(json_t *stats)
{
	static const char *const plain[] = {
		"accepted",  "accept_pauses", "handshakes_ok", "handshakes_failed", "handshaking",
		"live",	     "ended",	      "ktls_tx",       "ktls_rx",	    "bytes_in",
		"bytes_out", "bytes_copied",  "block_waits"};

	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		printf("%-35s %lld\n", plain[i], kt_number(stats, plain[i]));
	print_counts("pause", json_object_get(stats, "pauses"));
	print_counts("outcome", json_object_get(stats, "outcomes"));
	print_counts("end", json_object_get(stats, "ends"));
	print_versions(json_object_get(stats, "versions"));
	print_counts("cache", json_object_get(stats, "verify_cache"));
	print_counts("decoded", json_object_get(stats, "decoded_certificates"));
	print_counts("fast keys", json_object_get(stats, "fast_keys"));
	print_counts("handoff", json_object_get(stats, "handoff"));
}

int kt_cli_stats(int argc, char **argv)
{
	struct kt_ask ask = {0};
	json_t *result;
	int status;

	if (kt_ask_parse(argc, argv, doc, &ask))
		return KT_EXIT_TROUBLE;
	status = kt_ask(&ask, json_pack("{s:s}", "op", "stats"), NULL, NULL, &result);
	if (status)
		return status;
	if (ask.json)
		return kt_print_json(result);
	print_text(result);
	json_decref(result);
	return kt_print_end();
}
