/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Servers under measurement: processes of their own, started, watched and ended by us.
 *
 * Each is the leader of a session, so that all its processes can be found, and hears SIGTERM should
 * we die before it. What it says goes to a log file, from which errors quote.
 *
 * Threads: one, always the same: the kernel takes its end for ours.
 */
#ifndef KT_BENCH_SERVER_H
#define KT_BENCH_SERVER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <ktrust/error.h>

struct kt_bench_command {
	char *const *argv; /* argv[0]: the program's file; ends with NULL. NULL: serve is called */
	int (*serve)(void *arg); /* in a child of ours; returns an exit status */
	void *arg;
	const char *environment; /* "NAME=value" to add; NULL: none */
	int cpu;		 /* the only one it may use; -1: any */
};

struct kt_bench_server {
	const char *name; /* of the side, for errors; borrowed */
	/* What a line of its log has that errors quote: the first such; NULL: the last line. */
	const char *mark;
	/*
	 * What its log has once it is ready, for one that accepts before, and then closes what it
	 * accepted with; NULL: it is as soon as it accepts. Its settings must let it say so on
	 * stdout or stderr.
	 */
	const char *ready;
	unsigned limit_ms; /* until it is ready; 0: 20 s */
	uint16_t port;	   /* on 127.0.0.1 */
	pid_t pid;	   /* 0: it was not started */
	char log[PATH_MAX];
};

/* A port of 127.0.0.1 that nobody uses at this moment. */
KT_WARN_UNUSED int kt_bench_free_port(uint16_t *ret_port, struct kt_error *error);

/*
 * Start what is to listen on server->port, and wait until it is ready and accepts. name, mark,
 * ready, port and log are set by the caller. -ECHILD: it ended before, -ETIMEDOUT, -EINTR
 * (kt_bench_interrupted), fork's.
 */
KT_WARN_UNUSED int kt_bench_server_start(struct kt_bench_server *server,
					 const struct kt_bench_command *command,
					 struct kt_error *error);

/* An error that was met while speaking to it, with a line of its log. Returns error's. */
int kt_bench_server_blame(const struct kt_bench_server *server, struct kt_error *error);

/* Whether a line of its log has these words, within the first 255 bytes. */
bool kt_bench_server_said(const struct kt_bench_server *server, const char *words);

/*
 * The CPU time it has used, in nanoseconds, once it has nothing left to do: waits until it rests,
 * for a tenth of a second at most. -ESRCH: it has ended.
 */
KT_WARN_UNUSED int kt_bench_server_cpu_ns(const struct kt_bench_server *server, uint64_t *ret_ns,
					  struct kt_error *error);

/* End all its processes and wait for them. One that was not started is fine. */
void kt_bench_server_stop(struct kt_bench_server *server);

#endif
