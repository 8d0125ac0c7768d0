/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not opening, reading or closing what was only read: that is what we do ourselves. */
#define OF_NAMES                                                                                   \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |        \
	 IN_MOVE_SELF)
#define OF_CONTENT (IN_MODIFY | IN_CLOSE_WRITE)
#define OF_ITSELF  (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

enum { LINKS_ON_A_WAY = 40, WRITERS_MAX = 16 };

/* A name that counts in a watched directory. */
struct entry {
	int wd;
	size_t subject;
	char *name; /* NULL: every name */
	bool fresh; /* found by the look that is going on */
};

/* A file that was written to and not closed since. */
struct writer {
	int wd;
	char name[NAME_MAX + 1];
};

struct subject {
	unsigned int debounce_ms;
	bool changed;
	uint64_t first_ms; /* since it was looked at */
	uint64_t last_ms;
	/* Those beyond are forgotten: their subject is due after a debounce time then. */
	struct writer writers[WRITERS_MAX];
	size_t writer_count;
};

struct kt_watch {
	int fd;
	struct entry *entries;
	size_t entry_count, entry_room;
	size_t subject_count;
	struct subject subjects[];
};

int kt_watch_new(size_t subjects, struct kt_watch **ret_watch)
{
	struct kt_watch *watch = calloc(1, sizeof *watch + subjects * sizeof(struct subject));
	int err;

	if (!watch)
		return -ENOMEM;
	watch->subject_count = subjects;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd < 0) {
		err = errno;
		free(watch);
		return -err;
	}
	*ret_watch = watch;
	return 0;
}

void kt_watch_free(struct kt_watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->entry_count; i++)
		free(watch->entries[i].name);
	free(watch->entries);
	close(watch->fd);
	free(watch);
}

int kt_watch_fd(const struct kt_watch *watch)
{
	return watch->fd;
}

void kt_watch_set_debounce(struct kt_watch *watch, size_t subject, unsigned int debounce_ms)
{
	watch->subjects[subject].debounce_ms = debounce_ms;
}

/* ---- Finding the way ------------------------------------------------------------------------- */

struct look {
	struct kt_watch *watch;
	size_t subject;
	unsigned int links; /* that were followed on this way */
	int err;	    /* the first */
};

static bool is_name(const struct entry *entry, const char *name)
{
	if (!entry->name || !name)
		return entry->name == name;
	return !strcmp(entry->name, name);
}

static int add_entry(struct look *look, int wd, const char *name)
{
	struct kt_watch *watch = look->watch;
	struct entry *grown;
	char *copy;

	for (size_t i = 0; i < watch->entry_count; i++) {
		struct entry *entry = &watch->entries[i];

		if (entry->wd != wd || entry->subject != look->subject || !is_name(entry, name))
			continue;
		entry->fresh = true;
		return 0;
	}
	if (watch->entry_count == watch->entry_room) {
		grown = reallocarray(watch->entries, watch->entry_room * 2 + 16, sizeof *grown);
		if (!grown)
			return -ENOMEM;
		watch->entries = grown;
		watch->entry_room = watch->entry_room * 2 + 16;
	}
	copy = name ? strdup(name) : NULL;
	if (name && !copy)
		return -ENOMEM;
	watch->entries[watch->entry_count++] = (struct entry){wd, look->subject, copy, true};
	return 0;
}

/* A directory that is gone again is no error: the one above it has been added before. */
static void add(struct look *look, const char *directory, const char *name, uint32_t events)
{
	/* Another entry may want more of the same directory. */
	int wd = inotify_add_watch(look->watch->fd, directory, events | IN_MASK_ADD | IN_ONLYDIR);
	int err = wd < 0 ? -errno : add_entry(look, wd, name);

	if (err && err != -ENOENT && err != -ENOTDIR && !look->err)
		look->err = err;
}

/* A way: `at` is a directory without links in its path, `rest` what is still to be looked up. */
struct way {
	char at[PATH_MAX];
	char rest[PATH_MAX];
	char name[NAME_MAX + 1];
};

