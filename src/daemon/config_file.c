/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings from an INI file, and the check that all of them fit together. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTIONS_MAX (1 + KT_POOLS_MAX + KT_LISTENERS_MAX)
#define SECTION_LEN  64 /* NUL included */

struct reading {
	struct kt_config *config;
	const char *where;
	unsigned int line;
	char section[SECTION_LEN]; /* empty before the first */
	struct kt_error *error;
	/* Those that have begun, and in which line. */
	struct {
		char section[SECTION_LEN];
		unsigned int line;
	} begun[SECTIONS_MAX];
	size_t begun_count;
};

static const char blanks[] = " \t\r\n\v\f";

/* Without the blanks at both ends, in place. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, blanks);
	for (len = strlen(text); len && strchr(blanks, text[len - 1]); len--)
		;
	text[len] = '\0';
	return text;
}

static int bad(const struct reading *reading, const char *why)
{
	return kt_error_set(reading->error, EINVAL, reading->where, reading->line, "%s", why);
}

/* One blank between kind and name, so that the same section is the same text. */
static void tidy(char *section)
{
	char *blank = strchr(section, ' ');

	if (blank) {
		const char *name = blank + strspn(blank, " ");

		memmove(blank + 1, name, strlen(name) + 1);
	}
}

/* The second would change what the first has set, unseen. There is room: there are no more. */
static int begin_once(struct reading *reading)
{
	for (size_t i = 0; i < reading->begun_count; i++)
		if (!strcmp(reading->begun[i].section, reading->section))
			return kt_error_set(reading->error, EINVAL, reading->where, reading->line,
					    "[%s] has begun in line %u (put its settings together, "
					    "or give it another name)",
					    reading->section, reading->begun[i].line);
	strcpy(reading->begun[reading->begun_count].section, reading->section);
	reading->begun[reading->begun_count++].line = reading->line;
	return 0;
}

/* "[section]" */
static int take_section(struct reading *reading, char *text)
{
	size_t len = strlen(text);
	int err;

	if (text[len - 1] != ']')
		return bad(reading, "'[' without ']' at the end of the line");
	text[len - 1] = '\0';
	text = trim(text + 1);
	if (strlen(text) >= sizeof reading->section)
		return bad(reading, "this section's name is too long");
	strcpy(reading->section, text);
	tidy(reading->section);
	err = kt_config_add_section(reading->config, reading->section, reading->where,
				    reading->line, reading->error);
	return err ? err : begin_once(reading);
}

static int take_line(struct reading *reading, char *text)
{
	char *equals;

	text = trim(text);
	if (!text[0] || text[0] == '#' || text[0] == ';')
		return 0;
	if (text[0] == '[')
		return take_section(reading, text);
	equals = strchr(text, '=');
	if (!equals)
		return bad(reading, "neither [section] nor key = value");
	if (!reading->section[0])
		return bad(reading, "a setting before the first [section]");
	*equals = '\0';
	return kt_config_set(reading->config, reading->section, trim(text), trim(equals + 1),
			     reading->where, reading->line, reading->error);
}

int kt_config_read_file(struct kt_config *config, FILE *file, const char *where,
			struct kt_error *error)
{
	struct reading reading = {.config = config, .where = where, .error = error};
	char line[KT_CONFIG_LINE_MAX + 2]; /* with newline and NUL */
	int err = 0;

	/* Filled, so that the last NUL is the one that fgets wrote. */
	while (!err && memset(line, 1, sizeof line) && fgets(line, sizeof line, file)) {
		size_t len = (size_t)((char *)memrchr(line, '\0', sizeof line) - line);

		reading.line++;
		if (len != strlen(line))
			return bad(&reading, "a NUL byte: this is no text file");
		if (len > KT_CONFIG_LINE_MAX && line[len - 1] != '\n')
			return bad(&reading, "this line is too long");
		err = take_line(&reading, line);
	}
	if (!err && ferror(file))
		err = kt_error_set(error, errno ? errno : EIO, where, 0, "cannot be read: %s",
				   strerror(errno ? errno : EIO));
	return err;
}

