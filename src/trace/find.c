/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "ktrustd"

/*
 * The file process pid runs, under its name if that still leads to it, else under /proc. Only of
 * root or ours: a process may call itself what it likes, and what is traced is parsed by us.
 */
static int file_of_process(pid_t pid, char *ret_path, size_t size, struct stat *ret_stat)
{
	char link[64], name[PATH_MAX];
	struct stat named;
	ssize_t len;

	snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
	if (stat(link, ret_stat))
		return -errno;
	if (ret_stat->st_uid != 0 && ret_stat->st_uid != geteuid())
		return -EACCES;
	len = readlink(link, name, sizeof name - 1);
	if (len < 0)
		return -errno;
	name[len] = '\0';
	if (stat(name, &named) || named.st_dev != ret_stat->st_dev ||
	    named.st_ino != ret_stat->st_ino)
		snprintf(ret_path, size, "%s", link);
	else if ((size_t)snprintf(ret_path, size, "%s", name) >= size)
		return -ENAMETOOLONG;
	return 0;
}

static bool is_program(const char *pid)
{
	char path[64], comm[32] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(comm, sizeof comm, file))
		comm[0] = '\0';
	fclose(file);
	return !strcmp(comm, PROGRAM "\n");
}

/* 0 found, -ENOENT none runs, -ENOTUNIQ, or why the one that runs cannot be taken. */
static int find_running(char *ret_path, size_t size)
{
	char path[PATH_MAX];
	struct stat found = {}, st;
	struct dirent *entry;
	int rc = -ENOENT;
	DIR *proc = opendir("/proc");

	if (!proc)
		return -errno;
	while (rc != -ENOTUNIQ && (entry = readdir(proc))) {
		int err;

		if (!isdigit((unsigned char)entry->d_name[0]) || !is_program(entry->d_name))
			continue;
		err = file_of_process(atoi(entry->d_name), path, sizeof path, &st);
		if (err) {
			/* It may just have ended. */
			if (rc && err != -ENOENT && err != -ESRCH)
				rc = err;
			continue;
		}
		if (!rc && (st.st_dev != found.st_dev || st.st_ino != found.st_ino)) {
			rc = -ENOTUNIQ;
			continue;
		}
		rc = 0;
		found = st;
		if ((size_t)snprintf(ret_path, size, "%s", path) >= size)
			rc = -ENAMETOOLONG;
	}
	closedir(proc);
	return rc;
}

static int find_beside_us(char *ret_path, size_t size)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
	char *slash;

	if (len < 0)
		return -errno;
	own[len] = '\0';
	slash = strrchr(own, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	if ((size_t)snprintf(ret_path, size, "%s/" PROGRAM, own) >= size)
		return -ENAMETOOLONG;
	return access(ret_path, R_OK) ? -errno : 0;
}

static int find_in_path(char *ret_path, size_t size)
{
	const char *dir = getenv("PATH");

	while (dir && *dir) {
		size_t len = strcspn(dir, ":");

		/* Only absolute ones: the current directory is nobody's choice. */
		if (*dir == '/' &&
		    (size_t)snprintf(ret_path, size, "%.*s/" PROGRAM, (int)len, dir) < size &&
		    !access(ret_path, R_OK | X_OK))
			return 0;
		dir += len + (dir[len] == ':');
	}
	return -ENOENT;
}

static int complain(int err, pid_t pid, struct kt_error *error)
{
	if (err == ENOTUNIQ)
		return kt_error_set(error, err, "", 0,
				    "several different " PROGRAM " are running (choose one with "
				    "--pid PID or --binary PATH)");
	if (pid && (err == ENOENT || err == ESRCH))
		return kt_error_set(error, ESRCH, "", 0, "no process %d", (int)pid);
	if (err == ENOENT)
		return kt_error_set(error, err, "", 0,
				    "no " PROGRAM " found: none is running, none lies beside this "
				    "program or in $PATH (name its file with --binary PATH)");
	return kt_error_set(error, err, "", 0,
			    "the file of the running " PROGRAM " cannot be taken: %s (run as root, "
			    "or name the file with --binary PATH)",
			    strerror(err));
}

int kt_trace_find_binary(pid_t pid, char *ret_path, size_t size, struct kt_error *error)
{
	char path[PATH_MAX];
	struct stat st;
	int rc;

	if (pid) {
		rc = file_of_process(pid, path, sizeof path, &st);
	} else {
		rc = find_running(path, sizeof path);
		if (rc == -ENOENT)
			rc = find_beside_us(path, sizeof path);
		if (rc == -ENOENT)
			rc = find_in_path(path, sizeof path);
	}
	if (!rc && strlen(path) >= size)
		rc = -ENAMETOOLONG;
	if (rc)
		return complain(-rc, pid, error);
	memcpy(ret_path, path, strlen(path) + 1);
	return 0;
}
