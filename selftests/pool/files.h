/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files for the tests of sources: a directory of its own that goes with the test, and the notes
 * that a source gave.
 *
 * A failure of what only prepares a test ends it. One thread.
 */
#ifndef KTRUST_SELFTESTS_POOL_FILES_H
#define KTRUST_SELFTESTS_POOL_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "roots.h"

#define NOTES_MAX 64
#define PATH_LEN  256

struct files {
	char dir[64];
	struct pki *pki;
	const struct pki_cert *a, *b; /* roots */
	struct kt_anchor_set *set;
	struct kt_error error;
	struct kt_source_options options; /* with the notes below */
	struct kt_error notes[NOTES_MAX];
	size_t note_count;
};

static inline void files_note(const struct kt_error *what, void *arg)
{
	struct files *files = arg;

	ASSERT_GT(NOTES_MAX, files->note_count);
	files->notes[files->note_count++] = *what;
}

static inline void files_init(struct files *files)
{
	memset(files, 0, sizeof *files);
	strcpy(files->dir, "/tmp/ktrust-files.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(files->dir));
	ASSERT_EQ(0, chmod(files->dir, 0755));
	files->pki = pki_new();
	files->a = pki_make_ca(files->pki, NULL, "Root A");
	files->b = pki_make_ca(files->pki, NULL, "Root B");
	files->set = kt_anchor_set_new();
	ASSERT_NE(NULL, files->set);
	files->options.note = files_note;
	files->options.note_arg = files;
}

static inline int files_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void files_fini(struct files *files)
{
	kt_anchor_set_free(files->set);
	pki_free(files->pki);
	nftw(files->dir, files_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the directory; one of eight places, used in turn. */
static inline const char *files_path(const struct files *files, const char *name)
{
	static char paths[8][PATH_LEN];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, PATH_LEN, "%s%s%s", files->dir, name[0] ? "/" : "", name);
	return path;
}

static inline void files_make_dirs(const struct files *files, const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof path, "%s", files_path(files, name));
	for (char *c = path + strlen(files->dir) + 1; (c = strchr(c, '/')); c++) {
		*c = '\0';
		if (mkdir(path, 0755))
			ASSERT_EQ(EEXIST, errno);
		*c = '/';
	}
}

/* Directories on the way to it are made. */
static inline void files_write(const struct files *files, const char *name, const void *bytes,
			       size_t len)
{
	int fd;

	files_make_dirs(files, name);
	fd = open(files_path(files, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)len, write(fd, bytes, len));
	close(fd);
}

static inline void files_text(const struct files *files, const char *name, const char *text)
{
	files_write(files, name, text, strlen(text));
}

/* Adds the source WORD:DIR/NAME. */
static inline int files_add(struct files *files, const char *word, const char *name)
{
	char source[PATH_LEN + 16];

	snprintf(source, sizeof source, "%s%s", word, files_path(files, name));
	memset(&files->error, 0, sizeof files->error);
	return kt_anchor_set_add_source(files->set, source, &files->options, &files->error);
}

/* The note that says this, or NULL. */
static inline const struct kt_error *files_noted(const struct files *files, const char *text)
{
	for (size_t i = 0; i < files->note_count; i++)
		if (strstr(files->notes[i].text, text))
			return &files->notes[i];
	return NULL;
}

/* What limits this certificate in the set; the names live until the next call. */
static inline struct kt_constraints files_limits(const struct files *files,
						 const struct pki_cert *cert)
{
	static char names[KT_PERMITTED_DNS_MAX + 1];
	struct kt_snapshot *snapshot = build(files->set, 1);
	struct kt_constraints found = {0};
	struct kt_anchor anchor;

	for (size_t i = 0; kt_snapshot_anchor(snapshot, i, &anchor) == 0; i++) {
		if (anchor.der_len != cert->der_len ||
		    memcmp(anchor.der, cert->der, cert->der_len) != 0)
			continue;
		found = anchor.constraints;
		strcpy(names, found.permitted_dns);
		found.permitted_dns = names;
	}
	kt_snapshot_free(snapshot);
	return found;
}

#endif