int kt_config_read(struct kt_config *config, const char *path, struct kt_error *error)
{
	FILE *file = fopen(path, "re");
	int err;

	if (!file)
		return kt_error_set(error, errno, path, 0, "%s", strerror(errno));
	err = kt_config_read_file(config, file, path, error);
	fclose(file);
	return err;
}

const struct kt_config_credential *
kt_config_credential_at(const struct kt_config_listener *listener, size_t index)
{
	if (listener->own.certificate && !index--)
		return &listener->own;
	return index < listener->more.count ? &listener->more.at[index] : NULL;
}

static const struct kt_config_pool *pool_named(const struct kt_config *config, const char *name)
{
	for (size_t i = 0; i < config->pool_count; i++)
		if (!strcmp(config->pools[i].name, name))
			return &config->pools[i];
	return NULL;
}

/* Its pattern's syntax was looked at when it was set. */
static int check_name(const struct kt_config *config, const struct kt_config_listener *listener,
		      size_t index, struct kt_error *error)
{
	const struct kt_config_name *name = &listener->names.at[index];

	if (!pool_named(config, name->pool))
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "client-pool-for %s: there is no pool '%s'", name->pattern,
				    name->pool);
	for (size_t i = 0; i < index; i++)
		if (!strcasecmp(listener->names.at[i].pattern, name->pattern))
			return kt_error_set(error, EINVAL, listener->name, 0,
					    "client-pool-for %s is there twice (drop one)",
					    name->pattern);
	return 0;
}

static int check_pools(const struct kt_config *config, const struct kt_config_listener *listener,
		       struct kt_error *error)
{
	bool names_one = listener->pool || listener->names.count;
	int err = 0;

	if (listener->client_auth == KT_CLIENT_AUTH_NONE && names_one)
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has a client-pool, but client-auth = none would "
				    "never ask it (drop one of the two)");
	if (listener->client_auth != KT_CLIENT_AUTH_NONE && !listener->pool)
		return kt_error_set(
			error, EINVAL, listener->name, 0,
			"this listener verifies clients but has no client-pool (set it, "
			"or client-auth = none)");
	if (listener->pool && !pool_named(config, listener->pool))
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "client-pool '%s': there is no such pool", listener->pool);
	for (size_t i = 0; i < listener->names.count && !err; i++)
		err = check_name(config, listener, i, error);
	return err;
}

static bool asks_pool(const struct kt_config_listener *listener, const char *name)
{
	if (listener->pool && !strcmp(listener->pool, name))
		return true;
	for (size_t i = 0; i < listener->names.count; i++)
		if (!strcmp(listener->names.at[i].pool, name))
			return true;
	return false;
}

static bool verifies_clients(const struct kt_config *config, const struct kt_config_pool *pool)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (asks_pool(&config->listeners[i], pool->name))
			return true;
	return false;
}

int kt_config_check_source(const struct kt_config *config, const struct kt_config_pool *pool,
			   const char *source, struct kt_error *error)
{
	if (pool->purpose == KT_CONFIG_PURPOSE_ANY ||
	    kt_source_purposes(source) != KT_PURPOSE_SERVER || !verifies_clients(config, pool))
		return 0;
	return kt_error_set(error, EINVAL, pool->name, 0,
			    "a listener verifies clients by this pool, but the roots of '%s' are "
			    "for verifying servers (name a source of client CAs; or set purpose = "
			    "any in [pool %s], if whoever they vouch for may come in)",
			    source, pool->name);
}

static int check_pool(const struct kt_config *config, const struct kt_config_pool *pool,
		      struct kt_error *error)
{
	int err = 0;

	if (!pool->sources.count)
		return kt_error_set(error, EINVAL, pool->name, 0, "this pool has no source");
	if (pool->manifest_key && !pool->manifest)
		return kt_error_set(error, EINVAL, pool->name, 0,
				    "this pool has a manifest-key but no manifest");
	if (pool->allow.count > KT_ALLOW_RULES_MAX)
		return kt_error_set(error, EINVAL, pool->name, 0,
				    "this pool has %zu allow rules (at most %d can be)",
				    pool->allow.count, KT_ALLOW_RULES_MAX);
	for (size_t i = 0; !err && i < pool->sources.count; i++)
		err = kt_config_check_source(config, pool, pool->sources.at[i], error);
	return err;
}

