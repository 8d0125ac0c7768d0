/* SPDX-License-Identifier: BSD-2-Clause */
#include "pools.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
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
		kt_pool_set_history(entry->pool, entry->config->history);
		kt_pool_set_guards(entry->pool,
				   &(struct kt_guards){.anchors_min = entry->config->anchors_min,
						       .removed_max = entry->config->removed_max,
						       .manifest = entry->config->manifest});
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

/* What is to be done with a pool, by one function of the table below. */
struct deed {
	const struct kt_config *config;
	struct entry *entry;
	struct kt_sources sources; /* KT_CONFIGURED_SOURCES: what the configuration names */
	struct kt_notes *notes;	   /* what the sources note; kept with the outcome */
	uint64_t version;
	unsigned int flags;
	const char *failed; /* what it was not, in the log */
};

typedef int doing(const struct deed *deed, struct kt_pool_change *ret_change,
		  struct kt_error *error);

/* A pool's configured manifest speaks for its configured sources only. */
static int read_manifest(const struct deed *deed, struct kt_manifest *ret_manifest,
			 struct kt_error *error)
{
	const struct kt_config_pool *config = deed->entry->config;

	if (!config->manifest || (deed->flags & KT_FORCE))
		return 0;
	return kt_manifest_read(config->manifest, config->manifest_key, ret_manifest, error);
}

/* Sources and manifest; what fails here never came to the pool. */
static int prepare(const struct deed *deed, struct kt_anchor_set *set,
		   char names[static KT_SOURCE_MAX + 1], struct kt_manifest *ret_manifest,
		   struct kt_error *error)
{
	const struct kt_config_pool *config = deed->entry->config;
	struct kt_sources sources = deed->sources;
	struct kt_error why = {0};
	int err;

	if (!sources.count)
		sources = (struct kt_sources){(const char *const *)config->sources.at,
					      config->sources.count};
	if (set)
		err = kt_gather(deed->config, config, sources, set, names, deed->notes, &why);
	else
		err = kt_error_set(&why, ENOMEM, config->name, 0, "out of memory");
	if (!err)
		err = read_manifest(deed, ret_manifest, &why);
	if (err)
		kt_pool_refused(deed->entry->pool, names, &why);
	if (err && error)
		*error = why;
	return err;
}

static int load(const struct deed *deed, struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_manifest manifest = {0};
	char names[KT_SOURCE_MAX + 1] = "";
	int err = prepare(deed, set, names, &manifest, error);

	if (!err)
		err = kt_pool_load(deed->entry->pool, set, names, &manifest, deed->flags,
				   ret_change, error);
	kt_anchor_set_free(set);
	return err;
}

static int stage(const struct deed *deed, struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_manifest manifest = {0};
	char names[KT_SOURCE_MAX + 1] = "";
	int err = prepare(deed, set, names, &manifest, error);

	if (!err)
		err = kt_pool_stage(deed->entry->pool, set, names, &manifest, ret_change, error);
	kt_anchor_set_free(set);
	return err;
}

static int commit(const struct deed *deed, struct kt_pool_change *ret_change,
		  struct kt_error *error)
{
	return kt_pool_commit_staged(deed->entry->pool, deed->flags, ret_change, error);
}

static int roll_back(const struct deed *deed, struct kt_pool_change *ret_change,
		     struct kt_error *error)
{
	return kt_pool_roll_back(deed->entry->pool, deed->version, deed->flags, ret_change, error);
}

/*
 * Sources are told apart by spaces, as kt_gather joined them. A path with spaces may hold a word
 * that looks like a source for servers: refused once too often then.
 */
static int check_names(const struct deed *deed, char *names, struct kt_error *error)
{
	char *rest = names, *name;
	int err = 0;

	while (!err && (name = strsep(&rest, " ")))
		err = kt_config_check_source(deed->config, deed->entry->config, name, error);
	return err;
}

static int restore(const struct deed *deed, struct kt_pool_change *ret_change,
		   struct kt_error *error)
{
	struct kt_history_entry newest;
	int err = 0;

	/* The pool knows the guards, but not what its sources may be used for. */
	if (kt_pool_history(deed->entry->pool, &newest, 1))
		err = check_names(deed, newest.source, error);
	return err ? err : kt_pool_restore(deed->entry->pool, ret_change, error);
}

static void say_not_kept(const struct entry *entry, const struct kt_pool_change *change)
{
	struct kt_error why;
	char text[600];

	kt_pool_state_error(entry->pool, &why);
	if (!change->kept && why.err)
		kt_log(LOG_ALERT,
		       "pool %s: version %" PRIu64 " WILL NOT SURVIVE A RESTART: %s (mend that, "
		       "then load it again)",
		       entry->config->name, change->new_version,
		       kt_error_format(&why, text, sizeof text));
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
	if (change->crls || change->old_crls)
		kt_log(LOG_NOTICE, "pool %s: %zu CRLs (%zu before)", entry->config->name,
		       change->crls, change->old_crls);
	say_not_kept(entry, change);
}

