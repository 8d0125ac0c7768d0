/* SPDX-License-Identifier: BSD-2-Clause */
/* Publication: what a commit does, and how long a reader keeps what it reads. */
#include "maps.h"
#include "roots.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include <ktrust/life.h>

#include "../../src/pool/image.h"

/* How long a commit is watched not to return; that it does return is waited for without limit. */
#define WATCH_NS 500000000u

FIXTURE(pool)
{
	struct roots roots;
	struct kt_pool *pool;
};

FIXTURE_SETUP(pool)
{
	roots_init(&self->roots);
	self->pool = NULL;
	ASSERT_EQ(0, kt_pool_new("clients", &self->pool, NULL));
	/* What is reclaimed is freed, so that it shows when somebody still reads it. */
	kt_pool_set_history(self->pool, 0);
}

FIXTURE_TEARDOWN(pool)
{
	kt_pool_free(self->pool);
	roots_fini(&self->roots);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Commit roots number first to last. */
static struct kt_pool_change commit(struct kt_pool *pool, struct roots *roots, unsigned int first,
				    unsigned int last)
{
	struct kt_anchor_set *set = roots_set(roots, first, last);
	struct kt_pool_change change = {0};
	struct kt_error error = {0};

	ASSERT_EQ(0, kt_pool_commit(pool, set, "file:roots.pem", &change, &error))
	{
		TH_LOG("%s", error.text);
	}
	kt_anchor_set_free(set);
	return change;
}

static struct kt_pool_stats stats_of(const struct kt_pool *pool)
{
	struct kt_pool_stats stats;

	kt_pool_get_stats(pool, &stats);
	return stats;
}

/* The current version, looked up in a section of its own. 0: none. */
static uint64_t current_version(const struct kt_pool *pool)
{
	const struct kt_snapshot *snapshot = kt_pool_read_begin(pool);
	uint64_t version = 0;
	struct kt_snapshot_info info;

	if (snapshot) {
		kt_snapshot_describe(snapshot, &info);
		version = info.version;
	}
	kt_pool_read_end(pool);
	return version;
}

/* ---- Commit -------------------------------------------------------------------------------- */

TEST_F(pool, new_has_a_name_and_nothing_published)
{
	EXPECT_STREQ("clients", kt_pool_name(self->pool));
	EXPECT_EQ(0, current_version(self->pool));
	EXPECT_EQ(0, stats_of(self->pool).published);
}

TEST_F(pool, new_refuses_a_bad_name)
{
	struct kt_pool *pool = NULL;
	struct kt_error error = {0};

	EXPECT_EQ(-EINVAL, kt_pool_new("a/b", &pool, &error));
	EXPECT_EQ(EINVAL, error.err);
	EXPECT_NULL(pool);
}

TEST_F(pool, versions_count_from_one_and_tell_what_changed)
{
	struct kt_pool_change change = commit(self->pool, &self->roots, 1, 10);

	EXPECT_EQ(0, change.old_version);
	EXPECT_EQ(1, change.new_version);
	EXPECT_EQ(10, change.added);
	EXPECT_EQ(0, change.removed);
	EXPECT_EQ(10, change.anchors);
	change = commit(self->pool, &self->roots, 4, 15);
	EXPECT_EQ(1, change.old_version);
	EXPECT_EQ(2, change.new_version);
	EXPECT_EQ(5, change.added);
	EXPECT_EQ(3, change.removed);
	EXPECT_EQ(12, change.anchors);
	/* Back to the old content: a new version all the same. */
	change = commit(self->pool, &self->roots, 1, 10);
	EXPECT_EQ(3, change.new_version);
	EXPECT_EQ(3, current_version(self->pool));
}

TEST_F(pool, same_content_publishes_nothing)
{
	struct kt_pool_change change = commit(self->pool, &self->roots, 1, 5);
	const struct kt_snapshot *before = kt_pool_read_begin(self->pool);

	kt_pool_read_end(self->pool);
	change = commit(self->pool, &self->roots, 1, 5);
	EXPECT_EQ(1, change.old_version);
	EXPECT_EQ(1, change.new_version);
	EXPECT_EQ(0, change.added);
	EXPECT_EQ(0, change.removed);
	EXPECT_EQ(5, change.anchors);
	EXPECT_EQ(before, kt_pool_read_begin(self->pool));
	kt_pool_read_end(self->pool);
	EXPECT_EQ(1, stats_of(self->pool).published);
	EXPECT_EQ(1, count_maps());
}

TEST_F(pool, failed_commit_keeps_the_current_snapshot)
{
	struct kt_anchor_set *empty = kt_anchor_set_new(), *set;
	struct kt_pool_change change = {.anchors = 99};
	struct kt_error error = {0};
	char source[KT_SOURCE_MAX + 2];

	ASSERT_NE(NULL, empty);
	EXPECT_EQ(-ENODATA, kt_pool_commit(self->pool, empty, "", &change, &error));
	EXPECT_EQ(0, current_version(self->pool));
	commit(self->pool, &self->roots, 1, 5);
	EXPECT_EQ(-ENODATA, kt_pool_commit(self->pool, empty, "", &change, &error));
	EXPECT_EQ(ENODATA, error.err);
	set = roots_set(&self->roots, 1, 6);
	memset(source, 's', sizeof source);
	source[sizeof source - 1] = '\0';
	EXPECT_EQ(-EINVAL, kt_pool_commit(self->pool, set, source, &change, NULL));
	EXPECT_EQ(1, current_version(self->pool));
	EXPECT_EQ(99, change.anchors);
	EXPECT_EQ(1, stats_of(self->pool).published);
	kt_anchor_set_free(empty);
	kt_anchor_set_free(set);
	EXPECT_EQ(2, commit(self->pool, &self->roots, 1, 6).new_version);
}

TEST_F(pool, commit_within_a_section_is_edeadlk)
{
	struct kt_anchor_set *set = roots_set(&self->roots, 1, 2);
	struct kt_pool_change change;
	struct kt_error error = {0};

	kt_pool_read_begin(self->pool);
	EXPECT_EQ(-EDEADLK, kt_pool_commit(self->pool, set, "", &change, &error));
	EXPECT_EQ(EDEADLK, error.err);
	kt_pool_read_end(self->pool);
	EXPECT_EQ(0, kt_pool_commit(self->pool, set, "", &change, NULL));
	kt_anchor_set_free(set);
}

TEST_F(pool, each_snapshot_is_freed_after_its_successor_came)
{
	for (unsigned int i = 1; i <= 50; i++) {
		commit(self->pool, &self->roots, i, i + 3);
		EXPECT_EQ(i, stats_of(self->pool).published);
		EXPECT_EQ(i - 1, stats_of(self->pool).reclaimed);
		EXPECT_EQ(1, count_maps());
	}
	kt_pool_free(self->pool);
	self->pool = NULL;
	EXPECT_EQ(0, count_maps());
}

/* ---- Readers ------------------------------------------------------------------------------- */

struct reader {
	struct kt_pool *pool;
	bool nested;
	/* Written by the reader, atomic. */
	bool inside;
	bool left;
	bool saw_return; /* the commit returned while the section lasted: what must not be */
	bool content_ok;
	/* Written by the publisher, atomic. */
	bool returned;
};

static bool get(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set_flag(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

/* Stays in its section until the commit returns, or until it was watched not to for a while. */
static void watch_commit(struct reader *reader, const struct kt_snapshot *snapshot)
{
	struct kt_snapshot_info info;
	uint64_t until;

	while (current_version(reader->pool) == 1)
		sched_yield();
	until = now_ns() + WATCH_NS;
	while (now_ns() < until && !get(&reader->returned)) {
		struct timespec pause = {.tv_nsec = 1000000};

		kt_snapshot_describe(snapshot, &info);
		if (info.version != 1 || kt_image_check(snapshot, info.image_len, NULL))
			reader->content_ok = false;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	reader->saw_return = get(&reader->returned);
}

static void *read_long(void *data)
{
	struct reader *reader = data;
	const struct kt_snapshot *snapshot = kt_pool_read_begin(reader->pool);

	if (reader->nested) {
		kt_pool_read_begin(reader->pool);
		kt_pool_read_end(reader->pool);
	}
	set_flag(&reader->inside);
	watch_commit(reader, snapshot);
	set_flag(&reader->left);
	kt_pool_read_end(reader->pool);
	return NULL;
}

static void check_delay(struct kt_pool *pool, struct roots *roots, bool nested)
{
	struct reader reader = {.pool = pool, .nested = nested, .content_ok = true};
	pthread_t thread;

	commit(pool, roots, 1, 3);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_long, &reader));
	while (!get(&reader.inside))
		sched_yield();
	EXPECT_EQ(2, commit(pool, roots, 2, 4).new_version);
	EXPECT_TRUE(get(&reader.left));
	set_flag(&reader.returned);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_FALSE(reader.saw_return);
	EXPECT_TRUE(reader.content_ok);
	EXPECT_EQ(1, stats_of(pool).reclaimed);
	EXPECT_EQ(1, count_maps());
}

TEST_F(pool, read_section_delays_reclaim)
{
	check_delay(self->pool, &self->roots, false);
}

TEST_F(pool, read_sections_nest)
{
	check_delay(self->pool, &self->roots, true);
}

/* ---- Torture ------------------------------------------------------------------------------- */

#define CONTENTS   4
#define READERS	   2
#define TORTURE_NS 1000000000u

struct torture {
	struct kt_pool *pool;
	struct kt_anchor_set *sets[CONTENTS];
	uint8_t digests[CONTENTS][KT_DIGEST_LEN]; /* of version v: number v % CONTENTS */
	bool stop;				  /* atomic */
};

struct torture_reader {
	struct torture *torture;
	uint64_t sections;
	uint64_t versions;     /* how many it saw; atomic */
	const char *complaint; /* atomic */
};

/* One look at one snapshot: does all of it belong together? */
static const char *look(struct torture *torture, const struct kt_snapshot *snapshot, uint64_t *last,
			uint64_t round)
{
	struct kt_snapshot_info info;
	struct kt_anchor anchor;

	kt_snapshot_describe(snapshot, &info);
	if (info.version < *last)
		return "a version went back";
	*last = info.version;
	if (memcmp(info.digest, torture->digests[info.version % CONTENTS], KT_DIGEST_LEN) != 0)
		return "the digest is of another version";
	if (info.anchors != info.version % CONTENTS + 1)
		return "the number of anchors is of another version";
	if (kt_snapshot_anchor(snapshot, info.anchors - 1, &anchor) ||
	    kt_snapshot_find_fingerprint(snapshot, anchor.fingerprint, &anchor))
		return "an anchor is not found";
	if (round % 64 == 0 && kt_image_check(snapshot, info.image_len, NULL))
		return "the image is not whole";
	return NULL;
}

static void *torture_read(void *data)
{
	struct torture_reader *reader = data;
	struct torture *torture = reader->torture;
	uint64_t last = 0;

	while (!get(&torture->stop)) {
		const struct kt_snapshot *snapshot = kt_pool_read_begin(torture->pool);
		const char *complaint;
		uint64_t before = last;

		complaint = look(torture, snapshot, &last, reader->sections++);
		if (complaint)
			__atomic_store_n(&reader->complaint, complaint, __ATOMIC_RELAXED);
		__atomic_fetch_add(&reader->versions, last != before, __ATOMIC_RELAXED);
		kt_pool_read_end(torture->pool);
	}
	return NULL;
}

/* Has it seen enough to have been tortured, or enough to complain about? */
static bool is_satisfied(const struct torture_reader *reader)
{
	return __atomic_load_n(&reader->versions, __ATOMIC_RELAXED) > 3 ||
	       __atomic_load_n(&reader->complaint, __ATOMIC_RELAXED);
}

static void torture_publish(struct torture *torture, const struct torture_reader *readers)
{
	uint64_t until = now_ns() + TORTURE_NS;
	struct kt_pool_change change = {.new_version = 1};

	while (now_ns() < until || !is_satisfied(&readers[0]) || !is_satisfied(&readers[1])) {
		uint64_t next = change.new_version + 1;

		ASSERT_EQ(0, kt_pool_commit(torture->pool, torture->sets[next % CONTENTS], "s",
					    &change, NULL));
		ASSERT_EQ(next, change.new_version);
	}
}

static void torture_init(struct torture *torture, struct kt_pool *pool, struct roots *roots)
{
	struct kt_pool_change change;

	*torture = (struct torture){.pool = pool};
	for (unsigned int i = 0; i < CONTENTS; i++) {
		struct kt_snapshot_info info;
		struct kt_snapshot *snapshot;

		torture->sets[i] = roots_set(roots, 1, i + 1);
		snapshot = build(torture->sets[i], 1);
		kt_snapshot_describe(snapshot, &info);
		memcpy(torture->digests[i], info.digest, KT_DIGEST_LEN);
		kt_snapshot_free(snapshot);
	}
	ASSERT_EQ(0, kt_pool_commit(pool, torture->sets[1], "s", &change, NULL));
}

TEST_F(pool, torture_never_shows_a_mix)
{
	struct torture torture;
	struct torture_reader readers[READERS] = {{0}};
	pthread_t threads[READERS];
	struct kt_pool_stats stats;

	torture_init(&torture, self->pool, &self->roots);
	for (size_t i = 0; i < READERS; i++) {
		readers[i].torture = &torture;
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, torture_read, &readers[i]));
	}
	torture_publish(&torture, readers);
	set_flag(&torture.stop);
	for (size_t i = 0; i < READERS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_NULL(readers[i].complaint)
		{
			TH_LOG("%s", readers[i].complaint);
		}
	}
	stats = stats_of(self->pool);
	EXPECT_EQ(stats.published, stats.reclaimed + 1);
	TH_LOG("%llu publications; sections: %llu, %llu", (unsigned long long)stats.published,
	       (unsigned long long)readers[0].sections, (unsigned long long)readers[1].sections);
	for (size_t i = 0; i < CONTENTS; i++)
		kt_anchor_set_free(torture.sets[i]);
}