static int check_credentials(const struct kt_config_listener *listener, struct kt_error *error)
{
	const struct kt_config_credential *own = &listener->own;

	if (!own->certificate != !own->key || (own->ocsp && !own->key))
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has no '%s' (certificate and key belong "
				    "together)",
				    own->certificate ? "key" : "certificate");
	if (!kt_config_credential_at(listener, 0))
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has no 'certificate' and 'key', nor "
				    "'credentials'");
	if (kt_config_credential_at(listener, KT_CREDENTIALS_MAX))
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has more than %d credentials",
				    KT_CREDENTIALS_MAX);
	return 0;
}

static int check_handoff(const struct kt_config *config, const struct kt_config_listener *listener,
			 struct kt_error *error)
{
	const char *why = NULL;

	if (listener->backends.count)
		why = "a 'backend' and a 'handoff' (drop one of the two)";
	else if (listener->proxy_protocol != KT_PROXY_OFF)
		why = "a proxy-protocol, which is for backends, and a 'handoff'";
	else if (strncmp(listener->handoff, "unix:", 5) || !listener->handoff[5])
		why = "a 'handoff' that is no unix:PATH";
	else if (config->ktls == KT_KTLS_OFF)
		why = "a 'handoff', which needs kTLS, and ktls = off";
	return why ? kt_error_set(error, EINVAL, listener->name, 0, "this listener has %s", why)
		   : 0;
}

/* Where its connections go. */
static int check_delivery(const struct kt_config *config, const struct kt_config_listener *listener,
			  struct kt_error *error)
{
	if (listener->handoff)
		return check_handoff(config, listener, error);
	if (listener->handoff_user)
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has a handoff-user but no 'handoff'");
	if (!listener->backends.count)
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has no 'backend' (nor a 'handoff')");
	return 0;
}

/* ---- Origins --------------------------------------------------------------------------------- */

static int complain(const struct kt_config_listener *listener, const char *text,
		    struct kt_error *error)
{
	return kt_error_set(error, EINVAL, listener->name, 0, "%s", text);
}

static int check_listen(const struct kt_config_listener *listener, struct kt_error *error)
{
	if (!listener->listen)
		return complain(listener, "this listener has no 'listen'", error);
	if (!strncmp(listener->listen, "unix:", 5))
		return complain(listener, "this listener's 'listen' is no HOST:PORT", error);
	return 0;
}

/* What is set here would never be looked at. */
static int check_roles(const struct kt_config_listener *listener, struct kt_error *error)
{
	bool of_server = listener->backends.count || listener->handoff || listener->handoff_user ||
			 listener->pool || listener->names.count || listener->proxy_from.count ||
			 listener->proxy_protocol != KT_PROXY_OFF || listener->own.ocsp;
	bool of_origin = listener->targets.count || listener->target_name ||
			 listener->server_pool || listener->proxy || listener->proxy_credentials;

	if (listener->mode == KT_MODE_ORIGIN && of_server)
		return complain(listener,
				"backend, handoff, client-pool, client-pool-for, proxy-from, "
				"proxy-protocol and "
				"ocsp are not for mode = origin (which has target and server-pool)",
				error);
	if (listener->mode == KT_MODE_SERVER && of_origin)
		return complain(
			listener,
			"target, target-name, server-pool, proxy and proxy-credentials are for "
			"mode = origin (set it)",
			error);
	return 0;
}

