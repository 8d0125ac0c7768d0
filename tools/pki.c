/* SPDX-License-Identifier: BSD-2-Clause */
/* pki: throwaway certificates on the command line, for the demo and for shell tests. */
#include "../selftests/lib/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2
#define DAY	   86400LL

struct request {
	struct pki_options options;
	const char *ca;	 /* prefix of the issuer's files */
	const char *out; /* prefix of the files to write */
	char eku[64];
	const char *revoked[PKI_REVOKED_MAX + 1]; /* prefixes, ends with NULL */
	const char *about;			  /* prefix */
};

struct command {
	const char *name;
	const char *help;
	int (*run)(struct request *request);
};

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "pki: %s: %s\n", what, why);
	return EXIT_USAGE;
}

static int make(const struct request *request)
{
	struct pki *pki;
	const struct pki_cert *issuer = NULL;
	int err = 0, status = 0;

	if (!request->options.cn || strlen(request->options.cn) > 64)
		return fail("--cn", "is missing or longer than 64 bytes");
	pki = pki_new();
	if (request->ca)
		err = pki_load(pki, request->ca, &issuer);
	if (err) {
		status = fail(request->ca, strerror(-err));
		goto free_pki;
	}
	err = pki_save(pki_make(pki, issuer, &request->options), request->out);
	if (err)
		status = fail(request->out, strerror(-err));
free_pki:
	pki_free(pki);
	return status;
}

static int run_ca(struct request *request)
{
	request->options.ca = true;
	return make(request);
}

static int run_leaf(struct request *request)
{
	if (!request->ca)
		return fail("leaf", "--ca is missing");
	return make(request);
}

static int load_revoked(struct pki *pki, const char *const *prefixes, struct pki_crl *crl)
{
	for (size_t i = 0; prefixes[i]; i++) {
		int err = pki_load(pki, prefixes[i], &crl->revoked[i]);

		if (err)
			return fail(prefixes[i], strerror(-err));
	}
	return 0;
}

static int write_der(struct pki_der der, const char *prefix, const char *suffix)
{
	char path[4096];
	FILE *file;
	bool bad;

	snprintf(path, sizeof path, "%s.%s", prefix, suffix);
	file = fopen(path, "we");
	bad = !file || fwrite(der.data, 1, der.len, file) != der.len;
	if (file)
		bad |= fclose(file) != 0;
	return bad ? fail(path, strerror(errno)) : 0;
}

static int run_crl(struct request *request)
{
	struct pki *pki = pki_new();
	struct pki_crl crl = {.this_update = request->options.not_before,
			      .next_update = request->options.not_after};
	const struct pki_cert *issuer;
	struct pki_der der = {0};
	int status;

	if (!request->ca || pki_load(pki, request->ca, &issuer)) {
		status = fail("crl", "--ca is missing, or cannot be read");
	} else {
		status = load_revoked(pki, request->revoked, &crl);
		if (!status) {
			der = pki_make_crl(issuer, &crl);
			status = write_der(der, request->out, "crl");
		}
	}
	free(der.data);
	pki_free(pki);
	return status;
}

static int run_ocsp(struct request *request)
{
	const struct pki_ocsp ocsp = {.this_update = request->options.not_before,
				      .next_update = request->options.not_after};
	const struct pki_cert *issuer, *about;
	struct pki *pki = pki_new();
	struct pki_der der = {0};
	int status;

	if (!request->ca || pki_load(pki, request->ca, &issuer)) {
		status = fail("ocsp", "--ca is missing, or cannot be read");
	} else if (!request->about || pki_load(pki, request->about, &about)) {
		status = fail("ocsp", "--about is missing, or cannot be read");
	} else {
		der = pki_make_ocsp(about, issuer, &ocsp);
		status = write_der(der, request->out, "ocsp");
	}
	free(der.data);
	pki_free(pki);
	return status;
}

