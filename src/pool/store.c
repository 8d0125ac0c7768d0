/* SPDX-License-Identifier: BSD-2-Clause */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "image.h"

#define STATE_NAME   "state"
#define IMAGE_SUFFIX ".snapshot"

struct kt_store {
	int dir_fd; /* DIR/POOL; locked for as long as it is open */
	bool was_clean;
	uint64_t begun_at;	     /* `last` when it was opened */
	char path[PATH_MAX];	     /* of the directory, for errors */
	struct kt_store_state state; /* what is on the disk */
};

static void name_image(uint64_t version, char ret_name[48])
{
	snprintf(ret_name, 48, "%" PRIu64 IMAGE_SUFFIX, version);
}

static int refuse(const struct kt_store *store, int err, struct kt_error *error)
{
	return kt_error_set(error, err, store->path, 0, "the state cannot be kept: %s",
			    strerror(err));
}

/* ---- The state file ------------------------------------------------------------------------ */

static int write_state(struct kt_store *store, struct kt_store_state *state)
{
	int ret = kt_store_state_sum(state, state->checksum);

	if (!ret)
		ret = kt_file_replace(store->dir_fd, STATE_NAME, state, sizeof *state);
	if (!ret)
		store->state = *state;
	return ret;
}

static void fill_head(const struct kt_store *store, struct kt_store_state *state, bool clean)
{
	memcpy(state->magic, KT_STORE_MAGIC, sizeof state->magic);
	state->byte_order = KT_IMAGE_BYTE_ORDER;
	state->format = KT_STORE_FORMAT;
	memcpy(state->pool, store->state.pool, sizeof state->pool);
	state->clean = clean;
	state->floor = clean ? state->last : state->last + KT_STORE_AHEAD;
}

