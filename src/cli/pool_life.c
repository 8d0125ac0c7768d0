/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust pool load|stage|check|commit|unstage|rollback|history */
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ktrust/source.h>

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
static json_t *sources_of(const struct kt_cli_pool_args *args)
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

/* Adds the sources, if some are named. False: they cannot be sent; the request is gone. */
static bool add_sources(const struct kt_cli_pool_args *args, json_t *request)
{
	json_t *sources;

	if (args->count < 3)
		return true;
	sources = sources_of(args);
	if (sources && !json_object_set_new(request, "source", sources))
		return true;
	json_decref(request);
	return false;
}

static void print_change(json_t *result, const char *word)
{
	if (json_is_true(json_object_get(result, "changed")))
		printf("%s: %sversion %lld -> %lld, %lld anchors (+%lld -%lld)\n",
		       kt_text(result, "pool"), word, kt_number(result, "old_version"),
		       kt_number(result, "new_version"), kt_number(result, "anchors"),
		       kt_number(result, "added"), kt_number(result, "removed"));
	else
		printf("%s: %sunchanged, version %lld (%lld anchors)\n", kt_text(result, "pool"),
		       word, kt_number(result, "new_version"), kt_number(result, "anchors"));
}

/* Asks, and prints what changed or would change. */
static int ask(const struct kt_cli_pool_args *args, json_t *request, const char *word)
{
	json_t *result;
	int status;

	if (args->force)
		json_object_set_new(request, "force", json_true());
	status = kt_ask(&args->ask, request, NULL, NULL, &result);
	if (status)
		return status;
	if (args->ask.json)
		return kt_print_json(result);
	print_change(result, word);
	if (json_string_value(json_object_get(result, "staged_digest")))
		printf("digest %s\n", kt_text(result, "staged_digest"));
	json_decref(result);
	return kt_print_end();
}

int kt_cli_pool_load(const struct kt_cli_pool_args *args)
{
	json_t *request = kt_cli_pool_request(args, "pool.load");

	return add_sources(args, request) ? ask(args, request, "") : KT_EXIT_TROUBLE;
}

int kt_cli_pool_stage(const struct kt_cli_pool_args *args)
{
	json_t *request = kt_cli_pool_request(args, "pool.stage");

	return add_sources(args, request) ? ask(args, request, "staged: ") : KT_EXIT_TROUBLE;
}

int kt_cli_pool_check(const struct kt_cli_pool_args *args)
{
	return ask(args, kt_cli_pool_request(args, "pool.check"), "would pass: ");
}

int kt_cli_pool_commit(const struct kt_cli_pool_args *args)
{
	json_t *request = kt_cli_pool_request(args, "pool.commit");

	if (args->digest)
		json_object_set_new(request, "digest", json_string(args->digest));
	return ask(args, request, "");
}

int kt_cli_pool_rollback(const struct kt_cli_pool_args *args)
{
	json_t *request = kt_cli_pool_request(args, "pool.rollback");
	const char *version = args->words[2];
	size_t len = version ? strlen(version) : 0;

	if (version && (!len || len > 18 || version[strspn(version, "0123456789")])) {
		fprintf(stderr, "ktrust: %s: not a version (see ktrust pool history)\n", version);
		json_decref(request);
		return KT_EXIT_TROUBLE;
	}
	if (version)
		json_object_set_new(request, "version", json_integer(atoll(version)));
	return ask(args, request, "");
}

int kt_cli_pool_unstage(const struct kt_cli_pool_args *args)
{
	json_t *result;
	int status =
		kt_ask(&args->ask, kt_cli_pool_request(args, "pool.unstage"), NULL, NULL, &result);

	if (status)
		return status;
	if (args->ask.json)
		return kt_print_json(result);
	printf("%s: nothing is staged any more\n", kt_text(result, "pool"));
	json_decref(result);
	return kt_print_end();
}

static void print_history(json_t *versions)
{
	json_t *entry;
	size_t i;

	printf("%-8s %8s %6s  %-16s  %-20s  %s\n", "VERSION", "ANCHORS", "EPOCH", "DIGEST",
	       "CREATED", "SOURCE");
	json_array_foreach (versions, i, entry) {
		printf("%-7lld%c %8lld %6lld  %-16.16s  %-19.19sZ  %s\n",
		       kt_number(entry, "version"),
		       json_is_true(json_object_get(entry, "current")) ? '*' : ' ',
		       kt_number(entry, "anchors"), kt_number(entry, "epoch"),
		       kt_text(entry, "digest"), kt_text(entry, "created"),
		       kt_text(entry, "source"));
	}
}

int kt_cli_pool_history(const struct kt_cli_pool_args *args)
{
	json_t *versions = json_array(), *result;
	int status = kt_ask(&args->ask, kt_cli_pool_request(args, "pool.history"),
			    kt_cli_pool_append, versions, &result);

	if (status) {
		json_decref(versions);
		return status;
	}
	if (args->ask.json) {
		json_object_set_new(result, "list", versions);
		return kt_print_json(result);
	}
	print_history(versions);
	json_decref(versions);
	json_decref(result);
	return kt_print_end();
}
