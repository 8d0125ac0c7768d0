/* SPDX-License-Identifier: BSD-2-Clause */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "interrupt.h"
#include "session.h"

#define READY_LIMIT_MS 20000u
#define STOP_LIMIT_NS  (3 * 1000000000ull) /* then it is killed */
#define REST_LIMIT_NS  (100 * 1000000ull)
#define LOOK_EVERY_NS  2000000l
#define WORDS_MAX      256 /* bytes of a line of a log, NUL included */
#define NOT_RUN	       127 /* the exit status of a child that could not become the program */

static void pause_ns(long ns)
{
	const struct timespec rest = {.tv_nsec = ns};

	nanosleep(&rest, NULL);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int kt_bench_free_port(uint16_t *ret_port, struct kt_error *error)
{
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret = 0;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		ret = kt_error_set(error, errno, "127.0.0.1", 0, "no free port: %s",
				   strerror(errno));
	else
		*ret_port = ntohs(address.sin_port);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* ---- The child ------------------------------------------------------------------------------- */

static void redirect(const char *log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int to = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (null < 0 || to < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0 ||
	    dup2(to, STDERR_FILENO) < 0)
		_exit(NOT_RUN);
}

static void use_cpu(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
}

static void become(const struct kt_bench_server *server, const struct kt_bench_command *command,
		   pid_t parent)
{
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(NOT_RUN);
	kt_bench_interrupt_child();
	redirect(server->log);
	use_cpu(command->cpu);
	if (!command->argv)
		_exit(command->serve(command->arg));
	if (command->environment)
		putenv((char *)command->environment);
	execv(command->argv[0], command->argv);
	dprintf(STDERR_FILENO, "%s: %s\n", command->argv[0], strerror(errno));
	_exit(NOT_RUN);
}

/* ---- What it said ---------------------------------------------------------------------------- */

/* The beginning of the next line that is not blank; false: there is none. */
static bool read_line(FILE *file, char line[static WORDS_MAX])
{
	while (fgets(line, WORDS_MAX, file)) {
		size_t len = strcspn(line, "\n");

		for (int c = line[len]; c != '\n' && c != EOF;)
			c = fgetc(file);
		line[len] = '\0';
		if (line[strspn(line, " \t")])
			return true;
	}
	return false;
}

/*
 * The first line of its log that has what is looked for; NULL, or where none has it: the last one,
 * if it is to be. Empty: there is none.
 */
static void quote(const struct kt_bench_server *server, const char *what, bool or_last,
		  char words[static WORDS_MAX])
{
	FILE *file = fopen(server->log, "re");
	char line[WORDS_MAX];
	bool found = false;

	words[0] = '\0';
	while (file && !found && read_line(file, line)) {
		found = what && strstr(line, what);
		if (found || or_last)
			memcpy(words, line, sizeof line);
	}
	if (file)
		fclose(file);
}

bool kt_bench_server_said(const struct kt_bench_server *server, const char *words)
{
	char line[WORDS_MAX];

	quote(server, words, false, line);
	return line[0];
}

static int complain(const struct kt_bench_server *server, int err, const char *what,
		    struct kt_error *error)
{
	char words[WORDS_MAX];

	quote(server, server->mark, true, words);
	return kt_error_set(error, err, server->name, 0, "%s%s%s", what,
			    words[0] ? "; it said: " : "", words);
}

int kt_bench_server_blame(const struct kt_bench_server *server, struct kt_error *error)
{
	char what[sizeof error->text];

	/* Who was interrupted blames nobody. */
	if (error->err == EINTR)
		return -EINTR;
	snprintf(what, sizeof what, "%s", error->text);
	return complain(server, error->err, what, error);
}

/* ---- Starting -------------------------------------------------------------------------------- */

static bool accepts(uint16_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected = fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof address);

	if (fd >= 0)
		close(fd);
	return connected;
}

/* It is not reaped: until it is stopped, its number is nobody else's. */
static bool has_ended(pid_t pid, siginfo_t *info)
{
	*info = (siginfo_t){0};
	return waitid(P_PID, (id_t)pid, info, WEXITED | WNOHANG | WNOWAIT) || info->si_pid;
}

/* How, for those who say nothing themselves. */
static int complain_of_end(const struct kt_bench_server *server, const siginfo_t *info,
			   struct kt_error *error)
{
	char what[128];

	if (info->si_code == CLD_EXITED)
		snprintf(what, sizeof what, "ended before it accepted, with status %d",
			 info->si_status);
	else
		snprintf(what, sizeof what, "ended before it accepted, by signal %d (%s)",
			 info->si_status, strsignal(info->si_status));
	return complain(server, ECHILD, what, error);
}

/* Where its settings let it log elsewhere, or less, it may well be ready. */
static int complain_of_silence(const struct kt_bench_server *server, struct kt_error *error)
{
	char what[sizeof error->text];

	if (!server->ready || !accepts(server->port))
		return complain(server, ETIMEDOUT, "does not accept", error);
	snprintf(what, sizeof what,
		 "accepts, but has not said \"%s\" on stdout or stderr, which tells that it is "
		 "ready (let its settings log that, and there)",
		 server->ready);
	return complain(server, ETIMEDOUT, what, error);
}

static bool is_ready(const struct kt_bench_server *server)
{
	return !server->ready || kt_bench_server_said(server, server->ready);
}

static int wait_until_ready(struct kt_bench_server *server, struct kt_error *error)
{
	uint64_t limit_ms = server->limit_ms ? server->limit_ms : READY_LIMIT_MS;
	uint64_t end = kt_bench_now_ns() + limit_ms * 1000000;
	siginfo_t info;

	while (kt_bench_now_ns() < end) {
		int ret = kt_bench_interrupted(error);

		if (ret)
			return ret;
		if (has_ended(server->pid, &info))
			return complain_of_end(server, &info, error);
		if (is_ready(server) && accepts(server->port))
			return 0;
		pause_ns(LOOK_EVERY_NS);
	}
	return complain_of_silence(server, error);
}

int kt_bench_server_start(struct kt_bench_server *server, const struct kt_bench_command *command,
			  struct kt_error *error)
{
	pid_t parent = getpid();
	int ret;

	unlink(server->log); /* what one before it said is not its own */
	fflush(NULL);	     /* else a child that runs no other program could write it too */
	server->pid = fork();
	if (server->pid < 0) {
		server->pid = 0;
		return kt_error_set(error, errno, server->name, 0, "fork: %s", strerror(errno));
	}
	if (server->pid == 0)
		become(server, command, parent);
	ret = wait_until_ready(server, error);
	if (ret)
		kt_bench_server_stop(server);
	return ret;
}

/* ---- Measuring ------------------------------------------------------------------------------- */

int kt_bench_server_cpu_ns(const struct kt_bench_server *server, uint64_t *ret_ns,
			   struct kt_error *error)
{
	uint64_t end = kt_bench_now_ns() + REST_LIMIT_NS, before, now = 0;
	int ret;

	do {
		before = now;
		ret = kt_bench_session_cpu_ns(server->pid, &now);
		if (ret)
			return complain(server, -ret, "has ended", error);
		if (now != before)
			pause_ns(LOOK_EVERY_NS);
	} while (now != before && kt_bench_now_ns() < end);
	*ret_ns = now;
	return 0;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

static void signal_all(pid_t leader, int number)
{
	pid_t pids[KT_BENCH_SESSION_MAX];
	size_t count = kt_bench_session_pids(leader, pids);

	/* Not in the list until it has its session. */
	kill(leader, number);
	for (size_t i = 0; i < count; i++)
		if (pids[i] != leader)
			kill(pids[i], number);
}

/* The orphans of its group too: they come to us where we are a subreaper (prctl(2)). */
static void reap(pid_t leader)
{
	while (waitpid(-leader, NULL, WNOHANG) > 0)
		;
}

static bool wait_until_gone(pid_t leader)
{
	uint64_t end = kt_bench_now_ns() + STOP_LIMIT_NS;
	pid_t pids[KT_BENCH_SESSION_MAX];
	bool ended = false;

	while (kt_bench_now_ns() < end) {
		ended = ended || waitpid(leader, NULL, WNOHANG) != 0;
		if (ended && kt_bench_session_pids(leader, pids) == 0) {
			reap(leader);
			return true;
		}
		pause_ns(LOOK_EVERY_NS);
	}
	return false;
}

void kt_bench_server_stop(struct kt_bench_server *server)
{
	if (!server->pid)
		return;
	signal_all(server->pid, SIGTERM);
	if (!wait_until_gone(server->pid)) {
		signal_all(server->pid, SIGKILL);
		wait_until_gone(server->pid);
	}
	server->pid = 0;
}
