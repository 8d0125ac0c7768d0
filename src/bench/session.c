/* SPDX-License-Identifier: BSD-2-Clause */
#include "session.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "PID (NAME) STATE PPID PGRP SESSION …", where NAME may hold anything (proc(5)). */
static bool lives_in(const char *pid, pid_t session)
{
	char path[64], text[512];
	const char *behind_name;
	int found = 0;
	char state;
	FILE *file;
	size_t len;

	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[len] = '\0';
	behind_name = strrchr(text, ')');
	return behind_name && sscanf(behind_name + 1, " %c %*d %*d %d", &state, &found) == 2 &&
	       found == session && state != 'Z' && state != 'X';
}

size_t kt_bench_session_pids(pid_t session, pid_t pids[static KT_BENCH_SESSION_MAX])
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (proc && count < KT_BENCH_SESSION_MAX && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) && lives_in(entry->d_name, session))
			pids[count++] = atoi(entry->d_name);
	if (proc)
		closedir(proc);
	return count;
}

int kt_bench_session_cpu_ns(pid_t session, uint64_t *ret_ns)
{
	pid_t pids[KT_BENCH_SESSION_MAX];
	size_t count = kt_bench_session_pids(session, pids);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		struct timespec used;
		clockid_t clock;

		/* The clock of a process counts every thread, ended ones too (clock_getres(2)). */
		if (clock_getcpuclockid(pids[i], &clock) || clock_gettime(clock, &used))
			return -ESRCH;
		sum += (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
	}
	if (count == 0)
		return -ESRCH;
	*ret_ns = sum;
	return 0;
}

static int memory_of(pid_t pid, uint64_t *ret_bytes)
{
	unsigned long long kib = 0;
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!found && fgets(line, sizeof line, file))
		found = sscanf(line, "Pss: %llu kB", &kib) == 1;
	fclose(file);
	*ret_bytes = kib * 1024;
	return found ? 0 : -ESRCH;
}

int kt_bench_session_memory(pid_t session, uint64_t *ret_bytes)
{
	pid_t pids[KT_BENCH_SESSION_MAX];
	size_t count = kt_bench_session_pids(session, pids);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t bytes = 0;
		int err = memory_of(pids[i], &bytes);

		if (err)
			return err;
		sum += bytes;
	}
	if (count == 0)
		return -ESRCH;
	*ret_bytes = sum;
	return 0;
}
