/* SPDX-License-Identifier: BSD-2-Clause */
#include "watcher.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <ktrust/source.h>

#include "log.h"
#include "watch.h"

struct kt_watcher {
	const struct kt_config *config;
	struct kt_pools *pools;
	struct kt_identities *identities;
	struct kt_watch *watch; /* a subject for each pool, then each listener; the thread's */
	int stop_fd;		/* eventfd */
	pthread_t thread;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Where a subject's content comes from. The paths are its own. */
struct places {
	struct kt_watch_place *at;
	size_t count, room;
	bool lost; /* out of memory: some are missing */
};

static bool make_room(struct places *places)
{
	struct kt_watch_place *grown;

	if (places->count < places->room)
		return true;
	grown = reallocarray(places->at, places->room * 2 + 8, sizeof *grown);
	if (!grown)
		return false;
	places->at = grown;
	places->room = places->room * 2 + 8;
	return true;
}

static void add_place(const char *path, bool directory, void *arg)
{
	struct places *places = arg;
	char *copy = make_room(places) ? strdup(path) : NULL;

	if (copy)
		places->at[places->count++] = (struct kt_watch_place){copy, directory};
	else
		places->lost = true;
}

static void add_source(struct places *places, const char *source)
{
	const char *path = kt_source_path(source);

	if (!strcmp(source, "system") && kt_source_system_places(NULL, add_place, places))
		places->lost = true;
	if (path)
		add_place(path, !strncmp(source, "dir:", 4), places);
}

static void add_pool(struct places *places, const struct kt_config_pool *pool)
{
	for (size_t i = 0; i < pool->sources.count; i++)
		add_source(places, pool->sources.at[i]);
	if (pool->manifest)
		add_place(pool->manifest, false, places);
	if (pool->manifest_key)
		add_place(pool->manifest_key, false, places);
}

static void add_listener(struct places *places, const struct kt_config_listener *listener)
{
	const struct kt_config_credential *credential;

	for (size_t i = 0; (credential = kt_config_credential_at(listener, i)); i++) {
		add_place(credential->certificate, false, places);
		add_place(credential->key, false, places);
		if (credential->ocsp)
			add_place(credential->ocsp, false, places);
	}
}

static void free_places(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free((char *)places->at[i].path);
	free(places->at);
}

static const char *advice(int err)
{
	if (err == -ENOSPC)
		return " (raise fs.inotify.max_user_watches)";
	if (err == -E2BIG)
		return " (links in one directory)";
	return "";
}

/* ---- Subjects -------------------------------------------------------------------------------- */

static size_t count_subjects(const struct kt_config *config)
{
	return config->pool_count + config->listener_count;
}

/* NULL: it is a listener. */
static const struct kt_config_pool *pool_at(const struct kt_config *config, size_t subject)
{
	return subject < config->pool_count ? &config->pools[subject] : NULL;
}

static const struct kt_config_listener *listener_at(const struct kt_config *config, size_t subject)
{
	return &config->listeners[subject - config->pool_count];
}

static bool is_watched(const struct kt_config *config, size_t subject)
{
	const struct kt_config_pool *pool = pool_at(config, subject);

	if (pool)
		return pool->watch != KT_WATCH_OFF;
	return listener_at(config, subject)->watch_credentials;
}

/* From here on what changes is seen; so this comes before reading. */
static void look(struct kt_watcher *watcher, size_t subject)
{
	const struct kt_config *config = watcher->config;
	const struct kt_config_pool *pool = pool_at(config, subject);
	struct places places = {.count = 0};
	int err;

	if (pool)
		add_pool(&places, pool);
	else
		add_listener(&places, listener_at(config, subject));
	err = kt_watch_look(watcher->watch, subject, places.at, places.count);
	if (!err && places.lost)
		err = -ENOMEM;
	free_places(&places);
	if (err)
		kt_log(LOG_WARNING, "%s %s: not every place of its %s can be watched: %s%s",
		       pool ? "pool" : "listener",
		       pool ? pool->name : listener_at(config, subject)->name,
		       pool ? "sources" : "credentials", strerror(-err), advice(err));
}

/* What fails was logged, and stays to be seen in `ktrust pool list` and `ktrust listeners`. */
static void act(struct kt_watcher *watcher, size_t subject)
{
	const struct kt_config_pool *pool = pool_at(watcher->config, subject);
	struct kt_pool_change change;

	/* After an overflow everything is due, what nobody watches too. */
	if (!is_watched(watcher->config, subject)) {
		(void)!kt_watch_look(watcher->watch, subject, NULL, 0);
		return;
	}
	look(watcher, subject);
	if (!pool)
		(void)!kt_identities_load(watcher->identities,
					  subject - watcher->config->pool_count);
	else if (pool->watch == KT_WATCH_STAGE)
		(void)!kt_pools_stage_watched(watcher->pools, subject);
	else
		(void)!kt_pools_load(watcher->pools, subject, KT_CONFIGURED_SOURCES, 0, &change,
				     NULL);
}

/* A candidate of somebody else is gone, for whose sake changes were left. */
static void catch_up(struct kt_watcher *watcher)
{
	eventfd_t count;

	(void)!eventfd_read(kt_pools_freed_fd(watcher->pools), &count);
	for (size_t i = 0; i < watcher->config->pool_count; i++)
		if (kt_pools_take_left(watcher->pools, i))
			kt_watch_touch(watcher->watch, i, now_ms());
}

static void *run(void *arg)
{
	struct kt_watcher *watcher = arg;
	struct pollfd fds[] = {{.fd = watcher->stop_fd, .events = POLLIN},
			       {.fd = kt_watch_fd(watcher->watch), .events = POLLIN},
			       {.fd = kt_pools_freed_fd(watcher->pools), .events = POLLIN}};

	for (;;) {
		fds[0].revents = fds[2].revents = 0;
		poll(fds, 3, kt_watch_timeout_ms(watcher->watch, now_ms()));
		if (fds[0].revents)
			return NULL;
		if (fds[2].revents)
			catch_up(watcher);
		kt_watch_read(watcher->watch, now_ms());
		for (size_t i = 0; i < count_subjects(watcher->config); i++)
			if (kt_watch_is_due(watcher->watch, i, now_ms()))
				act(watcher, i);
	}
}

static bool is_any_watched(const struct kt_config *config)
{
	for (size_t i = 0; i < count_subjects(config); i++)
		if (is_watched(config, i))
			return true;
	return false;
}

static void begin_subject(struct kt_watcher *watcher, size_t subject)
{
	const struct kt_config_pool *pool = pool_at(watcher->config, subject);

	kt_watch_set_debounce(watcher->watch, subject,
			      pool ? pool->watch_debounce_ms : KT_WATCH_DEBOUNCE_MS);
	if (!is_watched(watcher->config, subject))
		return;
	look(watcher, subject);
	/* It was read before it was watched. */
	kt_watch_touch(watcher->watch, subject, now_ms());
}

static int begin(struct kt_watcher *watcher)
{
	size_t count = count_subjects(watcher->config);
	int err = kt_watch_new(count, &watcher->watch);

	if (err)
		return err;
	watcher->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (watcher->stop_fd < 0)
		return -errno;
	for (size_t i = 0; i < count; i++)
		begin_subject(watcher, i);
	return -pthread_create(&watcher->thread, NULL, run, watcher);
}

static void free_all(struct kt_watcher *watcher)
{
	kt_watch_free(watcher->watch);
	if (watcher->stop_fd >= 0)
		close(watcher->stop_fd);
	free(watcher);
}

int kt_watcher_new(const struct kt_config *config, struct kt_pools *pools,
		   struct kt_identities *identities, struct kt_watcher **ret_watcher,
		   struct kt_error *error)
{
	struct kt_watcher *watcher;
	int err;

	if (!is_any_watched(config))
		return 0;
	watcher = calloc(1, sizeof *watcher);
	if (!watcher)
		return kt_error_set(error, ENOMEM, "watcher", 0, "out of memory");
	*watcher = (struct kt_watcher){
		.config = config, .pools = pools, .identities = identities, .stop_fd = -1};
	err = begin(watcher);
	if (err) {
		free_all(watcher);
		return kt_error_set(error, -err, "watcher", 0, "files cannot be watched: %s",
				    strerror(-err));
	}
	*ret_watcher = watcher;
	return 0;
}

void kt_watcher_free(struct kt_watcher *watcher)
{
	if (!watcher)
		return;
	eventfd_write(watcher->stop_fd, 1);
	pthread_join(watcher->thread, NULL);
	free_all(watcher);
}
