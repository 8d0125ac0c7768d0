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

/* What "system" may stand for, as far as it is files. */
static const char *const system_files[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

enum { SYSTEM_FILES = sizeof system_files / sizeof system_files[0] };

static void add_place(struct kt_watch_place *places, size_t *count, const char *path,
		      bool directory)
{
	if (path)
		places[(*count)++] = (struct kt_watch_place){path, directory};
}

static void add_source(struct kt_watch_place *places, size_t *count, const char *source)
{
	const char *colon = strchr(source, ':');

	if (!strcmp(source, "system"))
		for (size_t i = 0; i < SYSTEM_FILES; i++)
			add_place(places, count, system_files[i], false);
	if (colon)
		add_place(places, count, colon + 1, !strncmp(source, "dir:", 4));
}

/* From here on what changes is seen; so this comes before reading. */
static void look(struct kt_watcher *watcher, size_t index)
{
	const struct kt_config_pool *pool = &watcher->config->pools[index];
	size_t count = 0, most = pool->sources.count * SYSTEM_FILES + 2;
	struct kt_watch_place *places = calloc(most, sizeof *places);
	int err = -ENOMEM;

	for (size_t i = 0; places && i < pool->sources.count; i++)
		add_source(places, &count, pool->sources.at[i]);
	if (places) {
		add_place(places, &count, pool->manifest, false);
		add_place(places, &count, pool->manifest_key, false);
		err = kt_watch_look(watcher->watch, index, places, count);
	}
	free(places);
	if (err)
		kt_log(LOG_WARNING, "pool %s: not every place of its sources can be watched: %s%s",
		       pool->name, strerror(-err),
		       err == -ENOSPC ? " (raise fs.inotify.max_user_watches)" : "");
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
		(void)!kt_pools_stage(watcher->pools, index, KT_CONFIGURED_SOURCES, &change, NULL);
	else
		(void)!kt_pools_load(watcher->pools, index, KT_CONFIGURED_SOURCES, 0, &change,
				     NULL);
}

static void *run(void *arg)
{
	struct kt_watcher *watcher = arg;
	struct pollfd fds[] = {{.fd = watcher->stop_fd, .events = POLLIN},
			       {.fd = kt_watch_fd(watcher->watch), .events = POLLIN}};

	for (;;) {
		fds[0].revents = 0;
		poll(fds, 2, kt_watch_timeout_ms(watcher->watch, now_ms()));
		if (fds[0].revents)
			return NULL;
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
