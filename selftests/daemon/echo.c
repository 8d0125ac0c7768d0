/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * echo: a backend for shell tests. Listens on a port of 127.0.0.1 that the kernel chooses, prints
 * it, and sends back what each connection brings. A child a connection; runs until it is killed.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static int listen_anywhere(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		fail("echo: listen");
	printf("%u\n", ntohs(addr.sin_port));
	fflush(stdout);
	return fd;
}

static void echo(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof buf)) > 0)
		for (ssize_t sent = 0, k; sent < n; sent += k) {
			k = send(fd, buf + sent, (size_t)(n - sent), MSG_NOSIGNAL);
			if (k < 0)
				return;
		}
}

int main(void)
{
	int listener = listen_anywhere();

	signal(SIGCHLD, SIG_IGN); /* children are not waited for */
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			fail("echo: accept");
		switch (fork()) {
		case -1:
			fail("echo: fork");
		case 0:
			close(listener);
			echo(fd);
			exit(EXIT_SUCCESS);
		}
		close(fd);
	}
}
