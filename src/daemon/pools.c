/* SPDX-License-Identifier: BSD-2-Clause */
#include "pools.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct entry {
	const struct kt_config_pool *config;
	struct kt_pool *pool;
	pthread_mutex_t load_lock; /* one load at a time, so that versions follow requests */
	pthread_mutex_t lock;	   /* last_error, notes */
	struct kt_error last_error;
	struct kt_notes notes; /* of the last load, be it refused */
};

struct kt_pools {
	const struct kt_config *config;
	size_t count;
	struct entry entries[];
};

int kt_pools_new(const struct kt_config *config, struct kt_pools **ret_pools,
		 struct kt_error *error)
{
	struct kt_pools *pools =
		calloc(1, sizeof *pools + config->pool_count * sizeof(struct entry));
	int err;

	if (!pools)
		return kt_error_set(error, ENOMEM, "pools", 0, "out of memory");
	pools->config = config;
	for (; pools->count < config->pool_count; pools->count++) {
		struct entry *entry = &pools->entries[pools->count];

		entry->config = &config->pools[pools->count];
		err = kt_pool_new(entry->config->name, &entry->pool, error);
		if (err) {
			kt_pools_free(pools);
			return err;
		}
		pthread_mutex_init(&entry->load_lock, NULL);
		pthread_mutex_init(&entry->lock, NULL);
	}
	*ret_pools = pools;
	return 0;
}

void kt_pools_free(struct kt_pools *pools)
{
	if (!pools)
		return;
	for (size_t i = 0; i < pools->count; i++) {
		kt_pool_free(pools->entries[i].pool);
		pthread_mutex_destroy(&pools->entries[i].load_lock);
		pthread_mutex_destroy(&pools->entries[i].lock);
	}
	free(pools);
}

size_t kt_pools_count(const struct kt_pools *pools)
{
	return pools->count;
}

struct kt_pool *kt_pools_at(const struct kt_pools *pools, size_t index)
{
	return index < pools->count ? pools->entries[index].pool : NULL;
}

struct kt_pool *kt_pools_named(const struct kt_pools *pools, const char *name)
{
	for (size_t i = 0; i < pools->count; i++)
		if (!strcmp(kt_pool_name(pools->entries[i].pool), name))
			return pools->entries[i].pool;
	return NULL;
}

static int load(const struct kt_pools *pools, struct entry *entry, struct kt_sources sources,
		struct kt_notes *notes, struct kt_pool_change *ret_change, struct kt_error *error)
{
	const struct kt_config_texts *configured = &entry->config->sources;
	struct kt_anchor_set *set = kt_anchor_set_new();
	char names[KT_SOURCE_MAX + 1];
	int err;

	if (!set)
		return kt_error_set(error, ENOMEM, entry->config->name, 0, "out of memory");
	if (!sources.count)
		sources =
			(struct kt_sources){(const char *const *)configured->at, configured->count};
	err = kt_gather(pools->config, entry->config, sources, set, names, notes, error);
	if (!err)
		err = kt_pool_commit(entry->pool, set, names, ret_change, error);
	kt_anchor_set_free(set);
	return err;
}

static void say(const struct entry *entry, const struct kt_pool_change *change)
{
	if (change->new_version == change->old_version)
		kt_log(LOG_INFO, "pool %s: unchanged, version %" PRIu64 " (%zu anchors)",
		       entry->config->name, change->new_version, change->anchors);
	else
		kt_log(LOG_NOTICE,
		       "pool %s: version %" PRIu64 " -> %" PRIu64 ", %zu anchors (+%zu -%zu)",
		       entry->config->name, change->old_version, change->new_version,
		       change->anchors, change->added, change->removed);
}

static void say_failure(const struct entry *entry, const struct kt_error *why)
{
	char text[600];
	const struct kt_snapshot *snapshot = kt_pool_read_begin(entry->pool);
	struct kt_snapshot_info about = {0};

	if (snapshot)
		kt_snapshot_describe(snapshot, &about);
	kt_pool_read_end(entry->pool);
	kt_error_format(why, text, sizeof text);
	if (about.version)
		kt_log(LOG_ERR, "pool %s: not loaded, version %" PRIu64 " stays: %s",
		       entry->config->name, about.version, text);
	else
		kt_log(LOG_ERR, "pool %s: not loaded: %s", entry->config->name, text);
}

int kt_pools_load(struct kt_pools *pools, size_t index, struct kt_sources sources,
		  struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct entry *entry = &pools->entries[index];
	struct kt_notes notes = {.count = 0};
	struct kt_pool_change change;
	struct kt_error why = {0};
	int err;

	pthread_mutex_lock(&entry->load_lock);
	err = load(pools, entry, sources, &notes, &change, &why);
	if (err)
		say_failure(entry, &why);
	else
		say(entry, &change);
	pthread_mutex_lock(&entry->lock);
	entry->last_error = why;
	entry->notes = notes;
	pthread_mutex_unlock(&entry->lock);
	pthread_mutex_unlock(&entry->load_lock);
	if (!err)
		*ret_change = change;
	else if (error)
		*error = why;
	return err;
}

void kt_pools_last_error(struct kt_pools *pools, size_t index, struct kt_error *ret_error)
{
	struct entry *entry = &pools->entries[index];

	pthread_mutex_lock(&entry->lock);
	*ret_error = entry->last_error;
	pthread_mutex_unlock(&entry->lock);
}

void kt_pools_notes(struct kt_pools *pools, size_t index, struct kt_notes *ret_notes)
{
	struct entry *entry = &pools->entries[index];

	pthread_mutex_lock(&entry->lock);
	*ret_notes = entry->notes;
	pthread_mutex_unlock(&entry->lock);
}