/* The next name into way->name. 1: there is one, 0: none is left, -1: one too long. */
static int take_name(struct way *way)
{
	char *start = way->rest + strspn(way->rest, "/");
	size_t len = strcspn(start, "/");

	if (!len)
		return 0;
	if (len > NAME_MAX)
		return -1;
	memcpy(way->name, start, len);
	way->name[len] = '\0';
	memmove(way->rest, start + len, strlen(start + len) + 1);
	return 1;
}

static bool append(char path[static PATH_MAX], const char *name)
{
	size_t len = strlen(path);
	const char *slash = len && path[len - 1] == '/' ? "" : "/";

	return snprintf(path + len, PATH_MAX - len, "%s%s", slash, name) < (int)(PATH_MAX - len);
}

static void go_up(struct way *way)
{
	char *slash = strrchr(way->at, '/');

	slash[slash == way->at] = '\0';
}

/* What the link says goes before the rest. */
static bool follow_link(struct look *look, struct way *way, const char *link)
{
	char target[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof target - 1);

	if (len <= 0 || ++look->links > LINKS_ON_A_WAY)
		return false;
	target[len] = '\0';
	if (!append(target, way->rest))
		return false;
	strcpy(way->rest, target);
	if (target[0] == '/')
		strcpy(way->at, "/");
	return true;
}

/*
 * One name further. The directory is watched before its name is looked up: no change is missed.
 * What is written in it counts where the name is no directory (a file, or one to come): on the way
 * there may be one like /tmp, where others write all the time.
 */
static bool step(struct look *look, struct way *way)
{
	char child[PATH_MAX];
	struct stat st = {.st_mode = 0};
	bool found;

	if (!strcmp(way->name, "."))
		return true;
	if (!strcmp(way->name, "..")) {
		go_up(way);
		return true;
	}
	add(look, way->at, way->name, OF_NAMES);
	strcpy(child, way->at);
	found = append(child, way->name) && !lstat(child, &st);
	if (!S_ISDIR(st.st_mode))
		add(look, way->at, way->name, OF_NAMES | OF_CONTENT);
	if (!found)
		return false;
	if (S_ISLNK(st.st_mode))
		return follow_link(look, way, child);
	if (!S_ISDIR(st.st_mode))
		return false;
	strcpy(way->at, child);
	return true;
}

/* True: it leads to a directory, which is in way->at. */
static bool walk(struct look *look, struct way *way, const char *path)
{
	int found;

	look->links = 0;
	strcpy(way->at, "/");
	if (path[0] != '/' && !getcwd(way->at, sizeof way->at))
		return false;
	if (snprintf(way->rest, sizeof way->rest, "%s", path) >= (int)sizeof way->rest)
		return false;
	while ((found = take_name(way)) > 0)
		if (!step(look, way))
			return false;
	return found == 0;
}

static bool may_be_link(const struct dirent *entry)
{
	return (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) && entry->d_name[0] != '.';
}

static void walk_links(struct look *look, struct way *way)
{
	DIR *list = opendir(way->at);
	unsigned int count = 0;
	char directory[PATH_MAX], link[PATH_MAX];
	struct dirent *entry;

	if (!list)
		return;
	strcpy(directory, way->at);
	while (count <= KT_WATCH_LINKS_MAX && (entry = readdir(list))) {
		if (!may_be_link(entry) || count++ == KT_WATCH_LINKS_MAX)
			continue;
		strcpy(link, directory);
		if (append(link, entry->d_name))
			walk(look, way, link);
	}
	closedir(list);
	if (count > KT_WATCH_LINKS_MAX && !look->err)
		look->err = -E2BIG;
}

static void drop_entry(struct kt_watch *watch, size_t i)
{
	free(watch->entries[i].name);
	watch->entries[i] = watch->entries[--watch->entry_count];
}

static bool is_used(const struct kt_watch *watch, int wd)
{
	for (size_t i = 0; i < watch->entry_count; i++)
		if (watch->entries[i].wd == wd)
			return true;
	return false;
}

/* What the new look did not find. */
static void drop_stale(struct kt_watch *watch, size_t subject)
{
	for (size_t i = watch->entry_count; i-- > 0;) {
		int wd = watch->entries[i].wd;

		if (watch->entries[i].subject != subject || watch->entries[i].fresh)
			continue;
		drop_entry(watch, i);
		if (!is_used(watch, wd))
			inotify_rm_watch(watch->fd, wd);
	}
}