static const struct command commands[] = {
	{"ca", "a root, or with --ca an intermediate", run_ca},
	{"crl", "the CRL of --ca, as DER in PREFIX.crl", run_crl},
	{"leaf", "an end entity's certificate, signed by --ca", run_leaf},
	{"ocsp", "the response of --ca about --about (good), as DER in PREFIX.ocsp", run_ocsp},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int usage(FILE *to)
{
	fprintf(to, "usage: pki COMMAND --cn NAME --out PREFIX [options]\n"
		    "Writes PREFIX.pem, PREFIX.key (mode 0600) and PREFIX.chain.pem.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-6s %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\n"
		    "  --ca PREFIX              issuer (files as written by this program)\n"
		    "  --dns NAME, --email ADDRESS, --ip ADDRESS, --uri URI\n"
		    "                           subject alternative names; may be repeated\n"
		    "  --eku client|server      extended key usage; may be repeated\n"
		    "  --key p256|rsa2048|ed25519\n"
		    "  --days N                 valid for N days from now (3650)\n"
		    "  --expired                valid until an hour ago\n"
		    "  --revoke PREFIX          of a CRL; may be repeated\n"
		    "  --about PREFIX           of an OCSP response\n");
	return to == stdout ? 0 : EXIT_USAGE;
}

static int add_san(const char **list, const char *value)
{
	for (size_t i = 0; i < PKI_SAN_MAX - 1; i++) {
		if (!list[i]) {
			list[i] = value;
			return 0;
		}
	}
	return fail(value, "too many names of this type");
}

static int add_ip(const char **list, const char *value)
{
	uint8_t address[16];

	if (inet_pton(AF_INET, value, address) != 1 && inet_pton(AF_INET6, value, address) != 1)
		return fail(value, "not an IP address");
	return add_san(list, value);
}

static int add_eku(struct request *request, const char *value)
{
	size_t used = strlen(request->eku);
	const char *word;

	if (!strcmp(value, "client"))
		word = "clientAuth";
	else if (!strcmp(value, "server"))
		word = "serverAuth";
	else
		return fail(value, "--eku is client or server");
	if (strstr(request->eku, word))
		return 0;
	snprintf(request->eku + used, sizeof request->eku - used, "%s%s", used ? "," : "", word);
	request->options.eku = request->eku;
	return 0;
}

static int set_key(struct pki_options *options, const char *value)
{
	static const char *const names[] = {
		[PKI_P256] = "p256", [PKI_RSA2048] = "rsa2048", [PKI_ED25519] = "ed25519"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!strcmp(value, names[i])) {
			options->key = (enum pki_key)i;
			return 0;
		}
	}
	return fail(value, "--key is p256, rsa2048 or ed25519");
}

static int set_days(struct pki_options *options, const char *value)
{
	char *end;
	long days = strtol(value, &end, 10);

	if (*end || days < 1 || days > 36500)
		return fail(value, "--days is a number from 1 to 36500");
	options->not_after = days * DAY;
	return 0;
}

static void set_expired(struct pki_options *options)
{
	options->not_before = -2 * DAY;
	options->not_after = -3600;
}

static int add_revoked(struct request *request, const char *prefix)
{
	for (size_t i = 0; i < PKI_REVOKED_MAX; i++) {
		if (!request->revoked[i]) {
			request->revoked[i] = prefix;
			return 0;
		}
	}
	return fail(prefix, "too many to revoke");
}

static int apply(struct request *request, int option, char *value)
{
	struct pki_options *options = &request->options;

	switch (option) {
	case 'c':
		options->cn = value;
		return 0;
	case 'o':
		request->out = value;
		return 0;
	case 'a':
		request->ca = value;
		return 0;
	case 'd':
		return add_san(options->dns, value);
	case 'i':
		return add_ip(options->ip, value);
	case 'u':
		return add_san(options->uri, value);
	case 'e':
		return add_eku(request, value);
	case 'k':
		return set_key(options, value);
	case 'n':
		return set_days(options, value);
	case 'm':
		return add_san(options->email, value);
	case 'r':
		return add_revoked(request, value);
	case 'b':
		request->about = value;
		return 0;
	case 'x':
		set_expired(options);
		return 0;
	default:
		return usage(stderr);
	}
}

static int parse(struct request *request, int argc, char **argv)
{
	static const struct option longs[] = {
		{"cn", required_argument, NULL, 'c'},	  {"out", required_argument, NULL, 'o'},
		{"ca", required_argument, NULL, 'a'},	  {"dns", required_argument, NULL, 'd'},
		{"ip", required_argument, NULL, 'i'},	  {"uri", required_argument, NULL, 'u'},
		{"eku", required_argument, NULL, 'e'},	  {"key", required_argument, NULL, 'k'},
		{"days", required_argument, NULL, 'n'},	  {"email", required_argument, NULL, 'm'},
		{"revoke", required_argument, NULL, 'r'}, {"about", required_argument, NULL, 'b'},
		{"expired", no_argument, NULL, 'x'},	  {NULL, 0, NULL, 0}};
	int option, status;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		status = apply(request, option, optarg);
		if (status)
			return status;
	}
	if (optind < argc)
		return fail(argv[optind], "not understood");
	if (!request->out)
		return fail("--out", "is missing");
	return 0;
}

int main(int argc, char **argv)
{
	struct request request = {0};
	int status;

	if (argc < 2)
		return usage(stderr);
	if (!strcmp(argv[1], "--help"))
		return usage(stdout);
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		status = parse(&request, argc - 1, argv + 1);
		return status ? status : commands[i].run(&request);
	}
	return fail(argv[1], "no such command (try --help)");
}