static int check_targets(const struct kt_config_listener *listener, struct kt_error *error)
{
	char host[KT_HOST_SIZE];
	uint16_t port;
	int err = 0;

	if (!listener->targets.count)
		return complain(listener, "this listener has no 'target'", error);
	if (listener->targets.count > KT_BACKENDS_MAX)
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has %zu targets (at most %d can be)",
				    listener->targets.count, KT_BACKENDS_MAX);
	for (size_t i = 0; i < listener->targets.count && !err; i++)
		err = kt_address_split(listener->targets.at[i], host, &port, error);
	if (!err && listener->target_name && strlen(listener->target_name) >= KT_HOST_SIZE)
		return complain(listener, "target-name is longer than any name", error);
	return err;
}

/* A login in the settings would be in lists of processes, in logs, and in the reach of backups. */
static int check_proxy(const struct kt_config_listener *listener, struct kt_error *error)
{
	struct kt_upstream_url url = {0};
	struct kt_error why;
	bool has_login;

	if (!listener->proxy)
		return listener->proxy_credentials
			       ? complain(listener, "proxy-credentials are of no proxy (set proxy)",
					  error)
			       : 0;
	if (kt_upstream_url_parse(listener->proxy, &url, &why))
		return kt_error_set(error, EINVAL, listener->name, 0, "proxy: %s", why.text);
	has_login = url.login.user[0];
	explicit_bzero(&url, sizeof url);
	return has_login ? complain(listener,
				    "proxy: its login does not belong here (put the line "
				    "USER:PASSWORD into a file and name that: proxy-credentials)",
				    error)
			 : 0;
}

static int check_server_pool(const struct kt_config *config,
			     const struct kt_config_listener *listener, struct kt_error *error)
{
	if (!listener->server_pool)
		return complain(listener, "this listener has no 'server-pool'", error);
	if (!pool_named(config, listener->server_pool))
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "server-pool '%s': there is no such pool",
				    listener->server_pool);
	return 0;
}

static int check_own(const struct kt_config_listener *listener, struct kt_error *error)
{
	if (!listener->own.certificate != !listener->own.key)
		return complain(listener, "certificate and key belong together", error);
	if (kt_config_credential_at(listener, 1))
		return complain(listener, "an origin has one certificate at most", error);
	return 0;
}

static int check_origin(const struct kt_config *config, const struct kt_config_listener *listener,
			struct kt_error *error)
{
	int err;

	err = check_listen(listener, error);
	if (err)
		return err;
	err = check_targets(listener, error);
	if (!err)
		err = check_server_pool(config, listener, error);
	if (!err)
		err = check_own(listener, error);
	return err ? err : check_proxy(listener, error);
}

static int check_listener(const struct kt_config *config, const struct kt_config_listener *listener,
			  struct kt_error *error)
{
	int err = check_roles(listener, error);

	if (err)
		return err;
	if (listener->mode == KT_MODE_ORIGIN)
		return check_origin(config, listener, error);
	err = check_listen(listener, error);
	if (err)
		return err;
	err = check_delivery(config, listener, error);
	if (err)
		return err;
	if (listener->backends.count > KT_BACKENDS_MAX)
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has %zu backends (at most %d can be)",
				    listener->backends.count, KT_BACKENDS_MAX);
	if (listener->proxy_from.count > KT_PROXY_FROM_MAX)
		return kt_error_set(error, EINVAL, listener->name, 0,
				    "this listener has %zu proxy-from (at most %d can be)",
				    listener->proxy_from.count, KT_PROXY_FROM_MAX);
	err = check_credentials(listener, error);
	return err ? err : check_pools(config, listener, error);
}

int kt_config_check(const struct kt_config *config, struct kt_error *error)
{
	int err;

	if (!config->listener_count)
		return kt_error_set(error, EINVAL, "configuration", 0,
				    "no listener (see ktrustd --help)");
	if (config->start_from_state && !config->state)
		return kt_error_set(error, EINVAL, "configuration", 0,
				    "start-from-state = yes needs a state directory (set state)");
	for (size_t i = 0; i < config->pool_count; i++) {
		err = check_pool(config, &config->pools[i], error);
		if (err)
			return err;
	}
	for (size_t i = 0; i < config->listener_count; i++) {
		err = check_listener(config, &config->listeners[i], error);
		if (err)
			return err;
	}
	return 0;
}
