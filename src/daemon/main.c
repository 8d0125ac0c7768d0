/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktrustd: the order in which things start and stop.
 *
 *   start  settings → signals → control socket (claims the instance) → pools → credentials →
 *          engine (ports) → control service → workers → watcher → "ready"
 *   stop   workers (accepting ends, connections drain) → watcher → control service → engine → pools
 * → socket
 *
 * Threading: the main thread starts, waits for signals and control clients, and stops; workers,
 * control clients and the drain have threads of their own. A second signal during the drain ends
 * the process at once.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../error/standard_files.h"
#include "../tls/fast_keys.h"
#include "../tls/shortcuts.h"
#include "daemon.h"
#include "log.h"
#include "options.h"
#include "watcher.h"

enum {
	EXIT_SYSTEM = 2, /* usage, input or system error, as in all of ktrust */
	CONTROL_REST_MS = 250,
};

#define HEAP_KEPT_LEN                                                                              \
	(8 << 20) /* bytes free at the end of a heap that stay with us; of each thread's */

/* What an origin is to be told, until the engine has copied it. */
struct origin {
	struct kt_target targets[KT_BACKENDS_MAX];
	char hosts[KT_BACKENDS_MAX][KT_HOST_SIZE];
	struct kt_upstream_options upstream;
};

struct start {
	struct kt_daemon daemon;
	struct kt_config *config;
	struct kt_control_listener control;
	struct kt_listener_options listeners[KT_LISTENERS_MAX];
	struct kt_address backends[KT_LISTENERS_MAX][KT_BACKENDS_MAX]; /* that these name */
	struct origin *origins; /* likewise, for each listener */
	struct kt_serving *serving;
	struct kt_watcher *watcher;
	int signal_fd;
	int drained_fd; /* eventfd: kt_engine_drain is done */
	size_t cut;	/* connections that the drain cut off; the drain's thread writes it */
};

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Keys live in this process: no core dump, and nobody but root may look into it. */
static void protect_memory(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

/*
 * A handshake's memory is given back by the next second, and asked for again: glibc would have the
 * kernel take it away between two of them, which costs each some hundredth part.
 */
static void keep_some_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_LEN);
}

/* Before any thread, so that all inherit the mask and signals come to the main thread only. */
static int take_signals(struct start *start)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	start->drained_fd = eventfd(0, EFD_CLOEXEC);
	return start->signal_fd < 0 || start->drained_fd < 0 ? -errno : 0;
}

/* All pools; at start every one must load, later each that fails keeps what it has. */
static int load_pools(struct kt_pools *pools, bool or_restore)
{
	struct kt_pool_change change;
	int first = 0;

	for (size_t i = 0; i < kt_pools_count(pools); i++) {
		int err = kt_pools_load(pools, i, KT_CONFIGURED_SOURCES, 0, &change, NULL);

		if (err && or_restore)
			err = kt_pools_restore(pools, i);
		if (err && !first)
			first = err;
	}
	return first;
}

/* What fails keeps what it has, and was logged. */
static void load_again(struct start *start)
{
	kt_log(LOG_NOTICE, "SIGHUP: loading all pools, certificates and keys");
	(void)!load_pools(start->daemon.pools, false);
	for (size_t i = 0; i < start->config->listener_count; i++)
		(void)!kt_identities_load(start->daemon.identities, i);
}

/* The pools are there: kt_config_check saw to it. */
static int describe_names(struct start *start, const struct kt_config_listener *listener,
			  struct kt_listener_options *options, struct kt_error *error)
{
	struct kt_pool_for *pools = calloc(listener->names.count + 1, sizeof *pools);

	if (!pools)
		return kt_error_set(error, ENOMEM, listener->name, 0, "out of memory");
	for (size_t i = 0; i < listener->names.count; i++) {
		const struct kt_config_name *name = &listener->names.at[i];

		pools[i].pattern = name->pattern;
		pools[i].pool = kt_pools_named(start->daemon.pools, name->pool);
	}
	options->pools = pools;
	options->pool_count = listener->names.count;
	return 0;
}

