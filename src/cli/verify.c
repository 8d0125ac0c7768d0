/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust verify: the verdict on one chain, or on each of a batch. */
#include "verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum {
	OPT_ALLOW = 256,
	OPT_BATCH,
	OPT_CRL,
	OPT_MAX_DEPTH,
	OPT_PROFILE,
	OPT_PURPOSE,
	OPT_THREADS,
	OPT_VERIFIER,
};

#define THREADS_MAX 64

struct verify_args {
	const char **sources; /* of anchors, then of CRLs as crl: */
	size_t count;
	char **owned; /* those of the sources that were made here */
	size_t owned_count;
	bool has_anchors;
	bool has_role;
	bool json;
	bool explain;
	bool any_purpose;
	int of_case;	    /* key of an option that each case of a batch has itself; 0: none */
	const char **rules; /* whom to allow */
	size_t rule_count;
	const char *intermediates;
	const char *chain;
	const char *batch;
	unsigned int threads;
	enum kt_verifier_mode mode;
	struct kt_query query;
};

static const struct argp_option options[] = {
	{"allow", OPT_ALLOW, "RULE", 0, "Who may come in: " KT_CLI_RULES "; may be repeated", 0},
	{"anchors", 'a', "SOURCE", 0,
	 "Whom to trust: file:PATH (or PATH), dir:PATH, certdata:PATH, system, embedded; may be "
	 "repeated",
	 0},
	{"batch", OPT_BATCH, "FILE", 0, "Cases, a JSON object a line ('-': standard input)", 0},
	{"crl", OPT_CRL, "FILE", 0, "CRLs that count; may be repeated", 0},
	{"explain", 'e', NULL, 0, "Every path that was tried, and why it ended", 0},
	{"intermediates", 'i', "FILE", 0, "Certificates that a path may go through", 0},
	{"json", 'j', NULL, 0, "Print JSON", 0},
	{"max-depth", OPT_MAX_DEPTH, "N", 0, "At most so many intermediates", 0},
	{"name", 'n', "NAME", 0, "Whom it is to be: " KT_CLI_NAMES, 0},
	{"profile", OPT_PROFILE, "PROFILE", 0,
	 KT_CLI_PROFILES " (default: web for a server, rfc5280 for a client)", 0},
	{"purpose", OPT_PURPOSE, "any", 0, "Roots for servers vouch for clients too", 0},
	{"role", 'r', "ROLE", 0, "What the peer is: " KT_CLI_ROLES, 0},
	{"threads", OPT_THREADS, "N", 0, "Of a batch (default 1)", 0},
	{"time", 't', "TIME", 0, "Then, instead of now: " KT_CLI_TIMES, 0},
	{"verifier", OPT_VERIFIER, "WHICH", 0,
	 "both (default): OpenSSL's has to accept as well; or own", 0},
	{0},
};

static const char doc[] =
	"Would a peer with this chain be accepted? CHAIN is PEM, the peer's own certificate first, "
	"or DER; '-' is standard input."
	"\v"
	"A case of a batch has \"chain\" and \"role\", \"anchors\" or \"sources\", and may have "
	"\"id\", \"intermediates\", \"crls\", \"name\", \"allow\" (an array), \"time\", "
	"\"max_depth\", \"profile\" and \"expected\" (accepted, refused, or a verdict); "
	"certificates are arrays of PEM.\n\n"
	"Status 0: accepted; of a batch: all decided, as expected. 1: refused; of a batch: a "
	"verdict was not as expected. 2: could not decide.";

static void note(const char ***list, size_t *count, const char *text, struct argp_state *state)
{
	const char **more = realloc(*list, (*count + 1) * sizeof *more);

	if (!more)
		argp_failure(state, KT_EXIT_TROUBLE, ENOMEM, "%s", text);
	*list = more;
	more[(*count)++] = text;
}

static void note_source(struct verify_args *args, const char *source, struct argp_state *state)
{
	note(&args->sources, &args->count, source, state);
}

static void note_rule(struct verify_args *args, const char *rule, struct argp_state *state)
{
	struct kt_error error;

	if (kt_allow_check(rule, &error))
		argp_error(state, "--allow %s: %s", rule, error.text);
	note(&args->rules, &args->rule_count, rule, state);
}