static void say_staged(const struct entry *entry, const struct kt_pool_change *change)
{
	if (change->new_version == change->old_version) {
		say(entry, change);
		return;
	}
	kt_log(LOG_NOTICE, "pool %s: staged, %zu anchors (+%zu -%zu)", entry->config->name,
	       change->anchors, change->added, change->removed);
}

static void say_failure(const struct deed *deed, const struct kt_error *why)
{
	char text[600];
	const struct kt_snapshot *snapshot = kt_pool_read_begin(deed->entry->pool);
	struct kt_snapshot_info about = {0};

	if (snapshot)
		kt_snapshot_describe(snapshot, &about);
	kt_pool_read_end(deed->entry->pool);
	kt_error_format(why, text, sizeof text);
	if (about.version)
		kt_log(LOG_ERR, "pool %s: not %s, version %" PRIu64 " stays: %s",
		       deed->entry->config->name, deed->failed, about.version, text);
	else
		kt_log(LOG_ERR, "pool %s: not %s: %s", deed->entry->config->name, deed->failed,
		       text);
}

/* One at a time; said in the log; a failure is remembered until something succeeds. */
static int carry_out(const struct deed *deed, doing *fn, struct kt_pool_change *ret_change,
		     struct kt_error *error)
{
	struct entry *entry = deed->entry;
	struct kt_pool_change change;
	struct kt_error why = {0};
	int err;

	pthread_mutex_lock(&entry->load_lock);
	err = fn(deed, &change, &why);
	if (err)
		say_failure(deed, &why);
	else if (fn == stage)
		say_staged(entry, &change);
	else
		say(entry, &change);
	pthread_mutex_lock(&entry->lock);
	entry->last_error = why;
	if (deed->notes)
		entry->notes = *deed->notes;
	pthread_mutex_unlock(&entry->lock);
	pthread_mutex_unlock(&entry->load_lock);
	if (!err)
		*ret_change = change;
	else if (error)
		*error = why;
	return err;
}

int kt_pools_load(struct kt_pools *pools, size_t index, struct kt_sources sources,
		  unsigned int flags, struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_notes notes = {.count = 0};
	const struct deed deed = {.config = pools->config,
				  .entry = &pools->entries[index],
				  .sources = sources,
				  .notes = &notes,
				  .flags = flags,
				  .failed = "loaded"};

	return carry_out(&deed, load, ret_change, error);
}

int kt_pools_stage(struct kt_pools *pools, size_t index, struct kt_sources sources,
		   struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_notes notes = {.count = 0};
	const struct deed deed = {.config = pools->config,
				  .entry = &pools->entries[index],
				  .sources = sources,
				  .notes = &notes,
				  .failed = "staged"};

	return carry_out(&deed, stage, ret_change, error);
}

int kt_pools_commit(struct kt_pools *pools, size_t index, unsigned int flags,
		    struct kt_pool_change *ret_change, struct kt_error *error)
{
	const struct deed deed = {
		.entry = &pools->entries[index], .flags = flags, .failed = "committed"};

	return carry_out(&deed, commit, ret_change, error);
}

int kt_pools_roll_back(struct kt_pools *pools, size_t index, uint64_t version, unsigned int flags,
		       struct kt_pool_change *ret_change, struct kt_error *error)
{
	const struct deed deed = {.entry = &pools->entries[index],
				  .version = version,
				  .flags = flags,
				  .failed = "rolled back"};

	return carry_out(&deed, roll_back, ret_change, error);
}

/* What was refused before it stays in last_error: it is why the pool is what it is. */
int kt_pools_restore(struct kt_pools *pools, size_t index)
{
	struct entry *entry = &pools->entries[index];
	const struct deed deed = {.config = pools->config, .entry = entry, .failed = "restored"};
	struct kt_pool_change change;
	struct kt_error before, missing;
	char text[600];
	int err;

	kt_pools_last_error(pools, index, &before);
	kt_pool_state_error(entry->pool, &missing);
	if (missing.err)
		kt_log(LOG_ALERT, "pool %s: what was published LAST MAY BE LOST: %s",
		       entry->config->name, kt_error_format(&missing, text, sizeof text));
	err = carry_out(&deed, restore, &change, NULL);
	if (err)
		return err;
	kt_log(LOG_ALERT,
	       "pool %s: its source is BROKEN: started from the last good snapshot, version "
	       "%" PRIu64 " (mend the source, then load it)",
	       entry->config->name, change.new_version);
	pthread_mutex_lock(&entry->lock);
	entry->last_error = before;
	pthread_mutex_unlock(&entry->lock);
	return 0;
}

int kt_pools_use_state(struct kt_pools *pools, const char *dir, struct kt_error *error)
{
	for (size_t i = 0; i < pools->count; i++) {
		int err = kt_pool_use_state(pools->entries[i].pool, dir, error);

		if (err)
			return err;
	}
	return 0;
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