/* The place of the k-th is there whatever those before it resolve to. */
static size_t room_for(const struct kt_config_texts *texts, size_t k, size_t taken)
{
	return KT_BACKENDS_MAX - taken - (texts->count - 1 - k);
}

/* Each address of a name is a backend of its own: it is not known where somebody listens. */
static int describe_backends(struct start *start, size_t i, struct kt_error *error)
{
	const struct kt_config_texts *texts = &start->config->listeners[i].backends;
	struct kt_listener_options *options = &start->listeners[i];
	struct kt_address *backends = start->backends[i];
	size_t taken = 0;

	for (size_t k = 0; k < texts->count; k++) {
		size_t count;
		int err = kt_addresses_parse(texts->at[k], room_for(texts, k, taken),
					     backends + taken, &count, error);

		if (err)
			return err;
		taken += count;
	}
	options->backends = backends;
	options->backend_count = taken;
	return 0;
}

static int find_user(const char *name, uid_t *ret_uid, struct kt_error *error)
{
	const struct passwd *user = getpwnam(name);
	unsigned long number;
	char *end;

	if (user) {
		*ret_uid = user->pw_uid;
		return 0;
	}
	errno = 0;
	number = strtoul(name, &end, 10);
	/* The last is no user's: (uid_t)-1 */
	if (errno || *end || !isdigit((unsigned char)name[0]) || number >= UINT32_MAX)
		return kt_error_set(error, EINVAL, name, 0,
				    "handoff-user: there is no such user (a name, or a number)");
	*ret_uid = (uid_t)number;
	return 0;
}

static int describe_handoff(struct start *start, size_t i, struct kt_error *error)
{
	const struct kt_config_listener *listener = &start->config->listeners[i];
	struct kt_listener_options *options = &start->listeners[i];
	int err;

	if (!listener->handoff)
		return 0;
	options->handoff_queue = listener->handoff_queue;
	options->handoff_user = geteuid();
	err = kt_address_parse(listener->handoff, &options->handoff, error);
	if (!err && listener->handoff_user)
		err = find_user(listener->handoff_user, &options->handoff_user, error);
	return err;
}

static int describe_proxy(const struct kt_config_listener *listener,
			  struct kt_listener_options *options, struct origin *origin,
			  struct kt_error *error)
{
	struct kt_upstream_url url;
	int err = 0;

	if (!listener->proxy)
		return 0;
	err = kt_upstream_url_parse(listener->proxy, &url, error);
	if (!err)
		err = kt_address_parse(url.address, &origin->upstream.address, error);
	if (!err && listener->proxy_credentials)
		err = kt_upstream_login_read(listener->proxy_credentials, &origin->upstream.login,
					     error);
	if (err)
		return err;
	origin->upstream.kind = url.kind;
	options->upstream = &origin->upstream;
	return 0;
}

static bool is_ip(const char *text)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* Where it is: each address of a name is a target. What a proxy is asked for it resolves itself. */
static int reach_target(const struct kt_config_listener *listener, size_t k, size_t room,
			struct kt_target target, struct kt_target *ret_targets, size_t *ret_count,
			struct kt_error *error)
{
	struct kt_address addresses[KT_BACKENDS_MAX] = {{.len = 0}};
	size_t count = 1;
	int err = listener->proxy ? 0
				  : kt_addresses_parse(listener->targets.at[k], room, addresses,
						       &count, error);

	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		target.address = addresses[i];
		ret_targets[i] = target;
	}
	*ret_count = count;
	return 0;
}

static int describe_target(const struct kt_config_listener *listener, size_t k,
			   struct origin *origin, size_t *taken, struct kt_error *error)
{
	struct kt_target target = {.host = origin->hosts[k]};
	size_t count = 0;
	int err = kt_address_split(listener->targets.at[k], origin->hosts[k], &target.port, error);

