/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verbs of `ktrust`. Each takes its own argc and argv (argv[0] is "ktrust VERB") and returns
 * the exit status: KT_EXIT_OK done or accepted, KT_EXIT_NO refused or "no", KT_EXIT_TROUBLE usage,
 * input or system error. Errors go to stderr as "ktrust: what: why (what to do)".
 */
#ifndef KTRUST_CLI_H
#define KTRUST_CLI_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>

#include <ktrust/error.h>

enum { KT_EXIT_OK = 0, KT_EXIT_NO = 1, KT_EXIT_TROUBLE = 2 };

int kt_cli_bench(int argc, char **argv);
int kt_cli_conns(int argc, char **argv);
int kt_cli_credentials(int argc, char **argv);
int kt_cli_dial(int argc, char **argv);
int kt_cli_doctor(int argc, char **argv);
int kt_cli_pool(int argc, char **argv);
int kt_cli_roots(int argc, char **argv);
int kt_cli_stats(int argc, char **argv);
int kt_cli_trace(int argc, char **argv);
int kt_cli_verify(int argc, char **argv);

/* ---- Shared by verbs that ask the daemon (ask.c) --------------------------------------------- */

struct kt_ask {
	const char *control; /* path of the socket */
	bool json;
};

/* argp child that fills a struct kt_ask (the verb's parser sets child_inputs[0]): --control, --json
 */
extern const struct argp kt_ask_argp;

/* The same for a verb that takes nothing else. argp told what is wrong when it is not 0. */
int kt_ask_parse(int argc, char **argv, const char *doc, struct kt_ask *ret_ask);

/*
 * Ask the daemon one thing; the request is stolen. 0 and a new reference in ret_result, or an exit
 * status after the error was told. fn gets the items, borrowed.
 */
int kt_ask(const struct kt_ask *ask, json_t *request, void (*fn)(json_t *item, void *arg),
	   void *arg, json_t **ret_result);

/* Print one JSON object on a line (stolen). KT_EXIT_OK, or KT_EXIT_TROUBLE when stdout is gone. */
int kt_print_json(json_t *value);

/* After the last of other output: did all of it get out? As kt_print_json, which needs none. */
int kt_print_end(void);

/* Member of an object for printing; "-" where there is none. */
const char *kt_text(json_t *object, const char *key);
long long kt_number(json_t *object, const char *key);

/* "1.2s", "3m04s", "5h12m": for people. Returns buf. */
char *kt_duration(long long duration_ns, char buf[static 24]);

/* "ktrust: where: text" on stderr. */
void kt_complain(const struct kt_error *error);

#endif
