/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of several subjects (pools) have changed on the disk, by inotify.
 *
 * A subject is a list of places. Of each, every directory on the way is watched for the name that
 * is looked up in it, those behind symbolic links too, since what changes may be any link on the
 * way: Kubernetes swaps a link to a directory. A place that is a directory is watched for every
 * name, and the way to each target of the links in it. What is not there yet is awaited in the
 * directory that is.
 *
 * A subject is due when it was quiet for its debounce time. While somebody has a file of it open
 * that he has written to, there is no quiet; but after KT_WATCH_PATIENCE debounce times from the
 * first change it is due all the same. When it is due the caller calls kt_watch_look, and only then
 * reads the places: what changes from there on makes it due again.
 *
 * The queue of the kernel may overflow: then everything has changed.
 *
 * Threads: one. Nothing here blocks but for looking at directories.
 *
 * What it does not do: it reads no content, and does not see changes made on other hosts of a
 * network file system, nor writes through a map.
 */
#ifndef KTRUST_DAEMON_WATCH_H
#define KTRUST_DAEMON_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/error.h>

#define KT_WATCH_PATIENCE  10
#define KT_WATCH_LINKS_MAX 4096 /* of one directory; further ones are -E2BIG */

struct kt_watch;

struct kt_watch_place {
	const char *path; /* relative ones count from the working directory */
	bool directory;	  /* everything in it counts */
};

/* A watch of so many subjects, none with a place yet. errno of inotify_init1; -ENOMEM. */
KT_WARN_UNUSED int kt_watch_new(size_t subjects, struct kt_watch **ret_watch);
void kt_watch_free(struct kt_watch *watch); /* NULL is fine */

/* Readable when there is something for kt_watch_read. */
int kt_watch_fd(const struct kt_watch *watch);

/*
 * Find the way to these places anew; the subject is not due any more. Returns 0, or the first thing
 * that went wrong (-ENOSPC: the limit fs.inotify.max_user_watches; -E2BIG: more than
 * KT_WATCH_LINKS_MAX links in a directory; -EACCES; -ENOMEM): what could be watched is.
 */
int kt_watch_look(struct kt_watch *watch, size_t subject, const struct kt_watch_place *places,
		  size_t count);

/* Take what the kernel has to say. now_ms: CLOCK_MONOTONIC. */
void kt_watch_read(struct kt_watch *watch, uint64_t now_ms);

/* As if something of it had changed. */
void kt_watch_touch(struct kt_watch *watch, size_t subject, uint64_t now_ms);

void kt_watch_set_debounce(struct kt_watch *watch, size_t subject, unsigned int debounce_ms);

/* Is it due? */
bool kt_watch_is_due(const struct kt_watch *watch, size_t subject, uint64_t now_ms);

/* How long until one is due, for poll: -1 none has changed. */
int kt_watch_timeout_ms(const struct kt_watch *watch, uint64_t now_ms);

#endif