	if (err)
		return err;
	target.name = listener->target_name ? listener->target_name : target.host;
	target.name_type = is_ip(target.name) ? KT_NAME_IP : KT_NAME_DNS;
	err = reach_target(listener, k, room_for(&listener->targets, k, *taken), target,
			   origin->targets + *taken, &count, error);
	*taken += count;
	return err;
}

static int describe_origin(struct start *start, size_t i, struct kt_error *error)
{
	const struct kt_config_listener *listener = &start->config->listeners[i];
	struct kt_listener_options *options = &start->listeners[i];
	struct origin *origin = &start->origins[i];
	int err = 0;

	if (listener->mode != KT_MODE_ORIGIN)
		return 0;
	options->client_auth = KT_CLIENT_AUTH_NONE;
	options->pool = kt_pools_named(start->daemon.pools, listener->server_pool);
	options->policy.profile = listener->server_profile;
	options->targets = origin->targets;
	for (size_t k = 0; k < listener->targets.count && !err; k++)
		err = describe_target(listener, k, origin, &options->target_count, error);
	return err ? err : describe_proxy(listener, options, origin, error);
}

/* What the engine is to be told; the addresses are resolved here. */
static int describe_listener(struct start *start, size_t i, struct kt_error *error)
{
	const struct kt_config_listener *listener = &start->config->listeners[i];
	struct kt_listener_options *options = &start->listeners[i];
	int err;

	*options = (struct kt_listener_options){
		.name = listener->name,
		.mode = listener->mode,
		.credentials_slot = kt_identities_slot(start->daemon.identities, i),
		.alpn = listener->alpn.list,
		.alpn_len = listener->alpn.len,
		.client_auth = listener->client_auth,
		.ca_names = listener->ca_names,
		.policy.profile = listener->profile,
		.proxy_from = listener->proxy_from.at,
		.proxy_from_count = listener->proxy_from.count,
		.proxy_protocol = listener->proxy_protocol,
	};
	if (listener->pool)
		options->pool = kt_pools_named(start->daemon.pools, listener->pool);
	err = describe_names(start, listener, options, error);
	if (!err)
		err = kt_address_parse(listener->listen, &options->listen, error);
	if (!err)
		err = describe_handoff(start, i, error);
	if (!err)
		err = describe_backends(start, i, error);
	return err ? err : describe_origin(start, i, error);
}

static int load_listeners(struct start *start, struct kt_error *error)
{
	int err = kt_identities_new(start->config, &start->daemon.identities, error);

	if (err)
		return err;
	start->origins = calloc(start->config->listener_count, sizeof *start->origins);
	if (!start->origins)
		return kt_error_set(error, ENOMEM, "listeners", 0, "out of memory");
	for (size_t i = 0; i < start->config->listener_count && !err; i++)
		err = describe_listener(start, i, error);
	return err;
}

/* With the logins of proxies. */
static void forget_origins(struct start *start)
{
	if (start->origins)
		explicit_bzero(start->origins,
			       start->config->listener_count * sizeof *start->origins);
	free(start->origins);
	start->origins = NULL;
}

static int make_engine(struct start *start, struct kt_error *error)
{
	const struct kt_config *config = start->config;
	const struct kt_engine_options options = {
		.listeners = start->listeners,
		.listener_count = config->listener_count,
		.workers = config->workers,
		.ktls = config->ktls,
		.handshake_timeout_ms = config->handshake_timeout_ms,
		.connect_timeout_ms = config->connect_timeout_ms,
		.idle_timeout_ms = config->idle_timeout_ms,
		.connections_max = config->connections_max,
		.handshakes_max = config->handshakes_max,
		.handshakes_address_max = config->handshakes_address_max,
		.verifier = config->verifier,
		.forget_verdicts = !config->verdicts_max,
		.cache = {config->verdicts_max, config->signatures_max},
		.certificates_max = config->certificates_max,
	};

	int err = kt_engine_new(&options, &start->daemon.engine, error);

	forget_origins(start);
	return err;
}

