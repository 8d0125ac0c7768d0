/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "session.h"

static int number_of_tracepoint(uint64_t *ret_number, struct kt_error *error)
{
	static const char *const paths[] = {
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
		"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
	};
	unsigned long long number;
	int err = ENOENT;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		FILE *file = fopen(paths[i], "re");
		bool good = file && fscanf(file, "%llu", &number) == 1;

		if (!file)
			err = errno;
		else
			fclose(file);
		if (good) {
			*ret_number = number;
			return 0;
		}
	}
	return kt_error_set(error, err, "system calls", 0,
			    "no tracepoint (mount -t tracefs nodev /sys/kernel/tracing)");
}

static int open_counter(uint64_t number, pid_t thread)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof attr,
		.config = number,
		.inherit = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int refuse(int err, struct kt_error *error)
{
	return kt_error_set(error, -err, "system calls", 0, "they cannot be counted: %s",
			    strerror(-err));
}

int kt_bench_calls_check(struct kt_error *error)
{
	uint64_t number;
	int ret = number_of_tracepoint(&number, error), fd;

	if (ret)
		return ret;
	fd = open_counter(number, 0);
	if (fd < 0)
		return refuse(fd, error);
	close(fd);
	return 0;
}

static void close_all(struct kt_bench_calls *calls)
{
	for (size_t i = 0; i < calls->count; i++)
		close(calls->fds[i]);
	calls->count = 0;
}

static int add_thread(struct kt_bench_calls *calls, uint64_t number, pid_t thread)
{
	int fd;

	if (calls->count == KT_BENCH_CALLS_MAX)
		return -ENFILE;
	fd = open_counter(number, thread);
	/* One that has ended meanwhile makes no calls. */
	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	calls->fds[calls->count++] = fd;
	return 0;
}

static int add_process(struct kt_bench_calls *calls, uint64_t number, pid_t process)
{
	struct dirent *entry;
	char path[64];
	DIR *threads;
	int err = 0;

	snprintf(path, sizeof path, "/proc/%d/task", (int)process);
	threads = opendir(path);
	while (threads && !err && (entry = readdir(threads)))
		if (isdigit((unsigned char)entry->d_name[0]))
			err = add_thread(calls, number, atoi(entry->d_name));
	if (threads)
		closedir(threads);
	return err;
}

int kt_bench_calls_begin(pid_t session, struct kt_bench_calls *ret_calls, struct kt_error *error)
{
	struct kt_bench_calls calls = {.count = 0};
	pid_t pids[KT_BENCH_SESSION_MAX];
	size_t count = kt_bench_session_pids(session, pids);
	uint64_t number;
	int err = 0, ret = number_of_tracepoint(&number, error);

	if (ret)
		return ret;
	for (size_t i = 0; i < count && !err; i++)
		err = add_process(&calls, number, pids[i]);
	if (!err && !calls.count)
		err = -ESRCH;
	if (err) {
		close_all(&calls);
		return refuse(err, error);
	}
	*ret_calls = calls;
	return 0;
}

int kt_bench_calls_end(struct kt_bench_calls *calls, uint64_t *ret_count, struct kt_error *error)
{
	uint64_t sum = 0, one;
	int err = 0;

	for (size_t i = 0; i < calls->count && !err; i++) {
		if (read(calls->fds[i], &one, sizeof one) == (ssize_t)sizeof one)
			sum += one;
		else
			err = -EIO;
	}
	close_all(calls);
	if (err)
		return refuse(err, error);
	*ret_count = sum;
	return 0;
}
