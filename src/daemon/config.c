/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of settings, and setting one of them. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../control/control.h"

enum kind { TEXT, TEXTS, RULES, NAMES, NETWORKS, CREDENTIALS, PROTOCOLS, NUMBER, DURATION, WORD };

/* Where a value goes: an offset within the struct of its section. */
struct entry {
	struct kt_setting setting;
	enum kind kind;
	size_t offset;
	unsigned int min, max; /* NUMBER */
	const char *const *words;
};

const char *const kt_config_ktls_words[] = {
	[KT_KTLS_AUTO] = "auto", [KT_KTLS_REQUIRE] = "require", [KT_KTLS_OFF] = "off", NULL};
const char *const kt_config_client_auth_words[] = {[KT_CLIENT_AUTH_NONE] = "none",
						   [KT_CLIENT_AUTH_OPTIONAL] = "optional",
						   [KT_CLIENT_AUTH_REQUIRE] = "require",
						   NULL};

const char *const kt_config_ca_names_words[] = {
	[KT_CA_NAMES_AUTO] = "auto", [KT_CA_NAMES_OFF] = "off", NULL};

_Static_assert(sizeof(enum kt_ca_names) == sizeof(unsigned int), "WORD writes unsigned int");

const char *const kt_config_profile_words[] = {[KT_PROFILE_BY_ROLE] = "by-role",
					       [KT_PROFILE_WEB] = "web",
					       [KT_PROFILE_RFC5280] = "rfc5280",
					       NULL};
const char *const kt_config_verifier_words[] = {
	[KT_VERIFIER_BOTH] = "both", [KT_VERIFIER_OWN] = "own", NULL};

const char *const kt_config_proxy_words[] = {[KT_PROXY_OFF] = "off", [KT_PROXY_V2] = "v2", NULL};

const char *const kt_config_mode_words[] = {
	[KT_MODE_SERVER] = "server", [KT_MODE_ORIGIN] = "origin", NULL};

_Static_assert(sizeof(enum kt_listener_mode) == sizeof(unsigned int), "WORD writes unsigned int");
_Static_assert(sizeof(enum kt_proxy_protocol) == sizeof(unsigned int), "WORD writes unsigned int");
_Static_assert(sizeof(enum kt_profile) == sizeof(unsigned int), "WORD writes unsigned int");
_Static_assert(sizeof(enum kt_verifier_mode) == sizeof(unsigned int), "WORD writes unsigned int");

static const char *const purpose_words[] = {
	[KT_CONFIG_PURPOSE_SERVER] = "server", [KT_CONFIG_PURPOSE_ANY] = "any", NULL};
static const char *const crl_policy_words[] = {
	[KT_CRL_REFUSE] = "refuse", [KT_CRL_WARN] = "warn", NULL};

_Static_assert(sizeof(enum kt_config_purpose) == sizeof(unsigned int), "WORD writes unsigned int");
_Static_assert(sizeof(enum kt_crl_policy) == sizeof(unsigned int), "WORD writes unsigned int");
const char *const kt_config_watch_words[] = {
	[KT_WATCH_OFF] = "off", [KT_WATCH_STAGE] = "stage", [KT_WATCH_COMMIT] = "commit", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};

_Static_assert(sizeof(enum kt_watch_policy) == sizeof(unsigned int), "WORD writes unsigned int");
_Static_assert(sizeof(enum kt_ktls_mode) == sizeof(unsigned int), "WORD writes unsigned int");
_Static_assert(sizeof(enum kt_client_auth) == sizeof(unsigned int), "WORD writes unsigned int");

#define DAEMON(field)	offsetof(struct kt_config, field)
#define POOL(field)	offsetof(struct kt_config_pool, field)
#define LISTENER(field) offsetof(struct kt_config_listener, field)

