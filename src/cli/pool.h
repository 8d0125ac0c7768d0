/* SPDX-License-Identifier: BSD-2-Clause */
/* The actions of `ktrust pool`, a function each; pool.c has their table. Each returns the status.
 */
#ifndef KTRUST_CLI_POOL_H
#define KTRUST_CLI_POOL_H

#include "cli.h"

enum { KT_POOL_WORDS_MAX = 66 }; /* action, pool, and as many sources as a request takes */

struct kt_cli_pool_args {
	struct kt_ask ask;
	const char *words[KT_POOL_WORDS_MAX]; /* action, then what belongs to it */
	int count;
	bool force;
	bool any_purpose;
	bool crl_warn;
	unsigned long long epoch;
	const char *key;
	const char *out;
	const char *digest;
};

typedef int kt_cli_pool_action(const struct kt_cli_pool_args *args);

kt_cli_pool_action kt_cli_pool_list, kt_cli_pool_show; /* pool_show.c */
kt_cli_pool_action kt_cli_pool_load, kt_cli_pool_stage, kt_cli_pool_check, kt_cli_pool_commit,
	kt_cli_pool_unstage, kt_cli_pool_rollback, kt_cli_pool_history; /* pool_life.c */
kt_cli_pool_action kt_cli_pool_diff;					/* pool_diff.c */
kt_cli_pool_action kt_cli_pool_manifest;				/* pool_manifest.c */

/* For kt_ask: gathers items in an array. */
void kt_cli_pool_append(json_t *item, void *array);

/* {"op":OP,"pool":words[1]}; NULL: out of memory. */
json_t *kt_cli_pool_request(const struct kt_cli_pool_args *args, const char *op);

#endif
