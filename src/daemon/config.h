/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's settings, from flags and from an INI file, through one table.
 *
 * Every setting has a section, a key and a flag of the same name; both ways end in
 * kt_config_set, so that neither can do what the other cannot. Settings given later replace
 * earlier ones; the sources and allow rules of a pool, and the backends, targets, names, networks
 * and `credentials` of a listener, add up.
 *
 * There are [ktrust], [pool NAME] and [listener NAME]; `ktrustd --help` and ktrustd(8) list what
 * can be set in each.
 *
 * The file is INI in its plainest form: a line is `[section]`, `key = value`, a comment (first
 * character '#' or ';') or blank; blanks around keys and values do not count, and a value goes on
 * to the end of its line as it is. Nothing is quoted, continued or escaped.
 *
 * Threads: used by the main thread before anything else starts, then read only.
 */
#ifndef KTRUST_DAEMON_CONFIG_H
#define KTRUST_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <ktrust/allow.h>
#include <ktrust/error.h>
#include <ktrust/life.h>
#include <ktrust/source.h>
#include <ktrust/tls.h>

#include "../engine/engine.h"

#define KT_LISTENERS_MAX 64
#define KT_POOLS_MAX	 64

#define KT_WATCH_DEBOUNCE_MS 500
#define KT_HANDOFF_QUEUE     128

#define KT_CONFIG_NAME_MAX 31	/* bytes of a section's name, without the terminating NUL */
#define KT_CONFIG_LINE_MAX 4096 /* bytes of a line, without its newline */

_Static_assert(KT_CONFIG_NAME_MAX == KT_POOL_NAME_MAX, "a section's name is a pool's");

struct kt_config_texts {
	char **at;
	size_t count;
};

/* Whom the roots of certdata, system and embedded may vouch for in this pool. */
enum kt_config_purpose { KT_CONFIG_PURPOSE_SERVER, KT_CONFIG_PURPOSE_ANY };

enum kt_watch_policy { KT_WATCH_OFF, KT_WATCH_STAGE, KT_WATCH_COMMIT };

struct kt_config_pool {
	char name[KT_CONFIG_NAME_MAX + 1];
	struct kt_config_texts sources; /* as written: "file:PATH" */
	struct kt_config_texts allow;	/* each one that kt_allow_check takes; none: everybody */
	enum kt_config_purpose purpose;
	unsigned int lenient; /* 1: skip certificates and files that are no good */
	enum kt_crl_policy crl_policy;
	unsigned int anchors_min; /* 0: at least one */
	unsigned int removed_max; /* percent; 0: no limit */
	char *manifest;		  /* path; NULL: none is asked for */
	char *manifest_key;
	unsigned int history; /* KT_HISTORY_DEFAULT unless set */
	enum kt_watch_policy watch;
	unsigned int watch_debounce_ms; /* KT_WATCH_DEBOUNCE_MS unless set */
};

/* "client-pool-for = NAME POOL" */
struct kt_config_name {
	char *pattern; /* one that kt_pattern_check takes */
	char *pool;
};

struct kt_config_names {
	struct kt_config_name *at;
	size_t count;
};

/* "proxy-from = NETWORK" */
struct kt_config_networks {
	struct kt_network *at;
	size_t count;
};

/* Paths; ocsp NULL: none. */
struct kt_config_credential {
	char *certificate;
	char *key;
	char *ocsp;
};

/* "credentials = CHAIN KEY [OCSP]" */
struct kt_config_credentials {
	struct kt_config_credential *at;
	size_t count;
};

/* "alpn = h2,http/1.1": a ProtocolNameList (RFC 7301 §3.1) */
struct kt_config_protocols {
	uint8_t *list; /* NULL: none */
	size_t len;
};

struct kt_config_listener {
	char name[KT_CONFIG_NAME_MAX + 1];
	enum kt_listener_mode mode;
	char *listen;
	struct kt_config_texts targets; /* of an origin, as written, the best first */
	char *target_name;		/* NULL: each target's own host */
	char *server_pool;
	enum kt_profile server_profile;	 /* of servers' certificates */
	char *proxy;			 /* a URL without login; NULL: none */
	char *proxy_credentials;	 /* path */
	struct kt_config_texts backends; /* as written, the best first */
	char *handoff;			 /* "unix:PATH" instead of backends; NULL: none */
	char *handoff_user;		 /* name or number; NULL: our own */
	unsigned int handoff_queue;	 /* KT_HANDOFF_QUEUE unless set */
	struct kt_config_networks proxy_from;
	enum kt_proxy_protocol proxy_protocol; /* to the backends */
	struct kt_config_credential own;       /* certificate, key, ocsp; NULL: only `more` */
	struct kt_config_credentials more;     /* see kt_config_credential_at */
	unsigned int watch_credentials;	       /* 1 unless set: load them when a file changes */
	struct kt_config_protocols alpn;
	char *pool;
	struct kt_config_names names;	 /* pools by SNI; the others have `pool` */
	enum kt_client_auth client_auth; /* KT_CLIENT_AUTH_REQUIRE unless set */
	enum kt_ca_names ca_names;
	enum kt_profile profile; /* of clients' certificates */
};