/* clang-format off */
static const struct entry entries[] = {
	{{"ktrust", "control", "PATH", "control socket (default " KT_CONTROL_DEFAULT ")"},
	 .kind = TEXT, .offset = DAEMON(control)},
	{{"ktrust", "workers", "N", "worker threads (default: one a CPU)"},
	 .kind = NUMBER, .offset = DAEMON(workers), .min = 1, .max = 1024},
	{{"ktrust", "ktls", "auto|require|off", "records in the kernel (default auto)"},
	 .kind = WORD, .offset = DAEMON(ktls), .words = kt_config_ktls_words},
	{{"ktrust", "handshake-timeout", "DURATION", "from accept to Finished (default 10s)"},
	 .kind = DURATION, .offset = DAEMON(handshake_timeout_ms)},
	{{"ktrust", "connect-timeout", "DURATION", "for connecting to a backend (default 5s)"},
	 .kind = DURATION, .offset = DAEMON(connect_timeout_ms)},
	{{"ktrust", "idle-timeout", "DURATION",
	  "without a byte either way, until a connection is ended (default 1h)"},
	 .kind = DURATION, .offset = DAEMON(idle_timeout_ms)},
	{{"ktrust", "drain-timeout", "DURATION",
	  "at a stop, for live connections to end (default 30s)"},
	 .kind = DURATION, .offset = DAEMON(drain_timeout_ms)},
	{{"ktrust", "connections-max", "N", "live connections; accepting pauses (default 65536)"},
	 .kind = NUMBER, .offset = DAEMON(connections_max), .min = 1, .max = 10000000},
	{{"ktrust", "handshakes-max", "N",
	  "connections of a worker that are not let in yet; more are reset (default 8192)"},
	 .kind = NUMBER, .offset = DAEMON(handshakes_max), .min = 1, .max = 1000000},
	{{"ktrust", "handshakes-max-per-address", "N",
	  "of these, from one address (IPv6: /64; default 1024)"},
	 .kind = NUMBER, .offset = DAEMON(handshakes_address_max), .min = 1, .max = 1000000},
	{{"ktrust", "verifier", "both|own",
	  "both: what ours accepts OpenSSL's must accept as well (default both)"},
	 .kind = WORD, .offset = DAEMON(verifier), .words = kt_config_verifier_words},
	{{"ktrust", "verdicts-max", "N", "accepted chains remembered; 0: none (default 4096)"},
	 .kind = NUMBER, .offset = DAEMON(verdicts_max), .min = 0, .max = 1u << 24},
	{{"ktrust", "signatures-max", "N", "signatures remembered beside them (default 65536)"},
	 .kind = NUMBER, .offset = DAEMON(signatures_max), .min = 1, .max = 1u << 24},
	{{"ktrust", "certificates-max", "N",
	  "clients' certificates that stay decoded; 0: none (default 4096)"},
	 .kind = NUMBER, .offset = DAEMON(certificates_max), .min = 0, .max = 1u << 20},
	{{"ktrust", "fast-keys-max", "N",
	  "keys of clients that come often with tables to check them by; 0: none (default 64)"},
	 .kind = NUMBER, .offset = DAEMON(fast_keys_max), .min = 0, .max = 512},
	{{"ktrust", "shortcuts", "yes|no",
	  "answer libssl here what takes libcrypto longer (default yes)"},
	 .kind = WORD, .offset = DAEMON(shortcuts), .words = no_yes},
	{{"ktrust", "state", "DIR", "keep pools' versions and history here (default: nowhere)"},
	 .kind = TEXT, .offset = DAEMON(state)},
	{{"ktrust", "start-from-state", "yes|no",
	  "with a broken source, start from the last good snapshot (default no)"},
	 .kind = WORD, .offset = DAEMON(start_from_state), .words = no_yes},
	{{"pool", "anchors-min", "N", "refuse fewer anchors (default 1)"},
	 .kind = NUMBER, .offset = POOL(anchors_min), .min = 1, .max = KT_ANCHORS_MAX},
	{{"pool", "removed-max", "PERCENT", "refuse when more vanish at once (default 100)"},
	 .kind = NUMBER, .offset = POOL(removed_max), .min = 1, .max = 100},
	{{"pool", "manifest", "FILE", "count, digest and epoch that the content must have"},
	 .kind = TEXT, .offset = POOL(manifest)},
	{{"pool", "manifest-key", "FILE", "PEM Ed25519 public key that signs the manifest"},
	 .kind = TEXT, .offset = POOL(manifest_key)},
	{{"pool", "history", "N", "snapshots kept beside the current one (default 8)"},
	 .kind = NUMBER, .offset = POOL(history), .min = 0, .max = KT_HISTORY_MAX},
	{{"pool", "watch", "off|stage|commit", "what to do when a source changes (default off)"},
	 .kind = WORD, .offset = POOL(watch), .words = kt_config_watch_words},
	{{"pool", "watch-debounce", "DURATION", "quiet before that is done (default 500ms)"},
	 .kind = DURATION, .offset = POOL(watch_debounce_ms)},
	{{"pool", "source", "SOURCE",
	  "file:PATH, dir:PATH, certdata:PATH, crl:PATH, system or embedded; several add up"},
	 .kind = TEXTS, .offset = POOL(sources)},
	{{"pool", "purpose", "server|any",
	  "whom roots of certdata, system, embedded vouch for (default server)"},
	 .kind = WORD, .offset = POOL(purpose), .words = purpose_words},
	{{"pool", "lenient", "no|yes", "skip certificates that are no good (default no)"},
	 .kind = WORD, .offset = POOL(lenient), .words = no_yes},
	{{"pool", "crl-policy", "refuse|warn", "a CRL past its nextUpdate (default refuse)"},
	 .kind = WORD, .offset = POOL(crl_policy), .words = crl_policy_words},
	{{"pool", "allow", "RULE",
	  "let in only whom a rule names: dns:NAME, dns:*.NAME, uri:URI, uri:spiffe://TD/PATTERN, "
	  "email:ADDRESS, email:@HOST, subject:TYPE=VALUE; several add up"},
	 .kind = RULES, .offset = POOL(allow)},
	{{"listener", "listen", "ADDRESS", "HOST:PORT, [v6]:PORT; port 0 lets the kernel choose"},
	 .kind = TEXT, .offset = LISTENER(listen)},
	{{"listener", "backend", "ADDRESS",
	  "HOST:PORT, [v6]:PORT or unix:PATH; several add up, tried in this order"},
	 .kind = TEXTS, .offset = LISTENER(backends)},
	{{"listener", "handoff", "unix:PATH",
	  "instead of a backend: pass the socket, once its records are the kernel's, to who listens"},
	 .kind = TEXT, .offset = LISTENER(handoff)},
	{{"listener", "handoff-user", "USER", "name or number that it must run as (default: our own)"},
	 .kind = TEXT, .offset = LISTENER(handoff_user)},
	{{"listener", "handoff-queue", "N",
	  "connections that wait for it, for connect-timeout at most, a worker (default 128)"},
	 .kind = NUMBER, .offset = LISTENER(handoff_queue), .min = 0, .max = 65536},
	{{"listener", "proxy-protocol", "off|v2",
	  "tell backends by a PROXY header who the client is (default off)"},
	 .kind = WORD, .offset = LISTENER(proxy_protocol), .words = kt_config_proxy_words},
	{{"listener", "proxy-from", "NETWORK",
	  "connections from ADDRESS/BITS begin with a PROXY header (version 2); several add up"},
	 .kind = NETWORKS, .offset = LISTENER(proxy_from)},
	{{"listener", "mode", "server|origin",
	  "server: TLS in, plain out to a backend; origin: plain in, TLS out to a target (default "
	  "server)"},
	 .kind = WORD, .offset = LISTENER(mode), .words = kt_config_mode_words},
	{{"listener", "target", "HOST:PORT",
	  "origin: a server to connect to over TLS; several add up, tried in this order"},
	 .kind = TEXTS, .offset = LISTENER(targets)},
	{{"listener", "target-name", "NAME",
	  "origin: whom targets' certificates must prove (default: each target's HOST)"},
	 .kind = TEXT, .offset = LISTENER(target_name)},
	{{"listener", "server-pool", "POOL", "origin: pool that targets are verified against"},
	 .kind = TEXT, .offset = LISTENER(server_pool)},
	{{"listener", "server-profile", "by-role|web|rfc5280",
	  "origin: rfc5280: targets need not keep the Baseline Requirements (default by-role: web)"},
	 .kind = WORD, .offset = LISTENER(server_profile), .words = kt_config_profile_words},
	{{"listener", "proxy", "URL", "origin: go through http://HOST:PORT or socks5://HOST:PORT"},
	 .kind = TEXT, .offset = LISTENER(proxy)},
	{{"listener", "proxy-credentials", "FILE", "origin: a line USER:PASSWORD for the proxy"},
	 .kind = TEXT, .offset = LISTENER(proxy_credentials)},
	{{"listener", "certificate", "FILE", "PEM certificate chain"},
	 .kind = TEXT, .offset = LISTENER(own.certificate)},
	{{"listener", "key", "FILE", "PEM private key of the leaf"},
	 .kind = TEXT, .offset = LISTENER(own.key)},
	{{"listener", "ocsp", "FILE", "OCSP response (DER) about the leaf, for clients that ask"},
	 .kind = TEXT, .offset = LISTENER(own.ocsp)},
	{{"listener", "credentials", "CHAIN KEY [OCSP]",
	  "a further certificate, chosen by name (SNI) and the client's algorithms; several add up"},
	 .kind = CREDENTIALS, .offset = LISTENER(more)},
	{{"listener", "credentials-watch", "yes|no",
	  "load certificates and keys when their files change (default yes)"},
	 .kind = WORD, .offset = LISTENER(watch_credentials), .words = no_yes},
	{{"listener", "alpn", "NAME,…",
	  "protocols agreed on (ALPN), the best first, as h2,http/1.1 (default: none)"},
	 .kind = PROTOCOLS, .offset = LISTENER(alpn)},
	{{"listener", "client-auth", "none|optional|require",
	  "client certificates (default require)"},
	 .kind = WORD, .offset = LISTENER(client_auth), .words = kt_config_client_auth_words},
	{{"listener", "client-pool", "POOL", "pool that clients are verified against"},
	 .kind = TEXT, .offset = LISTENER(pool)},
	{{"listener", "client-pool-for", "NAME POOL",
	  "pool of clients that ask for NAME (SNI), a host name or \"*.\" and one; several add up"},
	 .kind = NAMES, .offset = LISTENER(names)},
	{{"listener", "ca-names", "auto|off",
	  "tell clients the names of the CAs in their pool (default auto)"},
	 .kind = WORD, .offset = LISTENER(ca_names), .words = kt_config_ca_names_words},
	{{"listener", "client-profile", "by-role|web|rfc5280",
	  "web: clients keep the Baseline Requirements for servers too (default by-role: rfc5280)"},
	 .kind = WORD, .offset = LISTENER(profile), .words = kt_config_profile_words},
};
/* clang-format on */

