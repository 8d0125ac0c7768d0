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
	struct kt_watch *watch; /* a subject for each pool, in their order; the thread's */
	int stop_fd;		/* eventfd */
	pthread_t thread;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Where a pool's content comes from. The paths are its own. */
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

static void add_all(struct places *places, const struct kt_config_pool *pool)
{
	for (size_t i = 0; i < pool->sources.count; i++)
		add_source(places, pool->sources.at[i]);
	if (pool->manifest)
		add_place(pool->manifest, false, places);
	if (pool->manifest_key)
		add_place(pool->manifest_key, false, places);
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

/* From here on what changes is seen; so this comes before reading. */
static void look(struct kt_watcher *watcher, size_t index)
{
	const struct kt_config_pool *pool = &watcher->config->pools[index];
	struct places places = {.count = 0};
	int err;

	add_all(&places, pool);
	err = kt_watch_look(watcher->watch, index, places.at, places.count);
	if (!err && places.lost)
		err = -ENOMEM;
	free_places(&places);
	if (err)
		kt_log(LOG_WARNING, "pool %s: not every place of its sources can be watched: %s%s",
		       pool->name, strerror(-err), advice(err));
}

static void act(struct kt_watcher *watcher, size_t index)
{
	struct kt_pool_change change;

	/* After an overflow everything is due, what nobody watches too. */
	if (watcher->config->pools[index].watch == KT_WATCH_OFF) {
		(void)!kt_watch_look(watcher->watch, index, NULL, 0);
		return;
	}
	look(watcher, index);
	/* What fails was logged, and stays to be seen in `ktrust pool list`. */
	if (watcher->config->pools[index].watch == KT_WATCH_STAGE)
		(void)!kt_pools_stage_watched(watcher->pools, index);
	else
		(void)!kt_pools_load(watcher->pools, index, KT_CONFIGURED_SOURCES, 0, &change,
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
		for (size_t i = 0; i < watcher->config->pool_count; i++)
			if (kt_watch_is_due(watcher->watch, i, now_ms()))
				act(watcher, i);
	}
}

static bool is_watched(const struct kt_config *config)
{
	for (size_t i = 0; i < config->pool_count; i++)
		if (config->pools[i].watch != KT_WATCH_OFF)
			return true;
	return false;
}

static int begin(struct kt_watcher *watcher)
{
	const struct kt_config *config = watcher->config;
	int err = kt_watch_new(config->pool_count, &watcher->watch);

	if (err)
		return err;
	watcher->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (watcher->stop_fd < 0)
		return -errno;
	for (size_t i = 0; i < config->pool_count; i++) {
		kt_watch_set_debounce(watcher->watch, i, config->pools[i].watch_debounce_ms);
		if (config->pools[i].watch == KT_WATCH_OFF)
			continue;
		look(watcher, i);
		/* It was read before it was watched. */
		kt_watch_touch(watcher->watch, i, now_ms());
	}
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
		   struct kt_watcher **ret_watcher, struct kt_error *error)
{
	struct kt_watcher *watcher;
	int err;

	if (!is_watched(config))
		return 0;
	watcher = calloc(1, sizeof *watcher);
	if (!watcher)
		return kt_error_set(error, ENOMEM, "watcher", 0, "out of memory");
	*watcher = (struct kt_watcher){.config = config, .pools = pools, .stop_fd = -1};
	err = begin(watcher);
	if (err) {
		free_all(watcher);
		return kt_error_set(error, -err, "watcher", 0, "sources cannot be watched: %s",
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
