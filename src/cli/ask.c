/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs share: asking the daemon, and saying things. */
#include "cli.h"

#include <stdio.h>

#include "../control/control.h"

static const struct argp_option ask_options[] = {
	{"control", 'c', "PATH", 0, "Control socket of the daemon (default " KT_CONTROL_DEFAULT ")",
	 0},
	{"json", 'j', NULL, 0, "Print JSON", 0},
	{0},
};

static error_t parse_ask(int key, char *arg, struct argp_state *state)
{
	struct kt_ask *ask = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		ask->control = KT_CONTROL_DEFAULT;
		return 0;
	case 'c':
		ask->control = arg;
		return 0;
	case 'j':
		ask->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp kt_ask_argp = {.options = ask_options, .parser = parse_ask};

int kt_ask_parse(int argc, char **argv, const char *doc, struct kt_ask *ret_ask)
{
	const struct argp argp = {.options = ask_options, .parser = parse_ask, .doc = doc};

	return argp_parse(&argp, argc, argv, 0, NULL, ret_ask);
}

void kt_complain(const struct kt_error *error)
{
	char text[640];

	fprintf(stderr, "ktrust: %s\n", kt_error_format(error, text, sizeof text));
}

int kt_ask(const struct kt_ask *ask, json_t *request, void (*fn)(json_t *item, void *arg),
	   void *arg, json_t **ret_result)
{
	struct kt_control *control;
	struct kt_error error;
	int err;

	if (kt_control_connect(ask->control, &control, &error)) {
		json_decref(request);
		kt_complain(&error);
		return KT_EXIT_TROUBLE;
	}
	err = kt_control_call(control, request, fn, arg, ret_result, &error);
	kt_control_free(control);
	if (!err)
		return KT_EXIT_OK;
	kt_complain(&error);
	/* A request without sense is the caller's mistake, and no answer is trouble too. */
	return err == KT_CONTROL_REFUSED ? KT_EXIT_NO : KT_EXIT_TROUBLE;
}

static int cannot_write(void)
{
	fprintf(stderr, "ktrust: standard output: cannot be written\n");
	return KT_EXIT_TROUBLE;
}

int kt_print_end(void)
{
	/* What failed before this call left its mark, but not in what fflush returns. */
	return fflush(stdout) || ferror(stdout) ? cannot_write() : KT_EXIT_OK;
}

int kt_print_json(json_t *value)
{
	int err = value ? json_dumpf(value, stdout, JSON_COMPACT) : -1;

	json_decref(value);
	putchar('\n');
	return err ? cannot_write() : kt_print_end();
}

const char *kt_text(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && text[0] ? text : "-";
}

long long kt_number(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

char *kt_duration(long long duration_ns, char buf[static 24])
{
	long long ms = duration_ns / 1000000, s = ms / 1000;

	if (ms < 10000)
		snprintf(buf, 24, "%lld.%03llds", s, ms % 1000);
	else if (s < 60)
		snprintf(buf, 24, "%llds", s);
	else if (s < 3600)
		snprintf(buf, 24, "%lldm%02llds", s / 60, s % 60);
	else
		snprintf(buf, 24, "%lldh%02lldm", s / 3600, s / 60 % 60);
	return buf;
}