static int read_bytes(int dir_fd, void *to, size_t size, size_t *ret_len)
{
	int fd = openat(dir_fd, STATE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t got;

	if (fd < 0)
		return -errno;
	do
		got = read(fd, to, size);
	while (got < 0 && errno == EINTR);
	*ret_len = got < 0 ? 0 : (size_t)got;
	got = got < 0 ? -errno : 0;
	close(fd);
	return (int)got;
}

static int damaged(const struct kt_store *store, const char *why, struct kt_error *error)
{
	return kt_error_set(error, EBADMSG, store->path, 0,
			    "the file 'state' in it is damaged: %s (put back a copy; if there is "
			    "none, move the directory away: versions begin at 1 again)",
			    why);
}

/* -ENOENT: there is none. */
static int read_state(struct kt_store *store, struct kt_error *error)
{
	struct {
		struct kt_store_state state;
		char more;
	} file;
	uint8_t sum[KT_DIGEST_LEN];
	const char *why;
	size_t len = 0;
	int ret = read_bytes(store->dir_fd, &file, sizeof file, &len);

	if (ret == -ENOENT)
		return ret;
	if (!ret && len == sizeof file.state)
		ret = kt_store_state_sum(&file.state, sum);
	if (ret)
		return refuse(store, -ret, error);
	if (len != sizeof file.state)
		return damaged(store, "its length is wrong", error);
	if (memcmp(sum, file.state.checksum, sizeof sum))
		return damaged(store, "its checksum is wrong", error);
	why = kt_store_state_check(&file.state, store->state.pool);
	if (why)
		return damaged(store, why, error);
	store->state = file.state;
	return 0;
}

/* ---- Opening ------------------------------------------------------------------------------- */

static int open_directory(struct kt_store *store, const char *dir, const char *pool,
			  struct kt_error *error)
{
	int ret = snprintf(store->path, sizeof store->path, "%s/%s", dir, pool);

	if (ret >= (int)sizeof store->path)
		return kt_error_set(error, ENAMETOOLONG, dir, 0, "this path is too long");
	if (mkdir(store->path, 0700) && errno != EEXIST)
		return kt_error_set(error, errno, store->path, 0,
				    "the state directory cannot be made: %s", strerror(errno));
	store->dir_fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (store->dir_fd < 0)
		return kt_error_set(error, errno, store->path, 0,
				    "the state directory cannot be opened: %s", strerror(errno));
	if (!flock(store->dir_fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return kt_error_set(error, EBUSY, store->path, 0,
				    "another process keeps its state here (give each its own "
				    "directory)");
	return refuse(store, errno, error);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && !strcmp(name + len - suffix_len, suffix);
}

static bool is_named(const struct kt_store_state *state, const char *name)
{
	char image[48];

	for (uint32_t i = 0; i < state->count; i++) {
		name_image(state->images[i].version, image);
		if (!strcmp(name, image))
			return true;
	}
	return false;
}

/* Calls fn for each image and each temporary file. */
static int each_file(const struct kt_store *store,
		     void (*fn)(const struct kt_store *store, const char *name, void *arg),
		     void *arg)
{
	int fd = openat(store->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int err = errno;

	if (!list) {
		if (fd >= 0)
			close(fd);
		return -err;
	}
	while ((entry = readdir(list)))
		if (has_suffix(entry->d_name, IMAGE_SUFFIX) ||
		    has_suffix(entry->d_name, KT_FILE_TEMPORARY))
			fn(store, entry->d_name, arg);
	closedir(list);
	return 0;
}

static void count_image(const struct kt_store *store, const char *name, void *arg)
{
	(void)store;
	*(unsigned int *)arg += has_suffix(name, IMAGE_SUFFIX);
}

/* What a crash left over, and what fell out of the history. */
static void remove_stale(const struct kt_store *store, const char *name, void *arg)
{
	(void)arg;
	if (has_suffix(name, KT_FILE_TEMPORARY) || !is_named(&store->state, name))
		unlinkat(store->dir_fd, name, 0);
}

/* Images without a state file: it was there before the first of them, and how far it had counted
 * nobody knows. */
static int begin(struct kt_store *store, struct kt_error *error)
{
	unsigned int images = 0;
	int ret = each_file(store, count_image, &images);

	if (ret)
		return refuse(store, -ret, error);
	return images ? damaged(store, "it is missing, but there are images", error) : 0;
}

static int open_store(struct kt_store *store, const char *dir, const char *pool,
		      struct kt_error *error)
{
	struct kt_store_state next;
	int ret = open_directory(store, dir, pool, error);

	if (ret)
		return ret;
	memcpy(store->state.pool, pool, strlen(pool));
	ret = read_state(store, error);
	store->was_clean = ret == -ENOENT || (!ret && store->state.clean);
	if (ret == -ENOENT)
		ret = begin(store, error);
	if (ret)
		return ret;
	ret = each_file(store, remove_stale, NULL);
	next = store->state;
	/* What was published without being kept came no further than the floor. */
	next.last = next.floor;
	store->begun_at = next.last;
	fill_head(store, &next, false);
	if (!ret)
		ret = write_state(store, &next);
	return ret ? refuse(store, -ret, error) : 0;
}

int kt_store_open(const char *dir, const char *pool, struct kt_store **ret_store,
		  struct kt_error *error)
{
	struct kt_store *store = calloc(1, sizeof *store);
	int ret;

	if (!store)
		return kt_error_set(error, ENOMEM, dir, 0, "out of memory");
	store->dir_fd = -1;
	ret = open_store(store, dir, pool, error);
	if (ret) {
		if (store->dir_fd >= 0)
			close(store->dir_fd);
		free(store);
		return ret;
	}
	*ret_store = store;
	return 0;
}

const struct kt_store_state *kt_store_state(const struct kt_store *store)
{
	return &store->state;
}

bool kt_store_was_clean(const struct kt_store *store)
{
	return store->was_clean;
}

/* ---- Images -------------------------------------------------------------------------------- */

static bool is_it(const struct kt_store *store, const struct kt_store_image *image,
		  const struct kt_snapshot *snapshot)
{
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	return info.version == image->version && !strcmp(info.pool, store->state.pool) &&
	       !memcmp(info.digest, image->digest, KT_DIGEST_LEN);
}

int kt_store_map(const struct kt_store *store, const struct kt_store_image *image,
		 struct kt_snapshot **ret_snapshot, struct kt_error *error)
{
	struct kt_snapshot *snapshot;
	char name[48];
	int fd, ret;

	name_image(image->version, name);
	fd = openat(store->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return kt_error_set(error, errno, name, 0, "cannot be opened: %s", strerror(errno));
	ret = kt_snapshot_map(fd, &snapshot, error);
	close(fd);
	if (ret)
		return ret;
	if (!is_it(store, image, snapshot)) {
		kt_snapshot_free(snapshot);
		return kt_error_set(error, EBADMSG, name, 0, "not the image that it was");
	}
	*ret_snapshot = snapshot;
	return 0;
}

static int keep_image(const struct kt_store *store, const struct kt_snapshot *snapshot)
{
	struct kt_snapshot_info info;
	char name[48];

	kt_snapshot_describe(snapshot, &info);
	name_image(info.version, name);
	return kt_file_replace(store->dir_fd, name, snapshot, info.image_len);
}

int kt_store_keep(struct kt_store *store, struct kt_store_state *next,
		  const struct kt_snapshot *snapshot, struct kt_error *error)
{
	const struct kt_store_state before = store->state;
	char name[48];
	int ret = snapshot ? keep_image(store, snapshot) : 0;

	fill_head(store, next, false);
	if (!ret)
		ret = write_state(store, next);
	if (ret)
		return refuse(store, -ret, error);
	/* It holds: from here on nothing can fail. What stays behind goes when it is opened. */
	for (uint32_t i = 0; i < before.count; i++) {
		name_image(before.images[i].version, name);
		if (!is_named(&store->state, name))
			unlinkat(store->dir_fd, name, 0);
	}
	return 0;
}

static void write_last(struct kt_store *store, uint64_t last, uint64_t epoch,
		       const uint8_t *epoch_digest)
{
	struct kt_store_state next = store->state;

	if (next.last < last)
		next.last = last;
	if (next.epoch < epoch) {
		next.epoch = epoch;
		memcpy(next.epoch_digest, epoch_digest, KT_DIGEST_LEN);
	}
	fill_head(store, &next, true);
	/* Not written: it is not clean then, and the next run begins beyond the floor. */
	(void)!write_state(store, &next);
}

void kt_store_close(struct kt_store *store, uint64_t last, uint64_t epoch,
		    const uint8_t epoch_digest[KT_DIGEST_LEN])
{
	if (!store)
		return;
	if (store->was_clean || last > store->begun_at)
		write_last(store, last, epoch, epoch_digest);
	close(store->dir_fd);
	free(store);
}
