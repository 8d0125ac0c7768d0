/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust pool list|show */
#include "pool.h"

#include <stdio.h>

int kt_cli_pool_list(const struct kt_cli_pool_args *args)
{
	json_t *pools = json_array(), *pool, *result;
	int status = kt_ask(&args->ask, json_pack("{s:s}", "op", "pool.list"), kt_cli_pool_append,
			    pools, &result);
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
		if (json_string_value(json_object_get(pool, "not_kept")))
			printf("  will not survive a restart: %s\n", kt_text(pool, "not_kept"));
	}
	json_decref(pools);
	return kt_print_end();
}

static void print_roots(json_t *roots)
{
	if (!json_is_object(roots))
		return;
	printf("embedded  Mozilla's roots %s, %lld days old", kt_text(roots, "version"),
	       kt_number(roots, "age_days"));
	if (kt_number(roots, "not_in_system"))
		printf(", %lld of them not among the system's (ktrust doctor names them)",
		       kt_number(roots, "not_in_system"));
	putchar('\n');
}

static void print_pool(json_t *pool, json_t *anchors)
{
	json_t *anchor, *note, *rule;
	size_t i;

	printf("pool      %s\nversion   %lld\nanchors   %lld\ndigest    %s\nsource    %s\n"
	       "created   %s\nimage     %lld bytes\npublished %lld, reclaimed %lld\n",
	       kt_text(pool, "name"), kt_number(pool, "version"), kt_number(pool, "anchors"),
	       kt_text(pool, "digest"), kt_text(pool, "source"), kt_text(pool, "created"),
	       kt_number(pool, "bytes"), kt_number(pool, "published"),
	       kt_number(pool, "reclaimed"));
	json_array_foreach (json_object_get(pool, "allow"), i, rule)
		printf("allow     %s\n", json_string_value(rule));
	if (json_string_value(json_object_get(pool, "last_error")))
		printf("refused   %s\n", kt_text(pool, "last_error"));
	json_array_foreach (json_object_get(pool, "notes"), i, note)
		printf("note      %s\n", json_string_value(note));
	if (json_string_value(json_object_get(pool, "not_kept")))
		printf("NOT KEPT  it will not survive a restart: %s\n", kt_text(pool, "not_kept"));
	if (kt_number(pool, "epoch"))
		printf("epoch     %lld\n", kt_number(pool, "epoch"));
	print_roots(json_object_get(pool, "embedded_roots"));
	if (json_is_true(json_object_get(pool, "staged")))
		printf("staged    a candidate waits (ktrust pool diff)\n");
	printf("\n%-16s  %-10s  %s\n", "FINGERPRINT", "EXPIRES", "SUBJECT");
	json_array_foreach (anchors, i, anchor) {
		printf("%-16.16s  %-10.10s  %s\n", kt_text(anchor, "fingerprint"),
		       kt_text(anchor, "not_after"), kt_text(anchor, "subject"));
	}
}

int kt_cli_pool_show(const struct kt_cli_pool_args *args)
{
	json_t *anchors = json_array(), *pool;
	int status = kt_ask(&args->ask, kt_cli_pool_request(args, "pool.show"), kt_cli_pool_append,
			    anchors, &pool);

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
