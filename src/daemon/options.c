/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of ktrustd: a flag for each setting, built from the settings' own table. */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"

/* Visible, since the C library looks for it. */
__attribute__((visibility("default"))) const char *argp_program_version = "ktrustd " KT_VERSION;

enum { KEY_CONFIG = 0x100, KEY_POOL, KEY_LISTENER, KEY_CHECK, KEY_SETTING };
enum { SETTINGS_MAX = 64 };

struct parsing {
	struct kt_config *config;
	bool check_only;
	char listener[64]; /* the section that listener flags go to */
	char pool[64];	   /* that of --pool, which pool flags go to; empty: none was given */
	struct kt_error error;
	int err;
};

/* "--pool NAME=SOURCE" */
static int add_pool(struct parsing *parsing, const char *arg)
{
	const char *equals = strchr(arg, '=');
	char section[64];

	if (!equals || equals == arg || equals - arg > KT_POOL_NAME_MAX)
		return kt_error_set(&parsing->error, EINVAL, "--pool", 0,
				    "expected NAME=SOURCE, for example clients=file:clients.pem");
	snprintf(section, sizeof section, "pool %.*s", (int)(equals - arg), arg);
	strcpy(parsing->pool, section);
	return kt_config_set(parsing->config, section, "source", equals + 1, "--pool", 0,
			     &parsing->error);
}

static int set_listener(struct parsing *parsing, const char *name)
{
	snprintf(parsing->listener, sizeof parsing->listener, "listener %s", name);
	return kt_config_add_section(parsing->config, parsing->listener, "--listener", 0,
				     &parsing->error);
}

static int set_from_flag(struct parsing *parsing, const struct kt_setting *setting, const char *arg)
{
	char where[64];

	const char *section = setting->section;

	snprintf(where, sizeof where, "--%s", setting->key);
	if (!strcmp(section, "listener"))
		section = parsing->listener;
	else if (!strcmp(section, "pool"))
		section = parsing->pool;
	if (!section[0])
		return kt_error_set(&parsing->error, EINVAL, where, 0,
				    "of which pool? (put it behind --pool NAME=SOURCE)");
	return kt_config_set(parsing->config, section, setting->key, arg, where, 0,
			     &parsing->error);
}

static error_t parse_flag(int key, char *arg, struct argp_state *state)
{
	struct parsing *parsing = state->input;

	switch (key) {
	case KEY_CONFIG:
		parsing->err = kt_config_read(parsing->config, arg, &parsing->error);
		break;
	case KEY_POOL:
		parsing->err = add_pool(parsing, arg);
		break;
	case KEY_LISTENER:
		parsing->err = set_listener(parsing, arg);
		break;
	case KEY_CHECK:
		parsing->check_only = true;
		break;
	default:
		if (key < KEY_SETTING || key >= KEY_SETTING + SETTINGS_MAX)
			return ARGP_ERR_UNKNOWN;
		parsing->err =
			set_from_flag(parsing, kt_config_setting((size_t)(key - KEY_SETTING)), arg);
	}
	return parsing->err ? -parsing->err : 0;
}

static const struct argp_option fixed[] = {
	{"config", KEY_CONFIG, "FILE", 0,
	 "Read settings from an INI file; flags after it replace what it says", 1},
	{"check", KEY_CHECK, NULL, 0, "Check the settings, files and pools, then exit", 1},
	{"pool", KEY_POOL, "NAME=SOURCE", 0,
	 "A pool and where its anchors come from: file:PATH, dir:PATH, certdata:PATH, crl:PATH, "
	 "system or embedded; several sources add up. The pool flags after it are about this pool",
	 2},
	{"listener", KEY_LISTENER, "NAME", 0,
	 "The listener that the flags after it describe (default main)", 3},
};

/* The fixed flags, then one for each setting but the pools' sources, then the end. */
static void build_options(struct argp_option *options)
{
	const struct kt_setting *setting;
	size_t n = sizeof fixed / sizeof fixed[0];

	memcpy(options, fixed, sizeof fixed);
	for (int i = 0; i < SETTINGS_MAX && (setting = kt_config_setting((size_t)i)); i++) {
		if (!strcmp(setting->key, "source"))
			continue; /* --pool */
		options[n++] = (struct argp_option){
			.name = setting->key,
			.key = KEY_SETTING + i,
			.arg = setting->value,
			.doc = setting->help,
			.group = !strcmp(setting->section, "listener") ? 3
				 : !strcmp(setting->section, "pool")   ? 2
								       : 1,
		};
	}
	options[n] = (struct argp_option){0};
}

static const char doc[] =
	"Terminate mutual TLS in front of a plain backend, verify each client against a pool of "
	"trust "
	"anchors that can be swapped at any time, and hand the records to the kernel."
	"\v"
	"The same settings in a file (--config FILE): [ktrust] has those of the first group, "
	"[pool NAME] has 'source' and those of the second, [listener NAME] those of the last.\n\n"
	"A DURATION is a number and ms, s, m or h.\n\n"
	"SIGHUP loads all pools, certificates and keys again. SIGTERM and SIGINT stop accepting "
	"and let connections end; "
	"a second one does not wait for them. Exit status: 0 stopped as asked, or --check found "
	"nothing; 2 trouble.";

int kt_options_parse(int argc, char **argv, struct kt_config *config, bool *ret_check_only,
		     struct kt_error *error)
{
	struct argp_option options[sizeof fixed / sizeof fixed[0] + SETTINGS_MAX + 1];
	struct argp argp = {.options = options, .parser = parse_flag, .doc = doc};
	struct parsing parsing = {.config = config, .listener = "listener main"};
	error_t err;

	build_options(options);
	argp_err_exit_status = 2;
	err = argp_parse(&argp, argc, argv, 0, NULL, &parsing);
	if (err) {
		if (error)
			*error = parsing.error;
		return -err;
	}
	*ret_check_only = parsing.check_only;
	return 0;
}
