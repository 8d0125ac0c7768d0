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
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
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
#include "listeners.h"
#include "log.h"
#include "options.h"
#include "watcher.h"

enum {
	EXIT_SYSTEM = 2, /* usage, input or system error, as in all of ktrust */
	CONTROL_REST_MS = 250,
};

#define HEAP_KEPT_LEN                                                                              \
	(8 << 20) /* bytes free at the end of a heap that stay with us; of each thread's */

struct start {
	struct kt_daemon daemon;
	struct kt_config *config;
	struct kt_control_listener control;
	struct kt_listeners *listeners; /* until the engine has copied them */
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

static int make_engine(struct start *start, struct kt_error *error)
{
	const struct kt_config *config = start->config;
	const struct kt_engine_options options = {
		.listeners = kt_listeners_options(start->listeners),
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

	kt_listeners_free(start->listeners);
	start->listeners = NULL;
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
		err = kt_identities_new(start->config, &start->daemon.identities, error);
	if (!err)
		err = kt_listeners_new(start->config, start->daemon.pools, start->daemon.identities,
				       &start->listeners, error);
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
	kt_listeners_free(start->listeners);
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
