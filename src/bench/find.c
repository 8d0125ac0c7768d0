/* SPDX-License-Identifier: BSD-2-Clause */
#include "find.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSTEM_DIRS "/usr/local/sbin:/usr/sbin:/sbin" /* not in everybody's PATH */

bool kt_bench_beside(const char *name, char ret_path[static PATH_MAX])
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
	char *slash;

	if (len < 0)
		return false;
	own[len] = '\0';
	slash = strrchr(own, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return snprintf(ret_path, PATH_MAX, "%s/%s", own, name) < PATH_MAX;
}

static bool find_in(const char *dirs, const char *name, char ret_path[static PATH_MAX])
{
	while (dirs && *dirs) {
		size_t len = strcspn(dirs, ":");

		/* Only absolute ones: the current directory is nobody's choice. */
		if (*dirs == '/' &&
		    snprintf(ret_path, PATH_MAX, "%.*s/%s", (int)len, dirs, name) < PATH_MAX &&
		    !access(ret_path, X_OK))
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

bool kt_bench_find_program(const char *name, char ret_path[static PATH_MAX])
{
	return find_in(getenv("PATH"), name, ret_path) || find_in(SYSTEM_DIRS, name, ret_path);
}

/* ---- Versions -------------------------------------------------------------------------------- */

static void answer(const char *program, const char *argument, int to)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0 &&
	    dup2(to, STDERR_FILENO) >= 0)
		execl(program, program, argument, (char *)NULL);
	_exit(127);
}

/* What it prints, as much as there is room for. */
static void ask(const char *program, const char *argument, char *text, size_t size)
{
	int ends[2];
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	text[0] = '\0';
	if (pipe2(ends, O_CLOEXEC))
		return;
	pid = fork();
	if (pid == 0)
		answer(program, argument, ends[1]);
	close(ends[1]);
	while (pid > 0 && len < size - 1 && (got = read(ends[0], text + len, size - 1 - len)) > 0)
		len += (size_t)got;
	close(ends[0]);
	text[len] = '\0';
	if (pid > 0) {
		/* What more it has to say nobody waits for. */
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* The length of digits and dots that a version begins with; 0: it is none. */
static size_t version_len(const char *text)
{
	size_t len = strspn(text, "0123456789."), whole = strspn(text, "0123456789");

	while (len && text[len - 1] == '.')
		len--;
	return whole && len > whole ? len : 0;
}

void kt_bench_ask_version(const char *program, const char *argument, char *ret_version, size_t size)
{
	char text[4096];

	ret_version[0] = '\0';
	ask(program, argument, text, sizeof text);
	for (const char *c = text; *c; c++) {
		size_t len = c == text || !isdigit((unsigned char)c[-1]) ? version_len(c) : 0;

		if (len) {
			snprintf(ret_version, size, "%.*s", (int)len, c);
			return;
		}
	}
}
