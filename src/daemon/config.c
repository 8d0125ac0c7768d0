/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of settings, and setting one of them. */
#include "config_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../control/control.h"

/* Where a value goes: an offset within the struct of its section. */
struct entry {
	struct kt_setting setting;
	struct kt_value_form form;
	size_t offset;
};

/* ---- How choices are written ----------------------------------------------------------------- */

const char *const kt_config_ktls_words[] = {
	[KT_KTLS_AUTO] = "auto", [KT_KTLS_REQUIRE] = "require", [KT_KTLS_OFF] = "off", NULL};
const char *const kt_config_client_auth_words[] = {[KT_CLIENT_AUTH_NONE] = "none",
						   [KT_CLIENT_AUTH_OPTIONAL] = "optional",
						   [KT_CLIENT_AUTH_REQUIRE] = "require",
						   NULL};
const char *const kt_config_ca_names_words[] = {
	[KT_CA_NAMES_AUTO] = "auto", [KT_CA_NAMES_OFF] = "off", NULL};
const char *const kt_config_profile_words[] = {[KT_PROFILE_BY_ROLE] = "by-role",
					       [KT_PROFILE_WEB] = "web",
					       [KT_PROFILE_RFC5280] = "rfc5280",
					       NULL};
const char *const kt_config_verifier_words[] = {
	[KT_VERIFIER_BOTH] = "both", [KT_VERIFIER_OWN] = "own", NULL};
const char *const kt_config_proxy_words[] = {[KT_PROXY_OFF] = "off", [KT_PROXY_V2] = "v2", NULL};
const char *const kt_config_mode_words[] = {
	[KT_MODE_SERVER] = "server", [KT_MODE_ORIGIN] = "origin", NULL};
static const char *const purpose_words[] = {
	[KT_CONFIG_PURPOSE_SERVER] = "server", [KT_CONFIG_PURPOSE_ANY] = "any", NULL};
static const char *const crl_policy_words[] = {
	[KT_CRL_REFUSE] = "refuse", [KT_CRL_WARN] = "warn", NULL};
const char *const kt_config_watch_words[] = {
	[KT_WATCH_OFF] = "off", [KT_WATCH_STAGE] = "stage", [KT_WATCH_COMMIT] = "commit", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};

/* KT_VALUE_WORD writes an unsigned int. */
#define IS_WORD(type) _Static_assert(sizeof(type) == sizeof(unsigned int), #type)
IS_WORD(enum kt_ca_names);
IS_WORD(enum kt_listener_mode);
IS_WORD(enum kt_proxy_protocol);
IS_WORD(enum kt_profile);
IS_WORD(enum kt_verifier_mode);
IS_WORD(enum kt_config_purpose);
IS_WORD(enum kt_crl_policy);
IS_WORD(enum kt_watch_policy);
IS_WORD(enum kt_ktls_mode);
IS_WORD(enum kt_client_auth);
#undef IS_WORD

/* ---- The table ------------------------------------------------------------------------------- */

#define DAEMON(field)	offsetof(struct kt_config, field)
#define POOL(field)	offsetof(struct kt_config_pool, field)
#define LISTENER(field) offsetof(struct kt_config_listener, field)

