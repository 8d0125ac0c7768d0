/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of the control socket: a listener in a directory of its own, and connections of
 * which one end or both are plain sockets.
 *
 * Threads: none. Everything lives as long as the test; the sockets that the functions return are
 * the caller's.
 */
#ifndef KT_SELFTESTS_CONTROL_FIXTURE_H
#define KT_SELFTESTS_CONTROL_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/control/control.h"
#include "../harness.h"

FIXTURE(control)
{
	char dir[64];
	char path[96];
	struct kt_control_listener listener;
	struct kt_error error;
};

FIXTURE_SETUP(control)
{
	self->listener.fd = self->listener.lock_fd = -1;
	strcpy(self->dir, "/tmp/ktrust-control-XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir));
	snprintf(self->path, sizeof self->path, "%s/sock", self->dir);
	ASSERT_EQ(0, kt_control_listen(self->path, &self->listener, &self->error))
	{
		TH_LOG("%s", self->error.text);
	}
}

FIXTURE_TEARDOWN(control)
{
	char lock[128];

	kt_control_unlisten(&self->listener);
	snprintf(lock, sizeof lock, "%s.lock", self->path);
	unlink(lock);
	unlink(self->path);
	EXPECT_EQ(0, rmdir(self->dir));
}

/* A socket that is connected but not yet looked at by either end's functions. */
static inline int connect_raw(FIXTURE_DATA(control) * self, int *ret_server_fd)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, self->path);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&addr, sizeof addr));
	*ret_server_fd = accept(self->listener.fd, NULL, NULL);
	ASSERT_LE(0, *ret_server_fd);
	return fd;
}

/* The server's end by our functions, the peer a plain socket for bytes no client would send. */
static inline int serve_raw(FIXTURE_DATA(control) * self, struct kt_control **ret_server)
{
	int server_fd, fd = connect_raw(self, &server_fd);

	ASSERT_EQ(0, kt_control_accept(server_fd, ret_server, &self->error));
	return fd;
}

/* The client's end by our functions, the daemon a plain socket. */
static inline int call_raw(FIXTURE_DATA(control) * self, struct kt_control **ret_client)
{
	int fd;

	ASSERT_EQ(0, kt_control_connect(self->path, ret_client, &self->error));
	fd = accept(self->listener.fd, NULL, NULL);
	ASSERT_LE(0, fd);
	return fd;
}

static inline void say(int fd, const char *bytes)
{
	ASSERT_EQ((ssize_t)strlen(bytes), send(fd, bytes, strlen(bytes), MSG_NOSIGNAL));
}

/* A child that failed has said so; its status carries it. */
static inline void await(pid_t child)
{
	int status;

	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
