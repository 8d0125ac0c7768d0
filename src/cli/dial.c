/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust dial: standard input and output over TLS, to a server that is verified. */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ktrust/credentials.h>
#include <ktrust/pool.h>
#include <ktrust/source.h>

#include "cli.h"
#include "verify.h"

enum { OPT_ALPN = 256, OPT_KTLS, OPT_PROFILE, OPT_PROXY, OPT_PROXY_CREDENTIALS, OPT_TIMEOUT };

#define SOURCES_MAX   16
#define TIMEOUT_MAX_S 86400
#define TIMEOUT_S     30

struct dial_args {
	const char *sources[SOURCES_MAX];
	size_t source_count;
	const char *certificate, *key;
	const char *proxy_credentials;
	enum kt_profile profile;
	bool json;
	struct kt_dial dial;
};

static const struct argp_option options[] = {
	{"alpn", OPT_ALPN, "NAME,…", 0, "Protocols to offer, as h2,http/1.1", 0},
	{"anchors", 'a', "SOURCE", 0,
	 "Whom to trust: file:PATH (or PATH), dir:PATH, certdata:PATH, crl:PATH, system (default), "
	 "embedded; may be repeated",
	 0},
	{"certificate", 'c', "FILE", 0, "PEM chain of our own, for servers that ask", 0},
	{"json", 'j', NULL, 0, "Print the verdict, an object of JSON, on standard error", 0},
	{"key", 'k', "FILE", 0, "PEM key of our own certificate", 0},
	{"ktls", OPT_KTLS, "auto|require|off", 0, "Records in the kernel (default auto)", 0},
	{"name", 'n', "NAME", 0, "Whom it is to be, a host name or an address (default: HOST)", 0},
	{"profile", OPT_PROFILE, "PROFILE", 0, KT_CLI_PROFILES " (default web)", 0},
	{"proxy", OPT_PROXY, "URL", 0, "Go through http://[USER:PASSWORD@]HOST:PORT or socks5://…",
	 0},
	{"proxy-credentials", OPT_PROXY_CREDENTIALS, "FILE", 0,
	 "A line USER:PASSWORD for the proxy, which others cannot see in a list of processes", 0},
	{"timeout", OPT_TIMEOUT, "SECONDS", 0, "Until the handshake is done (default 30)", 0},
	{0},
};

static const char doc[] =
	"Connect to a server over TLS, verify it, and carry standard input to it and what it says "
	"to standard output."
	"\v"
	"The end of standard input is said to the server (close_notify), which may go on; its own "
	"end closes standard output. An end without close_notify is an error: anybody on the way "
	"could have made it.\n\n"
	"Status 0: both sides ended as they should. 1: the server was refused, or refused us. 2: "
	"usage, no connection, or one that broke. 3: keys had to be replaced (KeyUpdate, or "
	"RFC 8446 §5.5) and could not be, where the kernel has the records: --ktls off follows a "
	"KeyUpdate everywhere.";

/* ---- Words ----------------------------------------------------------------------------------- */