#define ENTRIES (sizeof entries / sizeof entries[0])

const struct kt_setting *kt_config_setting(size_t index)
{
	return index < ENTRIES ? &entries[index].setting : NULL;
}

/* ---- Values: each returns 0 or a positive errno ---------------------------------------------- */

static int set_text(char **place, const char *value)
{
	char *copy;

	if (!value[0])
		return EINVAL;
	copy = strdup(value);
	if (!copy)
		return ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

static int add_text(struct kt_config_texts *texts, const char *value)
{
	char *copy = NULL;
	char **grown;
	int err = set_text(&copy, value);

	if (err)
		return err;
	grown = reallocarray(texts->at, texts->count + 1, sizeof *grown);
	if (!grown) {
		free(copy);
		return ENOMEM;
	}
	texts->at = grown;
	texts->at[texts->count++] = copy;
	return 0;
}

static int add_rule(struct kt_config_texts *rules, const char *value, struct kt_error *why)
{
	int err = kt_allow_check(value, why);

	return err ? -err : add_text(rules, value);
}

static void free_texts(struct kt_config_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->at[i]);
	free(texts->at);
}

/* "NAME POOL", whose first half is a pattern. */
static int split_name(const char *value, struct kt_config_name *name)
{
	static const char blanks[] = " \t";
	size_t len = strcspn(value, blanks);

	name->pattern = strndup(value, len);
	name->pool = strdup(value + len + strspn(value + len, blanks));
	if (!name->pattern || !name->pool)
		return ENOMEM;
	if (kt_pattern_check(name->pattern, NULL) || !name->pool[0] ||
	    name->pool[strcspn(name->pool, blanks)])
		return EINVAL;
	return 0;
}

