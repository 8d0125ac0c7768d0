/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust conns */
#include "cli.h"

#include <stdio.h>

static const char doc[] =
	"Live connections of the daemon: peer, the pool version and anchor that let it in, "
	"protocol, "
	"records in the kernel or not, age and bytes. With --json one object a line.";

/* Which of the two directions the kernel has. */
static const char *ktls(json_t *conn)
{
	int tx = json_is_true(json_object_get(conn, "ktls_tx"));
	int rx = json_is_true(json_object_get(conn, "ktls_rx"));

	return tx && rx ? "tx,rx" : tx ? "tx" : rx ? "rx" : "-";
}

static void print_text(json_t *conn)
{
	json_t *verdict = json_object_get(conn, "verdict");
	char age[24], version[64] = "-";

	if (json_is_object(verdict))
		snprintf(version, sizeof version, "%s@%lld", kt_text(conn, "pool"),
			 kt_number(verdict, "pool_version"));
	printf("%-8lld %-22s %-24.24s %-16s %-20.20s %-8s %-6s %9s %10lld %10lld\n",
	       kt_number(conn, "conn"), kt_text(conn, "peer_addr"), kt_text(conn, "peer"), version,
	       json_is_object(verdict) ? kt_text(verdict, "anchor_name") : "-",
	       kt_text(conn, "protocol"), ktls(conn), kt_duration(kt_number(conn, "age_ns"), age),
	       kt_number(conn, "bytes_in"), kt_number(conn, "bytes_out"));
}

struct output {
	bool json;
	bool headed;
	int status; /* KT_EXIT_OK until a line could not be written */
};

/* Once there is an answer, and once. */
static void print_head(struct output *output)
{
	if (output->json || output->headed)
		return;
	output->headed = true;
	printf("%-8s %-22s %-24s %-16s %-20s %-8s %-6s %9s %10s %10s\n", "CONN", "PEER", "NAME",
	       "POOL@VERSION", "ANCHOR", "PROTOCOL", "KTLS", "AGE", "IN", "OUT");
}

static void print_item(json_t *conn, void *arg)
{
	struct output *output = arg;

	print_head(output);
	if (!output->json)
		print_text(conn);
	else if (!output->status)
		output->status = kt_print_json(json_incref(conn));
}

int kt_cli_conns(int argc, char **argv)
{
	struct kt_ask ask = {0};
	struct output output = {0};
	json_t *result;
	int status;

	if (kt_ask_parse(argc, argv, doc, &ask))
		return KT_EXIT_TROUBLE;
	output.json = ask.json;
	status = kt_ask(&ask, json_pack("{s:s}", "op", "conns"), print_item, &output, &result);
	if (status)
		return status;
	print_head(&output);
	json_decref(result);
	return ask.json ? output.status : kt_print_end();
}
