/* SPDX-License-Identifier: BSD-2-Clause */
/* How many files may be open, and how many connections that is. */
#include "daemon.h"

#include <sched.h>
#include <sys/resource.h>

#include "log.h"

enum {
	FILES_OF_CONNECTION = 2, /* the client's socket and the backend's */
	FILES_OF_WORKER = 2,	 /* its ring, its eventfd; and a listener's sockets */
	FILES_OF_DAEMON = 64,	 /* control clients, sources being read, whatever libraries open */
};

static rlim_t count_workers(const struct kt_config *config)
{
	cpu_set_t cpus;

	if (config->workers)
		return config->workers;
	return sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : (rlim_t)CPU_COUNT(&cpus);
}

/* Listening sockets, and those to the receivers of handoffs. */
static rlim_t count_doors(const struct kt_config *config)
{
	rlim_t count = config->listener_count;

	for (size_t i = 0; i < config->listener_count; i++)
		count += config->listeners[i].handoff != NULL;
	return count;
}

/* At least one, since whether the daemon can start at all is for those to say who open files. */
static rlim_t connections_in(rlim_t files, const struct kt_config *config)
{
	rlim_t taken =
		FILES_OF_DAEMON + count_workers(config) * (FILES_OF_WORKER + count_doors(config));

	if (files < taken + FILES_OF_CONNECTION)
		return 1;
	return (files - taken) / FILES_OF_CONNECTION;
}

void kt_files_raise(struct kt_config *config)
{
	struct rlimit files;
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) && getrlimit(RLIMIT_NOFILE, &files))
		return;
	if (files.rlim_cur == RLIM_INFINITY)
		return;
	most = connections_in(files.rlim_cur, config);
	if (config->connections_max <= most)
		return;
	kt_log(LOG_WARNING,
	       "connections-max %u is more than %llu open files can hold, for each connection "
	       "takes "
	       "two: it is %llu now (raise LimitNOFILE= or ulimit -n, or lower connections-max)",
	       config->connections_max, (unsigned long long)files.rlim_cur,
	       (unsigned long long)most);
	config->connections_max = (unsigned int)most;
}