static void free_name(struct kt_config_name *name)
{
	free(name->pattern);
	free(name->pool);
}

static int add_name(struct kt_config_names *names, const char *value)
{
	struct kt_config_name name;
	struct kt_config_name *grown;
	int err = split_name(value, &name);

	if (err)
		goto free_name;
	err = ENOMEM;
	grown = reallocarray(names->at, names->count + 1, sizeof *grown);
	if (!grown)
		goto free_name;
	names->at = grown;
	names->at[names->count++] = name;
	return 0;
free_name:
	free_name(&name);
	return err;
}

static int add_network(struct kt_config_networks *networks, const char *value, struct kt_error *why)
{
	struct kt_network network;
	struct kt_network *grown;
	int err = kt_network_parse(value, &network, why);

	if (err)
		return -err;
	grown = reallocarray(networks->at, networks->count + 1, sizeof *grown);
	if (!grown)
		return ENOMEM;
	networks->at = grown;
	networks->at[networks->count++] = network;
	return 0;
}

static void free_credential(struct kt_config_credential *credential)
{
	free(credential->certificate);
	free(credential->key);
	free(credential->ocsp);
}

/* The next word of *at, which goes on behind it; NULL: none is left. -ENOMEM in *err. */
static char *take_word(const char **at, int *err)
{
	static const char blanks[] = " \t";
	const char *start = *at + strspn(*at, blanks);
	size_t len = strcspn(start, blanks);
	char *word = len ? strndup(start, len) : NULL;

	if (len && !word)
		*err = ENOMEM;
	*at = start + len;
	return word;
}

