/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust pool list|show|load */
#include "cli.h"

#include <ktrust/source.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 66

struct pool_args {
	struct kt_ask ask;
	const char *words[WORDS_MAX]; /* action, pool, sources */
	int count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct pool_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->ask;
		return 0;
	case ARGP_KEY_ARG:
		if (args->count == WORDS_MAX)
			argp_error(state, "too many arguments: %s", arg);
		args->words[args->count++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "one of list, show, load is expected");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char doc[] =
	"Trust anchors that clients are verified against."
	"\v"
	"list shows all pools: version, anchors, digest, source. show shows one pool and its "
	"anchors. load reads a pool's sources again and publishes what is new; with SOURCEs "
	"(file:PATH, dir:PATH, certdata:PATH, crl:PATH, system, embedded; several add up) it reads "
	"these instead, for this once.\n\n"
	"A source that fails leaves the published version in place, and the status is 1.";

static void append(json_t *item, void *arg)
{
	json_array_append(arg, item);
}

static int list(const struct pool_args *args)
{
	json_t *pools = json_array(), *pool, *result;
	int status =
		kt_ask(&args->ask, json_pack("{s:s}", "op", "pool.list"), append, pools, &result);
	size_t i;

	if (status) {
		json_decref(pools);
		return status;
	}
	json_decref(result);
	if (args->ask.json)
		return kt_print_json(json_pack("{s:o}", "pools", pools));
	printf("%-20s %8s %8s  %-16s %s\n", "POOL", "VERSION", "ANCHORS", "DIGEST", "SOURCE");
	json_array_foreach (pools, i, pool) {
		printf("%-20s %8lld %8lld  %-16.16s %s\n", kt_text(pool, "name"),
		       kt_number(pool, "version"), kt_number(pool, "anchors"),
		       kt_text(pool, "digest"), kt_text(pool, "source"));
		if (json_string_value(json_object_get(pool, "last_error")))
			printf("  last load refused: %s\n", kt_text(pool, "last_error"));
	}
	json_decref(pools);
	return kt_print_end();
}

static void print_pool(json_t *pool, json_t *anchors)
{
	json_t *anchor, *note;
	size_t i;

	printf("pool      %s\nversion   %lld\nanchors   %lld\ndigest    %s\nsource    %s\n"
	       "created   %s\nimage     %lld bytes\npublished %lld, reclaimed %lld\n",
	       kt_text(pool, "name"), kt_number(pool, "version"), kt_number(pool, "anchors"),
	       kt_text(pool, "digest"), kt_text(pool, "source"), kt_text(pool, "created"),
	       kt_number(pool, "bytes"), kt_number(pool, "published"),
	       kt_number(pool, "reclaimed"));
	if (json_string_value(json_object_get(pool, "last_error")))
		printf("refused   %s\n", kt_text(pool, "last_error"));
	json_array_foreach (json_object_get(pool, "notes"), i, note)
		printf("note      %s\n", json_string_value(note));
	printf("\n%-16s  %-10s  %s\n", "FINGERPRINT", "EXPIRES", "SUBJECT");
	json_array_foreach (anchors, i, anchor) {
		printf("%-16.16s  %-10.10s  %s\n", kt_text(anchor, "fingerprint"),
		       kt_text(anchor, "not_after"), kt_text(anchor, "subject"));
	}
}

static int show(const struct pool_args *args)
{
	json_t *anchors = json_array(), *pool;
	int status = kt_ask(&args->ask,
			    json_pack("{s:s, s:s}", "op", "pool.show", "pool", args->words[1]),
			    append, anchors, &pool);

	if (status) {
		json_decref(anchors);
		return status;
	}
	if (args->ask.json) {
		json_object_set_new(pool, "list", anchors);
		return kt_print_json(pool);
	}
	print_pool(pool, anchors);
	json_decref(anchors);
	json_decref(pool);
	return kt_print_end();
}

/* The daemon works in another directory: a relative path is made absolute here. */
static char *absolute(const char *source)
{
	const char *path = kt_source_path(source);
	char *cwd, *made = NULL;

	if (!path || path[0] == '/')
		return strdup(source);
	cwd = getcwd(NULL, 0);
	if (cwd && asprintf(&made, "%.*s%s/%s", (int)(path - source), source, cwd, path) < 0)
		made = NULL;
	free(cwd);
	return made;
}

/* NULL: one of them cannot be sent; that has been said. */
static json_t *sources_of(const struct pool_args *args)
{
	json_t *list = json_array();

	for (int i = 2; list && i < args->count; i++) {
		char *source = absolute(args->words[i]);
		int failed = !source || json_array_append_new(list, json_string(source));

		free(source);
		if (!failed)
			continue;
		fprintf(stderr, "ktrust: %s: not a source that can be sent\n", args->words[i]);
		json_decref(list);
		list = NULL;
	}
	return list;
}

static int load(const struct pool_args *args)
{
	json_t *request = json_pack("{s:s, s:s}", "op", "pool.load", "pool", args->words[1]);
	json_t *sources = args->count > 2 ? sources_of(args) : NULL;
	json_t *result;
	int status;

	if (args->count > 2 && (!sources || json_object_set_new(request, "source", sources))) {
		json_decref(request);
		return KT_EXIT_TROUBLE;
	}
	status = kt_ask(&args->ask, request, NULL, NULL, &result);
	if (status)
		return status;
	if (args->ask.json)
		return kt_print_json(result);
	if (json_is_true(json_object_get(result, "changed")))
		printf("%s: version %lld -> %lld, %lld anchors (+%lld -%lld)\n",
		       kt_text(result, "pool"), kt_number(result, "old_version"),
		       kt_number(result, "new_version"), kt_number(result, "anchors"),
		       kt_number(result, "added"), kt_number(result, "removed"));
	else
		printf("%s: unchanged, version %lld (%lld anchors)\n", kt_text(result, "pool"),
		       kt_number(result, "new_version"), kt_number(result, "anchors"));
	json_decref(result);
	return kt_print_end();
}

int kt_cli_pool(int argc, char **argv)
{
	static const struct {
		const char *name;
		int least, most;
		int (*run)(const struct pool_args *args);
	} actions[] = {{"list", 1, 1, list}, {"show", 2, 2, show}, {"load", 2, WORDS_MAX, load}};
	static const struct argp_child children[] = {{&kt_ask_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
		NULL, parse, "list\nshow POOL\nload POOL [SOURCE...]", doc, children, NULL, NULL};
	struct pool_args args = {0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KT_EXIT_TROUBLE;
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (strcmp(actions[i].name, args.words[0]))
			continue;
		if (args.count >= actions[i].least && args.count <= actions[i].most)
			return actions[i].run(&args);
		fprintf(stderr,
			"ktrust: pool %s: wrong number of arguments (see ktrust pool --help)\n",
			args.words[0]);
		return KT_EXIT_TROUBLE;
	}
	fprintf(stderr, "ktrust: pool %s: list, show or load is expected\n", args.words[0]);
	return KT_EXIT_TROUBLE;
}
