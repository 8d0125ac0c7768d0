/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust roots: which roots a source holds, and what limits them. */
#include "roots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ktrust/nss.h>
#include <ktrust/roots.h>

#include "cli.h"
#include "read.h"

struct roots_args {
	const char *source;
	const char *format;
	bool all;
};

static const struct argp_option options[] = {
	{"all", 'a', NULL, 0, "Those that are not trusted too, and why", 0},
	{"format", 'f', "FORMAT", 0, "pem, json or text (default)", 0},
	{"from", 's', "SOURCE", 0, "certdata:FILE (Mozilla's), or embedded (default)", 0},
	{"json", 'j', NULL, 0, "Short for --format=json", 0},
	{0},
};

static const char doc[] =
	"The roots of a source that are trusted for servers, and what limits them."
	"\v"
	"A limit is a date after which certificates below the root are not trusted if they were "
	"issued later, or the names that they may be for. A root with a limit that is not "
	"understood is not trusted, and named on standard error.\n\n"
	"Status 1: the source holds no root that is trusted.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct roots_args *args = state->input;

	switch (key) {
	case 'a':
		args->all = true;
		return 0;
	case 'f':
		args->format = arg;
		return 0;
	case 'j':
		args->format = "json";
		return 0;
	case 's':
		args->source = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- The listing --------------------------------------------------------------------------- */

static void free_listing(struct kt_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++) {
		free(listing->roots[i].der);
		free(listing->roots[i].label);
		free(listing->roots[i].reason);
	}
	free(listing->roots);
}

static int out_of_memory(const struct kt_listing *listing, struct kt_error *error)
{
	return kt_error_set(error, ENOMEM, listing->where, 0, "out of memory");
}

/* A new root with all that follows from its certificate; NULL: out of memory. */
static struct kt_listed *append(struct kt_listing *listing, const struct kt_anchor *anchor,
				const char *label, const char *reason)
{
	struct kt_listed *root;

	if (listing->count == listing->room) {
		size_t room = listing->room ? listing->room * 2 : 256;
		struct kt_listed *roots = realloc(listing->roots, room * sizeof *roots);

		if (!roots)
			return NULL;
		listing->roots = roots;
		listing->room = room;
	}
	root = &listing->roots[listing->count];
	memset(root, 0, sizeof *root);
	root->der = malloc(anchor->der_len);
	root->label = strdup(label);
	root->reason = strdup(reason);
	listing->count++;
	if (!root->der || !root->label || !root->reason)
		return NULL;
	memcpy(root->der, anchor->der, anchor->der_len);
	root->der_len = anchor->der_len;
	memcpy(root->fingerprint, anchor->fingerprint, KT_DIGEST_LEN);
	root->distrust_after = anchor->constraints.distrust_after;
	root->permitted_dns = anchor->constraints.permitted_dns;
	kt_anchor_describe(anchor, &root->text);
	return root;
}

/* ---- Sources ------------------------------------------------------------------------------- */

static int take_nss_root(const struct kt_nss_root *root, void *arg)
{
	const struct kt_anchor anchor = {.der = root->der,
					 .der_len = root->der_len,
					 .subject = root->subject,
					 .subject_len = root->subject_len,
					 .fingerprint = root->fingerprint,
					 .constraints = root->constraints};
	struct kt_listed *listed = append(arg, &anchor, root->label, root->reason);

	if (!listed)
		return -ENOMEM;
	listed->trust = kt_nss_trust_name(root->trust);
	listed->trusted = root->trust == KT_NSS_TRUSTED;
	listed->unknown = root->trust == KT_NSS_UNKNOWN_CONSTRAINT;
	listed->line = root->line;
	return 0;
}

static int load_certdata(struct kt_listing *listing, const char *path, struct kt_error *error)
{
	struct kt_nss_counts counts;
	char *bytes = NULL;
	size_t len = 0;
	int ret = kt_cli_read(path, false, KT_NSS_TEXT_MAX, &bytes, &len, error);

	if (ret)
		return ret;
	listing->where = path;
	error->err = 0;
	ret = kt_nss_parse(bytes, len, path, take_nss_root, listing, &counts, error);
	free(bytes);
	if (ret)
		return error->err ? ret : out_of_memory(listing, error);
	listing->certificates = counts.certificates;
	listing->trusted = counts.trusted;
	listing->constrained = counts.constrained;
	listing->trust_without_certificate = counts.trust_without_certificate;
	return 0;
}