/* "CHAIN KEY [OCSP]": none of these paths has a blank in it. */
static int split_credential(const char *value, struct kt_config_credential *credential)
{
	char *beyond;
	int err = 0;

	credential->certificate = take_word(&value, &err);
	credential->key = take_word(&value, &err);
	credential->ocsp = take_word(&value, &err);
	beyond = take_word(&value, &err);
	if (!err && (!credential->key || beyond))
		err = EINVAL;
	free(beyond);
	return err;
}

static int add_credential(struct kt_config_credentials *credentials, const char *value)
{
	struct kt_config_credential credential = {0};
	struct kt_config_credential *grown;
	int err = split_credential(value, &credential);

	if (err)
		goto free_credential;
	err = ENOMEM;
	grown = reallocarray(credentials->at, credentials->count + 1, sizeof *grown);
	if (!grown)
		goto free_credential;
	credentials->at = grown;
	credentials->at[credentials->count++] = credential;
	return 0;
free_credential:
	free_credential(&credential);
	return err;
}

/* "h2, http/1.1" into a length and a name each. */
static int set_protocols(struct kt_config_protocols *protocols, const char *value)
{
	uint8_t *list = malloc(strlen(value) + 1), *at = list;
	bool more = true;

	if (!list)
		return ENOMEM;
	while (more) {
		const char *name = value + strspn(value, " \t");
		size_t len = strcspn(name, ",");

		more = name[len] == ',';
		value = name + len + 1;
		while (len && (name[len - 1] == ' ' || name[len - 1] == '\t'))
			len--;
		if (!len || len > UINT8_MAX || strcspn(name, " \t") < len ||
		    at - list + 1 + len > UINT16_MAX) {
			free(list);
			return EINVAL;
		}
		*at++ = (uint8_t)len;
		memcpy(at, name, len);
		at += len;
	}
	free(protocols->list);
	protocols->list = list;
	protocols->len = (size_t)(at - list);
	return 0;
}

/* Digits, then whatever *ret_rest points at. */
static int parse_digits(const char *value, unsigned long *ret_number, const char **ret_rest)
{
	unsigned long number;
	char *end;

	if (!isdigit((unsigned char)value[0]))
		return EINVAL;
	errno = 0;
	number = strtoul(value, &end, 10);
	if (errno)
		return EINVAL;
	*ret_number = number;
	*ret_rest = end;
	return 0;
}

static int set_number(unsigned int *place, const char *value, const struct entry *entry)
{
	unsigned long number;
	const char *rest;

	if (parse_digits(value, &number, &rest) || *rest || number < entry->min ||
	    number > entry->max)
		return EINVAL;
	*place = (unsigned int)number;
	return 0;
}

#define DAY_MS 86400000UL

