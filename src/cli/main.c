/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust: one table of verbs, one file a verb. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include <ktrust/version.h>

#include "../error/standard_files.h"

/* Visible, since the C library looks for it. */
__attribute__((visibility("default"))) const char *argp_program_version = "ktrust " KT_VERSION;

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{"bench", kt_cli_bench, "measure ktrust beside the stock library and other servers"},
	{"conns", kt_cli_conns, "live connections, and which pool version let each in"},
	{"credentials", kt_cli_credentials, "certificates of the listeners, and until when"},
	{"dial", kt_cli_dial, "standard input and output over TLS to a server that is verified"},
	{"doctor", kt_cli_doctor, "what this machine lacks, and the line that mends it"},
	{"pool", kt_cli_pool,
	 "pools of trust anchors: show, load, stage, compare, commit, roll back"},
	{"roots", kt_cli_roots, "the roots of a certdata.txt or of this program, and their limits"},
	{"stats", kt_cli_stats, "counters: handshakes by outcome and by pool version, bytes"},
	{"trace", kt_cli_trace, "watch handshakes, publications and ends as they happen (eBPF)"},
	{"verify", kt_cli_verify, "the verdict on a chain, or on many, and why"},
};

static void usage(FILE *to)
{
	fprintf(to, "Usage: ktrust VERB [OPTION…]\n\n");
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		fprintf(to, "  %-11s %s\n", verbs[i].name, verbs[i].help);
	fprintf(to, "\n'ktrust VERB --help' tells about a verb. Exit status: 0 done, 1 refused or "
		    "\"no\", 2 trouble.\n");
}

int main(int argc, char **argv)
{
	static char name[64];

	if (!kt_standard_files_take())
		return KT_EXIT_TROUBLE;
	argp_err_exit_status = KT_EXIT_TROUBLE;
	if (argc < 2) {
		usage(stderr);
		return KT_EXIT_TROUBLE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "--usage") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		usage(stdout);
		return KT_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		puts(argp_program_version);
		return KT_EXIT_OK;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(verbs[i].name, argv[1]))
			continue;
		/* argp shows argv[0] in its messages */
		snprintf(name, sizeof name, "ktrust %s", argv[1]);
		argv[1] = name;
		return verbs[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "ktrust: %s: no such verb (see ktrust --help)\n", argv[1]);
	return KT_EXIT_TROUBLE;
}