struct kt_config {
	char *control;
	unsigned int workers; /* 0: as many as CPUs */
	enum kt_ktls_mode ktls;
	unsigned int handshake_timeout_ms;
	unsigned int connect_timeout_ms;
	unsigned int idle_timeout_ms;
	unsigned int drain_timeout_ms;
	unsigned int connections_max;
	unsigned int handshakes_max;	     /* 0: as the engine says */
	unsigned int handshakes_address_max; /* likewise */
	enum kt_verifier_mode verifier;
	unsigned int verdicts_max; /* 0: every chain is decided anew */
	unsigned int signatures_max;
	unsigned int certificates_max; /* 0: each is decoded anew */
	char *state;		       /* directory; NULL: nothing outlives the process */
	unsigned int fast_keys_max;    /* 0: none */
	unsigned int shortcuts;	       /* 1: yes */
	unsigned int start_from_state; /* 1: yes */
	struct kt_config_pool pools[KT_POOLS_MAX];
	size_t pool_count;
	struct kt_config_listener listeners[KT_LISTENERS_MAX];
	size_t listener_count;
};

/* What --help and the man page show; the order is that of the table. */
struct kt_setting {
	const char *section; /* "ktrust", "pool", "listener" */
	const char *key;     /* also the flag */
	const char *value;   /* placeholder of its value */
	const char *help;
};

/* How these are written; each ends with NULL. */
extern const char *const kt_config_ktls_words[];
extern const char *const kt_config_client_auth_words[];
extern const char *const kt_config_ca_names_words[];
extern const char *const kt_config_verifier_words[];
extern const char *const kt_config_profile_words[];
extern const char *const kt_config_proxy_words[];
extern const char *const kt_config_mode_words[];
extern const char *const kt_config_watch_words[]; /* enum kt_watch_policy */

/* NULL beyond the last. */
const struct kt_setting *kt_config_setting(size_t index);

/* NULL: out of memory. Everything at its default. */
struct kt_config *kt_config_new(void);
void kt_config_free(struct kt_config *config); /* NULL is fine */

/*
 * Have a section, even if nothing is set in it. -EINVAL no such kind, or no name that is one;
 * -E2BIG too many pools or listeners. where and line (0: none) go into error.
 */
KT_WARN_UNUSED int kt_config_add_section(struct kt_config *config, const char *section,
					 const char *where, unsigned int line,
					 struct kt_error *error);

/*
 * Set one value. section is "ktrust", "pool NAME" or "listener NAME". -EINVAL names what is wrong
 * and what would be right; -E2BIG too many pools or listeners; -ENOMEM.
 */
KT_WARN_UNUSED int kt_config_set(struct kt_config *config, const char *section, const char *key,
				 const char *value, const char *where, unsigned int line,
				 struct kt_error *error);

/*
 * Read an INI file. errno of the file, -EINVAL with its line; what came before the error has been
 * set. The second form reads an open file, which stays the caller's; where names it in errors.
 */
KT_WARN_UNUSED int kt_config_read(struct kt_config *config, const char *path,
				  struct kt_error *error);
KT_WARN_UNUSED int kt_config_read_file(struct kt_config *config, FILE *file, const char *where,
				       struct kt_error *error);

/* The index-th of a listener, in order of preference: certificate and key come first. NULL: none.
 */
const struct kt_config_credential *
kt_config_credential_at(const struct kt_config_listener *listener, size_t index);

/*
 * May this pool be loaded from this source? -EINVAL: a listener verifies clients by the pool, the
 * source's roots are for verifying servers, and the pool's purpose is not any.
 */
KT_WARN_UNUSED int kt_config_check_source(const struct kt_config *config,
					  const struct kt_config_pool *pool, const char *source,
					  struct kt_error *error);

/* Does it fit together: every listener complete, every pool it names there and with a source? */
KT_WARN_UNUSED int kt_config_check(const struct kt_config *config, struct kt_error *error);

#endif