/* "500ms", "10s", "2m", "1h": a bare number could mean anything. At most a day. */
static int set_duration(unsigned int *place_ms, const char *value)
{
	static const struct {
		const char *unit;
		unsigned int ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	unsigned long number;
	const char *rest;

	if (parse_digits(value, &number, &rest) || !number)
		return EINVAL;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(rest, units[i].unit))
			continue;
		if (number > DAY_MS / units[i].ms)
			return EINVAL;
		*place_ms = (unsigned int)number * units[i].ms;
		return 0;
	}
	return EINVAL;
}

static int set_word(unsigned int *place, const char *value, const char *const *words)
{
	for (unsigned int i = 0; words[i]; i++) {
		if (strcmp(value, words[i]))
			continue;
		*place = i;
		return 0;
	}
	return EINVAL;
}

/* why: text is set where there is more to say of EINVAL than what was expected. */
static int set_value(const struct entry *entry, void *section, const char *value,
		     struct kt_error *why)
{
	void *place = (char *)section + entry->offset;

	switch (entry->kind) {
	case TEXT:
		return set_text(place, value);
	case TEXTS:
		return add_text(place, value);
	case RULES:
		return add_rule(place, value, why);
	case NAMES:
		return add_name(place, value);
	case NETWORKS:
		return add_network(place, value, why);
	case CREDENTIALS:
		return add_credential(place, value);
	case PROTOCOLS:
		return set_protocols(place, value);
	case NUMBER:
		return set_number(place, value, entry);
	case DURATION:
		return set_duration(place, value);
	case WORD:
		return set_word(place, value, entry->words);
	}
	return EINVAL;
}

/* What the name of a value in the help does not say. */
static const char *hint_for(const struct entry *entry, char buf[static 64])
{
	if (entry->kind == DURATION)
		return " (a number with its unit: 500ms, 10s, 5m, 1h; a day at most)";
	if (entry->kind == PROTOCOLS)
		return " (with commas between, and no blank in a name)";
	if (entry->kind != NUMBER)
		return "";
	snprintf(buf, 64, " (from %u to %u)", entry->min, entry->max);
	return buf;
}

/* ---- Sections -------------------------------------------------------------------------------- */

struct kt_config *kt_config_new(void)
{
	struct kt_config *config = calloc(1, sizeof *config);

	if (!config)
		return NULL;
	config->drain_timeout_ms = 30000;
	config->verdicts_max = 4096;
	config->signatures_max = 65536;
	config->certificates_max = 4096;
	config->fast_keys_max = 64;
	config->shortcuts = 1;
	config->connections_max = 65536; /* said here and not by the engine: files must do for it */
	config->control = strdup(KT_CONTROL_DEFAULT);
	if (!config->control) {
		free(config);
		return NULL;
	}
	return config;
}

void kt_config_free(struct kt_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->pool_count; i++) {
		free_texts(&config->pools[i].sources);
		free_texts(&config->pools[i].allow);
		free(config->pools[i].manifest);
		free(config->pools[i].manifest_key);
	}
	for (size_t i = 0; i < config->listener_count; i++) {
		struct kt_config_listener *listener = &config->listeners[i];

		free(listener->listen);
		free_texts(&listener->backends);
		free(listener->handoff);
		free(listener->handoff_user);
		free_texts(&listener->targets);
		free(listener->target_name);
		free(listener->server_pool);
		free(listener->proxy);
		free(listener->proxy_credentials);
		free(listener->proxy_from.at);
		free_credential(&listener->own);
		for (size_t k = 0; k < listener->more.count; k++)
			free_credential(&listener->more.at[k]);
		free(listener->more.at);
		free(listener->alpn.list);
		free(listener->pool);
		for (size_t k = 0; k < listener->names.count; k++)
			free_name(&listener->names.at[k]);
		free(listener->names.at);
	}
	free(config->control);
	free(config->state);
	free(config);
}

/* Names go into logs, events and JSON: the same bytes everywhere. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len && len <= KT_CONFIG_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

/* The pool of this name, made when it is new; NULL: too many. */
static void *find_pool(struct kt_config *config, const char *name)
{
	struct kt_config_pool *pool;

	for (size_t i = 0; i < config->pool_count; i++)
		if (!strcmp(config->pools[i].name, name))
			return &config->pools[i];
	if (config->pool_count == KT_POOLS_MAX)
		return NULL;
	pool = &config->pools[config->pool_count++];
	strcpy(pool->name, name);
	pool->history = KT_HISTORY_DEFAULT;
	pool->watch_debounce_ms = KT_WATCH_DEBOUNCE_MS;
	return pool;
}

