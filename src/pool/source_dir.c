/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The certificates of a directory: names are listed and sorted, links to one file found out, then
 * each file is read once, in the order of the names.
 */
#include "source_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	char *name;
	dev_t dev; /* 0, as ino: it cannot be told, which its reading will say */
	ino_t ino;
	bool again; /* a name that comes before leads to the same file */
};

struct listing {
	const char *path;
	int fd; /* the directory */
	struct file *files;
	size_t count;
	size_t room;
	size_t bytes; /* read so far */
};

/* ---- Names ---------------------------------------------------------------------------------- */

/* OpenSSL's links: hash of the subject, eight lower-case hex digits, and a number (c_rehash). */
static bool is_hash_link(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdef");
	size_t number;

	if (digits != 8 || name[8] != '.')
		return false;
	number = strspn(name + 9, "0123456789");
	return number > 0 && name[9 + number] == '\0';
}

static bool counts(const char *name)
{
	static const char *const endings[] = {".pem", ".crt", ".cer", ".der"};
	const char *dot = strrchr(name, '.');

	if (name[0] == '.' || !dot)
		return false;
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (strcasecmp(dot, endings[i]) == 0)
			return true;
	return is_hash_link(name);
}

static int add_name(struct listing *listing, const char *name, struct kt_error *error)
{
	struct file *files = listing->files;
	char *copy;

	if (listing->count == KT_SOURCE_DIR_FILES_MAX)
		return kt_error_set(error, E2BIG, listing->path, 0,
				    "more than %u files of certificates (is it the right one?)",
				    KT_SOURCE_DIR_FILES_MAX);
	if (listing->count == listing->room) {
		listing->room = listing->room ? listing->room * 2 : 64;
		files = reallocarray(files, listing->room, sizeof *files);
		if (!files)
			return kt_error_set(error, ENOMEM, listing->path, 0, "out of memory");
		listing->files = files;
	}
	copy = strdup(name);
	if (!copy)
		return kt_error_set(error, ENOMEM, listing->path, 0, "out of memory");
	files[listing->count++] = (struct file){.name = copy};
	return 0;
}