static void note_crl(struct verify_args *args, const char *path, struct argp_state *state)
{
	char **more = realloc(args->owned, (args->owned_count + 1) * sizeof *more);
	char *source = NULL;

	if (!more || asprintf(&source, "crl:%s", path) < 0)
		argp_failure(state, KT_EXIT_TROUBLE, ENOMEM, "%s", path);
	args->owned = more;
	args->owned[args->owned_count++] = source;
	note_source(args, source, state);
}

static unsigned long long number(const char *option, const char *arg, unsigned long long least,
				 unsigned long long most, struct argp_state *state)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(arg, &end, 10);
	if (*arg < '0' || *arg > '9' || *end || errno || value < least || value > most)
		argp_error(state, "--%s %s: a number from %llu to %llu is expected", option, arg,
			   least, most);
	return value;
}

/* Options that say what is asked; 0: it was one. */
static error_t parse_query(int key, char *arg, struct argp_state *state)
{
	struct verify_args *args = state->input;
	struct kt_query *query = &args->query;

	switch (key) {
	case 'n':
		if (kt_cli_name(arg, &query->name_type, &query->name))
			argp_error(state, "--name %s: " KT_CLI_NAMES " is expected", arg);
		return 0;
	case 'r':
		if (kt_cli_role(arg, &query->role))
			argp_error(state, "--role %s: " KT_CLI_ROLES " is expected", arg);
		args->has_role = true;
		return 0;
	case 't':
		if (kt_cli_time(arg, &query->time))
			argp_error(state, "--time %s: " KT_CLI_TIMES " is expected", arg);
		return 0;
	case OPT_ALLOW:
		note_rule(args, arg, state);
		return 0;
	case OPT_MAX_DEPTH:
		query->policy.path_max =
			kt_cli_path_max(number("max-depth", arg, 0, UINT32_MAX, state));
		return 0;
	case OPT_PROFILE:
		if (kt_cli_profile(arg, &query->policy.profile))
			argp_error(state, "--profile %s: " KT_CLI_PROFILES " is expected", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_certificates(int key, char *arg, struct argp_state *state)
{
	struct verify_args *args = state->input;

	switch (key) {
	case 'a':
		args->has_anchors = true;
		note_source(args, arg, state);
		return 0;
	case 'i':
		args->intermediates = arg;
		return 0;
	case OPT_CRL:
		note_crl(args, arg, state);
		return 0;
	case ARGP_KEY_ARG:
		if (args->chain)
			argp_error(state, "%s: one CHAIN at a time", arg);
		args->chain = arg;
		return 0;
	default:
		return parse_query(key, arg, state);
	}
}

static void refuse_of_case(int key, struct argp_state *state)
{
	const char *name = "CHAIN";

	for (size_t i = 0; options[i].name; i++)
		if (options[i].key == key)
			name = options[i].name;
	argp_error(state, "%s: each case of a batch has its own", name);
}

/* What is left to say once all options are known. */
static void check(const struct verify_args *args, struct argp_state *state)
{
	if (args->batch && (args->of_case || args->chain))
		refuse_of_case(args->of_case, state);
	if (args->batch)
		return;
	if (args->threads)
		argp_error(state, "--threads: only a batch has several");
	if (!args->has_anchors)
		argp_error(state, "whom to trust? (--anchors SOURCE)");
	if (!args->has_role)
		argp_error(state, "what is the peer? (--role " KT_CLI_ROLES ")");
	if (args->query.role == KT_ROLE_SERVER && args->query.name_type == KT_NAME_NONE)
		argp_error(state, "a server has a name (--name " KT_CLI_NAMES ")");
	if (!args->chain)
		argp_error(state, "which chain? (CHAIN, a file; '-' is standard input)");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct verify_args *args = state->input;
	error_t ret;

	switch (key) {
	case 'e':
		args->explain = true;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case OPT_BATCH:
		args->batch = arg;
		return 0;
	case OPT_PURPOSE:
		if (strcmp(arg, "any"))
			argp_error(state, "--purpose %s: any is expected", arg);
		args->any_purpose = true;
		return 0;
	case OPT_THREADS:
		args->threads = (unsigned int)number("threads", arg, 1, THREADS_MAX, state);
		return 0;
	case OPT_VERIFIER:
		if (kt_cli_verifier(arg, &args->mode))
			argp_error(state, "--verifier %s: both or own is expected", arg);
		return 0;
	case ARGP_KEY_END:
		check(args, state);
		return 0;
	default:
		ret = parse_certificates(key, arg, state);
		if (ret == 0 && key != ARGP_KEY_ARG)
			args->of_case = key;
		return ret;
	}
}

/* ---- One chain ------------------------------------------------------------------------------- */

/* What a decision needs; every member may be NULL. */
struct ready {
	struct kt_snapshot *anchors;
	struct kt_snapshot *intermediates;
	struct kt_cli_chain chain;
	struct kt_allow *allow; /* may stay NULL */
	struct kt_verifier *verifier;
};

static int out_of_memory(struct kt_error *error)
{
	return kt_error_set(error, ENOMEM, "verify", 0, "out of memory");
}

static int build_anchors(const struct verify_args *args, struct kt_snapshot **ret_snapshot,
			 struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	int ret = set ? 0 : out_of_memory(error);

	for (size_t i = 0; i < args->count && ret == 0; i++)
		ret = kt_cli_trust_add(set, args->sources[i], args->query.role, args->any_purpose,
				       error);
	if (ret == 0)
		ret = kt_snapshot_build(set, "verify", "", 1, ret_snapshot, error);
	kt_anchor_set_free(set);
	return ret;
}

static int get_ready(const struct verify_args *args, struct ready *ready, struct kt_error *error)
{
	const struct kt_verifier_options verifier = {.mode = args->mode};
	int ret = build_anchors(args, &ready->anchors, error);

	if (ret == 0 && args->intermediates)
		ret = kt_cli_trust_intermediates(args->intermediates, &ready->intermediates, error);
	if (ret == 0)
		ret = kt_cli_chain_read(&ready->chain, args->chain, error);
	if (ret == 0 && args->rule_count)
		ret = kt_allow_new(args->rules, args->rule_count, &ready->allow, error);
	if (ret)
		return ret;
	ready->verifier = kt_verifier_new(&verifier);
	return ready->verifier ? 0 : out_of_memory(error);
}

static void fini(struct ready *ready)
{
	kt_verifier_free(ready->verifier);
	kt_allow_free(ready->allow);
	kt_cli_chain_fini(&ready->chain);
	kt_snapshot_free(ready->intermediates);
	kt_snapshot_free(ready->anchors);
}

static int answer(const struct verify_args *args, const struct ready *ready, json_t *paths)
{
	const struct kt_chain chain = {ready->chain.certs, ready->chain.count};
	struct kt_query query = args->query;
	struct kt_verdict verdict;
	const struct kt_cli_answer told = {&verdict, ready->anchors, &ready->chain, paths};
	int status;

	query.intermediates = ready->intermediates;
	query.allow = ready->allow;
	if (paths)
		kt_verify_explain(ready->verifier, ready->anchors, &chain, &query,
				  kt_cli_tell_attempt, paths, &verdict);
	else
		kt_verify(ready->verifier, ready->anchors, &chain, &query, &verdict);
	if (args->json) {
		status = kt_print_json(kt_cli_answer_json(&told));
	} else {
		kt_cli_answer_text(&told, args->explain);
		status = kt_print_end();
	}
	return status ? status : kt_cli_verdict_status(verdict.code);
}

static int verify_one(const struct verify_args *args)
{
	struct ready ready = {0};
	struct kt_error error = {0};
	int status = KT_EXIT_TROUBLE;
	json_t *paths;

	if (get_ready(args, &ready, &error)) {
		kt_complain(&error);
	} else {
		/* Text names the certificate that was refused, which the paths tell. */
		paths = args->explain || !args->json ? json_array() : NULL;
		status = answer(args, &ready, paths);
		json_decref(paths);
	}
	fini(&ready);
	return status;
}

int kt_cli_verify(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "[CHAIN]", doc, NULL, NULL, NULL};
	struct verify_args args = {.query = {.time = time(NULL)}};
	int status = KT_EXIT_TROUBLE;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args) == 0) {
		const struct kt_cli_batch batch = {
			.path = args.batch,
			.threads = args.threads ? args.threads : 1,
			.mode = args.mode,
			.explain = args.explain,
			.any_purpose = args.any_purpose,
		};

		status = args.batch ? kt_cli_verify_batch(&batch) : verify_one(&args);
	}
	for (size_t i = 0; i < args.owned_count; i++)
		free(args.owned[i]);
	free(args.owned);
	free(args.sources);
	free(args.rules);
	return status;
}