/* clang-format off */
static const struct entry entries[] = {
	{{"ktrust", "control", "PATH", "control socket (default " KT_CONTROL_DEFAULT ")"},
	 .offset = DAEMON(control), .form = {.kind = KT_VALUE_TEXT}},
	{{"ktrust", "workers", "N", "worker threads (default: one a CPU)"},
	 .offset = DAEMON(workers), .form = {.kind = KT_VALUE_NUMBER, .min = 1, .max = 1024}},
	{{"ktrust", "ktls", "auto|require|off", "records in the kernel (default auto)"},
	 .offset = DAEMON(ktls), .form = {.kind = KT_VALUE_WORD, .words = kt_config_ktls_words}},
	{{"ktrust", "handshake-timeout", "DURATION", "from accept to Finished (default 10s)"},
	 .offset = DAEMON(handshake_timeout_ms), .form = {.kind = KT_VALUE_DURATION}},
	{{"ktrust", "connect-timeout", "DURATION", "for connecting to a backend (default 5s)"},
	 .offset = DAEMON(connect_timeout_ms), .form = {.kind = KT_VALUE_DURATION}},
	{{"ktrust", "idle-timeout", "DURATION",
	  "without a byte either way, until a connection is ended (default 1h)"},
	 .offset = DAEMON(idle_timeout_ms), .form = {.kind = KT_VALUE_DURATION}},
	{{"ktrust", "drain-timeout", "DURATION",
	  "at a stop, for live connections to end (default 30s)"},
	 .offset = DAEMON(drain_timeout_ms), .form = {.kind = KT_VALUE_DURATION}},
	{{"ktrust", "connections-max", "N", "live connections; accepting pauses (default 65536)"},
	 .offset = DAEMON(connections_max), .form = {.kind = KT_VALUE_NUMBER, .min = 1, .max = 10000000}},
	{{"ktrust", "handshakes-max", "N",
	  "connections of a worker that are not let in yet; more are reset (default 8192)"},
	 .offset = DAEMON(handshakes_max), .form = {.kind = KT_VALUE_NUMBER, .min = 1, .max = 1000000}},
	{{"ktrust", "handshakes-max-per-address", "N",
	  "of these, from one address (IPv6: /64; default 1024)"},
	 .offset = DAEMON(handshakes_address_max), .form = {.kind = KT_VALUE_NUMBER, .min = 1, .max = 1000000}},
	{{"ktrust", "verifier", "both|own",
	  "both: what ours accepts OpenSSL's must accept as well (default both)"},
	 .offset = DAEMON(verifier), .form = {.kind = KT_VALUE_WORD, .words = kt_config_verifier_words}},
	{{"ktrust", "verdicts-max", "N", "accepted chains remembered; 0: none (default 4096)"},
	 .offset = DAEMON(verdicts_max), .form = {.kind = KT_VALUE_NUMBER, .min = 0, .max = 1u << 24}},
	{{"ktrust", "signatures-max", "N", "signatures remembered beside them (default 65536)"},
	 .offset = DAEMON(signatures_max), .form = {.kind = KT_VALUE_NUMBER, .min = 1, .max = 1u << 24}},
	{{"ktrust", "certificates-max", "N",
	  "clients' certificates that stay decoded; 0: none (default 4096)"},
	 .offset = DAEMON(certificates_max), .form = {.kind = KT_VALUE_NUMBER, .min = 0, .max = 1u << 20}},
	{{"ktrust", "fast-keys-max", "N",
	  "keys of clients that come often with tables to check them by; 0: none (default 64)"},
	 .offset = DAEMON(fast_keys_max), .form = {.kind = KT_VALUE_NUMBER, .min = 0, .max = 512}},
	{{"ktrust", "shortcuts", "yes|no",
	  "answer libssl here what takes libcrypto longer (default yes)"},
	 .offset = DAEMON(shortcuts), .form = {.kind = KT_VALUE_WORD, .words = no_yes}},
	{{"ktrust", "state", "DIR", "keep pools' versions and history here (default: nowhere)"},
	 .offset = DAEMON(state), .form = {.kind = KT_VALUE_TEXT}},
	{{"ktrust", "start-from-state", "yes|no",
	  "with a broken source, start from the last good snapshot (default no)"},
	 .offset = DAEMON(start_from_state), .form = {.kind = KT_VALUE_WORD, .words = no_yes}},
	{{"pool", "anchors-min", "N", "refuse fewer anchors (default 1)"},
	 .offset = POOL(anchors_min), .form = {.kind = KT_VALUE_NUMBER, .min = 1, .max = KT_ANCHORS_MAX}},
	{{"pool", "removed-max", "PERCENT", "refuse when more vanish at once (default 100)"},
	 .offset = POOL(removed_max), .form = {.kind = KT_VALUE_NUMBER, .min = 1, .max = 100}},
	{{"pool", "manifest", "FILE", "count, digest and epoch that the content must have"},
	 .offset = POOL(manifest), .form = {.kind = KT_VALUE_TEXT}},
	{{"pool", "manifest-key", "FILE", "PEM Ed25519 public key that signs the manifest"},
	 .offset = POOL(manifest_key), .form = {.kind = KT_VALUE_TEXT}},
	{{"pool", "history", "N", "snapshots kept beside the current one (default 8)"},
	 .offset = POOL(history), .form = {.kind = KT_VALUE_NUMBER, .min = 0, .max = KT_HISTORY_MAX}},
	{{"pool", "watch", "off|stage|commit", "what to do when a source changes (default off)"},
	 .offset = POOL(watch), .form = {.kind = KT_VALUE_WORD, .words = kt_config_watch_words}},
	{{"pool", "watch-debounce", "DURATION", "quiet before that is done (default 500ms)"},
	 .offset = POOL(watch_debounce_ms), .form = {.kind = KT_VALUE_DURATION}},
	{{"pool", "source", "SOURCE",
	  "file:PATH, dir:PATH, certdata:PATH, crl:PATH, system or embedded; several add up"},
	 .offset = POOL(sources), .form = {.kind = KT_VALUE_TEXTS}},
	{{"pool", "purpose", "server|any",
	  "whom roots of certdata, system, embedded vouch for (default server)"},
	 .offset = POOL(purpose), .form = {.kind = KT_VALUE_WORD, .words = purpose_words}},
	{{"pool", "lenient", "no|yes", "skip certificates that are no good (default no)"},
	 .offset = POOL(lenient), .form = {.kind = KT_VALUE_WORD, .words = no_yes}},
	{{"pool", "crl-policy", "refuse|warn", "a CRL past its nextUpdate (default refuse)"},
	 .offset = POOL(crl_policy), .form = {.kind = KT_VALUE_WORD, .words = crl_policy_words}},
	{{"pool", "allow", "RULE",
	  "let in only whom a rule names: dns:NAME, dns:*.NAME, uri:URI, uri:spiffe://TD/PATTERN, "
	  "email:ADDRESS, email:@HOST, subject:TYPE=VALUE; several add up"},
	 .offset = POOL(allow), .form = {.kind = KT_VALUE_RULES}},
	{{"listener", "listen", "ADDRESS", "HOST:PORT, [v6]:PORT; port 0 lets the kernel choose"},
	 .offset = LISTENER(listen), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "backend", "ADDRESS",
	  "HOST:PORT, [v6]:PORT or unix:PATH; several add up, tried in this order"},
	 .offset = LISTENER(backends), .form = {.kind = KT_VALUE_TEXTS}},
	{{"listener", "handoff", "unix:PATH",
	  "instead of a backend: pass the socket, once its records are the kernel's, to who listens"},
	 .offset = LISTENER(handoff), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "handoff-user", "USER", "name or number that it must run as (default: our own)"},
	 .offset = LISTENER(handoff_user), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "handoff-queue", "N",
	  "connections that wait for it, for connect-timeout at most, a worker (default 128)"},
	 .offset = LISTENER(handoff_queue), .form = {.kind = KT_VALUE_NUMBER, .min = 0, .max = 65536}},
	{{"listener", "proxy-protocol", "off|v2",
	  "tell backends by a PROXY header who the client is (default off)"},
	 .offset = LISTENER(proxy_protocol), .form = {.kind = KT_VALUE_WORD, .words = kt_config_proxy_words}},
	{{"listener", "proxy-from", "NETWORK",
	  "connections from ADDRESS/BITS begin with a PROXY header (version 2); several add up"},
	 .offset = LISTENER(proxy_from), .form = {.kind = KT_VALUE_NETWORKS}},
	{{"listener", "mode", "server|origin",
	  "server: TLS in, plain out to a backend; origin: plain in, TLS out to a target (default "
	  "server)"},
	 .offset = LISTENER(mode), .form = {.kind = KT_VALUE_WORD, .words = kt_config_mode_words}},
	{{"listener", "target", "HOST:PORT",
	  "origin: a server to connect to over TLS; several add up, tried in this order"},
	 .offset = LISTENER(targets), .form = {.kind = KT_VALUE_TEXTS}},
	{{"listener", "target-name", "NAME",
	  "origin: whom targets' certificates must prove (default: each target's HOST)"},
	 .offset = LISTENER(target_name), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "server-pool", "POOL", "origin: pool that targets are verified against"},
	 .offset = LISTENER(server_pool), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "server-profile", "by-role|web|rfc5280",
	  "origin: rfc5280: targets need not keep the Baseline Requirements (default by-role: web)"},
	 .offset = LISTENER(server_profile), .form = {.kind = KT_VALUE_WORD, .words = kt_config_profile_words}},
	{{"listener", "proxy", "URL", "origin: go through http://HOST:PORT or socks5://HOST:PORT"},
	 .offset = LISTENER(proxy), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "proxy-credentials", "FILE", "origin: a line USER:PASSWORD for the proxy"},
	 .offset = LISTENER(proxy_credentials), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "certificate", "FILE", "PEM certificate chain"},
	 .offset = LISTENER(own.certificate), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "key", "FILE", "PEM private key of the leaf"},
	 .offset = LISTENER(own.key), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "ocsp", "FILE", "OCSP response (DER) about the leaf, for clients that ask"},
	 .offset = LISTENER(own.ocsp), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "credentials", "CHAIN KEY [OCSP]",
	  "a further certificate, chosen by name (SNI) and the client's algorithms; several add up"},
	 .offset = LISTENER(more), .form = {.kind = KT_VALUE_CREDENTIALS}},
	{{"listener", "credentials-watch", "yes|no",
	  "load certificates and keys when their files change (default yes)"},
	 .offset = LISTENER(watch_credentials), .form = {.kind = KT_VALUE_WORD, .words = no_yes}},
	{{"listener", "alpn", "NAME,…",
	  "protocols agreed on (ALPN), the best first, as h2,http/1.1 (default: none)"},
	 .offset = LISTENER(alpn), .form = {.kind = KT_VALUE_PROTOCOLS}},
	{{"listener", "client-auth", "none|optional|require",
	  "client certificates (default require)"},
	 .offset = LISTENER(client_auth), .form = {.kind = KT_VALUE_WORD, .words = kt_config_client_auth_words}},
	{{"listener", "client-pool", "POOL", "pool that clients are verified against"},
	 .offset = LISTENER(pool), .form = {.kind = KT_VALUE_TEXT}},
	{{"listener", "client-pool-for", "NAME POOL",
	  "pool of clients that ask for NAME (SNI), a host name or \"*.\" and one; several add up"},
	 .offset = LISTENER(names), .form = {.kind = KT_VALUE_NAMES}},
	{{"listener", "ca-names", "auto|off",
	  "tell clients the names of the CAs in their pool (default auto)"},
	 .offset = LISTENER(ca_names), .form = {.kind = KT_VALUE_WORD, .words = kt_config_ca_names_words}},
	{{"listener", "client-profile", "by-role|web|rfc5280",
	  "web: clients keep the Baseline Requirements for servers too (default by-role: rfc5280)"},
	 .offset = LISTENER(profile), .form = {.kind = KT_VALUE_WORD, .words = kt_config_profile_words}},
};
/* clang-format on */

