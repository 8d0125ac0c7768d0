/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust pool ACTION: its flags and the table of its actions. */
#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEY_FORCE = 'f',
	KEY_EPOCH = 'e',
	KEY_KEY = 'k',
	KEY_OUT = 'o',
	KEY_PURPOSE = 0x100,
	KEY_CRL,
	KEY_DIGEST
};

static const struct argp_option options[] = {
	{"force", KEY_FORCE, NULL, 0, "load, commit, rollback: even if a guard refuses", 1},
	{"digest", KEY_DIGEST, "HEX", 0,
	 "commit: only the candidate whose digest is or begins with this (16 digits or more)", 1},
	{"epoch", KEY_EPOCH, "N", 0, "manifest: counts up with each content of a pool", 1},
	{"key", KEY_KEY, "FILE", 0, "manifest: sign it with this Ed25519 key (PEM)", 1},
	{"out", KEY_OUT, "FILE", 0, "manifest: write it there", 1},
	{"purpose", KEY_PURPOSE, "any", 0, "manifest: for a pool with purpose = any", 1},
	{"crl-policy", KEY_CRL, "refuse|warn", 0, "manifest: for a pool with that crl-policy", 1},
	{0},
};

static error_t take_word(struct kt_cli_pool_args *args, char *arg, struct argp_state *state)
{
	if (args->count == KT_POOL_WORDS_MAX)
		argp_error(state, "too many arguments: %s", arg);
	else
		args->words[args->count++] = arg;
	return 0;
}

static error_t take_epoch(struct kt_cli_pool_args *args, const char *arg, struct argp_state *state)
{
	char *end;

	errno = 0;
	args->epoch = strtoull(arg, &end, 10);
	if (arg[0] < '0' || arg[0] > '9' || *end || errno || !args->epoch ||
	    args->epoch > 999999999999999999ull)
		argp_error(state, "--epoch %s: a number above 0 is expected", arg);
	return 0;
}

static error_t take_digest(struct kt_cli_pool_args *args, char *arg, struct argp_state *state)
{
	size_t len = strlen(arg);

	args->digest = arg;
	if (len < 16 || len > 64 || arg[strspn(arg, "0123456789abcdefABCDEF")])
		argp_error(state, "--digest %s: 16 to 64 hex digits are expected", arg);
	return 0;
}

static error_t take_flag(int key, char *arg, struct argp_state *state)
{
	struct kt_cli_pool_args *args = state->input;

	switch (key) {
	case KEY_FORCE:
		args->force = true;
		return 0;
	case KEY_DIGEST:
		return take_digest(args, arg, state);
	case KEY_EPOCH:
		return take_epoch(args, arg, state);
	case KEY_KEY:
		args->key = arg;
		return 0;
	case KEY_OUT:
		args->out = arg;
		return 0;
	case KEY_PURPOSE:
		args->any_purpose = true;
		if (strcmp(arg, "any"))
			argp_error(state, "--purpose %s: any is expected", arg);
		return 0;
	case KEY_CRL:
		args->crl_warn = !strcmp(arg, "warn");
		if (!args->crl_warn && strcmp(arg, "refuse"))
			argp_error(state, "--crl-policy %s: refuse or warn is expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct kt_cli_pool_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->ask;
		return 0;
	case ARGP_KEY_ARG:
		return take_word(args, arg, state);
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "one of list, show, load, stage, check, diff, commit, unstage, "
				  "rollback, history, manifest is expected");
		return EINVAL;
	default:
		return take_flag(key, arg, state);
	}
}

static const char doc[] =
	"Trust anchors that clients are verified against."
	"\v"
	"list shows all pools: version, anchors, digest, source. show shows one pool and its "
	"anchors. load reads a pool's sources again and publishes what is new; with SOURCEs "
	"(file:PATH, dir:PATH, certdata:PATH, crl:PATH, system, embedded; several add up) it reads "
	"these instead, for this once.\n\n"
	"stage does as much of it as makes a candidate. diff shows what it would change, check "
	"whether the pool's guards would let it pass, commit publishes it (with --digest only if "
	"it is still the one that diff "
	"showed), unstage drops it. "
	"history shows earlier versions, rollback publishes one of them again (the one before, "
	"if not told), as a new version.\n\n"
	"manifest asks no daemon: it writes what the SOURCEs come to, for a pool's 'manifest'.\n\n"
	"What fails or is refused leaves the published version in place, and the status is 1.";

void kt_cli_pool_append(json_t *item, void *array)
{
	json_array_append(array, item);
}

json_t *kt_cli_pool_request(const struct kt_cli_pool_args *args, const char *op)
{
	return json_pack("{s:s, s:s}", "op", op, "pool", args->words[1]);
}

static const struct action {
	const char *name;
	int least, most; /* words, with its own */
	bool may_force;
	kt_cli_pool_action *run;
} actions[] = {
	{"list", 1, 1, false, kt_cli_pool_list},
	{"show", 2, 2, false, kt_cli_pool_show},
	{"load", 2, KT_POOL_WORDS_MAX, true, kt_cli_pool_load},
	{"stage", 2, KT_POOL_WORDS_MAX, false, kt_cli_pool_stage},
	{"check", 2, 2, false, kt_cli_pool_check},
	{"diff", 2, 2, false, kt_cli_pool_diff},
	{"commit", 2, 2, true, kt_cli_pool_commit},
	{"unstage", 2, 2, false, kt_cli_pool_unstage},
	{"rollback", 2, 3, true, kt_cli_pool_rollback},
	{"history", 2, 2, false, kt_cli_pool_history},
	{"manifest", 2, KT_POOL_WORDS_MAX, false, kt_cli_pool_manifest},
};

static int wrong(const struct kt_cli_pool_args *args, const char *why)
{
	fprintf(stderr, "ktrust: pool %s: %s (see ktrust pool --help)\n", args->words[0], why);
	return KT_EXIT_TROUBLE;
}

int kt_cli_pool(int argc, char **argv)
{
	static const struct argp_child children[] = {{&kt_ask_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
		options,
		parse,
		"list\nshow POOL\nload POOL [SOURCE...]\nstage POOL [SOURCE...]\ncheck POOL\n"
		"diff POOL\n"
		"commit POOL\nunstage POOL\nrollback POOL [VERSION]\nhistory POOL\n"
		"manifest --epoch N SOURCE...",
		doc,
		children,
		NULL,
		NULL};
	struct kt_cli_pool_args args = {0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KT_EXIT_TROUBLE;
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		const struct action *action = &actions[i];

		if (strcmp(action->name, args.words[0]))
			continue;
		if (args.count < action->least || args.count > action->most)
			return wrong(&args, "wrong number of arguments");
		if (args.force && !action->may_force)
			return wrong(&args, "it has no --force");
		if (args.digest && action->run != kt_cli_pool_commit)
			return wrong(&args, "it has no --digest");
		return action->run(&args);
	}
	return wrong(&args, "no such action");
}