static bool is_address(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* "h2,http/1.1" into a length and a name each. */
static bool parse_alpn(const char *text, struct kt_dial *dial)
{
	dial->alpn_len = 0;
	for (;;) {
		size_t len = strcspn(text, ",");

		if (!len || dial->alpn_len + 1 + len > sizeof dial->alpn)
			return false;
		dial->alpn[dial->alpn_len++] = (uint8_t)len;
		memcpy(dial->alpn + dial->alpn_len, text, len);
		dial->alpn_len += len;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

static bool parse_ktls(const char *text, enum kt_ktls_mode *ret_mode)
{
	static const char *const words[] = {
		[KT_KTLS_AUTO] = "auto", [KT_KTLS_REQUIRE] = "require", [KT_KTLS_OFF] = "off"};

	for (unsigned int i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(text, words[i]))
			continue;
		*ret_mode = (enum kt_ktls_mode)i;
		return true;
	}
	return false;
}

static uint64_t deadline_after(unsigned long seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_sec + seconds) * 1000000000u + (uint64_t)now.tv_nsec;
}

static void set_timeout(struct kt_dial *dial, const char *arg, struct argp_state *state)
{
	char *end;
	unsigned long seconds = strtoul(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || !seconds || seconds > TIMEOUT_MAX_S)
		argp_error(state, "--timeout %s: a number from 1 to %d is expected", arg,
			   TIMEOUT_MAX_S);
	dial->deadline_ns = deadline_after(seconds);
}

static void set_proxy(struct kt_dial *dial, char *arg, struct argp_state *state)
{
	struct kt_error error;
	int err = kt_upstream_url_parse(arg, &dial->proxy, &error);

	/* Before all else: lists of processes show it, and what is malformed has a password too. */
	explicit_bzero(arg, strlen(arg));
	if (err)
		argp_error(state, "--proxy: %s", error.text);
	dial->has_proxy = true;
}

static void set_target(struct kt_dial *dial, const char *arg, struct argp_state *state)
{
	struct kt_error error;

	if (dial->target)
		argp_error(state, "%s: one HOST:PORT at a time", arg);
	if (kt_address_split(arg, dial->host, &dial->port, &error))
		argp_error(state, "%s: %s", arg, error.text);
	dial->target = arg;
}

static void check(struct dial_args *args, struct argp_state *state)
{
	struct kt_dial *dial = &args->dial;

	if (!dial->target)
		argp_error(state, "whom to connect to? (HOST:PORT)");
	if (!args->certificate != !args->key)
		argp_error(state, "--certificate and --key belong together");
	if (args->proxy_credentials && !dial->has_proxy)
		argp_error(state, "--proxy-credentials: of which proxy? (--proxy URL)");
	if (!dial->name)
		dial->name = dial->host;
	dial->name_type = is_address(dial->name) ? KT_NAME_IP : KT_NAME_DNS;
}

static error_t parse_words(int key, char *arg, struct argp_state *state)
{
	struct dial_args *args = state->input;

	switch (key) {
	case OPT_ALPN:
		if (!parse_alpn(arg, &args->dial))
			argp_error(state, "--alpn %s: names with commas between them are expected",
				   arg);
		return 0;
	case OPT_KTLS:
		if (!parse_ktls(arg, &args->dial.ktls))
			argp_error(state, "--ktls %s: auto, require or off is expected", arg);
		return 0;
	case OPT_PROFILE:
		if (kt_cli_profile(arg, &args->profile))
			argp_error(state, "--profile %s: " KT_CLI_PROFILES " is expected", arg);
		return 0;
	case OPT_PROXY:
		set_proxy(&args->dial, arg, state);
		return 0;
	case OPT_PROXY_CREDENTIALS:
		args->proxy_credentials = arg;
		return 0;
	case OPT_TIMEOUT:
		set_timeout(&args->dial, arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct dial_args *args = state->input;

	switch (key) {
	case 'a':
		if (args->source_count == SOURCES_MAX)
			argp_error(state, "--anchors: at most %d times", SOURCES_MAX);
		args->sources[args->source_count++] = arg;
		return 0;
	case 'c':
		args->certificate = arg;
		return 0;
	case 'j':
		args->json = true;
		return 0;
	case 'k':
		args->key = arg;
		return 0;
	case 'n':
		args->dial.name = arg;
		return 0;
	case ARGP_KEY_ARG:
		set_target(&args->dial, arg, state);
		return 0;
	case ARGP_KEY_END:
		check(args, state);
		return 0;
	default:
		return parse_words(key, arg, state);
	}
}

/* ---- Doing ----------------------------------------------------------------------------------- */

static int fill_pool(struct dial_args *args, struct kt_anchor_set *set, struct kt_error *error)
{
	struct kt_pool_change change;
	int err = 0;

	if (!args->source_count)
		args->sources[args->source_count++] = "system";
	for (size_t i = 0; i < args->source_count && !err; i++)
		err = kt_cli_trust_add(set, args->sources[i], KT_ROLE_SERVER, false, error);
	if (!err)
		err = kt_pool_new("servers", &args->dial.pool, error);
	return err ? err : kt_pool_commit(args->dial.pool, set, args->sources[0], &change, error);
}

static int make_context(struct dial_args *args, struct kt_error *error)
{
	struct kt_tls_context_options context = {.peer_role = KT_ROLE_SERVER,
						 .pool = args->dial.pool,
						 .policy.profile = args->profile,
						 .no_export = args->dial.ktls == KT_KTLS_OFF};
	int err = 0;

	if (args->certificate)
		err = kt_credentials_load(args->certificate, args->key, &context.credentials,
					  error);
	if (!err)
		err = kt_tls_context_new(&context, &args->dial.context, error);
	kt_credentials_put(context.credentials);
	return err;
}

static int prepare(struct dial_args *args, struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	int err;

	if (!set)
		return kt_error_set(error, ENOMEM, "dial", 0, "out of memory");
	err = fill_pool(args, set, error);
	kt_anchor_set_free(set);
	if (!err)
		err = make_context(args, error);
	if (!err && args->proxy_credentials)
		err = kt_upstream_login_read(args->proxy_credentials, &args->dial.proxy.login,
					     error);
	return err;
}

static int shake(struct dial_args *args, struct kt_error *error)
{
	int err = prepare(args, error);

	if (!err)
		err = kt_dial_reach(&args->dial, error);
	if (!err)
		err = kt_dial_shake(&args->dial, error);
	explicit_bzero(&args->dial.proxy, sizeof args->dial.proxy);
	if (args->json)
		kt_dial_tell_json(&args->dial, error);
	return err;
}

static int run(struct dial_args *args)
{
	struct kt_error error = {0};
	int err = shake(args, &error);
	bool told = err && args->json;

	if (!err)
		err = kt_dial_pump(&args->dial, &error);
	if (err && !told)
		kt_complain(&error);
	kt_dial_keys_wipe(&args->dial.keys);
	kt_tls_free(args->dial.tls);
	kt_tls_context_free(args->dial.context);
	kt_pool_free(args->dial.pool);
	if (args->dial.fd >= 0)
		close(args->dial.fd);
	if (!err)
		return KT_EXIT_OK;
	if (args->dial.keys_ended)
		return KT_EXIT_KEYS;
	return args->dial.refused ? KT_EXIT_NO : KT_EXIT_TROUBLE;
}

int kt_cli_dial(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "HOST:PORT", doc, NULL, NULL, NULL};
	struct dial_args args = {.dial = {.fd = -1, .deadline_ns = deadline_after(TIMEOUT_S)}};

	signal(SIGPIPE, SIG_IGN);
	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KT_EXIT_TROUBLE;
	return run(&args);
}