#define ENTRIES (sizeof entries / sizeof entries[0])

const struct kt_setting *kt_config_setting(size_t index)
{
	return index < ENTRIES ? &entries[index].setting : NULL;
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
		kt_config_texts_free(&config->pools[i].sources);
		kt_config_texts_free(&config->pools[i].allow);
		free(config->pools[i].manifest);
		free(config->pools[i].manifest_key);
	}
	for (size_t i = 0; i < config->listener_count; i++) {
		struct kt_config_listener *listener = &config->listeners[i];

		free(listener->listen);
		kt_config_texts_free(&listener->backends);
		free(listener->handoff);
		free(listener->handoff_user);
		kt_config_texts_free(&listener->targets);
		free(listener->target_name);
		free(listener->server_pool);
		free(listener->proxy);
		free(listener->proxy_credentials);
		free(listener->proxy_from.at);
		kt_config_credential_free(&listener->own);
		for (size_t k = 0; k < listener->more.count; k++)
			kt_config_credential_free(&listener->more.at[k]);
		free(listener->more.at);
		free(listener->alpn.list);
		free(listener->pool);
		for (size_t k = 0; k < listener->names.count; k++)
			kt_config_name_free(&listener->names.at[k]);
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
	char hint[KT_VALUE_HINT_MAX];

	if (err)
		return err;
	for (size_t i = 0; i < ENTRIES; i++) {
		const struct kt_setting *setting = &entries[i].setting;

		if (strcmp(setting->section, kind) || strcmp(setting->key, key))
			continue;
		err = kt_value_set(&entries[i].form, (char *)found + entries[i].offset, value,
				   &why);
		if (err == EINVAL && why.err)
			return kt_error_set(error, err, where, line, "%s = %s: %s", key, value,
					    why.text);
		if (err == EINVAL)
			return kt_error_set(error, err, where, line, "%s = %s: expected %s%s", key,
					    value, setting->value,
					    kt_value_hint(&entries[i].form, hint));
		return err ? kt_error_set(error, err, where, line, "%s: %s", key, strerror(err))
			   : 0;
	}
	return kt_error_set(error, EINVAL, where, line,
			    "[%s] has no setting '%s' (see ktrustd --help)", kind, key);
}