static void *find_listener(struct kt_config *config, const char *name)
{
	struct kt_config_listener *listener;

	for (size_t i = 0; i < config->listener_count; i++)
		if (!strcmp(config->listeners[i].name, name))
			return &config->listeners[i];
	if (config->listener_count == KT_LISTENERS_MAX)
		return NULL;
	listener = &config->listeners[config->listener_count++];
	strcpy(listener->name, name);
	listener->client_auth = KT_CLIENT_AUTH_REQUIRE;
	listener->watch_credentials = 1;
	listener->handoff_queue = KT_HANDOFF_QUEUE;
	return listener;
}

/* Where in a message a value stands. */
struct place {
	const char *where;
	unsigned int line;
	struct kt_error *error;
};

static const struct {
	const char *kind;
	unsigned int most;
	void *(*find)(struct kt_config *config, const char *name);
} named_sections[] = {{"pool", KT_POOLS_MAX, find_pool},
		      {"listener", KT_LISTENERS_MAX, find_listener}};

static int find_named(struct kt_config *config, size_t index, const char *name,
		      const struct place *place, void **ret_section)
{
	const char *kind = named_sections[index].kind;
	void *found;

	if (!is_name(name))
		return kt_error_set(place->error, EINVAL, place->where, place->line,
				    "[%s %s]: a name is 1 to %d letters, digits, '.', '_' or '-', "
				    "not '.' or '-' first",
				    kind, name, KT_CONFIG_NAME_MAX);
	found = named_sections[index].find(config, name);
	if (!found)
		return kt_error_set(place->error, E2BIG, place->where, place->line,
				    "[%s %s]: too many sections of this kind (at most %u)", kind,
				    name, named_sections[index].most);
	*ret_section = found;
	return 0;
}

/* The struct that section names, and its kind. */
static int find_section(struct kt_config *config, const char *section, const struct place *place,
			const char **ret_kind, void **ret_section)
{
	if (!strcmp(section, "ktrust")) {
		*ret_kind = section;
		*ret_section = config;
		return 0;
	}
	for (size_t i = 0; i < sizeof named_sections / sizeof named_sections[0]; i++) {
		const char *kind = named_sections[i].kind;
		size_t len = strlen(kind);

		if (strncmp(section, kind, len) || (section[len] && section[len] != ' '))
			continue;
		*ret_kind = kind;
		return find_named(config, i, section + len + strspn(section + len, " "), place,
				  ret_section);
	}
	return kt_error_set(place->error, EINVAL, place->where, place->line,
			    "[%s]: no such section (there are [ktrust], [pool NAME] and [listener "
			    "NAME])",
			    section);
}

int kt_config_add_section(struct kt_config *config, const char *section, const char *where,
			  unsigned int line, struct kt_error *error)
{
	const struct place place = {where, line, error};
	const char *kind;
	void *found;

	return find_section(config, section, &place, &kind, &found);
}

int kt_config_set(struct kt_config *config, const char *section, const char *key, const char *value,
		  const char *where, unsigned int line, struct kt_error *error)
{
	const struct place place = {where, line, error};
	const char *kind;
	void *found;
	int err = find_section(config, section, &place, &kind, &found);
	struct kt_error why = {0};
	char hint[64];

	if (err)
		return err;
	for (size_t i = 0; i < ENTRIES; i++) {
		const struct kt_setting *setting = &entries[i].setting;

		if (strcmp(setting->section, kind) || strcmp(setting->key, key))
			continue;
		err = set_value(&entries[i], found, value, &why);
		if (err == EINVAL && why.err)
			return kt_error_set(error, err, where, line, "%s = %s: %s", key, value,
					    why.text);
		if (err == EINVAL)
			return kt_error_set(error, err, where, line, "%s = %s: expected %s%s", key,
					    value, setting->value, hint_for(&entries[i], hint));
		return err ? kt_error_set(error, err, where, line, "%s: %s", key, strerror(err))
			   : 0;
	}
	return kt_error_set(error, EINVAL, where, line,
			    "[%s] has no setting '%s' (see ktrustd --help)", kind, key);
}
