/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust credentials */
#include "cli.h"

#include <stdio.h>

static const char doc[] = "What the daemon's listeners prove themselves with: each certificate, "
			  "its kind of key, until "
			  "when it is valid, whether an OCSP response goes with it, its "
			  "fingerprint, and the names it is "
			  "chosen by; then, by listener, why the last load was refused. With "
			  "--json one object a line, "
			  "the last for the listeners. Exit status 1: a load was refused, or an "
			  "OCSP response that is "
			  "configured is not sent.";

#define NAMES_TOLD 3

struct output {
	bool json;
	bool headed;
	int status; /* KT_EXIT_OK until something is amiss, or cannot be written */
};

static const char *staple(json_t *credentials)
{
	json_t *ocsp = json_object_get(credentials, "ocsp");

	if (json_is_string(json_object_get(credentials, "ocsp_error")))
		return "refused";
	if (!json_is_object(ocsp))
		return "-";
	return json_is_true(json_object_get(ocsp, "stale")) ? "stale" : "sent";
}

static void print_names(json_t *credentials)
{
	json_t *names = json_object_get(credentials, "names");
	long long count = kt_number(credentials, "name_count");
	size_t i;
	json_t *name;

	json_array_foreach (names, i, name) {
		if (i < NAMES_TOLD)
			printf("%s%s", i ? "," : "", json_string_value(name));
	}
	if (count > NAMES_TOLD)
		printf(" and %lld more", count - NAMES_TOLD);
	printf("%s\n", count ? "" : "-");
}

static void print_text(json_t *credentials)
{
	printf("%-12s %-24.24s %-12s %-20s %-8s %-16.16s ", kt_text(credentials, "listener"),
	       kt_text(credentials, "subject"), kt_text(credentials, "key"),
	       kt_text(credentials, "not_after"), staple(credentials),
	       kt_text(credentials, "fingerprint"));
	print_names(credentials);
}

static bool is_amiss(json_t *credentials)
{
	const char *ocsp = staple(credentials);

	return ocsp[0] == 'r' || (ocsp[0] == 's' && ocsp[1] == 't');
}

/* Once there is an answer, and once. */
static void print_head(struct output *output)
{
	if (output->json || output->headed)
		return;
	output->headed = true;
	printf("%-12s %-24s %-12s %-20s %-8s %-16s %s\n", "LISTENER", "CERTIFICATE", "KEY", "UNTIL",
	       "OCSP", "FINGERPRINT", "NAMES");
}

static void print_item(json_t *credentials, void *arg)
{
	struct output *output = arg;

	if (output->status == KT_EXIT_TROUBLE)
		return;
	print_head(output);
	if (is_amiss(credentials))
		output->status = KT_EXIT_NO;
	if (!output->json)
		print_text(credentials);
	else if (kt_print_json(json_incref(credentials)))
		output->status = KT_EXIT_TROUBLE;
}

static void print_errors(json_t *result, struct output *output)
{
	json_t *listener;
	size_t i;

	json_array_foreach (json_object_get(result, "listeners"), i, listener) {
		if (!json_is_string(json_object_get(listener, "last_error")))
			continue;
		output->status = KT_EXIT_NO;
		if (!output->json)
			printf("%s: not loaded: %s\n", kt_text(listener, "name"),
			       kt_text(listener, "last_error"));
	}
}

int kt_cli_credentials(int argc, char **argv)
{
	struct kt_ask ask = {0};
	struct output output = {0};
	json_t *result;
	int status;

	if (kt_ask_parse(argc, argv, doc, &ask))
		return KT_EXIT_TROUBLE;
	output.json = ask.json;
	status = kt_ask(&ask, json_pack("{s:s}", "op", "credentials.list"), print_item, &output,
			&result);
	if (status)
		return status;
	if (output.status == KT_EXIT_TROUBLE) {
		json_decref(result);
		return KT_EXIT_TROUBLE;
	}
	print_head(&output);
	print_errors(result, &output);
	if (ask.json)
		status = kt_print_json(result);
	else
		json_decref(result);
	if (!ask.json)
		status = kt_print_end();
	return status ? status : output.status;
}