static void say_ktls(const struct start *start)
{
	const struct kt_ktls_support *support = kt_engine_ktls(start->daemon.engine);
	char missing[KT_KTLS_MISSING_MAX];

	if (start->config->ktls == KT_KTLS_OFF)
		kt_log(LOG_NOTICE, "kTLS is switched off: records stay in userspace");
	else if (support->attach && kt_ktls_missing(support, missing))
		kt_log(LOG_WARNING,
		       "kTLS is there, but not for%s: records of connections that use them stay in "
		       "userspace; run 'ktrust doctor' for what to do",
		       missing);
	else if (support->attach)
		kt_log(LOG_INFO, "kTLS is there: records go to the kernel");
	else
		kt_log(LOG_WARNING,
		       "kTLS is missing (%s): records stay in userspace, which costs a copy each; "
		       "run 'ktrust doctor' for what to do",
		       strerror(support->attach_err));
}

static void say_listener(const struct kt_config_listener *listener, const char *address)
{
	bool origin = listener->mode == KT_MODE_ORIGIN;
	const struct kt_config_texts *to = origin ? &listener->targets : &listener->backends;

	kt_log(LOG_NOTICE, "listener %s: %s -> %s%s%s", listener->name, address,
	       listener->handoff ? listener->handoff : to->at[0],
	       to->count > 1 ? " and others" : "",
	       origin		   ? " over TLS"
	       : listener->handoff ? " (handoff)"
				   : "");
}

static void say_ready(const struct start *start)
{
	char text[KT_ADDRESS_TEXT_MAX];
	struct kt_address address;

	for (size_t i = 0; i < start->config->listener_count; i++) {
		if (kt_engine_address(start->daemon.engine, i, &address))
			continue;
		say_listener(&start->config->listeners[i], kt_address_format(&address, text));
	}
	kt_log(LOG_NOTICE, "ready");
}

/* Everything that does not touch the world outside, and then is the whole of --check. */
static int prepare(struct start *start, bool check_only, struct kt_error *error)
{
	const char *state = check_only ? NULL : start->config->state;
	int err = kt_pools_new(start->config, &start->daemon.pools, error);

	if (!err && state)
		err = kt_pools_use_state(start->daemon.pools, state, error);
	if (!err)
		err = load_listeners(start, error);
	if (!err && load_pools(start->daemon.pools, state && start->config->start_from_state))
		err = kt_error_set(error, EINVAL, "pools", 0, "a source was refused, see above");
	return err;
}

static int set_up(struct start *start, struct kt_error *error)
{
	int err = take_signals(start);

	if (err)
		return kt_error_set(error, -err, "signals", 0, "%s", strerror(-err));
	err = kt_control_listen(start->config->control, &start->control, error);
	if (!err)
		err = prepare(start, false, error);
	if (!err)
		err = make_engine(start, error);
	if (!err)
		err = kt_serving_new(&start->daemon, &start->serving, error);
	if (!err)
		err = kt_engine_start(start->daemon.engine, error);
	if (!err)
		err = kt_watcher_new(start->config, start->daemon.pools, start->daemon.identities,
				     &start->watcher, error);
	return err;
}

static void tear_down(struct start *start)
{
	kt_watcher_free(start->watcher);
	kt_serving_free(start->serving);
	kt_engine_free(start->daemon.engine);
	kt_fast_keys_stop();
	for (size_t i = 0; i < KT_LISTENERS_MAX; i++)
		free((void *)start->listeners[i].pools);
	forget_origins(start);
	kt_identities_free(start->daemon.identities);
	kt_pools_free(start->daemon.pools);
	kt_control_unlisten(&start->control);
	if (start->signal_fd >= 0)
		close(start->signal_fd);
	if (start->drained_fd >= 0)
		close(start->drained_fd);
}

/* The next signal that is waiting, or 0. */
static int next_signal(int fd)
{
	struct signalfd_siginfo got;

	return read(fd, &got, sizeof got) == sizeof got ? (int)got.ssi_signo : 0;
}