#if KT_EMBEDDED_ROOTS
static int load_embedded(struct kt_listing *listing, const char *rest, struct kt_error *error)
{
	const struct kt_roots *roots = &kt_embedded_roots;

	(void)rest;
	listing->version = roots->version;
	listing->date = roots->date;
	listing->digest = roots->digest;
	listing->certificates = listing->trusted = roots->count;
	for (size_t i = 0; i < roots->count; i++) {
		const struct kt_root *root = &roots->roots[i];
		const struct kt_anchor anchor = {.der = root->der,
						 .der_len = root->der_len,
						 .subject = root->subject,
						 .subject_len = root->subject_len,
						 .fingerprint = root->fingerprint,
						 .constraints = root->constraints};
		struct kt_listed *listed = append(listing, &anchor, root->label, "");

		if (!listed)
			return out_of_memory(listing, error);
		listed->trust = kt_nss_trust_name(KT_NSS_TRUSTED);
		listed->trusted = true;
		listing->constrained += root->constraints.distrust_after != KT_DISTRUST_NEVER ||
					root->constraints.permitted_dns != NULL;
	}
	return 0;
}
#else
static int load_embedded(struct kt_listing *listing, const char *rest, struct kt_error *error)
{
	(void)listing;
	(void)rest;
	return kt_error_set(error, ENODATA, "embedded", 0,
			    "this program carries no roots (it was built with EMBEDDED_ROOTS=no)");
}
#endif

static const struct source_kind {
	const char *prefix; /* one that ends in ':' has something behind it */
	int (*load)(struct kt_listing *listing, const char *rest, struct kt_error *error);
} kinds[] = {
	{"certdata:", load_certdata},
	{"embedded", load_embedded},
};

static int load(struct kt_listing *listing, struct kt_error *error)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		size_t len = strlen(kinds[i].prefix);
		bool has_rest = kinds[i].prefix[len - 1] == ':';

		if (strncmp(listing->source, kinds[i].prefix, len) == 0 &&
		    has_rest == (listing->source[len] != '\0'))
			return kinds[i].load(listing, listing->source + len, error);
	}
	return kt_error_set(error, EINVAL, listing->source, 0,
			    "not a source of roots (expected: certdata:FILE or embedded)");
}

/* ---- The verb ------------------------------------------------------------------------------ */

static void tell_unknown(const struct kt_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++) {
		const struct kt_listed *root = &listing->roots[i];
		struct kt_error error = {0};

		if (!root->unknown)
			continue;
		kt_error_set(&error, EBADMSG, listing->where, root->line, "%s: not trusted: %s",
			     root->label, root->reason);
		kt_complain(&error);
	}
}

static int no_root(const struct kt_listing *listing)
{
	fprintf(stderr, "ktrust: %s: no root in it is trusted for servers\n", listing->source);
	return KT_EXIT_NO;
}

static const struct format {
	const char *name;
	int (*print)(const struct kt_listing *listing, bool all);
} formats[] = {
	{"json", kt_roots_print_json},
	{"pem", kt_roots_print_pem},
	{"text", kt_roots_print_text},
};

static const struct format *find_format(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}

static int show(struct kt_listing *listing, const struct format *format, bool all)
{
	struct kt_error error = {0};
	int status;

	if (load(listing, &error)) {
		kt_complain(&error);
		return error.err == ENODATA ? KT_EXIT_NO : KT_EXIT_TROUBLE;
	}
	tell_unknown(listing);
	status = format->print(listing, all);
	if (status == KT_EXIT_OK && listing->trusted == 0)
		return no_root(listing);
	return status;
}

int kt_cli_roots(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
	struct roots_args args = {.source = "embedded", .format = "text"};
	struct kt_listing listing = {.now = time(NULL)};
	const struct format *format;
	int status;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KT_EXIT_TROUBLE;
	format = find_format(args.format);
	if (!format) {
		fprintf(stderr, "ktrust: %s: not a format (expected: pem, json or text)\n",
			args.format);
		return KT_EXIT_TROUBLE;
	}
	listing.source = listing.where = args.source;
	status = show(&listing, format, args.all);
	free_listing(&listing);
	return status;
}