static int list_names(struct listing *listing, struct kt_error *error)
{
	/* Of its own, since closedir closes it. */
	int fd = openat(listing->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int ret = 0;

	if (!dir) {
		ret = kt_error_set(error, errno, listing->path, 0, "cannot be listed: %s",
				   strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (ret == 0 && (errno = 0, entry = readdir(dir)))
		if (counts(entry->d_name))
			ret = add_name(listing, entry->d_name, error);
	if (ret == 0 && errno)
		ret = kt_error_set(error, errno, listing->path, 0, "cannot be listed: %s",
				   strerror(errno));
	closedir(dir);
	return ret;
}

/* ---- Files that have several names ---------------------------------------------------------- */

static int by_name(const void *left, const void *right)
{
	const struct file *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static int by_file(const void *left, const void *right)
{
	const struct file *a = left, *b = right;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void find_repeats(struct listing *listing)
{
	struct file *files = listing->files;
	struct stat st;

	if (listing->count == 0)
		return;
	for (size_t i = 0; i < listing->count; i++) {
		if (fstatat(listing->fd, files[i].name, &st, 0) || !S_ISREG(st.st_mode))
			continue;
		files[i].dev = st.st_dev;
		files[i].ino = st.st_ino;
	}
	qsort(files, listing->count, sizeof *files, by_file);
	for (size_t i = 1; i < listing->count; i++)
		files[i].again = files[i].ino && files[i].dev == files[i - 1].dev &&
				 files[i].ino == files[i - 1].ino;
	qsort(files, listing->count, sizeof *files, by_name);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* What says nothing of the file, so that the next one would fare no better. */
static bool is_ours(int ret)
{
	return ret == -ENOMEM || ret == -EMFILE || ret == -ENFILE;
}

static int take(struct kt_gather *gather, const struct kt_content *content, const char *path,
		struct kt_error *error)
{
	struct kt_error why = {0};
	int ret = kt_gather_content(gather, content, path, &why);

	if (ret == -ENODATA && kt_gather_skips(gather, &why))
		return 0;
	/* -ENODATA would say that the directory is empty. */
	if (ret == -ENODATA)
		return kt_error_set(error, EBADMSG, path, 0, "%s", why.text);
	if (ret && error)
		*error = why;
	return ret;
}

static int read_file(struct kt_gather *gather, struct listing *listing, const struct file *file,
		     struct kt_error *error)
{
	size_t skipped = gather->skipped;
	struct kt_content content;
	struct kt_error why = {0};
	char *path = NULL;
	int ret;

	if (asprintf(&path, "%s/%s", listing->path, file->name) < 0)
		return kt_error_set(error, ENOMEM, listing->path, 0, "out of memory");
	ret = kt_content_read(listing->fd, file->name, path, &content, &why);
	if (ret && !is_ours(ret) && kt_gather_skips(gather, &why)) {
		ret = 0;
		goto free_path;
	}
	if (ret) {
		if (error)
			*error = why;
		goto free_path;
	}
	listing->bytes += content.bytes.count;
	if (listing->bytes > KT_SOURCE_DIR_MAX)
		ret = kt_error_set(error, EFBIG, listing->path, 0,
				   "its files have more than %lu bytes in all (is it the right "
				   "one?)",
				   KT_SOURCE_DIR_MAX);
	else
		ret = take(gather, &content, path, error);
	kt_content_free(&content, ret || gather->skipped != skipped);
free_path:
	free(path);
	return ret;
}

static int read_files(struct kt_gather *gather, struct listing *listing, struct kt_error *error)
{
	size_t found = gather->found;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < listing->count; i++)
		if (!listing->files[i].again)
			ret = read_file(gather, listing, &listing->files[i], error);
	if (ret == 0 && listing->count == 0)
		return kt_error_set(error, ENODATA, listing->path, 0,
				    "no file of certificates in it (expected: *.pem, *.crt, "
				    "*.cer, *.der, or links as c_rehash makes them)");
	if (ret == 0 && gather->found == found)
		return kt_error_set(error, ENODATA, listing->path, 0,
				    "no file in it can be used, all were skipped");
	return ret;
}

/* ---- The directory -------------------------------------------------------------------------- */

static bool is_later(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

/* A mix of two states was never meant: names that come, go or lead elsewhere meanwhile show. */
static int read_at_rest(struct kt_gather *gather, struct listing *listing, struct kt_error *error)
{
	struct stat before, after;
	int ret;

	if (fstat(listing->fd, &before))
		return kt_error_set(error, errno, listing->path, 0, "fstat: %s", strerror(errno));
	ret = list_names(listing, error);
	if (ret)
		return ret;
	find_repeats(listing);
	ret = read_files(gather, listing, error);
	if (fstat(listing->fd, &after))
		return kt_error_set(error, errno, listing->path, 0, "fstat: %s", strerror(errno));
	if (is_later(&after, &before))
		return kt_error_set(error, EAGAIN, listing->path, 0,
				    "the directory changed while it was read (try again)");
	return ret;
}

int kt_gather_dir(struct kt_gather *gather, const char *path, struct kt_error *error)
{
	struct listing listing = {.path = path};
	int ret;

	listing.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (listing.fd < 0)
		return kt_error_set(error, errno, path, 0, "cannot be opened: %s", strerror(errno));
	ret = read_at_rest(gather, &listing, error);
	for (size_t i = 0; i < listing.count; i++)
		free(listing.files[i].name);
	free(listing.files);
	close(listing.fd);
	return ret;
}

int kt_source_add_dir(struct kt_gather *gather, const char *rest, struct kt_error *error)
{
	return kt_gather_dir(gather, rest, error);
}