/* Take the signals that wait: the one that asks for the end, or 0. */
static int take_waiting_signals(struct start *start)
{
	int sig;

	while ((sig = next_signal(start->signal_fd)) == SIGHUP)
		load_again(start);
	return sig;
}

/* Serve until a signal asks for the end (returns it) or the engine has been drained (returns 0). */
static int run(struct start *start)
{
	struct pollfd fds[] = {{.fd = start->signal_fd, .events = POLLIN},
			       {.fd = start->drained_fd, .events = POLLIN},
			       {.fd = start->control.fd, .events = POLLIN}};
	bool resting = false; /* the control socket, since no file is left for a client */

	for (;;) {
		int sig;

		if (poll(fds, resting ? 2 : 3, resting ? CONTROL_REST_MS : -1) < 0)
			continue; /* EINTR: nothing of revents is known */
		resting = !resting && fds[2].revents &&
			  kt_serving_take(start->serving, start->control.fd) != 0;
		sig = take_waiting_signals(start);
		if (sig)
			return sig;
		if (fds[1].revents)
			return 0;
	}
}

/* In a thread, since it blocks: the main thread goes on to serve control clients and signals. */
static void *drain(void *arg)
{
	struct start *start = arg;

	start->cut = kt_engine_drain(start->daemon.engine, start->config->drain_timeout_ms);
	eventfd_write(start->drained_fd, 1);
	return NULL;
}

static void stop(struct start *start, int sig)
{
	pthread_t thread;

	kt_log(LOG_NOTICE, "SIG%s: stopping, live connections have %u ms", sigabbrev_np(sig),
	       start->config->drain_timeout_ms);
	if (pthread_create(&thread, NULL, drain, start)) {
		drain(start);
	} else if (run(start)) {
		kt_log(LOG_WARNING, "asked again: live connections are cut off");
		kt_control_unlisten(&start->control);
		_exit(EXIT_SUCCESS); /* the drain cannot be hurried, only left */
	} else {
		pthread_join(thread, NULL);
	}
	if (start->cut)
		kt_log(LOG_WARNING, "%zu connections were still open and have been cut",
		       start->cut);
	kt_log(LOG_NOTICE, "stopped");
}

static int check(struct start *start)
{
	struct kt_error error = {0};

	if (prepare(start, true, &error)) {
		kt_log_error("would not start", &error);
		return EXIT_SYSTEM;
	}
	kt_log(LOG_NOTICE, "settings, files and pools are fine");
	return EXIT_SUCCESS;
}

static int serve(struct start *start)
{
	struct kt_error error = {0};

	kt_files_raise(start->config);
	kt_shortcuts_turn(start->config->shortcuts);
	if (kt_fast_keys_start(start->config->fast_keys_max))
		kt_log(LOG_WARNING, "no thread for fast-keys-max: keys have no tables");
	if (set_up(start, &error)) {
		kt_log_error("not started", &error);
		return EXIT_SYSTEM;
	}
	say_ktls(start);
	say_ready(start);
	stop(start, run(start));
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct kt_config *config = kt_config_new();
	struct start start = {.config = config,
			      .signal_fd = -1,
			      .drained_fd = -1,
			      .control = {.fd = -1, .lock_fd = -1},
			      .daemon = {.config = config, .started_ns = realtime_ns()}};
	struct kt_error error = {0};
	int status = EXIT_SYSTEM;
	bool check_only;

	/* Who could log into any file does not start. */
	if (!kt_standard_files_take())
		goto free_config;
	protect_memory();
	keep_some_memory();
	if (!config) {
		kt_log(LOG_ERR, "out of memory");
		return EXIT_SYSTEM;
	}
	if (kt_options_parse(argc, argv, config, &check_only, &error) ||
	    kt_config_check(config, &error)) {
		kt_log_error("settings", &error);
		goto free_config;
	}
	status = check_only ? check(&start) : serve(&start);
	tear_down(&start);
free_config:
	kt_config_free(config);
	return status;
}
