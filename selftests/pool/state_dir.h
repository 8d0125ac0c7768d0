/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of the state directory: one of the test's own, and a pool that uses it, is closed,
 * and opened again.
 *
 * Set-up that fails ends the test. One thread.
 */
#ifndef KTRUST_SELFTESTS_POOL_STATE_DIR_H
#define KTRUST_SELFTESTS_POOL_STATE_DIR_H

#include "roots.h"

#include <ktrust/life.h>

FIXTURE(store)
{
	struct roots roots;
	char dir[32];
	struct kt_pool *pool;
	struct kt_pool_change change;
	struct kt_error error;
};

FIXTURE_SETUP(store)
{
	roots_init(&self->roots);
	strcpy(self->dir, "/tmp/ktrust-store.XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir));
	memset(&self->error, 0, sizeof self->error);
	self->pool = NULL;
}

FIXTURE_TEARDOWN(store)
{
	char command[64];

	kt_pool_free(self->pool);
	snprintf(command, sizeof command, "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
	roots_fini(&self->roots);
}

static inline int open_in(FIXTURE_DATA(store) * self, const char *dir)
{
	ASSERT_EQ(0, kt_pool_new("clients", &self->pool, NULL));
	return kt_pool_use_state(self->pool, dir, &self->error);
}

static inline void open_pool(FIXTURE_DATA(store) * self)
{
	ASSERT_EQ(0, open_in(self, self->dir))
	{
		TH_LOG("%s", self->error.text);
	}
}

static inline void close_pool(FIXTURE_DATA(store) * self)
{
	kt_pool_free(self->pool);
	self->pool = NULL;
}

/* Roots 1 to last; returns the version. */
static inline uint64_t load(FIXTURE_DATA(store) * self, unsigned int last)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, last);

	ASSERT_EQ(0, kt_pool_load(self->pool, set, "file:a", NULL, 0, &self->change, NULL));
	kt_anchor_set_free(set);
	return self->change.new_version;
}

static inline size_t anchors(FIXTURE_DATA(store) * self)
{
	struct kt_snapshot_info info = {0};
	const struct kt_snapshot *now = kt_pool_read_begin(self->pool);

	if (now)
		kt_snapshot_describe(now, &info);
	kt_pool_read_end(self->pool);
	return info.anchors;
}

static inline unsigned int count_files(FIXTURE_DATA(store) * self, const char *pattern)
{
	char command[128];
	unsigned int count = 0;
	FILE *list;

	snprintf(command, sizeof command, "find %s/clients -name '%s' | wc -l", self->dir, pattern);
	list = popen(command, "re");
	ASSERT_EQ(1, fscanf(list, "%u", &count));
	pclose(list);
	return count;
}

/* Runs a command where the pool has its files. */
static inline void damage(FIXTURE_DATA(store) * self, const char *what)
{
	char command[160];

	snprintf(command, sizeof command, "cd %s/clients && %s", self->dir, what);
	ASSERT_EQ(0, system(command));
}

#endif