struct committer {
	struct kt_pool *pool;
	struct kt_anchor_set *sets[2];
	unsigned int published;
	bool in_order;
};

static void *commit_often(void *data)
{
	struct committer *committer = data;
	struct kt_pool_change change;
	uint64_t last = 0;

	committer->in_order = true;
	for (unsigned int i = 0; i < 50; i++) {
		if (kt_pool_commit(committer->pool, committer->sets[i % 2], "s", &change, NULL))
			committer->in_order = false;
		if (change.new_version < last || (change.new_version != change.old_version &&
						  change.new_version != change.old_version + 1))
			committer->in_order = false;
		committer->published += change.new_version != change.old_version;
		last = change.new_version;
	}
	return NULL;
}

TEST_F(pool, committers_are_serialised)
{
	struct committer committers[2];
	pthread_t threads[2];

	for (unsigned int i = 0; i < 2; i++) {
		committers[i] = (struct committer){
			.pool = self->pool,
			.sets = {roots_set(&self->roots, 1, i + 1),
				 roots_set(&self->roots, 1, i + 5)},
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, commit_often, &committers[i]));
	}
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_TRUE(committers[i].in_order);
		kt_anchor_set_free(committers[i].sets[0]);
		kt_anchor_set_free(committers[i].sets[1]);
	}
	EXPECT_EQ(committers[0].published + committers[1].published, current_version(self->pool));
	EXPECT_EQ(current_version(self->pool), stats_of(self->pool).published);
	EXPECT_EQ(1, count_maps());
}

TEST_HARNESS_MAIN
