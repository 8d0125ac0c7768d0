/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust pool diff */
#include "pool.h"

#include <stdio.h>
#include <string.h>

static void print_constraints(json_t *anchor)
{
	json_t *constraints = json_object_get(anchor, "constraints");
	bool servers = json_is_true(json_object_get(constraints, "servers"));
	bool clients = json_is_true(json_object_get(constraints, "clients"));

	if (!servers || !clients)
		printf("  for %s", servers ? "servers only" : clients ? "clients only" : "nobody");
	if (json_string_value(json_object_get(constraints, "distrust_after")))
		printf("  issued until %s", kt_text(constraints, "distrust_after"));
	if (json_string_value(json_object_get(constraints, "permitted_dns")))
		printf("  names below %s", kt_text(constraints, "permitted_dns"));
}

static void print_side(char sign, json_t *difference, const char *side)
{
	json_t *anchor = json_object_get(difference, side);

	printf("%c %s  key %.16s  expires %.10s", sign, kt_text(anchor, "subject"),
	       kt_text(difference, "key"), kt_text(anchor, "not_after"));
	print_constraints(anchor);
	putchar('\n');
}

/* What changes in an anchor is two lines, the second with what is new. */
static void print_difference(json_t *difference)
{
	const char *change = kt_text(difference, "change");
	bool constrained = !strcmp(change, "constraints");

	if (!strcmp(change, "added")) {
		print_side('+', difference, "after");
	} else if (!strcmp(change, "removed")) {
		print_side('-', difference, "before");
	} else {
		printf("%s\n", constrained ? "limits change:" : "re-issued, the same anchor:");
		print_side(constrained ? '-' : ' ', difference, "before");
		print_side(constrained ? '+' : ' ', difference, "after");
	}
}

int kt_cli_pool_diff(const struct kt_cli_pool_args *args)
{
	json_t *list = json_array(), *result, *difference;
	int status = kt_ask(&args->ask, kt_cli_pool_request(args, "pool.diff"), kt_cli_pool_append,
			    list, &result);
	size_t i;

	if (status) {
		json_decref(list);
		return status;
	}
	if (args->ask.json) {
		json_object_set_new(result, "list", list);
		return kt_print_json(result);
	}
	json_array_foreach (list, i, difference)
		print_difference(difference);
	printf("%s: %lld added, %lld removed, %lld with other limits, %lld re-issued\n",
	       kt_text(result, "pool"), kt_number(result, "added"), kt_number(result, "removed"),
	       kt_number(result, "constraints"), kt_number(result, "reissued"));
	printf("digest %s\n", kt_text(result, "staged_digest"));
	json_decref(list);
	json_decref(result);
	return kt_print_end();
}
