/* SPDX-License-Identifier: BSD-2-Clause */
#include "pools.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"

struct entry {
	const struct kt_config_pool *config;
	struct kt_pool *pool;
	struct kt_allow *allow; /* the pool's; NULL: everybody */
	/* One load at a time, so that versions follow requests; and who staged what. */
	pthread_mutex_t load_lock;
	bool by_watcher;      /* whoever staged last was the watcher */
	bool left;	      /* the watcher left a candidate that was not its own */
	pthread_mutex_t lock; /* last_error, notes */
	struct kt_error last_error;
	struct kt_notes notes; /* of the last load, be it refused */
};

struct kt_pools {
	const struct kt_config *config;
	int freed_fd; /* eventfd */
	size_t count;
	struct entry entries[];
};

static int make_pool(struct entry *entry, struct kt_error *error)
{
	const struct kt_config_pool *config = entry->config;
	int err = 0;

	if (config->allow.count)
		err = kt_allow_new((const char *const *)config->allow.at, config->allow.count,
				   &entry->allow, error);
	if (!err)
		err = kt_pool_new(config->name, &entry->pool, error);
	if (err) {
		kt_allow_free(entry->allow);
		return err;
	}
	kt_pool_set_allow(entry->pool, entry->allow);
	kt_pool_set_history(entry->pool, config->history);
	kt_pool_set_guards(entry->pool, &(struct kt_guards){.anchors_min = config->anchors_min,
							    .removed_max = config->removed_max,
							    .manifest = config->manifest});
	pthread_mutex_init(&entry->load_lock, NULL);
	pthread_mutex_init(&entry->lock, NULL);
	return 0;
}

int kt_pools_new(const struct kt_config *config, struct kt_pools **ret_pools,
		 struct kt_error *error)
{
	struct kt_pools *pools =
		calloc(1, sizeof *pools + config->pool_count * sizeof(struct entry));
	int err;

	if (!pools)
		return kt_error_set(error, ENOMEM, "pools", 0, "out of memory");
	pools->config = config;
	pools->freed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pools->freed_fd < 0) {
		err = errno;
		free(pools);
		return kt_error_set(error, err, "pools", 0, "eventfd: %s", strerror(err));
	}
	for (; pools->count < config->pool_count; pools->count++) {
		struct entry *entry = &pools->entries[pools->count];

		entry->config = &config->pools[pools->count];
		err = make_pool(entry, error);
		if (err) {
			kt_pools_free(pools);
			return err;
		}
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
		kt_allow_free(pools->entries[i].allow);
		pthread_mutex_destroy(&pools->entries[i].load_lock);
		pthread_mutex_destroy(&pools->entries[i].lock);
	}
	close(pools->freed_fd);
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
	struct kt_pools *pools;
	struct entry *entry;
	struct kt_sources sources; /* KT_CONFIGURED_SOURCES: what the configuration names */
	struct kt_notes *notes;	   /* what the sources note; kept with the outcome */
	uint64_t version;
	unsigned int flags;
	const char *expected; /* digest, or the beginning of it; NULL: whichever */
	bool by_watcher;
	uint8_t *ret_digest; /* of the candidate; NULL: nobody asks */
	const char *failed;  /* what it was not, in the log */
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
		err = kt_gather(deed->pools->config, config, sources, set, names, deed->notes,
				&why);
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

/* False, and all zeros: nothing is staged. */
static bool staged_digest(const struct entry *entry, uint8_t ret_digest[static KT_DIGEST_LEN])
{
	struct kt_snapshot_info about;
	const struct kt_snapshot *staged;

	memset(ret_digest, 0, KT_DIGEST_LEN);
	kt_pool_read_begin(entry->pool);
	staged = kt_pool_staged(entry->pool);
	if (staged) {
		kt_snapshot_describe(staged, &about);
		memcpy(ret_digest, about.digest, KT_DIGEST_LEN);
	}
	kt_pool_read_end(entry->pool);
	return staged != NULL;
}

static bool is_staged(const struct entry *entry)
{
	uint8_t digest[KT_DIGEST_LEN];

	return staged_digest(entry, digest);
}

static int stage(const struct deed *deed, struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_manifest manifest = {0};
	char names[KT_SOURCE_MAX + 1] = "";
	int err = prepare(deed, set, names, &manifest, error);

	if (!err)
		err = kt_pool_stage(deed->entry->pool, set, names, &manifest, ret_change, error);
	if (!err)
		deed->entry->by_watcher = deed->by_watcher;
	if (!err && deed->by_watcher)
		deed->entry->left = false;
	if (!err && deed->ret_digest)
		staged_digest(deed->entry, deed->ret_digest);
	kt_anchor_set_free(set);
	return err;
}