int kt_watch_look(struct kt_watch *watch, size_t subject, const struct kt_watch_place *places,
		  size_t count)
{
	struct look look = {.watch = watch, .subject = subject};
	struct way way;

	for (size_t i = 0; i < watch->entry_count; i++)
		if (watch->entries[i].subject == subject)
			watch->entries[i].fresh = false;
	watch->subjects[subject].changed = false;
	watch->subjects[subject].writer_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (!walk(&look, &way, places[i].path) || !places[i].directory)
			continue;
		add(&look, way.at, NULL, OF_NAMES | OF_CONTENT);
		walk_links(&look, &way);
	}
	drop_stale(watch, subject);
	return look.err;
}

/* ---- What happens ---------------------------------------------------------------------------- */

void kt_watch_touch(struct kt_watch *watch, size_t subject, uint64_t now_ms)
{
	struct subject *touched = &watch->subjects[subject];

	if (!touched->changed)
		touched->first_ms = now_ms;
	touched->changed = true;
	touched->last_ms = now_ms;
}

static size_t find_writer(const struct subject *subject, const struct inotify_event *event)
{
	size_t i = 0;

	while (i < subject->writer_count && (subject->writers[i].wd != event->wd ||
					     strcmp(subject->writers[i].name, event->name) != 0))
		i++;
	return i;
}

static void note_writer(struct subject *subject, const struct inotify_event *event)
{
	size_t i = find_writer(subject, event);

	if (event->mask & IN_MODIFY) {
		if (i < subject->writer_count || i == WRITERS_MAX)
			return;
		subject->writers[i].wd = event->wd;
		strcpy(subject->writers[i].name, event->name);
		subject->writer_count++;
	} else if (i < subject->writer_count && !(event->mask & IN_ATTRIB)) {
		subject->writers[i] = subject->writers[--subject->writer_count];
	}
}

static bool concerns(const struct entry *entry, const struct inotify_event *event)
{
	if (entry->wd != event->wd)
		return false;
	if (event->mask & OF_ITSELF)
		return true;
	return event->len && (!entry->name || !strcmp(entry->name, event->name));
}

static void take(struct kt_watch *watch, const struct inotify_event *event, uint64_t now_ms)
{
	for (size_t i = 0; (event->mask & IN_Q_OVERFLOW) && i < watch->subject_count; i++)
		kt_watch_touch(watch, i, now_ms);
	for (size_t i = watch->entry_count; i-- > 0;) {
		size_t subject = watch->entries[i].subject;

		if (!concerns(&watch->entries[i], event))
			continue;
		kt_watch_touch(watch, subject, now_ms);
		if (event->len)
			note_writer(&watch->subjects[subject], event);
		if (event->mask & IN_IGNORED)
			drop_entry(watch, i);
	}
}

void kt_watch_read(struct kt_watch *watch, uint64_t now_ms)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t got;

	while ((got = read(watch->fd, buf, sizeof buf)) > 0) {
		for (char *at = buf; at < buf + got;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			take(watch, event, now_ms);
			at += sizeof *event + event->len;
		}
	}
}

/* ---- When ------------------------------------------------------------------------------------ */

static uint64_t due_ms(const struct subject *subject)
{
	uint64_t quiet_ms = subject->last_ms + subject->debounce_ms;
	uint64_t limit_ms = subject->first_ms + KT_WATCH_PATIENCE * (uint64_t)subject->debounce_ms;

	return subject->writer_count || quiet_ms > limit_ms ? limit_ms : quiet_ms;
}

bool kt_watch_is_due(const struct kt_watch *watch, size_t subject, uint64_t now_ms)
{
	return watch->subjects[subject].changed && now_ms >= due_ms(&watch->subjects[subject]);
}

int kt_watch_timeout_ms(const struct kt_watch *watch, uint64_t now_ms)
{
	int least = -1;

	for (size_t i = 0; i < watch->subject_count; i++) {
		uint64_t due = due_ms(&watch->subjects[i]);
		int left = due > now_ms ? (int)(due - now_ms) : 0;

		if (watch->subjects[i].changed && (least < 0 || left < least))
			least = left;
	}
	return least;
}