static bool begins_with(const uint8_t digest[static KT_DIGEST_LEN], const char *expected)
{
	char hex[2 * KT_DIGEST_LEN + 1];

	for (size_t i = 0; i < KT_DIGEST_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return !strncasecmp(hex, expected, strlen(expected));
}

/* Candidates change under the lock that is held here: what was compared is what is published. */
static int commit(const struct deed *deed, struct kt_pool_change *ret_change,
		  struct kt_error *error)
{
	const struct entry *entry = deed->entry;
	uint8_t digest[KT_DIGEST_LEN];

	if (deed->expected && staged_digest(entry, digest) && !begins_with(digest, deed->expected))
		return kt_error_set(error, ESTALE, entry->config->name, 0,
				    "another candidate was staged meanwhile (ktrust pool diff)");
	return kt_pool_commit_staged(entry->pool, deed->flags, ret_change, error);
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
		err = kt_config_check_source(deed->pools->config, deed->entry->config, name, error);
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

/* With load_lock. The watcher catches up with what it left. */
static void tell_freed(const struct kt_pools *pools, const struct entry *entry)
{
	if (entry->left && !is_staged(entry))
		(void)!eventfd_write(pools->freed_fd, 1);
}

/* With load_lock: the watcher's turn, and the candidate is another's. */
static bool is_anothers(const struct deed *deed)
{
	struct entry *entry = deed->entry;

	if (!deed->by_watcher || entry->by_watcher || !is_staged(entry))
		return false;
	entry->left = true;
	kt_log(LOG_NOTICE,
	       "pool %s: its sources have changed, but a candidate that was staged by request is "
	       "left as it is (commit or unstage it)",
	       entry->config->name);
	return true;
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
	if (is_anothers(deed)) {
		pthread_mutex_unlock(&entry->load_lock);
		return -EBUSY;
	}
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
	tell_freed(deed->pools, entry);
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
	const struct deed deed = {.pools = pools,
				  .entry = &pools->entries[index],
				  .sources = sources,
				  .notes = &notes,
				  .flags = flags,
				  .failed = "loaded"};

	return carry_out(&deed, load, ret_change, error);
}

static int stage_as(struct deed *deed, struct kt_pool_change *ret_change, struct kt_error *error)
{
	struct kt_notes notes = {.count = 0};

	deed->notes = &notes;
	deed->failed = "staged";
	return carry_out(deed, stage, ret_change, error);
}

int kt_pools_stage(struct kt_pools *pools, size_t index, struct kt_sources sources,
		   struct kt_pools_candidate *ret_candidate, struct kt_error *error)
{
	struct kt_pools_candidate made;
	struct deed deed = {.pools = pools,
			    .entry = &pools->entries[index],
			    .sources = sources,
			    .ret_digest = made.digest};
	int err = stage_as(&deed, &made.change, error);

	if (!err)
		*ret_candidate = made;
	return err;
}

int kt_pools_stage_watched(struct kt_pools *pools, size_t index)
{
	struct kt_pool_change change;
	struct deed deed = {.pools = pools, .entry = &pools->entries[index], .by_watcher = true};

	return stage_as(&deed, &change, NULL);
}

int kt_pools_freed_fd(const struct kt_pools *pools)
{
	return pools->freed_fd;
}

bool kt_pools_take_left(struct kt_pools *pools, size_t index)
{
	struct entry *entry = &pools->entries[index];
	bool taken;

	pthread_mutex_lock(&entry->load_lock);
	taken = entry->left && !is_staged(entry);
	if (taken)
		entry->left = false;
	pthread_mutex_unlock(&entry->load_lock);
	return taken;
}

int kt_pools_check(struct kt_pools *pools, size_t index, struct kt_pools_candidate *ret_candidate,
		   struct kt_error *error)
{
	struct entry *entry = &pools->entries[index];
	int err;

	pthread_mutex_lock(&entry->load_lock);
	err = kt_pool_check(entry->pool, &ret_candidate->change, error);
	if (!err)
		staged_digest(entry, ret_candidate->digest);
	pthread_mutex_unlock(&entry->load_lock);
	return err;
}

int kt_pools_unstage(struct kt_pools *pools, size_t index, struct kt_error *error)
{
	struct entry *entry = &pools->entries[index];
	int err;

	pthread_mutex_lock(&entry->load_lock);
	err = kt_pool_unstage(entry->pool, error);
	tell_freed(pools, entry);
	pthread_mutex_unlock(&entry->load_lock);
	return err;
}

int kt_pools_commit(struct kt_pools *pools, size_t index, const char *digest, unsigned int flags,
		    struct kt_pool_change *ret_change, struct kt_error *error)
{
	const struct deed deed = {.pools = pools,
				  .entry = &pools->entries[index],
				  .flags = flags,
				  .expected = digest,
				  .failed = "committed"};

	return carry_out(&deed, commit, ret_change, error);
}

int kt_pools_roll_back(struct kt_pools *pools, size_t index, uint64_t version, unsigned int flags,
		       struct kt_pool_change *ret_change, struct kt_error *error)
{
	const struct deed deed = {.pools = pools,
				  .entry = &pools->entries[index],
				  .version = version,
				  .flags = flags,
				  .failed = "rolled back"};

	return carry_out(&deed, roll_back, ret_change, error);
}

/* What was refused before it stays in last_error: it is why the pool is what it is. */
int kt_pools_restore(struct kt_pools *pools, size_t index)
{
	struct entry *entry = &pools->entries[index];
	const struct deed deed = {.pools = pools, .entry = entry, .failed = "restored"};
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
